//! Users' triggers on the rows table: whatever they refuse, ignore, undo or write, rows and nodes stay together.

use vecrank_tests::Host;

use super::{check_sound, error, hosts, line, rows, run};

/// A table `t` and an ordinary table `p` with the same rows, 1 to 30.
const TWINS: &str = "
    CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[2], metric = 'l2');
    CREATE TABLE p(id INTEGER PRIMARY KEY, n INTEGER, e BLOB);
    CREATE TABLE source(id INTEGER, n INTEGER, e BLOB);
    WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 30)
      INSERT INTO p SELECT i, i % 7, vec_parse(json_array(i, 1)) FROM s;
    INSERT INTO source SELECT id + 100, CASE id WHEN 2 THEN 77 ELSE n END, e FROM p WHERE id < 4;
    INSERT INTO t SELECT * FROM p;";

/// Statements on `{}` over several rows, of which one fires the triggers.
const STATEMENTS: [&str; 9] = [
    "INSERT {or} INTO {} SELECT * FROM source",
    "INSERT {or} INTO {} VALUES (200, 77, vec_parse('[9,9]'))",
    "UPDATE {or} {} SET n = 77 WHERE id = 5",
    "UPDATE {or} {} SET n = CASE id WHEN 5 THEN 77 ELSE 8 END WHERE id BETWEEN 4 AND 6",
    "UPDATE {or} {} SET n = 77, e = vec_parse('[3,4]') WHERE id = 5",
    "UPDATE {or} {} SET n = 77, id = 300 WHERE id = 5",
    "UPDATE {or} {} SET n = CASE id WHEN 5 THEN 77 ELSE 8 END, id = id + 400, e = NULL WHERE id BETWEEN 4 AND 6",
    "DELETE FROM {} WHERE id = 9",
    "DELETE FROM {} WHERE id BETWEEN 8 AND 10",
];

/// The content of one of the two tables, as a host sees it.
fn state(host: &Host, table: &str) -> Vec<String> {
    rows(host, &format!("SELECT id, n, vec_json(e) FROM {table} ORDER BY id"))
}

fn outcome(host: &Host, statement: &str, table: &str) -> Option<String> {
    host.execute(&statement.replace("{}", table)).err().map(|error| error.message)
}

/// Checks that a statement does the same to `t` and `p`, and that `t` is sound after it and after the transaction.
fn check_twins(trigger: &str, statement: &str, in_transaction: bool) {
    for (host, twin) in hosts(TWINS).iter().zip(hosts(TWINS)) {
        let what = format!("SQLite {}: {trigger}: {statement}", host.version());
        run(host, &trigger.replace("{}", "t_rows"));
        run(&twin, &trigger.replace("{}", "p"));
        for host in [host, &twin].into_iter().filter(|_| in_transaction) {
            run(host, "BEGIN; UPDATE t SET n = n + 50 WHERE id > 20; UPDATE p SET n = n + 50 WHERE id > 20");
        }
        let (ours, theirs) = (outcome(host, statement, "t"), outcome(&twin, statement, "p"));
        assert_eq!(ours.is_some(), theirs.is_some(), "{what}: {ours:?}, an ordinary table: {theirs:?}");
        let is_fail = trigger.contains("FAIL") || statement.contains("OR FAIL");
        // RAISE(FAIL) keeps what is written. If a row is half written, the transaction has to be rolled back.
        let gives_up = is_fail && ours.is_some();
        if !gives_up {
            assert_eq!(state(host, "t"), state(&twin, "p"), "{what}");
            assert_eq!(host.is_autocommit(), twin.is_autocommit(), "{what}");
        }
        if !host.is_autocommit() {
            let committed = host.execute("COMMIT");
            assert!(committed.is_ok() || gives_up, "{what}: {committed:?}");
        }
        check_sound(host, "t");
        assert_eq!(
            rows(host, "SELECT id FROM t('[5,1]') ORDER BY id"),
            rows(host, "SELECT id FROM t WHERE e IS NOT NULL ORDER BY id"),
            "{what}"
        );
    }
}

