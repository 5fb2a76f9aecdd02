//! `vecrank export`: the rows of a table as Parquet or Arrow IPC.

pub mod args;
mod builder;
mod columns;
mod writer;

use crate::database::{self, Table};
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::report::{Progress, Unit, human_bytes, plural};
use crate::screen::{escaped, json_text, stdout};
use crate::sql::quote;
use args::ExportArgs;
use builder::Batch;
use columns::Column;
use rusqlite::Connection;
use serde_json::json;
use std::io::Write;
use std::time::Instant;
use writer::{Format, Writer};

pub fn run(args: &ExportArgs) -> Result<()> {
    let began = Instant::now();
    let format = Format::of(&args.output)?;
    let connection = database::open_readable(&args.database)?;
    let in_file = |failure: Failure| failure.at(args.database.display());
    let table = database::table(&connection, args.table.as_deref()).map_err(in_file)?;
    let _watch = interrupt::watch(&connection);
    // Types and rows are of one state.
    connection.execute_batch("BEGIN")?;
    let mut progress = Progress::default();
    progress.wait("Looking at types");
    let columns = columns::choose(&connection, &table, args).map_err(in_file)?;
    let mut writer = Writer::create(&args.output, format, &columns)?;
    progress.count("Writing rows", Unit::Rows, database::count_rows(&connection, &table.name).map_err(in_file)?);
    let rows = write_rows(&connection, &table, args, &columns, &mut writer, &progress).map_err(in_file)?;
    progress.wait("Putting it in place");
    let bytes = writer.finish()?;
    progress.finish();
    report(args, &table, rows, bytes, began.elapsed().as_secs_f64())
}

fn write_rows(
    connection: &Connection,
    table: &Table,
    args: &ExportArgs,
    columns: &[Column],
    writer: &mut Writer,
    progress: &Progress,
) -> Result<u64> {
    let names: Vec<&str> = columns.iter().map(|column| column.sql.as_str()).collect();
    let rowid = table.rowid()?;
    let mut statement = connection.prepare(&format!(
        "SELECT {}, {rowid} FROM {}{} ORDER BY {rowid}",
        names.join(", "),
        quote(&table.name),
        args.where_clause()
    ))?;
    let mut rows = statement.raw_query();
    let (mut batch, mut written) = (Batch::new(columns), 0);
    while let Some(row) = rows.next()? {
        batch.push(row)?;
        if batch.is_full() {
            written += writer.write(&mut batch)?;
            progress.advance(batch.last_rows());
            interrupt::check()?;
        }
    }
    written += writer.write(&mut batch)?;
    Ok(written)
}

fn report(args: &ExportArgs, table: &Table, rows: u64, bytes: u64, seconds: f64) -> Result<()> {
    let mut out = stdout();
    let output = args.output.display().to_string();
    if args.json {
        let seconds = (seconds * 1000.0).round() / 1000.0;
        let said = json!({ "output": output, "table": table.name, "rows": rows, "bytes": bytes, "seconds": seconds });
        writeln!(out, "{}", json_text(&said))?;
    } else {
        let (rows, bytes) = (plural(rows, "row"), human_bytes(bytes));
        writeln!(out, "{}: {rows} of {}, {bytes}", escaped(&output), escaped(&table.name))?;
    }
    Ok(())
}
