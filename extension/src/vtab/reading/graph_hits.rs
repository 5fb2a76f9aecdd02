//! The hits of the graph that pass the filter of a request, nearest first. It chooses how filter and search are combined,
//! and changes over when the choice turns out to be wrong.

use std::collections::HashSet;
use std::sync::Arc;

use super::group_limit::GroupLimit;
use super::index_orders::{Ranges, TEST_COST};
use crate::error::Result;
use crate::filter::strategy::{
    AccessPath, Count, FEW_ROWS, Observed, SAMPLE_ROWS, STEERED_WINDOW, Strategy, choose, walk_window,
};
use crate::format::node::{NodeId, RowId, RowNode};
use crate::hnsw::{Ef, Hit, Matches, Order, Params};
use crate::storage::filtered_search::Ranked;
use crate::storage::search::ColumnSearch;
use crate::storage::shadow::VectorOrdinal;
use crate::storage::vector_column::{NodeReads, VectorColumn};
use crate::vtab::core::TableCore;
use crate::vtab::rows::filter::RowsFilter;
use crate::vtab::rows::read::passes;
use crate::vtab::rows::statement_cache::{CachedStatement, prepared};
use crate::vtab::search_counts::Ways;
use crate::vtab::snapshot::Snapshot;

/// Everything that the sequence depends on, except the state of the database.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The searched column.
    pub ordinal: VectorOrdinal,
    pub order: Order,
    pub ef: Ef,
    pub query: Vec<f32>,
    pub filter: RowsFilter,
    pub access_path: AccessPath,
    /// Only under strict order, which it counts along.
    pub group_limit: Option<GroupLimit>,
}

enum Source {
    Nothing,
    Search(Box<ColumnSearch>),
    Ranked(Ranked),
}

/// The hits of a request, and the search that produces them.
pub struct GraphHits {
    pub request: Request,
    /// None in a transaction that has written, whose searches are not kept.
    pub snapshot: Option<Snapshot>,
    source: Source,
    matches: Option<Arc<Matches>>,
    /// The rows that the filter admits, if in-memory indexes tell.
    ranges: Option<Ranges>,
    observed: Observed,
    /// Each hit of the search must be tested.
    is_tested: bool,
    /// The hits that were returned before the source was changed. The new source may return them again.
    given_before: Option<GivenBefore>,
    /// The last hit that was noted, and the number of them.
    last: Option<(f64, i64)>,
    pulled: u64,
    /// The ways of sources that were given up.
    ways_before: Ways,
    /// The node rows read since the current statement began.
    nodes_read: NodeReads,
}

enum GivenBefore {
    UpTo(f64, i64),
    These(HashSet<i64>),
}

impl GraphHits {
    /// Hits of a search that has not begun. `rows` is the number of rows with a vector.
    pub fn new(request: Request, snapshot: Option<Snapshot>, rows: u64) -> GraphHits {
        let observed = Observed {
            access_path: request.access_path,
            rows,
            is_exact: request.ef == Ef::Exact,
            ..Observed::default()
        };
        GraphHits {
            request,
            snapshot,
            source: Source::Nothing,
            matches: None,
            ranges: None,
            observed,
            is_tested: false,
            given_before: None,
            last: None,
            pulled: 0,
            ways_before: Ways::default(),
            nodes_read: NodeReads::default(),
        }
    }

    /// The number of rows with a vector when the search began.
    pub fn rows(&self) -> u64 {
        self.observed.rows
    }

