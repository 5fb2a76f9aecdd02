//! The triggers on a content table. They write the key of each inserted, deleted or changed row into the log, never the
//! row itself: another trigger may change the row after them.

use crate::error::Result;
use crate::sqlite::{Connection, Parameter, quote_identifier};
use crate::storage::shadow::{CHANGES, MAP, Owner};
use crate::vtab::declaration::content::{RowKey, SyncMode};
use crate::vtab::declaration::schema::TableSchema;
use crate::vtab::rows::table::ContentName;

/// The value of `query` by which a trigger reports to the virtual table that the log has grown.
pub const CHANGED: &[u8] = b"changed";

const EVENTS: [&str; 3] = ["insert", "delete", "update"];

fn name_of(owner: &Owner, event: &str) -> String {
    owner.shadow_name(&format!("after_{event}"))
}

/// The existing triggers: their names and their tables.
fn existing(db: Connection, owner: &Owner) -> Result<Vec<(String, String)>> {
    let schema = quote_identifier(&owner.schema);
    let sql = format!("SELECT name, tbl_name FROM {schema}.sqlite_master WHERE type = 'trigger' AND name = ?1");
    let mut statement = db.prepare(&sql)?;
    let mut found = Vec::new();
    for event in EVENTS {
        statement.query(&[Parameter::Text(&name_of(owner, event))], |row| {
            found.push((row.column_text(0, "a trigger")?.to_string(), row.column_text(1, "its table")?.to_string()));
            Ok(())
        })?;
    }
    Ok(found)
}

/// The table that has all the triggers. It is the content, whatever its current name is.
pub fn table_with(db: Connection, owner: &Owner) -> Result<Option<String>> {
    let mut tables: Vec<String> = existing(db, owner)?.into_iter().map(|(_, table)| table).collect();
    let is_one = tables.len() == EVENTS.len() && tables.windows(2).all(|pair| pair.first() == pair.last());
    Ok(tables.pop().filter(|_| is_one))
}

pub fn drop_all(db: Connection, owner: &Owner) -> Result<()> {
    let schema = quote_identifier(&owner.schema);
    existing(db, owner)?
        .into_iter()
        .try_for_each(|(name, _)| db.run(&format!("DROP TRIGGER {schema}.{}", quote_identifier(&name)), &[]))
}

/// Creates the triggers. `described` has the current columns of the content.
pub fn create_all(db: Connection, owner: &Owner, described: &TableSchema, content: &ContentName) -> Result<()> {
    let Some(table) = &described.content else { return Ok(()) };
    let (schema, on) = (quote_identifier(&owner.schema), quote_identifier(&content.table));
    let notice = match table.sync {
        SyncMode::Commit => {
            format!(" INSERT INTO {}(query) VALUES ('changed');", quote_identifier(&owner.table))
        }
        SyncMode::Log => String::new(),
    };
    let mut watched = content.key.columns("");
    watched.extend(described.vectors().map(|vector| quote_identifier(&vector.column.name)));
    let of = if table.has_generated_vector { String::new() } else { format!(" OF {}", watched.join(", ")) };
    let (old, new) = (note(owner, &content.key, "old."), note(owner, &content.key, "new."));
    for event in EVENTS {
        let name = quote_identifier(&name_of(owner, event));
        let (when, notes) = match event {
            "insert" => ("INSERT".to_string(), new.clone()),
            "delete" => ("DELETE".to_string(), old.clone()),
            _ => (format!("UPDATE{of}"), format!("{old}{new}")),
        };
        let sql = format!("CREATE TRIGGER {schema}.{name} AFTER {when} ON {on} BEGIN{notes}{notice} END");
        db.run(&sql, &[]).map_err(|error| owner.in_table(error))?;
    }
    Ok(())
}

/// The statements that write a row's key into the log. A key that is no INTEGER gets its number first. (An OR clause of
/// the statement that fires the trigger overrides an INSERT OR IGNORE.)
fn note(owner: &Owner, key: &RowKey, row: &str) -> String {
    let table = |suffix: &str| quote_identifier(&owner.shadow_name(suffix));
    let (map, changes) = (table(MAP), table(CHANGES));
    let columns = key.columns(row);
    match key {
        RowKey::Rowid(_) => {
            format!(" INSERT INTO {changes}(id) VALUES ({}) ON CONFLICT DO NOTHING;", columns.join(", "))
        }
        RowKey::Columns(_) => {
            let (names, values) = (key.map_columns().join(", "), columns.join(", "));
            let (is_whole, condition) = (key.is_whole(row), key.condition(row));
            format!(
                " INSERT INTO {map}({names}) SELECT {values} WHERE {is_whole} ON CONFLICT DO NOTHING; \
                 INSERT INTO {changes}(id) SELECT m.id FROM {map} AS m WHERE {condition} ON CONFLICT DO NOTHING;"
            )
        }
    }
}

/// Writes the keys of all rows of the content and of the map into the log.
pub fn note_all(db: Connection, owner: &Owner, content: &ContentName) -> Result<()> {
    let (map, changes, source) = (owner.shadow(MAP), owner.shadow(CHANGES), content.sql(owner));
    let columns = content.key.columns("r.");
    match &content.key {
        RowKey::Rowid(_) => {
            let id = columns.join(", ");
            let sql =
                format!("INSERT INTO {changes}(id) SELECT {id} FROM {source} AS r WHERE true ON CONFLICT DO NOTHING");
            db.prepare_shadow(&sql)?.run(&[])?;
        }
        RowKey::Columns(_) => {
            let (names, values) = (content.key.map_columns().join(", "), columns.join(", "));
            let is_whole = content.key.is_whole("r.");
            let sql = format!(
                "INSERT INTO {map}({names}) SELECT {values} FROM {source} AS r WHERE {is_whole} ON CONFLICT DO NOTHING"
            );
            db.prepare_shadow(&sql)?.run(&[])?;
        }
    }
    let sql = format!("INSERT INTO {changes}(id) SELECT id FROM {map} WHERE true ON CONFLICT DO NOTHING");
    db.prepare_shadow(&sql)?.run(&[])
}
