//! The columns and the key of a content table, as SQLite knows them.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::filter::predicate::Affinity;
use crate::sqlite::{BlobColumn, Connection, Parameter, quote_identifier};
use crate::storage::shadow::Owner;
use crate::vtab::declaration::content::{ContentTable, KeyColumn, RowKey};
use crate::vtab::declaration::schema::{Column, ColumnKind, Key, OrdinaryColumn, TableSchema, is_hidden_name};
use crate::vtab::declaration::tokens::{CONSTRAINT_WORDS, module_of};

/// Keywords that a declared type may contain only in quotes, beside those of constraints.
const NO_TYPE_WORDS: [&str; 4] = ["HIDDEN", "DEFERRABLE", "INITIALLY", "AUTOINCREMENT"];

/// A column of the content, as `PRAGMA table_xinfo` returns it.
struct Found {
    name: String,
    type_name: String,
    not_null: bool,
    /// Its position in the PRIMARY KEY, from 1; 0 for a column outside the key.
    key_place: i64,
    is_generated: bool,
}

/// The indexes of the content.
#[derive(Default)]
struct Indexes {
    /// The collations of the PRIMARY KEY's columns, by their names, if it has an index: an INTEGER PRIMARY KEY has none.
    key: Option<HashMap<String, String>>,
    /// The first columns, and whether the index is unique and on that column alone.
    first: HashMap<String, bool>,
}

/// The declaration of an index with the columns of the content table `name` beside its own vector columns.
///
/// # Errors
/// `Error::Invalid` if that table cannot have an index.
pub fn describe(db: Connection, owner: &Owner, declared: &TableSchema, name: &str) -> Result<TableSchema> {
    let (described, missing) = outline(db, owner, declared, name)?;
    match missing {
        None => Ok(described),
        Some(column) => {
            let table = &owner.table;
            Err(Error::invalid(format!(
                "{table}.{column}: the table {name} has no column \"{column}\": rename it back (ALTER TABLE {name} RENAME \
                 COLUMN ... TO {column}), or DROP TABLE {table} and make the index anew"
            )))
        }
    }
}

/// As `describe`, for CREATE.
pub fn describe_new(db: Connection, owner: &Owner, declared: &TableSchema, name: &str) -> Result<TableSchema> {
    let (described, missing) = outline(db, owner, declared, name)?;
    let Some(column) = missing else { return Ok(described) };
    let columns: Vec<String> = columns(db, owner, name)?.into_iter().map(|found| found.name).collect();
    Err(Error::invalid(format!(
        "{}.{column}: the table {name} has no column \"{column}\"; its columns are {}",
        owner.table,
        columns.join(", ")
    )))
}

/// As `describe`, but keeps vector columns that the content no longer has. They come last, and the name of the first is
/// returned. So a statement that names other columns can be prepared, and then fails with the error of `describe`.
pub fn outline(
    db: Connection,
    owner: &Owner,
    declared: &TableSchema,
    name: &str,
) -> Result<(TableSchema, Option<String>)> {
    let Some(content) = &declared.content else { return Ok((declared.clone(), None)) };
    let table = &owner.table;
    refuse_others(db, owner, name)?;
    let found = columns(db, owner, name)?;
    let indexes = indexes(db, owner, name)?;
    let key = key_of(table, name, &found, &indexes)?;
    refuse_vectors(db, owner, (declared, name), (&key, &found))?;
    let mut described = TableSchema { columns: Vec::new(), constraints: Vec::new(), content: None };
    let (mut left_out, mut has_generated_vector) = (Vec::new(), false);
    for column in &found {
        let is_named = |vector: &&Column| vector.name.eq_ignore_ascii_case(&column.name);
        if let Some(vector) = declared.columns.iter().find(is_named) {
            has_generated_vector |= column.is_generated;
            described.columns.push(vector.clone());
        } else if is_hidden_name(&column.name) || column.name.eq_ignore_ascii_case(table) {
            left_out.push(column.name.clone());
        } else {
            described.columns.push(ordinary(db, owner, name, column, (&key, &indexes))?);
        }
    }
    let is_missing = |vector: &&Column| !described.columns.iter().any(|column| column.name == vector.name);
    let vectors = declared.columns.iter().filter(|column| column.is_vector());
    let missing: Vec<Column> = vectors.filter(is_missing).cloned().collect();
    let first = missing.first().map(|column| column.name.clone());
    described.columns.extend(missing);
    let (name, sync) = (name.to_string(), content.sync);
    described.content = Some(ContentTable { name, sync, key, left_out, has_generated_vector });
    Ok((described, first))
}

