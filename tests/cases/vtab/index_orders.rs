//! Filters on indexed columns, which a connection answers from memory after many searches: the rows are the same.

use crate::{Numbers, hosts, line, rows, run};
use vecrank_tests::{Host, library};

const COUNT: usize = 6_000;

/// A table with column names that vecrank's own statements use, all kinds of types and collations, and many NULLs.
const TABLE: &str = "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER INDEXED, r TEXT COLLATE NOCASE INDEXED, \
                     \"a b\" REAL INDEXED, x INDEXED, plain INTEGER, other FLOAT[2], e FLOAT[4], metric = 'l2')";

fn fill(first: usize, count: usize) -> String {
    format!(
        "WITH RECURSIVE c(i) AS (VALUES ({first}) UNION ALL SELECT i + 1 FROM c WHERE i + 1 < {first} + {count})
         INSERT INTO t(id, n, r, \"a b\", x, plain, other, e)
         SELECT i, i * 7919 % 5003, CASE WHEN i % 3 THEN char(65 + i % 7) ELSE char(97 + i % 5) || (i % 11) END, i * 31 % 997 / 7.0,
             CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN i % 50 WHEN 2 THEN (i % 50) || '' WHEN 3 THEN i % 50 + 0.5 ELSE x'61' END,
             i * 7919 % 5003, CASE WHEN i % 4 THEN '[' || (i % 13) || ',1]' END,
             CASE WHEN i % 9 THEN '[' || (i * 7919 % 2003) || ',' || (i * 104729 % 1999) || ',' || (i * 1299709 % 2011) || ','
                 || (i * 15485863 % 1997) || ']' END FROM c"
    )
}

/// A WHERE term, sometimes on a column without an index.
fn term(numbers: &mut Numbers) -> String {
    let number = |numbers: &mut Numbers, end: u64| numbers.below(end).to_string();
    let (low, high) = (number(numbers, 5003), number(numbers, 5003));
    let letter = |numbers: &mut Numbers| numbers.pick(&["'A'", "'b'", "'C5'", "'d1'", "'zz'", "''", "7"]);
    match numbers.below(14) {
        0 => format!("n >= {low}"),
        1 => format!("n BETWEEN {low} AND {high}"),
        2 => format!("n > {low} AND n < {low} + 400"),
        3 => format!("n IN ({low}, {high}, {high} + 1, {low})"),
        4 => format!("r = {}", letter(numbers)),
        5 => format!("r >= {}", letter(numbers)),
        6 => format!("r IN ({}, {}, {})", letter(numbers), letter(numbers), letter(numbers)),
        7 => format!("\"a b\" < {low} / 50.0"),
        8 => format!("\"a b\" BETWEEN {low} / 50 AND {high} / 20.5"),
        9 => format!("x {}", numbers.pick(&["IS NULL", "IS NOT NULL", "IS x'61'", "= '7'", "> '3'", "<= 20", "= 7"])),
        10 => format!("r = {} COLLATE BINARY", letter(numbers)),
        11 => format!("n <> {low}"),
        12 => format!("plain < {low}"),
        _ => format!("n < {low}"),
    }
}

fn query(numbers: &mut Numbers, filter: &str) -> String {
    let mut component = || numbers.below(2000);
    let vector = format!("[{},{},{},{}]", component(), component(), component(), component());
    format!(
        "SELECT id, distance FROM t WHERE e MATCH '{vector}' AND {filter} ORDER BY distance LIMIT 15 OFFSET {}",
        component() % 40
    )
}

/// Searches with filters on every indexed column, until the indexes are in memory.
fn warm_up(host: &Host) {
    let mut numbers = Numbers::from_seed(77);
    for _ in 0..12 {
        for filter in ["n > 4000", "r = 'a'", "\"a b\" < 20", "x IS NULL"] {
            rows(host, &query(&mut numbers, filter));
        }
    }
}

/// The number of SQLite instructions of a search, including its statements on shadow tables, in tens.
fn cost(host: &Host, filter: &str) -> u32 {
    let sql = query(&mut Numbers::from_seed(5), filter);
    host.stopped_at_call(10, 0, || rows(host, &sql)).1
}

#[test]
fn filters_on_indexed_columns_are_answered_from_memory() {
    for host in hosts(&format!("{TABLE}; {}", fill(0, COUNT))) {
        let filters = ["n < 3000", "n BETWEEN 10 AND 900", "r = 'b' AND n > 900", "r IN ('A', 'c5') AND \"a b\" > 3"];
        let cold = filters.map(|filter| cost(&host, filter));
        warm_up(&host);
        let warm = filters.map(|filter| cost(&host, filter));
        for ((cold, warm), filter) in cold.into_iter().zip(warm).zip(filters) {
            assert!(cold > 4 * warm, "SQLite {}: {filter}: {cold}, then {warm}", host.version());
        }
        // Below 3.51 a table does not answer <> alone.
        let others = ["plain < 3000", "n < 3000 AND plain > 9", "n <> 7"];
        for filter in others.into_iter().take(if host.version() >= 3_051_000 { 3 } else { 2 }) {
            assert!(cost(&host, filter) > 100, "SQLite {}: {filter} cannot be answered so", host.version());
        }
    }
}

#[test]
fn in_memory_indexes_admit_the_rows_that_sql_admits() {
    let folder = tempfile::tempdir().unwrap();
    for first in hosts("") {
        let path = folder.path().join(format!("{}.db", first.version()));
        let warm = first.beside(&path, library());
        run(&warm, &format!("{TABLE}; {}", fill(0, COUNT)));
        let mut numbers = Numbers::from_seed(8);
        let writes = [
            "SELECT 1",
            "UPDATE t SET n = n + 1000, r = 'b' WHERE id % 50 = 1",
            "UPDATE t_rows SET \"a b\" = -1 WHERE id % 70 = 2",
            "DELETE FROM t WHERE id % 40 = 3",
            "INSERT INTO t(t) VALUES ('optimize')",
        ];
        for write in writes {
            run(&warm, write);
            warm_up(&warm);
            for _ in 0..60 {
                let terms: Vec<String> = (0..1 + numbers.below(3)).map(|_| term(&mut numbers)).collect();
                let sql = query(&mut numbers, &terms.join(" AND "));
                let expected = rows(&first.beside(&path, library()), &sql);
                assert_eq!(rows(&warm, &sql), expected, "SQLite {}: after {write}: {sql}", warm.version());
            }
        }
    }
}

/// A search that is open while its own or another connection writes sees the rows as they are.
#[test]
fn writes_during_a_search_take_effect_at_once() {
    for host in hosts(&format!("{TABLE}; {}", fill(0, COUNT))) {
        warm_up(&host);
        let page =
            |vector| format!("SELECT id FROM t WHERE e MATCH '{vector}' AND n < 4900 ORDER BY distance LIMIT 200");
        let sql = &page("[1000,1000,1000,1000]");
        // With a new query vector: the same one would replay the cached search.
        let before = rows(&host, &page("[1000,1000,1000,1000.0001]"));
        let mut seen = Vec::new();
        host.query_watched(sql, &mut |row| {
            seen.push(row[0].clone().unwrap());
            if seen.len() == 20 {
                run(&host, &format!("UPDATE t_rows SET n = 5000 WHERE id IN ({})", before[100..150].join(",")));
            }
        })
        .unwrap();
        assert_eq!(seen[..20], before[..20]);
        let gone = before[100..150].iter().filter(|id| seen.contains(id)).count();
        assert_eq!((seen.len(), gone), (200, 0), "SQLite {}", host.version());
        assert_eq!(rows(&host, sql), seen, "SQLite {}", host.version());
    }
}

/// The rows table has wrong nodes. A connection with in-memory indexes answers or fails as a fresh one does.
#[test]
fn a_damaged_index_does_not_change_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    for first in hosts("") {
        let path = folder.path().join(format!("lies-{}.db", first.version()));
        let warm = first.beside(&path, library());
        run(&warm, &format!("{TABLE}; {}", fill(0, COUNT)));
        let taken = line(&warm, "SELECT e FROM t_rows WHERE id = 5");
        let vector = line(&warm, "SELECT vec_json(e) FROM t WHERE id = 5");
        // Row 5 has n = 4574. Of the two rows that get its node, one has a smaller n and one a larger one.
        for (id, n) in [(4, 1658), (12, 4974)] {
            let honest = line(&warm, &format!("SELECT e FROM t_rows WHERE id = {id}"));
            for node in [taken.as_str(), "'x'", "4000000000"] {
                run(&warm, &format!("UPDATE t_rows SET e = {node} WHERE id = {id}"));
                let mut numbers = Numbers::from_seed(9);
                for _ in 0..20 {
                    // The first search after a change builds or refuses the in-memory indexes.
                    let _ = warm.query(&query(&mut numbers, "n > 100"));
                }
                // A single matching row is ranked; many are walked through.
                let filters = [format!("n = {n}"), "n > 100".into(), "n < 4700".into(), "n > 1800".into()];
                for (number, filter) in filters.iter().enumerate() {
                    let sql = format!(
                        "SELECT id, distance FROM t WHERE e MATCH '{vector}' AND {filter} ORDER BY distance LIMIT 15"
                    );
                    let cold = first.beside(&path, library()).query(&sql).map_err(|error| error.message);
                    assert_eq!(cold.is_err(), number == 0, "SQLite {}: e = {node}: {sql}: {cold:?}", warm.version());
                    let got = warm.query(&sql).map_err(|error| error.message);
                    assert_eq!(got, cold, "SQLite {}: e = {node}: {sql}", warm.version());
                }
            }
            run(&warm, &format!("UPDATE t_rows SET e = {honest} WHERE id = {id}"));
        }
    }
}
