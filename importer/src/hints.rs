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

/// The metadata with a schema that the library reads, and what changed for each column. None if no schema is there, or
/// one that cannot be mended.
pub fn mend(keys: &[KeyValue]) -> Option<(Vec<KeyValue>, Vec<Change>)> {
    let at = keys.iter().position(|key| key.key == ARROW_SCHEMA_META_KEY)?;
    let bytes = BASE64_STANDARD.decode(keys.get(at)?.value.as_ref()?).ok()?;
    // Newer writers put a mark and the length in front.
    let message = if bytes.starts_with(&[0xff; 4]) { bytes.get(8..)? } else { &bytes };
    let message = root_as_message(message).ok()?;
    let (mut fields, mut changes) = (Vec::new(), Vec::new());
    for field in message.header_as_schema()?.fields()? {
        let name = field.name().unwrap_or_default();
        let change = match width(&field) {
            Some((128, true)) => Change::Int128,
            _ if has_wide(&field) => Change::Unreadable,
            _ => Change::None,
        };
        changes.push(change);
        fields.push(match change {
            Change::None => Field::from(field),
            _ => Field::new(name, DataType::FixedSizeBinary(16), true),
        });
    }
    let mut keys = keys.to_vec();
    keys.get_mut(at)?.value = Some(encode_arrow_schema(&Schema::new(fields)));
    Some((keys, changes))
}

/// Bits of an integer type, and whether it has a sign.
fn width(field: &arrow_ipc::Field<'_>) -> Option<(i32, bool)> {
    field.type_as_int().map(|int| (int.bitWidth(), int.is_signed()))
}

fn has_wide(field: &arrow_ipc::Field<'_>) -> bool {
    width(field).is_some_and(|(bits, _)| bits > 64)
        || field.children().is_some_and(|children| children.iter().any(|child| has_wide(&child)))
}
