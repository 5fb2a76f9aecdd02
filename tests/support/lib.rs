//! Shared by the cases: the built library, and databases that use it.
//!
//! - `library()` is the path of the built library, made with `cargo build -p vecrank` at the first call;
//!   `library_with(&["test-panic"])` is one built with features, in a target folder of its own.
//! - `open()` and `open_file(path)` give a rusqlite connection (the bundled SQLite) with the library loaded.
//! - `Host` is a connection of the bundled SQLite or of the machine's own library (3.40.1 on Debian 12), driven alike:
//!   `Host::both(library())` gives one of each with the library loaded, `host.query(sql)` rows as text; `host.run`,
//!   `rows`, `line`, `refusal` and `check_sound` are for statements whose outcome a case is sure of.
//! - `long_or(long, short)` is a count that the variable VECRANK_LONG decides.
//! - `data` makes vectors from a seed, and ranks them exactly.

/// The example on the first page of the crate `vecrank`, which depends on no SQLite itself.
#[cfg(doctest)]
#[doc = include_str!("../../extension/src/example.md")]
struct CrateExample;

mod built;
mod checks;
pub mod data;
mod host;

use std::path::Path;

pub use built::{library, library_with, target_folder};
pub use host::{Cell, Host, HostError, row};

/// The number of repetitions of a test: `long` with VECRANK_LONG=1 in the environment, otherwise `short`.
pub fn long_or<T>(long: T, short: T) -> T {
    if std::env::var_os("VECRANK_LONG").is_some_and(|value| value == "1") { long } else { short }
}

/// A connection to a new in-memory database, with the library loaded.
pub fn open() -> rusqlite::Connection {
    let connection = rusqlite::Connection::open_in_memory().expect("an in-memory database opens");
    load(&connection, library());
    connection
}

/// A connection to a database file, created if it is missing, with the library loaded.
pub fn open_file(path: impl AsRef<Path>) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).expect("the database file opens");
    load(&connection, library());
    connection
}

/// Loads a built library into a connection.
pub fn load(connection: &rusqlite::Connection, library: &Path) {
    // SAFETY: the library is ours, and its entry point has the signature that SQLite expects.
    unsafe {
        connection.load_extension_enable().expect("extensions may be loaded");
        connection.load_extension(library, None::<&str>).expect("the library loads");
        connection.load_extension_disable().expect("extensions may be switched off again");
    }
}
