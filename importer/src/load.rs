//! Inserts record batches row by row, and handles bad rows.

use crate::args::OnBadRow;
use crate::cells::{self, Cells};
use crate::divide::shard_of;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::mapping::Mapping;
use crate::parquet::Input;
use crate::plan::{Kind, Plan};
use crate::report::{Progress, Unit};
use crate::vectors::{Scratch, VectorType, Vectors};
use arrow_array::RecordBatch;
use rusqlite::{Connection, ErrorCode, Statement};
use std::sync::mpsc::{SyncSender, sync_channel};

/// Bad rows that are described one by one; further ones are only counted.
const DESCRIBED: u64 = 10;

/// The result of an import.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Rows in the table.
    pub rows: u64,
    /// Rows left out.
    pub skipped: u64,
    /// Vectors left out of rows that were kept.
    pub without_vector: u64,
    /// Rows put into each database.
    pub put: Vec<u64>,
}

/// Inserts all rows of all inputs into the plan's table, inside transactions of the caller. Each row goes to one of the
/// databases, by the plan's shard column. Another thread reads and converts the next batches.
pub fn load<'a>(
    databases: impl IntoIterator<Item = &'a Connection>,
    plan: &'a Plan,
    inputs: &[Input],
    progress: &mut Progress,
) -> Result<Outcome> {
    progress.count("Reading rows", Unit::Rows, inputs.iter().map(Input::rows).sum());
    let sinks = databases.into_iter().map(|database| Sink::new(database, plan)).collect::<Result<Vec<_>>>()?;
    let scratch = plan.columns.iter().map(|_| Scratch::default()).collect();
    let warned = vec![false; plan.columns.len()];
    let outcome = Outcome { put: vec![0; sinks.len()], ..Outcome::default() };
    let mut loader = Loader { plan, sinks, scratch, outcome, progress, warned };
    std::thread::scope(|scope| {
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        let reader = std::thread::Builder::new()
            .spawn_scoped(scope, || read(plan, inputs, sender))
            .map_err(|error| Failure::new(format!("no thread can be had to read the files: {error}")))?;
        // Where a row is refused the reader, which has nobody to send to, ends too.
        let loaded: Result<()> = batches.into_iter().try_for_each(|batch| {
            interrupt::check()?;
            let (batch, columns) = batch?;
            loader.insert(&columns, &batch)?;
            loader.progress.advance(batch.rows as u64);
            Ok(())
        });
        match reader.join() {
            Ok(()) => loaded,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    let Loader { outcome, progress, .. } = loader;
    let more = (outcome.skipped + outcome.without_vector).saturating_sub(DESCRIBED);
    if more > 0 {
        progress.warn(format_args!("{more} more like these"));
    }
    Ok(outcome)
}

/// Converted batches that wait to be written.
const BATCHES_AHEAD: usize = 2;

/// Sends all batches in order, until the first error or until the receiver is gone.
fn read<'a>(plan: &Plan, inputs: &'a [Input], sender: SyncSender<Result<(Batch<'a>, Vec<Converted>)>>) {
    let read_file = |input: &'a Input| -> Result<bool> {
        let reader = FileReader::new(plan, input)?;
        let mut first_row = 1;
        for batch in input.batches(&reader.projection)? {
            let batch = batch?;
            let columns = reader.convert(&batch, first_row)?;
            let rows = batch.num_rows();
            let origin = Batch { file: &input.name, first_row, rows };
            if sender.send(Ok((origin, columns))).is_err() {
                return Ok(false);
            }
            first_row += rows as u64;
        }
        Ok(true)
    };
    for input in inputs {
        match read_file(input) {
            Ok(true) => {}
            Ok(false) => return,
            Err(failure) => {
                let _ = sender.send(Err(failure));
                return;
            }
        }
    }
}

/// Converts the columns of one file.
struct FileReader<'a> {
    plan: &'a Plan,
    name: &'a str,
    projection: Vec<usize>,
    /// One per column of the plan; None for vector columns.
    mappings: Vec<Option<Mapping>>,
}

impl<'a> FileReader<'a> {
    fn new(plan: &'a Plan, input: &'a Input) -> Result<FileReader<'a>> {
        let schema = input.schema();
        let projection = plan.projection(schema).map_err(|failure| failure.at(&input.name))?;
        let mappings = plan.columns.iter().zip(&projection).map(|(column, &position)| match column.kind {
            Kind::Vector(_) => Ok(None),
            // Another file may hold the same values in another Arrow type.
            Kind::Ordinary { .. } => plan.mapping(&column.name, schema.field(position).data_type()).map(Some),
        });
        Ok(FileReader {
            plan,
            name: &input.name,
            projection: projection.clone(),
            mappings: mappings.collect::<Result<_>>()?,
        })
    }

    /// `first_row`: the number of the batch's first row in the file, from 1.
    fn convert(&self, batch: &RecordBatch, first_row: u64) -> Result<Vec<Converted>> {
        let columns = self.plan.columns.iter().zip(&self.mappings).map(|(column, mapping)| {
            let refused = |fault: cells::Fault| {
                let row = fault.row.map_or_else(String::new, |row| format!("row {}, ", first_row + row as u64));
                Failure::new(format!("{}: {row}column \"{}\": {}", self.name, column.name, fault.text))
            };
            let in_column = |failure: Failure| refused(failure.into());
            // A projection keeps the order of the file, which need not be the plan's.
            let array = batch.column_by_name(&column.name).ok_or_else(|| in_column(Failure::new("is missing")))?;
            match (&column.kind, mapping) {
                (Kind::Ordinary { .. }, Some(mapping)) => {
                    mapping.convert(array).map(Converted::Ordinary).map_err(refused)
                }
                (Kind::Vector(vector_type), _) => Vectors::new(array, vector_type.element)
                    .map(|vectors| Converted::Vectors(vectors, *vector_type))
                    .map_err(in_column),
                (Kind::Ordinary { .. }, None) => Err(in_column(Failure::new("has no mapping"))),
            }
        });
        columns.collect()
    }
}

