//! The input files: finds them, opens them, and reads their rows in batches.

use crate::batches::Batches;
use crate::columns::{Columns, FileColumn, INT128, Shape};
use crate::failure::{Failure, Result, reason, strip};
use crate::footer::{self, Form, Readable};
use crate::guard;
use crate::hive;
use crate::spool;
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, DataType, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The argument that means standard input.
const STANDARD_INPUT: &str = "-";

/// A file that is to be read, or the standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    StandardInput,
}

/// Resolves paths and patterns to files. Each file comes once, however it is spelt; matches of a pattern come in
/// alphabetical order.
pub fn expand(arguments: &[String]) -> Result<Vec<Source>> {
    let mut sources: Vec<Source> = Vec::new();
    let mut known: HashSet<Identity> = HashSet::new();
    for argument in arguments {
        let found = if argument == STANDARD_INPUT {
            vec![Source::StandardInput]
        } else if Path::new(argument).exists() || !argument.contains(['*', '?', '[']) {
            vec![Source::File(PathBuf::from(argument))]
        } else {
            matches(argument)?
        };
        for source in found {
            let is_new = match &source {
                Source::File(path) => identity(path).is_none_or(|identity| known.insert(identity)),
                Source::StandardInput => !sources.contains(&source),
            };
            if is_new {
                sources.push(source);
            }
        }
    }
    Ok(sources)
}

/// Identifies a file, however its path is spelt.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = PathBuf;

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    path.canonicalize().ok()
}

fn matches(pattern: &str) -> Result<Vec<Source>> {
    let paths = glob::glob(pattern).map_err(|error| Failure::new(format!("pattern '{pattern}': {error}")))?;
    let mut sources = Vec::new();
    for path in paths {
        let path = path.map_err(|error| Failure::io(error.path(), "read", error.error()))?;
        if path.is_file() {
            sources.push(Source::File(path));
        }
    }
    if sources.is_empty() {
        return Err(Failure::new(format!("no file matches '{pattern}'")));
    }
    Ok(sources)
}

/// One Parquet file whose footer was read.
#[derive(Debug)]
pub struct Input {
    /// The name for error messages.
    pub name: String,
    file: File,
    /// Of the columns that can be read.
    metadata: ArrowReaderMetadata,
    columns: Columns,
}

impl Input {
    /// Reads the footer. Standard input and FIFOs are copied to a nameless file in `spool` first.
    pub fn open(source: &Source, spool: &Path, shape: &Shape) -> Result<Input> {
        let partitions = match source {
            Source::File(path) if shape.hive => hive::partitions(path),
            _ => Vec::new(),
        };
        let (name, file) = match source {
            Source::File(path) => (path.display().to_string(), spool::open(path, spool)?),
            Source::StandardInput => ("standard input".to_owned(), spool::standard_input(spool)?),
        };
        let unreadable =
            |error: ParquetError| Failure::new(format!("{name}: not a readable Parquet file: {}", reason(&error)));
        let damaged = || ParquetError::General("its footer is damaged".to_owned());
        let bytes = file.metadata().map_err(|error| unreadable(error.into()))?.len();
        let read = || {
            let metadata = footer::read(&file)?;
            check_offsets(&metadata, bytes)?;
            check_counts(&metadata)?;
            footer::readable(metadata)
        };
        let readable = guard::reading(read).unwrap_or_else(|| Err(damaged())).map_err(unreadable)?;
        let Readable { mut metadata, columns } = readable;
        if let Some(schema) = better_schema(&metadata) {
            let options = ArrowReaderOptions::new().with_schema(schema);
            metadata = ArrowReaderMetadata::try_new(metadata.metadata().clone(), options).map_err(unreadable)?;
        }
        let own = typed(columns, metadata.schema().fields().iter());
        let columns = Columns::new(&own, partitions, shape).map_err(|failure| failure.at(&name))?;
        Ok(Input { name, file, metadata, columns })
    }

    pub fn schema(&self) -> &SchemaRef {
        self.columns.schema()
    }

    /// The vector columns that --embedding asks for.
    pub fn embedding(&self) -> &[String] {
        self.columns.embedding()
    }

    /// Columns that --rename found, by their old names.
    pub fn renamed(&self) -> &[String] {
        self.columns.renamed()
    }

    /// Why a column cannot be read.
    pub fn fault(&self, column: &str) -> Option<&str> {
        self.columns.fault(column)
    }

    /// Puts these columns first, in these types.
    pub fn conform(&mut self, columns: &[(String, DataType)]) {
        self.columns.conform(columns);
    }

