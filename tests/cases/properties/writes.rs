//! Random INSERT, UPDATE and DELETE statements with every conflict clause, on a table with vectors and on an ordinary
//! table of the same declaration in a second database. Error, changes(), last_insert_rowid(), rowids and rows must
//! agree.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use vecrank_tests::{Host, library};

use crate::{Row, run};

const SEQUENCES: u32 = 500;
const SYSTEM_SEQUENCES: u32 = 200;

/// The declarations: ordinary columns, and unique indexes on the rows table.
const DECLARATIONS: [(&str, &str); 4] = [
    ("id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INTEGER UNIQUE, c TEXT NOT NULL, n INTEGER CHECK (n < 6)", ""),
    ("a TEXT PRIMARY KEY, b INTEGER UNIQUE, c TEXT COLLATE NOCASE NOT NULL, n INTEGER CHECK (n < 6)", "c, n"),
    ("a TEXT, b INTEGER, c TEXT NOT NULL, n INTEGER CHECK (n < 6)", "b"),
    ("a TEXT COLLATE NOCASE UNIQUE, b INTEGER, c TEXT NOT NULL, n INTEGER UNIQUE CHECK (n < 6)", "b, c"),
];

const CLAUSES: [&str; 7] = ["", "", "OR REPLACE", "OR IGNORE", "OR ABORT", "OR FAIL", "OR ROLLBACK"];

#[derive(Debug, Clone)]
enum Write {
    /// Literals for rowid, a, b, c, n and e, per row.
    Insert(&'static str, Vec<[&'static str; 6]>),
    /// From the table's own rows: rowid, b and the condition.
    Copy(&'static str, &'static str, &'static str, &'static str),
    Update(&'static str, Vec<&'static str>, &'static str),
    Delete(&'static str),
    Plain(&'static str),
}

impl Write {
    /// Whether SQLite counts rows that the statement itself has replaced (see `changes`).
    fn is_replacing_update(&self) -> bool {
        matches!(self, Write::Update("OR REPLACE", ..))
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Write::Insert(clause, rows) => {
                let rows: Vec<String> = rows.iter().map(|row| format!("({})", row.join(", "))).collect();
                write!(f, "INSERT {clause} INTO t(rowid, a, b, c, n, e) VALUES {}", rows.join(", "))
            }
            Write::Copy(clause, rowid, b, condition) => write!(
                f,
                "INSERT {clause} INTO t(rowid, a, b, c, n, e) SELECT {rowid}, a, {b}, c, n, e FROM t WHERE {condition} ORDER BY rowid"
            ),
            Write::Update(clause, sets, condition) => {
                write!(f, "UPDATE {clause} t SET {} WHERE {condition}", sets.join(", "))
            }
            Write::Delete(condition) => write!(f, "DELETE FROM t WHERE {condition}"),
            Write::Plain(sql) => write!(f, "{sql}"),
        }
    }
}

fn condition() -> impl Strategy<Value = &'static str> {
    // No index may decide the order of the rows: a table with vectors is scanned by rowid.
    select(vec![
        "true",
        "+rowid > 2",
        "+rowid IN (1, 3, 5)",
        "+n = 2",
        "+n > 1",
        "+a > 'b'",
        "+b IS NULL",
        "+c = 'x'",
        "e IS NULL",
        "+rowid = (SELECT max(rowid) FROM t)",
        "+rowid = (SELECT min(rowid) FROM t)",
    ])
}

