//! Statements that fail for an outside reason: a full disk, an interrupt, a read-only file. Each ends in an error,
//! nothing is half done, and the table keeps working.

use std::path::Path;

use vecrank_tests::data::{Clusters, Element};
use vecrank_tests::{Host, HostError, library};

const FULL: i32 = 13;
const INTERRUPT: i32 = 9;
const READ_ONLY: i32 = 8;

const DIMS: usize = 8;

const TABLE: &str = "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[8], f INT8[8])";

/// Rows `from..to` as VALUES; f is NULL.
fn values(from: usize, to: usize) -> String {
    let mut clusters = Clusters::new(1, 10, DIMS, Element::Float);
    let vectors = clusters.vectors(to).split_off(from);
    let row = |(id, vector): (usize, Vec<f64>)| format!("({id},{},{},NULL)", id % 10, Element::Float.literal(&vector));
    (from..to).zip(vectors).map(row).collect::<Vec<_>>().join(",")
}

fn insert(from: usize, to: usize) -> String {
    format!("INSERT INTO t VALUES {}", values(from, to))
}

const QUERY: &str = "'[0.5,0,0,-1,0.1,0,1,0]'";

/// The content of the table, as a user sees it.
fn state(host: &Host) -> Vec<String> {
    let mut state = host.rows("SELECT id, n, quote(e) FROM t");
    state.extend(host.rows(&format!("SELECT id FROM t WHERE e MATCH {QUERY} ORDER BY distance")));
    state
}

/// Checks that the table is as it was before the failure, and that the statement then succeeds.
#[track_caller]
fn check_nothing_lost(host: &Host, before: &[String], what: &str) {
    assert!(state(host) == before, "SQLite {}: {what}: the table has changed", host.version());
    host.check_sound("t");
}

/// Ends a transaction, unless SQLite has rolled it back.
fn roll_back(host: &Host) {
    if let Err(error) = host.execute("ROLLBACK") {
        assert_eq!(error.message, "cannot rollback - no transaction is active");
    }
}

#[test]
fn a_full_disk_fails_a_write_and_loses_nothing() {
    for host in Host::both(library()) {
        host.run(TABLE);
        host.run(&insert(0, 150));
        // A few rows are linked one by one; many cause a rebuild.
        let writes = [
            insert(1000, 1012),
            insert(1000, 1300),
            format!("BEGIN; {}; {}; COMMIT", insert(1000, 1200), insert(1200, 1400)),
            format!("BEGIN; {}; SELECT id FROM t WHERE e MATCH {QUERY} LIMIT 1; COMMIT", insert(1000, 1040)),
            "UPDATE t SET e = vec_scale(vec_add(e, '[1,2,3,4,5,6,7,8]'), 3.0)".into(),
            "UPDATE t SET f = '[1,2,3,4,5,6,7,8]'".into(),
            "INSERT INTO t(t) VALUES ('rebuild')".into(),
            "CREATE VIRTUAL TABLE v USING hnsw(a INDEXED, e FLOAT[8])".into(),
        ];
        let before = state(&host);
        for sql in &writes {
            let pages: usize = host.line("PRAGMA page_count").parse().unwrap();
            let (mut refused, mut room) = (0, 0);
            loop {
                host.run(&format!("PRAGMA max_page_count = {}", pages + room));
                let Err(error) = host.execute(sql) else { break };
                roll_back(&host);
                host.run("PRAGMA max_page_count = 1000000");
                let what = format!("{room} pages for {}", &sql[..sql.len().min(60)]);
                // The error names a table that cannot be created.
                let message = error.message.strip_prefix("v: ").unwrap_or(&error.message);
                assert_eq!((error.code, message), (FULL, "database or disk is full"), "{what}");
                check_nothing_lost(&host, &before, &what);
                refused += 1;
                room += 1 + room / 5;
            }
            assert!(refused > 0, "SQLite {}: no lack of pages for {sql:.60}", host.version());
            // The statement succeeded: restores the start for the next one.
            host.run("PRAGMA max_page_count = 1000000; DROP TABLE t; DROP TABLE IF EXISTS v; VACUUM");
            host.run(TABLE);
            host.run(&insert(0, 150));
            assert!(state(&host) == before);
        }
    }
}

/// Makes the table anew, as each statement finds it.
fn make(host: &Host) {
    host.run("DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS u");
    host.run(TABLE);
    host.run(&insert(0, 120));
    host.run("DELETE FROM t WHERE id % 9 = 4");
}

