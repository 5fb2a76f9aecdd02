//! The sequence of rows of a query vector and a filter, nearest first, as far as it was asked for: hits of the graph and
//! logged rows, without the rows that a group limit drops. It holds no statement, so that it can be kept between two pages
//! (`search_cache.rs`).

use super::graph_hits::{GraphHits, Request};
use super::group_limit::{GroupCounts, GroupStatements};
use crate::error::Result;
use crate::hnsw::Hit;
use crate::vtab::content::logged_rows::{LogQuery, LoggedRows};
use crate::vtab::core::TableCore;
use crate::vtab::rows::statement_cache::CachedStatement;
use crate::vtab::search_counts::{Effort, Ways};
use crate::vtab::snapshot::Snapshot;

/// The most hits that are remembered, so that a later page need not search again.
const HITS_KEPT: usize = 16_384;

/// The rows of a request.
pub struct RankedRows {
    graph: GraphHits,
    groups: GroupCounts,
    /// The rows returned so far. `hits` has them with their distances, unless they are too many.
    given: Vec<i64>,
    hits: Vec<Hit>,
    is_remembered: bool,
    /// So many of the first hits have a row in the rows table.
    pub rows_seen: usize,
    /// Rows that are ranked beside the graph.
    logged: Option<LoggedRows>,
    /// The number of logged rows that the current statement has ranked.
    logged_ranked: usize,
    /// The next hit of the graph, while logged rows come before it.
    graph_hit: Option<Hit>,
}

impl RankedRows {
    /// A sequence that has not begun. `rows` is the number of rows with a vector.
    pub fn new(request: Request, snapshot: Option<Snapshot>, rows: u64) -> RankedRows {
        RankedRows {
            graph: GraphHits::new(request, snapshot, rows),
            groups: GroupCounts::default(),
            given: Vec::new(),
            hits: Vec::new(),
            is_remembered: true,
            rows_seen: 0,
            logged: None,
            logged_ranked: 0,
            graph_hit: None,
        }
    }

    pub fn request(&self) -> &Request {
        &self.graph.request
    }

    /// None in a transaction that has written, whose searches are not kept.
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.graph.snapshot
    }

    /// Chooses a strategy and begins.
    pub fn begin<'t>(&mut self, core: &'t TableCore, test: &mut Option<CachedStatement<'t>>) -> Result<()> {
        let Request { ordinal, query, filter, .. } = &self.graph.request;
        self.logged = LoggedRows::read(core, &LogQuery { ordinal: *ordinal, query, filter })?;
        self.logged_ranked = self.logged.as_ref().map_or(0, LoggedRows::ranked);
        self.graph.begin(core, test)
    }

    /// The hit at a position; None at the end. Positions are asked for in sequence. Hits that were returned before cost
    /// nothing.
    pub fn at<'t>(
        &mut self,
        position: usize,
        core: &'t TableCore,
        test: &mut Option<CachedStatement<'t>>,
        groups: &mut GroupStatements<'t>,
    ) -> Result<Option<Hit>> {
        if let Some(hit) = self.hits.get(position) {
            return Ok(Some(*hit));
        }
        let hit = loop {
            let Some(hit) = self.pull(core, test)? else { return Ok(None) };
            self.graph.note(&hit);
            let request = &self.graph.request;
            let Some(limit) = &request.group_limit else { break hit };
            if groups.admit(core, limit, &mut self.groups, hit.rowid.0)? {
                break hit;
            }
            let which = (request.ordinal, &request.filter);
            if self.groups.takes_look(self.graph.rows()) && !groups.has_room(core, limit, &self.groups, which)? {
                self.graph.end();
                return Ok(None);
            }
        };
        self.given.push(hit.rowid.0);
        self.is_remembered &= self.hits.len() < HITS_KEPT;
        if self.is_remembered {
            self.hits.push(hit);
        } else {
            self.hits = Vec::new();
        }
        Ok(Some(hit))
    }

    /// The rowids up to a position.
    pub fn given(&self, position: usize) -> &[i64] {
        self.given.get(..position).unwrap_or(&self.given)
    }

    /// The next hit of graph and log.
    fn pull<'t>(&mut self, core: &'t TableCore, test: &mut Option<CachedStatement<'t>>) -> Result<Option<Hit>> {
        if self.logged.is_none() {
            return self.graph.next(core, test, &self.given);
        }
        while self.graph_hit.is_none() {
            match self.graph.next(core, test, &self.given)? {
                Some(hit) if self.logged.as_ref().is_some_and(|logged| logged.contains(&hit)) => {}
                Some(hit) => self.graph_hit = Some(hit),
                None => break,
            }
        }
        let Some(logged) = &mut self.logged else { return Ok(None) };
        match (logged.next(), self.graph_hit) {
            (Some(hit), other) if other.is_none_or(|other| is_before(&hit, &other)) => {
                logged.advance();
                Ok(Some(hit))
            }
            _ => Ok(self.graph_hit.take()),
        }
    }

    /// The ways taken so far.
    pub fn ways(&self) -> Ways {
        self.graph.ways()
    }

    /// The work on the graph and the log since the last call.
    pub fn take_effort(&mut self) -> Effort {
        let (nodes, log_rows) = (self.graph.take_reads(), std::mem::take(&mut self.logged_ranked));
        Effort { nodes, log_rows: log_rows as u64, ..Effort::default() }
    }

    /// Suspends the search: no handle stays open. Returns false if it is not worth keeping.
    pub fn suspend(&mut self) -> bool {
        self.graph.suspend();
        self.is_remembered && self.graph.snapshot.is_some()
    }

    /// Continues a suspended search. Returns false if the result would differ from that of one that was not suspended.
    pub fn resume(&mut self, core: &TableCore) -> Result<bool> {
        self.graph.resume(core)
    }

    /// The approximate bytes of memory in use.
    pub fn bytes(&self) -> usize {
        let own = self.hits.capacity() * size_of::<Hit>() + self.given.capacity() * 8;
        own + self.graph.bytes() + self.logged.as_ref().map_or(0, LoggedRows::bytes) + self.groups.bytes()
    }
}

/// By distance, ties by rowid.
fn is_before(hit: &Hit, other: &Hit) -> bool {
    hit.distance.total_cmp(&other.distance).then(hit.rowid.cmp(&other.rowid)).is_lt()
}
