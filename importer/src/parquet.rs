//! The input side: which files are meant, what is in them, and their rows batch by batch.

use crate::batches::Batches;
use crate::failure::{Failure, Result};
use crate::guard;
use crate::interrupt;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The argument that means standard input.
const STANDARD_INPUT: &str = "-";

/// A file that is to be read, or the standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    StandardInput,
}

/// Paths and patterns to files: each file once, the matches of one pattern in alphabetical order.
pub fn expand(arguments: &[String]) -> Result<Vec<Source>> {
    let mut sources: Vec<Source> = Vec::new();
    for argument in arguments {
        let found = if argument == STANDARD_INPUT {
            vec![Source::StandardInput]
        } else if Path::new(argument).exists() || !argument.contains(['*', '?', '[']) {
            vec![Source::File(PathBuf::from(argument))]
        } else {
            matches(argument)?
        };
        for source in found {
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    Ok(sources)
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
    /// As messages call it.
    pub name: String,
    file: File,
    metadata: ArrowReaderMetadata,
}

impl Input {
    /// Reads the footer. Standard input is copied to a nameless file in `spool` first: Parquet is read from its end.
    pub fn open(source: &Source, spool: &Path) -> Result<Input> {
        let (name, file) = match source {
            Source::File(path) => {
                let file = File::open(path).map_err(|error| Failure::io(path, "read", &error))?;
                if path.is_dir() {
                    return Err(Failure::new(format!(
                        "{}: is a directory; write '{}/*.parquet'",
                        path.display(),
                        path.display()
                    )));
                }
                (path.display().to_string(), file)
            }
            Source::StandardInput => ("standard input".to_owned(), spooled(spool)?),
        };
        let unreadable =
            |error: ParquetError| Failure::new(format!("{name}: not a readable Parquet file: {}", reason(&error)));
        let damaged = || ParquetError::General("its footer is damaged".to_owned());
        let load = || ArrowReaderMetadata::load(&file, ArrowReaderOptions::new());
        let mut metadata = guard::reading(load).unwrap_or_else(|| Err(damaged())).map_err(unreadable)?;
        let bytes = file.metadata().map_err(|error| unreadable(error.into()))?.len();
        check_places(metadata.metadata(), bytes).map_err(unreadable)?;
        if let Some(schema) = better_schema(&metadata) {
            let options = ArrowReaderOptions::new().with_schema(schema);
            metadata = ArrowReaderMetadata::try_new(metadata.metadata().clone(), options).map_err(unreadable)?;
        }
        Ok(Input { name, file, metadata })
    }

    pub fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// Rows that the footer promises.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Batches of the given top-level columns, in the order of the file.
    pub fn batches(&self, columns: &[usize]) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<'_>> {
        let in_file = |message: String| Failure::new(format!("{}: {message}", self.name));
        let file = self.file.try_clone().map_err(|error| in_file(format!("cannot be read: {error}")))?;
        let new = || Batches::new(file, self.metadata.clone(), columns);
        let undecodable = move |why: &str| in_file(format!("cannot be decoded, it is damaged or encrypted{why}"));
        let mut batches =
            guard::reading(new).ok_or_else(|| undecodable(""))?.map_err(|error| in_file(reason(&error)))?;
        Ok(std::iter::from_fn(move || match guard::reading(|| batches.next()) {
            Some(batch) => batch.map_err(|error| undecodable(&format!(": {}", strip(&error.to_string())))).transpose(),
            None => Some(Err(undecodable(""))),
        }))
    }

    /// True if the statistics in the file prove that an unsigned 64-bit column holds nothing beyond the largest INTEGER.
    pub fn fits_integer(&self, column: &str) -> bool {
        let schema = self.metadata.parquet_schema();
        let Some(leaf) = (0..schema.num_columns()).find(|&leaf| schema.column(leaf).path().parts() == [column]) else {
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

/// Another thread copies, so that Ctrl-C is heard while the input is waited for.
fn spooled(spool: &Path) -> Result<File> {
    const LOOK: Duration = Duration::from_millis(50);
    let failed = |error: io::Error| Failure::new(format!("standard input: cannot be copied to a file: {error}"));
    let file = tempfile::tempfile_in(spool).map_err(failed)?;
    let mut copy = file.try_clone().map_err(failed)?;
    let (done, finished) = channel();
    let work = move || {
        let _ = done.send(io::copy(&mut io::stdin().lock(), &mut copy));
    };
    std::thread::Builder::new().spawn(work).map_err(failed)?;
    loop {
        interrupt::check()?;
        match finished.recv_timeout(LOOK) {
            Ok(copied) => return copied.map(|_| file).map_err(failed),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(failed(io::ErrorKind::Other.into())),
        }
    }
}

/// The library takes the footer's word for where things are.
fn check_places(metadata: &ParquetMetaData, file_bytes: u64) -> std::result::Result<(), ParquetError> {
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

/// The schema that the rows are read by, if it is not the one that the library makes of the file:
///
/// - INT96, the timestamps of older writers, as microseconds. Nanoseconds, the default, make other years of those before
///   1677 and after 2262.
/// - Dictionaries of text and binary only; the library reads no others.
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

fn reason(error: &ParquetError) -> String {
    let message = error.to_string();
    if message.contains("encrypted") { "it is encrypted".to_owned() } else { strip(&message).to_owned() }
}

/// The libraries say several times whose error it is.
fn strip(mut message: &str) -> &str {
    while let Some(rest) = ["Parquet error: ", "ParquetError: ", "Parquet argument error: ", "Arrow: ", "EOF: "]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
    {
        message = rest;
    }
    message
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
