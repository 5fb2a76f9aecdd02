//! The library in its hosts: two SQLite libraries in one process, hosts that are too old, loading twice, unloading.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::process::Command;
use std::sync::atomic::{AtomicPtr, Ordering};

use rusqlite::ffi;
use vecrank_tests::{Host, library, row};

#[test]
fn two_sqlite_libraries_in_one_process_each_work_interleaved() {
    let bundled = Host::bundled(":memory:");
    let Some(system) = Host::system(":memory:") else { return };
    assert_ne!(bundled.version(), system.version(), "the test needs two different libraries");
    bundled.load(library()).expect("the library loads into the bundled SQLite");
    system.load(library()).expect("the library loads into the machine's SQLite");
    let hosts = [&bundled, &system];
    for host in hosts {
        host.execute("CREATE TABLE t(a, b)").unwrap();
    }
    for round in 0..20 {
        for host in hosts {
            host.execute(&format!("INSERT INTO t VALUES ('[{round}, 1]', '[0, {round}]')")).unwrap();
            let distance = host.query(&format!("SELECT vec_l1(a, b) FROM t WHERE rowid = {}", round + 1)).unwrap();
            assert_eq!(distance, [row(&[&format!("{:.1}", f64::from(round + (round - 1_i32).abs()))])]);
            let error = host.query("SELECT vec_l2('[1]', '[1, 2]')").unwrap_err();
            assert_eq!(error.code, ffi::SQLITE_ERROR);
        }
    }
    for host in hosts {
        let sum = host.query("SELECT vec_json(vec_sum(a)) FROM t").unwrap();
        assert_eq!(sum, [row(&["[190,20]"])]);
        let window = "SELECT vec_json(vec_sum(a) OVER (ORDER BY rowid ROWS 1 PRECEDING)) FROM t LIMIT 3";
        assert_eq!(host.query(window).unwrap(), [row(&["[0,1]"]), row(&["[1,2]"]), row(&["[3,2]"])]);
        let components = host.query("SELECT e.i, e.value FROM t, vec_each(t.a) e WHERE t.rowid = 8").unwrap();
        assert_eq!(components, [row(&["0", "7.0"]), row(&["1", "1.0"])]);
    }
}

#[test]
fn two_sqlite_libraries_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.db");
    let bundled = Host::bundled(&path);
    let Some(system) = Host::system(&path) else { return };
    let hosts = [&bundled, &system];
    for host in hosts {
        host.load(library()).unwrap();
    }
    bundled.execute("CREATE VIRTUAL TABLE t USING hnsw(name TEXT, v FLOAT[2], metric = 'l2')").unwrap();
    let near = "SELECT name FROM t WHERE v MATCH '[0, 0]' ORDER BY distance LIMIT 2";
    for round in 1..=10 {
        for (turn, (writer, reader)) in [(&bundled, &system), (&system, &bundled)].into_iter().enumerate() {
            // Each row is nearer than all rows before it.
            let name = format!("{round} by {}", writer.version());
            writer
                .execute(&format!("INSERT INTO t(name, v) VALUES ('{name}', '[{}, 1]')", 100 - 2 * round - turn))
                .unwrap();
            writer.execute("UPDATE t SET v = '[500, 500]' WHERE rowid = (SELECT max(rowid) - 2 FROM t)").unwrap();
            let rows = reader.query(near).unwrap();
            assert_eq!(rows.first(), Some(&row(&[&name])), "round {round}");
            assert_eq!(rows, writer.query(near).unwrap());
        }
    }
    for host in hosts {
        host.execute("INSERT INTO t(t) VALUES ('integrity-check')").unwrap();
    }
}

#[test]
fn threads_with_different_libraries_do_not_disturb_one_another() {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for round in 0..30 {
                    let host = if thread % 2 == 0 { Some(Host::bundled(":memory:")) } else { Host::system(":memory:") };
                    let Some(host) = host else { return };
                    host.load(library()).unwrap();
                    let sql = format!("SELECT vec_json(vec_add('[{round}]', '[{thread}]'))");
                    assert_eq!(host.query(&sql).unwrap(), [row(&[&format!("[{}]", round + thread)])]);
                }
            });
        }
    });
}

#[test]
fn loading_twice_is_harmless() {
    for host in Host::both(library()) {
        host.load(library()).expect("a second time by the C function");
        // If SQL loads the library, the loading statement uses the functions.
        let load = format!("load_extension('{}')", library().display());
        host.query(&format!("SELECT {load}, vec_dims('[1, 2]')")).expect("a third time by SQL");
        let rows = host.query(&format!("SELECT value, {load} FROM vec_each('[5, 6]')")).expect("while a table is read");
        assert_eq!(rows.iter().map(|row| row[0].clone().unwrap()).collect::<Vec<_>>(), ["5.0", "6.0"]);
        assert_eq!(host.query("SELECT vec_dims('[1, 2, 3]')").unwrap(), [row(&["3"])]);
    }
}

