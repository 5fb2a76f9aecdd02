//! Distances between vectors, and the types that name them.

mod metric;

pub use metric::{Element, Metric};
