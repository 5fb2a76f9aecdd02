//! A search: rows nearest first, for as long as SQLite asks.

use std::collections::HashSet;

use super::plan::KnnPlan;
use super::planner::is_indexed;
use super::pool::Pooled;
use super::rows_filter::{Kept, RowsFilter};
use super::scan::Selection;
use super::table::HnswTable;
use crate::error::{Error, Result};
use crate::filter::strategy::{Observed, ProbeResult, Strategy, choose};
use crate::hnsw::Params;
use crate::sqlite::{Content, Context, Parameter, Value, Values, quote_identifier};
use crate::storage::vector_column::{ColumnSearch, Ef, Hit, Order};

/// The arguments as they came, for SQLite to test again.
#[derive(Debug, Default)]
pub struct Arguments {
    pub query: Option<Kept>,
    pub k: Option<Kept>,
    pub ef_search: Option<Kept>,
}

pub struct Knn<'t> {
    table: &'t HnswTable,
    arguments: Arguments,
    /// The vector column: its number in the table, and its ordinal.
    column: usize,
    ordinal: usize,
    order: Order,
    /// `distance <` and `<=` terms: rows beyond the nearest of them are not wanted.
    bound: f64,
    /// Rows that may still come: k, less those given.
    remaining: u64,
    query: Vec<f32>,
    source: Source,
    filter: Filtering<'t>,
    /// The rows given, in case that the walk turns into a ranking of the rest, or rows change under it.
    given: Vec<i64>,
    /// The same, once rows have changed.
    given_set: Option<HashSet<i64>>,
    last_given: Option<(f64, i64)>,
    hit: Option<Hit>,
    row: Row<'t>,
    /// `Transaction::writes` when the current hit was found: its node is good for as long as that stands.
    writes: u64,
    /// The same when the search began.
    began: u64,
}

enum Source {
    Nothing,
    Search(Box<ColumnSearch>),
    Ranked(std::vec::IntoIter<Hit>),
}

/// The filter of a search, and what is known of it.
struct Filtering<'t> {
    clauses: RowsFilter,
    /// Tests one row; there while the graph is walked under a filter.
    test: Option<Pooled<'t>>,
    observed: Observed,
}

