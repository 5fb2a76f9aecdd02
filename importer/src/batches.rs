//! Reads the rows of a Parquet file in batches that are bounded in bytes and in rows.
//!
//! Text and binary are read as views of the pages: a value is copied only when it is converted. The size of the copies
//! is known before they are made, so batches that are too large are split.

use crate::pages::CheckedRowGroup;
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use std::fs::File;
use std::sync::Arc;

/// Rows decoded at a time: 1 MB of vectors at 256 dimensions.
const MOST_ROWS: usize = 1024;

/// Bytes of a batch, unless a single row has more.
const MOST_BYTES: usize = 8 << 20;

/// Bytes of a view, without its text.
const VIEW: usize = 16;

/// Batches of some top-level columns, in the order of the file.
pub struct Batches {
    file: Arc<File>,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    levels: FieldLevels,
    /// Row groups opened so far.
    groups: usize,
    reader: Option<ParquetRecordBatchReader>,
    /// Parts of the last batch, the next one last.
    parts: Vec<RecordBatch>,
}

impl Batches {
    pub fn new(file: File, metadata: ArrowReaderMetadata, columns: &[usize]) -> Result<Batches, ParquetError> {
        let schema = metadata.parquet_schema();
        let mask = ProjectionMask::roots(schema, columns.iter().copied());
        let fields = as_views(metadata.schema().fields());
        let levels = parquet_to_arrow_field_levels(schema, mask.clone(), Some(&fields))?;
        Ok(Batches { file: Arc::new(file), metadata, mask, levels, groups: 0, reader: None, parts: Vec::new() })
    }

    /// None after the last batch.
    pub fn next(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        loop {
            if let Some(batch) = self.parts.pop() {
                let rows = batch.num_rows();
                if rows <= 1 || batch.columns().iter().map(bytes).sum::<usize>() <= MOST_BYTES {
                    return Ok(Some(batch));
                }
                self.parts.push(batch.slice(rows / 2, rows - rows / 2));
                self.parts.push(batch.slice(0, rows / 2));
            } else if let Some(reader) = &mut self.reader {
                match reader.next().transpose()? {
                    Some(batch) => self.parts.push(batch),
                    None => self.reader = None,
                }
            } else if self.groups < self.metadata.metadata().num_row_groups() {
                self.reader = Some(self.open(self.groups)?);
                self.groups += 1;
            } else {
                return Ok(None);
            }
        }
    }

    fn open(&self, number: usize) -> Result<ParquetRecordBatchReader, ParquetError> {
        let metadata = self.metadata.metadata();
        let group = CheckedRowGroup { file: self.file.clone(), metadata: metadata.clone(), number };
        ParquetRecordBatchReader::try_new_with_row_groups(&self.levels, &group, self.batch_rows(number), None)
    }

    /// Rows that fit into `MOST_BYTES` if all have the same size. Views keep their pages in memory, so pages count too.
    fn batch_rows(&self, number: usize) -> usize {
        let group = self.metadata.metadata().row_group(number);
        let chunks = group.columns().iter().enumerate().filter(|&(leaf, _)| self.mask.leaf_included(leaf));
        let bytes = chunks.map(|(_, chunk)| decoded_bytes(chunk)).fold(0, u64::saturating_add);
        let of_row = (bytes / group.num_rows().cast_unsigned().max(1)).max(1);
        (MOST_BYTES as u64 / of_row).clamp(1, MOST_ROWS as u64) as usize
    }
}

fn decoded_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    let column = chunk.column_descr();
    let width = match column.physical_type() {
        Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(column.type_length()).unwrap_or(0),
        Type::BYTE_ARRAY | Type::INT96 => VIEW as u64,
        _ => 8,
    };
    let [values, stored] = [chunk.num_values(), chunk.uncompressed_size()].map(|x| u64::try_from(x).unwrap_or(0));
    values.saturating_mul(width).max(stored)
}

fn as_views(fields: &Fields) -> Fields {
    fields.iter().map(as_view).collect()
}

fn as_view(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(viewed(field.data_type())))
}

/// The Arrow type that is read for a type of the file.
pub fn viewed(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, value) if value.is_string() => DataType::Utf8View,
        DataType::Dictionary(_, value) if value.is_binary() => DataType::BinaryView,
        DataType::List(inner) | DataType::ListView(inner) => DataType::List(as_view(inner)),
        DataType::LargeList(inner) | DataType::LargeListView(inner) => DataType::LargeList(as_view(inner)),
        DataType::FixedSizeList(inner, size) => DataType::FixedSizeList(as_view(inner), *size),
        DataType::Map(entries, sorted) => DataType::Map(as_view(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(as_views(fields)),
        other => other.clone(),
    }
}

/// Bytes of the array once its text and binary are copied.
fn bytes(array: &Arc<dyn Array>) -> usize {
    let lengths = |views: &[u128]| views.iter().map(|&view| VIEW + view as u32 as usize).sum();
    let slice = |values: &Arc<dyn Array>, from: usize, to: usize| bytes(&values.slice(from, to.saturating_sub(from)));
    match array.data_type() {
        DataType::Utf8View => lengths(array.as_string_view().views()),
        DataType::BinaryView => lengths(array.as_binary_view().views()),
        DataType::List(_) => {
            let (list, last) = (array.as_list::<i32>(), array.len());
            slice(list.values(), list.value_offsets()[0] as usize, list.value_offsets()[last] as usize)
        }
        DataType::LargeList(_) => {
            let (list, last) = (array.as_list::<i64>(), array.len());
            slice(list.values(), list.value_offsets()[0] as usize, list.value_offsets()[last] as usize)
        }
        DataType::Map(..) => {
            let (map, last) = (array.as_map(), array.len());
            let entries: Arc<dyn Array> = Arc::new(map.entries().clone());
            slice(&entries, map.value_offsets()[0] as usize, map.value_offsets()[last] as usize)
        }
        DataType::FixedSizeList(..) => bytes(array.as_fixed_size_list().values()),
        DataType::Struct(_) => array.as_struct().columns().iter().map(bytes).sum(),
        _ => array.to_data().get_slice_memory_size().unwrap_or(0),
    }
}
