//! Random statements on a table with vectors and on ordinary tables with the same rows: WHERE trees, joins,
//! sub-selects, views, windows, ORDER BY, LIMIT and OFFSET. With ef_search 'exact' both return the same rows. Through
//! the graph the rows are correct and in order, and pages are full.
//!
//! VECRANK_LONG=1 runs ten times as many, VECRANK_STATEMENTS=1000000 a given number, VECRANK_SEED=7 (0 to 255) others.

mod outer;
mod statements;
mod terms;
mod writes;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use statements::{QUERIES, ordinary, page, statement};
use std::cell::Cell;
use terms::{LITERALS, filler, filler_sql, tree};
use vecrank_tests::{Host, library, long_or};

const STATEMENTS: u32 = 12_000;
/// The number on the system's SQLite, whose planner differs.
const SYSTEM_STATEMENTS: u32 = 3_000;
/// Of each mode of an index over a table.
const CONTENT_STATEMENTS: u32 = 3_000;
const BIT_STATEMENTS: u32 = 3_000;
const GRAPH_STATEMENTS: u32 = 600;
/// What stands for each of QUERIES, and for a vector of ones, where the vectors are of bits.
const BIT_QUERIES: [&str; 6] = [
    "[1,0,0,1,1,0,1,0]",
    "[0,0,0,0,0,0,0,0]",
    "[1,1,1,1,0,0,0,0]",
    "[0,1,1,0,1,0,0,1]",
    "[0,0,0,0,0,0,1,1]",
    "[1,1,1,1,1,1,1,1]",
];
/// Numbers of rows: few, many, and more than a search ranks exactly by itself.
const SIZES: [usize; 12] = [0, 1, 3, 20, 40, 60, 80, 100, 120, 150, 200, 1_300];

const COLUMNS: &str = "id INTEGER PRIMARY KEY, t TEXT COLLATE NOCASE INDEXED, s TEXT, n INTEGER INDEXED, r REAL, x";

/// A deterministic sequence of numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Where the rows of `v` are.
#[derive(Debug, Clone, Copy)]
enum Rows {
    /// In a table of its own.
    Own,
    /// The same, with vectors of bits.
    Bits,
    /// In the ordinary table `c`: `v` is an index over it, with this value of `sync`.
    Content(&'static str),
}

impl Rows {
    /// A statement about vectors of three numbers and their cosine; or the same of eight bits and how many differ.
    fn sql(self, of_numbers: &str) -> String {
        if !matches!(self, Rows::Bits) {
            return of_numbers.to_string();
        }
        let mut sql = of_numbers.to_string();
        for (numbers, bits) in QUERIES.into_iter().chain(["[1,1,1]"]).zip(BIT_QUERIES) {
            sql = sql.replace(numbers, bits);
        }
        for (numbers, bits) in [
            ("vec_parse(", "vec_bit("),
            ("vec_cosine(", "vec_hamming("),
            ("1 - vec_hamming(", "1 - 0.125 * vec_hamming("),
            // Without the mark of the column a byte is no vector of numbers.
            ("vec_dims(a.e) = 3", "length(a.e) = 1"),
            ("e FLOAT[3]", "e BIT[8]"),
        ] {
            sql = sql.replace(numbers, bits);
        }
        sql
    }

    /// The literal of a random vector; None for NULL.
    fn vector(self, numbers: &mut Numbers, steps: usize) -> Option<String> {
        if matches!(self, Rows::Bits) {
            let bits: Vec<String> = (0..8).map(|_| numbers.below(2).to_string()).collect();
            return Some(format!("vec_bit('[{}]')", bits.join(",")));
        }
        let mut component = || numbers.below(steps + 1) as f64 / steps as f64 * 2.0 - 1.0;
        let (a, b, c) = (component(), component(), component());
        ((a, b, c) != (0.0, 0.0, 0.0)).then(|| format!("vec_parse('[{a},{b},{c}]')"))
    }

