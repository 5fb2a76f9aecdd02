//! `vecrank info`.

use crate::args::InfoArgs;
use crate::database::{self, Table};
use crate::failure::{Failure, Result};
use crate::report::human_bytes;
use crate::screen::{escaped, json_lines, stdout};
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};
use serde_json::{Map, json};
use std::io::Write;

/// The rows of `hnsw_info` for one table.
struct Facts {
    table: Table,
    entries: Entries,
}

/// The rows of a function such as `hnsw_info`.
pub type Entries = Vec<(String, Value)>;

pub fn run(args: &InfoArgs) -> Result<()> {
    let connection = database::open_readable(&args.database)?;
    let in_file = |failure: Failure| failure.at(args.database.display());
    let tables = match &args.table {
        Some(name) => vec![database::table(&connection, Some(name)).map_err(in_file)?],
        None => database::tables(&connection).map_err(in_file)?,
    };
    if tables.is_empty() {
        return Err(in_file(Failure::new("no vecrank table in the file")));
    }
    let facts = tables.into_iter().map(|table| Facts::read(&connection, table)).collect::<Result<Vec<_>>>();
    let facts = facts.map_err(in_file)?;
    let mut out = stdout();
    if args.json {
        let tables: Vec<serde_json::Value> = facts.iter().map(Facts::json).collect();
        writeln!(out, "{}", json_lines(&serde_json::Value::Array(tables)))?;
    } else {
        let texts: Vec<String> = facts.iter().map(Facts::text).collect();
        write!(out, "{}", texts.join("\n"))?;
    }
    Ok(())
}

impl Facts {
    fn read(connection: &Connection, table: Table) -> Result<Facts> {
        let mut statement = connection.prepare("SELECT key, value FROM hnsw_info(?1)")?;
        let entries = statement.query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Facts { entries: entries.collect::<rusqlite::Result<_>>()?, table })
    }

    fn json(&self) -> serde_json::Value {
        let mut object = Map::new();
        object.insert("table".to_owned(), json!(self.table.name));
        object.insert("columns".to_owned(), json!(self.table.columns));
        for (key, value) in &self.entries {
            object.insert(key.clone(), json(value));
        }
        serde_json::Value::Object(object)
    }

    fn text(&self) -> String {
        let mut lines =
            vec![("table".to_owned(), self.table.name.clone()), ("columns".to_owned(), self.table.columns.join(", "))];
        let mut nodes = 0;
        for (key, value) in &self.entries {
            let mut text = shown(key, value);
            match value {
                Value::Integer(number) if key.ends_with("nodes") && !key.starts_with("bytes") => nodes = *number,
                Value::Integer(deleted) if key.ends_with("deleted") => {
                    text += &format!(" ({:.1} % of the nodes)", 100.0 * *deleted as f64 / nodes.max(1) as f64);
                }
                _ => {}
            }
            lines.push((escaped(key).into_owned(), text));
        }
        let width = lines.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
        lines.iter().map(|(key, value)| format!("{key:width$}  {}\n", escaped(value))).collect()
    }
}

/// A value as JSON.
pub fn json(value: &Value) -> serde_json::Value {
    match ValueRef::from(value) {
        ValueRef::Null => json!(null),
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) | ValueRef::Blob(text) => json!(String::from_utf8_lossy(text)),
    }
}

/// A value as text.
pub fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(bytes) if key.contains("bytes") => match u64::try_from(*bytes) {
            Ok(bytes) => format!("{} ({bytes})", human_bytes(bytes)),
            Err(_) => bytes.to_string(),
        },
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}
