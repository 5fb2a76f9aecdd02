//! vecrank: a loadable SQLite extension that ranks rows by vector distance. Rows, vectors and the HNSW graph of a virtual
//! table `hnsw` are in the one SQLite file.
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

// Its example runs as a documentation test of `vecrank-tests`: this crate depends on no SQLite.
#![cfg_attr(not(doctest), doc = include_str!("example.md"))]
#![deny(missing_docs)]

mod error;
// `internals` re-exports parts of these modules; they are not part of the public interface.
#[allow(missing_docs)]
mod distance;
#[allow(missing_docs)]
mod filter;
#[allow(missing_docs)]
mod format;
#[allow(missing_docs)]
mod functions;
#[allow(missing_docs)]
mod hnsw;
#[allow(missing_docs)]
mod memory_hints;
#[allow(missing_docs)]
mod quantize;
#[allow(missing_docs)]
mod sqlite;
#[allow(missing_docs)]
mod storage;
#[allow(missing_docs)]
mod vtab;

use std::ffi::{c_char, c_int};

pub use error::{Error, Result};

/// The entry point: what `.load ./libvecrank` calls, and what a program that links this crate gives to
/// sqlite3_auto_extension(). Calling it twice for a connection is harmless. The host must be SQLite 3.38 or newer.
///
/// # Safety
/// For SQLite to call: `db` is an open connection, `message` null or the address of an error message, and `api` the
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

/// Gives every connection that an SQLite library opens from now on the extension. This crate depends on no SQLite: the
/// caller passes its own library's `sqlite3_auto_extension`, such as `rusqlite::ffi::sqlite3_auto_extension`. Bindings
/// declare the callback's type in their own ways; `Callback` is inferred.
///
/// # Safety
/// `auto_extension` is the function sqlite3_auto_extension() of an SQLite library.
///
/// # Errors
/// What the library answers: SQLITE_NOMEM, or SQLITE_MISUSE of a library that is too old.
pub unsafe fn register_auto_extension<Callback: Copy>(
    auto_extension: unsafe extern "C" fn(Callback) -> c_int,
) -> Result<()> {
    // SAFETY: as the caller promises.
    unsafe { sqlite::add_auto_extension(auto_extension, sqlite3_vecrank_init) }
}

/// The BLOB to bind for a vector: little-endian 32-bit floats.
pub fn vector(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The numbers of a vector that was read from a table.
///
/// # Errors
/// The BLOB is empty, or its length is not a multiple of four.
pub fn from_vector(blob: &[u8]) -> Result<Vec<f32>> {
    let (numbers, rest) = blob.as_chunks::<4>();
    if numbers.is_empty() || !rest.is_empty() {
        return Err(Error::invalid(format!(
            "expected the BLOB of a vector, 4 bytes for each number, got {} bytes",
            blob.len()
        )));
    }
    Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// What the importer, the tests, the benches and the fuzz targets of this project use. It may change with every release:
/// other programs use SQL.
#[doc(hidden)]
pub mod internals {
    /// Distances, elements and metrics.
    pub mod distance {
        pub use crate::distance::{
            BitKernel, Element, ExactQuery, Kernels, Metric, available, available_for_bits, cosine, decode,
            decode_into, dot, encode, f32_to_f16, l2, signs,
        };
    }

    /// The bytes of the file.
    pub mod format {
        pub use crate::format::entry::EntryBlob;
        pub use crate::format::header::Header;
        pub use crate::format::node::{LANES, Node, NodeId, NodeLayout, RowId, RowNode, set_degree};
    }

    /// The list of SQL functions.
    pub mod functions {
        pub use crate::functions::{Kind, TABLE};
    }

    /// The engine, which knows no SQLite.
    pub mod hnsw {
        pub use crate::hnsw::build::{Options, RowWriter, Vectors, build, put_lane};
        pub use crate::hnsw::insert::insert;
        pub use crate::hnsw::memory::MemoryStore;
        pub use crate::hnsw::params::MAX_DIMS;
        pub use crate::hnsw::{
            ColumnSpec, Ef, EntrySample, GraphState, GraphStore, Hit, Matches, Order, Params, Query, Search,
            is_sampled, node_row_bytes,
        };
    }

    /// Codes and their estimates.
    pub mod quantize {
        pub use crate::quantize::{Encoded, Estimate, FactorKind, estimator};
    }

    /// Shadow tables, pages, and the progress of a bulk build.
    pub mod storage {
        pub use crate::storage::page::rows_per_page;
        pub use crate::storage::progress::share;
        pub use crate::storage::shadow::{SHADOW_TABLES, is_shadow_name};
    }

    /// Names of the virtual table.
    pub mod vtab {
        pub use crate::vtab::HIDDEN_COLUMNS;
    }
}

fn register(connection: sqlite::Connection) -> Result<()> {
    functions::register(connection)?;
    vtab::register(connection)?;
    #[cfg(feature = "test-panic")]
    sqlite::test_panic::register(connection)?;
    Ok(())
}