/// Stops `sql` at its first, second, ... progress call, until it has fewer. After each stop the table is as before. Only
/// the last calls may come when the statement is done: SQLite then reports the interrupt of what it has committed, of an
/// ordinary table as well.
fn stop_everywhere(host: &Host, sql: &str) {
    make(host);
    let before = state(host);
    let (mut stops, mut call) = (0, 1);
    loop {
        let (result, _) = host.stopped_at_call(20, call, || host.execute(sql));
        let Err(HostError { code, message }) = result else { break };
        let what = format!("{sql:.70}: stopped at call {call}");
        assert_eq!((code, &message[..]), (INTERRUPT, "interrupted"), "{what}");
        roll_back(host);
        stops += 1;
        call += 1 + call / 3;
        if host.line("SELECT count(*) FROM sqlite_master WHERE name = 't'") == "1" && state(host) == before {
            host.check_sound("t");
            continue;
        }
        let tables = "SELECT name FROM sqlite_master WHERE name IN ('t', 'u')";
        let contents = |host: &Host| {
            let table = host.line(tables);
            host.check_sound(&table);
            (host.rows(&format!("SELECT id, n, quote(e) FROM {table}")), table)
        };
        let done = contents(host);
        make(host);
        host.run(sql);
        roll_back(host);
        assert!(
            contents(host) == done,
            "SQLite {}: {what}: the table is neither as before nor as after",
            host.version()
        );
        break;
    }
    assert!(stops > 2, "{sql:.70}: {stops} stops");
}

#[test]
fn a_progress_handler_stops_every_kind_of_statement() {
    for host in Host::both(library()) {
        let statements = [
            insert(1000, 1001),
            insert(1000, 1006),
            insert(1000, 1100),
            format!(
                "BEGIN; {}; {}",
                insert(1000, 1003),
                "SELECT id FROM t WHERE e MATCH '[1,0,0,0,0,0,0,0]' ORDER BY distance"
            ),
            format!("BEGIN; {}; COMMIT", insert(1000, 1004)),
            format!("BEGIN; SAVEPOINT s; {}; DELETE FROM t WHERE id < 50; RELEASE s; COMMIT", insert(1000, 1020)),
            "UPDATE t SET e = vec_scale(e, 2.0) WHERE id < 8".into(),
            "UPDATE t SET id = id + 5000 WHERE id < 30".into(),
            "DELETE FROM t WHERE id < 20".into(),
            "DELETE FROM t".into(),
            "INSERT INTO t(t) VALUES ('optimize')".into(),
            "INSERT INTO t(t) VALUES ('integrity-check')".into(),
            "ALTER TABLE t RENAME TO u".into(),
        ];
        for sql in &statements {
            stop_everywhere(&host, sql);
            roll_back(&host);
        }
    }
}

/// The rollback of the transaction also undoes the name of the table that the statement writes.
#[test]
fn an_interrupt_is_reported_after_a_rename_in_the_same_transaction() {
    for host in Host::both(library()) {
        host.run(TABLE);
        host.run(&insert(0, 20));
        let before = state(&host);
        for call in 1.. {
            host.run("BEGIN; ALTER TABLE t RENAME TO u");
            let sql = insert(1000, 1001).replace("INTO t", "INTO u");
            let (result, _) = host.stopped_at_call(10, call, || host.execute(&sql));
            roll_back(&host);
            let Err(error) = result else { break };
            assert_eq!((error.code, &error.message[..]), (INTERRUPT, "interrupted"), "call {call}");
            check_nothing_lost(&host, &before, "stopped");
        }
    }
}

#[test]
fn a_progress_handler_stops_searches_of_every_kind() {
    for host in Host::both(library()) {
        host.run(TABLE);
        host.run(&insert(0, 1500));
        for rest in [
            "ORDER BY distance LIMIT 200",
            "ORDER BY distance",
            "",
            "AND ef_search = 'exact' ORDER BY distance LIMIT 1",
            "AND n = 3 ORDER BY distance LIMIT 10",
            "AND n > 20",
            "AND id IN (SELECT id FROM t WHERE n < 5) ORDER BY distance",
        ] {
            let sql = format!("SELECT id, e FROM t WHERE e MATCH {QUERY} {rest}");
            // A commit, so that no earlier search can be continued.
            let forget = || host.run("UPDATE t_rows SET n = n WHERE id = 0");
            let expected = host.rows(&sql);
            forget();
            let (_, calls) = host.stopped_at_call(20, 0, || host.run(&sql));
            for part in [1, 10, 50, 90] {
                let call = 1 + calls * part / 100;
                forget();
                let (result, _) = host.stopped_at_call(20, call, || host.query(&sql));
                let error = result.expect_err("stopped");
                assert_eq!((error.code, &error.message[..]), (INTERRUPT, "interrupted"), "{rest}: {call} of {calls}");
                assert_eq!(host.rows(&sql), expected, "{rest}");
            }
        }
    }
}

/// SQLite's instructions between two progress calls.
const STRIDE: i32 = 20;

