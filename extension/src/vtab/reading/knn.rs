//! A search: returns rows nearest first, until SQLite stops asking.

use std::collections::HashSet;
use std::rc::Rc;

use super::arguments::{Arguments, GivenArguments};
use super::context::ReadContext;
use super::distance_terms::{DistanceTerms, Measure};
use super::graph_hits::Request;
use super::group_limit::{GroupLimit, GroupStatements};
use super::ranked_rows::RankedRows;
use super::result_row::ResultRow;
use super::scan::give_one;
use crate::error::{Error, Result};
use crate::format::node::NodeId;
use crate::hnsw::{Ef, Hit, Order, Params};
use crate::sqlite::{ColumnId, Content, Context, Kind, Pages, Parameter, Value, Values};
use crate::storage::shadow::CONFIG;
use crate::vtab::core::TableCore;
use crate::vtab::declaration::schema::{ColumnRef, VectorRef};
use crate::vtab::planning::plan::{Filter, FoundBy, KnnPlan};
use crate::vtab::rows::filter::RowsFilter;
use crate::vtab::rows::owned_value::OwnedValue;
use crate::vtab::rows::read::passes;
use crate::vtab::rows::selection::Selection;
use crate::vtab::rows::statement_cache::{CachedStatement, prepared};
use crate::vtab::search_counts::SearchRecord;
use crate::vtab::snapshot::Snapshot;
use crate::vtab::writing::vector_input::VectorInput;

pub struct Knn<'t> {
    context: &'t ReadContext,
    core: &'t TableCore,
    arguments: Arguments,
    /// The searched column.
    vector: VectorRef<'t>,
    order: Order,
    distances: DistanceTerms,
    /// The rows that k still allows.
    remaining: u64,
    counted: Counted<'t>,
    /// None if no row can be returned.
    ranked: Option<RankedRows>,
    /// The search continued one of an earlier page.
    is_resumed: bool,
    /// The connection's pages when the search began.
    pages: Pages,
    /// The hits that `ranked` has returned.
    position: usize,
    /// Tests whether a row passes the filter, if the search needs it.
    test: Option<CachedStatement<'t>>,
    /// Count the rows of a group.
    groups: GroupStatements<'t>,
    /// Looks up the row of a hit.
    presence: Option<CachedStatement<'t>>,
    /// The rows that were returned; set once this connection has changed rows during the search.
    given: Option<HashSet<i64>>,
    hit: Option<Hit>,
    row: ResultRow<'t>,
    /// SQLite skips the first rows (OFFSET). They are not looked up.
    skips_rows: bool,
    /// The snapshot that the search sees, if its rows may be cached.
    snapshot: Option<Snapshot>,
    /// `Transaction::writes` and `VectorColumn::renumberings` when the search began.
    began: u64,
    began_renumberings: u64,
    /// The same when the current hit was found. The hit's node is valid while that is unchanged.
    writes: u64,
}

/// Terms that exclude no row, but k counts only rows that pass them.
#[derive(Default)]
struct Counted<'t> {
    distances: DistanceTerms,
    filter: RowsFilter,
    test: Option<CachedStatement<'t>>,
}

