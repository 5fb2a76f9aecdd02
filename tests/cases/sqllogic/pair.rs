//! Two databases of one SQLite: one with ordinary tables, one with tables with vectors.

use vecrank_tests::{Host, HostError, library};

use crate::Statement;

/// The plan is read for one query in seven, so that it is not always of the same table.
const EXPLAINED: usize = 7;

/// The text in EXPLAIN QUERY PLAN of a virtual table that uses an index of its rows table.
const BY_INDEX: &str = ":index lookup";

/// The figures of a run.
#[derive(Debug, Default)]
pub struct Tally {
    pub statements: usize,
    pub queries: usize,
    /// Queries that returned a row.
    pub with_rows: usize,
    pub writes: usize,
    /// Statements that both refused.
    pub refused: usize,
    /// Queries whose plan was read, and those of them that used an index.
    pub explained: usize,
    pub by_index: usize,
}

type Answer = Result<Vec<Vec<String>>, HostError>;

pub struct Pair {
    ordinary: Host,
    vectors: Host,
    /// The statements on the tables so far, in the form for tables with vectors.
    script: Vec<String>,
}

impl Pair {
    pub fn new(host: fn() -> Host) -> Pair {
        let vectors = host();
        vectors.load(library()).expect("the library loads");
        Pair { ordinary: host(), vectors, script: Vec::new() }
    }

    /// Runs a statement on both. The error shows the different answers and the statements before.
    pub fn check(&mut self, statement: &Statement, tally: &mut Tally) -> Result<(), String> {
        let sql = rewritten(&statement.sql);
        // An index does not change the result of an ordinary table.
        let ordinary = statement.sql.replace(" INDEXED", "");
        let (expected, got) = (self.ordinary.query_literals(&ordinary), self.vectors.query_literals(&sql));
        tally.statements += 1;
        tally.refused += usize::from(expected.is_err());
        if !agree(&expected, &got, &statement.order) {
            let version = self.vectors.version();
            let script = self.script.join(";\n");
            return Err(format!("SQLite {version}\n{script};\n{sql};\nordinary: {expected:?}\nvectors:  {got:?}"));
        }
        if statement.is_query() {
            tally.queries += 1;
            tally.with_rows += usize::from(expected.is_ok_and(|rows| !rows.is_empty()));
            if tally.queries.is_multiple_of(EXPLAINED) {
                self.explain(&sql, tally);
            }
        } else {
            tally.writes += usize::from(expected.is_ok());
            self.script.push(sql);
        }
        Ok(())
    }

    fn explain(&self, sql: &str, tally: &mut Tally) {
        let plan = self.vectors.line(&format!("EXPLAIN QUERY PLAN {sql}"));
        if plan.contains("VIRTUAL TABLE INDEX") && sql.contains(" WHERE ") {
            tally.explained += 1;
            tally.by_index += usize::from(plan.contains(BY_INDEX));
        }
    }
}

/// The statement for tables with vectors: they are virtual, and their indexes are those of their rows tables.
fn rewritten(sql: &str) -> String {
    let table = sql.strip_prefix("CREATE TABLE ").and_then(|rest| rest.split_once('('));
    if let Some((name, columns)) = table {
        let columns = columns.replace("embedding BLOB", "embedding FLOAT[4]");
        return format!("CREATE VIRTUAL TABLE {name} USING hnsw({columns}");
    }
    let is_index = sql.starts_with("CREATE INDEX ") || sql.starts_with("CREATE UNIQUE INDEX ");
    if is_index { sql.replacen(" (", "_rows (", 1) } else { sql.to_owned() }
}

/// Whether both returned the same rows, in the same order as far as ORDER BY requires, or the same error.
fn agree(expected: &Answer, got: &Answer, order: &[usize]) -> bool {
    match (expected, got) {
        (Ok(expected), Ok(got)) => {
            let keys = |rows: &[Vec<String>]| -> Vec<Vec<String>> {
                let key = |row: &Vec<String>| order.iter().filter_map(|&column| row.get(column).cloned()).collect();
                rows.iter().map(key).collect()
            };
            keys(expected) == keys(got) && sorted(expected) == sorted(got)
        }
        (Err(expected), Err(got)) => expected.code & 0xff == got.code & 0xff && names_same(expected, got),
        _ => false,
    }
}

/// Whether two errors agree. That of a table with vectors may name its rows table, and may say more.
fn names_same(expected: &HostError, got: &HostError) -> bool {
    got.message.replace("_rows.", ".").starts_with(&expected.message)
}

fn sorted(rows: &[Vec<String>]) -> Vec<&Vec<String>> {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort();
    rows
}

#[test]
fn a_difference_is_reported_with_seed_and_sql() {
    let rows = "INSERT INTO t VALUES (1, 2, 'a', x'0000803f000000000000000000000000'), (2, 4, 'b', NULL)";
    let script = ["CREATE TABLE t(pk INTEGER PRIMARY KEY, n, s TEXT, embedding BLOB)", rows, "CREATE INDEX i ON t (n)"];
    // A change of the table with vectors alone, and a statement that shows it.
    let differences = [
        ("UPDATE t SET n = 2.0 WHERE pk = 1", "SELECT n FROM t"),
        ("UPDATE t SET n = '2' WHERE pk = 1", "SELECT n FROM t"),
        ("UPDATE t SET embedding = x'00000040000000000000000000000000' WHERE pk = 1", "SELECT embedding FROM t"),
        ("DELETE FROM t WHERE pk = 2", "SELECT count(*) FROM t"),
        ("UPDATE t SET n = 2 - n", "SELECT s FROM t ORDER BY n"),
        ("DELETE FROM t", "INSERT INTO t VALUES (2, 0, NULL, NULL)"),
        ("DROP TABLE t", "SELECT 1 FROM t"),
    ];
    for (done, query) in differences {
        let mut pair = Pair::new(|| Host::bundled(":memory:"));
        let mut tally = Tally::default();
        for sql in script {
            pair.check(&Statement::new(sql), &mut tally).expect("no difference yet");
        }
        let order = if query.contains("ORDER") { vec![0] } else { Vec::new() };
        let query = Statement { sql: query.into(), order };
        if query.is_query() {
            pair.check(&query, &mut tally).expect("no difference yet");
        }
        pair.vectors.run(done);
        let told = pair.check(&query, &mut tally).expect_err(done);
        assert!(told.contains("CREATE VIRTUAL TABLE t USING hnsw(pk") && told.contains(" ON t_rows (n)"), "{told}");
        assert!(told.contains(&query.sql) && told.contains("\nordinary: ") && told.contains("\nvectors:  "), "{told}");
    }
}