/// Interrupts `sql` at a third of its progress calls. It ends soon after.
fn check_interrupted(host: &Host, sql: &str, strides: u32) {
    assert!(strides > 30, "SQLite {}: {sql:.50}: {strides} strides", host.version());
    let (result, after) = host.interrupted_at_call(STRIDE, strides / 3, || host.execute(sql));
    let error = result.expect_err("it is interrupted");
    assert_eq!((error.code, &error.message[..]), (INTERRUPT, "interrupted"), "{sql:.60}");
    eprintln!("SQLite {}: {sql:.50}: {strides} strides, interrupted: {after} more", host.version());
    assert!(after <= strides / 10, "SQLite {}: {sql:.50}: {after} more of {strides}", host.version());
}

/// Counted in SQLite's instructions. A build has none; that it stops between its steps is a test of the engine.
#[test]
fn an_interrupt_from_another_thread_stops_long_statements() {
    for host in Host::both(library()) {
        host.run("CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[64], metric = 'l2')");
        let mut clusters = Clusters::new(3, 20, 64, Element::Float);
        let load = |from: usize, to: usize, clusters: &mut Clusters| {
            let row = |id| format!("({id},{},{})", id % 10, Element::Float.literal(&clusters.vector()));
            host.run(&format!("INSERT INTO t VALUES {}", (from..to).map(row).collect::<Vec<_>>().join(",")));
        };
        load(0, 500, &mut clusters);
        let (ids, sound) = ("SELECT id FROM t", "INSERT INTO t(t) VALUES ('integrity-check')");
        // A build at COMMIT.
        host.run("BEGIN");
        load(500, 3_000, &mut clusters);
        check_interrupted(&host, "COMMIT", 100);
        assert_eq!(host.refusal("ROLLBACK").message, "cannot rollback - no transaction is active");
        assert_eq!(host.ids(ids), (0..500).collect::<Vec<i64>>());
        host.run(sound);
        host.run("BEGIN");
        load(500, 3_000, &mut clusters);
        let (_, strides) = host.stopped_at_call(STRIDE, 0, || host.run("COMMIT"));
        assert!(strides > 300, "{strides}");

        let query = Element::Float.literal(&clusters.vector());
        let read = "SELECT count(*) FROM t a, t b WHERE a.id < 100 AND b.e MATCH a.e AND b.k = 300 AND b.n + 0 = 1"
            .to_string();
        let exact = format!(
            "SELECT sum(distance) FROM t, (SELECT id AS i FROM t LIMIT 20) WHERE e MATCH vec_scale({query}, 1.0 + i) AND ef_search = 'exact'"
        );
        for sql in [&read, &exact, sound, "INSERT INTO t(t) VALUES ('rebuild')"] {
            host.run("SAVEPOINT whole");
            let (_, strides) = host.stopped_at_call(STRIDE, 0, || host.run(sql));
            host.run("ROLLBACK TO whole; RELEASE whole");
            check_interrupted(&host, sql, strides);
            host.run("SELECT id FROM t LIMIT 1");
        }
        assert_eq!(host.ids(ids), (0..3_000).collect::<Vec<i64>>());
        host.run(sound);
    }
}

const READS: &[&str] = &[
    "SELECT id FROM t('[1,0,0,0,0,0,0,0]') ORDER BY distance LIMIT 5",
    "SELECT count(*) FROM t WHERE e MATCH '[1,0,0,0,0,0,0,0]' AND n = 3",
    "SELECT id FROM t WHERE n = 4 AND id < 100",
    "SELECT vec_json(e) FROM t WHERE id = 700",
    "SELECT value FROM hnsw_info('t') WHERE key = 'nodes'",
    "SELECT count(*) FROM t_rows",
    "PRAGMA integrity_check",
];

