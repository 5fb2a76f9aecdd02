//! A host's authorizer that denies or ignores one action on the shadow tables. SQLite then leaves out a statement of
//! the extension, or a column that it sets, without an error. That must not damage the index.

use std::collections::BTreeSet;

use rusqlite::ffi;
use vecrank_tests::{Host, library};

const TABLE: &str = "
    CREATE VIRTUAL TABLE t USING hnsw(name TEXT UNIQUE, n INTEGER INDEXED, e FLOAT[2], f INT8[2], metric = 'l2');
    INSERT INTO t(name, n, e, f) WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 12)
      SELECT 'row ' || n, n, vec_parse('[' || n || ',1]'), vec_int8('[' || n || ',2]') FROM i;
    DELETE FROM t WHERE n IN (7, 8);";

const STATEMENTS: &[&str] = &[
    "INSERT INTO t(name, n, e, f) VALUES ('new', 50, '[5,5]', '[5,5]')",
    "INSERT INTO t(name, e) VALUES ('one', '[5,5]'), ('two', NULL), ('three', '[6,5]')",
    "INSERT OR REPLACE INTO t(name, n, e) VALUES ('row 3', 3, '[0,5]')",
    "UPDATE t SET e = '[9,9]' WHERE n = 5",
    "UPDATE t SET e = NULL, n = 77 WHERE n = 6",
    "UPDATE t SET rowid = rowid + 1000 WHERE n < 4",
    "UPDATE t SET rowid = 500, e = '[1,9]', f = NULL WHERE n = 10",
    "UPDATE OR REPLACE t SET name = 'row 4' WHERE n = 5",
    "DELETE FROM t WHERE n = 9",
    "DELETE FROM t",
    "INSERT INTO t(t) VALUES ('optimize')",
    "INSERT INTO t(t) VALUES ('rebuild')",
    "INSERT INTO t(t) VALUES ('cluster')",
    "INSERT INTO t(t, k) VALUES ('ef_search', 100)",
    "ALTER TABLE t RENAME TO u",
    "DROP TABLE t",
    "CREATE VIRTUAL TABLE u USING hnsw(name TEXT INDEXED, e FLOAT[2])",
];

/// An action that the authorizer is asked about, with its two names.
type Action = (i32, String, String);

fn new(open: &impl Fn() -> Host) -> Host {
    let host = open();
    host.load(library()).expect("the library loads");
    host.run(TABLE);
    host
}

/// The actions of `sql` on shadow tables and the schema.
fn actions(host: &Host, sql: &str) -> BTreeSet<Action> {
    let mut actions = BTreeSet::new();
    let note = |action: i32, first: &str, second: &str| {
        let is_read =
            [ffi::SQLITE_READ, ffi::SQLITE_SELECT, ffi::SQLITE_FUNCTION, ffi::SQLITE_PRAGMA].contains(&action);
        // SQLite asks about the statement itself first. A host that ignores it gets what it wants.
        if !is_read && !["t", "u"].contains(&first) && action != ffi::SQLITE_SAVEPOINT {
            actions.insert((action, first.to_string(), second.to_string()));
        }
        ffi::SQLITE_OK
    };
    host.authorized_by(note, || host.run(sql));
    actions
}

/// Returns the content of the tables, and checks that they are sound.
fn state(host: &Host) -> Vec<String> {
    let mut all = host.rows("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2");
    for table in host.rows("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'") {
        host.check_sound(&table);
        all.extend(host.rows(&format!("SELECT rowid, *, vec_json(e) FROM {table}")));
        all.extend(host.rows(&format!("SELECT rowid, distance FROM {table} WHERE e MATCH '[5,1]' ORDER BY distance")));
        all.extend(host.rows(&format!("SELECT value FROM hnsw_info('{table}') WHERE key LIKE '%ef_search'")));
    }
    all
}

