//! Cache of suspended searches, valid for one snapshot: the next page continues where the last one ended.

use std::cell::RefCell;

use super::cache_limits::Limits;
use super::graph_hits::Request;
use super::ranked_rows::RankedRows;
use crate::vtab::snapshot::Snapshot;

const LIMITS: Limits = Limits { entries: 8, bytes: 16 << 20 };

/// Suspended searches.
#[derive(Default)]
pub struct SearchCache {
    /// The most recently used one is the last.
    searches: RefCell<Vec<RankedRows>>,
}

impl SearchCache {
    /// Takes out the search of a request, if there is one. Drops those of other snapshots.
    pub fn take(&self, request: &Request, snapshot: Snapshot) -> Option<RankedRows> {
        let mut searches = self.searches.try_borrow_mut().ok()?;
        searches.retain(|search| search.snapshot() == Some(snapshot));
        let position = searches.iter().position(|search| search.request() == request)?;
        Some(searches.remove(position))
    }

    /// Keeps a suspended search, and drops the oldest that do not fit.
    pub fn put(&self, search: RankedRows) {
        let Ok(mut searches) = self.searches.try_borrow_mut() else { return };
        searches.retain(|other| other.request() != search.request());
        searches.push(search);
        LIMITS.drop_oldest(&mut searches, RankedRows::bytes);
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.searches.take();
    }
}
