//! `--mirror` makes a table equal to the files and writes only the rows that differ.
//!
//! The files' rows are staged in a table of a temporary database, indexed by the key. Then rows that the files no
//! longer have are deleted, and rows that differ or are new are written. Unchanged rows cost the index nothing.

use crate::args::OnBadRow;
use crate::database;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::plan::{Column, Kind, Plan};
use crate::report::{Progress, Unit, plural};
use crate::sql::quote;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use std::fs::File;
use std::ops::AddAssign;
use std::path::Path;

/// The table in which the files' rows are staged.
pub const SINK: &str = "vecrank_source.rows";

/// What is done with a row.
#[derive(Debug, Clone, Copy)]
enum Change {
    Delete,
    UpdateAll,
    /// Its vectors are the same, so the index does not change.
    UpdateOrdinary,
    Insert,
}

/// What was done to the table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
}

impl AddAssign for Changes {
    fn add_assign(&mut self, other: Changes) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
    }
}

impl Changes {
    pub fn any(self) -> bool {
        self != Changes::default()
    }
}

/// Makes the table in which the files' rows are staged, in a file that has no journal: it is not needed after the
/// transaction.
pub fn stage(connection: &Connection, plan: &Plan, file: &Path) -> Result<()> {
    // SQLite attaches an empty file, but makes none, for it may not where the database is.
    File::create(file).map_err(|error| Failure::io(file, "made", &error))?;
    let name = file.to_str().ok_or_else(|| Failure::new(format!("{}: not a UTF-8 path", file.display())))?;
    connection.execute("ATTACH ?1 AS vecrank_source", [name])?;
    connection.execute_batch("PRAGMA vecrank_source.journal_mode = OFF")?;
    let columns = plan.columns.iter().enumerate().map(|(position, column)| {
        let sql_type = match &column.kind {
            Kind::Vector(_) => "BLOB",
            Kind::Ordinary { mapping, .. } => mapping.sql_type.unwrap_or_default(),
        };
        let key = if plan.key == Some(position) { "NOT NULL PRIMARY KEY" } else { "" };
        format!("{} {sql_type} {key}", quote(&column.name))
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    Ok(connection.execute_batch(&format!(
        "CREATE TABLE {SINK} ({columns});
         CREATE TABLE vecrank_source.changes (change, key)"
    ))?)
}

/// Makes the table equal to the staged rows. `staged` is their number.
pub fn apply(connection: &Connection, plan: &Plan, staged: u64, progress: &mut Progress) -> Result<Changes> {
    let Some(key) = plan.key.and_then(|key| plan.columns.get(key)) else {
        return Err(Failure::new("--mirror needs a --key"));
    };
    let sql = Sql { table: quote(&plan.options.table), key: quote(&key.name), plan };
    let rows = database::count_rows(connection, &plan.options.table)?;
    progress.count("Comparing rows", Unit::Rows, rows + staged);
    // A column that is UNIQUE, and not the PRIMARY KEY, may be NULL.
    let without_key =
        connection.execute(&format!("DELETE FROM main.{} WHERE {} IS NULL", sql.table, sql.key), [])? as u64;
    note(connection, &sql.compare(), progress)?;
    note(connection, &sql.find_added(), progress)?;
    let mut changes = count(connection)?;
    if changes.inserted > 0 && !plan.keeps.is_empty() && plan.options.on_bad_row != OnBadRow::Null {
        return Err(Failure::InFile(format!(
            "table {}: {} new, and the files have no vectors; nothing was changed (--on-bad-row null takes them without)",
            plan.options.table,
            plural(changes.inserted, "row")
        )));
    }
    progress.count("Changing rows", Unit::Rows, changes.inserted + changes.updated + changes.deleted);
    for (change, statement) in [
        (Change::Delete, Some(sql.delete())),
        (Change::UpdateAll, sql.update(|_| true)),
        (Change::UpdateOrdinary, sql.update(|column| !is_vector(column))),
        (Change::Insert, Some(sql.insert())),
    ] {
        let Some(statement) = statement else { continue };
        let mut statement = connection.prepare(&statement)?;
        let mut keys = connection.prepare("SELECT key FROM vecrank_source.changes WHERE change = ?1")?;
        let mut keys = keys.query([change as i64])?;
        while let Some(row) = keys.next()? {
            interrupt::check()?;
            statement.execute([row.get::<_, Value>(0)?])?;
            progress.advance(1);
        }
    }
    changes.deleted += without_key;
    Ok(changes)
}

/// Stores the changes that a query finds. Each of its rows is a change, or NULL, and a key.
fn note(connection: &Connection, query: &str, progress: &Progress) -> Result<()> {
    let mut keep = connection.prepare("INSERT INTO vecrank_source.changes VALUES (?1, ?2)")?;
    let mut query = connection.prepare(query)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        interrupt::check()?;
        if let Some(change) = row.get::<_, Option<i64>>(0)? {
            keep.execute(params![change, row.get::<_, Value>(1)?])?;
        }
        progress.advance(1);
    }
    Ok(())
}

fn count(connection: &Connection) -> Result<Changes> {
    let mut one = connection.prepare("SELECT count(*) FROM vecrank_source.changes WHERE change IN (?1, ?2)")?;
    let mut count = |a: Change, b: Change| one.query_row([a as i64, b as i64], |row| row.get(0)).map(i64::unsigned_abs);
    Ok(Changes {
        inserted: count(Change::Insert, Change::Insert)?,
        updated: count(Change::UpdateAll, Change::UpdateOrdinary)?,
        deleted: count(Change::Delete, Change::Delete)?,
    })
}

fn is_vector(column: &Column) -> bool {
    matches!(column.kind, Kind::Vector(_))
}

/// The statements. `s` is the files' row.
struct Sql<'a> {
    /// Quoted, as is the key's name.
    table: String,
    key: String,
    plan: &'a Plan,
}

