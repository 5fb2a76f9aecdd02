//! A search: rows nearest first, for as long as SQLite asks.

use std::collections::HashSet;
use std::rc::Rc;

use super::distance_terms::DistanceTerms;
use super::feed::{Feed, Request, passes, tester};
use super::hit_row::HitRow;
use super::plan::{Filter, FoundBy, KnnPlan};
use super::pool::Pooled;
use super::rows_filter::{Kept, RowsFilter};
use super::scan::Selection;
use super::table::HnswTable;
use crate::error::{Error, Result};
use crate::format::node::NodeId;
use crate::hnsw::{Ef, Hit, Order, Params};
use crate::sqlite::{Content, Context, Parameter, Value, Values, quote_identifier};

/// The arguments as they came, for SQLite to test again.
#[derive(Debug, Default)]
pub struct Arguments {
    pub query: Option<Rc<Kept>>,
    pub k: Option<Kept>,
    pub ef_search: Option<Kept>,
}

pub struct Knn<'t> {
    table: &'t HnswTable,
    arguments: Arguments,
    /// The number of the vector column in the table.
    column: usize,
    ordinal: usize,
    order: Order,
    distances: DistanceTerms,
    /// Rows that may still come: k, less those given.
    remaining: u64,
    counted: Counted<'t>,
    /// None if no row can come.
    feed: Option<Feed>,
    /// Hits that the feed has given.
    position: usize,
    /// Tests a row, in a feed that asks for it.
    test: Option<Pooled<'t>>,
    /// Looks for the row of a hit.
    presence: Option<Pooled<'t>>,
    /// The rows given, once rows have changed under the search.
    given: Option<HashSet<i64>>,
    hit: Option<Hit>,
    row: HitRow<'t>,
    /// SQLite reads past the first rows: those need not be there.
    skips_rows: bool,
    /// The version of the file that the search sees, if its rows may be kept.
    commits: Option<u32>,
    /// `Transaction::writes` when the current hit was found: its node is good for as long as that stands.
    writes: u64,
    /// The same when the search began.
    began: u64,
}

/// Terms that a row must fulfil to be counted by k, and need not fulfil to come.
#[derive(Default)]
struct Counted<'t> {
    distances: DistanceTerms,
    filter: RowsFilter,
    test: Option<Pooled<'t>>,
}

