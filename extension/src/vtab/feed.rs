//! The sequence of rows that a query vector and a filter give, nearest first, made as far as it was asked for. It knows no
//! statement, so that it can rest between two pages (`shelf.rs`).

use std::collections::HashSet;
use std::sync::Arc;

use super::gather::{self, Gathered};
use super::index_order::{Ranges, TEST_COST};
use super::pool::Pooled;
use super::rows_filter::RowsFilter;
use super::table::HnswTable;
use crate::error::{Error, Result};
use crate::filter::strategy::{
    AccessPath, Count, FEW_ROWS, Observed, SAMPLE_ROWS, STEERED_WINDOW, Strategy, choose, walk_window,
};
use crate::format::header::Generation;
use crate::format::node::{NodeId, RowId, RowNode};
use crate::hnsw::{Ef, Hit, Matches, Order, Params};
use crate::sqlite::quote_identifier;
use crate::storage::filtered_search::Ranked;
use crate::storage::search::ColumnSearch;

/// Rows up to which a feed remembers what it gave, so that a later page need not search again.
const HITS_KEPT: usize = 16_384;

/// All that the sequence depends on, besides the state of the database.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The vector column: its number in the table, and its ordinal.
    pub column: usize,
    pub ordinal: usize,
    pub order: Order,
    pub ef: Ef,
    pub query: Vec<f32>,
    pub filter: RowsFilter,
    pub access_path: AccessPath,
}

/// A committed state of the database: what changes with every commit to the file, with the graph, and with what LIKE
/// means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    pub commits: u32,
    pub generation: Generation,
    pub ignores_case: bool,
}

enum Source {
    Nothing,
    Search(Box<ColumnSearch>),
    Ranked(Ranked),
}

pub struct Feed {
    pub request: Request,
    /// None in a transaction that has written: nothing of it is kept.
    pub state: Option<State>,
    source: Source,
    matches: Option<Arc<Matches>>,
    /// What the filter admits, where that is known without a look at the rows.
    ranges: Option<Ranges>,
    observed: Observed,
    /// Each hit of the search must be tested.
    is_tested: bool,
    /// Hits up to and with this one were given before the source was changed, which may give them again.
    given_before: Option<GivenBefore>,
    last: Option<(f64, i64)>,
    /// The rows given so far, and the same with their distances, unless they are too many.
    given: Vec<i64>,
    hits: Vec<Hit>,
    is_remembered: bool,
    /// So many of the first hits were looked up in the rows table, and are there.
    pub rows_seen: usize,
}

enum GivenBefore {
    UpTo(f64, i64),
    These(HashSet<i64>),
}

impl Feed {
    /// `rows`: those with a vector.
    pub fn new(request: Request, state: Option<State>, rows: u64) -> Feed {
        let observed = Observed {
            access_path: request.access_path,
            rows,
            is_exact: request.ef == Ef::Exact,
            ..Observed::default()
        };
        Feed {
            request,
            state,
            source: Source::Nothing,
            matches: None,
            ranges: None,
            observed,
            is_tested: false,
            given_before: None,
            last: None,
            given: Vec::new(),
            hits: Vec::new(),
            rows_seen: 0,
            is_remembered: true,
        }
    }

