//! Finds the content table by its name. The owner may rename the table, with the extension loaded or not, and may remake it
//! under the new name.

use super::definition::describe;
use super::triggers::table_with;
use crate::error::Result;
use crate::sqlite::{Connection, Parameter, quote_identifier};
use crate::storage::shadow::{CONFIG, MAP, Owner};
use crate::vtab::declaration::content::RowKey;
use crate::vtab::declaration::schema::TableSchema;

/// The key of the config table that has the name, as it was when the index was last written.
const KEY: &str = "content";

/// The current name: the table with the triggers; without triggers the stored name, or `known`, if there is such a table;
/// otherwise the only table that fits the index. If none of this helps, the answer is `known`.
pub fn find(db: Connection, owner: &Owner, declared: &TableSchema, known: &str) -> Result<String> {
    if let Some(table) = table_with(db, owner)? {
        return Ok(table);
    }
    let tables = tables(db, owner)?;
    let is_there = |name: &String| tables.iter().any(|table| table.eq_ignore_ascii_case(name));
    if let Some(name) = [stored(db, owner), Some(known.to_string())].into_iter().flatten().find(is_there) {
        return Ok(name);
    }
    let mut fitting = tables.into_iter().filter(|name| fits(db, owner, declared, name));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only),
        _ => Ok(known.to_string()),
    }
}

/// Stores the name, unless it is stored already.
pub fn store(db: Connection, owner: &Owner, name: &str) -> Result<()> {
    if stored(db, owner).as_deref() == Some(name) {
        return Ok(());
    }
    owner.set_config(db, KEY, Parameter::Text(name))
}

/// The stored name. None also if the config table cannot be read: the code that needs the table reports that.
fn stored(db: Connection, owner: &Owner) -> Option<String> {
    let sql = format!("SELECT value FROM {} WHERE key = ?1", owner.shadow(CONFIG));
    let mut statement = db.prepare_shadow(&sql).ok()?;
    statement.query_one(&[Parameter::Text(KEY)], |row| Ok(row.column_text(0, KEY)?.to_string())).ok()?
}

fn tables(db: Connection, owner: &Owner) -> Result<Vec<String>> {
    let mut tables = Vec::new();
    let sql = format!("SELECT name FROM {}.sqlite_master WHERE type = 'table'", quote_identifier(&owner.schema));
    db.prepare(&sql)?.query(&[], |row| {
        tables.push(row.column_text(0, "a table")?.to_string());
        Ok(())
    })?;
    Ok(tables)
}

/// Whether a table has the vector columns, and as many key columns as the map.
fn fits(db: Connection, owner: &Owner, declared: &TableSchema, name: &str) -> bool {
    let described = describe(db, owner, declared, name).ok();
    let columns = match described.and_then(|described| described.content).map(|content| content.key) {
        Some(RowKey::Rowid(_)) => 0,
        Some(RowKey::Columns(columns)) => columns.len(),
        None => return false,
    };
    let (schema, map) = (quote_identifier(&owner.schema), quote_identifier(&owner.shadow_name(MAP)));
    let mut of_map = 0;
    let counted = db.prepare(&format!("PRAGMA {schema}.table_info({map})")).and_then(|mut info| {
        info.query(&[], |row| {
            of_map += usize::from(row.column_text(1, "a column")?.starts_with('k'));
            Ok(())
        })
    });
    counted.is_ok() && of_map == columns
}
