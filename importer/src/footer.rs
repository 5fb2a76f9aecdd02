//! The footer of a Parquet file, and the columns in it that the library can read: one unreadable column does not make
//! the others unreadable.

use crate::failure::reason;
use crate::hints::{self, Change, Hint};
use crate::thrift::{self, Field, Value};
use arrow_schema::{FieldRef, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::{SchemaDescriptor, Type};
use std::fs::File;
use std::sync::Arc;

type Result<T> = std::result::Result<T, ParquetError>;

/// Bytes at the end of every file: the footer's length and the magic number.
const TAIL: u64 = 8;

/// Reads the footer. If the library refuses it for a fault of an old writer, the fault is repaired first.
pub fn read(file: &File) -> Result<ParquetMetaData> {
    // Page indexes are for reading some of the rows.
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
    let metadata = match reader.parse_and_finish(file) {
        Ok(metadata) => metadata,
        Err(error) => mended(file).ok_or(error)?,
    };
    let end = file.len().saturating_sub(TAIL + footer_bytes(file).unwrap_or_default());
    mend_chunks(mend_rows(metadata), end)
}

/// The first versions of parquet-rs wrote 0 for the rows of a file.
fn mend_rows(metadata: ParquetMetaData) -> ParquetMetaData {
    let old = metadata.file_metadata();
    if old.num_rows() != 0 || !old.created_by().is_some_and(|writer| writer.starts_with("parquet-rs version 0.")) {
        return metadata;
    }
    let rows = metadata.row_groups().iter().fold(0_i64, |sum, group| sum.saturating_add(group.num_rows()));
    let (created_by, keys) = (old.created_by().map(str::to_owned), old.key_value_metadata().cloned());
    let file = FileMetaData::new(old.version(), rows, created_by, keys, old.schema_descr_ptr(), None);
    ParquetMetaData::new(file, metadata.row_groups().to_vec())
}

fn footer_bytes(file: &File) -> Option<u64> {
    let tail = file.get_bytes(file.len().checked_sub(TAIL)?, 4).ok()?;
    Some(u64::from(u32::from_le_bytes(tail.as_ref().try_into().ok()?)))
}

fn mended(file: &File) -> Option<ParquetMetaData> {
    let length = footer_bytes(file)?;
    let start = file.len().checked_sub(TAIL)?.checked_sub(length)?;
    let bytes = file.get_bytes(start, usize::try_from(length).ok()?).ok()?;
    let mut footer = thrift::read(&bytes)?;
    items(&mut footer, SCHEMA).iter_mut().for_each(mend_element);
    let groups = items(&mut footer, ROW_GROUPS).iter_mut();
    for chunk in groups.flat_map(|group| items(group, COLUMNS)) {
        let Value::Struct(fields) = chunk else { continue };
        let metadata = fields.iter_mut().filter(|field| field.number == META_DATA);
        for field in metadata {
            let Value::Struct(fields) = &mut field.value else { continue };
            // Forks of parquet-mr had their own ideas of these, none of which reading needs.
            fields.retain(|field| field.number < BLOOM_FILTER_OFFSET);
        }
    }
    ParquetMetaDataReader::decode_metadata(&thrift::write(&footer)).ok()
}

/// A field's list.
fn items(parent: &mut Value, number: i64) -> &mut [Value] {
    let Value::Struct(fields) = parent else { return &mut [] };
    let values = fields.iter_mut().filter(|field| field.number == number).map(|field| &mut field.value);
    let mut lists = values.filter_map(|value| if let Value::List(_, items) = value { Some(items) } else { None });
    lists.next().map_or(&mut [], Vec::as_mut_slice)
}

/// The numbers of fields in parquet.thrift.
const SCHEMA: i64 = 2;
const ROW_GROUPS: i64 = 4;
const COLUMNS: i64 = 1;
const META_DATA: i64 = 3;
const BLOOM_FILTER_OFFSET: i64 = 14;
const CONVERTED_TYPE: i64 = 6;
const SCALE: i64 = 7;
const LOGICAL_TYPE: i64 = 10;
const UNKNOWN_LOGICAL_TYPE: i64 = 11;

/// Values of ConvertedType.
const DECIMAL: i64 = 5;
const LAST_CONVERTED_TYPE: i64 = 21;

/// What pandas once wrote for columns of NULLs; no version of the format has it.
const PANDAS_NULL: i64 = 24;

fn mend_element(element: &mut Value) {
    let Value::Struct(fields) = element else { return };
    let position =
        |fields: &[Field], number| fields.iter().position(|field| field.number >= number).unwrap_or(fields.len());
    let Some(at) = fields.iter().position(|field| field.number == CONVERTED_TYPE) else { return };
    let Value::Number(kind) = fields[at].value else { return };
    if kind == DECIMAL && !fields.iter().any(|field| field.number == SCALE) {
        // The format's default.
        fields.insert(position(fields, SCALE), Field { number: SCALE, kind: thrift::I32, value: Value::Number(0) });
    }
    if kind == PANDAS_NULL {
        let nothing = Value::Struct(Vec::new());
        let union = Field { number: UNKNOWN_LOGICAL_TYPE, kind: thrift::STRUCT, value: nothing };
        let logical = Field { number: LOGICAL_TYPE, kind: thrift::STRUCT, value: Value::Struct(vec![union]) };
        fields.insert(position(fields, LOGICAL_TYPE), logical);
    }
    if !(0..=LAST_CONVERTED_TYPE).contains(&kind) {
        fields.remove(at);
    }
}

/// Corrects the places of column chunks: some writers give 0 for a dictionary that does not exist, and parquet-mr
/// before 1.2.9 and old Impala left the dictionary's header out of the size. `end` is where the footer starts.
fn mend_chunks(metadata: ParquetMetaData, end: u64) -> Result<ParquetMetaData> {
    let is_short = metadata.file_metadata().created_by().is_some_and(understates);
    let has_zero = |chunk: &ColumnChunkMetaData| chunk.dictionary_page_offset() == Some(0);
    let mut chunks = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    if !is_short && !chunks.any(has_zero) {
        return Ok(metadata);
    }
    let chunks = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    let mut starts: Vec<i64> = chunks.flat_map(starts_of).collect();
    starts.push(i64::try_from(end).unwrap_or(i64::MAX));
    starts.sort_unstable();
    let mend = |chunk: &ColumnChunkMetaData| {
        let mut builder = chunk.clone().into_builder();
        if has_zero(chunk) {
            builder = builder.set_dictionary_page_offset(None);
        }
        let next = starts.iter().find(|next| **next > start(chunk)).map(|next| next.saturating_sub(start(chunk)));
        if let Some(size) =
            next.filter(|size| is_short && (1..=LONGEST_HEADER).contains(&(size - chunk.compressed_size())))
        {
            builder = builder.set_total_compressed_size(size);
        }
        builder.build()
    };
    let mut builder = metadata.into_builder();
    for group in builder.take_row_groups() {
        let chunks = group.columns().iter().map(mend).collect::<Result<Vec<_>>>()?;
        builder = builder.add_row_group(group.into_builder().set_column_metadata(chunks).build()?);
    }
    Ok(builder.build())
}

/// Bytes that may be missing from a chunk's size.
const LONGEST_HEADER: i64 = 100;

/// Where a chunk begins.
fn start(chunk: &ColumnChunkMetaData) -> i64 {
    chunk.dictionary_page_offset().filter(|offset| *offset > 0).unwrap_or_else(|| chunk.data_page_offset())
}

/// Where a chunk and what belongs to it begin.
fn starts_of(chunk: &ColumnChunkMetaData) -> impl Iterator<Item = i64> {
    let more = [chunk.column_index_offset(), chunk.offset_index_offset(), chunk.bloom_filter_offset()];
    std::iter::once(start(chunk)).chain(more.into_iter().flatten())
}

fn understates(writer: &str) -> bool {
    let version = |name: &str| -> Option<Vec<u32>> {
        let rest = writer.strip_prefix(name)?.trim_start().strip_prefix("version ")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        digits.split('.').map(|part| part.parse().ok()).collect()
    };
    version("parquet-mr").is_some_and(|version| version < vec![1, 2, 9])
        || version("impala").is_some_and(|version| version < vec![3])
}

/// How a column of the file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    Plain,
    /// 128-bit integers in 16 bytes.
    Int128,
    Unreadable(String),
}

