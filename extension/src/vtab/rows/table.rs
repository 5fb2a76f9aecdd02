//! The rows table of one connected virtual table.

use std::cell::RefCell;
use std::rc::Rc;

use super::statement_cache::StatementCache;
use crate::error::{Error, Result};
use crate::sqlite::{ColumnId, Connection, quote_identifier};
use crate::storage::shadow::{MAP, Owner, ROWS, VectorOrdinal};
use crate::vtab::declaration::content::RowKey;
use crate::vtab::declaration::schema::TableSchema;

/// The names of a virtual table and its rows table, which ALTER TABLE RENAME changes.
pub struct Names {
    pub owner: Owner,
    /// The rows as SQL: `"main"."articles_rows"`, or the content as `r` with the map as `m`.
    pub(super) rows: String,
    /// The table that has the nodes: the rows table or the map.
    pub(super) nodes: String,
    /// The content table of an index, as it is called now, and its key.
    pub content: Option<ContentName>,
}

/// The name of a content table, which its owner may change, and its key.
#[derive(Debug, Clone, PartialEq)]
pub struct ContentName {
    pub table: String,
    pub key: RowKey,
}

impl ContentName {
    /// The table as SQL: `"main"."products"`.
    pub fn sql(&self, owner: &Owner) -> String {
        format!("{}.{}", quote_identifier(&owner.schema), quote_identifier(&self.table))
    }

    /// The content as `r` with the map as `m`. A key that is no INTEGER has a row of the map from the moment that it is
    /// written; with an INTEGER PRIMARY KEY the map has rows with a vector alone.
    fn with_map(&self, owner: &Owner) -> String {
        let join = if matches!(self.key, RowKey::Rowid(_)) { "LEFT JOIN" } else { "JOIN" };
        format!("{} AS r {join} {} AS m ON {}", self.sql(owner), owner.shadow(MAP), self.key.condition("r."))
    }
}

impl Names {
    fn new(owner: Owner, content: Option<ContentName>) -> Rc<Names> {
        let (rows, nodes) = match &content {
            None => (owner.shadow(ROWS), owner.shadow(ROWS)),
            Some(content) => (content.with_map(&owner), owner.shadow(MAP)),
        };
        Rc::new(Names { owner, rows, nodes, content })
    }

    /// The name of the virtual table.
    pub fn table(&self) -> &str {
        &self.owner.table
    }

    /// The error of a missing row that a node names.
    pub fn missing_row(&self, what: &str) -> Error {
        let (table, rows) = (self.table(), self.rows_table());
        if self.content.is_some() {
            let cure = format!("INSERT INTO {table}({table}) VALUES ('rebuild') mends the index");
            return Error::corrupt(self.nodes_table(), format!("{what} is missing: {cure}"));
        }
        let reason = format!(
            "{what} is missing or has another vector: INSERT INTO {table}({table}) VALUES ('rebuild') repairs the index; \
             delete from {table}, not from {rows}"
        );
        Error::corrupt(rows, reason)
    }

    /// The rows, as they stand in a FROM clause.
    pub fn rows_sql(&self) -> &str {
        &self.rows
    }

    /// The error of a write to an index.
    pub fn not_written_here(&self) -> Error {
        let (table, content) = (self.table(), self.rows_table());
        Error::invalid(format!("{table}: an index over {content}, whose rows are in {content}: write to {content}"))
    }

    /// The name of the rows table, or of the content table, in messages: `articles_rows`.
    pub fn rows_table(&self) -> String {
        self.content.as_ref().map_or_else(|| self.owner.shadow_name(ROWS), |content| content.table.clone())
    }

    /// The table with the nodes, as messages name it.
    pub fn nodes_table(&self) -> String {
        self.owner.shadow_name(if self.content.is_some() { MAP } else { ROWS })
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
        let content = schema.content.as_ref();
        let content = content.map(|content| ContentName { table: content.name.clone(), key: content.key.clone() });
        RowsTable { db, schema, statements: StatementCache::new(db), names: RefCell::new(Names::new(owner, content)) }
    }

    /// The current names.
    pub fn names(&self) -> Result<Rc<Names>> {
        self.names.try_borrow().map(|names| Rc::clone(&names)).map_err(|_| busy())
    }

    /// Changes the name of the virtual table.
    pub fn rename(&self, owner: Owner) -> Result<()> {
        let content = self.names()?.content.clone();
        self.set_names(Names::new(owner, content))
    }

    /// Takes up another name of the content table.
    pub fn rename_content(&self, content: ContentName) -> Result<()> {
        let owner = self.names()?.owner.clone();
        self.set_names(Names::new(owner, Some(content)))
    }

    fn set_names(&self, names: Rc<Names>) -> Result<()> {
        self.statements.clear();
        *self.names.try_borrow_mut().map_err(|_| busy())? = names;
        Ok(())
    }

    /// The rowid, in SQL on the rows.
    pub(super) fn key(&self) -> String {
        self.schema.rowid_sql()
    }

    /// A declared column, in SQL on the rows.
    pub(super) fn column(&self, id: ColumnId) -> String {
        self.schema.column_sql(id)
    }

    /// The node of a vector column, in SQL on the rows.
    pub(super) fn node(&self, ordinal: VectorOrdinal) -> String {
        self.schema.node_sql(ordinal)
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
