//! What is kept in the shadow tables, and how it is read and written.

mod check;
mod column_name;
pub mod filtered_search;
pub mod generation;
mod linking;
pub mod node_cache;
mod node_cache_handle;
pub mod progress;
mod rebuild;
mod repair;
mod search;
pub mod shadow;
pub mod store;
pub mod vector_column;
mod write_buffer;