    /// Creates `v`, and fills it with the rows of `o`. An index learns of half the rows when it is made.
    fn create(self) -> String {
        let columns = COLUMNS.replace(" INDEXED", "");
        match self {
            Rows::Own | Rows::Bits => format!(
                "CREATE VIRTUAL TABLE v USING hnsw({COLUMNS}, e FLOAT[3]);
                 CREATE INDEX own ON v_rows(s, n); CREATE INDEX half ON v_rows(r) WHERE n > 1;
                 INSERT INTO v(id, t, s, n, r, x, e) SELECT * FROM o; DELETE FROM v WHERE id % 13 = 5;"
            ),
            Rows::Content(sync) => format!(
                "CREATE TABLE c({columns}, e BLOB); CREATE INDEX by_t ON c(t); CREATE INDEX by_n ON c(n);
                 CREATE INDEX own ON c(s, n); CREATE INDEX half ON c(r) WHERE n > 1;
                 INSERT INTO c SELECT * FROM o WHERE id % 2 = 0;
                 CREATE VIRTUAL TABLE v USING hnsw(content = c, e FLOAT[3], sync = {sync});
                 INSERT INTO c SELECT * FROM o WHERE id % 2 = 1; DELETE FROM c WHERE id % 13 = 5;"
            ),
        }
    }
}

/// Fills an empty database with the tables `v` (vectors), `o` (the same rows, ordinary), `other` and `users`, and views of
/// feeds.
fn fill(host: &Host, kept: Rows, seed: u64, count: usize, steps: usize) {
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let columns = COLUMNS.replace(" INDEXED", "");
    let mut sql = format!(
        "CREATE TABLE o({columns}, e BLOB);
         CREATE TABLE other(v TEXT, i INTEGER, u); CREATE TABLE users(id INTEGER PRIMARY KEY, taste BLOB);
         INSERT INTO other VALUES ('5', 5, 5), ('a', -3, 'a'), (NULL, NULL, NULL), ('abc', 1, x'61'), ('b', 2, 7);
         BEGIN;"
    );
    for id in 1..=count {
        let values: Vec<&str> = (0..5).map(|_| LITERALS[numbers.below(LITERALS.len())]).collect();
        let vector = kept.vector(&mut numbers, steps).filter(|_| id % 17 != 0).unwrap_or("NULL".to_string());
        sql.push_str(&format!("INSERT INTO o VALUES ({id}, {}, {vector});", values.join(", ")));
    }
    sql.push_str(&format!("COMMIT; {} DELETE FROM o WHERE id % 13 = 5;", kept.create()));
    for (number, query) in QUERIES.into_iter().enumerate() {
        sql.push_str(&format!(
            "INSERT INTO users(taste) VALUES (vec_parse('{query}'));
             CREATE VIEW feed_{number} AS SELECT id, id AS rowid, t, s, n, r, x, e, distance, similarity FROM v
               WHERE e MATCH '{query}' AND ef_search = 'exact';
             CREATE VIEW plain_{number} AS SELECT * FROM {};",
            ordinary(&format!("vec_parse('{query}')"))
        ));
    }
    sql.push_str("INSERT INTO users(taste) VALUES (NULL);");
    host.run(&kept.sql(&sql));
}

type Row = Vec<Option<String>>;

fn rows(host: &Host, sql: &str) -> Result<Vec<Row>, TestCaseError> {
    host.query(sql).map_err(|error| TestCaseError::fail(format!("SQLite {}: {sql}: {error}", host.version())))
}

fn run<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let asked = std::env::var("VECRANK_STATEMENTS").ok().and_then(|count| count.parse().ok());
    let cases = asked.unwrap_or(long_or(cases * 10, cases));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let seed = std::env::var("VECRANK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1u8);
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]));
    if let Err(error) = runner.run(&strategy, test) {
        panic!("{error}");
    }
}

/// `host` makes an empty database.
fn exact_statements_agree(cases: u32, kept: Rows, host: impl Fn() -> Host) {
    let tables: Vec<Host> = SIZES.iter().map(|_| host()).collect();
    for (seed, (host, size)) in (1..).zip(tables.iter().zip(SIZES)) {
        host.load(library()).expect("the library loads");
        fill(host, kept, seed, size, 4);
    }
    let (met, all) = (Cell::new(0), Cell::new(0));
    let has_right_joins = tables.iter().all(|host| host.version() >= 3_039_000);
    run(cases, statement(tables.len(), has_right_joins), |statement| {
        let host = &tables[statement.table];
        let expected = rows(host, &kept.sql(&statement.sql(false)))?;
        all.set(all.get() + 1);
        met.set(met.get() + u32::from(!expected.is_empty()));
        let sql = kept.sql(&statement.sql(true));
        prop_assert_eq!(rows(host, &sql)?, expected, "SQLite {}: {}\n{}", host.version(), sql, statement.sql(false));
        Ok(())
    });
    assert!(met.get() > all.get() / 3, "only {} statements of {} gave a row", met.get(), all.get());
}

