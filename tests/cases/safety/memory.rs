//! SQLite runs out of memory at every allocation of a statement. The allocator belongs to the process, so the test runs
//! again in its own process.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::process::Command;
use std::sync::OnceLock;

use rusqlite::ffi;
use vecrank_tests::{Host, library, long_or};

use crate::faults::{TABLE, insert, state};

const NO_MEMORY: i32 = 7;

thread_local! {
    /// The number of this thread's allocations up to the one that fails; 0 for none.
    static UNTIL: Cell<u64> = const { Cell::new(0) };
    /// An allocation has failed.
    static HAS_FAILED: Cell<bool> = const { Cell::new(false) };
}

type Allocate = unsafe extern "C" fn(c_int) -> *mut c_void;
type Reallocate = unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void;

/// The allocator that SQLite would have used.
static DEFAULT: OnceLock<(Allocate, Reallocate)> = OnceLock::new();

fn fails() -> bool {
    let until = UNTIL.get();
    UNTIL.set(until.saturating_sub(1));
    if until == 1 {
        HAS_FAILED.set(true);
    }
    until == 1
}

unsafe extern "C" fn allocate(size: c_int) -> *mut c_void {
    match DEFAULT.get() {
        // SAFETY: SQLite's own call, handed on.
        Some((default, _)) if !fails() => unsafe { default(size) },
        _ => std::ptr::null_mut(),
    }
}

unsafe extern "C" fn reallocate(memory: *mut c_void, size: c_int) -> *mut c_void {
    match DEFAULT.get() {
        // SAFETY: SQLite's own call, handed on.
        Some((_, default)) if !fails() => unsafe { default(memory, size) },
        _ => std::ptr::null_mut(),
    }
}

/// Puts the allocator that fails before SQLite's own. Must come before anything else of SQLite.
fn install() {
    // SAFETY: SQLite is not initialized yet, and the structures have the types that these calls expect.
    unsafe {
        let mut methods = std::mem::zeroed::<ffi::sqlite3_mem_methods>();
        assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETMALLOC, &raw mut methods), ffi::SQLITE_OK);
        let functions = methods.xMalloc.zip(methods.xRealloc).expect("SQLite has an allocator");
        assert!(DEFAULT.set(functions).is_ok());
        methods.xMalloc = Some(allocate);
        methods.xRealloc = Some(reallocate);
        assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw mut methods), ffi::SQLITE_OK);
        // Otherwise SQLite serves small allocations from memory that never fails.
        assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_LOOKASIDE, 0 as c_int, 0 as c_int), ffi::SQLITE_OK);
    }
}

#[test]
fn a_failed_allocation_anywhere_is_reported_and_undone() {
    const VARIABLE: &str = "VECRANK_TEST_LITTLE_MEMORY";
    if std::env::var_os(VARIABLE).is_some() {
        install();
        return fail_everywhere();
    }
    let test = "memory::a_failed_allocation_anywhere_is_reported_and_undone";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(VARIABLE, "1").env("VECRANK_LIBRARY", library());
    let output = command.output().expect("the test's own program starts");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{}\n{text}", output.status);
    eprintln!("{}", text.lines().find(|line| line.contains("allocations")).unwrap_or_default());
}

fn fail_everywhere() {
    let host = Host::bundled(":memory:");
    host.load(library()).unwrap();
    host.run(TABLE);
    host.run(&insert(1, 40));
    let query = "'[0.5,0,0,-1,0.1,0,1,0]'";
    let statements = [
        insert(100, 1),
        insert(200, 20),
        format!("BEGIN; {}; SELECT id FROM t WHERE e MATCH {query} LIMIT 3; COMMIT", insert(100, 1)),
        format!("UPDATE t SET e = {query}, n = 3 WHERE id < 4"),
        "UPDATE t SET id = id + 1000 WHERE id < 4".into(),
        format!("REPLACE {}", insert(5, 1).trim_start_matches("INSERT ")),
        "DELETE FROM t WHERE id < 30".into(),
        "INSERT INTO t(t) VALUES ('optimize')".into(),
        "INSERT INTO t(t) VALUES ('integrity-check')".into(),
        format!("SELECT id, name, e FROM t WHERE e MATCH {query} AND n < 5 ORDER BY distance LIMIT 9"),
        "SELECT * FROM hnsw_info('t')".into(),
        "SELECT * FROM hnsw_stats('t')".into(),
        "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME TO t".into(),
        "CREATE VIRTUAL TABLE v USING hnsw(a INDEXED, e FLOAT[8]); DROP TABLE v".into(),
    ];
    let before = state(&host);
    let (mut failures, mut absorbed) = (0, 0);
    for sql in &statements {
        let mut at = 1;
        loop {
            host.run("SAVEPOINT before");
            // A statement allocates while it is prepared, too.
            UNTIL.set(at);
            HAS_FAILED.set(false);
            let result = host.execute(sql.trim_start_matches("BEGIN; ").trim_end_matches("; COMMIT"));
            UNTIL.set(0);
            let what = format!("allocation {at} of {sql:.60}: {result:?}");
            if let Err(error) = &result {
                assert_eq!(error.code & 0xff, NO_MEMORY, "{what}");
                failures += 1;
            } else {
                absorbed += u64::from(HAS_FAILED.get());
            }
            // SQLite may have rolled back everything.
            if !host.is_autocommit() {
                host.run("ROLLBACK TO before; RELEASE before");
            }
            assert!(state(&host) == before, "{what}: the table has changed");
            if !HAS_FAILED.get() {
                result.unwrap_or_else(|error| panic!("{sql:.60}: {error}"));
                break;
            }
            if at % 16 == 1 {
                host.check_sound("t");
            }
            at += long_or(1, 1 + at / 40);
        }
        host.check_sound("t");
    }
    eprintln!("{failures} allocations failed a statement, {absorbed} were done without");
    assert!(failures > 300, "{failures}");
}
