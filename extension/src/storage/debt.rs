//! What a deletion makes its COMMIT owe to the graph.

use crate::format::header::Header;

/// Rows that the sweep passes for each deleted node, and one that it frees. So one round lasts while a seventh of the
/// nodes are deleted, and so many are tombstones; half of the links to them are gone.
const ROWS_PER_DELETION: u32 = 7 + 1;
/// With at most one tombstone in so many linked nodes, there is no sweep.
const FEW: u32 = 50;

/// Counts a deletion: what the commit will owe for it.
pub(super) fn owe(header: &mut Header) {
    if header.tombstones > header.linked / FEW {
        header.owed = header.owed.saturating_add(ROWS_PER_DELETION);
    }
}
