//! (module functions)
mod aggregate;
mod arithmetic;
mod parse;
pub use parse::{parse_blob, parse_json, to_json};
