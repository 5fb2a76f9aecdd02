//! `hnsw_stats`: what the searches of a connection took, by the way that they went.

use crate::page_reads::{QUERY, TABLE, each_host};
use crate::{check_errors, check_lines, error, hosts, line, run};
use std::sync::OnceLock;
use tempfile::TempDir;
use vecrank_tests::{Host, library};

const NODES: i64 = 9000;

/// Calls `test` with new connections to files with `TABLE`. The tests only read them.
fn each_library(test: impl Fn(&dyn Fn() -> Host)) {
    static FILES: OnceLock<TempDir> = OnceLock::new();
    let path = |folder: &TempDir, host: &Host| folder.path().join(format!("{}.db", host.version()));
    let files = FILES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        hosts("").iter().for_each(|host| run(&host.beside(path(&folder, host), library()), TABLE));
        folder
    });
    hosts("").iter().for_each(|first| test(&|| first.beside(path(files, first), library())));
}

fn search(host: &Host, filter: &str, rest: &str) {
    run(host, &format!("SELECT id, distance FROM t WHERE e MATCH {QUERY} AND {filter} {rest}"));
}

fn text(host: &Host, key: &str) -> String {
    line(host, &format!("SELECT value FROM hnsw_stats('t') WHERE key = '{key}'"))
}

fn number(host: &Host, key: &str) -> i64 {
    text(host, key).parse().unwrap_or_else(|_| panic!("{key}: {}", text(host, key)))
}

fn last(host: &Host) -> (String, i64) {
    (text(host, "last_way"), number(host, "last_rows_read"))
}

#[test]
fn before_the_first_search_there_is_no_last_one() {
    let expected = "column|e searches|0 resumed|0 last_way|NULL last_rows_read|NULL last_cache_hits|NULL last_cache_misses|NULL \
                    last_log_rows|NULL last_pages|NULL last_pages_read|NULL total_rows_read|0 total_cache_hits|0 \
                    total_cache_misses|0 total_log_rows|0 total_pages|0 total_pages_read|0";
    let hosts = hosts("CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2]); INSERT INTO t VALUES ('[1,2]'), ('[2,1]')");
    for searches_nothing in [
        "SELECT rowid FROM t WHERE rowid = 1",
        "SELECT e FROM t",
        "SELECT rowid FROM t WHERE e MATCH NULL",
        "SELECT rowid FROM t WHERE e MATCH '[1,2]' AND k = 0",
        "EXPLAIN QUERY PLAN SELECT rowid FROM t WHERE e MATCH '[1,2]'",
    ] {
        hosts.iter().for_each(|host| run(host, searches_nothing));
        check_lines(&hosts, &[("SELECT key, value FROM hnsw_stats('t')", expected)]);
    }
}

#[test]
fn the_way_of_a_search_and_its_rows_are_counted() {
    each_library(|new| {
        let host = new();
        let mut total = 0;
        let mut step = |filter: &str, rest: &str, way: &str, least: i64, most: i64| {
            search(&host, filter, rest);
            let (taken, read) = last(&host);
            assert_eq!(taken, way, "SQLite {}: {filter} {rest}", host.version());
            assert!((least..=most).contains(&read), "SQLite {}: {filter} {rest}: {read}", host.version());
            // The node cache of the table is off.
            assert_eq!((number(&host, "last_cache_hits"), number(&host, "last_cache_misses")), (0, read));
            total += read;
            assert_eq!(number(&host, "total_rows_read"), total);
        };
        step("true", "ORDER BY distance LIMIT 10", "walk", 64, NODES / 10);
        step("most = 1", "ORDER BY distance LIMIT 10", "walk", 64, NODES / 10);
        // In so small a table it ranks the rest before it has ten rows.
        step("part = 1", "ORDER BY distance LIMIT 10", "steer, exact", 3600, NODES);
        // 48 rows are a sample of the query's neighbourhood, the others are ranked.
        step("id <= 20", "ORDER BY distance LIMIT 10", "exact", 20, 68);
        step("ef_search = 'exact'", "ORDER BY distance LIMIT 10", "exact", NODES, NODES);
        step("ef_search = 100", "ORDER BY distance", "walk, exact", NODES, 2 * NODES);
        step("id < 0", "ORDER BY distance LIMIT 10", "exact", 0, 48);
        assert_eq!((number(&host, "searches"), number(&host, "resumed")), (7, 0));
    });
}

