//! The declaration in CREATE VIRTUAL TABLE: parsed, checked, and as the columns that SQLite is told of.

pub mod arguments;
pub mod content;
mod options;
pub mod schema;
pub mod tokens;
