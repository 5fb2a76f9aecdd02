//! Cache of filters, valid for one snapshot: the rows that they match, and in-memory indexes.

use std::cell::RefCell;
use std::sync::Arc;

use super::cache_limits::Limits;
use super::index_orders::IndexOrders;
use crate::hnsw::Matches;
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::rows::filter::RowsFilter;
use crate::vtab::snapshot::Snapshot;

const LIMITS: Limits = Limits { entries: 16, bytes: 16 << 20 };

/// The matching rows of filters, and the in-memory indexes.
#[derive(Default)]
pub struct FilterCache {
    /// The most recently used one is the last.
    matches: RefCell<Vec<KnownMatches>>,
    pub orders: IndexOrders,
}

struct KnownMatches {
    /// The vector column whose nodes match.
    ordinal: VectorOrdinal,
    filter: RowsFilter,
    snapshot: Snapshot,
    matches: Arc<Matches>,
}

impl FilterCache {
    /// The rows that a filter matches, if they are known. Drops those of other snapshots.
    pub fn matches(&self, snapshot: Snapshot, ordinal: VectorOrdinal, filter: &RowsFilter) -> Option<Arc<Matches>> {
        let mut known = self.matches.try_borrow_mut().ok()?;
        known.retain(|known| known.snapshot == snapshot);
        let position = known.iter().position(|known| known.ordinal == ordinal && known.filter == *filter)?;
        let found = known.remove(position);
        let matches = Arc::clone(&found.matches);
        known.push(found);
        Some(matches)
    }

    /// Keeps the rows that a filter matches, and drops the oldest that do not fit.
    pub fn keep_matches(
        &self,
        snapshot: Snapshot,
        ordinal: VectorOrdinal,
        filter: &RowsFilter,
        matches: &Arc<Matches>,
    ) {
        let Ok(mut known) = self.matches.try_borrow_mut() else { return };
        known.push(KnownMatches { ordinal, filter: filter.clone(), snapshot, matches: Arc::clone(matches) });
        LIMITS.drop_oldest(&mut known, |known| known.matches.bytes() + known.filter.bytes());
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.matches.take();
        self.orders.clear();
    }
}
