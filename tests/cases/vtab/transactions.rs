//! Transactions, savepoints, other connections, read-only files, and cursors that stay open while rows change.

use crate::{Numbers, check_sound, error, hosts, line, rows, run};
use vecrank_tests::{Host, library, open, open_file};

const TABLE: &str = "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[4], metric = 'l2');";

const NEAREST: &str = "SELECT id FROM t('[0,0,0,0]') ORDER BY distance";

#[test]
fn rolled_back_writes_leave_no_trace() {
    for host in hosts(TABLE) {
        run(&host, "INSERT INTO t VALUES (1, 1, '[1,0,0,0]'), (2, 2, '[2,0,0,0]')");
        run(&host, "BEGIN; INSERT INTO t VALUES (3, 3, '[0,0,0,0]'); DELETE FROM t WHERE id = 1");
        assert_eq!(line(&host, NEAREST), "3 2");
        run(&host, "ROLLBACK");
        assert_eq!(line(&host, NEAREST), "1 2");
        run(
            &host,
            "BEGIN; SAVEPOINT a; INSERT INTO t VALUES (3, 3, '[0,0,0,0]'); SAVEPOINT b; UPDATE t SET e = '[9,0,0,0]' WHERE id = 1",
        );
        assert_eq!(line(&host, NEAREST), "3 2 1");
        run(&host, "ROLLBACK TO b");
        assert_eq!(line(&host, NEAREST), "3 1 2");
        run(&host, "RELEASE b; DELETE FROM t; ROLLBACK TO a; INSERT INTO t VALUES (4, 4, '[0.5,0,0,0]'); RELEASE a");
        assert_eq!(line(&host, NEAREST), "4 1 2");
        run(&host, "COMMIT");
        assert_eq!(line(&host, NEAREST), "4 1 2");
        check_sound(&host, "t");
        // The search links the new row inside the savepoint, whose rollback undoes that.
        run(&host, "BEGIN; INSERT INTO t VALUES (5, 5, '[0,0,0,0]'); SAVEPOINT a");
        assert_eq!(line(&host, NEAREST), "5 4 1 2");
        run(&host, "ROLLBACK TO a; COMMIT");
        assert_eq!(line(&host, NEAREST), "5 4 1 2");
        check_sound(&host, "t");
    }
}

/// SQLite opens a savepoint for a statement over several rows. The next savepoint reuses its number.
#[test]
fn rows_written_before_a_savepoint_are_linked_after_its_rollback() {
    for host in hosts(TABLE) {
        run(&host, "BEGIN; INSERT INTO t SELECT value, value, '[' || value || ',0,0,0]' FROM json_each('[1,2,3]')");
        run(&host, "SAVEPOINT a; INSERT INTO t VALUES (4, 4, '[0,0,0,0]'); ROLLBACK TO a; COMMIT");
        assert_eq!(line(&host, NEAREST), "1 2 3");
        check_sound(&host, "t");
        run(
            &host,
            "BEGIN; UPDATE t SET n = 0 WHERE n > 9; SAVEPOINT a; RELEASE a; INSERT INTO t VALUES (5, 5, '[5,0,0,0]')",
        );
        run(&host, "SAVEPOINT b; DELETE FROM t; ROLLBACK TO b; COMMIT");
        assert_eq!(line(&host, NEAREST), "1 2 3 5");
        check_sound(&host, "t");
        assert_eq!(line(&host, "SELECT value FROM hnsw_info('t') WHERE key = 'pending'"), "0");
    }
}