impl Sql<'_> {
    fn delete(&self) -> String {
        let Sql { table, key, .. } = self;
        format!("DELETE FROM main.{table} WHERE {key} = ?1")
    }

    fn compare(&self) -> String {
        let Sql { table, key, plan } = self;
        let differs = |is_wanted: &dyn Fn(&Column) -> bool| {
            let columns = plan.columns.iter().filter(|column| is_wanted(column)).map(|column| quote(&column.name));
            let terms: Vec<String> =
                columns.map(|name| format!("{table}.{name} COLLATE BINARY IS NOT s.{name}")).collect();
            if terms.is_empty() { "0".to_owned() } else { terms.join(" OR ") }
        };
        let (delete, all, ordinary) = (Change::Delete as i64, Change::UpdateAll as i64, Change::UpdateOrdinary as i64);
        format!(
            "SELECT CASE WHEN s.{key} IS NULL THEN {delete} WHEN {} THEN {all} WHEN {} THEN {ordinary} END, {table}.{key}
             FROM main.{table} LEFT JOIN {SINK} s ON s.{key} = {table}.{key}",
            differs(&is_vector),
            differs(&|_| true)
        )
    }

    fn find_added(&self) -> String {
        let (Sql { table, key, .. }, insert) = (self, Change::Insert as i64);
        format!(
            "SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM main.{table} WHERE {table}.{key} = s.{key}) THEN {insert} END, s.{key}
             FROM {SINK} s"
        )
    }

    /// None if no column but the key is wanted.
    fn update(&self, is_wanted: impl Fn(&Column) -> bool) -> Option<String> {
        let Sql { table, key, plan } = self;
        let columns = plan.columns.iter().filter(|column| is_wanted(column)).map(|column| quote(&column.name));
        let names = columns.filter(|name| name != key).collect::<Vec<_>>().join(", ");
        (!names.is_empty()).then(|| {
            format!(
                "UPDATE main.{table} SET ({names}) = (SELECT {names} FROM {SINK} s WHERE s.{key} = ?1) WHERE {key} = ?1"
            )
        })
    }

    fn insert(&self) -> String {
        let Sql { table, key, plan } = self;
        let names = plan.columns.iter().map(|column| quote(&column.name)).collect::<Vec<_>>().join(", ");
        format!("INSERT INTO main.{table} ({names}) SELECT {names} FROM {SINK} s WHERE s.{key} = ?1")
    }
}
