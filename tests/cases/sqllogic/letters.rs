//! select1 to select3: one small table of integers; result columns and conditions that compare columns with each other,
//! CASE, and correlated sub-selects.

use vecrank_tests::data::Numbers;

use crate::Statement;
use crate::indexed::vector;

const COLUMNS: [&str; 5] = ["a", "b", "c", "d", "e"];
const ROWS: usize = 30;
const QUERIES: usize = 150;

/// Without NULL, ordered by every result column.
pub fn select1(numbers: &mut Numbers) -> Vec<Statement> {
    let mut stream = table(numbers, false);
    stream.extend((0..QUERIES).map(|_| {
        let shown = shown(numbers);
        let condition = conditions(numbers, false).map(|parts| where_of(&parts)).unwrap_or_default();
        ordered(numbers, &shown, &condition, shown.len())
    }));
    stream
}

/// The same as select1, with NULLs.
pub fn select2(numbers: &mut Numbers) -> Vec<Statement> {
    let mut stream = table(numbers, true);
    stream.extend((0..QUERIES).map(|_| {
        let shown = shown(numbers);
        let condition = conditions(numbers, true).map(|parts| where_of(&parts)).unwrap_or_default();
        ordered(numbers, &shown, &condition, shown.len())
    }));
    stream
}

/// One select with its conditions in several orders, unordered and ordered by some of its columns.
pub fn select3(numbers: &mut Numbers) -> Vec<Statement> {
    let mut stream = table(numbers, true);
    for _ in 0..QUERIES / 4 {
        let shown = shown(numbers);
        let Some((operator, mut parts)) = conditions(numbers, true) else {
            stream.push(Statement::new(format!("SELECT {} FROM t1", shown.join(", "))));
            continue;
        };
        for _ in 0..2 {
            numbers.shuffle(&mut parts);
            let condition = where_of(&(operator, parts.clone()));
            stream.push(Statement::new(format!("SELECT {} FROM t1{condition}", shown.join(", "))));
            let keys = 1 + numbers.below(shown.len());
            stream.push(ordered(numbers, &shown, &condition, keys));
        }
    }
    stream
}

fn table(numbers: &mut Numbers, has_nulls: bool) -> Vec<Statement> {
    let indexed = if numbers.one_in(2) { numbers.pick(&COLUMNS) } else { "" };
    let column = |name| format!("{name} INTEGER{}", if name == indexed { " INDEXED" } else { "" });
    let columns = COLUMNS.map(column).join(", ");
    let mut stream = vec![Statement::new(format!("CREATE TABLE t1({columns}, embedding BLOB)"))];
    let row = |row: usize| {
        let mut values: Vec<usize> = (100 + row * 5..105 + row * 5).collect();
        numbers.shuffle(&mut values);
        let mut value = |value: usize| if has_nulls && numbers.one_in(10) { "NULL".into() } else { value.to_string() };
        let mut values: Vec<String> = values.into_iter().map(&mut value).collect();
        values.push(vector(numbers));
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = (0..ROWS).map(row).collect();
    let names = COLUMNS.join(", ");
    stream.push(Statement::new(format!("INSERT INTO t1({names}, embedding) VALUES {}", rows.join(", "))));
    stream
}

/// The SELECT, ordered by a number of its columns in a random order.
fn ordered(numbers: &mut Numbers, shown: &[String], condition: &str, keys: usize) -> Statement {
    let mut order: Vec<usize> = (0..shown.len()).collect();
    numbers.shuffle(&mut order);
    order.truncate(keys);
    let by = order.iter().map(|column| (column + 1).to_string()).collect::<Vec<_>>().join(", ");
    Statement::ordered(format!("SELECT {} FROM t1{condition} ORDER BY {by}", shown.join(", ")), order)
}

fn shown(numbers: &mut Numbers) -> Vec<String> {
    (0..1 + numbers.below(6)).map(|_| result_column(numbers)).collect()
}

fn result_column(numbers: &mut Numbers) -> String {
    let mut letters = COLUMNS;
    numbers.shuffle(&mut letters);
    let [p, q, r, s, t] = letters;
    let (few, many) = (1 + numbers.below(5), 100 + numbers.below(900));
    match numbers.below(11) {
        0 | 1 => p.to_string(),
        2 => format!("{p} - {q}"),
        3 => format!("{p} + {q} * {few} - {r} * 3"),
        4 => format!("({p} + {q} + {r} + {s} + {t}) / {few}"),
        5 => format!("abs({p} - {q})"),
        6 => format!("(SELECT count(*) FROM t1 AS x WHERE x.{p} < t1.{p})"),
        7 => format!("(SELECT count(*) FROM t1 AS x WHERE x.{p} > t1.{p} AND x.{q} < t1.{q})"),
        8 => format!("CASE WHEN {p} > (SELECT avg({p}) FROM t1) THEN {q} * 2 ELSE {r} * 10 END"),
        9 => format!("CASE WHEN {p} < {q} - {few} THEN {many} WHEN {p} <= {q} THEN 222 ELSE {r} END"),
        _ => format!("CASE {p} + {few} WHEN {q} THEN 1 WHEN {r} THEN 2 WHEN {s} THEN 3 ELSE {many} END"),
    }
}

type Parts = (&'static str, Vec<String>);

fn conditions(numbers: &mut Numbers, has_nulls: bool) -> Option<Parts> {
    let operator = numbers.pick(&["AND", "OR"]);
    let parts: Vec<String> = (0..numbers.below(4)).map(|_| condition(numbers, has_nulls)).collect();
    (!parts.is_empty()).then_some((operator, parts))
}

fn where_of((operator, parts): &Parts) -> String {
    format!(" WHERE {}", parts.join(&format!(" {operator} ")))
}

fn condition(numbers: &mut Numbers, has_nulls: bool) -> String {
    let mut letters = COLUMNS;
    numbers.shuffle(&mut letters);
    let [p, q, r, s, _] = letters;
    let (few, low) = (1 + numbers.below(4), 100 + numbers.below(120));
    match numbers.below(if has_nulls { 11 } else { 8 }) {
        0 => format!("{p} > {q}"),
        1 => format!("{p} BETWEEN {q} - {few} AND {r} + {few}"),
        2 => format!("{p} NOT BETWEEN {low} AND {}", low + 40),
        3 => format!("{p} + {q} BETWEEN {r} + {s} - 10 AND {r} + 130"),
        4 => format!("({p} > {q} - {few} AND {p} < {q} + {few})"),
        5 => format!("({p} > {r} OR {p} < {s})"),
        6 => format!("EXISTS (SELECT 1 FROM t1 AS x WHERE x.{p} < t1.{p})"),
        7 => format!("{p} >= {low}"),
        8 => format!("{p} IS NULL"),
        9 => format!("{p} IS NOT NULL"),
        _ => format!("coalesce({p}, {q}, {r}) <> 0"),
    }
}
