//! Nested columns (lists, structs, maps) as JSON text.
//!
//! Numbers and booleans keep their types, decimals every digit. Dates and times are written as in a column of their
//! own, binary in hexadecimal, map keys as text. Dates and times are converted first, because arrow's JSON writer puts
//! an error message into the output where a date has no text.

use crate::cells::{Cells, Fault};
use crate::texts::format;
use arrow_array::builder::LargeStringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, LargeStringArray, MapArray, OffsetSizeTrait, StructArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_cast::cast;
use arrow_json::writer::{EncoderOptions, make_encoder};
use arrow_schema::{DataType, Field, FieldRef};
use std::sync::Arc;

/// Converts an array of dates, times or durations as a column of its own.
type Convert<'a> = &'a dyn Fn(&ArrayRef) -> Result<Cells, Fault>;

/// One text per row. The column is of a type that has a mapping, with encodings taken off.
pub fn json(column: &ArrayRef, convert: Convert<'_>) -> Result<LargeStringArray, Fault> {
    let column = without_times(column, convert)?;
    let field: FieldRef = Arc::new(Field::new("", column.data_type().clone(), true));
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(&field, column.as_ref(), &options)?;
    let mut text = LargeStringBuilder::with_capacity(column.len(), column.len() * 64);
    let mut value = Vec::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            text.append_null();
            continue;
        }
        value.clear();
        encoder.encode(row, &mut value);
        let value = str::from_utf8(&value).map_err(|_| Fault::of_row(row, "a nested value is not valid UTF-8"))?;
        text.append_value(value);
    }
    Ok(text.finish())
}

/// Replaces dates, times and durations in the array by what a column of their own holds, and map keys by text.
fn without_times(array: &ArrayRef, convert: Convert<'_>) -> Result<ArrayRef, Fault> {
    let renew = |field: &FieldRef, values: &ArrayRef| -> FieldRef {
        Arc::new(Field::new(field.name(), values.data_type().clone(), field.is_nullable()))
    };
    Ok(match array.data_type() {
        DataType::List(field) => list::<i32>(array, field, convert)?,
        DataType::LargeList(field) => list::<i64>(array, field, convert)?,
        DataType::FixedSizeList(field, size) => {
            let lists = array.as_fixed_size_list();
            let values = without_times(lists.values(), convert)
                .map_err(|fault| fault.in_row(|value| value / usize::try_from(*size).unwrap_or(1).max(1)))?;
            let field = renew(field, &values);
            let nulls = lists.nulls().cloned();
            Arc::new(FixedSizeListArray::try_new_with_length(field, *size, values, nulls, lists.len())?)
        }
        DataType::Struct(fields) => {
            let members = array.as_struct();
            let columns = members.columns().iter().map(|column| without_times(column, convert));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let fields = fields.iter().zip(&columns).map(|(field, column)| renew(field, column)).collect();
            Arc::new(StructArray::try_new_with_length(fields, columns, members.nulls().cloned(), members.len())?)
        }
        DataType::Map(entries, sorted) => {
            let map = array.as_map();
            let in_row = |fault: Fault| fault.in_row(|value| row_of(map.offsets(), value));
            let keys = keys(map.keys(), convert).map_err(in_row)?;
            let values = without_times(map.values(), convert).map_err(in_row)?;
            let fields = map.entries().fields().iter().zip([&keys, &values]).map(|(field, new)| renew(field, new));
            let pairs: ArrayRef =
                Arc::new(StructArray::try_new(fields.collect(), vec![keys.clone(), values.clone()], None)?);
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Arc::new(MapArray::try_new(renew(entries, &pairs), offsets, pairs.as_struct().clone(), nulls, *sorted)?)
        }
        kind if kind.is_temporal() => match convert(array)? {
            Cells::Text(text) => Arc::new(text),
            Cells::Integer(seconds) => Arc::new(seconds),
            Cells::Real(seconds) => Arc::new(seconds),
            Cells::Null | Cells::Unsigned(_) | Cells::Blob(_) => array.clone(),
        },
        _ => array.clone(),
    })
}

/// Map keys as text, as JSON needs them: as in a column of their own, nested ones as JSON.
fn keys(keys: &ArrayRef, convert: Convert<'_>) -> Result<ArrayRef, Fault> {
    let text: ArrayRef = match keys.data_type() {
        kind if kind.is_nested() => Arc::new(json(keys, convert)?),
        kind if kind.is_binary() || matches!(kind, DataType::FixedSizeBinary(_)) => Arc::new(format(keys, None)?),
        _ => without_times(keys, convert)?,
    };
    Ok(cast(&text, &DataType::Utf8)?)
}

fn list<Offset: OffsetSizeTrait>(array: &ArrayRef, field: &FieldRef, convert: Convert<'_>) -> Result<ArrayRef, Fault> {
    let lists = array.as_list::<Offset>();
    let values =
        without_times(lists.values(), convert).map_err(|fault| fault.in_row(|value| row_of(lists.offsets(), value)))?;
    let field = Arc::new(Field::new(field.name(), values.data_type().clone(), field.is_nullable()));
    let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
    Ok(Arc::new(GenericListArray::<Offset>::try_new(field, offsets, values, nulls)?))
}

/// The row whose list holds the value of that index.
fn row_of<Offset: OffsetSizeTrait>(offsets: &OffsetBuffer<Offset>, value: usize) -> usize {
    offsets.partition_point(|end| end.as_usize() <= value).saturating_sub(1)
}
