//! `vecrank check`.

use crate::args::CheckArgs;
use crate::database;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::report::{Progress, plural};
use crate::screen::{escaped, json_text, stdout};
use serde_json::json;
use std::io::Write;

/// Most faults that are listed: a damaged file may have one per row.
const LISTED: usize = 100;

pub fn run(args: &CheckArgs) -> Result<()> {
    let connection = database::open_readable(&args.database)?;
    let in_file = |failure: Failure| failure.at(args.database.display());
    let tables = database::tables(&connection).map_err(in_file)?;
    if tables.is_empty() {
        return Err(in_file(Failure::new("no vecrank table in the file")));
    }
    let _watch = interrupt::watch(&connection);
    let mut progress = Progress::default();
    progress.wait("Checking");
    // The check of each vecrank table is part of SQLite's own.
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({LISTED})"))?;
    let lines = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>();
    let reports = lines.map_err(Failure::from).map_err(in_file)?;
    // SQLite reports one fault per row, but all faults of a vecrank table in one row.
    let faults: Vec<&str> = reports.iter().flat_map(|report| report.lines()).filter(|line| *line != "ok").collect();
    progress.finish();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let mut out = stdout();
    if args.json {
        writeln!(out, "{}", json_text(&json!({ "ok": faults.is_empty(), "tables": names, "faults": faults })))?;
    } else if faults.is_empty() {
        writeln!(
            out,
            "{}: sound ({} {})",
            escaped(&args.database.to_string_lossy()),
            plural_tables(&names),
            escaped(&names.join(", "))
        )?;
    } else {
        faults.iter().take(LISTED).try_for_each(|fault| writeln!(out, "{}", escaped(fault)))?;
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(in_file(Failure::new(format!("damaged: {}", plural(faults.len() as u64, "fault")))))
}

fn plural_tables(names: &[&str]) -> &'static str {
    if names.len() == 1 { "table" } else { "tables" }
}
