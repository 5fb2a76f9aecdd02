//! The callbacks that plan a query and walk over rows.

use std::ffi::{c_char, c_int, c_void};
use std::rc::Rc;

use super::handles::{KnownOverload, OpenCursor, OpenCursorOf, Table, on_cursor, on_table};
use crate::error::{Error, code};
use crate::sqlite::bindings::*;
use crate::sqlite::connection::utf8;
use crate::sqlite::context::Context;
use crate::sqlite::function::{Scalar, XCall, scalar_callback};
use crate::sqlite::guard;
use crate::sqlite::index_info::{BestIndex, ColumnId, IndexInfo};
use crate::sqlite::table::{Cursor, VirtualTable};
use crate::sqlite::value::Values;

pub(super) unsafe extern "C" fn x_best_index<T: VirtualTable>(
    vtab: *mut sqlite3_vtab,
    info: *mut sqlite3_index_info,
) -> c_int {
    let mut answer = BestIndex::Planned;
    // SAFETY: SQLite's own call.
    let status = unsafe {
        on_table::<T>(vtab, |table| {
            answer = table.inner.best_index(&mut IndexInfo::new(table.connection.api(), info))?;
            Ok(())
        })
    };
    match (status, answer) {
        (code::OK, BestIndex::Planned) => code::OK,
        (code::OK, BestIndex::Impossible) => code::CONSTRAINT,
        // From here this code means Impossible, and would swallow the error.
        (code::CONSTRAINT, _) => code::ERROR,
        (status, _) => status,
    }
}

pub(super) unsafe extern "C" fn x_open<T: VirtualTable>(
    vtab: *mut sqlite3_vtab,
    cursor: *mut *mut sqlite3_vtab_cursor,
) -> c_int {
    // SAFETY: SQLite's own call. It fills in `base.pVtab` when this has returned.
    unsafe {
        on_table::<T>(vtab, |table| {
            let base = sqlite3_vtab_cursor { pVtab: vtab };
            let (api, inner) = (table.connection.api(), table.inner.open()?);
            *cursor = Box::into_raw(Box::new(OpenCursor { base, api, is_at_end: true, inner })).cast();
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn x_close<T: VirtualTable>(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite's own call, the last one for this cursor.
    unsafe {
        let vtab = (*cursor).pVtab;
        on_table::<T>(vtab, |_| {
            drop(Box::from_raw(cursor.cast::<OpenCursorOf<T>>()));
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn x_filter<T: VirtualTable>(
    cursor: *mut sqlite3_vtab_cursor,
    number: c_int,
    text: *const c_char,
    count: c_int,
    arguments: *mut *mut sqlite3_value,
) -> c_int {
    // SAFETY: SQLite's own call; the text is what `IndexInfo::set_plan` gave, or null.
    unsafe {
        on_cursor::<T>(cursor, |cursor| {
            cursor.is_at_end = true;
            let (text, arguments) = (utf8(text, "a plan")?, Values::new(cursor.api, count, arguments));
            cursor.inner.filter(number, text, arguments)?;
            cursor.is_at_end = cursor.inner.is_at_end();
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn x_next<T: VirtualTable>(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe {
        on_cursor::<T>(cursor, |cursor| {
            cursor.inner.next()?;
            cursor.is_at_end = cursor.inner.is_at_end();
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn x_eof<T: VirtualTable>(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe { (*cursor.cast::<OpenCursorOf<T>>()).is_at_end as c_int }
}

pub(super) unsafe extern "C" fn x_column<T: VirtualTable>(
    cursor: *mut sqlite3_vtab_cursor,
    context: *mut sqlite3_context,
    column: c_int,
) -> c_int {
    // SAFETY: SQLite's own call. An error goes to the context alone: there SQLite looks for its message.
    unsafe {
        let vtab = (*cursor).pVtab;
        let table = Table::<T>::from_raw(vtab);
        let cursor = &mut *cursor.cast::<OpenCursorOf<T>>();
        let api = cursor.api;
        let body = || {
            let column = usize::try_from(column).map_err(|_| Error::internal("a negative column number"))?;
            cursor.inner.column(&Context::new(api, context), ColumnId(column))
        };
        match guard::caught_or_panicked(body, || table.inner.panicked()) {
            Ok(()) => code::OK,
            Err(error) => {
                guard::report_to_context(api, context, &error);
                error.sqlite_code()
            }
        }
    }
}

pub(super) unsafe extern "C" fn x_rowid<T: VirtualTable>(
    cursor: *mut sqlite3_vtab_cursor,
    rowid: *mut sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's own call.
    unsafe {
        on_cursor::<T>(cursor, |cursor| {
            *rowid = cursor.inner.rowid()?;
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn x_find_function<T: VirtualTable>(
    vtab: *mut sqlite3_vtab,
    count: c_int,
    name: *const c_char,
    function: *mut Option<XCall>,
    data: *mut *mut c_void,
) -> c_int {
    let mut answer = 0;
    // SAFETY: SQLite's own call, with a NUL-terminated name. pApp must stay as long as the table.
    unsafe {
        on_table::<T>(vtab, |table| {
            let Ok(name) = utf8(name, "the name of a function") else { return Ok(()) };
            let argument_count = usize::try_from(count).unwrap_or(0);
            let Some(overload) = table.inner.find_function(name, argument_count) else { return Ok(()) };
            let api = table.connection.api();
            let mut overloads = table.overloads.borrow_mut();
            let known = overloads.iter().find(|known| known.name == name && known.argument_count == argument_count);
            let scalar = match known {
                Some(known) => Rc::clone(&known.function),
                None => {
                    let scalar = Rc::new(Scalar::new(api, overload.function));
                    let kept = Rc::clone(&scalar);
                    overloads.push(KnownOverload { name: name.to_owned(), argument_count, function: kept });
                    scalar
                }
            };
            *function = Some(scalar_callback(api)?);
            // The table's own reference keeps it alive.
            *data = Rc::as_ptr(&scalar).cast_mut().cast();
            answer = overload.operator.map_or(1, c_int::from);
            Ok(())
        });
    }
    answer
}
