//! The virtual table `hnsw`: the meaning of its SQL.

mod content;
mod core;
mod declaration;
mod info;
mod planning;
mod reading;
mod rows;
mod snapshot;
mod table;
mod writing;

pub use declaration::schema::HIDDEN_COLUMNS;

use crate::error::Result;
use crate::sqlite::{Connection, register_eponymous, register_module};

/// The name of the module in CREATE VIRTUAL TABLE ... USING.
const MODULE: &str = "hnsw";

/// Registers the module `hnsw` and the table-valued function `hnsw_info`.
pub fn register(connection: Connection) -> Result<()> {
    register_module::<table::HnswTable>(connection, MODULE)?;
    rows::collect_rowids::register(connection)?;
    register_eponymous::<info::InfoTable>(connection, "hnsw_info")
}