#[test]
fn a_trigger_can_ignore_refuse_or_undo_any_write() {
    for raise in ["RAISE(IGNORE)", "RAISE(ABORT, 'no')", "RAISE(FAIL, 'no')", "RAISE(ROLLBACK, 'no')"] {
        for time in ["BEFORE", "AFTER"] {
            for statement in STATEMENTS {
                let event = statement.split(' ').next().unwrap_or_default();
                let when = if event == "DELETE" { "old.id = 9" } else { "new.n = 77" };
                let trigger = format!("CREATE TRIGGER x {time} {event} ON {{}} WHEN {when} BEGIN SELECT {raise}; END");
                for or in ["", "OR IGNORE", "OR REPLACE", "OR FAIL"] {
                    let statement = statement.replace("{or}", or);
                    for in_transaction in [false, true] {
                        check_twins(&trigger, &statement, in_transaction);
                    }
                    if event == "DELETE" {
                        break;
                    }
                }
            }
        }
    }
}

/// SQLite acts on a virtual table's constraint error by the OR clause, which in an ordinary table does not overrule a
/// trigger: so there the error is a plain one.
#[test]
fn the_code_of_a_refusal_depends_on_the_or_clause() {
    const CONSTRAINT_TRIGGER: i32 = 1811;
    for raise in ["ABORT", "FAIL", "ROLLBACK"] {
        for event in ["INSERT", "UPDATE"] {
            for (or, code) in [
                ("", CONSTRAINT_TRIGGER),
                ("OR ABORT", CONSTRAINT_TRIGGER),
                ("OR REPLACE", CONSTRAINT_TRIGGER),
                ("OR IGNORE", 1),
                ("OR FAIL", 1),
                ("OR ROLLBACK", 1),
            ] {
                let statement = match event {
                    "INSERT" => {
                        format!("INSERT {or} INTO t VALUES (100, 1, '[1,1]'), (101, 77, '[1,1]'), (102, 1, '[1,1]')")
                    }
                    _ => format!("UPDATE {or} t SET n = 77, e = '[3,4]' WHERE id = 5"),
                };
                let trigger = format!(
                    "CREATE TRIGGER x BEFORE {event} ON t_rows WHEN new.n = 77 BEGIN SELECT RAISE({raise}, 'no'); END"
                );
                for host in hosts(TWINS) {
                    run(&host, &trigger);
                    let refused = host.query(&statement).unwrap_err();
                    assert_eq!((refused.message.as_str(), refused.code), ("no", code), "{trigger}: {statement}");
                    // RAISE(FAIL) too takes back the rows before: SQLite would keep them in an ordinary table.
                    assert_eq!(state(&host, "t"), state(&host, "p"), "{trigger}: {statement}");
                    check_sound(&host, "t");
                }
            }
        }
    }
}

#[test]
fn a_statement_that_failed_half_way_cannot_be_committed() {
    for host in hosts(TWINS) {
        run(
            &host,
            "CREATE TRIGGER x AFTER UPDATE ON t_rows WHEN new.n = 77 BEGIN SELECT RAISE(FAIL, 'no'); END;
             BEGIN; UPDATE t SET n = 1 WHERE id = 1",
        );
        assert_eq!(error(&host, "UPDATE t SET n = 77, e = '[8,8]' WHERE id = 5"), "no");
        assert_eq!(error(&host, "COMMIT"), "t: a statement failed half-way: this transaction must be rolled back");
        assert!(host.is_autocommit());
        assert_eq!(state(&host, "t"), state(&host, "p"));
        check_sound(&host, "t");
    }
}