#[test]
fn random_changes_agree_with_a_model() {
    for (host, seed) in hosts(TABLE).into_iter().zip(11..) {
        run(&host, "CREATE TABLE model(id INTEGER PRIMARY KEY, n INTEGER, e BLOB)");
        let mut numbers = Numbers::from_seed(seed);
        let mut done: Vec<String> = Vec::new();
        for step in 0..400 {
            let (id, other) = (numbers.below(60), numbers.below(60));
            let vector = numbers.vector(4);
            let change = match numbers.below(16) {
                0..=4 => format!("INSERT OR REPLACE INTO @ VALUES ({id}, {step}, vec_parse('{vector}'))"),
                5 => format!(
                    "INSERT OR IGNORE INTO @ VALUES ({id}, {step}, NULL), ({other}, {step}, vec_parse('{vector}'))"
                ),
                6 => format!("UPDATE @ SET e = vec_parse('{vector}') WHERE id BETWEEN {id} AND {id} + 5"),
                7 => format!("UPDATE @ SET n = {step} WHERE id > {id}"),
                8 => format!("UPDATE OR REPLACE @ SET id = {other} WHERE id = {id}"),
                9 => format!("DELETE FROM @ WHERE id BETWEEN {id} AND {id} + 3"),
                10 => "BEGIN".into(),
                11 => "COMMIT".into(),
                12 => "ROLLBACK".into(),
                13 => format!("SAVEPOINT s{}", numbers.below(3)),
                14 => format!("ROLLBACK TO s{}", numbers.below(3)),
                _ => format!("RELEASE s{}", numbers.below(3)),
            };
            done.push(change.clone());
            let statements = if change.contains('@') {
                vec![change.replace('@', "t"), change.replace('@', "model")]
            } else {
                vec![change]
            };
            // BEGIN inside a transaction, for instance, fails on both.
            let results: Vec<bool> = statements.iter().map(|sql| host.execute(sql).is_ok()).collect();
            assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:?} after {done:#?}");
            if step % 7 == 0 {
                let of = |table: &str| rows(&host, &format!("SELECT id, n, quote(e) FROM {table} ORDER BY id"));
                assert_eq!(of("t"), of("model"), "after {done:#?}");
                let truth = "SELECT id FROM model WHERE e IS NOT NULL ORDER BY vec_l2(e, vec_parse('[0,0,0,0]')), id";
                assert_eq!(rows(&host, NEAREST), rows(&host, truth), "after {done:#?}");
            }
        }
        let _ = host.execute("COMMIT");
        check_sound(&host, "t");
    }
}

#[test]
fn other_connections_see_committed_rows_only() {
    for mode in ["DELETE", "WAL"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let (one, two) = (Host::bundled(&path), Host::bundled(&path));
        one.load(library()).unwrap();
        two.load(library()).unwrap();
        run(&one, &format!("PRAGMA journal_mode = {mode}; {TABLE} INSERT INTO t VALUES (1, 1, '[1,0,0,0]')"));
        assert_eq!(line(&two, NEAREST), "1");
        run(&one, "INSERT INTO t VALUES (2, 2, '[0.5,0,0,0]')");
        assert_eq!(line(&two, NEAREST), "2 1");
        run(&two, "DELETE FROM t WHERE id = 1; INSERT INTO t(t, k) VALUES ('ef_search', 3)");
        assert_eq!(line(&one, NEAREST), "2");
        if mode == "WAL" {
            run(&one, "BEGIN; INSERT INTO t VALUES (3, 3, '[0,0,0,0]')");
            assert_eq!(line(&two, NEAREST), "2");
            run(&two, "BEGIN");
            assert_eq!(line(&two, NEAREST), "2");
            run(&one, "COMMIT");
            assert_eq!(line(&two, NEAREST), "2");
            run(&two, "COMMIT");
            assert_eq!(line(&two, NEAREST), "3 2");
        }
        run(&two, "ALTER TABLE t RENAME TO u");
        assert_eq!(error(&one, NEAREST), "no such table: t");
        run(&one, "INSERT INTO u VALUES (4, 4, '[0,0,0,0.1]')");
        check_sound(&two, "u");
    }
}

