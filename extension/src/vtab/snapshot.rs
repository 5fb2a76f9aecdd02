//! What a statement sees of the file.

use crate::format::header::Generation;

/// A committed state of the file, as one connection sees it. Equal snapshots give equal results, so it is the key of what
/// is kept between statements. A transaction that has written has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// SQLite's counter of commits to the file.
    pub commits: u32,
    /// That of the vector column's graph.
    pub generation: Generation,
    /// `Transaction::writes`: writes through this connection's object, also those that were undone.
    pub writes: u64,
}
