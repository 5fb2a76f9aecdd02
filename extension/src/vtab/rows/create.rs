//! Creates the rows table and its indexes.

use crate::error::Result;
use crate::sqlite::{Connection, Parameter, quote_identifier};
use crate::storage::shadow::{Owner, ROWS};
use crate::vtab::declaration::schema::{Column, TableSchema};

/// Creates the shadow tables of a new virtual table, empty, and the indexes of its rows table.
pub fn shadow_tables(db: Connection, owner: &Owner, schema: &TableSchema) -> Result<()> {
    if let Some(content) = &schema.content {
        return owner.create(db, &content.key.map_definition(owner));
    }
    owner.create(db, &schema.rows_definition())?;
    let is_indexed = |column: &&Column| column.as_ordinary().is_some_and(|column| column.is_indexed);
    schema.columns.iter().filter(is_indexed).try_for_each(|column| create_index(db, owner, schema, &column.name))
}

/// Creates the index of an INDEXED column. It holds the nodes too, so that a filter finds them without reading the
/// rows.
fn create_index(db: Connection, owner: &Owner, schema: &TableSchema, column: &str) -> Result<()> {
    let database = quote_identifier(&owner.schema);
    let mut taken = db.prepare(&format!("SELECT 1 FROM {database}.sqlite_master WHERE name = ?1 COLLATE NOCASE"))?;
    // A renamed table keeps the names of its indexes, so a name may be taken.
    let mut name = owner.shadow_name(&format!("rows_{column}"));
    let mut attempt = 1;
    while taken.query_one(&[Parameter::Text(&name)], |_| Ok(()))?.is_some() {
        attempt += 1;
        name = owner.shadow_name(&format!("rows_{column}_{attempt}"));
    }
    let (name, rows) = (quote_identifier(&name), quote_identifier(&owner.shadow_name(ROWS)));
    let nodes = schema.vectors().map(|vector| vector.column.name.as_str());
    let columns: Vec<String> = std::iter::once(column).chain(nodes).map(quote_identifier).collect();
    db.run(&format!("CREATE INDEX {database}.{name} ON {rows}({})", columns.join(", ")), &[])
        .map_err(|error| owner.in_table(error))
}

/// Counts the rows of a table. `table` is quoted.
pub fn count(db: Connection, table: &str) -> Result<Option<i64>> {
    db.prepare_shadow(&format!("SELECT count(*) FROM {table}"))?.query_one(&[], |row| Ok(row.column_i64(0)))
}

/// The rows table of a virtual table, quoted.
pub fn rows_table(owner: &Owner) -> String {
    owner.shadow(ROWS)
}
