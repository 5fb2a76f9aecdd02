//! Searches that are open, stopped or cached while the graph changes under them.

use crate::{check_sound, error, hosts, line, rows, run};
use vecrank_tests::{open, open_file};

const TABLE: &str = "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, e FLOAT[4], metric = 'l2')";

/// Enough rows for the graph to be walked.
const COUNT: usize = 12_000;

const NEAREST: &str = "SELECT id FROM t('[0,0,0,0]') ORDER BY distance LIMIT 300";

/// Inserts `count` rows from `first` on, with components between -1 and 1 or, if near, much closer to the origin.
fn insert(count: usize, first: usize, is_near: bool) -> String {
    let scale = if is_near { 0.2 } else { 1.0 };
    format!(
        "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})
         INSERT INTO t SELECT {first} + i, vec_scale('[' || (i * 7919 % 2003 - 1001) || ',' || (i * 104729 % 1999 - 999)
             || ',' || (i * 1299709 % 2011 - 1005) || ',' || (i * 15485863 % 1997 - 998) || ']', {scale:?} / 1000) FROM n"
    )
}

fn loaded() -> rusqlite::Connection {
    let connection = open();
    connection.execute_batch(&format!("{TABLE}; {}", insert(COUNT, 0, false))).unwrap();
    connection
}

/// Reads a page, and calls `work` after `at` rows of it.
fn page_with(connection: &rusqlite::Connection, at: usize, work: impl Fn()) -> Vec<i64> {
    let mut statement = connection.prepare(NEAREST).unwrap();
    let mut found = statement.query([]).unwrap();
    let mut ids = Vec::new();
    while let Some(row) = found.next().unwrap() {
        ids.push(row.get(0).unwrap());
        if ids.len() == at {
            work();
        }
    }
    ids
}

#[test]
fn a_search_continues_when_rows_are_linked_during_it() {
    let connection = loaded();
    let before = page_with(&connection, 0, || ());
    let after = page_with(&connection, 5, || {
        connection.execute_batch(&insert(500, 100_000, true)).unwrap();
    });
    let old: Vec<i64> = after.iter().copied().filter(|id| *id < 100_000).collect();
    assert_eq!(after.len(), 300);
    assert_eq!(old, before[..old.len()]);
    assert!(page_with(&connection, 0, || ()).iter().filter(|id| **id >= 100_000).count() > 250);
}

#[test]
fn a_search_continues_when_rows_it_saw_are_rolled_back() {
    let connection = loaded();
    let before = page_with(&connection, 0, || ());
    for (begin, undo) in [("BEGIN", "ROLLBACK"), ("BEGIN; SAVEPOINT a", "ROLLBACK TO a; COMMIT")] {
        connection.execute_batch(begin).unwrap();
        connection.execute_batch(&insert(500, 100_000, true)).unwrap();
        let ids = page_with(&connection, 5, || connection.execute_batch(undo).unwrap());
        assert_eq!(ids.len(), 300, "{undo}");
        assert!(ids[..5].iter().all(|id| *id >= 100_000) && ids[5..].iter().all(|id| *id < 100_000), "{undo}: {ids:?}");
        assert_eq!(page_with(&connection, 0, || ()), before, "{undo}");
    }
}

