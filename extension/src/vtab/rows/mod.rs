//! The rows: their names, their statements, and the SQL that scans, searches and the graph run on them.
//!
//! They are the rows table `<table>_rows`, or of an index over a table of the user's that table joined with
//! `<table>_map`. A test holds that nothing outside this folder and
//! `content` names them in SQL. The graph reaches their nodes through the
//! trait `storage::row_nodes::RowNodes`.

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
