//! Writes the file: under another name beside the wanted one, until it is complete.

use super::builder::Batch;
use super::columns::{Column, Kind};
use crate::failure::{Failure, Result};
use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::NamedTempFile;

/// Encoded bytes of a row group: readers read a group as a whole.
const GROUP_BYTES: usize = 128 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Parquet,
    Arrow,
}

impl Format {
    /// The format that the file's name asks for.
    pub fn of(path: &Path) -> Result<Format> {
        match path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("parquet") => Ok(Format::Parquet),
            Some("arrow" | "feather") => Ok(Format::Arrow),
            _ => Err(Failure::new(format!("{}: expected a name that ends in .parquet or .arrow", path.display()))),
        }
    }
}

pub struct Writer {
    path: PathBuf,
    draft: NamedTempFile,
    schema: SchemaRef,
    encoder: Encoder,
}

enum Encoder {
    Parquet(Box<ArrowWriter<File>>),
    Arrow(Box<FileWriter<std::io::BufWriter<File>>>),
}

impl Writer {
    pub fn create(path: &Path, format: Format, columns: &[Column]) -> Result<Writer> {
        let schema = Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>()));
        let draft = draft(path).map_err(|error| Failure::io(path, "made", &error))?;
        let file = draft.reopen().map_err(|error| Failure::io(path, "made", &error))?;
        let encoder = match format {
            Format::Parquet => ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(columns)))
                .map(|writer| Encoder::Parquet(Box::new(writer)))
                .map_err(|error| failed(path, &error))?,
            Format::Arrow => FileWriter::try_new_buffered(file, &schema)
                .map(|writer| Encoder::Arrow(Box::new(writer)))
                .map_err(|error| failed(path, &error.into()))?,
        };
        Ok(Writer { path: path.to_owned(), draft, schema, encoder })
    }

    /// Writes the rows of the batch and empties it. Returns how many there were.
    pub fn write(&mut self, batch: &mut Batch<'_>) -> Result<u64> {
        let rows = batch.take(&self.schema).map_err(|error| failed(&self.path, &error.into()))?;
        self.encoder.write(&rows).map_err(|error| failed(&self.path, &error))?;
        Ok(rows.num_rows() as u64)
    }

    /// Puts the file in its place. Returns its bytes.
    pub fn finish(self) -> Result<u64> {
        let Writer { path, draft, encoder, .. } = self;
        encoder.close().map_err(|error| failed(&path, &error))?;
        let written = draft.as_file();
        written.sync_all().map_err(|error| Failure::io(&path, "written", &error))?;
        let bytes = written.metadata().map_err(|error| Failure::io(&path, "written", &error))?.len();
        draft.persist(&path).map_err(|error| Failure::io(&path, "replaced", &error.error))?;
        Ok(bytes)
    }
}

impl Encoder {
    fn write(&mut self, rows: &RecordBatch) -> std::result::Result<(), ParquetError> {
        match self {
            Encoder::Parquet(writer) => {
                writer.write(rows)?;
                if writer.in_progress_size() >= GROUP_BYTES { writer.flush() } else { Ok(()) }
            }
            Encoder::Arrow(writer) => Ok(writer.write(rows)?),
        }
    }

    fn close(self) -> std::result::Result<(), ParquetError> {
        match self {
            Encoder::Parquet(writer) => writer.close().map(|_| ()),
            Encoder::Arrow(mut writer) => Ok(writer.finish()?),
        }
    }
}

/// Creates a file beside the wanted one, with the permissions of a new file.
fn draft(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vecrank-export-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// The settings of a Parquet file. Vectors have no dictionary, because they hardly ever repeat.
fn properties(columns: &[Column]) -> WriterProperties {
    let compression = Compression::ZSTD(ZstdLevel::default());
    let vectors = columns.iter().filter(|column| matches!(column.kind, Kind::Vector(..)));
    let plain = |properties: parquet::file::properties::WriterPropertiesBuilder, column: &Column| {
        let path = match column.kind {
            Kind::Vector(vecrank::internals::distance::Element::Bit, _) => vec![column.name.clone()],
            _ => vec![column.name.clone(), "list".to_owned(), "element".to_owned()],
        };
        properties.set_column_dictionary_enabled(ColumnPath::new(path), false)
    };
    vectors.fold(WriterProperties::builder().set_compression(compression), plain).build()
}

fn failed(path: &Path, error: &ParquetError) -> Failure {
    Failure::new(format!("{}: cannot be written: {}", path.display(), crate::failure::reason(error)))
}