/// The part of a file that the library can read.
#[derive(Debug)]
pub struct Readable {
    /// Describes the columns that are not `Unreadable`.
    pub metadata: ArrowReaderMetadata,
    /// All columns, by name.
    pub columns: Vec<(String, Form)>,
}

pub fn readable(metadata: ParquetMetaData) -> Result<Readable> {
    let metadata = Arc::new(metadata);
    let names = metadata.file_metadata().schema().get_fields().iter().map(|field| field.name().to_owned());
    let names: Vec<String> = names.collect();
    if let Ok(whole) = ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new()) {
        return Ok(Readable { metadata: whole, columns: names.into_iter().map(|name| (name, Form::Plain)).collect() });
    }
    let keys = metadata.file_metadata().key_value_metadata();
    let hints = keys.and_then(|keys| hints::of_columns(keys)).filter(|hints| hints.len() == names.len());
    let (mut forms, mut fields) = (Vec::new(), Vec::new());
    for root in 0..names.len() {
        let hint = hints.as_ref().and_then(|hints| hints.get(root));
        let change = hint.map_or(Change::None, |hint| hint.change);
        let form = match (field(&metadata, hint, root), change) {
            (Err(why), _) => Form::Unreadable(why),
            (Ok(_), Change::Unreadable) => Form::Unreadable("it holds integers of more than 64 bits".to_owned()),
            (Ok(field), change) => {
                fields.push(field);
                if change == Change::Int128 { Form::Int128 } else { Form::Plain }
            }
        };
        forms.push(form);
    }
    let good: Vec<usize> = (0..names.len()).filter(|&root| !matches!(forms[root], Form::Unreadable(_))).collect();
    let pruned = Arc::new(prune(&metadata, &good)?);
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    let metadata = ArrowReaderMetadata::try_new(pruned, options)?;
    Ok(Readable { metadata, columns: names.into_iter().zip(forms).collect() })
}

