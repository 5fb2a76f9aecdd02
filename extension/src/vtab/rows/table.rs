//! The rows table of one connected virtual table.

use std::cell::RefCell;
use std::rc::Rc;

use super::statement_cache::StatementCache;
use crate::error::{Error, Result};
use crate::sqlite::{Connection, quote_identifier};
use crate::storage::shadow::Owner;
use crate::vtab::declaration::schema::TableSchema;

/// The names of a virtual table and its rows table, which ALTER TABLE RENAME changes.
pub struct Names {
    pub owner: Owner,
    /// The rows table as SQL: `"main"."articles_rows"`.
    pub(super) rows: String,
}

impl Names {
    fn new(owner: Owner) -> Rc<Names> {
        let rows = owner.shadow("rows");
        Rc::new(Names { owner, rows })
    }

    /// The name of the virtual table.
    pub fn table(&self) -> &str {
        &self.owner.table
    }

    /// The error of a missing row that a node names.
    pub fn missing_row(&self, what: &str) -> Error {
        let (table, rows) = (self.table(), self.rows_table());
        let reason = format!(
            "{what} is missing or has another vector: INSERT INTO {table}({table}) VALUES ('rebuild') repairs the index; \
             delete from {table}, not from {rows}"
        );
        Error::corrupt(rows, reason)
    }

    /// The name of the rows table in messages: `articles_rows`.
    pub fn rows_table(&self) -> String {
        self.owner.shadow_name("rows")
    }
}

/// The table `<table>_rows`. It has one row per row of the virtual table: the ordinary columns, and for each vector
/// column the row's node, or NULL.
pub struct RowsTable {
    pub(super) db: Connection,
    pub(super) schema: Rc<TableSchema>,
    /// Cached statements on all shadow tables.
    pub statements: StatementCache,
    names: RefCell<Rc<Names>>,
}

impl RowsTable {
    /// The rows table of a virtual table. Reads nothing.
    pub fn new(db: Connection, schema: Rc<TableSchema>, owner: Owner) -> RowsTable {
        RowsTable { db, schema, statements: StatementCache::new(db), names: RefCell::new(Names::new(owner)) }
    }

    /// The current names.
    pub fn names(&self) -> Result<Rc<Names>> {
        self.names.try_borrow().map(|names| Rc::clone(&names)).map_err(|_| busy())
    }

    /// Changes the name of the virtual table.
    pub fn rename(&self, owner: Owner) -> Result<()> {
        self.statements.clear();
        *self.names.try_borrow_mut().map_err(|_| busy())? = Names::new(owner);
        Ok(())
    }

    /// The rowid's name, quoted.
    pub(super) fn key(&self) -> String {
        quote_identifier(self.schema.rowid_name())
    }

    /// The name of a declared column, quoted.
    pub(super) fn column(&self, number: usize) -> String {
        quote_identifier(self.schema.columns.get(number).map_or("", |column| &column.name))
    }

    /// Refuses a rows table that lacks a column. The table's alias stands before each name: SQLite would take a bare
    /// name in double quotes for a string.
    pub fn check_columns(&self) -> Result<()> {
        let names = self.schema.columns.iter().map(|column| column.name.as_str());
        let columns: Vec<String> = std::iter::once(self.schema.rowid_name())
            .chain(names)
            .map(|name| format!("r.{}", quote_identifier(name)))
            .collect();
        let sql = format!("SELECT {} FROM {} AS r", columns.join(", "), self.names()?.rows);
        self.db.prepare_shadow(&sql).map(|_| ())
    }
}

/// The error of a table that is used while it is borrowed.
pub fn busy() -> Error {
    Error::invalid("a virtual table is used again from inside a function or trigger that it called itself")
}
