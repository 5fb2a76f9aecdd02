//! The cost of a search, in pages that SQLite reads: it stops as early as possible, continues where it stopped, and a
//! filter does not turn it into a scan. The results would be the same at a higher cost.

use crate::{hosts, line, rows, run};
use vecrank_tests::{Host, library};

/// Two clouds, one around QUERY and one opposite, `far`. `part` is most of the far one: too many rows to be ranked, few
/// enough to be listed. `most` is nine of ten rows of both. The node cache is off, so that each node is read.
pub const TABLE: &str = "
    CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, far INTEGER, part INTEGER INDEXED, most INTEGER INDEXED, e FLOAT[8]);
    INSERT INTO t(t, k) VALUES ('node_cache', 0);
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
    INSERT INTO t SELECT i, i % 2, i % 2 AND i % 10 <> 9, i % 11 > 0,
        '[' || (i * 7919 % 2003 / 1000.0 + CASE WHEN i % 2 THEN -2.5 ELSE 0.5 END) || ',' || (i * 104729 % 1999 / 1000.0 - 1) || ','
        || (i * 1299709 % 2011 / 1000.0 - 1) || ',' || (i * 15485863 % 1997 / 1000.0 - 1) || ',' || (i * 6700417 % 1993 / 1000.0 - 1)
        || ',' || (i * 27644437 % 1987 / 1000.0 - 1) || ',' || (i * 433494437 % 1979 / 1000.0 - 1) || ','
        || (i * 37156667 % 1973 / 1000.0 - 1) || ']' FROM n";
pub const QUERY: &str = "'[1,0.2,0.1,-0.1,0.3,0,0.2,-0.2]'";

/// A new connection to the file, with empty caches.
fn fresh(host: &Host, path: &std::path::Path) -> Host {
    host.beside(path, library())
}

fn search(filter: &str, rest: &str) -> String {
    format!("SELECT id, distance FROM t WHERE e MATCH {QUERY} AND {filter} {rest}")
}

pub fn each_host(test: impl Fn(&Host, &dyn Fn() -> Host)) {
    let folder = tempfile::tempdir().unwrap();
    for first in hosts("") {
        let path = folder.path().join(format!("{}.db", first.version()));
        let host = fresh(&first, &path);
        run(&host, TABLE);
        test(&host, &|| fresh(&first, &path));
    }
}

/// The number of pages that a statement reads on a connection with empty caches.
fn cost(new: &dyn Fn() -> Host, sql: &str) -> i64 {
    let host = new();
    // Reads the schema and opens the table.
    run(&host, "SELECT count(*) FROM t WHERE id = 1");
    host.pages_asked(|| run(&host, sql))
}

#[test]
fn a_search_stops_when_no_further_row_can_pass() {
    each_host(|host, new| {
        let whole = cost(new, &search("true", "ORDER BY distance"));
        let tenth = line(host, &search("true", "ORDER BY distance LIMIT 1 OFFSET 9"));
        let near = format!("distance <= {}", tenth.split_once('|').unwrap().1);
        let similar = format!("similarity >= 1 - {}", tenth.split_once('|').unwrap().1);
        for (filter, rest) in [
            ("true", "ORDER BY distance LIMIT 10"),
            ("k = 10", "ORDER BY distance"),
            ("k = 10", ""),
            (similar.as_str(), "ORDER BY distance"),
            (similar.as_str(), "ORDER BY similarity DESC"),
            (near.as_str(), "ORDER BY distance"),
            ("(distance, rowid) < (0.001, 9)", "ORDER BY distance"),
        ] {
            let asked = cost(new, &search(filter, rest));
            assert!(asked * 5 < whole, "SQLite {}: {filter} {rest}: {asked} of {whole}", host.version());
        }
    });
}

#[test]
fn a_page_continues_where_the_last_one_ended() {
    each_host(|_, new| {
        for filter in ["true", "part = 1", "most = 1", "far = 1"] {
            let second = search(filter, "ORDER BY distance LIMIT 20 OFFSET 300");
            let alone = cost(new, &second);
            let host = new();
            run(&host, &search(filter, "ORDER BY distance LIMIT 300"));
            let after = host.pages_asked(|| run(&host, &second));
            assert!(after * 3 < alone, "SQLite {}: {filter}: {after}, alone {alone}", host.version());
        }
    });
}

#[test]
fn a_filter_that_most_rows_pass_is_walked() {
    each_host(|host, new| {
        let page = search("most = 1", "ORDER BY distance LIMIT 10");
        let exact = search("ef_search = 'exact' AND most = 1", "ORDER BY distance LIMIT 10");
        assert_eq!(rows(host, &page), rows(host, &exact), "SQLite {}", host.version());
        let (asked, all) = (cost(new, &page), cost(new, &exact));
        assert!(asked * 3 < all, "SQLite {}: {asked}, all ranked {all}", host.version());
    });
}

/// Too many rows to be ranked, too few of them near the query for a walk.
#[test]
fn a_filter_with_few_near_matches_is_steered() {
    each_host(|host, new| {
        run(host, "DELETE FROM t");
        run(
            host,
            &TABLE[TABLE.find("WITH").unwrap()..]
                .replace("i < 9000", "i < 24000")
                .replace("i % 2 AND i % 10 <> 9", "i % 7 = 0"),
        );
        let page = search("part = 1", "ORDER BY distance LIMIT 10");
        let exact = search("ef_search = 'exact' AND part = 1", "ORDER BY distance LIMIT 10");
        let (found, truth) = (rows(host, &page), rows(host, &exact));
        let hits = found.iter().filter(|row| truth.contains(row)).count();
        assert!(found.len() == 10 && hits >= 8, "SQLite {}: {found:?}, {truth:?}", host.version());
        let (asked, all) = (cost(new, &page), cost(new, &exact));
        assert!(asked * 2 < all, "SQLite {}: {asked}, all ranked {all}", host.version());
    });
}

#[test]
fn a_scan_reads_no_node() {
    each_host(|host, new| {
        let nodes = cost(new, "SELECT count(length(e)) FROM t");
        for sql in ["SELECT count(*) FROM t", "SELECT sum(far) FROM t WHERE part = 1", "SELECT id FROM t ORDER BY id"] {
            let asked = cost(new, sql);
            assert!(asked * 5 < nodes, "SQLite {}: {sql}: {asked}, with vectors {nodes}", host.version());
        }
    });
}
