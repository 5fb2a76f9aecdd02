//! An index over a table of the user's own, the content: its columns and key, the triggers on it, and the rows that have
//! changed since the graph last learned of them (the log).

pub mod definition;
pub mod find;
mod fold;
pub mod logged_rows;
mod problems;
pub mod state;
pub mod triggers;