/// SQLite itself crashes at `CREATE TABLE x(a PRIMARY KEY) WITHOUT ROWID` if the key's index is ignored.
fn crashes_sqlite(sql: &str, (action, answer): (&Action, i32)) -> bool {
    let is_schema = action.0 == ffi::SQLITE_INSERT && action.1 == "sqlite_master";
    let is_key = action.0 == ffi::SQLITE_CREATE_INDEX && action.1.starts_with("sqlite_autoindex");
    sql.starts_with("CREATE") && answer == ffi::SQLITE_IGNORE && (is_schema || is_key)
}

#[test]
fn an_authorizer_that_denies_or_ignores_never_damages_the_index() {
    for open in [|| Some(Host::bundled(":memory:")), || Host::system(":memory:")] {
        if open().is_none() {
            continue;
        }
        let open = || open().expect("it was there a moment ago");
        let before = state(&new(&open));
        let mut problems = Vec::new();
        let mut ignored = 0;
        for sql in STATEMENTS {
            let host = new(&open);
            let actions = actions(&host, sql);
            let after = state(&host);
            let answers = [ffi::SQLITE_DENY, ffi::SQLITE_IGNORE];
            let cases = actions.iter().flat_map(|action| answers.map(|answer| (action, answer)));
            for (action, answer) in cases.filter(|case| !crashes_sqlite(sql, *case)) {
                for in_transaction in [false, true].into_iter().take(if answer == ffi::SQLITE_IGNORE { 2 } else { 1 }) {
                    let host = new(&open);
                    if in_transaction {
                        host.run("BEGIN");
                    }
                    let is_it = |code: i32, first: &str, second: &str| {
                        (code, first, second) == (action.0, &*action.1, &*action.2)
                    };
                    let result = host.authorized_by(
                        |code, first, second| if is_it(code, first, second) { answer } else { ffi::SQLITE_OK },
                        || {
                            let result = host.execute(sql);
                            let end = if in_transaction { host.execute("COMMIT") } else { Ok(()) };
                            result.and(end)
                        },
                    );
                    if !host.is_autocommit() {
                        host.run("ROLLBACK");
                    }
                    let place =
                        format!("SQLite {} {sql}: {action:?} answered {answer}, {in_transaction}", host.version());
                    let got = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| state(&host)));
                    let got = match got {
                        Ok(got) => got,
                        Err(_) => {
                            problems.push(format!("{place}: {result:?}, and damaged"));
                            std::mem::forget(host);
                            continue;
                        }
                    };
                    match result {
                        Err(error) => {
                            ignored += u32::from(error.message.starts_with("the host's authorizer ignores "));
                            if got != before {
                                problems.push(format!("{place}: {error}, and half done"));
                            }
                        }
                        Ok(()) if got == after => {}
                        // SQLite asks the same about the statement itself, which it then leaves out.
                        Ok(()) if got == before && (action.1 == "sqlite_master" || action.2 == "t") => {}
                        // An ordinary column keeps its value, as in an ordinary table.
                        Ok(()) if action.0 == ffi::SQLITE_UPDATE && ["n", "name"].contains(&&*action.2) => {}
                        Ok(()) => problems.push(format!("{place}: no error, and not done")),
                    }
                }
            }
        }
        assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
        assert!(ignored > 50, "{ignored}");
    }
}

/// The tables of reads: one of its own, and two indexes with both kinds of keys.
const READ_TABLES: &str = "
    CREATE TABLE p(id INTEGER PRIMARY KEY, n INTEGER, e BLOB); INSERT INTO p SELECT rowid, n, e FROM t;
    CREATE VIRTUAL TABLE x USING hnsw(content = 'p', e FLOAT[2], metric = 'l2');
    CREATE TABLE q(code TEXT PRIMARY KEY, n INTEGER, e BLOB); INSERT INTO q SELECT name, n, e FROM t;
    CREATE VIRTUAL TABLE y USING hnsw(content = 'q', e FLOAT[2], metric = 'l2', sync = 'log');
    INSERT INTO q VALUES ('new', 3, vec_parse('[3,3]'));";