/// A column's type, or why the library cannot read it. The library looks at all columns of a schema, wanted or not.
fn field(metadata: &ParquetMetaData, hint: Option<&Hint>, root: usize) -> std::result::Result<FieldRef, String> {
    let keys = hint.map(|hint| vec![hint.key()]);
    let made = schema_of(metadata.file_metadata(), &[root])
        .and_then(|schema| parquet_to_arrow_schema(&schema, keys.as_ref()))
        .map_err(|error| reason(&error))?;
    made.fields().first().cloned().ok_or_else(|| "it has no fields".to_owned())
}

fn schema_of(file: &FileMetaData, roots: &[usize]) -> Result<SchemaDescriptor> {
    let fields = file.schema().get_fields().iter().enumerate().filter(|(root, _)| roots.contains(root));
    let fields = fields.map(|(_, field)| field.clone()).collect();
    let schema = Type::group_type_builder(file.schema().name()).with_fields(fields).build()?;
    Ok(SchemaDescriptor::new(Arc::new(schema)))
}

/// The same file with these top-level columns only.
fn prune(metadata: &ParquetMetaData, roots: &[usize]) -> Result<ParquetMetaData> {
    let old = metadata.file_metadata();
    let schema = Arc::new(schema_of(old, roots)?);
    let leaves: Vec<usize> = (0..old.schema_descr().num_columns())
        .filter(|&leaf| roots.contains(&old.schema_descr().get_column_root_idx(leaf)))
        .collect();
    let groups = metadata.row_groups().iter().map(|group| {
        let chunks = leaves.iter().map(|&leaf| group.column(leaf).clone()).collect();
        RowGroupMetaData::builder(schema.clone())
            .set_num_rows(group.num_rows())
            .set_total_byte_size(group.total_byte_size())
            .set_column_metadata(chunks)
            .build()
    });
    let groups = groups.collect::<Result<Vec<_>>>()?;
    let created_by = old.created_by().map(str::to_owned);
    let keys = old.key_value_metadata().cloned();
    let file = FileMetaData::new(old.version(), old.num_rows(), created_by, keys, schema, None);
    Ok(ParquetMetaData::new(file, groups))
}

#[cfg(test)]
#[path = "footer_tests.rs"]
mod tests;