    /// Rows that the footer promises.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Batches of columns of `schema`, in the order of the file.
    pub fn batches(&self, columns: &[usize]) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<'_>> {
        let roots = self.columns.roots(columns);
        let columns = columns.to_vec();
        let mut batches = self.reader(&roots)?;
        let mut rows = 0;
        let mut is_done = false;
        Ok(std::iter::from_fn(move || {
            if is_done {
                return None;
            }
            let batch = match guard::reading(|| batches.next()) {
                None => Err(self.undecodable(&roots, None)),
                Some(Err(error)) => Err(self.undecodable(&roots, Some(&error))),
                Some(Ok(Some(batch))) => {
                    let first = rows;
                    rows += batch.num_rows() as u64;
                    let made = self.columns.assemble(&batch, &roots, &columns);
                    made.map_err(|(column, fault)| {
                        self.at_fault(&column, fault.row.map(|row| first + row as u64 + 1), &fault.text)
                    })
                }
                Some(Ok(None)) if rows != self.rows() => {
                    let promised = self.rows();
                    Err(self.failure(format_args!(
                        "cannot be decoded, it is damaged: its footer says {promised} rows, it has {rows}"
                    )))
                }
                Some(Ok(None)) => return None,
            };
            is_done = batch.is_err();
            Some(batch)
        }))
    }

    /// The file's own columns.
    fn reader(&self, roots: &[usize]) -> Result<Batches> {
        let file = self.file.try_clone().map_err(|error| self.failure(format_args!("cannot be read: {error}")))?;
        let new = || Batches::new(file, self.metadata.clone(), roots);
        match guard::reading(new) {
            Some(batches) => batches.map_err(|error| self.failure(reason(&error))),
            None => Err(self.failure("cannot be decoded, it is damaged or encrypted")),
        }
    }

    fn failure(&self, text: impl fmt::Display) -> Failure {
        Failure::new(format!("{}: {text}", self.name))
    }

    fn at_fault(&self, column: &str, row: Option<u64>, text: &str) -> Failure {
        let row = row.map_or_else(String::new, |row| format!("row {row}, "));
        self.failure(format_args!("{row}column \"{column}\": {text}"))
    }

    /// Reads the columns one by one, to name the one that cannot be decoded.
    fn undecodable(&self, roots: &[usize], error: Option<&ArrowError>) -> Failure {
        let fails = |root: &usize| {
            let mut batches = self.reader(&[*root]).ok()?;
            loop {
                match guard::reading(|| batches.next()) {
                    None => return Some(String::new()),
                    Some(Err(error)) => return Some(format!(": {}", strip(&error.to_string()))),
                    Some(Ok(Some(_))) => {}
                    Some(Ok(None)) => return None,
                }
            }
        };
        let found = roots.iter().find_map(|root| Some((root, fails(root)?)));
        let Some((root, why)) = found else {
            let why = error.map_or_else(String::new, |error| format!(": {}", strip(&error.to_string())));
            return self.failure(format_args!("cannot be decoded, it is damaged or encrypted{why}"));
        };
        let name = self.metadata.schema().fields().get(*root).map_or("", |field| field.name());
        let text = if why.contains("UTF-8") || why.contains("utf-8") || why.contains("UTF8") {
            "the file calls it text, but a value is not valid UTF-8; leave it out with --exclude".to_owned()
        } else {
            format!("cannot be decoded, it is damaged or encrypted{why}")
        };
        self.at_fault(name, None, &text)
    }

    /// True if the statistics in the file prove that an unsigned 64-bit column holds nothing beyond the largest
    /// INTEGER.
    pub fn fits_integer(&self, column: &str) -> bool {
        let schema = self.metadata.parquet_schema();
        let Some(root) = self.columns.root(column) else { return false };
        let Some(leaf) = (0..schema.num_columns()).find(|&leaf| schema.get_column_root_idx(leaf) == root) else {
            return false;
        };
        self.metadata.metadata().row_groups().iter().all(|group| {
            let statistics = group.column(leaf).statistics();
            // Unsigned order: what is beyond INTEGER's range looks negative in the signed type of the statistics.
            statistics.is_some_and(|statistics| !statistics.is_min_max_deprecated())
                && matches!(statistics, Some(Statistics::Int64(values)) if values.max_opt().is_some_and(|&max| max >= 0))
        })
    }
}

/// Checks that the column chunks lie inside the file: the library does not.
fn check_offsets(metadata: &ParquetMetaData, file_bytes: u64) -> std::result::Result<(), ParquetError> {
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let is_inside = group.columns().iter().all(|chunk| {
            let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
            let end = start.checked_add(chunk.compressed_size());
            start >= 0 && chunk.compressed_size() >= 0 && end.is_some_and(|end| end.cast_unsigned() <= file_bytes)
        });
        if group.num_rows() < 0 || !is_inside {
            return Err(ParquetError::General(format!("row group {} is not inside the file", number + 1)));
        }
    }
    Ok(())
}

