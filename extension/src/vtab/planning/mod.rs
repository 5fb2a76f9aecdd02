//! From a query to a plan: what SQLite asks in xBestIndex, what is chosen, and the text that carries it to xFilter.

pub mod index_query;
pub mod plan;
pub mod planner;
pub mod search_arguments;
