//! random/expr, random/aggregates, random/groupby: tables of three rows, and expressions of any shape over them and
//! their products.

use vecrank_tests::data::Numbers;

use crate::Statement;
use crate::expressions::Terms;
use crate::indexed::vector;

const COLUMNS: [&str; 3] = ["col0", "col1", "col2"];
const TABLES: [&str; 3] = ["tab0", "tab1", "tab2"];
const QUERIES: usize = 200;

fn tables(numbers: &mut Numbers) -> Vec<Statement> {
    let mut stream = Vec::new();
    for table in TABLES {
        let index = numbers.pick(&["", "", " INDEXED"]);
        let columns = format!("col0 INTEGER{index}, col1 INTEGER, col2 INTEGER");
        stream.push(Statement::new(format!("CREATE TABLE {table}({columns}, embedding BLOB)")));
        let mut value = || if numbers.one_in(12) { "NULL".to_owned() } else { numbers.below(100).to_string() };
        let mut rows: Vec<String> = (0..3).map(|_| format!("{}, {}, {}", value(), value(), value())).collect();
        rows.iter_mut().for_each(|row| *row = format!("({row}, {})", vector(numbers)));
        stream.push(Statement::new(format!("INSERT INTO {table} VALUES {}", rows.join(", "))));
        if numbers.one_in(3) {
            stream.push(Statement::new(format!("CREATE INDEX {table}_0 ON {table} (col0)")));
        }
    }
    stream
}

fn queries(numbers: &mut Numbers, query: fn(&mut Numbers) -> String) -> Vec<Statement> {
    let mut stream = tables(numbers);
    stream.extend((0..QUERIES).map(|_| Statement::new(query(numbers))));
    stream
}

/// One table, or a product of two or three, and the names of its columns.
fn source(numbers: &mut Numbers) -> (String, Vec<String>) {
    let mut table = || numbers.pick(&TABLES).to_owned();
    let (first, second, third) = (table(), table(), table());
    let of = |names: &[&str]| {
        names.iter().flat_map(|name| COLUMNS.map(|column| format!("{name}.{column}"))).collect::<Vec<_>>()
    };
    match numbers.below(8) {
        0..=2 => (first, COLUMNS.map(String::from).to_vec()),
        3 | 4 => (format!("{first} AS cor0"), of(&["cor0"])),
        5 => (format!("{first} AS cor0, {second} AS cor1"), of(&["cor0", "cor1"])),
        6 => (format!("{first} AS cor0 CROSS JOIN {second} AS cor1"), of(&["cor0", "cor1"])),
        _ => (format!("{first} AS cor0, {second} AS cor1, {third} AS cor2"), of(&["cor0", "cor1", "cor2"])),
    }
}

fn how(numbers: &mut Numbers) -> &'static str {
    numbers.pick(&["", "ALL ", "DISTINCT "])
}

fn shown(numbers: &mut Numbers, terms: &Terms, depth: usize) -> String {
    let name = |numbers: &mut Numbers| numbers.pick(&["", " AS col0", " AS col1", " AS col2"]);
    let mut columns = Vec::new();
    for _ in 0..1 + numbers.below(2) {
        columns.push(format!("{}{}", terms.expression(numbers, depth), name(numbers)));
    }
    columns.join(", ")
}

fn maybe_where(numbers: &mut Numbers, terms: &Terms) -> String {
    if numbers.one_in(2) { String::new() } else { format!(" WHERE {}", terms.condition(numbers, 1)) }
}

/// Expressions over rows, sometimes without a table.
pub fn expr(numbers: &mut Numbers) -> Vec<Statement> {
    queries(numbers, |numbers| {
        let how = how(numbers);
        if numbers.one_in(10) {
            return format!("SELECT {how}{}", shown(numbers, &Terms::of(Vec::new()), 3));
        }
        let (from, columns) = source(numbers);
        let terms = Terms::of(columns);
        let shown = if numbers.one_in(8) { "*".into() } else { shown(numbers, &terms, 3) };
        format!("SELECT {how}{shown} FROM {from}{}", maybe_where(numbers, &terms))
    })
}

/// One row of aggregates.
pub fn aggregates(numbers: &mut Numbers) -> Vec<Statement> {
    queries(numbers, |numbers| {
        let (from, columns) = source(numbers);
        let condition = maybe_where(numbers, &Terms::of(columns.clone()));
        let aggregates = Terms { columns: Vec::new(), aggregated: Some(columns), may_divide: true };
        // It has an aggregate; otherwise it would return one row per row.
        let shown = format!("COUNT ( * ), {}", shown(numbers, &aggregates, 2));
        format!("SELECT {}{shown} FROM {from}{condition}", how(numbers))
    })
}

/// Groups by some columns. Result and HAVING use those columns, and aggregates of all.
pub fn groupby(numbers: &mut Numbers) -> Vec<Statement> {
    queries(numbers, |numbers| {
        let (from, columns) = source(numbers);
        let condition = maybe_where(numbers, &Terms::of(columns.clone()));
        let mut keys = columns.clone();
        numbers.shuffle(&mut keys);
        keys.truncate(1 + numbers.below(columns.len()));
        let terms = Terms { columns: keys.clone(), aggregated: numbers.one_in(3).then_some(columns), may_divide: true };
        let shown = shown(numbers, &terms, 2);
        let having = if numbers.one_in(2) { format!(" HAVING {}", terms.condition(numbers, 1)) } else { String::new() };
        format!("SELECT {}{shown} FROM {from}{condition} GROUP BY {}{having}", how(numbers), keys.join(", "))
    })
}
