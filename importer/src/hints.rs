//! The Arrow schema that writers leave in a footer says what Parquet's own types do not: durations, sizes of lists. The
//! library refuses all of it for one type that it lacks; this takes such types out.

use arrow_ipc::root_as_message;
use arrow_schema::{DataType, Field, Schema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};
use parquet::file::metadata::KeyValue;

/// What a mended schema changes about a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    None,
    /// Its values are 128-bit integers with a sign, little-endian in 16 bytes.
    Int128,
    /// It holds a type that nothing here reads.
    Unreadable,
}

/// What the writer's schema says of one column.
#[derive(Debug, Clone)]
pub struct Hint {
    pub change: Change,
    field: Field,
}

impl Hint {
    /// As the metadata of a file that has this column only.
    pub fn key(&self) -> KeyValue {
        let schema = encode_arrow_schema(&Schema::new(vec![self.field.clone()]));
        KeyValue { key: ARROW_SCHEMA_META_KEY.to_owned(), value: Some(schema) }
    }
}

/// One hint to each column, without the types that the library lacks. None if the file has no schema that can be read.
pub fn of_columns(keys: &[KeyValue]) -> Option<Vec<Hint>> {
    let encoded = keys.iter().find(|key| key.key == ARROW_SCHEMA_META_KEY)?.value.as_ref()?;
    let bytes = BASE64_STANDARD.decode(encoded).ok()?;
    // Newer writers put a mark and the length in front.
    let message = if bytes.starts_with(&[0xff; 4]) { bytes.get(8..)? } else { &bytes };
    let message = root_as_message(message).ok()?;
    let hints = message.header_as_schema()?.fields()?.iter().map(|field| {
        let change = match width(&field) {
            Some((128, true)) => Change::Int128,
            _ if has_wide(&field) => Change::Unreadable,
            _ => Change::None,
        };
        let field = match change {
            Change::None => Field::from(field),
            _ => Field::new(field.name().unwrap_or_default(), DataType::FixedSizeBinary(16), true),
        };
        Hint { change, field }
    });
    Some(hints.collect())
}

/// Bits of an integer type, and whether it has a sign.
fn width(field: &arrow_ipc::Field<'_>) -> Option<(i32, bool)> {
    field.type_as_int().map(|int| (int.bitWidth(), int.is_signed()))
}

fn has_wide(field: &arrow_ipc::Field<'_>) -> bool {
    width(field).is_some_and(|(bits, _)| bits > 64)
        || field.children().is_some_and(|children| children.iter().any(|child| has_wide(&child)))
}
