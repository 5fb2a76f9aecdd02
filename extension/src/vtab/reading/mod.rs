//! The cursor: scans of the rows table, and searches that return rows nearest first.

mod arguments;
mod cache_limits;
pub mod context;
pub mod cursor;
mod distance_terms;
pub mod filter_cache;
mod graph_hits;
mod group_limit;
mod index_orders;
mod knn;
mod match_test;
mod ranked_rows;
mod result_row;
mod row_cache;
mod scan;
mod search_cache;