/// Refuses a vector column that can hold no vector.
fn refuse_vectors(
    db: Connection,
    owner: &Owner,
    (declared, name): (&TableSchema, &str),
    (key, found): (&RowKey, &[Found]),
) -> Result<()> {
    let is_vector =
        |found: &&Found| declared.vectors().any(|vector| vector.column.name.eq_ignore_ascii_case(&found.name));
    for column in found.iter().filter(is_vector) {
        let is_number = ["INT", "INTEGER", "REAL"].iter().any(|other| column.type_name.eq_ignore_ascii_case(other));
        let what = if matches!(key, RowKey::Rowid(rowid) if *rowid == column.name) {
            "is the INTEGER PRIMARY KEY"
        } else if is_number && is_strict(db, owner, name)? {
            "is a number, since the table is STRICT"
        } else {
            continue;
        };
        return Err(Error::invalid(format!(
            "{}.{}: expected a column of {name} that can hold vectors, such as a BLOB, but \"{1}\" {what}",
            owner.table, column.name
        )));
    }
    Ok(())
}

fn is_strict(db: Connection, owner: &Owner, name: &str) -> Result<bool> {
    let sql = format!("PRAGMA {}.table_list({})", quote_identifier(&owner.schema), quote_identifier(name));
    Ok(db.query_one(&sql, &[], |row| Ok(row.column_i64(5) != 0))?.unwrap_or(false))
}

/// Refuses a view, a virtual table, and a table without rowids.
fn refuse_others(db: Connection, owner: &Owner, name: &str) -> Result<()> {
    let (table, schema) = (&owner.table, &owner.schema);
    let sql = format!(
        "SELECT type, sql FROM {}.sqlite_master WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')",
        quote_identifier(schema)
    );
    let read = |row: &crate::sqlite::Statement| {
        let is_view = row.column_text(0, "type")? == "view";
        let is_virtual = module_of(&String::from_utf8_lossy(row.column_bytes(1))).is_some();
        Ok(if is_view {
            "a view"
        } else if is_virtual {
            "a virtual table"
        } else {
            ""
        })
    };
    let refused = |what: &str| {
        Err(Error::invalid(format!(
            "{table}: content: expected an ordinary table with a PRIMARY KEY, but {name} is {what}"
        )))
    };
    match db.query_one(&sql, &[Parameter::Text(name)], read)? {
        None => Err(Error::invalid(format!(
            "{table}: its table {schema}.{name} is not there: make it first, or DROP TABLE {table}"
        ))),
        Some("") if is_without_rowid(db, owner, name)? => refused("WITHOUT ROWID"),
        Some("") => Ok(()),
        Some(what) => refused(what),
    }
}

/// Whether a table is WITHOUT ROWID: no name of the rowid is known in it.
fn is_without_rowid(db: Connection, owner: &Owner, name: &str) -> Result<bool> {
    let found = columns(db, owner, name)?;
    let is_free = |alias: &&str| !found.iter().any(|column| column.name.eq_ignore_ascii_case(alias));
    let Some(alias) = ["rowid", "_rowid_", "oid"].into_iter().find(is_free) else { return Ok(false) };
    let (schema, table) = (quote_identifier(&owner.schema), quote_identifier(name));
    match db.prepare(&format!("SELECT r.{alias} FROM {schema}.{table} AS r")) {
        Ok(_) => Ok(false),
        Err(Error::Sqlite { message, .. }) if message.starts_with("no such column") => Ok(true),
        Err(error) => Err(error),
    }
}

fn columns(db: Connection, owner: &Owner, name: &str) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let sql = format!("PRAGMA {}.table_xinfo({})", quote_identifier(&owner.schema), quote_identifier(name));
    db.prepare(&sql)?.query(&[], |row| {
        found.push(Found {
            name: row.column_text(1, "a column")?.to_string(),
            type_name: String::from_utf8_lossy(row.column_bytes(2)).into_owned(),
            not_null: row.column_i64(3) != 0,
            key_place: row.column_i64(5),
            is_generated: matches!(row.column_i64(6), 2 | 3),
        });
        Ok(())
    })?;
    Ok(found)
}

fn indexes(db: Connection, owner: &Owner, name: &str) -> Result<Indexes> {
    let schema = quote_identifier(&owner.schema);
    let mut listed = Vec::new();
    db.prepare(&format!("PRAGMA {schema}.index_list({})", quote_identifier(name)))?.query(&[], |row| {
        let (index, origin) = (row.column_text(1, "an index")?, row.column_text(3, "its origin")?);
        let (is_unique, is_partial) = (row.column_i64(2) != 0, row.column_i64(4) != 0);
        listed.push((index.to_string(), origin == "pk", is_unique, is_partial));
        Ok(())
    })?;
    let mut indexes = Indexes::default();
    for (index, is_key, is_unique, is_partial) in listed {
        // The columns of the key, without the rowid that ends it; None for an expression.
        let mut columns: Vec<Option<(String, String)>> = Vec::new();
        db.prepare(&format!("PRAGMA {schema}.index_xinfo({})", quote_identifier(&index)))?.query(&[], |row| {
            if row.column_i64(5) != 0 {
                let name = (row.column_i64(1) >= 0).then(|| row.column_text(2, "a column")).transpose()?;
                let collation = row.column_text(4, "a collation")?.to_string();
                columns.push(name.map(|name| (name.to_string(), collation)));
            }
            Ok(())
        })?;
        if let Some(Some((first, _))) = columns.first().filter(|_| !is_partial) {
            let is_unique = is_unique && columns.len() == 1;
            *indexes.first.entry(first.clone()).or_default() |= is_unique;
        }
        if is_key {
            indexes.key = Some(columns.into_iter().flatten().collect());
        }
    }
    Ok(indexes)
}