enum Converted {
    Ordinary(Cells),
    Vectors(Vectors, VectorType),
}

/// Where a batch comes from.
struct Batch<'a> {
    file: &'a str,
    /// Number of its first row in the file, from 1.
    first_row: u64,
    rows: usize,
}

/// What is wrong with a row, and in which column of the plan.
struct Fault {
    column: Option<usize>,
    text: String,
}

/// The statements that put rows into one database.
struct Sink<'a> {
    statement: Statement<'a>,
    /// For rows that `statement` did not find.
    insertion: Statement<'a>,
}

impl<'a> Sink<'a> {
    fn new(database: &'a Connection, plan: &Plan) -> Result<Sink<'a>> {
        Ok(Sink { statement: database.prepare(&plan.row_sql())?, insertion: database.prepare(&plan.insert_sql())? })
    }
}

struct Loader<'a, 'p> {
    plan: &'a Plan,
    /// One per database.
    sinks: Vec<Sink<'a>>,
    /// One per column of the plan.
    scratch: Vec<Scratch>,
    outcome: Outcome,
    progress: &'p mut Progress,
    /// One per column of the plan: whether the warning about large unsigned numbers was given.
    warned: Vec<bool>,
}

impl Loader<'_, '_> {
    fn insert(&mut self, columns: &[Converted], batch: &Batch<'_>) -> Result<()> {
        self.warn_of_large_numbers(columns, batch);
        for row in 0..batch.rows {
            let shard = self.shard(columns, row);
            match self.insert_row(columns, row, shard)? {
                Ok(faults) => {
                    self.outcome.rows += 1;
                    self.outcome.put.iter_mut().skip(shard).take(1).for_each(|put| *put += 1);
                    for fault in faults {
                        self.outcome.without_vector += 1;
                        self.describe(&fault, row, batch);
                    }
                }
                Err(fault) if self.plan.options.on_bad_row == OnBadRow::Fail => {
                    return Err(Failure::new(format!(
                        "{}; nothing was imported (--on-bad-row skip leaves such rows out)",
                        self.text(&fault, row, batch)
                    )));
                }
                Err(fault) => {
                    self.outcome.skipped += 1;
                    self.describe(&fault, row, batch);
                }
            }
        }
        Ok(())
    }

    /// The database that a row belongs to. A row without a value to divide by is refused when it is inserted.
    fn shard(&self, columns: &[Converted], row: usize) -> usize {
        match self.plan.shard_by.and_then(|column| columns.get(column)) {
            Some(Converted::Ordinary(cells)) => shard_of(cells, row, self.sinks.len()),
            _ => 0,
        }
    }

    /// Inserts one row. Returns the vectors that were left out, or as the inner error why the row was left out.
    fn insert_row(
        &mut self,
        columns: &[Converted],
        row: usize,
        shard: usize,
    ) -> Result<std::result::Result<Vec<Fault>, Fault>> {
        let mut left_out = Vec::new();
        let Some(Sink { statement, .. }) = self.sinks.get_mut(shard) else { return Err(Failure::new("no database")) };
        for (position, (column, scratch)) in columns.iter().zip(&mut self.scratch).enumerate() {
            let parameter = position + 1;
            match column {
                Converted::Ordinary(cells) if self.plan.required.contains(&position) && cells.is_null(row) => {
                    return Ok(Err(Fault { column: Some(position), text: "expected a key, got NULL".to_owned() }));
                }
                Converted::Ordinary(cells) => cells.bind(row, statement, parameter)?,
                Converted::Vectors(vectors, vector_type) => match vectors.encode(row, *vector_type, scratch) {
                    Ok(bytes) => statement.raw_bind_parameter(parameter, bytes)?,
                    Err(why) => {
                        let fault = Fault { column: Some(position), text: why.to_string() };
                        if self.plan.options.on_bad_row != OnBadRow::Null {
                            return Ok(Err(fault));
                        }
                        left_out.push(fault);
                        statement.raw_bind_parameter(parameter, rusqlite::types::Null)?;
                    }
                },
            }
        }
        match statement.raw_execute() {
            Ok(0) if !self.plan.keeps.is_empty() => self.without_vector(columns, row, shard),
            Ok(_) => Ok(Ok(left_out)),
            Err(error) => Ok(Err(self.refused(columns, row, error)?)),
        }
    }

