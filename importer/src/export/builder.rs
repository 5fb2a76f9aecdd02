//! Collects rows into record batches.

use super::columns::{Column, Kind, component_field};
use crate::failure::{Failure, Result};
use arrow_array::builder::{BinaryBuilder, FixedSizeBinaryBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::types::{Float16Type, Float32Type};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, FixedSizeListArray, Float16Array, Float32Array, Int8Array, RecordBatch,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, SchemaRef};
use rusqlite::Row;
use rusqlite::types::ValueRef;
use std::sync::Arc;
use vecrank::internals::distance::Element;

/// The most rows of a batch, and the bytes of texts, BLOBs and vectors at which it is full.
const ROWS: usize = 8192;
const BYTES: usize = 32 << 20;

/// The rows of the next record batch.
pub struct Batch<'a> {
    columns: &'a [Column],
    cells: Vec<Cells>,
    rows: usize,
    bytes: usize,
    last_rows: usize,
}

enum Cells {
    Integers(Int64Builder),
    Reals(Float64Builder),
    Texts(StringBuilder),
    Blobs(BinaryBuilder),
    Bits(FixedSizeBinaryBuilder),
    /// The bytes of all vectors, zeros for a NULL, and which rows have one.
    Lists {
        element: Element,
        dims: usize,
        bytes: Vec<u8>,
        has: Vec<bool>,
    },
}

impl<'a> Batch<'a> {
    pub fn new(columns: &'a [Column]) -> Batch<'a> {
        let cells = columns.iter().map(|column| Cells::new(column.kind)).collect();
        Batch { columns, cells, rows: 0, bytes: 0, last_rows: 0 }
    }

    /// Adds a row, whose last value is its rowid.
    pub fn push(&mut self, row: &Row<'_>) -> Result<()> {
        for (index, (column, cells)) in self.columns.iter().zip(&mut self.cells).enumerate() {
            self.bytes += cells.push(row.get_ref(index)?).map_err(|fault| {
                let rowid: i64 = row.get(self.columns.len()).unwrap_or_default();
                Failure::new(format!("{}: row with rowid {rowid}: {fault}", column.name))
            })?;
        }
        self.rows += 1;
        Ok(())
    }

    pub fn is_full(&self) -> bool {
        self.rows >= ROWS || self.bytes >= BYTES
    }

    /// The rows of the batch that was taken last.
    pub fn last_rows(&self) -> u64 {
        self.last_rows as u64
    }

    /// Takes the rows as a record batch, and begins the next one.
    pub fn take(&mut self, schema: &SchemaRef) -> std::result::Result<RecordBatch, ArrowError> {
        (self.last_rows, self.rows, self.bytes) = (self.rows, 0, 0);
        let arrays = self.cells.iter_mut().map(Cells::take).collect::<std::result::Result<Vec<_>, _>>()?;
        RecordBatch::try_new(Arc::clone(schema), arrays)
    }
}

impl Cells {
    fn new(kind: Kind) -> Cells {
        match kind {
            Kind::Integer => Cells::Integers(Int64Builder::new()),
            Kind::Real => Cells::Reals(Float64Builder::new()),
            Kind::Text => Cells::Texts(StringBuilder::new()),
            Kind::Blob => Cells::Blobs(BinaryBuilder::new()),
            Kind::Vector(Element::Bit, dims) => Cells::Bits(FixedSizeBinaryBuilder::new((dims / 8) as i32)),
            Kind::Vector(element, dims) => Cells::Lists { element, dims, bytes: Vec::new(), has: Vec::new() },
        }
    }

    /// Adds a value, and returns its bytes; an error says what is wrong with it.
    fn push(&mut self, value: ValueRef<'_>) -> std::result::Result<usize, String> {
        match (self, value) {
            (Cells::Integers(cells), ValueRef::Null) => cells.append_null(),
            (Cells::Integers(cells), ValueRef::Integer(value)) => cells.append_value(value),
            (Cells::Reals(cells), ValueRef::Null) => cells.append_null(),
            (Cells::Reals(cells), ValueRef::Real(value)) => cells.append_value(value),
            (Cells::Texts(cells), ValueRef::Null) => cells.append_null(),
            (Cells::Texts(cells), ValueRef::Text(bytes)) => {
                let text = std::str::from_utf8(bytes).map_err(|_| "its text is not UTF-8".to_owned())?;
                cells.append_value(text);
                return Ok(bytes.len());
            }
            (Cells::Blobs(cells), ValueRef::Null) => cells.append_null(),
            (Cells::Blobs(cells), ValueRef::Blob(bytes)) => {
                cells.append_value(bytes);
                return Ok(bytes.len());
            }
            (Cells::Bits(cells), ValueRef::Null) => cells.append_null(),
            (Cells::Bits(cells), ValueRef::Blob(bytes)) => {
                cells.append_value(bytes).map_err(|_| format!("a vector of {} bytes", bytes.len()))?;
                return Ok(bytes.len());
            }
            (Cells::Lists { element, dims, bytes, has }, value) => {
                let size = element.bytes(*dims);
                match value {
                    ValueRef::Null => bytes.resize(bytes.len() + size, 0),
                    ValueRef::Blob(vector) if vector.len() == size => bytes.extend_from_slice(vector),
                    ValueRef::Blob(vector) => return Err(format!("a vector of {} bytes, not {size}", vector.len())),
                    other => return Err(format!("a vector that is {}", other.data_type())),
                }
                has.push(!matches!(value, ValueRef::Null));
                return Ok(size);
            }
            (_, other) => return Err(format!("a value that is {}", other.data_type())),
        }
        Ok(0)
    }

    fn take(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        Ok(match self {
            Cells::Integers(cells) => Arc::new(cells.finish()),
            Cells::Reals(cells) => Arc::new(cells.finish()),
            Cells::Texts(cells) => Arc::new(cells.finish()),
            Cells::Blobs(cells) => Arc::new(cells.finish()),
            Cells::Bits(cells) => Arc::new(cells.finish()),
            Cells::Lists { element, dims, bytes, has } => {
                let components = components(*element, &std::mem::take(bytes));
                let nulls = NullBuffer::from(std::mem::take(has));
                Arc::new(FixedSizeListArray::try_new(component_field(*element), *dims as i32, components, Some(nulls))?)
            }
        })
    }
}

/// The components of stored vectors, which are little-endian.
fn components(element: Element, bytes: &[u8]) -> ArrayRef {
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    type Single = <Float32Type as ArrowPrimitiveType>::Native;
    match element {
        Element::F32 => {
            let values = bytes.as_chunks().0.iter().map(|four| Single::from_le_bytes(*four));
            Arc::new(Float32Array::from_iter_values(values))
        }
        Element::F16 => {
            let values = bytes.as_chunks().0.iter().map(|two| Half::from_le_bytes(*two));
            Arc::new(Float16Array::from_iter_values(values))
        }
        Element::I8 | Element::Bit => {
            Arc::new(Int8Array::from_iter_values(bytes.iter().map(|byte| byte.cast_signed())))
        }
    }
}
