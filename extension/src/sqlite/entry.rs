//! The work of the entry point.

use std::ffi::{c_char, c_int};

use super::api::Api;
use super::bindings::{sqlite3, sqlite3_api_routines};
use super::connection::Connection;
use super::guard;
use crate::error::{Result, code};

/// Checks the host and calls `register` for the connection. A refusal or failure leaves its message in `*message`.
/// Calling it again for a connection is harmless.
///
/// # Safety
/// `db` is an open connection; `message` is null or points to null; `table` is null or the function table of the same
/// SQLite library: what SQLite hands to the entry point of an extension.
pub unsafe fn enter(
    db: *mut sqlite3,
    message: *mut *mut c_char,
    table: *const sqlite3_api_routines,
    register: fn(Connection) -> Result<()>,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let result = guard::caught(|| register(Connection::new(Api::new(table)?, db)));
        match (result, Api::refused(table)) {
            (Ok(()), _) => code::OK,
            (Err(error), Some(api)) => guard::report_to_text(api, message, &error),
            (Err(error), None) => error.sqlite_code(),
        }
    }
}
