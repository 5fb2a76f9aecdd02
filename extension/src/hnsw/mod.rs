//! The engine: graph search, insertion, deletion and bulk build over a `GraphStore`. Knows no SQLite.
//!
//! The graph is HNSW's ground level (Malkov & Yashunin, 2016) with its neighbour heuristic; the levels above it are
//! collapsed into one entry sample. Each row carries 1-bit codes of its neighbours, as in SymphonyQG (Gou et al.,
//! SIGMOD 2025), so that one row read expands one node.
#![forbid(unsafe_code)]

pub mod build;
mod column_spec;
mod entry;
mod frontier;
mod geometry;
mod heal;
pub mod insert;
mod matches;
pub mod memory;
mod node_set;
pub mod params;
mod query;
mod search;
mod select;
mod store;
mod traversal;

pub use column_spec::{ColumnSpec, node_row_bytes};
pub use entry::{EntrySample, is_sampled};
pub use heal::Sweep;
pub use matches::Matches;
pub use params::Params;
pub use query::Query;
pub use search::{Ef, Hit, Order, Search};
pub use store::GraphStore;
pub use traversal::GraphState;