impl<'t> Counted<'t> {
    fn new(table: &HnswTable, terms: &[Filter], arguments: Values<'_>) -> Result<Counted<'t>> {
        let is_on_column = |term: &&Filter| term.column.is_none() || term.column != table.schema.distance_column();
        let (filters, on_distance) = terms.split_at(terms.iter().take_while(is_on_column).count());
        let mut distances = DistanceTerms::default();
        for (position, term) in on_distance.iter().enumerate() {
            distances.push(term.comparison, arguments.at(filters.len() + position)?);
        }
        Ok(Counted { distances, filter: RowsFilter::new(&table.schema, filters, arguments)?, test: None })
    }

    fn counts(&mut self, table: &'t HnswTable, hit: &Hit) -> Result<bool> {
        let Counted { distances, filter, test } = self;
        if distances.is_never() || filter.is_never || !distances.admits(hit.distance) {
            return Ok(false);
        }
        Ok(filter.sql.is_empty() || passes(tester(table, filter, test)?, hit.rowid.0)?)
    }
}

impl<'t> Knn<'t> {
    pub fn start(table: &'t HnswTable, plan: &KnnPlan, arguments: Values<'_>) -> Result<Knn<'t>> {
        let names = table.names()?;
        let place = table.vector_place(names.table(), plan.column)?;
        let ordinal = table.schema.vector(plan.column).map_or(0, |vector| vector.ordinal);
        let mut position = 0;
        let mut next = |is_there: bool| {
            let argument = is_there.then(|| arguments.at(position)).transpose();
            position += usize::from(is_there);
            argument
        };
        let (query, k, ef_search) = (next(true)?, next(plan.has_k)?, next(plan.has_ef_search)?);
        let kept = |value: Option<Value<'_>>| value.map(|value| Kept::of(value.content()));
        let mut distances = DistanceTerms::default();
        for comparison in &plan.distances {
            if let Some(value) = next(true)? {
                distances.push(*comparison, value);
            }
        }
        let remaining = k.map_or(Ok(u64::MAX), |value| read_k(names.table(), value))?;
        let ef = ef_search.map(|value| read_ef(names.table(), value)).transpose()?;
        let components = query.map_or(Ok(None), |value| place.query(value))?;
        let filter = RowsFilter::new(&table.schema, &plan.filters, arguments.skip(position))?;
        let counted = Counted::new(table, &plan.counted, arguments.skip(position + plan.filters.len()))?;
        let mut knn = Knn {
            table,
            arguments: Arguments { query: kept(query).map(Rc::new), k: kept(k), ef_search: kept(ef_search) },
            column: plan.column,
            ordinal,
            order: plan.order,
            distances,
            remaining,
            counted,
            feed: None,
            position: 0,
            test: None,
            presence: None,
            given: None,
            hit: None,
            row: HitRow::new(Selection::new(&table.schema, plan.columns), plan.column),
            skips_rows: plan.has_offset,
            commits: None,
            writes: 0,
            began: 0,
        };
        if let Some(query) = &knn.arguments.query {
            table.match_test.note_search(query);
        }
        if let Some(query) = components
            && remaining > 0
            && !filter.is_never
            && !knn.distances.is_never()
        {
            let (column, order) = (plan.column, plan.order);
            let access_path = match plan.found_by {
                FoundBy::Partial => table.explain(column, &filter.sql, |sql| filter.bind(sql))?.access_path(),
                _ => plan.found_by.access_path(),
            };
            knn.begin(ef, |ef| Request { column, ordinal, order, ef, query, filter, access_path })?;
            knn.next()?;
        }
        Ok(knn)
    }

    /// Takes up the state of the database, and the feed: one that rests, or a new one.
    fn begin(&mut self, ef: Option<Ef>, request: impl FnOnce(Ef) -> Request) -> Result<()> {
        let table = self.table;
        table.transaction.sync(table)?;
        self.began = table.transaction.writes();
        table.with_vector(self.ordinal, |vector| vector.refresh())?;
        let ef = match ef {
            Some(ef) => ef,
            None => self.stored_ef()?,
        };
        let request = request(ef);
        let state = table.state(&request)?;
        // As with nodes: a process that asks one page keeps nothing.
        let is_warm = table.with_vector(self.ordinal, |vector| vector.has_node_cache())?;
        self.commits = state.filter(|_| is_warm).map(|state| state.commits);
        if let Some(mut feed) = state.and_then(|state| table.shelf.take(&request, state))
            && feed.resume(table)?
        {
            self.feed = Some(feed);
            return Ok(());
        }
        let (_, rows) = table.with_vector(self.ordinal, |vector| vector.graph())?;
        let mut feed = Feed::new(request, state, rows);
        feed.begin(table, &mut self.test)?;
        self.feed = Some(feed);
        Ok(())
    }

    /// The default that the file holds: another connection may have changed it, and pages must agree.
    fn stored_ef(&self) -> Result<Ef> {
        let owner = &self.table.names()?.owner;
        let sql = format!("SELECT value FROM {} WHERE key = ?1", owner.shadow("config"));
        let mut stored = self.table.statements.reading(sql)?;
        let key = format!("vector.{}.ef_search", self.ordinal);
        let ef = stored.query_one(&[Parameter::Text(&key)], |row| Ok(row.column_i64(0)))?;
        match ef.and_then(|ef| usize::try_from(ef).ok()).filter(|ef| Params::EF_RANGE.contains(ef)) {
            Some(ef) => Ok(Ef::Window(ef)),
            None => {
                let (least, most) = (Params::EF_RANGE.start(), Params::EF_RANGE.end());
                let got = ef.map(|ef| format!("expected {least} to {most}, got {ef}"));
                let place = format!("{}.{key}", owner.shadow_name("config"));
                Err(Error::corrupt(place, got.unwrap_or_else(|| "the entry is missing".to_string())))
            }
        }
    }

