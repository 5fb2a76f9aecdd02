//! `vecrank fold`.

use crate::args::FoldArgs;
use crate::database;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::report::{Progress, plural};
use crate::screen::{escaped, json_text, stdout};
use crate::sql::quote;
use rusqlite::Connection;
use serde_json::json;
use std::io::Write;
use std::time::Duration;

/// How long another writer may hold the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// What was done to one index.
struct Folded {
    table: String,
    rows: i64,
    /// Rows that stay in the log, since a vector of theirs is wrong.
    left: i64,
}

/// True if no row stays in a log.
pub fn run(args: &FoldArgs) -> Result<bool> {
    let connection = database::open_writable(&args.database)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let in_file = |failure: Failure| failure.at(args.database.display());
    let tables = match &args.table {
        Some(name) => vec![database::table(&connection, Some(name)).map_err(in_file)?],
        None => database::tables(&connection).map_err(in_file)?,
    };
    let _watch = interrupt::watch(&connection);
    let mut progress = Progress::default();
    progress.wait("Folding");
    let mut folded = Vec::new();
    for table in tables {
        folded.extend(fold(&connection, table.name).map_err(in_file)?);
    }
    progress.finish();
    if folded.is_empty() {
        return Err(in_file(Failure::new("no index over a table: only hnsw(content = ..., ...) has a log")));
    }
    report(args, &folded)?;
    Ok(folded.iter().all(|index| index.left == 0))
}

/// Folds the log of an index; None for a table of its own.
fn fold(connection: &Connection, table: String) -> Result<Option<Folded>> {
    let Some(before) = logged(connection, &table)? else { return Ok(None) };
    let name = quote(&table);
    connection.execute(&format!("INSERT INTO {name}({name}) VALUES ('fold')"), [])?;
    let left = logged(connection, &table)?.unwrap_or_default();
    Ok(Some(Folded { table, rows: before - left, left }))
}

/// Rows in the log of an index.
fn logged(connection: &Connection, table: &str) -> Result<Option<i64>> {
    let mut statement = connection.prepare("SELECT value FROM hnsw_info(?1) WHERE key = 'logged'")?;
    Ok(statement.query_map([table], |row| row.get(0))?.next().transpose()?)
}

fn report(args: &FoldArgs, folded: &[Folded]) -> Result<()> {
    let mut out = stdout();
    if args.json {
        let object = |index: &Folded| json!({ "table": index.table, "folded": index.rows, "left": index.left });
        writeln!(out, "{}", json_text(&serde_json::Value::Array(folded.iter().map(object).collect())))?;
        return Ok(());
    }
    for index in folded {
        let left = match index.left {
            0 => String::new(),
            left => format!(", {} left in the log with a wrong vector", plural(left.unsigned_abs(), "row")),
        };
        writeln!(out, "{}: {} folded{left}", escaped(&index.table), plural(index.rows.unsigned_abs(), "row"))?;
    }
    Ok(())
}