/// The other columns of the row that the search stands on, read when the first of them is asked for.
struct Row<'t> {
    selection: Selection,
    statement: Option<Pooled<'t>>,
    state: RowState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RowState {
    Unread,
    Read,
    /// A statement of this connection deleted it after the search found it.
    Gone,
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
        let mut bound = f64::INFINITY;
        for _ in 0..plan.bounds {
            bound = next(true)?.map_or(bound, |value| bound.min(upper_bound(value)));
        }
        let remaining = k.map_or(Ok(u64::MAX), |value| read_k(names.table(), value))?;
        let ef = ef_search.map(|value| read_ef(names.table(), value)).transpose()?;
        let components = query.map_or(Ok(None), |value| place.query(value))?;
        let clauses = RowsFilter::new(&table.schema, &plan.filters, arguments.skip(position))?;
        let observed = Observed { is_indexed: is_indexed(&table.schema, &plan.filters), ..Observed::default() };
        let is_nothing = components.is_none() || remaining == 0 || clauses.is_never;
        let mut knn = Knn {
            table,
            arguments: Arguments { query: kept(query), k: kept(k), ef_search: kept(ef_search) },
            column: plan.column,
            ordinal,
            order: plan.order,
            bound,
            remaining,
            query: components.unwrap_or_default(),
            source: Source::Nothing,
            filter: Filtering { clauses, test: None, observed },
            given: Vec::new(),
            given_set: None,
            last_given: None,
            hit: None,
            row: Row {
                selection: Selection::new(&table.schema, plan.columns).without(plan.column),
                statement: None,
                state: RowState::Unread,
            },
            writes: 0,
            began: 0,
        };
        if !is_nothing {
            knn.begin(ef)?;
            knn.next()?;
        }
        Ok(knn)
    }

    /// Takes up the state of the database and chooses how to search.
    fn begin(&mut self, ef: Option<Ef>) -> Result<()> {
        self.table.transaction.sync(self.table)?;
        self.began = self.table.transaction.writes();
        self.table.with_vector(self.ordinal, |vector| vector.refresh())?;
        let ef = match ef {
            Some(ef) => ef,
            None => self.stored_ef()?,
        };
        if self.filter.clauses.sql.is_empty() {
            return self.walk(ef);
        }
        if let Strategy::Probe { limit } = choose(self.filter.observed) {
            let nodes = self.matching(Some(limit + 1))?;
            let result = if nodes.len() > limit { ProbeResult::Many } else { ProbeResult::Few };
            self.filter.observed.probe = Some(result);
            if choose(self.filter.observed) == Strategy::Exact {
                return self.rank(&nodes);
            }
        }
        let names = self.table.names()?;
        let (rowid, filter) = (quote_identifier(self.table.schema.rowid_name()), self.filter.clauses.and_sql());
        let sql = format!("SELECT 1 FROM {} WHERE {rowid} = ?1{filter}", names.rows);
        let mut test = self.table.statements.reading(sql)?;
        self.filter.clauses.bind(&mut test)?;
        self.filter.test = Some(test);
        self.walk(ef)
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

    fn walk(&mut self, ef: Ef) -> Result<()> {
        let search = self.table.with_vector(self.ordinal, |vector| vector.search(&self.query, ef, self.order))?;
        self.source = Source::Search(Box::new(search));
        Ok(())
    }

    fn rank(&mut self, rows: &[(i64, u32)]) -> Result<()> {
        let hits = self.table.with_vector(self.ordinal, |vector| vector.rank(&self.query, rows))?;
        self.source = Source::Ranked(hits.into_iter());
        Ok(())
    }

    /// The rows that pass the filter, with their nodes, up to `limit`.
    fn matching(&self, limit: Option<usize>) -> Result<Vec<(i64, u32)>> {
        let table = self.table;
        let name = table.schema.columns.get(self.column).map_or("", |column| column.name.as_str());
        let node = quote_identifier(name);
        let filter = self.filter.clauses.and_sql();
        let (key, from) = (quote_identifier(table.schema.rowid_name()), &table.names()?.rows);
        let sql = format!("SELECT {key}, {node} FROM {from} WHERE {node} IS NOT NULL{filter} LIMIT ?1");
        let mut rows = table.statements.reading(sql)?;
        self.filter.clauses.bind(&mut rows)?;
        rows.bind_i64(1, limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1))?;
        let mut nodes = Vec::new();
        while rows.step()? {
            nodes.extend(table.node_at(&rows, 1)?.map(|node| (rows.column_i64(0), node)));
            if nodes.len() % 4096 == 0 {
                table.db.check_interrupt()?;
            }
        }
        Ok(nodes)
    }

    pub fn next(&mut self) -> Result<()> {
        self.row.leave();
        self.hit = None;
        while self.remaining > 0 {
            let Some(hit) = self.pull()? else { break };
            if self.began != self.table.transaction.writes() && !self.is_still_due(&hit)? {
                continue;
            }
            if hit.distance > self.bound {
                // Under ORDER BY distance nothing nearer can follow.
                match self.order {
                    Order::Strict => break,
                    Order::Relaxed => continue,
                }
            }
            self.remaining -= 1;
            self.last_given = Some((hit.distance, hit.rowid));
            self.given.push(hit.rowid);
            self.writes = self.table.transaction.writes();
            self.hit = Some(hit);
            break;
        }
        if self.hit.is_none() {
            // Ends the read of the node table at once.
            self.source = Source::Nothing;
        }
        Ok(())
    }

    /// After this connection changed rows under the search: whether the row is there, and was not given before.
    fn is_still_due(&mut self, hit: &Hit) -> Result<bool> {
        let given = self.given_set.get_or_insert_with(|| self.given.iter().copied().collect());
        Ok(given.insert(hit.rowid) && self.table.node_of(hit.rowid, self.column)?.is_some())
    }

    fn pull(&mut self) -> Result<Option<Hit>> {
        let search = match &mut self.source {
            Source::Nothing => return Ok(None),
            Source::Ranked(hits) => return Ok(hits.next()),
            Source::Search(search) => search,
        };
        let Some(test) = &mut self.filter.test else {
            return self.table.with_vector(self.ordinal, |vector| vector.next(search, &mut |_| Ok(true)));
        };
        let observed = &mut self.filter.observed;
        observed.given = self.given.len() as u64;
        let mut must_change = false;
        let mut accept = |rowid: i64| {
            test.bind_i64(1, rowid)?;
            let passes = test.step();
            test.reset();
            let passes = passes?;
            observed.refused += u64::from(!passes);
            must_change = choose(*observed) == Strategy::ExactForTheRest;
            Ok(passes || must_change)
        };
        let hit = self.table.with_vector(self.ordinal, |vector| vector.next(search, &mut accept))?;
        if must_change {
            // The last row was let through only to get here.
            self.rank_the_rest()?;
            return self.pull();
        }
        Ok(hit)
    }

    /// Goes on exactly, over the matching rows that were not given yet.
    fn rank_the_rest(&mut self) -> Result<()> {
        self.filter.test = None;
        let nodes = self.matching(None)?;
        let mut hits = self.table.with_vector(self.ordinal, |vector| vector.rank(&self.query, &nodes))?;
        let given: HashSet<i64> = self.given.iter().copied().collect();
        hits.retain(|hit| !given.contains(&hit.rowid));
        if let (Order::Strict, Some(last)) = (self.order, self.last_given) {
            hits.retain(|hit| (hit.distance, hit.rowid) > last);
        }
        self.source = Source::Ranked(hits.into_iter());
        Ok(())
    }

    pub fn is_at_end(&self) -> bool {
        self.hit.is_none()
    }

    fn current(&self) -> Result<Hit> {
        self.hit.ok_or_else(|| Error::internal("a search that stands on no row"))
    }

    pub fn rowid(&self) -> Result<i64> {
        Ok(self.current()?.rowid)
    }

    pub fn distance(&self) -> Result<f64> {
        Ok(self.current()?.distance)
    }

    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    pub fn ordinary(&mut self, context: &Context<'_>, column: usize) -> Result<()> {
        let Some(position) = self.row.selection.position(column) else {
            return self.table.read_one(self.rowid()?, column, |row| {
                context.value(row.column_value(0));
                Ok(())
            });
        };
        if let Some(row) = self.read_row()? {
            context.value(row.column_value(position));
        }
        Ok(())
    }

    /// The node of a vector column; None for NULL.
    pub fn node(&mut self, column: usize) -> Result<Option<u32>> {
        let hit = self.current()?;
        if column == self.column && self.writes == self.table.transaction.writes() {
            return Ok(Some(hit.node));
        }
        let table = self.table;
        let Some(position) = self.row.selection.position(column) else { return table.node_of(hit.rowid, column) };
        match self.read_row()? {
            Some(row) => table.node_at(row, position),
            None => Ok(None),
        }
    }

    /// The row, read once; None if it is gone.
    fn read_row(&mut self) -> Result<Option<&Pooled<'t>>> {
        let hit = self.current()?;
        if self.row.state == RowState::Unread {
            let found = self.row.read(self.table, hit.rowid)?;
            if !found && self.writes == self.table.transaction.writes() {
                let rows = self.table.names()?.owner.shadow_name("rows");
                return Err(Error::corrupt(
                    rows,
                    format!("row {} is missing, which node {} names", hit.rowid, hit.node),
                ));
            }
        }
        Ok(self.row.statement.as_ref().filter(|_| self.row.state == RowState::Read))
    }
}

