//! vecrank: a loadable SQLite extension that ranks rows by vector distance.
//!
//! The module list is the layer diagram (extension/DESIGN.md has the rules):
//!
//! ```text
//! lib.rs --> functions ------------------------> distance
//!   `------> vtab --+--> filter                     ^
//!                   +--> storage --> format         |
//!                   |       v (trait GraphStore)    |
//!                   `--> hnsw --> quantize ---------'
//! ```
//! `error` is imported by all and imports nothing; `sqlite` (all FFI) serves `lib`, `functions`, `vtab` and `storage`.

pub mod distance;
pub mod error;
pub mod filter;
pub mod format;
pub mod functions;
pub mod hnsw;
pub mod quantize;
pub mod sqlite;
pub mod storage;
pub mod vtab;

pub use error::{Error, Result};
