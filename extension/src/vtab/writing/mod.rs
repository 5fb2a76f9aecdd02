//! INSERT, UPDATE, DELETE, commands, and the table's part in transactions.

mod commands;
pub mod nesting;
pub mod sync;
pub mod transaction;
mod update;
pub mod vector_input;
