//! WHERE terms on the rows table: their SQL, and the choice of how to combine them with a search. Knows no SQLite.
#![forbid(unsafe_code)]

pub mod predicate;
pub mod strategy;