impl<'t> Counted<'t> {
    fn new(core: &TableCore, params: &Params, terms: &[Filter], arguments: Values<'_>) -> Result<Counted<'t>> {
        let similarity = Measure::Similarity(params.metric, params.dims);
        let measure = |term: &Filter| match core.schema.column(term.column?)? {
            ColumnRef::Distance => Some(Measure::Distance),
            ColumnRef::Similarity => Some(similarity),
            _ => None,
        };
        let (filters, measured) = terms.split_at(terms.iter().take_while(|term| measure(term).is_none()).count());
        let mut distances = DistanceTerms::default();
        for (position, term) in measured.iter().enumerate() {
            if let Some(measure) = measure(term) {
                distances.push(measure, term.comparison, arguments.at(filters.len() + position)?);
            }
        }
        let filter = read_filter(core, filters, arguments)?;
        Ok(Counted { distances, filter, test: None })
    }

    fn counts(&mut self, core: &'t TableCore, hit: &Hit) -> Result<bool> {
        let Counted { distances, filter, test } = self;
        if distances.is_never() || filter.is_never || !distances.admits(hit.distance) {
            return Ok(false);
        }
        Ok(filter.sql.is_empty() || passes(prepared(test, || core.rows.filter_test(filter))?, hit.rowid.0)?)
    }
}

impl<'t> Knn<'t> {
    pub fn start(context: &'t ReadContext, plan: &KnnPlan, values: Values<'_>) -> Result<Knn<'t>> {
        let core = &context.core;
        let names = core.names()?;
        let vector = core.schema.vector(plan.ordinal);
        let vector = vector.ok_or_else(|| Error::internal("a search of a column that is not there"))?;
        let input = VectorInput::new(names.table(), vector);
        let (given, values) = GivenArguments::read(names.table(), plan, values)?;
        let remaining = given.k.map_or(Ok(u64::MAX), |value| read_k(names.table(), value))?;
        let ef = given.ef_search.map(|value| read_ef(names.table(), value)).transpose()?;
        let limit_groups = |by| GroupLimit::new(names.table(), &core.schema, by, given.group_limit);
        let group_limit = given.group_by.map(limit_groups).transpose()?;
        let components = given.query.map_or(Ok(None), |value| input.query(value))?;
        let (distances, values) = bounds(plan, vector.params, values)?;
        let filter = read_filter(core, &plan.filters, values)?;
        let counted = Counted::new(core, vector.params, &plan.counted, values.skip(plan.filters.len()))?;
        let group_limit = group_limit.map(|limit| limit.counting(counted.filter.clone()));
        let mut knn = Knn {
            context,
            core,
            arguments: given.kept(),
            vector,
            order: plan.order,
            distances,
            remaining,
            counted: if plan.has_k { counted } else { Counted::default() },
            ranked: None,
            is_resumed: false,
            pages: Pages::default(),
            position: 0,
            test: None,
            groups: GroupStatements::default(),
            presence: None,
            given: None,
            hit: None,
            row: ResultRow::new(&core.schema, Selection::new(&core.schema, plan.columns), vector),
            skips_rows: plan.has_offset,
            snapshot: None,
            began: 0,
            began_renumberings: 0,
            writes: 0,
        };
        if let Some(query) = &knn.arguments.query {
            context.match_test.note_search(query);
        }
        if let Some(query) = components
            && remaining > 0
            && !filter.is_never
            && !knn.distances.is_never()
        {
            let (ordinal, order) = (vector.ordinal, plan.order);
            let access_path = match plan.found_by {
                FoundBy::Partial => core.rows.explain(ordinal, &filter.sql, |sql| filter.bind(sql))?.access_path(),
                _ => plan.found_by.access_path(),
            };
            knn.begin(ef, |ef| Request { ordinal, order, ef, query, filter, access_path, group_limit })?;
            knn.next()?;
        }
        Ok(knn)
    }

    /// Begins the search, or continues one that an earlier page suspended.
    fn begin(&mut self, ef: Option<Ef>, request: impl FnOnce(Ef) -> Request) -> Result<()> {
        let core = self.core;
        core.sync()?;
        self.pages = core.db.pages();
        self.began = core.transaction.writes();
        self.began_renumberings = self.renumberings()?;
        core.with_vector(self.vector.ordinal, |vector| vector.refresh())?;
        let ef = match ef {
            Some(ef) => ef,
            None => self.stored_ef()?,
        };
        let request = request(ef);
        let snapshot = core.snapshot(self.vector.ordinal)?;
        // As with nodes, a process that asks for one page keeps nothing.
        let is_warm = core.with_vector(self.vector.ordinal, |vector| vector.has_node_cache())?;
        self.snapshot = snapshot.filter(|_| is_warm);
        if let Some(mut ranked) = snapshot.and_then(|snapshot| self.context.search_cache.take(&request, snapshot))
            && ranked.resume(core)?
        {
            self.ranked = Some(ranked);
            self.is_resumed = true;
            return Ok(());
        }
        let (_, rows) = core.with_vector(self.vector.ordinal, |vector| vector.graph())?;
        let mut ranked = RankedRows::new(request, snapshot, rows);
        ranked.begin(core, &mut self.test)?;
        self.ranked = Some(ranked);
        Ok(())
    }

    /// The default `ef_search` in the file. Read each time: another connection may have changed it, and pages must
    /// agree.
    fn stored_ef(&self) -> Result<Ef> {
        let owner = &self.core.names()?.owner;
        let sql = format!("SELECT value FROM {} WHERE key = ?1", owner.shadow(CONFIG));
        let mut stored = self.core.rows.statements.reading(sql)?;
        let key = self.vector.ordinal.config_key("ef_search");
        let ef = stored.query_one(&[Parameter::Text(&key)], |row| Ok(row.column_i64(0)))?;
        match ef.and_then(|ef| usize::try_from(ef).ok()).filter(|ef| Params::EF_RANGE.contains(ef)) {
            Some(ef) => Ok(Ef::Stored(ef)),
            None => {
                let (least, most) = (Params::EF_RANGE.start(), Params::EF_RANGE.end());
                let got = ef.map(|ef| format!("expected {least} to {most}, got {ef}"));
                let entry = format!("{}.{key}", owner.shadow_name(CONFIG));
                Err(Error::corrupt(entry, got.unwrap_or_else(|| "the entry is missing".to_string())))
            }
        }
    }

