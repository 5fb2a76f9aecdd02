//! The SQLite libraries of this process, each known by the address of its function table.
//!
//! A table's callbacks find their function table through pAux and the sqlite3_vtab. An SQL function's callback gets
//! only a context, and reading pApp from it takes a function of the very library that made the context. So each
//! library gets a number, and each callback exists once for every number: the number is part of the function that
//! SQLite calls, and no library can meet another's table.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::api::Api;
use super::bindings::{sqlite3_api_routines, sqlite3_context};
use crate::error::{Error, Result};

/// SQLite libraries that one process may load vecrank into. One is usual, two happen (a browser engine's beside the
/// program's own); a number is never given back.
pub(super) const LIBRARIES: usize = 8;

static TABLES: [AtomicPtr<sqlite3_api_routines>; LIBRARIES] = [const { AtomicPtr::new(ptr::null_mut()) }; LIBRARIES];

/// The number of the library that `api` belongs to, given out at its first call.
pub(super) fn number_of(api: Api) -> Result<usize> {
    let table = api.table().cast_mut();
    for (number, slot) in TABLES.iter().enumerate() {
        match slot.compare_exchange(ptr::null_mut(), table, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Ok(number),
            Err(taken) if taken == table => return Ok(number),
            Err(_) => {}
        }
    }
    Err(Error::Unsupported(format!("vecrank is loaded into {LIBRARIES} SQLite libraries of this process already")))
}

/// pApp of the function whose callback, made for library `NUMBER`, is under way.
///
/// # Safety
/// `context` is what SQLite gave to a callback that was registered for library `NUMBER`.
#[inline]
pub(super) unsafe fn user_data<const NUMBER: usize>(context: *mut sqlite3_context) -> *mut c_void {
    let table = TABLES[NUMBER].load(Ordering::Acquire);
    // SAFETY: the callback was registered after `number_of` filled the slot, with that library's table.
    match unsafe { (*table).user_data } {
        // SAFETY: the context belongs to that library.
        Some(user_data) => unsafe { user_data(context) },
        None => super::api::missing("sqlite3_user_data"),
    }
}

/// The instance of a generic callback for a library's number: `for_library!(number, x_step, Sum)` is
/// `x_step::<3, Sum>` for number 3.
macro_rules! for_library {
    ($number:expr, $callback:ident $(, $type:ty)*) => {
        match $number {
            0 => $callback::<0, $($type),*>,
            1 => $callback::<1, $($type),*>,
            2 => $callback::<2, $($type),*>,
            3 => $callback::<3, $($type),*>,
            4 => $callback::<4, $($type),*>,
            5 => $callback::<5, $($type),*>,
            6 => $callback::<6, $($type),*>,
            _ => $callback::<7, $($type),*>,
        }
    };
}
pub(super) use for_library;

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses stand for tables; nothing of them is read.
    fn fake(number: usize) -> Api {
        // SAFETY: the table is only compared.
        unsafe { Api::refused(ptr::without_provenance(4096 * (number + 1))) }.expect("not null")
    }

    #[test]
    fn each_library_has_its_own_number_for_good() {
        let numbers: Vec<usize> = (0..LIBRARIES).map(|number| number_of(fake(number)).unwrap()).collect();
        assert_eq!(numbers, (0..LIBRARIES).collect::<Vec<_>>());
        assert_eq!(number_of(fake(3)), Ok(3));
        let full = "vecrank is loaded into 8 SQLite libraries of this process already";
        assert_eq!(number_of(fake(LIBRARIES)), Err(Error::Unsupported(full.into())));
    }
}
