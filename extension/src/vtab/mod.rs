//! The virtual table `hnsw`: the meaning of its SQL.

mod content;
mod core;
mod declaration;
mod info;
mod key_values;
mod planning;
mod reading;
mod rows;
mod search_counts;
mod snapshot;
mod stats;
mod table;
mod writing;

pub use declaration::schema::HIDDEN_COLUMNS;

use declaration::tokens::MODULE;

use crate::error::Result;
use crate::sqlite::{Connection, register_eponymous, register_module};

/// Registers the module `hnsw` and the table-valued functions on its tables.
pub fn register(connection: Connection) -> Result<()> {
    register_module::<table::HnswTable>(connection, MODULE)?;
    rows::collect_rowids::register(connection)?;
    register_function::<info::Info>(connection)?;
    register_function::<stats::Stats>(connection)
}

fn register_function<F: key_values::TableFunction>(connection: Connection) -> Result<()> {
    register_eponymous::<key_values::KeyValues<F>>(connection, F::NAME)
}
