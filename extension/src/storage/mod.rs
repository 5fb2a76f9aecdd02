//! What is kept in the shadow tables, and how it is read and written.

pub mod cache;
mod check;
pub mod generation;
mod linking;
pub mod matching;
mod overlay;
mod place;
pub mod progress;
mod rebuild;
mod repair;
mod searching;
pub mod shadow;
pub mod store;
pub mod vector_column;
mod warm;
