//! vecrank: a loadable SQLite extension that ranks rows by vector distance.
//!
//! The module list is the layer diagram (extension/DESIGN.md has the rules):
//!
//! ```text
//! lib.rs --> functions --------------------------------> distance
//!   |            ^                                          ^
//!   `------> vtab --+--> filter                             |
//!                   +--> storage --> format <----------.    |
//!                   |       v (trait GraphStore)       |    |
//!                   `--> hnsw --> quantize ------------+----'
//! ```
//! `error` is imported by all and imports nothing; `memory_hints` (hints about memory) serves `storage`;
//! `sqlite` (all FFI) serves `lib`, `functions`, `vtab` and `storage`.

pub mod distance;
pub mod error;
pub mod filter;
pub mod format;
pub mod functions;
pub mod hnsw;
mod memory_hints;
pub mod quantize;
pub mod sqlite;
pub mod storage;
pub mod vtab;

use std::ffi::{c_char, c_int};

pub use error::{Error, Result};

/// The entry point: what `.load ./libvecrank` calls, and what a program that links this crate gives to
/// sqlite3_auto_extension(). Calling it twice for a connection is harmless. The host must be SQLite 3.38 or newer.
///
/// # Safety
/// For SQLite to call: `db` is an open connection, `message` null or a place for an error message, and `api` the
/// function table of the same SQLite library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_vecrank_init(
    db: *mut sqlite::sqlite3,
    message: *mut *mut c_char,
    api: *const sqlite::sqlite3_api_routines,
) -> c_int {
    // SAFETY: handed on as it came.
    unsafe { sqlite::enter(db, message, api, register) }
}

fn register(connection: sqlite::Connection) -> Result<()> {
    functions::register(connection)?;
    vtab::register(connection)?;
    #[cfg(feature = "test-panic")]
    sqlite::test_panic::register(connection)?;
    Ok(())
}
