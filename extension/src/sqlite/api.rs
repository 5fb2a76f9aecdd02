//! The host's function table. SQLite hands it to the entry point; from there it travels with each connection (in the
//! module's pAux and the function's pApp), so one process may hold several SQLite libraries without mixing them up.
//!
//! New versions of SQLite append to the table and remove nothing. A member newer than the floor is read only
//! behind `Api::has`, because the host's table may end before it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::NonNull;

use super::bindings::{sqlite3, sqlite3_api_routines};
use crate::error::{Error, Result};

/// The oldest SQLite this extension works in, as sqlite3_libversion_number() writes it: 3.38.0 brought
/// `sqlite3_vtab_in`.
pub const FLOOR: i32 = 3_038_000;
/// From this version on the planner does not offer `<>`, LIKE and similar terms of a later join's ON clause.
pub(super) const HIDES_LATER_JOINS: i32 = 3_051_000;
/// The version that brought sqlite3_is_interrupted().
pub(super) const HAS_IS_INTERRUPTED: i32 = 3_041_000;

/// Calls a member of the host's table: `call!(api.bind_null(statement, 1))`. It is an unsafe operation of the C API.
macro_rules! call {
    ($api:expr, $member:ident ( $($argument:expr),* $(,)? )) => {
        match (*$api.table()).$member {
            Some(function) => function($($argument),*),
            None => $crate::sqlite::api::missing(concat!("sqlite3_", stringify!($member))),
        }
    };
}
pub(super) use call;

/// Panics because the host's SQLite was built without a function that vecrank needs. The guard turns it into an error.
#[cold]
#[inline(never)]
pub(super) fn missing(member: &str) -> ! {
    panic!("the host's SQLite was built without {member}()")
}

/// The function table of one SQLite library, checked against the floor.
#[derive(Clone, Copy)]
pub struct Api {
    table: NonNull<sqlite3_api_routines>,
    version: i32,
}

impl Api {
    /// Checks the table that the host gave to the entry point. Refuses a host below the floor.
    ///
    /// # Safety
    /// `table` is null, or points to a table that a SQLite library owns and that lives as long as that library.
    pub(super) unsafe fn new(table: *const sqlite3_api_routines) -> Result<Api> {
        let Some(table) = NonNull::new(table.cast_mut()) else {
            return Err(Error::Unsupported("vecrank: the host gave no table of SQLite functions".into()));
        };
        // SAFETY: libversion_number has been in the table, at the same place, since the first version of it (3.3.7).
        let member = unsafe { (*table.as_ptr()).libversion_number };
        let Some(libversion_number) = member else {
            return Err(Error::Unsupported("vecrank: the host's table of SQLite functions is empty".into()));
        };
        // SAFETY: sqlite3_libversion_number() takes nothing and may be called at any time.
        let version = unsafe { libversion_number() };
        if version < FLOOR {
            return Err(Error::Unsupported(format!(
                "vecrank needs SQLite {} or newer; this host has SQLite {}",
                version_text(FLOOR),
                version_text(version)
            )));
        }
        let api = Api { table, version };
        api.check_parts()?;
        Ok(api)
    }

    /// Checks for parts that vecrank needs and a build of SQLite may omit (SQLITE_OMIT_*).
    fn check_parts(self) -> Result<()> {
        let table = self.table();
        // SAFETY: the library keeps its table alive, and these members are older than the floor.
        let parts = unsafe {
            [
                ((*table).create_module_v2.is_some() && (*table).declare_vtab.is_some(), "virtual tables"),
                ((*table).blob_open.is_some() && (*table).blob_reopen.is_some(), "incremental BLOB reading"),
                ((*table).create_window_function.is_some(), "window functions"),
            ]
        };
        match parts.iter().find(|(present, _)| !present) {
            Some((_, part)) => {
                Err(Error::Unsupported(format!("vecrank needs {part}, which this host's SQLite was built without")))
            }
            None => Ok(()),
        }
    }

    #[inline]
    pub(super) fn table(&self) -> *const sqlite3_api_routines {
        // A raw pointer, never a reference: an older host's table ends before our declaration of it does.
        self.table.as_ptr()
    }

    /// Whether the host is at least of this version. A member newer than the floor is read only after this check.
    #[inline]
    pub(super) fn has(&self, version: i32) -> bool {
        self.version >= version
    }

    /// The table of a refused host, for allocating the error message only. None for a null table.
    ///
    /// # Safety
    /// As for `new`.
    pub(super) unsafe fn refused(table: *const sqlite3_api_routines) -> Option<Api> {
        NonNull::new(table.cast_mut()).map(|table| Api { table, version: 0 })
    }

