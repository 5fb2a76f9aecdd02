//! The traits of a virtual table, which `module.rs` turns into SQLite's callbacks.
//!
//! Every method of a table takes `&self`: SQL that a callback runs can call the same table again (through a trigger
//! on a shadow table, say) before the callback has returned. Keep state in RefCells, borrow it with `try_borrow`, and
//! make a borrow that fails an error.

use super::connection::{Conflict, Connection};
use super::context::Context;
use super::function::ScalarClosure;
use super::index_info::{BestIndex, ColumnId, IndexInfo};
use super::value::{Value, Values};
use crate::error::Result;

/// The words of CREATE VIRTUAL TABLE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleArguments<'a> {
    pub module: &'a str,
    /// The schema name: "main", "temp", or that of an attached database.
    pub schema: &'a str,
    pub table: &'a str,
    /// The text between the parentheses as written, split at the outer commas.
    pub arguments: Vec<&'a str>,
}

/// A connected table, and the columns that it declares.
pub struct Connected<T> {
    /// `CREATE TABLE x(...)`, perhaps with HIDDEN columns; the name does not matter.
    pub declaration: String,
    pub table: T,
}

/// An overload of a function, used if its first argument is a column of this table. For `column MATCH x`, which calls
/// `match(x, column)`, it is the second argument.
pub struct Overload {
    pub function: ScalarClosure,
    /// If set (150..=255), `WHERE function(column, x)` comes to `best_index` as `Operator::Function` of that number.
    pub operator: Option<u8>,
}

/// A table that can be read. Registered alone (`register_eponymous`) it is a table-valued function.
pub trait VirtualTable: Sized + 'static {
    type Cursor<'t>: Cursor
    where
        Self: 't;

    /// Opens a table that exists. For a table of CREATE VIRTUAL TABLE nothing may be written here.
    fn connect(connection: Connection, arguments: &ModuleArguments<'_>) -> Result<Connected<Self>>;

    /// Plans a query. An `Err` fails the whole statement at once; `BestIndex::Impossible` lets SQLite ask for less.
    fn best_index(&self, info: &mut IndexInfo<'_>) -> Result<BestIndex>;

    fn open(&self) -> Result<Self::Cursor<'_>>;

    /// The overload of a function, by its name in small letters. The first one that is given for a name and a number of
    /// arguments stays.
    fn find_function(&self, _name: &str, _argument_count: usize) -> Option<Overload> {
        None
    }

    /// A callback of the table or of one of its cursors has panicked: drop all state that can be read from
    /// the file again.
    fn panicked(&self) {}
}

/// A walk over a table's rows.
pub trait Cursor {
    /// Begins a walk by the plan that `best_index` chose, standing on the first row. Called again for a new walk.
    fn filter(&mut self, number: i32, text: &str, arguments: Values<'_>) -> Result<()>;

    fn next(&mut self) -> Result<()>;

    /// True past the last row. Asked once after each `filter` and `next`.
    fn is_at_end(&self) -> bool;

    /// Sets the value of a column of the current row; without one it is NULL.
    fn column(&mut self, context: &Context<'_>, column: ColumnId) -> Result<()>;

    fn rowid(&mut self) -> Result<i64>;
}

/// A change to one row.
pub enum Change<'a> {
    Delete {
        rowid: i64,
    },
    Insert {
        /// None if the statement gives no rowid, or NULL.
        rowid: Option<Value<'a>>,
        /// All declared columns, the hidden ones too.
        values: Values<'a>,
    },
    Update {
        rowid: i64,
        /// The same integer unless the statement sets the rowid; then anything at all.
        new_rowid: Value<'a>,
        /// All declared columns; see `Value::is_no_change`.
        values: Values<'a>,
    },
}

/// A table of CREATE VIRTUAL TABLE: it is made, written and dropped, and takes part in transactions:
///
/// `begin -> [savepoint(n) -> (release(n) | rollback_to(n))]* -> (sync -> commit | rollback)`
///
/// A `create` counts as the beginning of a transaction: `sync` and `commit` (or `rollback`) follow it without `begin`.
/// `savepoint(n)` may come for an n below the deepest open one, and some n may be skipped; `release(n)` and
/// `rollback_to(n)` end all savepoints above n. Everything that can fail must happen before or in `sync`.
pub trait StoredTable: VirtualTable {
    /// CREATE VIRTUAL TABLE: makes what the table stores, and connects.
    fn create(connection: Connection, arguments: &ModuleArguments<'_>) -> Result<Connected<Self>>;

    /// DROP TABLE: removes what the table stores. After Ok the table is dropped; after an error it lives on.
    fn destroy(&self) -> Result<()>;

    /// Makes a change; for an Insert, returns the row's rowid. With `TableOption::ConstraintSupport`, an error of a
    /// constraint must come before anything is written.
    fn update(&self, change: Change<'_>, conflict: Conflict) -> Result<Option<i64>>;

    fn rename(&self, new_name: &str) -> Result<()>;

    fn begin(&self) -> Result<()>;

    fn sync(&self) -> Result<()>;

    fn commit(&self);

    fn rollback(&self);

    fn savepoint(&self, savepoint: i32) -> Result<()>;

    fn release(&self, savepoint: i32) -> Result<()>;

    fn rollback_to(&self, savepoint: i32) -> Result<()>;

    /// True if `<table>_<suffix>` is a shadow table of such a table.
    fn is_shadow_name(suffix: &str) -> bool;

    /// What PRAGMA integrity_check or quick_check reports of this table; None if it is sound. Hosts from 3.44 ask.
    fn integrity(&self) -> Result<Option<String>>;
}
