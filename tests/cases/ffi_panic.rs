//! Deliberate panics and errors in every callback: each reaches SQL as an error, and the host survives.

use vecrank_tests::{Host, HostError, library_with, row};

const INTERNAL: i32 = 2;
const CORRUPT_VTAB: i32 = 267;

/// A statement that reaches a callback of the table `t`, and the statements before it.
struct Way {
    callback: &'static str,
    before: &'static str,
    statement: &'static str,
    seen: Seen,
}

/// The part of a callback's error that the statement reports.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    /// Code and message.
    Whole,
    /// The message. SQLite uses its own code for errors while it prepares a statement.
    Message,
    /// The code. SQLite does not ask for a message there.
    Code,
    /// Nothing: SQLite ignores the callback's result.
    Nothing,
}

const fn way(callback: &'static str, before: &'static str, statement: &'static str, seen: Seen) -> Way {
    Way { callback, before, statement, seen }
}

const WAYS: &[Way] = &[
    way("best_index", "", "SELECT * FROM t", Seen::Message),
    way("open", "", "SELECT * FROM t", Seen::Whole),
    way("filter", "", "SELECT * FROM t", Seen::Whole),
    way("next", "", "SELECT * FROM t", Seen::Whole),
    way("column", "", "SELECT value FROM t", Seen::Whole),
    way("rowid", "", "SELECT rowid FROM t", Seen::Whole),
    way("close", "", "SELECT value FROM t", Seen::Nothing),
    way("update", "", "INSERT INTO t VALUES (1)", Seen::Whole),
    way("update", "", "UPDATE t SET value = 1", Seen::Whole),
    way("update", "", "DELETE FROM t", Seen::Whole),
    way("begin", "", "INSERT INTO t VALUES (1)", Seen::Whole),
    way("sync", "", "INSERT INTO t VALUES (1)", Seen::Whole),
    way("sync", "BEGIN; INSERT INTO t VALUES (1)", "COMMIT", Seen::Whole),
    way("commit", "", "INSERT INTO t VALUES (1)", Seen::Nothing),
    way("rollback", "BEGIN; INSERT INTO t VALUES (1)", "ROLLBACK", Seen::Nothing),
    way("savepoint", "BEGIN; INSERT INTO t VALUES (1)", "SAVEPOINT s", Seen::Code),
    way("release", "BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s", "RELEASE s", Seen::Code),
    way("rollback_to", "BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s", "ROLLBACK TO s", Seen::Code),
    way("rename", "", "ALTER TABLE t RENAME TO u", Seen::Whole),
    way("destroy", "", "DROP TABLE t", Seen::Code),
    way("drop", "", "DROP TABLE t", Seen::Nothing),
    way("find_function", "", "SELECT * FROM t WHERE t.value GLOB 'x'", Seen::Nothing),
];

fn hosts() -> Vec<Host> {
    Host::both(&library_with(&["test-panic"]))
}

fn expected(how: &str, callback: &str) -> HostError {
    match how {
        "panic" => {
            HostError { code: INTERNAL, message: format!("vecrank internal error: raised on purpose in {callback}") }
        }
        _ => HostError {
            code: CORRUPT_VTAB,
            message: format!("the test table is damaged: an error on purpose in {callback}"),
        },
    }
}

/// Checks that the host still works: other functions, and a table of the same module.
fn assert_alive(host: &Host) {
    let _ = host.execute("ROLLBACK");
    assert_eq!(host.query("SELECT vec_dims('[1, 2]')").unwrap(), [row(&["2"])]);
    host.execute("CREATE VIRTUAL TABLE temp.sound USING vecrank_test_panic(panic, nowhere)").unwrap();
    assert_eq!(host.query("SELECT rowid, value FROM temp.sound").unwrap(), [row(&["1", "10"]), row(&["2", "20"])]);
    host.execute("DROP TABLE temp.sound").unwrap();
}

#[test]
fn a_scalar_function_that_panics_is_an_error() {
    for host in hosts() {
        let error = host.query("SELECT vecrank_test_panic()").unwrap_err();
        assert_eq!(error, HostError { code: INTERNAL, message: "vecrank internal error: raised on purpose".into() });
        assert_alive(&host);
    }
}

#[test]
fn an_aggregate_that_fails_in_any_callback_is_an_error() {
    for host in hosts() {
        for how in ["panic", "error"] {
            for (callback, over) in [("step", ""), ("value", ""), ("inverse", WINDOW), ("value", WINDOW)] {
                let sql = format!(
                    "SELECT vecrank_test_panic_sum('{how}', '{callback}', value) {over} FROM vec_each('[1, 2]')"
                );
                assert_eq!(host.query(&sql).unwrap_err(), expected(how, callback), "{sql}");
                assert_alive(&host);
            }
        }
        let sql = "SELECT vecrank_test_panic_sum('panic', 'drop', value) FROM vec_each('[1, 2]')";
        let dropped = host.query(sql).unwrap_err();
        assert_eq!(dropped, expected("panic", "drop"));
        assert_alive(&host);
        let empty = host.query("SELECT vecrank_test_panic_sum('panic', 'step', value) FROM vec_each('[1]') WHERE 0");
        assert_eq!(empty.unwrap(), [row(&["0"])]);
    }
}

const WINDOW: &str = "OVER (ORDER BY i ROWS BETWEEN CURRENT ROW AND CURRENT ROW)";

