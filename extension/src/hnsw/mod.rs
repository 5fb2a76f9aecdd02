//! The engine: graph search, insertion, deletion and bulk build over a `GraphStore`. Knows no SQLite.
#![forbid(unsafe_code)]

pub mod params;

pub use params::Params;