const WRITES: &[&str] = &[
    "INSERT INTO t(n) VALUES (1)",
    "INSERT INTO t VALUES (5000, 1, '[1,2,3,4,5,6,7,8]')",
    "UPDATE t SET n = 3 WHERE id = 5",
    "UPDATE t SET e = '[1,2,3,4,5,6,7,8]'",
    "DELETE FROM t WHERE id = 5",
    "DELETE FROM t",
    "INSERT INTO t(t) VALUES ('optimize')",
    "INSERT INTO t(t, k) VALUES ('ef_search', 10)",
    "ALTER TABLE t RENAME TO u",
    "DROP TABLE t",
    "CREATE VIRTUAL TABLE u USING hnsw(e FLOAT[2])",
];

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn read_only_files_are_searched_in_full_and_not_changed() {
    for host in Host::both(library()) {
        for mode in ["DELETE", "WAL"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("t.db");
            let writer = host.beside(&path, library());
            writer.run(&format!("PRAGMA journal_mode = {mode}"));
            writer.run("CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[8])");
            writer.run(&insert(0, 1_300).replace(",NULL)", ")"));
            let expected: Vec<Vec<String>> = READS.iter().map(|sql| writer.rows(sql)).collect();
            drop(writer);
            let (bytes, left) = (std::fs::read(&path).unwrap(), files(folder.path()));
            assert_eq!(left, ["t.db"]);
            for (way, prepare) in [
                ("mode=ro", ""),
                ("immutable=1", ""),
                ("mode=ro&immutable=1", ""),
                ("mode=rw", "PRAGMA query_only = 1"),
            ] {
                let reader = host.beside(format!("file:{}?{way}", path.display()), library());
                reader.run(prepare);
                for round in 0..2 {
                    for (sql, expected) in READS.iter().zip(&expected) {
                        assert_eq!(&reader.rows(sql), expected, "{way}: {sql}");
                    }
                    for sql in WRITES {
                        let error = reader.refusal(sql);
                        let got = (error.code & 0xff, &error.message[..]);
                        assert_eq!(got, (READ_ONLY, "attempt to write a readonly database"), "{way}: {sql}");
                    }
                    if round == 0 {
                        reader.run("BEGIN");
                    }
                }
                reader.run("COMMIT");
                drop(reader);
                assert!(std::fs::read(&path).unwrap() == bytes, "{mode}, {way}: the file has changed");
                // A read-only connection cannot remove the WAL of its database.
                let may_stay = mode == "WAL" && way == "mode=ro";
                assert!(may_stay || files(folder.path()) == left, "{mode}, {way}: {:?}", files(folder.path()));
                for name in ["t.db-wal", "t.db-shm"] {
                    let _ = std::fs::remove_file(folder.path().join(name));
                }
            }
        }
    }
}

#[test]
fn reading_writes_nothing() {
    for host in Host::both(library()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let writer = host.beside(&path, library());
        writer.run("CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[8])");
        writer.run(&insert(0, 1_300).replace(",NULL)", ")"));
        writer.run("DELETE FROM t WHERE id < 50");
        drop(writer);
        let bytes = std::fs::read(&path).unwrap();
        let reader = host.beside(&path, library());
        let version = reader.line("PRAGMA data_version");
        for sql in READS {
            reader.run(sql);
        }
        // A transaction that only reads takes only a shared lock.
        let other = host.beside(&path, library());
        other.run("BEGIN");
        READS.iter().for_each(|sql| other.run(sql));
        reader.run("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK");
        other.run("COMMIT");
        assert_eq!(reader.line("PRAGMA data_version"), version);
        assert_eq!(reader.line("SELECT total_changes()"), "0");
        drop((reader, other));
        assert!(std::fs::read(&path).unwrap() == bytes, "the file has changed");
        assert_eq!(files(folder.path()), ["t.db"]);
    }
}

/// The writes of the refused row are undone, or the whole statement is.
#[test]
fn an_interrupt_while_a_refused_row_is_undone_keeps_rows_and_nodes_together() {
    const CONSTRAINT: i32 = 19;
    const TABLE: &str = "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER UNIQUE, n INTEGER CHECK (n <> -4), e FLOAT[2]);
        INSERT INTO t WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 30)
          SELECT i, i, json_array(i, 1) FROM s";
    let statements = [
        "UPDATE OR FAIL t SET id = 60, e = '[0,5]' WHERE id BETWEEN 18 AND 21",
        "UPDATE OR IGNORE t SET e = '[1,9]', n = -n WHERE id IN (3, 4, 5)",
        "INSERT OR FAIL INTO t VALUES (100, 1, '[1,2]'), (5, 1, '[2,2]'), (101, 2, '[4,4]')",
    ];
    let hosts = Host::both(library());
    let ways = statements.iter().flat_map(|sql| [(sql, ""), (sql, "BEGIN; UPDATE t SET n = 99 WHERE id = 29")]);
    for ((sql, begin), host) in ways.zip(hosts.iter().cycle()) {
        let (mut interrupted, mut refused, mut call) = (0, 0, 1);
        loop {
            host.run(&format!("DROP TABLE IF EXISTS t; {TABLE}; {begin}"));
            let (result, calls) = host.stopped_at_call(3, call, || host.execute(sql));
            match result.as_ref().err().map(|error| error.code & 0xff) {
                Some(INTERRUPT) => interrupted += 1,
                Some(CONSTRAINT) => refused += 1,
                None => {}
                code => panic!("{sql}: {code:?}"),
            }
            if !host.is_autocommit() && host.execute("COMMIT").is_err() {
                assert!(host.is_autocommit());
            }
            host.check_sound("t");
            if calls < call {
                break;
            }
            call += 1;
        }
        assert!(interrupted > 10 && refused > 0 || sql.contains("IGNORE"), "{sql}: {interrupted}, {refused}");
    }
}