#[test]
fn read_only_files_are_read_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let writer = open_file(&path);
    writer.execute_batch(&format!("{TABLE} INSERT INTO t VALUES (1, 1, '[1,0,0,0]'), (2, 2, '[2,0,0,0]')")).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let count = |connection: &rusqlite::Connection| {
        connection
            .query_row("SELECT group_concat(id) FROM t('[0,0,0,0]') WHERE n > 0", [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    for parameters in ["mode=ro", "immutable=1"] {
        use rusqlite::OpenFlags;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let reader =
            rusqlite::Connection::open_with_flags(format!("file:{}?{parameters}", path.display()), flags).unwrap();
        vecrank_tests::load(&reader, library());
        assert_eq!(count(&reader), "1,2");
        let refused = reader.execute("INSERT INTO t VALUES (3, 3, NULL)", []).unwrap_err();
        assert_eq!(refused.to_string(), "attempt to write a readonly database");
        assert_eq!(count(&reader), "1,2");
    }
    writer.pragma_update(None, "query_only", true).unwrap();
    assert_eq!(count(&writer), "1,2");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_cursor_survives_writes_during_a_read() {
    let connection = open();
    connection.execute_batch(TABLE).unwrap();
    let insert = |id: i64| {
        connection.execute("INSERT INTO t VALUES (?1, ?1, '[' || ?1 || ',0,0,1]')", [id]).unwrap();
    };
    (1..=60).for_each(insert);
    for filter in ["", "WHERE n % 2 < 5", "WHERE id IN (SELECT id FROM t)"] {
        let mut statement = connection
            .prepare(&format!("SELECT id, n, vec_json(e) FROM t('[0,0,0,0]') {filter} ORDER BY distance"))
            .unwrap();
        let mut found = statement.query([]).unwrap();
        let mut ids: Vec<i64> = Vec::new();
        while let Some(row) = found.next().unwrap() {
            let id: i64 = row.get(0).unwrap();
            assert_eq!(row.get::<_, Option<String>>(2).unwrap(), Some(format!("[{id},0,0,1]")), "{filter}");
            ids.push(id);
            if id == 10 {
                connection
                    .execute_batch("BEGIN; UPDATE t SET n = -n; DELETE FROM t WHERE id BETWEEN 20 AND 29; COMMIT")
                    .unwrap();
                (20..30).for_each(|id| insert(id + 1000));
            }
        }
        let expected: Vec<i64> = (1..=60).filter(|id| !(20..30).contains(id)).collect();
        let old: Vec<i64> = ids.iter().copied().filter(|id| *id < 1000).collect();
        assert_eq!(old, expected, "{filter}");
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "{filter}: a row came twice: {ids:?}");
        drop(found);
        drop(statement);
        connection.execute_batch("DELETE FROM t WHERE id > 1000").unwrap();
        (20..30).for_each(insert);
    }
}

/// A commit of the connection changes nodes that the open search would take from the node cache.
#[test]
fn an_open_search_sees_what_its_connection_commits() {
    let connection = open();
    connection.execute_batch(TABLE).unwrap();
    connection
        .execute_batch(
            "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000)
               INSERT INTO t SELECT i, i, vec_parse(json_array(i % 60, i / 60, 0, 1)) FROM s",
        )
        .unwrap();
    let sql = "SELECT id, vec_json(e) FROM t WHERE e MATCH '[30,25,0,1]' ORDER BY distance LIMIT 40";
    let all = |sql: &str| -> Vec<i64> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    // The second search makes the cache of the rows, the third reads it.
    let order: Vec<i64> = (0..3).map(|_| all(sql)).next_back().unwrap();
    let moved = order[30];
    let mut statement = connection.prepare(sql).unwrap();
    let mut found = statement.query([]).unwrap();
    let mut ids = Vec::new();
    while let Some(row) = found.next().unwrap() {
        ids.push(row.get::<_, i64>(0).unwrap());
        row.get::<_, String>(1).unwrap();
        if ids.len() == 3 {
            connection.execute("UPDATE t SET e = '[900,900,900,1]' WHERE id = ?1", [moved]).unwrap();
        }
    }
    assert!(!ids.contains(&moved), "{moved} is far away now: {ids:?}");
    assert_eq!(ids.len(), 40);
}

#[test]
fn defensive_mode_refuses_writes_to_shadow_tables() {
    use rusqlite::config::DbConfig;
    let connection = open();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).unwrap();
    connection
        .execute_batch(
            "CREATE VIRTUAL TABLE t USING hnsw(x INDEXED, e FLOAT[2], f FLOAT[2]);
             INSERT INTO t VALUES (1, '[1,0]', '[1,0]'), (2, '[0,1]', NULL); UPDATE t SET x = 3, e = '[1,1]' WHERE x = 2;
             ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (5, '[1,0]', '[1,0]'); INSERT INTO u(u) VALUES ('optimize');
             DELETE FROM u WHERE x = 1; INSERT INTO u(u) VALUES ('integrity-check');",
        )
        .unwrap();
    for suffix in ["config", "rows", "nodes", "nodes1", "graph"] {
        let refused = connection.execute(&format!("DELETE FROM u_{suffix}"), []).unwrap_err();
        assert!(refused.to_string().starts_with(&format!("table u_{suffix} may not be modified")), "{refused}");
    }
    connection.execute_batch("DROP TABLE u").unwrap();
}

/// After a schema change SQLite uses a new object for the table, and commits through both.
#[test]
fn a_transaction_can_change_the_schema_between_writes() {
    for host in hosts(TABLE) {
        run(&host, "CREATE TABLE other(x); INSERT INTO t VALUES (1, 1, '[1,0,0,0]')");
        let names = [("other", "another"), ("t", "u")];
        for (number, (from, to)) in (2..).step_by(4).zip(names.iter().cycle().take(2)) {
            let table = if *from == "t" { "u" } else { "t" };
            let nearest = format!("SELECT id FROM {table}('[0,0,0,0]') ORDER BY distance");
            let add = |table: &str, id: i32| format!("INSERT INTO {table} VALUES ({id}, 1, '[0,{id},0,0]')");
            run(&host, &format!("BEGIN; {}", add("t", number)));
            run(&host, &format!("ALTER TABLE {from} RENAME TO {to}"));
            let before: Vec<String> = (1..=number).map(|id| id.to_string()).collect();
            assert_eq!(rows(&host, &nearest), before, "after {from}");
            run(&host, &format!("{}; SAVEPOINT a; {}", add(table, number + 1), add(table, number + 3)));
            assert_eq!(rows(&host, &nearest).len(), before.len() + 2);
            run(&host, &format!("ROLLBACK TO a; {}; {}", add(table, number + 2), add(table, number + 3)));
            run(&host, "COMMIT");
            check_sound(&host, table);
            assert_eq!(rows(&host, &nearest).len(), before.len() + 3);
        }
        // The table is dropped, and another one is created under its name.
        run(&host, "BEGIN; INSERT INTO u VALUES (20, 1, '[0,0,0,9]'); ALTER TABLE u RENAME TO t; DROP TABLE t; COMMIT");
        assert_eq!(error(&host, NEAREST), "no such table: t");
        for e in ["FLOAT[4]", "FLOAT[9]"] {
            run(&host, TABLE);
            run(&host, "BEGIN; INSERT INTO t VALUES (20, 1, '[0,0,0,9]'); ALTER TABLE another RENAME TO more");
            run(&host, &format!("DROP TABLE t; {}; INSERT INTO t(id) VALUES (3)", TABLE.replace("FLOAT[4]", e)));
            run(&host, "COMMIT");
            check_sound(&host, "t");
            assert_eq!(line(&host, "SELECT id FROM t"), "3");
            run(&host, "DROP TABLE t; ALTER TABLE more RENAME TO another");
        }
    }
}

/// After a schema change SQLite uses a new object for the table. That one renames the table that the first one wrote.
#[test]
fn pending_rows_are_linked_before_any_rename() {
    for host in hosts(TABLE) {
        run(&host, "CREATE TABLE other(x); INSERT INTO t VALUES (1, 1, '[1,0,0,0]'), (2, 2, '[2,0,0,0]')");
        run(&host, "BEGIN; INSERT INTO t VALUES (3, 3, '[0,0,0,0]'); ALTER TABLE other RENAME TO another");
        run(&host, "ALTER TABLE t RENAME TO u; COMMIT");
        assert_eq!(line(&host, "SELECT id FROM u('[0,0,0,0]') ORDER BY distance"), "3 1 2");
        check_sound(&host, "u");
        run(&host, "BEGIN; DELETE FROM u; ALTER TABLE another RENAME TO other; ALTER TABLE u RENAME TO t; COMMIT");
        assert_eq!(line(&host, "SELECT value FROM hnsw_info('t') WHERE key = 'deleted'"), "0");
        check_sound(&host, "t");
    }
}

/// An interrupt of a statement that writes undoes the whole transaction. The statement must then report an error.
#[test]
fn an_interrupted_statement_reports_an_error_or_is_done() {
    let rows_of = |host: &Host, table: &str| {
        line(host, &format!("SELECT group_concat(id) FROM (SELECT id FROM {table} ORDER BY id)"))
    };
    for host in hosts(TABLE) {
        run(&host, "INSERT INTO t VALUES (1, 1, '[1,0,0,0]'), (2, 2, '[2,0,0,0]')");
        for sql in ["COMMIT", "UPDATE u SET e = '[3,0,0,0]' WHERE id = 2"] {
            let mut stopped = 0;
            for at in 1.. {
                run(&host, "BEGIN; ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (9, 9, '[9,0,0,0]')");
                let (result, made) = host.stopped_at_call(1, at, || host.execute(sql));
                let what = format!("{sql}, stopped at call {at}: {result:?}");
                stopped += u32::from(result.is_err());
                // The interrupt may come after the statement has done its work.
                let is_there = line(&host, "SELECT count(*) FROM sqlite_master WHERE name = 'u'") == "1";
                assert!(is_there || result.is_err(), "{what}: the transaction is gone");
                let (table, expected) = if is_there { ("u", "1,2,9") } else { ("t", "1,2") };
                assert_eq!(rows_of(&host, table), expected, "{what}");
                check_sound(&host, table);
                match (host.is_autocommit(), is_there) {
                    (false, _) => run(&host, "ROLLBACK"),
                    (true, true) => run(&host, "DELETE FROM u WHERE id = 9; ALTER TABLE u RENAME TO t"),
                    (true, false) => {}
                }
                if made < at {
                    break;
                }
            }
            assert!(stopped > 10, "{sql}: {stopped}");
        }
    }
}
