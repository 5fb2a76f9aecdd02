//! Random statements on a table with vectors and on an ordinary one with the same rows: WHERE trees, joins, sub-selects,
//! ORDER BY, LIMIT and OFFSET. With ef_search 'exact' both give the same rows; through the graph the rows are right, in
//! the right order, and pages are full.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::Connection;
use rusqlite::types::Value;

const STATEMENTS: u32 = 10_500;
const GRAPH_STATEMENTS: u32 = 500;
const SMALL_TABLES: usize = 12;

const COLUMNS: &str = "id INTEGER PRIMARY KEY, t TEXT COLLATE NOCASE INDEXED, s TEXT, n INTEGER INDEXED, r REAL, x";

const LITERALS: [&str; 18] = [
    "NULL", "0", "1", "2", "5", "-3", "5.0", "5.5", "'5'", "'5.0'", "'05'", "'a'", "'A'", "'b'", "''", "x'61'", "7",
    "'abc'",
];

const QUERIES: [&str; 5] = ["[1,0.5,-0.25]", "[-1,0,0]", "[0.5,0.5,0.5]", "[0,-1,1]", "[0.3,0.7,-0.1]"];

const ORDERS: [&str; 5] = ["a.distance", "a.distance, a.id", "a.n, a.id", "a.distance DESC, a.id", "a.id DESC"];

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

/// A connection with the tables `v` (vectors), `o` (the same rows, ordinary), `other` and `users`.
fn tables(seed: u64, count: usize, steps: usize) -> Connection {
    let connection = vecrank_tests::open();
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let ordinary = COLUMNS.replace(" INDEXED", "");
    let mut sql = format!(
        "CREATE VIRTUAL TABLE v USING hnsw({COLUMNS}, e FLOAT[3]); CREATE TABLE o({ordinary}, e BLOB);
         CREATE TABLE other(v TEXT, i INTEGER, u); CREATE TABLE users(id INTEGER PRIMARY KEY, taste BLOB);
         INSERT INTO other VALUES ('5', 5, 5), ('a', -3, 'a'), (NULL, NULL, NULL), ('abc', 1, x'61'), ('b', 2, 7);
         CREATE INDEX own ON v_rows(s, n); CREATE INDEX half ON v_rows(r) WHERE n > 1; BEGIN;"
    );
    for query in QUERIES {
        sql.push_str(&format!("INSERT INTO users(taste) VALUES (vec_parse('{query}'));"));
    }
    for id in 1..=count {
        let values: Vec<&str> = (0..5).map(|_| LITERALS[numbers.below(LITERALS.len())]).collect();
        let mut component = || numbers.below(steps + 1) as f64 / steps as f64 * 2.0 - 1.0;
        let (a, b, c) = (component(), component(), component());
        let is_null = (a, b, c) == (0.0, 0.0, 0.0) || id % 17 == 0;
        let vector = if is_null { "NULL".to_string() } else { format!("vec_parse('[{a},{b},{c}]')") };
        sql.push_str(&format!("INSERT INTO o VALUES ({id}, {}, {vector});", values.join(", ")));
    }
    sql.push_str("INSERT INTO v(id, t, s, n, r, x, e) SELECT * FROM o; COMMIT;");
    sql.push_str("DELETE FROM v WHERE id % 13 = 5; DELETE FROM o WHERE id % 13 = 5;");
    connection.execute_batch(&sql).unwrap();
    connection
}

fn rows(connection: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let width = statement.column_count();
    let read = |row: &rusqlite::Row<'_>| (0..width).map(|column| row.get(column)).collect();
    let rows = statement.query_map([], read).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn literal() -> impl Strategy<Value = String> {
    prop::sample::select(&LITERALS[..]).prop_map(str::to_string)
}

fn field() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["a.id", "a.t", "a.s", "a.n", "a.r", "a.x"][..])
}

fn operator() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"][..])
}

fn distance() -> impl Strategy<Value = String> {
    (0..=40u32).prop_map(|step| format!("{}", f64::from(step) / 20.0))
}

