//! Brings the graph up to date: links pending nodes, or rebuilds where that is cheaper.

use super::rebuild::rebuild;
use super::row_nodes::{RowNodes, SyncReason};
use super::vector_column::VectorColumn;
use crate::error::Result;
use crate::format::header::Header;

/// The cost of inserting one node, in nodes of a bulk build.
const INSERTION_COST: u64 = 6;
/// With more than one tombstone in so many linked nodes, the graph is rebuilt without them.
const TOMBSTONE_SHARE: u32 = 5;

impl VectorColumn {
    /// Links the pending nodes one by one, or rebuilds the whole graph where that is cheaper.
    pub fn sync(&mut self, rows: &dyn RowNodes, reason: SyncReason) -> Result<()> {
        let header = self.header()?;
        let live = u64::from(header.linked - header.tombstones) + u64::from(header.pending);
        let many = u64::from(header.pending) * INSERTION_COST > live && header.pending > 0;
        if (many || has_many_tombstones(&header)) && rows.may_set(reason)? {
            // Rows that plain SQL deleted must not keep others from being written.
            return rebuild(self, rows).map(drop);
        }
        if header.pending > 0 {
            self.insert_pending(header)?;
        }
        Ok(())
    }

    /// Whether `sync` would change the graph.
    pub fn is_stale(&mut self) -> Result<bool> {
        self.refresh()?;
        let header = self.header()?;
        Ok(header.pending > 0 || has_many_tombstones(&header))
    }
}

fn has_many_tombstones(header: &Header) -> bool {
    header.tombstones > 0 && header.tombstones > header.linked / TOMBSTONE_SHARE
}