    pub fn next(&mut self) -> Result<()> {
        if !self.skips_rows {
            self.check_row()?;
        }
        self.row.leave();
        self.hit = None;
        while self.remaining > 0 {
            let Some(feed) = &mut self.feed else { break };
            let hit = match feed.at(self.position, self.table, &mut self.test) {
                Ok(Some(hit)) => hit,
                Ok(None) => break,
                Err(error) => {
                    // Stopped half-way it may have lost a hit: nobody goes on with it.
                    self.feed = None;
                    return Err(error);
                }
            };
            self.position += 1;
            if self.began != self.table.transaction.writes() && !self.is_still_due(&hit)? {
                continue;
            }
            if self.order == Order::Strict && self.distances.end_before(hit.distance) {
                // Under ORDER BY distance nothing nearer can follow.
                break;
            }
            if !self.distances.admits(hit.distance) {
                continue;
            }
            self.remaining -= u64::from(self.counted.counts(self.table, &hit)?);
            self.writes = self.table.transaction.writes();
            self.hit = Some(hit);
            if self.row.has_no_columns() {
                self.check_row()?;
            }
            break;
        }
        if self.hit.is_none() {
            // Ends the read of the node table at once.
            self.rest();
        }
        Ok(())
    }

    /// After this connection changed rows under the search: whether the row is there, and was not given before.
    fn is_still_due(&mut self, hit: &Hit) -> Result<bool> {
        let Some(feed) = &self.feed else { return Ok(true) };
        let before = self.position.saturating_sub(1);
        let given = self.given.get_or_insert_with(|| feed.given(before).iter().copied().collect());
        Ok(given.insert(hit.rowid.0) && self.table.node_of(hit.rowid.0, self.column)?.is_some())
    }

    /// Puts the feed on the shelf, if what it gave is still what it would give.
    fn rest(&mut self) {
        self.test = None;
        self.presence = None;
        self.counted.test = None;
        let Some(mut feed) = self.feed.take() else { return };
        let is_kept = feed.suspend() && self.began == self.table.transaction.writes();
        if is_kept && self.table.state(&feed.request).is_ok_and(|state| state == feed.state) {
            self.table.shelf.put(feed);
        }
    }

    pub fn is_at_end(&self) -> bool {
        self.hit.is_none()
    }

    fn current(&self) -> Result<Hit> {
        self.hit.ok_or_else(|| Error::internal("a search that stands on no row"))
    }

    pub fn rowid(&self) -> Result<i64> {
        Ok(self.current()?.rowid.0)
    }

    pub fn distance(&self) -> Result<f64> {
        Ok(self.current()?.distance)
    }

    /// The vector that rows are found by, if `column` is the one that is searched.
    pub fn query_of(&self, column: usize) -> Option<&Rc<Kept>> {
        self.arguments.query.as_ref().filter(|_| column == self.column)
    }

    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    pub fn ordinary(&mut self, context: &Context<'_>, column: usize) -> Result<()> {
        let Some(position) = self.row.position(column) else {
            return self.table.read_one(self.rowid()?, column, |row| {
                context.value(row.column_value(0));
                Ok(())
            });
        };
        if let Some(content) = self.read_row(position)? {
            context.content(content);
        }
        Ok(())
    }

