//! The virtual table `hnsw`: what its SQL means.

mod arguments;
mod command;
mod conflicts;
mod cursor;
mod distance_terms;
mod feed;
mod gather;
mod hit_row;
mod index_order;
mod info;
mod knn;
mod match_test;
mod nesting;
mod options;
mod plan;
mod planner;
mod pool;
mod rows_filter;
mod scan;
mod schema;
mod shelf;
mod table;
mod tokens;
mod transaction;
mod update;
mod vectors;

pub use schema::HIDDEN_COLUMNS;

use crate::error::Result;
use crate::sqlite::{Connection, register_eponymous, register_module};

/// Registers the module `hnsw` and the table-valued function `hnsw_info`.
pub fn register(connection: Connection) -> Result<()> {
    register_module::<table::HnswTable>(connection, "hnsw")?;
    gather::register(connection)?;
    register_eponymous::<info::InfoTable>(connection, "hnsw_info")
}
