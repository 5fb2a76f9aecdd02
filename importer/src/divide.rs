//! Divides rows among shards, in a way that other programs can follow.

use crate::cells::Cells;

/// The shard of a row: CRC-32 of its value as text, modulo the number of shards.
pub fn shard_of(cells: &Cells, row: usize, shards: usize) -> usize {
    let hash = match cells {
        _ if cells.is_null(row) => 0,
        Cells::Integer(array) => crc32fast::hash(array.value(row).to_string().as_bytes()),
        Cells::Unsigned(array) => crc32fast::hash(array.value(row).to_string().as_bytes()),
        Cells::Text(array) => crc32fast::hash(array.value(row).as_bytes()),
        Cells::Blob(array) => crc32fast::hash(array.value(row)),
        Cells::Null | Cells::Real(_) => 0,
    };
    (hash as usize).checked_rem(shards).unwrap_or_default()
}