fn term() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (field(), operator(), literal()).prop_map(|(field, operator, value)| format!("{field} {operator} {value}")),
        1 => (field(), literal(), literal()).prop_map(|(field, a, b)| format!("{field} BETWEEN {a} AND {b}")),
        1 => (field(), any::<bool>(), prop::collection::vec(literal(), 0..4))
            .prop_map(|(field, is, values)| format!("{field} {} ({})", if is { "IN" } else { "NOT IN" }, values.join(", "))),
        1 => (field(), any::<bool>(), prop::sample::select(&["v", "i", "u"][..]))
            .prop_map(|(field, is, column)| {
                format!("{field} {} (SELECT {column} FROM other WHERE {column} IS NOT NULL)", if is { "IN" } else { "NOT IN" })
            }),
        1 => (field(), prop::sample::select(&["IS NULL", "IS NOT NULL", "LIKE 'a%'", "GLOB 'A*'", "NOT LIKE '5'", "+ 0 = 5", "% 2 = 1", "COLLATE BINARY = 'a'"][..]))
            .prop_map(|(field, test)| format!("{field} {test}")),
        1 => (prop::sample::select(&["<", "<=", ">", ">=", "<>"][..]), distance())
            .prop_map(|(operator, value)| format!("a.distance {operator} {value}")),
        1 => (distance(), distance()).prop_map(|(a, b)| format!("a.distance BETWEEN {a} AND {b}")),
        1 => (distance(), 0..60u32, any::<bool>()).prop_map(|(d, id, is_short)| if is_short {
            format!("(a.distance, a.id) > ({d}, {id})")
        } else {
            format!("(a.distance > {d} OR (a.distance = {d} AND a.id > {id}))")
        }),
        1 => (any::<bool>(), field()).prop_map(|(is, field)| {
            format!("{} (SELECT 1 FROM other w WHERE w.i = {field})", if is { "EXISTS" } else { "NOT EXISTS" })
        }),
        1 => (1..80u32).prop_map(|n| format!("(a.id, a.n) > ({n}, 2)")),
    ]
}

fn tree() -> impl Strategy<Value = String> {
    term().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|terms| format!("({})", terms.join(" AND "))),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" OR "))),
            1 => inner.prop_map(|term| format!("NOT ({term})")),
        ]
    })
}

/// LIMIT and OFFSET.
type Page = (Option<usize>, usize);

fn page() -> impl Strategy<Value = Page> {
    (prop::option::weighted(0.8, 0..30usize), prop_oneof![Just(0usize), 0..20usize, 0..120usize])
}

fn page_sql((limit, offset): Page) -> String {
    match limit {
        Some(limit) => format!("LIMIT {limit} OFFSET {offset}"),
        None => format!("LIMIT -1 OFFSET {offset}"),
    }
}

#[derive(Debug, Clone)]
struct Statement {
    table: usize,
    shape: usize,
    queries: [usize; 2],
    filter: String,
    on: String,
    order: &'static str,
    page: Page,
}

fn statement() -> impl Strategy<Value = Statement> {
    let on = (field(), operator(), prop::sample::select(&["w.v", "w.i", "w.u"][..]))
        .prop_map(|(field, operator, right)| format!("{field} {operator} {right}"));
    let queries = [0..QUERIES.len(), 0..QUERIES.len()];
    (0..SMALL_TABLES, 0..9usize, queries, tree(), on, prop::sample::select(&ORDERS[..]), page()).prop_map(
        |(table, shape, queries, filter, on, order, page)| Statement { table, shape, queries, filter, on, order, page },
    )
}

impl Statement {
    /// The statement over the table with vectors, or over the ordinary one.
    fn sql(&self, is_search: bool) -> String {
        let source = |query: usize| match is_search {
            true => "v".to_string(),
            false => format!(
                "(SELECT *, vec_cosine(vec_parse('{}'), e) AS distance FROM o WHERE e IS NOT NULL)",
                QUERIES[query]
            ),
        };
        let test = |query: usize| match is_search {
            true => format!("a.e MATCH '{}' AND a.ef_search = 'exact'", QUERIES[query]),
            false => "true".to_string(),
        };
        let [first, second] = self.queries;
        let (from, searched, filter, on) = (source(first), test(first), &self.filter, &self.on);
        // Of equal distances the table gives the least rowid first.
        let order = if self.order == "a.distance" && !is_search { "a.distance, a.id" } else { self.order };
        let page = page_sql(self.page);
        match self.shape {
            0..=2 => {
                let rest = format!("WHERE {searched} AND {filter} ORDER BY {order} {page}");
                format!("SELECT a.id, a.t, a.r, a.distance FROM {from} a {rest}")
            }
            3 => format!(
                "SELECT a.id, w.rowid, a.distance FROM {from} a JOIN other w ON {on} WHERE {searched} AND {filter}
                 ORDER BY a.distance, a.id, w.rowid {page}"
            ),
            4 => format!(
                "SELECT a.id, w.rowid FROM {from} a LEFT JOIN other w ON {on} AND w.i > 0 WHERE {searched} AND {filter}
                 ORDER BY a.distance, a.id, w.rowid {page}"
            ),
            5 => format!(
                "SELECT a.n, count(*), min(a.distance) FROM {from} a WHERE {searched} AND {filter} GROUP BY a.n
                 ORDER BY 2 DESC, 1 {page}"
            ),
            6 => {
                let (other, other_searched) = (source(second), test(second));
                let half = |from: &str, test: &str| {
                    format!(
                        "SELECT * FROM (SELECT a.id, a.distance AS d FROM {from} a WHERE {test} AND {filter} ORDER BY {order} {page})"
                    )
                };
                format!("{} UNION ALL {}", half(&from, &searched), half(&other, &other_searched))
            }
            7 => format!(
                "WITH a AS (SELECT a.id, a.t, a.s, a.n, a.r, a.x, a.distance FROM {from} a WHERE {searched})
                 SELECT a.id, a.distance FROM a WHERE {filter} ORDER BY a.distance, a.id {page}"
            ),
            _ => {
                let k = self.page.0.unwrap_or(3);
                let table = match is_search {
                    true => format!("SELECT u.id AS u, a.id AS id, a.distance AS d FROM users u, v(u.taste, {k}, 'exact') a"),
                    false => format!(
                        "SELECT u, id, d FROM (SELECT u, id, d, row_number() OVER (PARTITION BY u ORDER BY d, id) AS place
                         FROM (SELECT u.id AS u, o.id AS id, vec_cosine(u.taste, o.e) AS d FROM users u, o
                         WHERE o.e IS NOT NULL)) WHERE place <= {k}"
                    ),
                };
                format!("{table} ORDER BY u, d, id")
            }
        }
    }
}

