//! The work of the entry point.

use std::ffi::{c_char, c_int};
use std::mem;

use super::api::Api;
use super::bindings::{sqlite3, sqlite3_api_routines};
use super::connection::Connection;
use super::guard;
use crate::error::{Error, Result, code};

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

/// An entry point, as SQLite calls it.
pub type EntryPoint = unsafe extern "C" fn(*mut sqlite3, *mut *mut c_char, *const sqlite3_api_routines) -> c_int;

/// Hands the entry point to a library's sqlite3_auto_extension(). Bindings declare its parameter with types of their own
/// (or, before libsqlite3-sys 0.25, as a function without parameters): `Callback` is whichever it is.
///
/// # Safety
/// `auto_extension` is sqlite3_auto_extension() of an SQLite library.
pub unsafe fn add_auto_extension<Callback: Copy>(
    auto_extension: unsafe extern "C" fn(Callback) -> c_int,
    entry_point: EntryPoint,
) -> Result<()> {
    const { assert!(size_of::<Callback>() == size_of::<Option<EntryPoint>>(), "not the type of an entry point") };
    // SAFETY: the types have equal sizes, and both are the pointer, which may be null, to a function that SQLite calls
    // with the arguments of an entry point, whatever the binding declares.
    let status = unsafe { auto_extension(mem::transmute_copy(&Some(entry_point))) };
    if status == code::OK {
        return Ok(());
    }
    let message = format!("sqlite3_auto_extension() did not take vecrank: SQLite code {status}");
    Err(Error::Sqlite { code: status, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn entry(_: *mut sqlite3, _: *mut *mut c_char, _: *const sqlite3_api_routines) -> c_int {
        42
    }

    unsafe extern "C" fn takes_three(callback: Option<EntryPoint>) -> c_int {
        let callback = callback.expect("an entry point");
        // SAFETY: it reads nothing of its arguments.
        unsafe { callback(std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null()) - 42 }
    }

    unsafe extern "C" fn takes_none(callback: Option<unsafe extern "C" fn()>) -> c_int {
        c_int::from(callback.map(|callback| callback as usize) != Some(entry as EntryPoint as usize))
    }

    unsafe extern "C" fn has_no_memory(_: Option<EntryPoint>) -> c_int {
        code::NOMEM
    }

    #[test]
    fn the_entry_point_reaches_every_declaration_of_auto_extension() {
        // SAFETY: they stand for the function of a library.
        unsafe {
            assert_eq!(add_auto_extension(takes_three, entry), Ok(()));
            assert_eq!(add_auto_extension(takes_none, entry), Ok(()));
            let message = "sqlite3_auto_extension() did not take vecrank: SQLite code 7".into();
            assert_eq!(add_auto_extension(has_no_memory, entry), Err(Error::Sqlite { code: 7, message }));
        }
    }
}
