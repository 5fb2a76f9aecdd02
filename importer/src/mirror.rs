//! `--mirror`: a table becomes what the files say, by the rows that differ.
//!
//! The files' rows are put into a table of a file of its own first, where the key finds them. What the table has besides
//! is deleted then, and only rows that differ are written: the index has no work with the others.

use crate::args::OnBadRow;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::plan::{Column, Kind, Plan};
use crate::report::{Progress, Unit, plural};
use crate::sql::quote;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use std::fs::File;
use std::path::Path;

/// Where the rows of the files are put.
pub const SINK: &str = "vecrank_source.rows";

/// What was done to the table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
}

impl Changes {
    pub fn any(self) -> bool {
        self != Changes::default()
    }
}

/// Makes the table that the files' rows are put into. Its file lies in `folder`, without a journal: it is needed no longer
/// than the transaction.
pub fn stage(connection: &Connection, plan: &Plan, folder: &Path) -> Result<()> {
    let file = folder.join("source.db");
    // SQLite attaches an empty file, but makes none, for it may not where the database is.
    File::create(&file).map_err(|error| Failure::io(&file, "made", &error))?;
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
         CREATE TABLE vecrank_source.changed (key, vectors);
         CREATE TABLE vecrank_source.added (key)"
    ))?)
}

/// Makes the table equal to the staged rows.
pub fn apply(connection: &Connection, plan: &Plan, progress: &mut Progress) -> Result<Changes> {
    let Some(key) = plan.key.and_then(|key| plan.columns.get(key)) else {
        return Err(Failure::new("--mirror needs a --key"));
    };
    let sql = Sql { table: quote(&plan.options.table), key: quote(&key.name), plan };
    progress.wait("Comparing rows");
    let deleted = connection.execute(&sql.delete(), [])? as u64;
    let updated = connection.execute(&sql.find_changed(), [])? as u64;
    let inserted = connection.execute(&sql.find_added(), [])? as u64;
    if inserted > 0 && !plan.keeps.is_empty() && plan.options.on_bad_row != OnBadRow::Null {
        return Err(Failure::InFile(format!(
            "table {}: {} new, and the files have no vectors; nothing was changed (--on-bad-row null takes them without)",
            plan.options.table,
            plural(inserted, "row")
        )));
    }
    progress.count("Changing rows", Unit::Rows, updated + inserted);
    let all = sql.update(|_| true).map(|sql| connection.prepare(&sql)).transpose()?;
    let ordinary = sql.update(|column| !is_vector(column)).map(|sql| connection.prepare(&sql)).transpose()?;
    let (mut all, mut ordinary) = (all, ordinary);
    let mut changed = connection.prepare("SELECT key, vectors FROM vecrank_source.changed")?;
    let mut rows = changed.query([])?;
    while let Some(row) = rows.next()? {
        interrupt::check()?;
        let statement = if row.get(1)? { &mut all } else { &mut ordinary };
        if let Some(statement) = statement {
            statement.execute([row.get::<_, Value>(0)?])?;
        }
        progress.advance(1);
    }
    let mut insert = connection.prepare(&sql.insert())?;
    let mut added = connection.prepare("SELECT key FROM vecrank_source.added")?;
    let mut rows = added.query([])?;
    while let Some(row) = rows.next()? {
        interrupt::check()?;
        insert.execute(params![row.get::<_, Value>(0)?])?;
        progress.advance(1);
    }
    Ok(Changes { inserted, updated, deleted })
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
        format!("DELETE FROM main.{table} WHERE NOT EXISTS (SELECT 1 FROM {SINK} s WHERE s.{key} = {table}.{key})")
    }

    fn find_changed(&self) -> String {
        let Sql { table, key, plan } = self;
        let differs = |is_wanted: &dyn Fn(&Column) -> bool| {
            let columns = plan.columns.iter().filter(|column| is_wanted(column)).map(|column| quote(&column.name));
            let terms: Vec<String> =
                columns.map(|name| format!("{table}.{name} COLLATE BINARY IS NOT s.{name}")).collect();
            if terms.is_empty() { "0".to_owned() } else { format!("({})", terms.join(" OR ")) }
        };
        format!(
            "INSERT INTO vecrank_source.changed SELECT s.{key}, {} FROM main.{table} CROSS JOIN {SINK} s
             ON s.{key} = {table}.{key} WHERE {}",
            differs(&is_vector),
            differs(&|_| true)
        )
    }

    fn find_added(&self) -> String {
        let Sql { table, key, .. } = self;
        format!(
            "INSERT INTO vecrank_source.added SELECT s.{key} FROM {SINK} s
             WHERE NOT EXISTS (SELECT 1 FROM main.{table} WHERE {table}.{key} = s.{key})"
        )
    }

    /// None if there is no such column but the key.
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
