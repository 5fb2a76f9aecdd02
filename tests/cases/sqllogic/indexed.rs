//! index/*: five tables with the same rows and different indexes, and the same conditions on all of them.

use vecrank_tests::data::{Element, Numbers};

use crate::Statement;
use crate::conditions::{Condition, Favour, SPREAD, Style, value};
use crate::expressions::Terms;

const TABLES: [&str; 5] = ["tab0", "tab1", "tab2", "tab3", "tab4"];

/// The number of conditions in a stream.
const CONDITIONS: usize = 20;

const COLUMNS: &str =
    "pk INTEGER PRIMARY KEY, col0 INTEGER, col1 FLOAT, col2 TEXT, col3 INTEGER, col4 FLOAT, col5 TEXT, embedding BLOB";

/// A vector as SQL writes it, or NULL.
pub fn vector(numbers: &mut Numbers) -> String {
    if numbers.one_in(6) {
        return "NULL".into();
    }
    let components: Vec<f64> = (0..4).map(|_| numbers.below(9) as f64 - 4.0).collect();
    // Under cosine no vector may be zero.
    if components.iter().all(|&x| x == 0.0) { "NULL".into() } else { Element::Float.literal(&components) }
}

/// The number of rows in a stream, mostly small.
fn size(numbers: &mut Numbers) -> usize {
    [1, 10, 10, 10, 30, 100][numbers.below(6)]
}

/// The rows as VALUES. Unless `repeats`, the values in a column of numbers are distinct, except NULL.
fn rows(numbers: &mut Numbers, count: usize, repeats: bool) -> String {
    let distinct = |numbers: &mut Numbers, scale: f64| -> Vec<f64> {
        let mut all: Vec<usize> = (1..=SPREAD * count * if scale < 1.0 { 4 } else { 1 }).collect();
        numbers.shuffle(&mut all);
        let value = |at: usize| all[if repeats { at / 2 } else { at }] as f64 * scale;
        (0..count).map(value).collect()
    };
    let columns = [distinct(numbers, 1.0), distinct(numbers, 0.25), distinct(numbers, 1.0), distinct(numbers, 0.25)];
    let mut row = |row: usize| {
        let cell = |numbers: &mut Numbers, column: usize, decimals: usize| match numbers.one_in(20) {
            true => "NULL".to_owned(),
            false => format!("{:.decimals$}", columns[column][row]),
        };
        let (a, b) = (cell(numbers, 0, 0), cell(numbers, 1, 2));
        let (c, d) = (cell(numbers, 2, 0), cell(numbers, 3, 2));
        let (x, y) = (value(numbers, 2, count), value(numbers, 5, count));
        format!("({row}, {a}, {b}, {x}, {c}, {d}, {y}, {})", vector(numbers))
    };
    (0..count).map(&mut row).collect::<Vec<_>>().join(", ")
}

/// The declaration: `tab1` has INDEXED columns for all numbers, `tab4` for one.
fn create(table: &str) -> Statement {
    let columns = match table {
        "tab1" => COLUMNS.replace(" INTEGER, ", " INTEGER INDEXED, ").replace(" FLOAT", " FLOAT INDEXED"),
        "tab4" => COLUMNS.replace("col0 INTEGER", "col0 INTEGER INDEXED"),
        _ => COLUMNS.to_owned(),
    };
    Statement::new(format!("CREATE TABLE {table}({columns})"))
}

/// Random indexes of a table: on one to three columns, some UNIQUE, some descending.
fn indexes(numbers: &mut Numbers, table: &str) -> Vec<Statement> {
    let index = |number: usize| {
        let mut columns =
            ["col0", "col1", "col3", "col4"].map(|name| name.to_owned() + numbers.pick(&["", "", " DESC"]));
        numbers.shuffle(&mut columns);
        let columns = columns[..1 + numbers.below(3)].join(", ");
        let unique = numbers.pick(&["", "UNIQUE "]);
        Statement::new(format!("CREATE {unique}INDEX idx_{table}_{number} ON {table} ({columns})"))
    };
    (0..3).map(index).collect()
}

/// Five tables with the same rows: without an index, with declared indexes, and with random ones.
fn tables(numbers: &mut Numbers, count: usize) -> Vec<Statement> {
    let repeats = numbers.one_in(6);
    let mut stream = vec![create("tab0")];
    stream.push(Statement::new(format!("INSERT INTO tab0 VALUES {}", rows(numbers, count, repeats))));
    for table in &TABLES[1..] {
        stream.push(create(table));
        if *table != "tab1" {
            stream.extend(indexes(numbers, table));
        }
        stream.push(Statement::new(format!("INSERT INTO {table} SELECT * FROM tab0")));
    }
    stream
}

/// Conditions that favour one form, each in several styles on all tables.
fn in_styles(numbers: &mut Numbers, favour: Favour, styles: &[Style]) -> Vec<Statement> {
    let count = size(numbers);
    let mut stream = tables(numbers, count);
    for _ in 0..CONDITIONS {
        let condition = Condition::random(numbers, favour, count, 3);
        for table in TABLES {
            for &style in styles {
                stream.push(Statement::new(format!("SELECT pk FROM {table} WHERE {}", condition.sql(table, style))));
            }
        }
    }
    stream
}

pub fn between(numbers: &mut Numbers) -> Vec<Statement> {
    in_styles(numbers, Favour::Between, &[Style::Plain, Style::Spread])
}

pub fn members(numbers: &mut Numbers) -> Vec<Statement> {
    in_styles(numbers, Favour::In, &[Style::Plain, Style::Reversed, Style::Equalities])
}

pub fn commute(numbers: &mut Numbers) -> Vec<Statement> {
    in_styles(numbers, Favour::Comparisons, &[Style::Plain, Style::Flipped])
}

