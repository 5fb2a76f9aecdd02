//! The rows table `<table>_rows`: its names, its statements, and all SQL on it. A test holds that no file outside this
//! folder has such SQL.
//!
//! The graph reaches it through the trait `storage::row_nodes::RowNodes`, which an index over a table of the user's own
//! can implement too.

pub mod collect_rowids;
mod conflicts;
pub mod create;
pub mod filter;
mod index_order;
mod nodes;
pub mod owned_value;
pub mod read;
pub mod selection;
pub mod statement_cache;
pub mod table;
pub mod write;