/// OR REPLACE deletes conflicting rows first, and RAISE(FAIL) keeps a written row. An error after either is half-way.
#[test]
fn a_replacement_refused_by_a_trigger_deletes_no_row() {
    let cases = [
        ("AFTER INSERT", "new.id = 5", "ABORT, 'no'", "INSERT OR REPLACE INTO t VALUES (5, 1, '[1,1]')"),
        ("AFTER INSERT", "new.id = 5", "FAIL, 'no'", "INSERT OR REPLACE INTO t VALUES (5, 1, '[1,1]')"),
        ("AFTER INSERT", "new.id = 55", "FAIL, 'no'", "INSERT INTO t VALUES (55, 1, '[1,1]')"),
        ("AFTER DELETE", "old.id = 5", "FAIL, 'no'", "INSERT OR REPLACE INTO t VALUES (5, 1, '[1,1]')"),
        ("AFTER DELETE", "old.id = 5", "FAIL, 'no'", "DELETE FROM t WHERE id = 5"),
        ("AFTER UPDATE", "new.id = 5", "ABORT, 'no'", "UPDATE OR REPLACE t SET id = 5 WHERE id = 7"),
    ];
    for (event, when, raise, statement) in cases {
        for begin in ["", "BEGIN; UPDATE t SET n = n WHERE id = 1"] {
            for host in hosts(TWINS) {
                let trigger =
                    format!("CREATE TRIGGER x {event} ON t_rows WHEN {when} BEGIN SELECT RAISE({raise}); END");
                run(&host, &format!("{trigger}; {begin}"));
                assert_eq!(error(&host, statement), "no", "{trigger}: {statement}");
                if !host.is_autocommit() {
                    // Not always half-way: SQLite undoes some statements itself.
                    assert!(host.execute("COMMIT").is_ok() || host.is_autocommit());
                }
                assert_eq!(state(&host, "t"), state(&host, "p"), "{trigger}: {begin} {statement}");
                check_sound(&host, "t");
            }
        }
    }
}

#[test]
fn a_trigger_can_write_its_own_table() {
    let cases = [
        ("AFTER INSERT ON t_rows WHEN new.id < 1000", "INSERT INTO t VALUES (new.id + 1000, 1, '[0,0]')", 32),
        ("AFTER INSERT ON t_rows", "DELETE FROM t WHERE id = new.id - 80", 30),
        ("BEFORE INSERT ON t_rows", "UPDATE t SET e = '[7,7]', n = 9 WHERE id > 20", 31),
        ("AFTER DELETE ON t_rows WHEN old.id > 3", "DELETE FROM t WHERE id = old.id - 3", 20),
        (
            "AFTER UPDATE OF n ON t_rows WHEN new.id < 28",
            "UPDATE t SET n = n + 1, e = '[5,6]' WHERE id = new.id + 3",
            30,
        ),
    ];
    for (trigger, body, count) in cases {
        for host in hosts(TWINS) {
            run(&host, &format!("CREATE TRIGGER x {trigger} BEGIN {body}; END"));
            let statement = match trigger.split(' ').nth(1) {
                Some("DELETE") => "DELETE FROM t WHERE id = 30",
                Some("UPDATE") => "UPDATE t SET n = 70 WHERE id = 1",
                _ => "INSERT INTO t VALUES (100, 5, '[1,2]')",
            };
            run(&host, statement);
            check_sound(&host, "t");
            assert_eq!(line(&host, "SELECT count(*) FROM t"), count.to_string(), "{trigger} {body}");
            assert_eq!(line(&host, "SELECT count(*) FROM t('[1,1]')"), count.to_string(), "{trigger} {body}");
        }
    }
}