    /// Moves to the next row.
    pub fn next(&mut self) -> Result<()> {
        if !self.skips_rows {
            self.check_row()?;
        }
        self.row.leave();
        self.hit = None;
        while self.remaining > 0 {
            let Some(ranked) = &mut self.ranked else { break };
            let mut hit = match ranked.at(self.position, self.core, &mut self.test, &mut self.groups) {
                Ok(Some(hit)) => hit,
                Ok(None) => break,
                Err(error) => {
                    // A search that stopped half-way may have lost a hit, so it is not continued.
                    self.ranked = None;
                    return Err(error);
                }
            };
            self.position += 1;
            if self.began != self.core.transaction.writes() {
                match self.still_due(hit)? {
                    Some(due) => hit = due,
                    None => continue,
                }
            }
            if self.order == Order::Strict && self.distances.end_before(hit.distance) {
                // Under ORDER BY distance no nearer row can follow.
                break;
            }
            if !self.distances.admits(hit.distance) || self.is_gone_from_content(&hit)? {
                continue;
            }
            self.remaining -= u64::from(self.counted.counts(self.core, &hit)?);
            self.writes = self.core.transaction.writes();
            self.hit = Some(hit);
            if self.row.has_no_columns() {
                self.check_row()?;
            }
            break;
        }
        if self.hit.is_none() {
            // Closes the open BLOB at once.
            self.keep_search();
        }
        Ok(())
    }

    /// The hit, if its row still exists with its vector and was not returned before. Asked once this connection has
    /// changed rows during the search.
    fn still_due(&mut self, hit: Hit) -> Result<Option<Hit>> {
        let Some(ranked) = &self.ranked else { return Ok(Some(hit)) };
        let before = self.position.saturating_sub(1);
        let node = match self.core.schema.content {
            // A logged row has no node yet.
            Some(_) => self.core.rows.has_row(hit.rowid.0)?.then_some(hit.node),
            None => self.core.rows.node_of(hit.rowid.0, self.vector.ordinal)?,
        };
        // Another vector has another node, and its own place in the order.
        let is_renumbered = self.renumberings()? != self.began_renumberings;
        let Some(node) = node.filter(|node| *node == hit.node || is_renumbered) else { return Ok(None) };
        let given = self.given.get_or_insert_with(|| ranked.given(before).iter().copied().collect());
        Ok(given.insert(hit.rowid.0).then_some(Hit { node, ..hit }))
    }

    fn renumberings(&self) -> Result<u64> {
        self.core.with_vector(self.vector.ordinal, |vector| Ok(vector.renumberings()))
    }

    /// Whether the row of a hit has vanished from the content table without a trigger, as by REPLACE. The row is read for
    /// the statement's columns as well.
    fn is_gone_from_content(&mut self, hit: &Hit) -> Result<bool> {
        let is_known = self.ranked.as_ref().is_some_and(|ranked| self.position <= ranked.rows_seen);
        if self.core.schema.content.is_none() || is_known {
            return Ok(false);
        }
        let is_there = self.row.read(self.context, hit.rowid.0, None, self.snapshot)?;
        if is_there {
            self.note_row_seen();
        } else {
            self.row.leave();
        }
        Ok(!is_there)
    }

    /// Keeps the search for the next page, if it would return the same rows again.
    fn keep_search(&mut self) {
        self.test = None;
        self.groups.clear();
        self.presence = None;
        self.counted.test = None;
        let Some(mut ranked) = self.ranked.take() else { return };
        self.count(&mut ranked);
        let is_kept = ranked.suspend() && self.began == self.core.transaction.writes();
        if is_kept && self.core.snapshot(self.vector.ordinal).is_ok_and(|snapshot| snapshot == ranked.snapshot()) {
            self.context.search_cache.put(ranked);
        }
    }

    /// Adds the search to the counters of the table.
    fn count(&self, ranked: &mut RankedRows) {
        let mut effort = ranked.take_effort();
        let pages = self.core.db.pages();
        effort.pages.asked = pages.asked.saturating_sub(self.pages.asked);
        effort.pages.missed = pages.missed.saturating_sub(self.pages.missed);
        let record = SearchRecord { is_resumed: self.is_resumed, ways: ranked.ways(), effort };
        self.core.search_counts.add(self.vector.ordinal, record);
    }

    /// Whether there is no further row.
    pub fn is_at_end(&self) -> bool {
        self.hit.is_none()
    }

    fn current(&self) -> Result<Hit> {
        self.hit.ok_or_else(|| Error::internal("a search that stands on no row"))
    }

    /// The rowid of the current row.
    pub fn rowid(&self) -> Result<i64> {
        Ok(self.current()?.rowid.0)
    }

    /// The distance of the current row.
    pub fn distance(&self) -> Result<f64> {
        Ok(self.current()?.distance)
    }

    /// None under a metric that has none.
    pub fn similarity(&self) -> Result<Option<f64>> {
        let distance = self.distance()?;
        Ok(self.vector.params.metric.similarity(distance, self.vector.params.dims))
    }