    /// Handles a row that is not in the table and for which the files have no vector.
    fn without_vector(
        &mut self,
        columns: &[Converted],
        row: usize,
        shard: usize,
    ) -> Result<std::result::Result<Vec<Fault>, Fault>> {
        let key = self.plan.key.and_then(|key| columns.get(key));
        let key = match key {
            Some(Converted::Ordinary(cells)) => cells.show(row),
            _ => String::new(),
        };
        let text = format!("the table has no row with the key {key}, and the files have no vector for it");
        let fault = Fault { column: self.plan.key, text };
        if self.plan.options.on_bad_row != OnBadRow::Null {
            return Ok(Err(fault));
        }
        let Some(Sink { insertion, .. }) = self.sinks.get_mut(shard) else { return Err(Failure::new("no database")) };
        for (position, column) in columns.iter().enumerate() {
            match column {
                Converted::Ordinary(cells) => cells.bind(row, insertion, position + 1)?,
                Converted::Vectors(vectors, kind) => {
                    let bytes =
                        self.scratch.get_mut(position).and_then(|scratch| vectors.encode(row, *kind, scratch).ok());
                    insertion.raw_bind_parameter(position + 1, bytes)?;
                }
            }
        }
        match insertion.raw_execute() {
            Ok(_) => Ok(Ok(vec![fault])),
            Err(error) => Ok(Err(self.refused(columns, row, error)?)),
        }
    }

    /// Turns an error of SQLite about the row's values into a fault of the row.
    fn refused(&self, columns: &[Converted], row: usize, error: rusqlite::Error) -> Result<Fault> {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Ok(self.constraint(columns, row, &error)),
            // SQLite converts all values but the rowid's.
            Some(ErrorCode::TypeMismatch) => Ok(self.mismatch(columns, row)),
            _ => Err(error.into()),
        }
    }

    fn mismatch(&self, columns: &[Converted], row: usize) -> Fault {
        let key = self.plan.required.iter().find_map(|&key| match columns.get(key)? {
            Converted::Ordinary(cells) if !matches!(cells, Cells::Integer(_)) => Some((key, cells.show(row))),
            _ => None,
        });
        match key {
            Some((key, value)) => Fault { column: Some(key), text: format!("expected a whole number, got {value}") },
            None => Fault { column: None, text: "expected a whole number as its key".to_owned() },
        }
    }

    /// The fault of a violated constraint: that of the key, or one that the table had before.
    fn constraint(&self, columns: &[Converted], row: usize, error: &rusqlite::Error) -> Fault {
        let text = error.to_string();
        let key = self.plan.key.and_then(|key| Some((key, columns.get(key)?, self.plan.columns.get(key)?)));
        match key {
            Some((key, Converted::Ordinary(cells), column)) if is_of_key(&text, &column.name) => {
                Fault { column: Some(key), text: format!("the key {} came before", cells.show(row)) }
            }
            _ => Fault { column: None, text },
        }
    }

    fn describe(&self, fault: &Fault, row: usize, batch: &Batch<'_>) {
        if self.outcome.skipped + self.outcome.without_vector <= DESCRIBED {
            self.progress.warn(self.text(fault, row, batch));
        }
    }

    fn text(&self, fault: &Fault, row: usize, batch: &Batch<'_>) -> String {
        let number = batch.first_row + row as u64;
        match fault.column.and_then(|column| self.plan.columns.get(column)) {
            Some(column) => format!("{}: row {number}, column \"{}\": {}", batch.file, column.name, fault.text),
            None => format!("{}: row {number}: {}", batch.file, fault.text),
        }
    }

    fn warn_of_large_numbers(&mut self, columns: &[Converted], batch: &Batch<'_>) {
        for ((column, converted), warned) in self.plan.columns.iter().zip(columns).zip(&mut self.warned) {
            let Converted::Ordinary(cells) = converted else { continue };
            if let Some(row) = cells.first_beyond_integer().filter(|_| !*warned) {
                *warned = true;
                self.progress.warn(format_args!(
                    "{}: row {}, column \"{}\": {} is beyond SQLite's INTEGER; such values are stored as TEXT",
                    batch.file,
                    batch.first_row + row as u64,
                    column.name,
                    cells.show(row)
                ));
            }
        }
    }
}

/// True for SQLite's message about the key: `UNIQUE constraint failed: articles.article_id`.
fn is_of_key(error: &str, key: &str) -> bool {
    error.starts_with("UNIQUE ") && error.to_lowercase().ends_with(&format!(".{}", key.to_lowercase()))
}