/// While a trigger of a row runs, the row's node is not written yet. The error must not call that damage.
#[test]
fn the_error_names_a_trigger_that_reads_a_half_written_row() {
    let cases = [
        ("AFTER DELETE", "SELECT n FROM t('[1,1]')", "DELETE FROM t WHERE id < 20"),
        ("AFTER DELETE", "INSERT INTO t(t) VALUES ('rebuild')", "DELETE FROM t WHERE id < 4"),
        ("AFTER UPDATE OF n", "INSERT INTO t(t) VALUES ('rebuild')", "UPDATE t SET n = 6, e = '[2,2]' WHERE id < 3"),
        ("BEFORE DELETE", "UPDATE t SET e = '[9,9]' WHERE id = old.id", "DELETE FROM t WHERE id = 5"),
        (
            "BEFORE UPDATE OF n",
            "UPDATE t SET e = '[9,9]' WHERE id = 5",
            "UPDATE t SET n = 77, e = '[8,8]' WHERE id = 5",
        ),
    ];
    for (event, body, statement) in cases {
        for begin in ["", "BEGIN; INSERT INTO source VALUES (1, 1, 1)"] {
            for host in hosts(TWINS) {
                run(&host, &format!("CREATE TRIGGER x {event} ON t_rows BEGIN {body}; END; {begin}"));
                let message = error(&host, statement);
                let expected = "t: a trigger on t_rows writes or searches the table while a row is half written (t_";
                assert!(message.starts_with(expected), "{event} {body}: {message}");
                if !host.is_autocommit() {
                    // Not always half-way: SQLite undoes some statements itself.
                    assert!(host.execute("COMMIT").is_ok() || host.is_autocommit());
                }
                assert_eq!(state(&host, "t"), state(&host, "p"), "{event} {body}");
                check_sound(&host, "t");
            }
        }
    }
}

/// Nodes are not renumbered until the row is written.
#[test]
fn a_trigger_can_search_the_table_during_a_bulk_write() {
    for host in hosts(TWINS) {
        let nearest = "SELECT new.id, id FROM t WHERE e MATCH '[3,4]' ORDER BY distance LIMIT 2";
        run(
            &host,
            &format!(
                "CREATE TABLE nearest(id, found);
                 CREATE TRIGGER i AFTER UPDATE OF e ON t_rows BEGIN INSERT INTO nearest {nearest}; END;
                 CREATE TRIGGER d BEFORE DELETE ON t_rows BEGIN INSERT INTO nearest {}; END;
                 DELETE FROM t",
                nearest.replace("new.", "old.")
            ),
        );
        assert_eq!(line(&host, "SELECT count(DISTINCT id), min(found) FROM nearest"), "30|2");
        check_sound(&host, "t");
        run(&host, "DELETE FROM nearest; INSERT INTO t SELECT * FROM p");
        assert_eq!(line(&host, "SELECT count(DISTINCT id), min(found) FROM nearest"), "30|1");
        check_sound(&host, "t");
    }
}

/// SQLite undoes nothing of a one-row INSERT into a virtual table, and nothing that its triggers did.
#[test]
fn a_row_refused_after_its_triggers_poisons_the_transaction() {
    for (body, or) in [
        ("UPDATE t SET e = '[4,4]' WHERE id = new.id", ""),
        ("INSERT INTO source VALUES (1, 1, 1); DELETE FROM t_rows WHERE id = new.id", ""),
        ("UPDATE t_rows SET id = 400 WHERE id = new.id", "OR REPLACE"),
    ] {
        for begin in ["", "BEGIN; UPDATE t SET n = n WHERE id = 1"] {
            for host in hosts(TWINS) {
                let written = line(&host, "SELECT count(*) FROM source");
                run(&host, &format!("CREATE TRIGGER x AFTER INSERT ON t_rows BEGIN {body}; END; {begin}"));
                let id = if or.is_empty() { 100 } else { 5 };
                assert_eq!(
                    error(&host, &format!("INSERT {or} INTO t VALUES ({id}, 5, '[1,2]')")),
                    format!("t: a trigger on t_rows deleted or changed row {id} before its vector was written")
                );
                if !host.is_autocommit() {
                    let committed = error(&host, "COMMIT");
                    assert_eq!(committed, "t: a statement failed half-way: this transaction must be rolled back");
                }
                assert_eq!(line(&host, "SELECT count(*) FROM source"), written);
                assert_eq!(state(&host, "t"), state(&host, "p"), "{body}");
                check_sound(&host, "t");
            }
        }
    }
}