#[test]
fn the_library_loads_and_unloads_many_times() {
    for _ in 0..50 {
        for host in Host::both(library()) {
            assert_eq!(host.query("SELECT count(*) FROM vec_each('[1, 2]')").unwrap(), [row(&["2"])]);
        }
    }
}

/// Runs in its own process, where nothing else holds the library.
#[test]
fn the_last_connection_may_be_closed_by_a_thread_that_ends() {
    const VARIABLE: &str = "VECRANK_TEST_IN_A_THREAD";
    if std::env::var_os(VARIABLE).is_none() {
        let mut itself = Command::new(std::env::current_exe().unwrap());
        itself.args(["the_last_connection_may_be_closed_by_a_thread_that_ends", "--exact", "--nocapture"]);
        let output = itself.env(VARIABLE, "1").env("VECRANK_LIBRARY", library()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}\n{text}", output.status);
        return;
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<Host>> = const { std::cell::RefCell::new(None) };
    }
    for _ in 0..20 {
        let thread = std::thread::spawn(|| {
            // Its destructor is registered before those of the library.
            LAST.with(|last| drop(last.borrow_mut().take()));
            let host = Host::bundled(":memory:");
            host.load(library()).unwrap();
            host.run("CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2]); INSERT INTO t VALUES ('[1, 2]'), ('[2, 1]')");
            assert_eq!(host.query("SELECT count(*) FROM t('[1, 1]')").unwrap(), [row(&["2"])]);
            LAST.with(|last| *last.borrow_mut() = Some(host));
        });
        thread.join().unwrap();
    }
}

/// The bundled library's function table, from the last new connection.
static TABLE: AtomicPtr<*const c_void> = AtomicPtr::new(std::ptr::null_mut());

unsafe extern "C" fn keep_table(
    _db: *mut ffi::sqlite3,
    _message: *mut *mut c_char,
    table: *const ffi::sqlite3_api_routines,
) -> c_int {
    TABLE.store(table.cast_mut().cast(), Ordering::SeqCst);
    ffi::SQLITE_OK
}

unsafe extern "C" fn version_3_37_2() -> c_int {
    3_037_002
}

type Entry = unsafe extern "C" fn(*mut ffi::sqlite3, *mut *mut c_char, *const c_void) -> c_int;

/// Calls the library's entry point with a function table. Returns its code and message.
fn enter(connection: &rusqlite::Connection, table: *const c_void) -> (c_int, String) {
    // SAFETY: the entry point has the signature that SQLite expects; the message is SQLite's, copied and freed.
    unsafe {
        let extension = libloading::Library::new(library()).unwrap();
        let entry = extension.get::<Entry>(b"sqlite3_vecrank_init\0").unwrap();
        let mut message = std::ptr::null_mut();
        let status = entry(connection.handle(), &mut message, table);
        let text = if message.is_null() { "" } else { CStr::from_ptr(message).to_str().unwrap() }.to_owned();
        ffi::sqlite3_free(message.cast());
        (status, text)
    }
}

#[test]
fn a_host_older_than_3_38_is_refused_cleanly() {
    // SAFETY: the callback has the signature that SQLite expects.
    unsafe { rusqlite::auto_extension::register_auto_extension(keep_table) }.unwrap();
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    rusqlite::auto_extension::cancel_auto_extension(keep_table);
    // The first 200 members, about as many as 3.14 has: the extension may read no more from an old host.
    // SAFETY: the bundled library's table is longer.
    let mut table: Vec<*const c_void> =
        unsafe { std::slice::from_raw_parts(TABLE.load(Ordering::SeqCst), 200) }.to_vec();
    let real = ffi::sqlite3_libversion_number as *const c_void;
    let place = table.iter().position(|member| *member == real).expect("the version function is in the table");
    table[place] = version_3_37_2 as *const c_void;
    let (status, message) = enter(&connection, table.as_ptr().cast());
    assert_eq!(status, ffi::SQLITE_ERROR);
    assert_eq!(message, "vecrank needs SQLite 3.38.0 or newer; this host has SQLite 3.37.2");
    assert_eq!(enter(&connection, std::ptr::null()), (ffi::SQLITE_ERROR, String::new()));
    let count = "SELECT count(*) FROM pragma_function_list WHERE name LIKE 'vec%'";
    assert_eq!(connection.query_row(count, [], |row| row.get::<_, i64>(0)), Ok(0), "nothing was registered");
}

#[test]
fn the_extension_depends_on_no_sqlite_crate() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(cargo)
        .args(["tree", "-p", "vecrank", "--edges", "normal,build,dev", "--prefix", "none", "--all-features"])
        .args(["--manifest-path", manifest])
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.starts_with("vecrank v"), "{tree}\n{}", String::from_utf8_lossy(&output.stderr));
    let sqlite = tree.lines().filter(|line| line.contains("sqlite") || line.contains("sqlx")).collect::<Vec<_>>();
    assert_eq!(sqlite, Vec::<&str>::new());
}
