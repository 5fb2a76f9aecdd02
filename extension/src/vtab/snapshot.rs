//! The state of the file that a statement sees.

use crate::format::header::Generation;

/// A committed state of the file, as one connection sees it. Equal snapshots give equal results, so the snapshot is the
/// key of everything that is kept between statements. A transaction that has written has no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// SQLite's data version: it changes with every commit to the file.
    pub commits: u32,
    /// The generation of the vector column's graph.
    pub generation: Generation,
    /// The number of writes through this object (`Transaction::writes`), undone ones included.
    pub writes: u64,
}