#[test]
fn a_row_deleted_by_its_own_trigger_is_refused() {
    for body in ["DELETE FROM t WHERE id = new.id", "UPDATE t_rows SET id = id + 1 WHERE id = new.id"] {
        for host in hosts(TWINS) {
            run(&host, &format!("CREATE TRIGGER x AFTER INSERT ON t_rows BEGIN {body}; END"));
            assert_eq!(
                error(&host, "INSERT INTO t VALUES (100, 5, '[1,2]')"),
                "t: a trigger on t_rows deleted or changed row 100 before its vector was written"
            );
            assert_eq!(state(&host, "t"), state(&host, "p"));
            check_sound(&host, "t");
        }
    }
}

#[test]
fn circular_triggers_are_an_error_and_the_connection_closes() {
    for host in hosts(TWINS) {
        run(
            &host,
            "CREATE VIRTUAL TABLE u USING hnsw(id INTEGER PRIMARY KEY, e FLOAT[2]);
             CREATE TRIGGER there AFTER INSERT ON t_rows BEGIN INSERT INTO u VALUES (new.id + 1, '[1,1]'); END;
             CREATE TRIGGER back AFTER INSERT ON u_rows BEGIN INSERT INTO t VALUES (new.id + 1, 1, '[1,1]'); END",
        );
        let message = error(&host, "INSERT INTO t VALUES (100, 5, '[1,2]')");
        assert!(
            message.ends_with(": triggers on rows tables write hnsw tables in a circle, or more than 16 deep"),
            "{message}"
        );
        assert_eq!(line(&host, "SELECT count(*) FROM u"), "0");
        assert_eq!(state(&host, "t"), state(&host, "p"));
        check_sound(&host, "t");
        check_sound(&host, "u");
        run(&host, "DROP TRIGGER back; INSERT INTO t VALUES (100, 5, '[1,2]')");
        assert_eq!(line(&host, "SELECT id FROM u"), "101");
    }
}

/// The triggers of FTS5's documentation, which fire at every UPDATE of a row.
#[test]
fn a_full_text_index_by_triggers_follows_commits_and_commands() {
    let table = "CREATE VIRTUAL TABLE t USING hnsw(name TEXT, e FLOAT[2], metric = 'l2')";
    for host in hosts(table) {
        run(
            &host,
            "CREATE VIRTUAL TABLE words USING fts5(name, content = 't_rows', content_rowid = 'rowid');
             CREATE TRIGGER i AFTER INSERT ON t_rows BEGIN INSERT INTO words(rowid, name) VALUES (new.rowid, new.name); END;
             CREATE TRIGGER d AFTER DELETE ON t_rows BEGIN
               INSERT INTO words(words, rowid, name) VALUES ('delete', old.rowid, old.name); END;
             CREATE TRIGGER u AFTER UPDATE ON t_rows BEGIN
               INSERT INTO words(words, rowid, name) VALUES ('delete', old.rowid, old.name);
               INSERT INTO words(rowid, name) VALUES (new.rowid, new.name); END",
        );
        let check = |step: &str| {
            run(&host, &format!("{step}; INSERT INTO words(words) VALUES ('integrity-check')"));
            check_sound(&host, "t");
            assert_eq!(
                rows(
                    &host,
                    "SELECT t.name FROM words JOIN t ON t.rowid = words.rowid WHERE words MATCH 'even' ORDER BY 1"
                ),
                rows(&host, "SELECT name FROM t WHERE name LIKE 'even%' ORDER BY 1"),
                "{step}"
            );
        };
        check("INSERT INTO t VALUES ('even 0', '[1,2]')");
        check(
            "BEGIN; WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 1500)
             INSERT INTO t SELECT iif(i % 2, 'odd ', 'even ') || i, json_array(i * 7 % 31, i) FROM s; COMMIT",
        );
        check("UPDATE t SET e = '[3,3]', name = 'even ' || rowid WHERE rowid % 10 = 1");
        check("DELETE FROM t WHERE rowid % 4 = 1");
        check("INSERT INTO t(t) VALUES ('optimize')");
        check("INSERT INTO t(t) VALUES ('rebuild')");
        check("INSERT INTO t(t) VALUES ('cluster')");
    }
}

