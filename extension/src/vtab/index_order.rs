//! The rows of a table in the order of an index, kept in memory: what a filter on indexed columns admits is then a range of
//! places in it, found by the range's two ends, and a row is tested by its place.
//!
//! Reading a whole index costs as much as some filters that each read a part of it. So a connection reads it when, in one
//! committed state of the file, its filters have cost as much; whoever asks one page never does. What a filter admits
//! does not depend on it.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use super::feed::{Request, State};
use super::gather::{self, Gathered};
use super::rows_filter::RangeTerm;
use super::table::HnswTable;
use crate::error::Result;
use crate::format::node::{NodeId, RowNode};
use crate::sqlite::{Statement, quote_identifier};

/// What the orders of one table may take in a connection's memory.
const MOST_BYTES: usize = 64 << 20;
const NO_PLACE: u32 = u32::MAX;

/// What a test of one row by SQL costs, in rows that an index gives.
pub const TEST_COST: u64 = 20;

/// The rows with a vector in the order of an index.
#[derive(Debug)]
struct IndexOrder {
    rows: Vec<RowNode>,
    /// The place of each node, from `first` on.
    places: Vec<u32>,
    first: u32,
}

impl IndexOrder {
    /// None if the nodes lie so far apart, as in a file that was made to harm, that the places would take too much memory,
    /// or if a node comes twice.
    fn new(rows: Vec<RowNode>) -> Option<IndexOrder> {
        let nodes = || rows.iter().map(|row| row.node.0);
        let first = nodes().min().unwrap_or(0);
        let span = nodes().max().map_or(0, |last| (last - first) as usize + 1);
        if rows.len() * size_of::<RowNode>() + span * size_of::<u32>() > MOST_BYTES {
            return None;
        }
        let mut places = vec![NO_PLACE; span];
        for (place, node) in (0..).zip(nodes()) {
            let slot = places.get_mut((node - first) as usize)?;
            if *slot != NO_PLACE {
                return None;
            }
            *slot = place;
        }
        Some(IndexOrder { rows, places, first })
    }

    fn place(&self, node: NodeId) -> Option<u32> {
        self.places.get(node.0.wrapping_sub(self.first) as usize).copied().filter(|&place| place != NO_PLACE)
    }

    fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<RowNode>() + self.places.capacity() * size_of::<u32>()
    }
}

/// The vector column and the ordinary one, by their numbers in the table.
type Key = (usize, usize);

enum Known {
    /// Rows that were read, or as good as read, without it.
    Spent(u64),
    Order(Rc<IndexOrder>),
    /// It cannot be had.
    Never,
}

/// The orders of one table in one committed state.
#[derive(Default)]
pub struct IndexOrders {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    commits: u32,
    known: Vec<(Key, Known)>,
}

impl IndexOrders {
    /// Calls `work` with what is known of a column in `state`.
    fn with<T>(&self, state: State, key: Key, work: impl FnOnce(&mut Known) -> T) -> Option<T> {
        let mut inner = self.inner.try_borrow_mut().ok()?;
        if inner.commits != state.commits {
            *inner = Inner { commits: state.commits, known: Vec::new() };
        }
        let position = match inner.known.iter().position(|(known, _)| *known == key) {
            Some(position) => position,
            None => {
                inner.known.push((key, Known::Spent(0)));
                inner.known.len() - 1
            }
        };
        inner.known.get_mut(position).map(|(_, known)| work(known))
    }

    /// Tells that a filter cost as much as reading `rows` rows.
    pub fn spend(&self, request: &Request, state: State, rows: u64) {
        for term in request.filter.range_terms().unwrap_or_default() {
            self.with(state, (request.column, term.column), |known| {
                if let Known::Spent(spent) = known {
                    *spent = spent.saturating_add(rows);
                }
            });
        }
    }

    fn bytes(&self) -> usize {
        let bytes = |(_, known): &(Key, Known)| if let Known::Order(order) = known { order.bytes() } else { 0 };
        self.inner.try_borrow().map_or(usize::MAX, |inner| inner.known.iter().map(bytes).sum())
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.inner.take();
    }
}

/// The rows that a filter admits: those that every column admits.
#[derive(Debug)]
pub struct Ranges {
    columns: Vec<ColumnRanges>,
}

