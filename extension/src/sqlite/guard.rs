//! The guard of every callback that SQLite calls. An error becomes a result code, with a message where SQLite looks for
//! it. A panic becomes SQLITE_INTERNAL, because a panic that leaves an `extern "C"` function aborts the host.

use std::any::Any;
use std::ffi::{c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::api::{Api, call};
use super::bindings::{sqlite3_context, sqlite3_vtab};
use crate::error::{Error, Result, code};

/// Runs `body`; a panic in it comes back as `Error::Internal`.
#[inline]
pub(super) fn caught<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    // State that a panic may leave half changed is behind RefCells, and `VirtualTable::panicked` drops it.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(Error::Internal(panic_text(&payload))))
}

/// As `caught`, and calls `panicked` after a panic.
#[inline]
pub(super) fn caught_or_panicked<T>(body: impl FnOnce() -> Result<T>, panicked: impl FnOnce()) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => {
            // The clean-up may panic as well; the first panic is the one to report.
            let _ = catch_unwind(AssertUnwindSafe(panicked));
            Err(Error::Internal(panic_text(&payload)))
        }
    }
}

#[cold]
fn panic_text(payload: &Box<dyn Any + Send>) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "panic without a message".to_owned(),
    }
}

/// The result code of a table's or cursor's callback; an error's message goes to the table's zErrMsg.
///
/// # Safety
/// `vtab` points to a live sqlite3_vtab of the library that `api` stands for.
#[inline]
pub(super) unsafe fn report_to_table(api: Api, vtab: *mut sqlite3_vtab, result: Result<()>) -> c_int {
    match result {
        Ok(()) => code::OK,
        // SAFETY: zErrMsg is null or of sqlite3_malloc, as SQLite demands, and ours to replace.
        Err(error) => unsafe { report_to_text(api, &raw mut (*vtab).zErrMsg, &error) },
    }
}

/// Replaces the message in `*message_slot` by that of the error. Returns the error's code.
///
/// # Safety
/// `message_slot` is null, or `*message_slot` is null or text of the same library's sqlite3_malloc.
#[cold]
pub(super) unsafe fn report_to_text(api: Api, message_slot: *mut *mut c_char, error: &Error) -> c_int {
    report(|| {
        if !message_slot.is_null() {
            // SAFETY: as the caller promises.
            unsafe {
                let old = std::mem::replace(&mut *message_slot, std::ptr::null_mut());
                api.free(old.cast());
                let text = error.to_string();
                if !text.is_empty() {
                    *message_slot = api.allocate_text(&text);
                }
            }
        }
    });
    error.sqlite_code()
}

/// Makes the error the result of an SQL function or of a column.
///
/// # Safety
/// `context` is the context that SQLite gave to the callback under way.
#[cold]
pub(super) unsafe fn report_to_context(api: Api, context: *mut sqlite3_context, error: &Error) {
    report(|| {
        let message = error.to_string();
        // SAFETY: SQLite copies the message; its length is given, so it needs no NUL. The code comes second, because
        // sqlite3_result_error() sets SQLITE_ERROR.
        unsafe {
            call!(api, result_error(context, message.as_ptr().cast(), message.len().min(c_int::MAX as usize) as c_int));
            call!(api, result_error_code(context, error.sqlite_code()));
        }
    });
}

/// Runs the body of a report. If it panics, the message is lost, and the result code still reaches the host.
fn report(body: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(body));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::bindings::sqlite3_api_routines;

    #[test]
    fn a_panic_while_an_error_is_reported_keeps_its_result_code() {
        // SAFETY: every member is an Option of a function pointer, for which zero is None: each call panics.
        let table: Box<sqlite3_api_routines> = unsafe { Box::new(std::mem::zeroed()) };
        // SAFETY: the table outlives the calls.
        let api = unsafe { Api::refused(&raw const *table) }.expect("not null");
        let error = Error::invalid("what came is wrong");
        let mut message = std::ptr::null_mut();
        // SAFETY: the slot holds null; the context is handed to no function, since there is none.
        unsafe {
            assert_eq!(report_to_text(api, &raw mut message, &error), code::ERROR);
            report_to_context(api, std::ptr::null_mut(), &error);
        }
        assert!(message.is_null());
    }
}