#[test]
fn renumbering_nodes_fires_no_trigger() {
    let bulk = "BEGIN; WITH RECURSIVE s(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM s WHERE i < 1500)
                INSERT INTO t(n, e) SELECT i, json_array(i * 7 % 31, i) FROM s; DELETE FROM log";
    for host in hosts("CREATE VIRTUAL TABLE t USING hnsw(n, e FLOAT[2]); CREATE TABLE log(id)") {
        run(
            &host,
            &format!(
                "INSERT INTO t VALUES (1, '[1,1]');
                 CREATE TRIGGER a AFTER UPDATE ON t_rows BEGIN INSERT INTO log VALUES (new.rowid); END;
                 CREATE TRIGGER b BEFORE UPDATE ON t_rows WHEN old.n = 1 BEGIN SELECT RAISE(IGNORE); END;
                 {bulk}; COMMIT; INSERT INTO t(t) VALUES ('optimize'); INSERT INTO t(t) VALUES ('rebuild')"
            ),
        );
        assert_eq!(line(&host, "SELECT count(*) FROM log"), "0");
        check_sound(&host, "t");
        // Triggers are on again, and fire for rows that get other rowids.
        run(&host, "UPDATE t SET n = 2 WHERE n = 3");
        assert_eq!(line(&host, "SELECT count(*) FROM log"), "1");
        let kept_back = "t: a trigger on t_rows prevented the renumbering of rows";
        assert_eq!(error(&host, "INSERT INTO t(t) VALUES ('cluster')"), kept_back);
        check_sound(&host, "t");
        run(&host, "DROP TRIGGER b; INSERT INTO t(t) VALUES ('cluster')");
        assert_eq!(line(&host, "SELECT count(*) > 1000 FROM log"), "1");
        check_sound(&host, "t");
        // SQLite does not turn off triggers in the temp schema.
        run(
            &host,
            "CREATE TEMP TRIGGER b BEFORE UPDATE ON main.t_rows WHEN old.n = 1 BEGIN SELECT RAISE(IGNORE); END;
             DELETE FROM t WHERE n = 9",
        );
        let message = error(&host, "INSERT INTO t(t) VALUES ('optimize')");
        assert!(message.starts_with("t: a trigger on t_rows prevented writing the node of row "), "{message}");
        check_sound(&host, "t");
    }
}

/// Turning triggers off expires every statement. A running one would fail where it opens another table.
#[test]
fn renumbering_nodes_breaks_no_running_statement() {
    let bulk = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 60)
                INSERT INTO t(e) SELECT json_array(i * 7 % 31, i) FROM s";
    let names = "(SELECT name FROM names WHERE names.id <= t.id ORDER BY id DESC LIMIT 1)";
    for columns in ["", "OF n", "OF e"] {
        for host in hosts("CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n, e FLOAT[2], metric = 'l2')") {
            run(
                &host,
                &format!(
                    "CREATE TABLE log(id); CREATE TABLE names(id, name); INSERT INTO names VALUES (1, 'a'), (2, 'b'), (50, 'c');
                     CREATE TRIGGER x AFTER UPDATE {columns} ON t_rows WHEN old.e > 0 BEGIN INSERT INTO log VALUES (1); END"
                ),
            );
            // The search links the nodes.
            run(&host, &format!("BEGIN; {bulk}"));
            let found =
                line(&host, &format!("SELECT id, {names} FROM t WHERE e MATCH '[7,1]' ORDER BY distance LIMIT 2"));
            assert_eq!(found, "1|a 5|b");
            run(&host, "COMMIT; DELETE FROM t WHERE id % 2");
            check_sound(&host, "t");
            // A statement that keeps reading while others commit or rebuild.
            let mut errors = Vec::new();
            let mut steps = [bulk, "INSERT INTO t(t) VALUES ('optimize')"].into_iter();
            let read = format!("SELECT id, {names} FROM names AS t");
            let read = host.query_watched(&read, &mut |_| {
                errors.extend(steps.next().and_then(|step| host.execute(step).err()).map(|error| error.message));
            });
            assert_eq!(read.map(|rows| rows.len()).map_err(|error| error.message), Ok(3));
            let expected: &[&str] = match columns {
                "OF n" => &[],
                _ => &[
                    "t: nodes cannot be renumbered while another statement is running, because t_rows has a trigger on \
                        every UPDATE: end the statement, or name the trigger's columns (AFTER UPDATE OF ...)",
                ],
            };
            assert_eq!(errors, expected);
            run(&host, "INSERT INTO t(t) VALUES ('optimize')");
            assert_eq!(line(&host, "SELECT count(*), (SELECT count(*) FROM log) FROM t('[1,1]')"), "90|0");
            check_sound(&host, "t");
        }
    }
}