/// Places in the order of one column's index, as ranges without overlap.
#[derive(Debug)]
struct ColumnRanges {
    order: Rc<IndexOrder>,
    ranges: Vec<Range<u32>>,
}

impl ColumnRanges {
    fn contains(&self, node: NodeId) -> bool {
        self.order.place(node).is_some_and(|place| self.ranges.iter().any(|range| range.contains(&place)))
    }

    fn count(&self) -> usize {
        self.ranges.iter().map(ExactSizeIterator::len).sum()
    }

    fn rows(&self) -> impl Iterator<Item = RowNode> {
        let slice = |range: &Range<u32>| self.order.rows.get(range.start as usize..range.end as usize);
        self.ranges.iter().filter_map(slice).flatten().copied()
    }
}

impl Ranges {
    pub fn contains(&self, node: NodeId) -> bool {
        self.columns.iter().all(|column| column.contains(node))
    }

    /// The rows, or None if they are more than `limit`.
    pub fn rows(&self, limit: Option<usize>) -> Option<Vec<RowNode>> {
        let narrowest = self.columns.iter().min_by_key(|column| column.count())?;
        let limit = limit.unwrap_or(usize::MAX);
        let is_alone = self.columns.len() == 1;
        if is_alone && narrowest.count() > limit {
            return None;
        }
        let admitted = narrowest.rows().filter(|row| is_alone || self.contains(row.node));
        let rows: Vec<RowNode> = admitted.take(limit.saturating_add(1)).collect();
        (rows.len() <= limit).then_some(rows)
    }
}

impl HnswTable {
    /// What a filter admits, if it is on indexed columns alone whose orders are known, or should be by now. `rows`: those
    /// with a vector.
    pub(super) fn ranges(&self, request: &Request, state: State, rows: u64) -> Result<Option<Ranges>> {
        let Some(terms) = request.filter.range_terms() else { return Ok(None) };
        let mut columns = Vec::with_capacity(terms.len());
        for term in terms {
            let Some(order) = self.index_order(request.column, term.column, state, rows)? else { return Ok(None) };
            let Some(ranges) = self.places(request, term, &order)? else { return Ok(None) };
            columns.push(ColumnRanges { order, ranges });
        }
        Ok(Some(Ranges { columns }))
    }

    fn index_order(&self, vector: usize, column: usize, state: State, rows: u64) -> Result<Option<Rc<IndexOrder>>> {
        let orders = &self.shelf.orders;
        let known = orders.with(state, (vector, column), |known| match known {
            Known::Order(order) => (Some(Rc::clone(order)), false),
            Known::Spent(spent) => (None, *spent >= rows),
            Known::Never => (None, false),
        });
        let Some((None, true)) = known else { return Ok(known.and_then(|(order, _)| order)) };
        let order = self.read_order(vector, column)?.and_then(IndexOrder::new);
        let order = order.filter(|order| orders.bytes().saturating_add(order.bytes()) <= MOST_BYTES).map(Rc::new);
        orders.with(state, (vector, column), |known| {
            *known = order.clone().map_or(Known::Never, Known::Order);
        });
        Ok(order)
    }

    /// Rowids and nodes by the column; None if something in the index is no row of ours.
    fn read_order(&self, vector: usize, column: usize) -> Result<Option<Vec<RowNode>>> {
        // Without a limit SQLite might leave out the order, since an aggregate is all that asks.
        let sorted =
            format!("{} ORDER BY {} LIMIT -1", self.matching_sql(vector, "")?, self.index_columns(column, "")?);
        let mut gather = self.statements.reading(format!("SELECT {}(r, n, NULL) FROM ({sorted})", gather::NAME))?;
        match gather::run(&mut gather)? {
            Gathered::Rows(rows) => Ok(Some(rows)),
            Gathered::TooMany | Gathered::Wrong => Ok(None),
        }
    }

