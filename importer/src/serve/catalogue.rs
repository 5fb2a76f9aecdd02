//! A connection to the file, and the description of its table.

use super::connections::{Identity, Settings};
use crate::database::{self, Table, VectorColumn};
use crate::failure::{Failure, Result};
use crate::sql::quote;
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value, json};
use std::cell::OnceCell;

/// Distinct values that are listed per indexed column.
const MOST_VALUES: usize = 500;

/// Columns with a UNIQUE constraint of their own, and a primary key of one column.
const KEYS: &str = "
    SELECT name FROM pragma_table_info(?1) WHERE pk = 1
      AND (SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0) = 1
    UNION
    SELECT i.name FROM pragma_index_list(?1) AS l JOIN pragma_index_info(l.name) AS i
    WHERE l.\"unique\" AND l.origin IN ('u', 'pk') AND (SELECT count(*) FROM pragma_index_info(l.name)) = 1";
const INDEXED: &str = "
    SELECT DISTINCT i.name FROM pragma_index_list(?1) AS l JOIN pragma_index_info(l.name) AS i
    WHERE l.origin = 'c' AND i.seqno = 0";

pub struct Catalogue {
    pub identity: Identity,
    pub connection: Connection,
    pub table: Table,
    pub vector: VectorColumn,
    pub metric: String,
    /// The column that identifies a row; a name of the rowid if there is none.
    pub key: String,
    pub rowid: &'static str,
    /// The declared type of each ordinary column.
    types: Vec<String>,
    indexed: Vec<String>,
    /// The description for clients, read once.
    about: OnceCell<Map<String, Value>>,
}

impl Catalogue {
    pub fn open(settings: &Settings, identity: Identity) -> Result<Catalogue> {
        let connection = database::open_readable(&settings.database)?;
        Catalogue::describe(connection, settings, identity).map_err(|failure| failure.at(settings.database.display()))
    }

    fn describe(connection: Connection, settings: &Settings, identity: Identity) -> Result<Catalogue> {
        let table = database::table(&connection, settings.table.as_deref())?;
        let vector = table.vector(settings.embedding.as_deref())?.clone();
        let rowid = table.rowid()?;
        let info = |key: &str| -> Result<Option<String>> {
            let sql = "SELECT CAST(value AS TEXT) FROM hnsw_info(?1) WHERE key IN (?2, ?3)";
            let of_column = format!("{}.{key}", vector.name);
            Ok(connection.query_row(sql, [&table.name, key, &of_column], |row| row.get(0)).optional()?)
        };
        let metric = info("metric")?.unwrap_or_default();
        let rows = info("content")?.unwrap_or_else(|| format!("{}_rows", table.name));
        let names = |sql: &str| -> Result<Vec<String>> {
            let mut statement = connection.prepare(sql)?;
            let mut names =
                statement.query_map([&rows], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
            names.retain(|name| table.columns.contains(name));
            Ok(names)
        };
        let (mut keys, indexed) = (names(KEYS)?, names(INDEXED)?);
        let key = if keys.len() == 1 { keys.remove(0) } else { rowid.to_owned() };
        let types = declared_types(&connection, &table)?;
        let about = OnceCell::new();
        Ok(Catalogue { identity, metric, rowid, key, types, indexed, about, vector, table, connection })
    }

    /// The column's own spelling.
    pub fn column(&self, name: &str) -> Option<&String> {
        self.table.columns.iter().find(|known| known.eq_ignore_ascii_case(name))
    }

    /// The description of the table for clients.
    pub fn about(&self) -> Result<&Map<String, Value>> {
        if self.about.get().is_none() {
            let read = self.read_about()?;
            drop(self.about.set(read));
        }
        self.about.get().ok_or_else(|| Failure::new("the catalogue was not read"))
    }

    fn read_about(&self) -> Result<Map<String, Value>> {
        let sql = "SELECT value FROM hnsw_info(?1) WHERE key = 'rows'";
        let rows: i64 = self.connection.query_row(sql, [&self.table.name], |row| row.get(0))?;
        let columns = self.table.columns.iter().zip(&self.types);
        let columns: Vec<Value> = columns
            .map(|(name, kind)| json!({ "name": name, "type": kind, "indexed": self.indexed.contains(name) }))
            .collect();
        let embedding = json!({ "column": self.vector.name, "dims": self.vector.dims, "metric": self.metric });
        let mut about = Map::new();
        let key = if self.column(&self.key).is_some() { &self.key } else { "rowid" };
        about.insert("table".to_owned(), json!(self.table.name));
        about.insert("key".to_owned(), json!(key));
        about.insert("rows".to_owned(), json!(rows));
        about.insert("embedding".to_owned(), embedding);
        about.insert("columns".to_owned(), Value::Array(columns));
        about.insert("values".to_owned(), Value::Object(self.values()?));
        Ok(about)
    }

    /// The values of each indexed TEXT column that has few.
    fn values(&self) -> Result<Map<String, Value>> {
        let mut values = Map::new();
        for (column, kind) in self.table.columns.iter().zip(&self.types) {
            if kind != "TEXT" || !self.indexed.contains(column) {
                continue;
            }
            let (name, table) = (quote(column), quote(&self.table.name));
            let sql = format!("SELECT DISTINCT {name} FROM {table} WHERE {name} IS NOT NULL LIMIT {}", MOST_VALUES + 1);
            let mut statement = self.connection.prepare(&sql)?;
            let found = statement.query_map([], |row| row.get::<_, SqlValue>(0))?;
            let mut found: Vec<String> = found
                .filter_map(|value| match value {
                    Ok(SqlValue::Text(text)) => Some(Ok(text)),
                    Ok(_) => None,
                    Err(error) => Some(Err(error)),
                })
                .collect::<rusqlite::Result<_>>()?;
            if found.len() <= MOST_VALUES {
                found.sort();
                values.insert(column.clone(), json!(found));
            }
        }
        Ok(values)
    }
}

/// The declared type of each ordinary column, in their order.
fn declared_types(connection: &Connection, table: &Table) -> Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT upper(type) FROM pragma_table_xinfo(?1) WHERE name = ?2")?;
    let of = |column| statement.query_row([&table.name, column], |row| row.get(0));
    Ok(table.columns.iter().map(of).collect::<rusqlite::Result<_>>()?)
}