impl<'t> Row<'t> {
    /// Reads the row; false if there is none.
    fn read(&mut self, table: &'t HnswTable, rowid: i64) -> Result<bool> {
        if self.statement.is_none() {
            let (names, schema) = (table.names()?, &table.schema);
            let (columns, key) = (self.selection.sql(schema), quote_identifier(schema.rowid_name()));
            let sql = format!("SELECT {columns} FROM {} WHERE {key} = ?1", names.rows);
            self.statement = Some(table.statements.reading(sql)?);
        }
        let Some(statement) = &mut self.statement else { return Ok(false) };
        statement.bind_i64(1, rowid)?;
        let found = statement.step()?;
        self.state = if found { RowState::Read } else { RowState::Gone };
        Ok(found)
    }

    fn leave(&mut self) {
        if self.state != RowState::Unread
            && let Some(statement) = &mut self.statement
        {
            statement.reset();
        }
        self.state = RowState::Unread;
    }
}

/// What a `distance <` or `<=` term allows at most. SQLite tests the term again, so that more may be let through.
fn upper_bound(value: Value<'_>) -> f64 {
    match value.content() {
        Content::Integer(bound) => bound as f64,
        Content::Real(bound) => bound,
        _ => f64::INFINITY,
    }
}

fn read_k(table: &str, value: Value<'_>) -> Result<u64> {
    match value.content() {
        Content::Integer(k) if k >= 0 => Ok(k.cast_unsigned()),
        _ => Err(Error::invalid(format!("{table}.k: expected a whole number from 0 on, got {}", shown(value)))),
    }
}

fn read_ef(table: &str, value: Value<'_>) -> Result<Ef> {
    let range = Params::EF_RANGE;
    match value.content() {
        Content::Integer(ef) => usize::try_from(ef).ok().filter(|ef| range.contains(ef)).map(Ef::Window),
        Content::Text(b"exact") => Some(Ef::Exact),
        _ => None,
    }
    .ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        Error::invalid(format!("{table}.ef_search: expected {least} to {most} or 'exact', got {}", shown(value)))
    })
}

fn shown(value: Value<'_>) -> String {
    match value.content() {
        Content::Integer(number) => number.to_string(),
        Content::Real(number) => number.to_string(),
        Content::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
        Content::Null | Content::Blob(_) => value.kind().name().to_string(),
    }
}