    /// Chooses a strategy and begins.
    pub fn begin<'t>(&mut self, core: &'t TableCore, test: &mut Option<CachedStatement<'t>>) -> Result<()> {
        if self.request.filter.sql.is_empty() {
            let ef = self.request.ef;
            return self.walk(core, ef);
        }
        if let Some(snapshot) = self.snapshot {
            let (ordinal, filter) = (self.request.ordinal, &self.request.filter);
            self.ranges = core.filter_cache.orders.ranges(&core.rows, snapshot, ordinal, filter, self.observed.rows)?;
        }
        self.decide(core, test)
    }

    /// Notes a hit of the sequence, which may be of a logged row.
    pub fn note(&mut self, hit: &Hit) {
        self.last = Some((hit.distance, hit.rowid.0));
        self.pulled += 1;
    }

    /// Ends the search: no further hit is returned.
    pub fn end(&mut self) {
        self.ways_before = self.ways();
        self.source = Source::Nothing;
    }

    fn decide<'t>(&mut self, core: &'t TableCore, test: &mut Option<CachedStatement<'t>>) -> Result<()> {
        loop {
            match choose(self.observed) {
                Strategy::Count { limit } => {
                    let (count, matches) = self.find_matches(core, limit)?;
                    self.observed.count = Some(count);
                    self.matches = matches;
                }
                Strategy::Sample => self.observed.sample_matches = Some(self.count_sample_matches(core, test)?),
                Strategy::Exact => return self.rank(core),
                Strategy::Steer => return self.steer(core),
                Strategy::Walk => {
                    self.is_tested = true;
                    return self.walk(core, wider(self.request.ef, walk_window(self.observed)));
                }
            }
        }
    }

    /// Counts the matches among the sampled rows nearest to the query.
    fn count_sample_matches<'t>(
        &mut self,
        core: &'t TableCore,
        test: &mut Option<CachedStatement<'t>>,
    ) -> Result<usize> {
        let request = &self.request;
        let near = counting(&mut self.nodes_read, core, request.ordinal, |vector| {
            vector.nearest_samples(&request.query, SAMPLE_ROWS)
        })?;
        if let Some(ranges) = &self.ranges {
            return Ok(near.iter().filter(|row| ranges.contains(row.node)).count());
        }
        let test = prepared(test, || core.rows.filter_test(&request.filter))?;
        let mut count = 0;
        for &RowNode { rowid, .. } in &near {
            count += usize::from(passes(test, rowid.0)?);
        }
        self.spend(core, near.len() as u64 * TEST_COST);
        Ok(count)
    }

    /// Adds to the cost of the filter so far, in rows.
    fn spend(&self, core: &TableCore, rows: u64) {
        if let Some(snapshot) = self.snapshot {
            core.filter_cache.orders.spend(snapshot, self.request.ordinal, &self.request.filter, rows);
        }
    }

    /// Counts the rows that pass the filter. Returns them if they are not more than `limit`.
    fn find_matches(&self, core: &TableCore, limit: Option<usize>) -> Result<(Count, Option<Arc<Matches>>)> {
        let judge = |matches: Arc<Matches>| match limit {
            Some(limit) if matches.rows().len() > limit => (Count::MoreThan(limit), None),
            _ => (Count::All(matches.rows().len()), Some(matches)),
        };
        let (ordinal, filter) = (self.request.ordinal, &self.request.filter);
        if let Some(matches) = self.snapshot.and_then(|snapshot| core.filter_cache.matches(snapshot, ordinal, filter)) {
            return Ok(judge(matches));
        }
        let rows = match &self.ranges {
            Some(ranges) => ranges.rows(limit),
            None => {
                let rows = core.rows.matching(ordinal, filter, limit)?;
                self.spend(core, rows.as_ref().map_or(limit.unwrap_or_default(), Vec::len) as u64);
                rows
            }
        };
        let Some(rows) = rows else { return Ok((Count::MoreThan(limit.unwrap_or(usize::MAX)), None)) };
        let mut matches = Matches::new(rows);
        if matches.rows().len() > FEW_ROWS {
            // Without the bits all matches are ranked, however many there are.
            let _ = matches.set_bits();
        }
        let matches = Arc::new(matches);
        if let (Some(snapshot), None) = (self.snapshot, &self.ranges) {
            core.filter_cache.keep_matches(snapshot, ordinal, filter, &matches);
        }
        Ok(judge(matches))
    }

    fn walk(&mut self, core: &TableCore, ef: Ef) -> Result<()> {
        let request = &self.request;
        let search = core.with_vector(request.ordinal, |vector| vector.search(&request.query, ef, request.order))?;
        self.source = Source::Search(Box::new(search));
        Ok(())
    }

    fn steer(&mut self, core: &TableCore) -> Result<()> {
        let Some(matches) = self.matches.clone().filter(|matches| matches.has_bits()) else {
            return self.rank(core);
        };
        let request = &self.request;
        let ef = wider(request.ef, STEERED_WINDOW);
        let search = core
            .with_vector(request.ordinal, |vector| vector.search_matches(&request.query, ef, request.order, matches))?;
        self.source = Source::Search(Box::new(search));
        self.is_tested = false;
        Ok(())
    }

    fn rank(&mut self, core: &TableCore) -> Result<()> {
        let matches = self.matches.take().unwrap_or_default();
        let query = &self.request.query;
        let ordinal = self.request.ordinal;
        let hits = counting(&mut self.nodes_read, core, ordinal, |vector| vector.rank(query, matches.rows()))?;
        self.source = Source::Ranked(hits);
        self.is_tested = false;
        Ok(())
    }

    /// The next hit. `given` are the rowids of the hits that the sequence has returned.
    pub fn next<'t>(
        &mut self,
        core: &'t TableCore,
        test: &mut Option<CachedStatement<'t>>,
        given: &[i64],
    ) -> Result<Option<Hit>> {
        loop {
            if self.is_renumbered(core)? {
                self.start_over(core, given)?;
            }
            let hit = match &mut self.source {
                Source::Nothing => return Ok(None),
                Source::Ranked(hits) => hits.next(),
                Source::Search(search) if !self.is_tested => {
                    counting(&mut self.nodes_read, core, self.request.ordinal, |vector| {
                        vector.next(search, &mut |_, _| Ok(true))
                    })?
                }
                Source::Search(_) => {
                    let hit = self.pull_tested(core, test)?;
                    if choose(self.observed) != Strategy::Walk {
                        // The last hit was accepted only to end the walk.
                        self.start_over(core, given)?;
                        self.decide(core, test)?;
                        continue;
                    }
                    hit
                }
            };
            let Some(hit) = hit else { return Ok(None) };
            if !self.was_given(&hit) {
                return Ok(Some(hit));
            }
        }
    }

    fn pull_tested<'t>(&mut self, core: &'t TableCore, test: &mut Option<CachedStatement<'t>>) -> Result<Option<Hit>> {
        let Source::Search(search) = &mut self.source else { return Ok(None) };
        // A write of this connection during the search takes effect at once, as it does in the rows table.
        let commits = core.db.committed_version(&core.names()?.owner.schema);
        let ranges = self.ranges.as_ref().filter(|_| self.snapshot.map(|snapshot| snapshot.commits) == commits);
        let (request, observed) = (&self.request, &mut self.observed);
        observed.given = self.pulled;
        let mut tests = 0;
        let mut accept = |rowid: RowId, node: NodeId| {
            let passes = match ranges {
                Some(ranges) => ranges.contains(node),
                None => {
                    tests += 1;
                    passes(prepared(test, || core.rows.filter_test(&request.filter))?, rowid.0)?
                }
            };
            observed.refused += u64::from(!passes);
            Ok(passes || choose(*observed) != Strategy::Walk)
        };
        let hit = counting(&mut self.nodes_read, core, request.ordinal, |vector| vector.next(search, &mut accept))?;
        self.spend(core, tests * TEST_COST);
        Ok(hit)
    }

    /// Whether the nodes were renumbered after the matches were found.
    fn is_renumbered(&self, core: &TableCore) -> Result<bool> {
        match &self.source {
            Source::Search(search) if self.matches.is_some() => {
                core.with_vector(self.request.ordinal, |vector| Ok(vector.is_renumbered(search)))
            }
            _ => Ok(false),
        }
    }

    /// Prepares for another source: hits that were returned are skipped, and under strict order everything before the
    /// last of them.
    fn start_over(&mut self, core: &TableCore, given: &[i64]) -> Result<()> {
        self.ways_before = self.ways();
        self.given_before = match (self.request.order, self.last) {
            (_, None) => None,
            (Order::Strict, Some((distance, rowid))) => Some(GivenBefore::UpTo(distance, rowid)),
            (Order::Relaxed, _) => Some(GivenBefore::These(given.iter().copied().collect())),
        };
        if self.is_renumbered(core)? {
            self.snapshot = None;
            self.ranges = None;
            let (_, matches) = self.find_matches(core, None)?;
            self.matches = matches;
            self.rank(core)?;
        }
        Ok(())
    }

    fn was_given(&self, hit: &Hit) -> bool {
        match &self.given_before {
            None => false,
            Some(GivenBefore::UpTo(distance, rowid)) => (hit.distance, hit.rowid.0) <= (*distance, *rowid),
            Some(GivenBefore::These(rowids)) => rowids.contains(&hit.rowid.0),
        }
    }

    /// The ways taken so far.
    pub fn ways(&self) -> Ways {
        let mut ways = self.ways_before;
        ways |= match &self.source {
            Source::Nothing => Ways::default(),
            Source::Search(search) => {
                let (has_walked, is_steered) = (search.has_walked(), self.matches.is_some());
                Ways { walked: has_walked && !is_steered, steered: has_walked && is_steered, exact: search.is_exact() }
            }
            Source::Ranked(_) => Ways { exact: true, ..Ways::default() },
        };
        ways
    }

    /// The node rows read since the last call.
    pub fn take_reads(&mut self) -> NodeReads {
        std::mem::take(&mut self.nodes_read)
    }

    /// Suspends the search: no handle stays open.
    pub fn suspend(&mut self) {
        if let Source::Search(search) = &mut self.source {
            search.suspend();
        }
    }

    /// Continues a suspended search. Returns false if the result would differ from that of one that was not suspended.
    pub fn resume(&mut self, core: &TableCore) -> Result<bool> {
        match &mut self.source {
            Source::Search(search) => core.with_vector(self.request.ordinal, |vector| vector.resume(search)),
            Source::Nothing | Source::Ranked(_) => Ok(true),
        }
    }

    /// The approximate bytes of memory in use.
    pub fn bytes(&self) -> usize {
        let source = match &self.source {
            Source::Nothing => 0,
            Source::Search(search) => search.bytes(),
            Source::Ranked(hits) => hits.bytes(),
        };
        let matches = self.matches.as_ref().map_or(0, |matches| matches.bytes());
        let before = if let Some(GivenBefore::These(rowids)) = &self.given_before { rowids.capacity() * 16 } else { 0 };
        source + matches + before + self.request.query.len() * 4 + self.request.filter.bytes()
    }
}

/// Calls `work` with a vector column, and adds the node rows that it reads to `reads`.
fn counting<T>(
    reads: &mut NodeReads,
    core: &TableCore,
    ordinal: VectorOrdinal,
    work: impl FnOnce(&mut VectorColumn) -> Result<T>,
) -> Result<T> {
    core.with_vector(ordinal, |vector| {
        let before = vector.reads();
        let result = work(vector);
        let after = vector.reads();
        reads.cached += after.cached - before.cached;
        reads.from_file += after.from_file - before.from_file;
        result
    })
}

/// A window of so many quarters of the given one.
fn wider(ef: Ef, quarters: usize) -> Ef {
    match ef {
        Ef::Window(ef) => Ef::Window((ef * quarters / 4).min(*Params::EF_RANGE.end())),
        other => other,
    }
}
