//! The virtual table `hnsw`: what its SQL means.

pub mod arguments;
pub mod options;
pub mod schema;
pub mod tokens;

/// Registers the module `hnsw` and `hnsw_info`.
pub fn register(_connection: crate::sqlite::Connection) -> crate::error::Result<()> {
    Ok(())
}