    /// The columns of the index on a column, as CREATE made it, each followed by `direction`. With the table's name, as
    /// a result column of the same name would come before them.
    fn index_columns(&self, column: usize, direction: &str) -> Result<String> {
        let rows = quote_identifier(&self.names()?.owner.shadow_name("rows"));
        let first = self.schema.columns.get(column).map(|column| column.name.as_str());
        let nodes = self.schema.vectors().map(|(_, column, _)| column.name.as_str());
        let names = first.into_iter().chain(nodes);
        let terms = names.map(|name| format!("{rows}.{}{direction}", quote_identifier(name)));
        Ok(terms.collect::<Vec<_>>().join(", "))
    }

    /// The places of the rows that a term admits; None if the order has other rows.
    fn places(&self, request: &Request, term: &RangeTerm, order: &IndexOrder) -> Result<Option<Vec<Range<u32>>>> {
        let mut ranges = Vec::with_capacity(term.ranges.len());
        for range in &term.ranges {
            let (mut ends, matching) = ([None; 2], self.matching_sql(request.column, &range.sql)?);
            for (end, direction) in ends.iter_mut().zip(["", " DESC"]) {
                let by = self.index_columns(term.column, direction)?;
                let mut nearest = self.statements.reading(format!("{matching} ORDER BY {by} LIMIT 1"))?;
                request.filter.bind_some(&mut nearest, range.values.clone())?;
                *end = self.node_of_first(&mut nearest)?;
            }
            let [Some(first), Some(last)] = ends else { continue };
            match (order.place(first), order.place(last)) {
                (Some(first), Some(last)) if first <= last => ranges.push(first..last.saturating_add(1)),
                _ => return Ok(None),
            }
        }
        // The members of a list come in any order, and one may come twice.
        ranges.sort_unstable_by_key(|range| range.start);
        ranges.dedup();
        let is_apart = ranges.windows(2).all(|pair| matches!(pair, [one, next] if one.end <= next.start));
        Ok(is_apart.then_some(ranges))
    }

    fn node_of_first(&self, rows: &mut Statement) -> Result<Option<NodeId>> {
        if rows.step()? { self.node_at(rows, 1) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::node::RowId;

    fn row(rowid: i64, node: u32) -> RowNode {
        RowNode { rowid: RowId(rowid), node: NodeId(node) }
    }

    fn order(nodes: &[u32]) -> Rc<IndexOrder> {
        Rc::new(IndexOrder::new(nodes.iter().map(|&node| row(i64::from(node) * 10, node)).collect()).unwrap())
    }

    #[test]
    fn a_row_has_one_place() {
        let order = order(&[7, 5, 9]);
        assert_eq!(
            [4, 5, 6, 7, 8, 9, 10].map(|node| order.place(NodeId(node))),
            [None, Some(1), None, Some(0), None, Some(2), None]
        );
        assert!(IndexOrder::new(vec![row(1, 5), row(2, 5)]).is_none(), "a node twice");
        assert!(IndexOrder::new(vec![row(1, 0), row(2, u32::MAX)]).is_none(), "nodes too far apart");
        assert!(IndexOrder::new(Vec::new()).is_some());
    }

    #[test]
    fn columns_are_intersected_and_lists_united() {
        let column = |order: &Rc<IndexOrder>, ends: &[(u32, u32)]| ColumnRanges {
            order: Rc::clone(order),
            ranges: ends.iter().map(|&(start, end)| start..end).collect(),
        };
        let (a, b) = (order(&[1, 2, 3, 4, 5, 6]), order(&[6, 4, 2, 1, 3, 5]));
        let one = Ranges { columns: vec![column(&a, &[(0, 2), (4, 6)])] };
        assert_eq!(one.rows(None), Some(vec![row(10, 1), row(20, 2), row(50, 5), row(60, 6)]));
        assert_eq!((one.rows(Some(4)).map(|rows| rows.len()), one.rows(Some(3))), (Some(4), None));
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 7].map(|node| one.contains(NodeId(node))),
            [true, true, false, false, true, true, false]
        );
        let both = Ranges { columns: vec![column(&a, &[(0, 4)]), column(&b, &[(0, 3)])] };
        assert_eq!(both.rows(None), Some(vec![row(40, 4), row(20, 2)]));
        assert_eq!((both.rows(Some(2)).map(|rows| rows.len()), both.rows(Some(1))), (Some(2), None));
        assert_eq!([2, 3, 4, 6].map(|node| both.contains(NodeId(node))), [true, false, true, false]);
    }
}