/// A search links the pending nodes of its transaction. Wherever a host interrupts it, no half-linked graph is
/// committed.
#[test]
fn an_interrupted_search_commits_no_half_linked_graph() {
    let broken = "t: a statement failed half-way: this transaction must be rolled back";
    let mut refused = 0;
    for host in hosts(TABLE) {
        run(&host, &insert(1500, 0, false));
        for (count, stops) in [(30, 8), (1200, 5)] {
            run(&host, &format!("BEGIN; {}", insert(count, 100_000, true)));
            let (_, calls) = host.stopped_at_call(20, 0, || host.query(NEAREST));
            run(&host, "ROLLBACK");
            for stop in (1..=stops).map(|n| calls * n / (stops + 1)) {
                run(&host, &format!("BEGIN; {}; SAVEPOINT a", insert(count, 100_000, true)));
                let (stopped, _) = host.stopped_at_call(20, stop, || host.query(NEAREST));
                assert!(stopped.is_err(), "{stop} of {calls}");
                match host.execute("COMMIT") {
                    Ok(()) => {
                        check_sound(&host, "t");
                        run(&host, "DELETE FROM t WHERE id >= 100000");
                    }
                    // SQLite has rolled back everything.
                    Err(error) if error.message == "cannot commit - no transaction is active" => {}
                    Err(error) => {
                        assert_eq!(error.message, broken, "{stop} of {calls}");
                        refused += 1;
                    }
                }
                assert_eq!(line(&host, "SELECT count(*) FROM t"), "1500", "{stop} of {calls}");
                check_sound(&host, "t");
            }
        }
        // A rollback to the savepoint before the search helps too.
        let is_broken = |stop: u32| {
            run(&host, &format!("BEGIN; {}; SAVEPOINT b", insert(30, 100_000, true)));
            host.stopped_at_call(20, stop * 10, || host.query(NEAREST)).0.unwrap_err();
            let is_broken = host.query(NEAREST).is_err_and(|error| error.message == broken);
            if !is_broken {
                let _ = host.execute("ROLLBACK");
            }
            is_broken
        };
        assert!((1..).any(is_broken));
        run(&host, "ROLLBACK TO b");
        assert_eq!(rows(&host, NEAREST).len(), 300);
        run(&host, "COMMIT");
        assert_eq!(line(&host, "SELECT count(*) FROM t"), "1530");
        check_sound(&host, "t");
    }
    assert!(refused > 0, "some stop falls between two writes");
}

/// A nightly job replaces the file that a server has open by another one with the same rows and another graph.
#[test]
fn a_replaced_file_is_not_read_through_cached_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("feed.db"), folder.path().join("next.db"));
    let make = |path: &std::path::Path, m: usize, page_size: u32| {
        let connection = open_file(path);
        connection.pragma_update(None, "page_size", page_size).unwrap();
        let sql = TABLE.replace("metric", &format!("m = {m}, metric"));
        connection.execute_batch(&format!("{sql}; {}", insert(3000, 0, false))).unwrap();
        connection
    };
    // From the second page on, rows are cached.
    let pages = |connection: &rusqlite::Connection| {
        let pages: Vec<_> = (0..3).map(|_| page_with(connection, 0, || ())).collect();
        assert!(pages.windows(2).all(|pair| pair[0] == pair[1]), "{pages:?}");
        pages[0].clone()
    };
    for (m, page_size) in [(40, 4096), (16, 16384)] {
        let old = make(&path, 16, 4096);
        let before = pages(&old);
        drop(make(&next, m, page_size));
        std::fs::rename(&next, &path).unwrap();
        let after = pages(&open_file(&path));
        let common = after.iter().filter(|id| before.contains(id)).count();
        assert!(common > 270, "{common} of 300");
        assert_eq!(pages(&old), before);
        drop(old);
        std::fs::remove_file(&path).unwrap();
    }
}

/// A search does not allocate memory by the counts in a file.
#[test]
fn a_header_with_huge_counts_allocates_no_memory() {
    for host in hosts(TABLE) {
        run(&host, &insert(50, 0, false));
        // Sets the linked nodes and the next id to nearly 2^32.
        run(
            &host,
            "UPDATE t_graph SET header = CAST(substr(header, 1, 24) || x'f0ffffff' || substr(header, 29, 8)
               || x'f5ffffff' || substr(header, 41) AS BLOB)",
        );
        assert!(error(&host, "INSERT INTO t(t) VALUES ('integrity-check')").contains("promise 1"));
        run(&host, "DELETE FROM t WHERE id = 3; INSERT INTO t(t) VALUES ('rebuild')");
        check_sound(&host, "t");
        assert_eq!(rows(&host, NEAREST).len(), 49);
    }
}