#[test]
fn errors_in_create_and_connect_reach_sql() {
    for host in hosts() {
        for how in ["panic", "error"] {
            let create = host.execute(&format!("CREATE VIRTUAL TABLE t USING vecrank_test_panic({how}, create)"));
            assert_eq!(create.unwrap_err().message, expected(how, "create").message);
            assert_alive(&host);
        }
        let wrong = host.execute("CREATE VIRTUAL TABLE t USING vecrank_test_panic(panic)").unwrap_err();
        assert_eq!(wrong.message, "vecrank_test_panic takes how and where");
        assert_alive(&host);
    }
}

#[test]
fn a_table_that_cannot_connect_again_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("connect.db");
    for how in ["panic", "error"] {
        for open in [|path| Some(Host::bundled(path)), |path| Host::system(path)] {
            let _ = std::fs::remove_file(&path);
            let library = library_with(&["test-panic"]);
            for attempt in 0..2 {
                let Some(host) = open(&path) else { continue };
                host.load(&library).unwrap();
                if attempt == 0 {
                    host.execute(&format!("CREATE VIRTUAL TABLE t USING vecrank_test_panic({how}, connect)")).unwrap();
                } else {
                    let error = host.query("SELECT * FROM t").unwrap_err();
                    assert_eq!(error.message, expected(how, "connect").message);
                    assert_alive(&host);
                }
            }
        }
    }
}

#[test]
fn a_table_that_fails_in_any_callback_is_an_error() {
    for host in hosts() {
        for how in ["panic", "error"] {
            for way in WAYS {
                assert_way(&host, how, way);
            }
        }
    }
}

fn assert_way(host: &Host, how: &str, way: &Way) {
    let name = format!("{how} in {} on {}: {}", way.callback, host.version(), way.statement);
    host.execute(&format!("CREATE VIRTUAL TABLE t USING vecrank_test_panic({how}, {})", way.callback)).expect(&name);
    host.execute(way.before).expect(&name);
    let (result, expected) = (host.execute(way.statement), expected(how, way.callback));
    match way.seen {
        Seen::Whole => assert_eq!(result, Err(expected), "{name}"),
        Seen::Message => assert_eq!(result.map_err(|error| error.message), Err(expected.message), "{name}"),
        Seen::Code => assert_eq!(result.map_err(|error| error.code), Err(expected.code), "{name}"),
        Seen::Nothing => assert_eq!(result, Ok(()), "{name}"),
    }
    assert_alive(host);
    // A table whose `destroy` fails is not dropped; another connection still sees it.
    let left = if way.callback == "destroy" { Err(expected_code(how)) } else { Ok(()) };
    let dropped = host.execute("DROP TABLE IF EXISTS t").map_err(|error| error.code);
    assert_eq!(dropped, left, "{name}");
    if left.is_err() {
        host.execute(
            "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 't'; PRAGMA writable_schema = RESET",
        )
        .expect(&name);
    }
}

fn expected_code(how: &str) -> i32 {
    expected(how, "").code
}

#[test]
fn a_panic_in_the_shadow_name_check_means_no() {
    for host in hosts() {
        host.execute("CREATE VIRTUAL TABLE t USING vecrank_test_panic(panic, nowhere)").unwrap();
        host.execute("CREATE TABLE t_panic(a); INSERT INTO t_panic VALUES (1); DROP TABLE t_panic").unwrap();
        assert_alive(&host);
    }
}

#[test]
fn the_integrity_check_reports_panics_and_errors() {
    for host in hosts().into_iter().filter(|host| host.version() >= 3_044_000) {
        for (at, pragma, said) in [
            ("report", "integrity_check", "a problem on purpose"),
            ("report", "quick_check", "a problem on purpose"),
            ("nowhere", "integrity_check", "ok"),
        ] {
            host.execute(&format!("CREATE VIRTUAL TABLE t USING vecrank_test_panic(panic, {at})")).unwrap();
            assert_eq!(host.query(&format!("PRAGMA {pragma}")).unwrap(), [row(&[said])]);
            host.execute("DROP TABLE t").unwrap();
        }
        host.execute("CREATE VIRTUAL TABLE t USING vecrank_test_panic(panic, integrity)").unwrap();
        assert_eq!(host.query("PRAGMA integrity_check").unwrap_err().code, INTERNAL);
        assert_alive(&host);
    }
}

#[test]
fn an_overloaded_operator_calls_the_tables_function() {
    for host in hosts() {
        host.execute("CREATE VIRTUAL TABLE t USING vecrank_test_panic(panic, nowhere)").unwrap();
        // The table's own match() adds its arguments; the values are 10 and 20.
        let rows = host.query("SELECT match(value, 5), match(value, 7) FROM t").unwrap();
        assert_eq!(rows, [row(&["15", "17"]), row(&["25", "27"])]);
    }
}

#[test]
fn a_constraint_error_follows_the_or_clause() {
    for host in hosts() {
        host.execute("CREATE VIRTUAL TABLE t USING vecrank_test_panic(error, constraint)").unwrap();
        for (clause, said) in
            [("", "Abort"), ("OR FAIL", "Fail"), ("OR ROLLBACK", "Rollback"), ("OR REPLACE", "Replace")]
        {
            let error = host.execute(&format!("INSERT {clause} INTO t VALUES (1)")).unwrap_err();
            assert_eq!(error, HostError { code: 19, message: format!("a constraint on purpose under {said}") });
        }
        host.execute("INSERT OR IGNORE INTO t VALUES (1)").expect("IGNORE passes over the row");
        assert_alive(&host);
    }
}