    /// The query vector, if `column` is the searched one.
    pub fn query_of(&self, column: ColumnId) -> Option<&Rc<OwnedValue>> {
        self.arguments.query.as_ref().filter(|_| column == self.vector.id)
    }

    /// The arguments as given.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Sets the result to an ordinary column of the current row, and returns its kind.
    pub fn ordinary(&mut self, context: &Context<'_>, column: ColumnId) -> Result<Option<Kind>> {
        let Some(position) = self.row.position(column) else {
            return give_one(self.core, self.rowid()?, column, context);
        };
        let content = self.read_row(position)?;
        if let Some(content) = content {
            context.content(content);
        }
        Ok(content.map(|content| content.kind()))
    }

    /// The node of a vector column in the current row; None for NULL.
    pub fn node(&mut self, vector: VectorRef<'_>) -> Result<Option<NodeId>> {
        let hit = self.current()?;
        if vector.ordinal == self.vector.ordinal && self.writes == self.core.transaction.writes() {
            return Ok(Some(hit.node));
        }
        let rows = &self.core.rows;
        let Some(position) = self.row.position(vector.id) else { return rows.node_of(hit.rowid.0, vector.ordinal) };
        match self.read_row(position)? {
            Some(content) => rows.node_in(content),
            None => Ok(None),
        }
    }

    /// A column of the row, which is read once; None if the row is gone.
    fn read_row(&mut self, position: usize) -> Result<Option<Content<'_>>> {
        let hit = self.current()?;
        if self.row.is_unread() {
            let is_own = self.core.schema.content.is_none();
            let is_unchanged = is_own && self.writes == self.core.transaction.writes();
            let node = is_unchanged.then_some(hit.node);
            if !self.row.read(self.context, hit.rowid.0, node, self.snapshot)? && is_unchanged {
                return Err(self.missing_row(&hit)?);
            }
            self.note_row_seen();
        }
        Ok(self.row.content(position))
    }

    /// Refuses a hit whose row is gone. Looks the row up if no column of it was read and no filter has tested it.
    fn check_row(&mut self) -> Result<()> {
        let (Some(hit), Some(ranked)) = (self.hit, &self.ranked) else { return Ok(()) };
        if self.core.schema.content.is_some() {
            return Ok(());
        }
        let is_filtered = !ranked.request().filter.sql.is_empty();
        let is_seen = !self.row.is_unread() || is_filtered || self.position <= ranked.rows_seen;
        if is_seen || self.writes != self.core.transaction.writes() {
            return Ok(());
        }
        if !self.is_there(&hit)? {
            return Err(self.missing_row(&hit)?);
        }
        self.note_row_seen();
        Ok(())
    }

    fn note_row_seen(&mut self) {
        if let Some(ranked) = self.ranked.as_mut().filter(|ranked| ranked.rows_seen + 1 == self.position) {
            ranked.rows_seen = self.position;
        }
    }

    /// Whether the row of a hit exists and has its node.
    fn is_there(&mut self, hit: &Hit) -> Result<bool> {
        let rows = &self.core.rows;
        let presence = prepared(&mut self.presence, || rows.node_test(self.vector.ordinal))?;
        presence.bind_i64(1, hit.rowid.0)?;
        presence.bind_i64(2, i64::from(hit.node.0))?;
        let is_there = presence.step();
        presence.reset();
        is_there
    }

    fn missing_row(&self, hit: &Hit) -> Result<Error> {
        Ok(self.core.names()?.missing_row(&format!("row {} of node {}", hit.rowid, hit.node)))
    }
}

impl Drop for Knn<'_> {
    fn drop(&mut self) {
        self.keep_search();
    }
}

/// The terms on distance and similarity, and the values behind theirs.
fn bounds<'v>(plan: &KnnPlan, params: &Params, values: Values<'v>) -> Result<(DistanceTerms, Values<'v>)> {
    let on_distance = plan.distances.iter().map(|comparison| (Measure::Distance, *comparison));
    let similarity = Measure::Similarity(params.metric, params.dims);
    let on_similarity = plan.similarities.iter().map(|comparison| (similarity, *comparison));
    let mut bounds = DistanceTerms::default();
    for (position, (measure, comparison)) in on_distance.chain(on_similarity).enumerate() {
        bounds.push(measure, comparison, values.at(position)?);
    }
    Ok((bounds, values.skip(plan.distances.len() + plan.similarities.len())))
}

fn read_filter(core: &TableCore, terms: &[Filter], arguments: Values<'_>) -> Result<RowsFilter> {
    let mut filter = RowsFilter::new(&core.schema, terms, arguments)?;
    filter.ignores_case = filter.has_patterns && core.like_ignores_case()?;
    Ok(filter)
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