/// Checks the footer's counts of rows: with a false count an import would lose rows, or empty a table.
fn check_counts(metadata: &ParquetMetaData) -> std::result::Result<(), ParquetError> {
    let says = |whole: &str, said: i64, part: &str, has: i64| {
        Err(ParquetError::General(format!("{whole} says {said} rows, {part} {has}")))
    };
    let promised = metadata.file_metadata().num_rows();
    let has = metadata.row_groups().iter().fold(0_i64, |sum, group| sum.saturating_add(group.num_rows()));
    if has != promised {
        return says("its footer", promised, "its row groups have", has);
    }
    for group in metadata.row_groups() {
        for chunk in group.columns() {
            let (rows, values) = (group.num_rows(), chunk.num_values());
            // A row of a list may have several values, and has one if it is empty.
            let is_repeated = chunk.column_descr().max_rep_level() > 0;
            if values < rows || (values > rows && (!is_repeated || rows == 0)) {
                return says(
                    "a row group",
                    rows,
                    &format!("its column \"{}\" has", chunk.column_path().string()),
                    values,
                );
            }
        }
    }
    Ok(())
}

/// The file's columns with their Arrow types.
fn typed<'a>(own: Vec<(String, Form)>, mut readable: impl Iterator<Item = &'a FieldRef>) -> Vec<FileColumn> {
    let mut next = || readable.next().map(|field| field.data_type().clone()).ok_or_else(|| "it has no type".to_owned());
    let typed = own.into_iter().map(|(name, form)| {
        let data_type = match form {
            Form::Plain => next(),
            Form::Int128 => next().map(|_| INT128),
            Form::Unreadable(why) => Err(why),
        };
        FileColumn { name, data_type }
    });
    typed.collect()
}

/// The schema to read the rows with, if it differs from the library's own:
///
/// - INT96, the timestamps of older writers, are read as microseconds. As nanoseconds, the default, years before 1677 and
///   after 2262 overflow.
/// - Dictionaries of other types than text and binary are read as plain values; the library does not support them.
fn better_schema(metadata: &ArrowReaderMetadata) -> Option<SchemaRef> {
    let mut is_int96 = metadata.parquet_schema().columns().iter().map(|leaf| leaf.physical_type() == Type::INT96);
    let fields: Fields = metadata.schema().fields().iter().map(|field| better(field, &mut is_int96)).collect();
    (&fields != metadata.schema().fields()).then(|| Arc::new(Schema::new(fields)))
}

/// `is_int96`: of the leaves from this field's first on.
fn better(field: &FieldRef, is_int96: &mut dyn Iterator<Item = bool>) -> FieldRef {
    let mut inside = |field: &FieldRef| better(field, is_int96);
    let new = match field.data_type() {
        DataType::List(inner) => DataType::List(inside(inner)),
        DataType::LargeList(inner) => DataType::LargeList(inside(inner)),
        DataType::ListView(inner) => DataType::ListView(inside(inner)),
        DataType::LargeListView(inner) => DataType::LargeListView(inside(inner)),
        DataType::FixedSizeList(inner, size) => DataType::FixedSizeList(inside(inner), *size),
        DataType::Map(entries, sorted) => DataType::Map(inside(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inside).collect()),
        leaf => match (is_int96.next(), leaf) {
            (Some(true), DataType::Timestamp(TimeUnit::Nanosecond, zone)) => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            (_, DataType::Dictionary(_, value)) if !value.is_string() && !value.is_binary() => value.as_ref().clone(),
            _ => leaf.clone(),
        },
    };
    Arc::new(field.as_ref().clone().with_data_type(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_give_each_file_once_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.parquet", "a.parquet", "c.txt", "odd[1].parquet"] {
            File::create(folder.path().join(name)).unwrap();
        }
        let path = |name: &str| folder.path().join(name).display().to_string();
        let sources = expand(&[path("b.parquet"), path("[ab].parquet"), path("odd[1].parquet")]).unwrap();
        let expected = ["b.parquet", "a.parquet", "odd[1].parquet"].map(|name| Source::File(folder.path().join(name)));
        assert_eq!(sources, expected);
    }

    #[test]
    fn a_pattern_without_matches_is_named() {
        let error = expand(&["/nowhere/*.parquet".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "no file matches '/nowhere/*.parquet'");
    }
}