const READS: &[&str] = &[
    "SELECT rowid, name, n FROM t",
    "SELECT *, vec_json(e) FROM t WHERE rowid = 3",
    "SELECT name, vec_json(f) FROM t WHERE n > 4 AND e IS NOT NULL",
    "SELECT rowid FROM t WHERE e MATCH '[5,1]' ORDER BY distance LIMIT 3",
    "SELECT name, vec_json(e) FROM t WHERE e MATCH '[5,1]' ORDER BY distance LIMIT 3",
    "SELECT name FROM t WHERE e MATCH '[5,1]' AND n > 3 ORDER BY distance LIMIT 3",
    "SELECT rowid FROM t WHERE f MATCH '[5,1]' AND group_by = 'n' ORDER BY distance LIMIT 3",
    "SELECT count(*) FROM t WHERE e MATCH '[5,1]' AND ef_search = 'exact'",
    "SELECT key FROM hnsw_info('t')",
    "SELECT key FROM hnsw_stats('t')",
    "INSERT INTO t(t) VALUES ('integrity-check')",
    "SELECT id, n FROM x WHERE e MATCH '[5,1]' ORDER BY distance LIMIT 3",
    "SELECT id FROM x WHERE e MATCH '[5,1]' AND n > 3 ORDER BY distance LIMIT 3",
    "SELECT code, n FROM y WHERE e MATCH '[5,1]' ORDER BY distance LIMIT 3",
    "SELECT code FROM y WHERE e MATCH '[5,1]' AND n > 3 ORDER BY distance LIMIT 3",
    "SELECT * FROM y WHERE code = 'new'",
];

/// SQLite reads NULL instead of such a column, here as in an ordinary table. If the index cannot do without it, the error
/// names it, and no error calls the file damaged.
#[test]
fn an_authorizer_that_ignores_reads_gives_null_or_a_clear_error() {
    let mut named = BTreeSet::new();
    for open in [|| Some(Host::bundled(":memory:")), || Host::system(":memory:")] {
        if open().is_none() {
            continue;
        }
        let open = || open().expect("it was there a moment ago");
        for sql in READS {
            let host = new(&open);
            host.run(READ_TABLES);
            let mut columns = BTreeSet::new();
            let note = |action: i32, table: &str, column: &str| {
                let is_of_index = ["t_", "x_", "y_"].iter().any(|prefix| table.starts_with(prefix));
                if action == ffi::SQLITE_READ && (is_of_index || ["p", "q"].contains(&table)) && !column.is_empty() {
                    columns.insert((table.to_string(), column.to_string()));
                }
                ffi::SQLITE_OK
            };
            host.authorized_by(note, || host.run(sql));
            for (table, column) in columns {
                let host = new(&open);
                host.run(READ_TABLES);
                let is_it = |code: i32, first: &str, second: &str| {
                    code == ffi::SQLITE_READ && (first, second) == (&*table, &*column)
                };
                let result = host.authorized_by(
                    |code, first, second| if is_it(code, first, second) { ffi::SQLITE_IGNORE } else { ffi::SQLITE_OK },
                    || host.query(sql),
                );
                let what = format!("SQLite {}: {sql}: {table}.{column}", host.version());
                if let Err(error) = result {
                    let clear = format!(
                        ": the host's authorizer ignores reads of {table}.{column}: it must allow or deny what is done to \
                         shadow tables"
                    );
                    assert!(error.message.ends_with(&clear), "{what}: {error}");
                    named.insert(format!("{table}.{column}"));
                }
                // SQLite prepares kept statements again for another authorizer, but not for none.
                host.authorized_by(
                    |_, _, _| ffi::SQLITE_OK,
                    || ["t", "x", "y"].iter().for_each(|index| host.check_sound(index)),
                );
            }
        }
    }
    let expected = [
        "t_config.key",
        "t_config.value",
        "t_graph.column",
        "t_graph.header",
        "t_nodes.data",
        "t_nodes.id",
        "t_rows.e",
        "t_rows.f",
        "t_rows.rowid",
        "y_map.id",
    ];
    for column in expected {
        assert!(named.contains(column), "{column}: {named:?}");
    }
}
