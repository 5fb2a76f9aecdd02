//! All FFI: SQLite's C API behind safe Rust. This module knows SQLite and knows nothing of vectors.
//!
//! `lib.rs` enters through `entry`; `vtab` implements the traits of `table` and registers them with `module`;
//! `functions` registers with `function`; all run SQL through `Connection`, `Statement` and `Blob`.

mod api;
mod bindings;
mod connection;
mod context;
mod entry;
mod function;
mod guard;
mod index_info;
mod libraries;
mod module;
mod statement;
mod table;
#[cfg(feature = "test-panic")]
pub(crate) mod test_panic;
mod value;

pub use bindings::{sqlite3, sqlite3_api_routines};
pub use connection::{BlobColumn, Conflict, Connection, Pages, TableOption, quote_identifier};
pub use context::Context;
pub use entry::{add_auto_extension, enter};
pub use function::{Aggregate, FunctionFlags, ScalarFunction, Signature, register_aggregate, register_scalar};
pub use index_info::{BestIndex, ColumnId, IndexInfo, Operator, OrderTerm, OrderUse, Recheck};
pub use module::{register_eponymous, register_module};
pub use statement::{Blob, Parameter, Statement};
pub use table::{Change, Connected, Cursor, ModuleArguments, Overload, StoredTable, VirtualTable};
pub use value::{Content, Kind, Value, Values, whole};
