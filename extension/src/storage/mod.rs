//! The shadow tables: their content, and reading and writing it.

pub mod check;
pub mod column_name;
mod debt;
pub mod filtered_search;
mod generation;
mod healing;
mod ignored_reads;
mod linking;
mod node_cache;
pub mod node_cache_handle;
pub mod page;
pub mod progress;
pub mod rebuild;
pub mod repair;
pub mod row_nodes;
pub mod search;
pub mod shadow;
mod store;
mod sync;
pub mod vector_column;
mod write_buffer;