#[test]
fn a_page_that_is_resumed_counts_what_it_reads_itself() {
    each_library(|new| {
        let host = new();
        search(&host, "true", "ORDER BY distance LIMIT 30");
        let first = last(&host);
        assert_eq!(first.0, "walk");
        // The rows of the first page are remembered.
        search(&host, "true", "ORDER BY distance LIMIT 20 OFFSET 10");
        assert_eq!(last(&host), ("resumed".to_string(), 0));
        search(&host, "true", "ORDER BY distance LIMIT 200 OFFSET 10");
        let third = last(&host);
        assert!(third.0 == "resumed" && third.1 > 0, "{third:?}");
        assert_eq!((number(&host, "searches"), number(&host, "resumed")), (3, 2));
        assert_eq!(number(&host, "total_rows_read"), first.1 + third.1);
    });
}

#[test]
fn rows_from_the_node_cache_are_told_from_rows_of_the_file() {
    each_host(|host, new| {
        run(host, "INSERT INTO t(t, k) VALUES ('node_cache', 64)");
        let connection = new();
        let page = |x: f64| {
            let sql = format!(
                "SELECT id FROM t WHERE e MATCH '[{x},0.2,0.1,-0.1,0.3,0,0.2,-0.2]' ORDER BY distance LIMIT 10"
            );
            run(&connection, &sql);
            let figures =
                ["last_rows_read", "last_cache_hits", "last_cache_misses"].map(|key| number(&connection, key));
            assert_eq!(figures[0], figures[1] + figures[2]);
            (figures[1], figures[2])
        };
        let (hits, misses) = page(1.0);
        assert!(hits == 0 && misses > 0, "the first search asks no cache: {hits} {misses}");
        let (_, misses) = page(1.0001);
        assert!(misses > 0, "the second one fills it: {misses}");
        let (hits, misses) = page(1.0002);
        assert!(hits > 50 && misses < 20, "{hits} {misses}");
        assert_eq!(number(&connection, "total_cache_hits"), hits);
    });
}

#[test]
fn pages_are_those_of_the_connection_during_the_search() {
    each_library(|new| {
        let host = new();
        run(&host, "SELECT count(*) FROM t WHERE id = 1");
        let asked = host.pages_asked(|| search(&host, "true", "ORDER BY distance LIMIT 10"));
        let counted = number(&host, "last_pages");
        assert!(counted > 50 && counted <= asked, "{counted} of {asked}");
        let read = number(&host, "last_pages_read");
        assert!(read > 10 && read <= counted, "{read} of {counted}");
        search(&host, "true", "ORDER BY distance LIMIT 10");
        assert!(number(&host, "last_pages") * 3 < counted);
        assert_eq!(number(&host, "last_pages_read"), 0);
        assert_eq!(number(&host, "total_pages_read"), read);
    });
}

#[test]
fn each_connection_counts_its_own_searches() {
    each_library(|new| {
        let (one, two) = (new(), new());
        search(&one, "true", "ORDER BY distance LIMIT 10");
        assert_eq!((number(&one, "searches"), number(&two, "searches")), (1, 0));
        search(&two, "ef_search = 'exact'", "ORDER BY distance LIMIT 10");
        assert_eq!((text(&one, "last_way"), text(&two, "last_way")), ("walk".into(), "exact".into()));
        assert_eq!(
            number(&one, "total_rows_read") + NODES,
            number(&one, "last_rows_read") + number(&two, "total_rows_read")
        );
        drop(one);
        // SQLite may give the next connection the same memory.
        assert_eq!(number(&new(), "searches"), 0);
    });
}

#[test]
fn a_join_searches_once_per_outer_row() {
    for host in hosts(TABLE) {
        let sql = format!(
            "SELECT count(*) FROM (SELECT {QUERY} AS q UNION ALL SELECT '[1,1,1,1,1,1,1,1]' UNION ALL SELECT NULL) u, t(u.q, 5)"
        );
        assert_eq!(line(&host, &sql), "10");
        assert_eq!(number(&host, "searches"), 2);
        // A search that fails is none.
        error(&host, &format!("SELECT id FROM t WHERE e MATCH {QUERY} AND ef_search = 0"));
        assert_eq!(number(&host, "searches"), 2);
    }
}

