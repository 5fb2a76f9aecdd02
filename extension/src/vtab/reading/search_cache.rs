//! Cache of suspended searches, valid for one snapshot: the next page continues where the last one ended.

use std::cell::RefCell;

use super::ranked_rows::{RankedRows, Request};
use crate::vtab::snapshot::Snapshot;

/// The most searches, and the most bytes that they may take together.
const CAPACITY: usize = 8;
const MOST_BYTES: usize = 16 << 20;

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
        searches.retain(|search| search.snapshot == Some(snapshot));
        let position = searches.iter().position(|search| search.request == *request)?;
        Some(searches.remove(position))
    }

    /// Keeps a suspended search, and drops the oldest that do not fit.
    pub fn put(&self, search: RankedRows) {
        let Ok(mut searches) = self.searches.try_borrow_mut() else { return };
        let mut room = MOST_BYTES;
        searches.retain(|other| other.request != search.request);
        searches.push(search);
        let fits = searches.iter().rev().take(CAPACITY).take_while(|search| {
            let bytes = search.bytes();
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        });
        let dropped = searches.len() - fits.count();
        searches.drain(..dropped);
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.searches.take();
    }
}