    pub(super) fn as_user_data(self) -> *mut c_void {
        self.table.as_ptr().cast()
    }

    /// The counterpart of `as_user_data`.
    ///
    /// # Safety
    /// `data` came from `as_user_data` in the same process, and the library it belongs to is mapped.
    #[inline]
    pub(super) unsafe fn from_user_data(data: *mut c_void) -> Result<Api> {
        // SAFETY: as the caller promises; `new` asks for the version again.
        unsafe { Api::new(data.cast::<sqlite3_api_routines>()) }
    }

    /// Copies `text`, up to its first NUL, into memory of sqlite3_malloc; null if there is no memory.
    pub(super) fn allocate_text(&self, text: &str) -> *mut c_char {
        let bytes = text.as_bytes().split(|byte| *byte == 0).next().unwrap_or_default();
        let Ok(size) = c_int::try_from(bytes.len() + 1) else { return std::ptr::null_mut() };
        // SAFETY: malloc gives null or room for what was asked; copied bytes and the NUL fill exactly that room. (A
        // refused host may be too old for malloc64.)
        unsafe {
            let room: *mut u8 = call!(self, malloc(size)).cast();
            if !room.is_null() {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len());
                *room.add(bytes.len()) = 0;
            }
            room.cast()
        }
    }

    /// # Safety
    /// `memory` is null or came from the same library's sqlite3_malloc and is freed once.
    pub(super) unsafe fn free(&self, memory: *mut c_void) {
        // SAFETY: as the caller promises.
        unsafe { call!(self, free(memory)) }
    }

    /// The error of the last call on `db`: `code` widened to its extended form, and the host's message.
    ///
    /// # Safety
    /// `db` is an open connection of this library.
    #[cold]
    pub(super) unsafe fn error(&self, db: *mut sqlite3, code: i32) -> Error {
        if code & 0xff == crate::error::code::INTERRUPT {
            // SQLite's text may be that of the operation that was interrupted.
            return Error::Interrupted;
        }
        // SAFETY: the connection is open; errmsg and errstr give NUL-terminated text that lives until the next call.
        unsafe {
            let extended = call!(self, extended_errcode(db));
            let (code, message) = match extended & 0xff == code & 0xff {
                true => (extended, call!(self, errmsg(db))),
                false => (code, call!(self, errstr(code))),
            };
            Error::Sqlite { code, message: text_of(message) }
        }
    }
}

/// SQLITE_TRANSIENT: SQLite copies the bytes before the call returns.
#[inline]
pub(super) fn transient() -> Option<unsafe extern "C" fn(*mut c_void)> {
    // SAFETY: sqlite3.h defines the marker as the address -1; SQLite compares it and never calls it.
    Some(unsafe { std::mem::transmute::<isize, unsafe extern "C" fn(*mut c_void)>(-1) })
}

/// 3040001 -> "3.40.1".
fn version_text(version: i32) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1_000 % 1_000, version % 1_000)
}

/// # Safety
/// `text` is null or a NUL-terminated string.
pub(super) unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// `text` for a C function that takes a NUL-terminated string; text with a NUL inside is refused.
pub(super) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::invalid(format!("a NUL character is not allowed here: {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn old() -> i32 {
        3_037_002
    }

    unsafe extern "C" fn new() -> i32 {
        3_040_001
    }

    fn table() -> Box<sqlite3_api_routines> {
        // SAFETY: every member is an Option of a function pointer, for which zero is None.
        unsafe { Box::new(std::mem::zeroed()) }
    }

    fn refusal(table: &sqlite3_api_routines) -> String {
        // SAFETY: the table outlives the call.
        unsafe { Api::new(table) }.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_host_below_the_floor_is_refused_by_version() {
        let mut fake = table();
        fake.libversion_number = Some(old);
        assert_eq!(refusal(&fake), "vecrank needs SQLite 3.38.0 or newer; this host has SQLite 3.37.2");
    }

    #[test]
    fn a_host_without_virtual_tables_is_refused() {
        let mut fake = table();
        fake.libversion_number = Some(new);
        assert_eq!(refusal(&fake), "vecrank needs virtual tables, which this host's SQLite was built without");
    }

    #[test]
    fn an_empty_or_absent_table_is_refused() {
        assert_eq!(refusal(&table()), "vecrank: the host's table of SQLite functions is empty");
        // SAFETY: null is allowed.
        let absent = unsafe { Api::new(std::ptr::null()) }.err().map(|error| error.to_string());
        assert_eq!(absent.as_deref(), Some("vecrank: the host gave no table of SQLite functions"));
    }
}