fn run<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut runner =
        TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(Default::default()));
    if let Err(error) = runner.run(&strategy, test) {
        panic!("{error}");
    }
}

#[test]
fn exact_statements_give_what_an_ordinary_table_gives() {
    // Few rows, many, none with a vector of its own, and more than a search ranks exactly of its own accord.
    let sizes = [0, 1, 3, 20, 40, 60, 80, 100, 120, 150, 200, 1_300];
    let small: Vec<Connection> = (1..).zip(sizes).map(|(seed, size)| tables(seed, size, 4)).collect();
    let met = std::cell::Cell::new(0);
    run(STATEMENTS, statement(), |statement| {
        let connection = &small[statement.table];
        let expected = rows(connection, &statement.sql(false));
        met.set(met.get() + u32::from(!expected.is_empty()));
        let sql = statement.sql(true);
        prop_assert_eq!(rows(connection, &sql), expected, "{}", sql);
        Ok(())
    });
    assert!(met.get() > STATEMENTS / 3, "only {} statements gave a row", met.get());
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Integer(number) => *number as f64,
        Value::Real(number) => *number,
        _ => f64::NAN,
    }
}

#[test]
fn statements_through_the_graph_give_right_rows_in_right_order_and_full_pages() {
    let connection = &tables(99, 4_000, 400);
    let statement = (0..QUERIES.len(), tree(), any::<bool>(), page());
    run(GRAPH_STATEMENTS, statement, |(query, filter, is_joined, page)| {
        let join = if is_joined { "JOIN other w ON w.i = a.n" } else { "" };
        let query = QUERIES[query];
        let ordinary =
            format!("(SELECT *, vec_cosine(vec_parse('{query}'), e) AS distance FROM o WHERE e IS NOT NULL)");
        let all = rows(
            connection,
            &format!("SELECT a.id, a.distance FROM {ordinary} a {join} WHERE {filter} ORDER BY a.distance, a.id"),
        );
        let sql = format!(
            "SELECT a.id, a.distance FROM v a {join} WHERE a.e MATCH '{query}' AND {filter} ORDER BY a.distance {}",
            page_sql(page)
        );
        let got = rows(connection, &sql);
        let mut rest = all.iter();
        for row in &got {
            // In order, each once: what comes is a part of the exact sequence.
            prop_assert!(rest.any(|other| other == row), "{}: {:?} is wrong, or in the wrong place", sql, row);
        }
        let (limit, offset) = (page.0.unwrap_or(usize::MAX), page.1);
        let wanted = limit.min((all.len() * 9 / 10).saturating_sub(offset));
        prop_assert!(got.len() >= wanted, "{}: {} rows of {}", sql, got.len(), wanted);
        prop_assert!(got.windows(2).all(|pair| number(&pair[0][1]) <= number(&pair[1][1])));
        // Without ORDER BY a read to the end misses nothing.
        let counted = format!("SELECT count(*) FROM v a {join} WHERE a.e MATCH '{query}' AND {filter}");
        prop_assert_eq!(rows(connection, &counted), [[Value::Integer(all.len() as i64)]], "{}", counted);
        Ok(())
    });
}
