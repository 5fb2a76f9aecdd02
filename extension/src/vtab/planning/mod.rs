//! From a query to a plan: the query in xBestIndex, the choice, and the text that carries it to xFilter.

pub mod index_query;
pub mod like_range;
pub mod plan;
pub mod plan_text;
pub mod planner;
pub mod search_arguments;