    /// The node of a vector column; None for NULL.
    pub fn node(&mut self, column: usize) -> Result<Option<NodeId>> {
        let hit = self.current()?;
        if column == self.column && self.writes == self.table.transaction.writes() {
            return Ok(Some(hit.node));
        }
        let table = self.table;
        let Some(position) = self.row.position(column) else { return table.node_of(hit.rowid.0, column) };
        match self.read_row(position)? {
            Some(content) => table.node_in(content),
            None => Ok(None),
        }
    }

    /// A column of the row, which is read once; None if it is gone.
    fn read_row(&mut self, position: usize) -> Result<Option<Content<'_>>> {
        let hit = self.current()?;
        if self.row.is_unread() {
            let is_unchanged = self.writes == self.table.transaction.writes();
            let node = is_unchanged.then_some(hit.node);
            if !self.row.read(self.table, hit.rowid.0, node, self.commits)? && is_unchanged {
                return Err(self.missing_row(&hit)?);
            }
            self.note_row_seen();
        }
        Ok(self.row.content(position))
    }

    /// Refuses a hit whose row is gone, where no column of the row was read and no filter has seen it.
    fn check_row(&mut self) -> Result<()> {
        let (Some(hit), Some(feed)) = (self.hit, &self.feed) else { return Ok(()) };
        let is_filtered = !feed.request.filter.sql.is_empty();
        let is_seen = !self.row.is_unread() || is_filtered || self.position <= feed.rows_seen;
        if is_seen || self.writes != self.table.transaction.writes() {
            return Ok(());
        }
        if !self.is_there(&hit)? {
            return Err(self.missing_row(&hit)?);
        }
        self.note_row_seen();
        Ok(())
    }

    fn note_row_seen(&mut self) {
        if let Some(feed) = self.feed.as_mut().filter(|feed| feed.rows_seen + 1 == self.position) {
            feed.rows_seen = self.position;
        }
    }

    /// Whether the row of a hit is there, and has its node.
    fn is_there(&mut self, hit: &Hit) -> Result<bool> {
        if self.presence.is_none() {
            let (names, schema) = (self.table.names()?, &self.table.schema);
            let node = quote_identifier(schema.columns.get(self.column).map_or("", |column| &column.name));
            let key = quote_identifier(schema.rowid_name());
            let sql = format!("SELECT 1 FROM {} WHERE {key} = ?1 AND {node} = ?2", names.rows);
            self.presence = Some(self.table.statements.reading(sql)?);
        }
        let Some(presence) = &mut self.presence else { return Ok(true) };
        presence.bind_i64(1, hit.rowid.0)?;
        presence.bind_i64(2, i64::from(hit.node.0))?;
        let is_there = presence.step();
        presence.reset();
        is_there
    }

    fn missing_row(&self, hit: &Hit) -> Result<Error> {
        let names = self.table.names()?;
        let (table, rows) = (names.table(), names.owner.shadow_name("rows"));
        let reason = format!(
            "row {} of node {} is missing or has another vector: INSERT INTO {table}({table}) VALUES ('rebuild') mends the index; \
             delete from {table}, not from {rows}",
            hit.rowid, hit.node
        );
        Ok(Error::corrupt(rows, reason))
    }
}

impl Drop for Knn<'_> {
    fn drop(&mut self) {
        self.rest();
    }
}

fn read_k(table: &str, value: Value<'_>) -> Result<u64> {
    value
        .whole()
        .and_then(|k| u64::try_from(k).ok())
        .ok_or_else(|| Error::invalid(format!("{table}.k: expected a whole number from 0 on, got {}", value.shown())))
}

fn read_ef(table: &str, value: Value<'_>) -> Result<Ef> {
    let range = Params::EF_RANGE;
    match value.content() {
        Content::Text(b"exact") => Some(Ef::Exact),
        _ => value.whole().and_then(|ef| usize::try_from(ef).ok()).filter(|ef| range.contains(ef)).map(Ef::Window),
    }
    .ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        Error::invalid(format!("{table}.ef_search: expected {least} to {most} or 'exact', got {}", value.shown()))
    })
}