pub fn orderby(numbers: &mut Numbers) -> Vec<Statement> {
    ordered(numbers, &[("pk", 0), ("pk, col0", 0), ("pk, col0", 1), ("col1, pk, col4", 0)])
}

/// Selects all rows. The columns of ORDER BY are not always the first result columns.
pub fn orderby_nosort(numbers: &mut Numbers) -> Vec<Statement> {
    ordered(numbers, &[("*", 0), ("*", 1), ("col3, pk", 0), ("col4 + 1, col2, col5, embedding", 0)])
}

fn ordered(numbers: &mut Numbers, shown: &[(&str, usize)]) -> Vec<Statement> {
    let count = size(numbers);
    let mut stream = tables(numbers, count);
    for _ in 0..CONDITIONS {
        let condition = Condition::random(numbers, Favour::Comparisons, count, 2);
        let (shown, key) = shown[numbers.below(shown.len())];
        for table in TABLES {
            for direction in ["", " DESC"] {
                let condition = condition.sql(table, Style::Plain);
                let by = key + 1;
                let sql = format!("SELECT {shown} FROM {table} WHERE {condition} ORDER BY {by}{direction}");
                stream.push(Statement::ordered(sql, vec![key]));
            }
        }
    }
    stream
}

/// Deletes rows, reads the rest, and inserts deleted rows again, of which some still exist.
pub fn delete(numbers: &mut Numbers) -> Vec<Statement> {
    let count = size(numbers);
    let mut stream = tables(numbers, count);
    for _ in 0..CONDITIONS {
        let condition = Condition::random(numbers, Favour::Comparisons, count, 2);
        for table in TABLES {
            let condition = condition.sql(table, Style::Plain);
            let queries = [
                "SELECT changes()".to_owned(),
                format!("SELECT * FROM {table} WHERE {condition}"),
                format!("SELECT pk FROM {table} WHERE NOT ( {condition} )"),
                format!("SELECT count(*) FROM {table}"),
            ];
            stream.push(Statement::new(format!("DELETE FROM {table} WHERE {condition}")));
            stream.extend(queries.map(Statement::new));
        }
        if numbers.one_in(2) {
            stream.extend(refilled(numbers, count));
        }
    }
    stream
}

fn refilled(numbers: &mut Numbers, count: usize) -> Vec<Statement> {
    // Refused as long as a row has one of the keys.
    let mut stream = vec![Statement::new(format!("INSERT INTO tab0 VALUES {}", rows(numbers, count, false)))];
    for table in &TABLES[2..] {
        if numbers.one_in(2) {
            stream.extend([Statement::new(format!("DROP TABLE {table}")), create(table)]);
            stream.extend(indexes(numbers, table));
        }
        stream.push(Statement::new(format!("INSERT INTO {table} SELECT * FROM tab0")));
    }
    stream
}

/// Views of a condition and of its negation, alone and combined.
pub fn view(numbers: &mut Numbers) -> Vec<Statement> {
    let count = size(numbers);
    let mut stream = tables(numbers, count);
    for number in 0..CONDITIONS {
        let condition = Condition::random(numbers, Favour::Comparisons, count, 2);
        for table in TABLES {
            let name = |view: usize| format!("view_{view}_{table}_{number}");
            let condition = condition.sql(table, Style::Plain);
            let (yes, no) = (
                format!("SELECT pk, col0 FROM {table} WHERE {condition}"),
                format!("SELECT pk, col0 FROM {table} WHERE NOT ( {condition} )"),
            );
            let (first, second, third) = (name(1), name(2), name(3));
            stream.extend([
                Statement::new(format!("CREATE VIEW {first} AS {yes}")),
                Statement::new(format!("CREATE VIEW {second} AS {no}")),
                Statement::new(format!("CREATE VIEW {third} AS SELECT pk FROM {first}")),
                Statement::new(yes.clone()),
                Statement::new(no.clone()),
                Statement::new(format!("SELECT pk, col0 FROM {first}")),
                Statement::new(format!("SELECT pk FROM {second} WHERE col0 > 3")),
                Statement::new(format!("SELECT * FROM {third}")),
                Statement::new(format!("{yes} UNION ALL {no}")),
                Statement::new(format!("SELECT pk, col0 FROM {first} UNION SELECT pk, col0 FROM {second}")),
                Statement::new(format!("SELECT pk FROM ({yes}) AS part")),
                Statement::new(format!("DROP VIEW {third}")),
            ]);
        }
    }
    stream
}

/// Random expressions, conditions and aggregates over the five tables.
pub fn random(numbers: &mut Numbers) -> Vec<Statement> {
    let count = size(numbers);
    let mut stream = tables(numbers, count);
    let columns = ["col0", "col1", "col3", "col4"].map(String::from).to_vec();
    let terms = Terms { columns: columns.clone(), aggregated: None, may_divide: false };
    let aggregates = Terms { columns: Vec::new(), aggregated: Some(columns), may_divide: false };
    for _ in 0..2 * CONDITIONS {
        let how = numbers.pick(&["", "ALL ", "DISTINCT "]);
        let shown = match numbers.below(4) {
            0 => "*".to_owned(),
            1 => format!("COUNT ( * ), {}", aggregates.expression(numbers, 2)),
            _ => terms.expression(numbers, 2),
        };
        let condition = terms.condition(numbers, 2);
        let as_cor0 = numbers.pick(&["", " AS cor0"]);
        let select = |table: &str| format!("SELECT {how}{shown} FROM {table}{as_cor0} WHERE {condition}");
        stream.extend(TABLES.map(|table| Statement::new(select(table))));
    }
    stream
}
