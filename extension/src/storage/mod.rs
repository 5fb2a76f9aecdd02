//! What is kept in the shadow tables, and how it is read and written.

pub mod generation;
mod rebuild;
pub mod store;
pub mod vector_column;
