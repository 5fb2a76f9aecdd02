//! The objects behind SQLite's sqlite3_vtab and sqlite3_vtab_cursor, and the guarded body of every callback on them.

use std::cell::{RefCell, UnsafeCell};
use std::ffi::c_int;
use std::rc::Rc;

use crate::error::Result;
use crate::sqlite::api::Api;
use crate::sqlite::bindings::*;
use crate::sqlite::connection::Connection;
use crate::sqlite::function::Scalar;
use crate::sqlite::guard;
use crate::sqlite::table::VirtualTable;

/// The object behind a sqlite3_vtab. `base` comes first, so a pointer to one is a pointer to the other.
#[repr(C)]
pub(super) struct Table<T> {
    /// SQLite and the guard write here while a callback holds the table.
    pub(super) base: UnsafeCell<sqlite3_vtab>,
    pub(super) connection: Connection,
    /// pApp of the functions that `find_function` gave, which statements use as long as the table lives.
    pub(super) overloads: RefCell<Vec<KnownOverload>>,
    pub(super) inner: T,
}

pub(super) struct KnownOverload {
    pub(super) name: String,
    pub(super) argument_count: usize,
    pub(super) function: Rc<Scalar>,
}

impl<T: VirtualTable> Table<T> {
    /// # Safety
    /// `vtab` was made by `connect` for this T and not yet dropped; `'t` ends before it is.
    #[inline]
    pub(super) unsafe fn from_raw<'t>(vtab: *mut sqlite3_vtab) -> &'t Table<T> {
        // SAFETY: as the caller promises.
        unsafe { &*vtab.cast::<Table<T>>() }
    }
}

/// The body of a callback of a table: its code, with the message in zErrMsg.
///
/// # Safety
/// As for `Table::from_raw`; SQLite's call that hands over `vtab` is under way.
#[inline]
pub(super) unsafe fn on_table<T: VirtualTable>(
    vtab: *mut sqlite3_vtab,
    body: impl FnOnce(&'static Table<T>) -> Result<()>,
) -> c_int {
    // SAFETY: as the caller promises. SQLite closes a table's cursors before it disconnects the table, so what `body`
    // makes of the reference never outlives it.
    unsafe {
        let table = Table::<T>::from_raw(vtab);
        let result = guard::caught_or_panicked(|| body(table), || table.inner.panicked());
        guard::report_to_table(table.connection.api(), vtab, result)
    }
}

/// The object behind a sqlite3_vtab_cursor.
#[repr(C)]
pub(super) struct OpenCursor<C> {
    pub(super) base: sqlite3_vtab_cursor,
    pub(super) api: Api,
    /// Asked after each move, inside the guard: xEof has no way to report an error.
    pub(super) is_at_end: bool,
    pub(super) inner: C,
}

pub(super) type OpenCursorOf<T> = OpenCursor<<T as VirtualTable>::Cursor<'static>>;

/// The body of a callback of a cursor: its code, with the message in the table's zErrMsg.
///
/// # Safety
/// `cursor` was made by `x_open` for this T and not yet closed; SQLite's call that hands it over is under way.
#[inline]
pub(super) unsafe fn on_cursor<T: VirtualTable>(
    cursor: *mut sqlite3_vtab_cursor,
    body: impl FnOnce(&mut OpenCursorOf<T>) -> Result<()>,
) -> c_int {
    // SAFETY: as the caller promises. A cursor belongs to one statement under way, which SQLite does not run while a
    // callback of it runs: the reference is the only one.
    unsafe {
        let vtab = (*cursor).pVtab;
        on_table::<T>(vtab, |_| body(&mut *cursor.cast::<OpenCursorOf<T>>()))
    }
}
