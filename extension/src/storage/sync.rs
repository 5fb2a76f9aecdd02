//! Brings the graph up to date: links pending nodes and heals, or rebuilds where that is cheaper.

use super::rebuild::rebuild;
use super::row_nodes::{RowNodes, SyncReason};
use super::vector_column::VectorColumn;
use crate::error::Result;

/// The cost of inserting one node, in nodes of a bulk build. Sweeping a row costs about one.
const INSERTION_COST: u64 = 6;

/// A graph with more free ids, per live node and besides, is rebuilt: every scan passes their rows.
const MOST_FREE: (u64, u64) = (4, 1000);

impl VectorColumn {
    /// Links the pending nodes one by one and heals what the transaction has hurt, or rebuilds the whole graph where that
    /// is cheaper. A search does not heal. Returns whether nothing is left to be done.
    pub fn sync(&mut self, rows: &dyn RowNodes, reason: SyncReason) -> Result<bool> {
        let header = self.header()?;
        let heals = matches!(reason, SyncReason::Commit | SyncReason::Rename);
        let live = u64::from(header.linked - header.tombstones) + u64::from(header.pending);
        let work = u64::from(header.pending) * INSERTION_COST + if heals { u64::from(header.owed) } else { 0 };
        let is_sparse = heals && u64::from(header.free) > live * MOST_FREE.0 + MOST_FREE.1;
        if (work > live || is_sparse) && rows.may_set(reason)? {
            // Rows that plain SQL deleted must not keep others from being written.
            return rebuild(self, rows).map(|_| true);
        }
        let is_hurt = header.is_hurt();
        if header.has_pending() || (heals && is_hurt) {
            self.update_graph(header, heals)?;
        }
        Ok(heals || !is_hurt)
    }

    /// Whether `sync` would change the graph.
    pub fn is_stale(&mut self) -> Result<bool> {
        self.refresh()?;
        let header = self.header()?;
        Ok(header.has_pending() || header.is_hurt())
    }
}
