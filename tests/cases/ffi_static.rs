//! The library linked into a program, which registers it for every connection that it opens.

use std::ffi::{c_char, c_int};

use rusqlite::ffi;

unsafe extern "C" fn enter(
    db: *mut ffi::sqlite3,
    message: *mut *mut c_char,
    table: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: handed on as SQLite gave it.
    unsafe { vecrank::sqlite3_vecrank_init(db.cast(), message, table.cast()) }
}

#[test]
fn an_automatic_extension_serves_every_new_connection() {
    // SAFETY: the callback has the signature that SQLite expects.
    unsafe { rusqlite::auto_extension::register_auto_extension(enter) }.unwrap();
    for _ in 0..2 {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let dims: i64 = connection.query_row("SELECT vec_dims('[1, 2, 3]')", [], |row| row.get(0)).unwrap();
        assert_eq!(dims, 3);
        // The loadable form comes on top of it without harm.
        vecrank_tests::load(&connection, vecrank_tests::library());
        let sum: String =
            connection.query_row("SELECT vec_json(vec_sum(v)) FROM (SELECT '[1]' v)", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, "[1]");
    }
}