#[test]
fn exact_statements_agree_with_an_ordinary_table() {
    exact_statements_agree(STATEMENTS, Rows::Own, || Host::bundled(":memory:"));
}

#[test]
fn exact_statements_on_bits_agree_with_an_ordinary_table() {
    exact_statements_agree(BIT_STATEMENTS, Rows::Bits, || Host::bundled(":memory:"));
}

#[test]
fn exact_statements_on_an_index_agree_with_its_content() {
    for sync in ["commit", "log"] {
        exact_statements_agree(CONTENT_STATEMENTS, Rows::Content(sync), || Host::bundled(":memory:"));
    }
}

#[test]
fn exact_statements_agree_on_the_system_sqlite() {
    if Host::system(":memory:").is_some() {
        exact_statements_agree(SYSTEM_STATEMENTS, Rows::Own, || {
            Host::system(":memory:").expect("it was there a moment ago")
        });
    }
}

fn number(cell: &Option<String>) -> f64 {
    cell.as_deref().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

#[test]
fn graph_searches_return_ordered_rows_and_full_pages() {
    statements_through_the_graph_agree(GRAPH_STATEMENTS, Rows::Own);
}

#[test]
fn graph_searches_of_bits_return_ordered_rows_and_full_pages() {
    statements_through_the_graph_agree(GRAPH_STATEMENTS / 3, Rows::Bits);
}

#[test]
fn graph_searches_of_an_index_return_ordered_rows_and_full_pages() {
    for sync in ["commit", "log"] {
        statements_through_the_graph_agree(GRAPH_STATEMENTS / 3, Rows::Content(sync));
    }
}

fn statements_through_the_graph_agree(cases: u32, kept: Rows) {
    let host = &Host::bundled(":memory:");
    host.load(library()).expect("the library loads");
    fill(host, kept, 99, 4_000, 400);
    let joins =
        ["", "JOIN other w ON w.i = a.n", "LEFT JOIN other w ON w.u = a.x", "JOIN o ON o.id = a.id AND o.n > 0"];
    let statement = (0..QUERIES.len(), tree(), filler(), 0..joins.len(), any::<bool>(), page());
    run(cases, statement, |(query, filter, filler, join, is_call, page)| {
        let (join, filter) = (joins[join], filter.replace("FROM feed", &format!("FROM plain_{query}")));
        let query = QUERIES[query];
        let ordinary = ordinary(&format!("vec_parse('{query}')"));
        let all = format!("SELECT a.id, a.distance FROM {ordinary} a {join} WHERE {filter} ORDER BY a.distance, a.id");
        let all = rows(host, &kept.sql(&all))?;
        let (from, test) = match is_call {
            true => (format!("v('{query}') a"), "true".to_string()),
            false => ("v a".to_string(), format!("a.e MATCH '{query}'")),
        };
        let found = format!("FROM {from} {join} WHERE {test} AND {filter}{}", filler_sql(filler));
        let sql = kept.sql(&format!("SELECT a.id, a.distance {found} ORDER BY a.distance {}", page.sql()));
        let got = rows(host, &sql)?;
        let mut rest = all.iter();
        for row in &got {
            // The rows are in order, each once: a part of the exact sequence.
            prop_assert!(rest.any(|other| other == row), "{}: {:?} is wrong, or in the wrong place", sql, row);
        }
        let wanted = page.limit.unwrap_or(usize::MAX).min((all.len() * 9 / 10).saturating_sub(page.offset));
        prop_assert!(got.len() >= wanted, "{}: {} rows of {}", sql, got.len(), wanted);
        prop_assert!(got.windows(2).all(|pair| number(&pair[0][1]) <= number(&pair[1][1])));
        // Without ORDER BY a full read misses no row.
        let counted = kept.sql(&format!("SELECT count(*) {found}"));
        prop_assert_eq!(rows(host, &counted)?, [[Some(all.len().to_string())]], "{}", counted);
        Ok(())
    });
}