    /// Chooses how to search, and begins.
    pub fn begin<'t>(&mut self, table: &'t HnswTable, test: &mut Option<Pooled<'t>>) -> Result<()> {
        if self.request.filter.sql.is_empty() {
            let ef = self.request.ef;
            return self.walk(table, ef);
        }
        if let Some(state) = self.state {
            self.ranges = table.ranges(&self.request, state, self.observed.rows)?;
        }
        self.decide(table, test)
    }

    fn decide<'t>(&mut self, table: &'t HnswTable, test: &mut Option<Pooled<'t>>) -> Result<()> {
        loop {
            match choose(self.observed) {
                Strategy::Count { limit } => {
                    let (count, matches) = table.matches(&self.request, self.state, self.ranges.as_ref(), limit)?;
                    self.observed.count = Some(count);
                    self.matches = matches;
                }
                Strategy::Sample => self.observed.sample_matches = Some(self.look(table, test)?),
                Strategy::Exact => return self.rank(table),
                Strategy::Steer => return self.steer(table),
                Strategy::Walk => {
                    self.is_tested = true;
                    return self.walk(table, wider(self.request.ef, walk_window(self.observed)));
                }
            }
        }
    }

    /// How many of the sampled rows about the query match.
    fn look<'t>(&mut self, table: &'t HnswTable, test: &mut Option<Pooled<'t>>) -> Result<usize> {
        let request = &self.request;
        let near = table.with_vector(request.ordinal, |vector| vector.nearest_samples(&request.query, SAMPLE_ROWS))?;
        if let Some(ranges) = &self.ranges {
            return Ok(near.iter().filter(|row| ranges.contains(row.node)).count());
        }
        let test = tester(table, &request.filter, test)?;
        let mut count = 0;
        for &RowNode { rowid, .. } in &near {
            count += usize::from(passes(test, rowid.0)?);
        }
        if let Some(state) = self.state {
            table.shelf.orders.spend(request, state, near.len() as u64 * TEST_COST);
        }
        Ok(count)
    }

    fn walk(&mut self, table: &HnswTable, ef: Ef) -> Result<()> {
        let request = &self.request;
        let search = table.with_vector(request.ordinal, |vector| vector.search(&request.query, ef, request.order))?;
        self.source = Source::Search(Box::new(search));
        Ok(())
    }

    fn steer(&mut self, table: &HnswTable) -> Result<()> {
        let Some(matches) = self.matches.clone().filter(|matches| matches.has_bits()) else {
            return self.rank(table);
        };
        let request = &self.request;
        let ef = wider(request.ef, STEERED_WINDOW);
        let search = table
            .with_vector(request.ordinal, |vector| vector.search_matches(&request.query, ef, request.order, matches))?;
        self.source = Source::Search(Box::new(search));
        self.is_tested = false;
        Ok(())
    }

    fn rank(&mut self, table: &HnswTable) -> Result<()> {
        let matches = self.matches.take().unwrap_or_default();
        let query = &self.request.query;
        let hits = table.with_vector(self.request.ordinal, |vector| vector.rank(query, matches.rows()))?;
        self.source = Source::Ranked(hits);
        self.is_tested = false;
        Ok(())
    }

    /// The hit at a position, or None at the end. Positions are asked for one after the other; those that were given
    /// before cost nothing.
    pub fn at<'t>(
        &mut self,
        position: usize,
        table: &'t HnswTable,
        test: &mut Option<Pooled<'t>>,
    ) -> Result<Option<Hit>> {
        if let Some(hit) = self.hits.get(position) {
            return Ok(Some(*hit));
        }
        let Some(hit) = self.pull(table, test)? else { return Ok(None) };
        self.last = Some((hit.distance, hit.rowid.0));
        self.given.push(hit.rowid.0);
        self.is_remembered &= self.hits.len() < HITS_KEPT;
        if self.is_remembered {
            self.hits.push(hit);
        } else {
            self.hits = Vec::new();
        }
        Ok(Some(hit))
    }

    /// The rows up to a position.
    pub fn given(&self, position: usize) -> &[i64] {
        self.given.get(..position).unwrap_or(&self.given)
    }

    fn pull<'t>(&mut self, table: &'t HnswTable, test: &mut Option<Pooled<'t>>) -> Result<Option<Hit>> {
        loop {
            if self.is_renumbered(table)? {
                self.start_over(table)?;
            }
            let hit = match &mut self.source {
                Source::Nothing => return Ok(None),
                Source::Ranked(hits) => hits.next(),
                Source::Search(search) if !self.is_tested => {
                    table.with_vector(self.request.ordinal, |vector| vector.next(search, &mut |_, _| Ok(true)))?
                }
                Source::Search(_) => {
                    let hit = self.pull_tested(table, test)?;
                    if choose(self.observed) != Strategy::Walk {
                        // The last hit was let through only to get here.
                        self.start_over(table)?;
                        self.decide(table, test)?;
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

    fn pull_tested<'t>(&mut self, table: &'t HnswTable, test: &mut Option<Pooled<'t>>) -> Result<Option<Hit>> {
        let Source::Search(search) = &mut self.source else { return Ok(None) };
        // A write of this connection while the search is under way counts at once, as it does in the rows table.
        let commits = table.db.committed_version(&table.names()?.owner.schema);
        let ranges = self.ranges.as_ref().filter(|_| self.state.map(|state| state.commits) == commits);
        let (request, observed) = (&self.request, &mut self.observed);
        observed.given = self.given.len() as u64;
        let mut tests = 0;
        let mut accept = |rowid: RowId, node: NodeId| {
            let passes = match ranges {
                Some(ranges) => ranges.contains(node),
                None => {
                    tests += 1;
                    passes(tester(table, &request.filter, test)?, rowid.0)?
                }
            };
            observed.refused += u64::from(!passes);
            Ok(passes || choose(*observed) != Strategy::Walk)
        };
        let hit = table.with_vector(request.ordinal, |vector| vector.next(search, &mut accept))?;
        if let Some(state) = self.state {
            table.shelf.orders.spend(request, state, tests * TEST_COST);
        }
        Ok(hit)
    }

    /// Whether nodes have other numbers than when they were found to match.
    fn is_renumbered(&self, table: &HnswTable) -> Result<bool> {
        match &self.source {
            Source::Search(search) if self.matches.is_some() => {
                table.with_vector(self.request.ordinal, |vector| Ok(vector.is_renumbered(search)))
            }
            _ => Ok(false),
        }
    }

    /// Another source comes: what was given is not given again, nor, under strict order, what comes before it.
    fn start_over(&mut self, table: &HnswTable) -> Result<()> {
        self.given_before = match (self.request.order, self.last) {
            (_, None) => None,
            (Order::Strict, Some((distance, rowid))) => Some(GivenBefore::UpTo(distance, rowid)),
            (Order::Relaxed, _) => Some(GivenBefore::These(self.given.iter().copied().collect())),
        };
        if self.is_renumbered(table)? {
            let (_, matches) = table.matches(&self.request, None, None, None)?;
            self.matches = matches;
            self.rank(table)?;
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

    /// Lays the search to rest: no handle stays open. False if it is not worth keeping.
    pub fn suspend(&mut self) -> bool {
        if let Source::Search(search) = &mut self.source {
            search.suspend();
        }
        self.is_remembered && self.state.is_some()
    }

    /// False if the search cannot go on as it would have gone on then.
    pub fn resume(&mut self, table: &HnswTable) -> Result<bool> {
        match &mut self.source {
            Source::Search(search) => table.with_vector(self.request.ordinal, |vector| vector.resume(search)),
            Source::Nothing | Source::Ranked(_) => Ok(true),
        }
    }

    /// Bytes of memory that it takes, about.
    pub fn bytes(&self) -> usize {
        let source = match &self.source {
            Source::Nothing => 0,
            Source::Search(search) => search.bytes(),
            Source::Ranked(hits) => hits.bytes(),
        };
        let matches = self.matches.as_ref().map_or(0, |matches| matches.bytes());
        let before = if let Some(GivenBefore::These(rowids)) = &self.given_before { rowids.capacity() * 16 } else { 0 };
        let own = self.hits.capacity() * size_of::<Hit>() + self.given.capacity() * 8 + self.request.query.len() * 4;
        source + matches + before + own + self.request.filter.bytes()
    }
}

/// A window of so many quarters of the one asked for.
fn wider(ef: Ef, quarters: usize) -> Ef {
    match ef {
        Ef::Window(ef) => Ef::Window((ef * quarters / 4).min(*Params::EF_RANGE.end())),
        other => other,
    }
}

/// The statement that tests one row, prepared at its first use.
pub fn tester<'p, 't>(
    table: &'t HnswTable,
    filter: &RowsFilter,
    test: &'p mut Option<Pooled<'t>>,
) -> Result<&'p mut Pooled<'t>> {
    if test.is_none() {
        let (names, rowid) = (table.names()?, quote_identifier(table.schema.rowid_name()));
        let sql = format!("SELECT 1 FROM {} WHERE {rowid} = ?1{}", names.rows, filter.and_sql());
        let mut statement = table.statements.reading(sql)?;
        filter.bind(&mut statement)?;
        *test = Some(statement);
    }
    test.as_mut().ok_or_else(|| Error::internal("a test that was not prepared"))
}

pub fn passes(test: &mut Pooled<'_>, rowid: i64) -> Result<bool> {
    test.bind_i64(1, rowid)?;
    let passes = test.step();
    test.reset();
    passes
}

impl HnswTable {
    /// Counts the rows that pass the filter, and gives them if they are no more than `limit`.
    fn matches(
        &self,
        request: &Request,
        state: Option<State>,
        ranges: Option<&Ranges>,
        limit: Option<usize>,
    ) -> Result<(Count, Option<Arc<Matches>>)> {
        let judge = |matches: Arc<Matches>| match limit {
            Some(limit) if matches.rows().len() > limit => (Count::MoreThan(limit), None),
            _ => (Count::All(matches.rows().len()), Some(matches)),
        };
        if let Some(matches) = state.and_then(|state| self.shelf.matches(request, state)) {
            return Ok(judge(matches));
        }
        let rows = match ranges {
            Some(ranges) => ranges.rows(limit),
            None => self.matching_rows(request, limit)?,
        };
        if let (Some(state), None) = (state, ranges) {
            let read = rows.as_ref().map_or(limit.unwrap_or_default(), Vec::len);
            self.shelf.orders.spend(request, state, read as u64);
        }
        let Some(rows) = rows else { return Ok((Count::MoreThan(limit.unwrap_or(usize::MAX)), None)) };
        let mut matches = Matches::new(rows);
        if matches.rows().len() > FEW_ROWS {
            // Without them it is ranked, however many there are.
            let _ = matches.set_bits();
        }
        let matches = Arc::new(matches);
        if let (Some(state), None) = (state, ranges) {
            self.shelf.keep_matches(request, state, &matches);
        }
        Ok(judge(matches))
    }

    /// The rows that pass the filter, with their nodes; None if they are more than `limit`.
    fn matching_rows(&self, request: &Request, limit: Option<usize>) -> Result<Option<Vec<RowNode>>> {
        let sql = self.matching_sql(request.column, &request.filter.sql)?;
        let columns = format!("SELECT {}(r, n, ?1) FROM ({sql})", gather::NAME);
        let mut gather = self.statements.reading(columns)?;
        request.filter.bind(&mut gather)?;
        if let Some(limit) = limit.and_then(|limit| i64::try_from(limit).ok()) {
            gather.bind_i64(1, limit)?;
        }
        match gather::run(&mut gather)? {
            Gathered::Rows(rows) => return Ok(Some(rows)),
            Gathered::TooMany => return Ok(None),
            Gathered::Wrong => drop(gather),
        }
        // This finds out what is wrong.
        let mut rows = self.statements.reading(sql)?;
        request.filter.bind(&mut rows)?;
        while rows.step()? {
            self.node_at(&rows, 1)?;
        }
        Err(Error::internal("a row without a rowid"))
    }

    /// The statement that gives the rows, with their nodes, that a filter lets through.
    pub(super) fn matching_sql(&self, column: usize, filter: &str) -> Result<String> {
        let name = self.schema.columns.get(column).map_or("", |column| column.name.as_str());
        let (node, key) = (quote_identifier(name), quote_identifier(self.schema.rowid_name()));
        let from = &self.names()?.rows;
        let filter = if filter.is_empty() { String::new() } else { format!(" AND {filter}") };
        Ok(format!("SELECT {key} AS r, {node} AS n FROM {from} WHERE {node} IS NOT NULL{filter}"))
    }
}