#[test]
fn logged_rows_are_counted_where_they_are_ranked() {
    const TABLES: &str = "
        CREATE TABLE goods(id INTEGER PRIMARY KEY, n INTEGER, e BLOB);
        WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50)
        INSERT INTO goods SELECT i, i, vec_parse('[' || i || ',1]') FROM n;
        CREATE VIRTUAL TABLE t USING hnsw(content = 'goods', sync = 'log', e FLOAT[2]);
        INSERT INTO goods VALUES (101, 1, '[3,1]'), (102, 2, '[4,1]'), (103, 3, 'wrong'), (104, 4, NULL);
        UPDATE goods SET e = '[9,9]' WHERE id = 7; DELETE FROM goods WHERE id = 8;";
    for host in hosts(TABLES) {
        let near = "SELECT id FROM t WHERE e MATCH '[1,1]' ORDER BY distance";
        run(&host, near);
        assert_eq!((number(&host, "last_log_rows"), text(&host, "last_way")), (3, "exact".into()));
        run(&host, &format!("{near} LIMIT 5"));
        assert_eq!((number(&host, "last_log_rows"), text(&host, "last_way")), (0, "resumed".into()));
        run(&host, "SELECT id FROM t WHERE e MATCH '[1,1]' AND n = 2 ORDER BY distance");
        assert_eq!((number(&host, "last_log_rows"), number(&host, "total_log_rows")), (1, 4));
        run(&host, "UPDATE goods SET e = NULL WHERE id = 103; INSERT INTO t(t) VALUES ('fold')");
        run(&host, near);
        assert_eq!(number(&host, "last_log_rows"), 0);
    }
}

#[test]
fn the_keys_of_several_vector_columns_begin_with_their_names() {
    const TABLES: &str = "
        ATTACH ':memory:' AS other;
        CREATE VIRTUAL TABLE other.\"a.b\" USING hnsw(e FLOAT[2]);
        CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2], \"f g\" INT8[2]);
        CREATE VIRTUAL TABLE temp.t USING hnsw(e FLOAT[2]);
        INSERT INTO other.\"a.b\" VALUES ('[1,2]'); INSERT INTO main.t VALUES ('[1,2]', '[1,2]'), ('[2,1]', '[2,1]');
        SELECT rowid FROM main.t WHERE \"f g\" MATCH '[1,1]';
        SELECT rowid FROM other.\"A.B\" WHERE e MATCH '[1,1]';";
    let hosts = hosts(TABLES);
    let searches = "key LIKE '%searches' OR key LIKE '%last_way' OR key LIKE '%last_rows_read'";
    for (name, expected) in [
        (
            "'t', 'main'",
            "e.searches|0 e.last_way|NULL e.last_rows_read|NULL f g.searches|1 f g.last_way|exact f g.last_rows_read|2",
        ),
        (
            "'Main.T'",
            "e.searches|0 e.last_way|NULL e.last_rows_read|NULL f g.searches|1 f g.last_way|exact f g.last_rows_read|2",
        ),
        ("'t'", "searches|0 last_way|NULL last_rows_read|NULL"),
        ("'a.b'", "searches|1 last_way|exact last_rows_read|1"),
        ("'a.b', 'OTHER'", "searches|1 last_way|exact last_rows_read|1"),
        ("NULL", ""),
    ] {
        check_lines(&hosts, &[(&format!("SELECT key, value FROM hnsw_stats({name}) WHERE {searches}"), expected)]);
    }
    // The counters follow a renamed table.
    for host in &hosts {
        run(host, "BEGIN; ALTER TABLE other.\"a.b\" RENAME TO c; SELECT rowid FROM c WHERE e MATCH '[1,1]'");
        assert_ne!(line(host, "SELECT value FROM hnsw_stats('c') WHERE key = 'searches'"), "0");
        run(host, "ROLLBACK; SELECT rowid FROM other.\"a.b\" WHERE e MATCH '[1,1]'");
        assert_ne!(line(host, "SELECT value FROM hnsw_stats('a.b') WHERE key = 'searches'"), "0");
    }
}

#[test]
fn a_wrong_name_is_an_error() {
    let hosts =
        hosts("CREATE TABLE plain(x); CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2]); ATTACH ':memory:' AS other;");
    check_errors(
        &hosts,
        &[
            ("SELECT * FROM hnsw_stats('nosuch')", "hnsw_stats: there is no hnsw table \"nosuch\""),
            ("SELECT * FROM hnsw_stats('plain')", "hnsw_stats: there is no hnsw table \"plain\""),
            (
                "SELECT * FROM hnsw_stats('t', 'other')",
                "hnsw_stats: there is no hnsw table \"t\" in the schema \"other\"",
            ),
            ("SELECT * FROM hnsw_stats", "hnsw_stats: expected the name of a table: hnsw_stats('articles')"),
            ("SELECT * FROM hnsw_stats(3)", "hnsw_stats: table: expected TEXT, got INTEGER"),
        ],
    );
}