fn key_of(table: &str, name: &str, found: &[Found], indexes: &Indexes) -> Result<RowKey> {
    let mut key: Vec<&Found> = found.iter().filter(|column| column.key_place > 0).collect();
    key.sort_by_key(|column| column.key_place);
    match (key.as_slice(), &indexes.key) {
        ([], _) => Err(Error::invalid(format!(
            "{table}: content: expected a table with a PRIMARY KEY, but {name} has none: VACUUM may give its rows other \
             rowids"
        ))),
        ([column], None) => Ok(RowKey::Rowid(column.name.clone())),
        (columns, collations) => {
            let column = |column: &&Found| KeyColumn {
                name: column.name.clone(),
                type_name: safe_type(&column.type_name),
                collation: collations
                    .as_ref()
                    .and_then(|collations| collations.get(&column.name))
                    .map_or("BINARY", String::as_str)
                    .to_string(),
            };
            Ok(RowKey::Columns(columns.iter().map(column).collect()))
        }
    }
}

fn ordinary(
    db: Connection,
    owner: &Owner,
    name: &str,
    column: &Found,
    (key, indexes): (&RowKey, &Indexes),
) -> Result<Column> {
    let place = BlobColumn { schema: &owner.schema, table: name, column: &column.name };
    let collation = db.collation_of(&place)?.filter(|collation| !collation.eq_ignore_ascii_case("BINARY"));
    let index = indexes.first.get(&column.name);
    let kind = match (key, index) {
        (RowKey::Rowid(rowid), _) if *rowid == column.name => Key::Rowid,
        (_, Some(true)) => Key::Unique,
        _ => Key::None,
    };
    let type_name = if kind == Key::Rowid { "INTEGER".to_string() } else { safe_type(&column.type_name) };
    let ordinary = OrdinaryColumn { type_name, collation, key: kind, is_indexed: index.is_some(), checks: Vec::new() };
    Ok(Column { name: column.name.clone(), not_null: column.not_null, kind: ColumnKind::Ordinary(ordinary) })
}

/// The declared type for our own SQL. A type that needs quotes is replaced by one of the same affinity.
fn safe_type(declared: &str) -> String {
    let (words, size) = declared.split_once('(').unwrap_or((declared, ")"));
    let is_word = |word: &str| {
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !word.starts_with(|first: char| first.is_ascii_digit())
            && !CONSTRAINT_WORDS.iter().chain(&NO_TYPE_WORDS).any(|other| word.eq_ignore_ascii_case(other))
    };
    let is_number = |part: &str| {
        let digits = part.trim().trim_start_matches(['+', '-']);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let has_size = declared.contains('(');
    let is_size = |size: &str| size.split(',').count() <= 2 && size.split(',').all(is_number);
    let sizes = size.strip_suffix(')').is_some_and(|size| !has_size || is_size(size));
    if words.split_whitespace().all(is_word) && sizes && (!has_size || !words.trim().is_empty()) {
        return declared.to_string();
    }
    let column = OrdinaryColumn { type_name: declared.to_string(), ..OrdinaryColumn::default() };
    match column.affinity() {
        Affinity::Text => "TEXT",
        Affinity::Blob => "BLOB",
        Affinity::Numeric => "NUMERIC",
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::safe_type;

    #[test]
    fn only_plain_types_are_repeated() {
        for plain in ["", "TEXT", "varying character (20)", "DECIMAL(10, -5)", "Datetime2"] {
            assert_eq!(safe_type(plain), plain);
        }
        for (hostile, safe) in [
            ("TEXT, x", "TEXT"),
            ("INT) ; DROP", "NUMERIC"),
            ("blob HIDDEN", "BLOB"),
            ("x COLLATE nocase", "NUMERIC"),
            ("a\"b", "NUMERIC"),
            ("CHAR(20", "TEXT"),
            ("CHAR(a)", "TEXT"),
            ("(3)", "NUMERIC"),
        ] {
            assert_eq!(safe_type(hostile), safe, "{hostile}");
        }
    }
}