/// A cached statement would hold the tables open that its triggers write, and the host could not close the connection.
#[test]
fn cached_statements_hold_no_table_of_a_trigger_open() {
    for host in hosts("CREATE VIRTUAL TABLE t USING hnsw(name, e FLOAT[2])") {
        let writes = "INSERT INTO t VALUES ('a', '[1,1]'), ('b', '[1,2]'); UPDATE t SET name = 'c' WHERE name = 'a';
                      UPDATE t SET e = '[2,2]' WHERE name = 'c'; DELETE FROM t WHERE name = 'c'";
        // Statements cached from here on do not know the later triggers.
        run(&host, writes);
        run(
            &host,
            "CREATE TABLE log(id); CREATE VIRTUAL TABLE words USING fts5(name);
             CREATE TRIGGER i AFTER INSERT ON t_rows WHEN new.name <> 'twin' BEGIN
               INSERT INTO t(name) VALUES ('twin'); INSERT INTO words VALUES (new.name); END;
             CREATE TRIGGER u AFTER UPDATE OF name ON t_rows BEGIN INSERT INTO words VALUES (new.name); END;
             CREATE TRIGGER d AFTER DELETE ON t_rows WHEN old.name <> 'twin' BEGIN
               DELETE FROM t WHERE name = 'twin'; INSERT INTO words VALUES (old.name); END",
        );
        run(&host, writes);
        assert_eq!(line(&host, "SELECT name FROM words"), "a b c c");
        assert_eq!(line(&host, "SELECT name, vec_json(e) FROM t"), "b|[1,2] b|[1,2]");
        check_sound(&host, "t");
        // The transaction ends before the statement.
        run(&host, "CREATE TRIGGER r AFTER DELETE ON t_rows BEGIN SELECT RAISE(ROLLBACK, 'no'); END; BEGIN");
        assert_eq!(error(&host, "DELETE FROM t"), "no");
        assert!(host.is_autocommit());
        check_sound(&host, "t");
    }
}

/// As in any table, writes of rows fail. A rebuild writes no rows.
#[test]
fn a_trigger_on_a_missing_table_does_not_stop_a_rebuild() {
    for host in hosts("CREATE VIRTUAL TABLE t USING hnsw(n, e FLOAT[2])") {
        run(
            &host,
            "INSERT INTO t VALUES (1, '[1,1]'), (2, '[1,2]'); CREATE TABLE gone(x);
             CREATE TRIGGER u AFTER UPDATE ON t_rows BEGIN INSERT INTO gone VALUES (1); END; DROP TABLE gone",
        );
        assert_eq!(error(&host, "UPDATE t SET n = 3"), "no such table: main.gone");
        run(&host, "INSERT INTO t(t) VALUES ('rebuild')");
        assert_eq!(line(&host, "SELECT n FROM t('[1,1]')"), "1 2");
        check_sound(&host, "t");
    }
}
