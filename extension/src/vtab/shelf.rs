//! What a connection keeps of a table between two pages: feeds at rest, so that the next page goes on where the last one
//! ended, and the rows that filters match. All of it belongs to one committed state and is worthless in another.

use std::cell::RefCell;
use std::sync::Arc;

use super::feed::{Feed, Request, State};
use super::index_order::IndexOrders;
use super::rows_filter::RowsFilter;
use super::table::HnswTable;
use crate::hnsw::Matches;

/// Feeds and sets of matches kept at most, and what they may take in memory together.
const FEEDS_KEPT: usize = 8;
const MATCHES_KEPT: usize = 16;
const MOST_BYTES: usize = 32 << 20;

#[derive(Default)]
pub struct Shelf {
    /// The last one used at the end.
    feeds: RefCell<Vec<Feed>>,
    matches: RefCell<Vec<KnownMatches>>,
    pub orders: IndexOrders,
}

struct KnownMatches {
    column: usize,
    filter: RowsFilter,
    state: State,
    matches: Arc<Matches>,
}

impl Shelf {
    /// Takes the feed of that request off the shelf, if there is one. What belongs to other states goes.
    pub fn take(&self, request: &Request, state: State) -> Option<Feed> {
        let mut feeds = self.feeds.try_borrow_mut().ok()?;
        feeds.retain(|feed| feed.state == Some(state));
        let position = feeds.iter().position(|feed| feed.request == *request)?;
        Some(feeds.remove(position))
    }

    /// Keeps a feed at rest, and drops the oldest ones that there is no room for.
    pub fn put(&self, feed: Feed) {
        let Ok(mut feeds) = self.feeds.try_borrow_mut() else { return };
        let mut room = MOST_BYTES / 2;
        feeds.retain(|other| other.request != feed.request);
        feeds.push(feed);
        let fits = feeds.iter().rev().take(FEEDS_KEPT).take_while(|feed| {
            let bytes = feed.bytes();
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        });
        let kept = fits.count();
        let dropped = feeds.len() - kept;
        feeds.drain(..dropped);
    }

    /// The rows that a filter matches, if they are known.
    pub fn matches(&self, request: &Request, state: State) -> Option<Arc<Matches>> {
        let mut known = self.matches.try_borrow_mut().ok()?;
        known.retain(|known| known.state == state);
        let position =
            known.iter().position(|known| known.column == request.column && known.filter == request.filter)?;
        let found = known.remove(position);
        let matches = Arc::clone(&found.matches);
        known.push(found);
        Some(matches)
    }

    pub fn keep_matches(&self, request: &Request, state: State, matches: &Arc<Matches>) {
        let Ok(mut known) = self.matches.try_borrow_mut() else { return };
        let (column, filter) = (request.column, request.filter.clone());
        known.push(KnownMatches { column, filter, state, matches: Arc::clone(matches) });
        let mut room = MOST_BYTES / 2;
        let fits = known.iter().rev().take(MATCHES_KEPT).take_while(|known| {
            let bytes = known.matches.bytes() + known.filter.bytes();
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        });
        let dropped = known.len() - fits.count();
        known.drain(..dropped);
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.feeds.take();
        self.matches.take();
        self.orders.clear();
    }
}

impl HnswTable {
    /// The committed state that the statement under way sees; None if its transaction has written. Call it when the
    /// columns are refreshed.
    pub(super) fn state(&self, request: &Request) -> crate::error::Result<Option<State>> {
        let names = self.names()?;
        let Some(commits) = self.db.committed_version(&names.owner.schema) else { return Ok(None) };
        let (generation, _) = self.with_vector(request.ordinal, |vector| vector.graph())?;
        let ignores_case = request.filter.has_patterns && self.like_ignores_case()?;
        Ok(Some(State { commits, generation, ignores_case }))
    }
}