fn write() -> impl Strategy<Value = Write> {
    let of = |values: &[&'static str]| select(values.to_vec());
    let literals = (
        of(&["NULL", "NULL", "NULL", "1", "2", "4", "7", "-3", "'5'", "'x'", "2.0"]),
        of(&["NULL", "'a'", "'b'", "'B'", "'c'", "'d'"]),
        of(&["NULL", "1", "2", "3", "'2'", "4"]),
        of(&["'x'", "'y'", "'Y'", "'z'", "NULL"]),
        of(&["0", "1", "2", "3", "4", "NULL", "6"]),
        of(&["NULL", "vec_parse('[1,2]')", "vec_parse('[0,1]')"]),
    );
    let row = literals.prop_map(|(rowid, a, b, c, n, e)| [rowid, a, b, c, n, e]);
    let sets = vec![
        "a = 'a'",
        "a = 'b'",
        "a = a || 'x'",
        "b = 2",
        "b = b + 1",
        "b = NULL",
        "c = 'x'",
        "c = NULL",
        "n = n + 1",
        "n = 3",
        "rowid = rowid + 1",
        "rowid = rowid + 10",
        "rowid = 3",
        "e = vec_parse('[3,3]')",
        "e = NULL",
    ];
    let sets = prop::sample::subsequence(sets, 1..4);
    prop_oneof![
        6 => (of(&CLAUSES), vec(row, 1..4)).prop_map(|(clause, rows)| Write::Insert(clause, rows)),
        2 => (of(&CLAUSES), of(&["NULL", "rowid", "rowid + 1"]), of(&["b", "b + 1", "NULL"]), condition())
            .prop_map(|(clause, rowid, b, condition)| Write::Copy(clause, rowid, b, condition)),
        5 => (of(&CLAUSES), sets, condition()).prop_map(|(clause, sets, condition)| Write::Update(clause, sets, condition)),
        2 => condition().prop_map(Write::Delete),
        2 => of(&["BEGIN", "COMMIT", "ROLLBACK"]).prop_map(Write::Plain),
    ]
}

/// The visible effect of a statement: its error, changes(), last_insert_rowid() and the rows.
fn outcome(host: &Host, write: &Write) -> (Result<(), String>, i64, Vec<Vec<Row>>) {
    let before = number(host, "SELECT total_changes()");
    let result = host.execute(&write.to_string()).map_err(|error| error.message);
    // COMMIT keeps the count of the last statement, which may be one on a shadow table.
    let changes = if matches!(write, Write::Plain(_)) { 0 } else { number(host, "SELECT changes()") };
    // The shadow tables count too.
    let total = number(host, "SELECT total_changes()") - before;
    assert!(total >= changes, "{write}: total_changes() grows by {total}, changes() is {changes}");
    let queries = ["SELECT last_insert_rowid()", "SELECT rowid, a, b, c, n, vec_json(e) FROM t ORDER BY rowid"];
    (result, changes, queries.map(|sql| host.query(sql).expect("a plain query")).into())
}

fn number(host: &Host, sql: &str) -> i64 {
    let row = host.query(sql).expect("a plain query").pop().and_then(|mut row| row.pop());
    row.flatten().and_then(|cell| cell.parse().ok()).expect("a number")
}

fn writes_agree(sequences: u32, open: impl Fn() -> Host) {
    run(sequences, (0..DECLARATIONS.len(), vec(write(), 1..16)), |(declaration, writes)| {
        let (columns, unique) = DECLARATIONS[declaration];
        let (vectors, ordinary) = (open(), open());
        for host in [&vectors, &ordinary] {
            host.load(library()).expect("the library loads");
        }
        vectors.run(&format!("CREATE VIRTUAL TABLE t USING hnsw({columns}, e FLOAT[2])"));
        ordinary.run(&format!("CREATE TABLE t({columns}, e BLOB)"));
        if !unique.is_empty() {
            vectors.run(&format!("CREATE UNIQUE INDEX own ON t_rows({unique})"));
            ordinary.run(&format!("CREATE UNIQUE INDEX own ON t({unique})"));
        }
        let mut done = String::new();
        for write in writes {
            done.push_str(&format!("\n{write};"));
            let matched = match &write {
                Write::Update(_, _, condition) => {
                    number(&vectors, &format!("SELECT count(*) FROM t WHERE {condition}"))
                }
                _ => 0,
            };
            let (mut got, expected) = (outcome(&vectors, &write), outcome(&ordinary, &write));
            if write.is_replacing_update() && expected.0.is_ok() {
                // SQLite counts the rows that it passes to a virtual table, including those that an earlier row has
                // replaced.
                prop_assert_eq!(got.1, matched, "SQLite {}: {}{}", vectors.version(), columns, done);
                got.1 = expected.1;
            }
            prop_assert_eq!(got, expected, "SQLite {}: {}{}", vectors.version(), columns, done);
        }
        if !vectors.is_autocommit() {
            vectors.run("COMMIT");
        }
        vectors.run("INSERT INTO t(t) VALUES ('integrity-check')");
        Ok(())
    });
}

#[test]
fn writes_agree_with_an_ordinary_table() {
    writes_agree(SEQUENCES, || Host::bundled(":memory:"));
}

#[test]
fn writes_agree_on_the_system_sqlite() {
    if Host::system(":memory:").is_some() {
        writes_agree(SYSTEM_SEQUENCES, || Host::system(":memory:").expect("it was there a moment ago"));
    }
}
