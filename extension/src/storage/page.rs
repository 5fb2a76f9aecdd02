//! How many node rows fit a page of the file, by SQLite's file format: its sections "B-tree Pages" and "Record Format".

/// The header of a leaf page of a table.
const PAGE_HEADER: usize = 8;
/// The pointer to a cell, which stands after that header.
const CELL_POINTER: usize = 2;
/// A record goes to overflow pages if it has more bytes than the page without so many.
const LEAST_FREE: usize = 35;

/// The node rows of `bytes` bytes each, with ids up to `last_id`, that fit a page of `page` bytes. None if a row needs
/// overflow pages.
pub fn rows_per_page(page: usize, bytes: usize, last_id: u32) -> Option<usize> {
    // The header of the record: its own size, NULL in place of the id, and the type of a BLOB.
    let record = 2 + varint_bytes(2 * bytes + 12) + bytes;
    if record + LEAST_FREE > page {
        return None;
    }
    let cell = CELL_POINTER + varint_bytes(record) + varint_bytes(last_id as usize) + record;
    Some((page - PAGE_HEADER) / cell)
}

/// The bytes of a number as SQLite writes it, seven bits in each.
fn varint_bytes(number: usize) -> usize {
    (usize::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}
