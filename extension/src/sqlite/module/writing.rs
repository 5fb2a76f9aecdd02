//! The callbacks that change rows, follow a transaction, and keep the stored table.

use std::ffi::{c_char, c_int};

use super::handles::on_table;
use crate::error::{Error, code};
use crate::sqlite::bindings::*;
use crate::sqlite::connection::{Conflict, utf8};
use crate::sqlite::guard;
use crate::sqlite::table::{Change, StoredTable};
use crate::sqlite::value::Values;

pub(super) unsafe extern "C" fn x_update<T: StoredTable>(
    vtab: *mut sqlite3_vtab,
    count: c_int,
    values: *mut *mut sqlite3_value,
    rowid: *mut sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's own call: one value is a DELETE, else old rowid, new rowid and the columns.
    unsafe {
        on_table::<T>(vtab, |table| {
            let all = Values::new(table.connection.api(), count, values);
            let old = all.at(0)?;
            let change = match all.get(1) {
                None => Change::Delete { rowid: old.as_i64() },
                Some(new) if old.is_null() => {
                    Change::Insert { rowid: Some(new).filter(|new| !new.is_null()), values: all.skip(2) }
                }
                Some(new_rowid) => Change::Update { rowid: old.as_i64(), new_rowid, values: all.skip(2) },
            };
            let conflict = table.connection.conflict();
            let new = table.inner.update(change, conflict).map_err(|error| passed_over(error, conflict))?;
            if let Some(new) = new {
                *rowid = new;
            }
            Ok(())
        })
    }
}

/// A row that OR IGNORE passes over leaves no message: SQLite would show it with the next error of the statement that
/// has none of its own.
fn passed_over(error: Error, conflict: Conflict) -> Error {
    match error.sqlite_code() {
        full if conflict == Conflict::Ignore && full & 0xff == code::CONSTRAINT => {
            Error::Sqlite { code: full, message: String::new() }
        }
        _ => error,
    }
}

pub(super) unsafe extern "C" fn x_begin<T: StoredTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { on_table::<T>(vtab, |table| table.inner.begin()) }
}

pub(super) unsafe extern "C" fn x_sync<T: StoredTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { on_table::<T>(vtab, |table| table.inner.sync()) }
}

pub(super) unsafe extern "C" fn x_commit<T: StoredTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe {
        on_table::<T>(vtab, |table| {
            table.inner.commit();
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn x_rollback<T: StoredTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe {
        on_table::<T>(vtab, |table| {
            table.inner.rollback();
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn x_savepoint<T: StoredTable>(vtab: *mut sqlite3_vtab, savepoint: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { on_table::<T>(vtab, |table| table.inner.savepoint(savepoint)) }
}

pub(super) unsafe extern "C" fn x_release<T: StoredTable>(vtab: *mut sqlite3_vtab, savepoint: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { on_table::<T>(vtab, |table| table.inner.release(savepoint)) }
}

pub(super) unsafe extern "C" fn x_rollback_to<T: StoredTable>(vtab: *mut sqlite3_vtab, savepoint: c_int) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { on_table::<T>(vtab, |table| table.inner.rollback_to(savepoint)) }
}

pub(super) unsafe extern "C" fn x_rename<T: StoredTable>(vtab: *mut sqlite3_vtab, new_name: *const c_char) -> c_int {
    // SAFETY: SQLite's own call, with a NUL-terminated name.
    unsafe { on_table::<T>(vtab, |table| table.inner.rename(utf8(new_name, "the new name of the table")?)) }
}

pub(super) unsafe extern "C" fn x_shadow_name<T: StoredTable>(suffix: *const c_char) -> c_int {
    // SAFETY: SQLite's own call, with a NUL-terminated name.
    let is_shadow = guard::caught(|| Ok(T::is_shadow_name(unsafe { utf8(suffix, "a table name") }?)));
    is_shadow.unwrap_or(false) as c_int
}

pub(super) unsafe extern "C" fn x_integrity<T: StoredTable>(
    vtab: *mut sqlite3_vtab,
    _schema: *const c_char,
    _table: *const c_char,
    _flags: c_int,
    report: *mut *mut c_char,
) -> c_int {
    // SAFETY: SQLite's own call; it frees the report.
    unsafe {
        on_table::<T>(vtab, |table| {
            if let Some(problems) = table.inner.integrity()? {
                *report = table.connection.api().allocate_text(&problems);
            }
            Ok(())
        })
    }
}
