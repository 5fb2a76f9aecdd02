//! Writers store an Arrow schema in the footer for what Parquet's own types cannot express, such as durations and sizes
//! of lists. The library refuses the whole schema if it lacks one of its types; this module removes such types.

use arrow_ipc::root_as_message;
use arrow_schema::{DataType, Field, Schema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};
use parquet::file::metadata::KeyValue;

/// How the schema of a column was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    None,
    /// Its values are 128-bit integers with a sign, little-endian in 16 bytes.
    Int128,
    /// It has a type that the importer does not read.
    Unreadable,
}

/// The writer's schema of one column.
#[derive(Debug, Clone)]
pub struct Hint {
    pub change: Change,
    field: Field,
}

impl Hint {
    /// The metadata of a file that has this column only.
    pub fn key(&self) -> KeyValue {
        let schema = encode_arrow_schema(&Schema::new(vec![self.field.clone()]));
        KeyValue { key: ARROW_SCHEMA_META_KEY.to_owned(), value: Some(schema) }
    }
}

/// One hint per column, without types that the library lacks. None if the file has no readable schema.
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

/// Width in bits of an integer type, and whether it is signed.
fn width(field: &arrow_ipc::Field<'_>) -> Option<(i32, bool)> {
    field.type_as_int().map(|int| (int.bitWidth(), int.is_signed()))
}

fn has_wide(field: &arrow_ipc::Field<'_>) -> bool {
    width(field).is_some_and(|(bits, _)| bits > 64)
        || field.children().is_some_and(|children| children.iter().any(|child| has_wide(&child)))
}
