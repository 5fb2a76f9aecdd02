//! In-memory indexes: the rows of a table in the order of an index. A filter on indexed columns is a range of ranks,
//! found by its two ends; a row is tested by its rank.
//!
//! Reading a whole index costs as much as several filters that each read a part of it. So a connection reads it when
//! its filters have cost as much within one snapshot; a process that asks for one page never does. The rows that a
//! filter admits do not depend on it.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use crate::error::Result;
use crate::format::node::{NodeId, RowNode};
use crate::sqlite::ColumnId;
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::rows::filter::{RangeTerm, RowsFilter};
use crate::vtab::rows::table::RowsTable;
use crate::vtab::snapshot::Snapshot;

/// The limit on the bytes of all in-memory indexes of one table, per connection.
const MOST_BYTES: usize = 64 << 20;
const NO_RANK: u32 = u32::MAX;

/// The cost of testing one row by SQL, in rows read from an index.
pub const TEST_COST: u64 = 20;

/// The rows with a vector in the order of an index.
#[derive(Debug)]
struct IndexOrder {
    rows: Vec<RowNode>,
    /// The rank of each node, from `first` on.
    ranks: Vec<u32>,
    first: u32,
}

impl IndexOrder {
    /// The order of the given rows. None if a node occurs twice, or if the node ids are so far apart (as in a malicious
    /// file) that the ranks would take too much memory.
    fn new(rows: Vec<RowNode>) -> Option<IndexOrder> {
        let nodes = || rows.iter().map(|row| row.node.0);
        let first = nodes().min().unwrap_or(0);
        let span = nodes().max().map_or(0, |last| (last - first) as usize + 1);
        if rows.len() * size_of::<RowNode>() + span * size_of::<u32>() > MOST_BYTES {
            return None;
        }
        let mut ranks = vec![NO_RANK; span];
        for (rank, node) in (0..).zip(nodes()) {
            let rank_of_node = ranks.get_mut((node - first) as usize)?;
            if *rank_of_node != NO_RANK {
                return None;
            }
            *rank_of_node = rank;
        }
        Some(IndexOrder { rows, ranks, first })
    }

    fn rank(&self, node: NodeId) -> Option<u32> {
        self.ranks.get(node.0.wrapping_sub(self.first) as usize).copied().filter(|&rank| rank != NO_RANK)
    }

    fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<RowNode>() + self.ranks.capacity() * size_of::<u32>()
    }
}

/// The vector column and the ordinary column.
type Key = (VectorOrdinal, ColumnId);

enum Known {
    /// Not read yet: the filters so far have cost as much as reading so many rows.
    Spent(u64),
    Order(Rc<IndexOrder>),
    /// The index cannot be read, or exceeds the limit.
    Never,
}

/// The in-memory indexes of one table in one snapshot.
#[derive(Default)]
pub struct IndexOrders {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Part of the snapshot: the indexes are the same for every vector column.
    commits: u32,
    known: Vec<(Key, Known)>,
}

impl IndexOrders {
    /// Calls `work` with the state of a column's index in a snapshot.
    fn with<T>(&self, snapshot: Snapshot, key: Key, work: impl FnOnce(&mut Known) -> T) -> Option<T> {
        let mut inner = self.inner.try_borrow_mut().ok()?;
        if inner.commits != snapshot.commits {
            *inner = Inner { commits: snapshot.commits, known: Vec::new() };
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

    /// Adds to the cost of a filter, in rows: those read, and `TEST_COST` for each one tested.
    pub fn spend(&self, snapshot: Snapshot, ordinal: VectorOrdinal, filter: &RowsFilter, rows: u64) {
        for term in filter.range_terms().unwrap_or_default() {
            self.with(snapshot, (ordinal, term.column), |known| {
                if let Known::Spent(spent) = known {
                    *spent = spent.saturating_add(rows);
                }
            });
        }
    }

    /// The rows that a filter admits, if all of its columns have in-memory indexes. An index is read once the filters
    /// on its column have cost `count` rows, the number of rows with a vector.
    pub fn ranges(
        &self,
        rows: &RowsTable,
        snapshot: Snapshot,
        ordinal: VectorOrdinal,
        filter: &RowsFilter,
        count: u64,
    ) -> Result<Option<Ranges>> {
        let Some(terms) = filter.range_terms() else { return Ok(None) };
        let mut columns = Vec::with_capacity(terms.len());
        for term in terms {
            let Some(order) = self.order(rows, snapshot, (ordinal, term.column), count)? else { return Ok(None) };
            let Some(ranges) = ranks(rows, ordinal, term, filter, &order)? else { return Ok(None) };
            columns.push(ColumnRanges { order, ranges });
        }
        Ok(Some(Ranges { columns }))
    }

    fn order(&self, rows: &RowsTable, snapshot: Snapshot, key: Key, count: u64) -> Result<Option<Rc<IndexOrder>>> {
        let known = self.with(snapshot, key, |known| match known {
            Known::Order(order) => (Some(Rc::clone(order)), false),
            Known::Spent(spent) => (None, *spent >= count),
            Known::Never => (None, false),
        });
        let Some((None, true)) = known else { return Ok(known.and_then(|(order, _)| order)) };
        let order = rows.in_index_order(key.0, key.1)?.and_then(IndexOrder::new);
        let order = order.filter(|order| self.bytes().saturating_add(order.bytes()) <= MOST_BYTES).map(Rc::new);
        self.with(snapshot, key, |known| *known = order.clone().map_or(Known::Never, Known::Order));
        Ok(order)
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

/// The rows that a filter admits: those that all its columns admit.
#[derive(Debug)]
pub struct Ranges {
    columns: Vec<ColumnRanges>,
}

/// The ranks that one column admits, as ranges without overlap.
#[derive(Debug)]
struct ColumnRanges {
    order: Rc<IndexOrder>,
    ranges: Vec<Range<u32>>,
}

impl ColumnRanges {
    fn contains(&self, node: NodeId) -> bool {
        self.order.rank(node).is_some_and(|rank| self.ranges.iter().any(|range| range.contains(&rank)))
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
    /// Whether the filter admits the row of a node.
    pub fn contains(&self, node: NodeId) -> bool {
        self.columns.iter().all(|column| column.contains(node))
    }

    /// The admitted rows; None if they are more than `limit`.
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

/// The ranks of the rows that a term admits; None if the rows table and the in-memory index disagree.
fn ranks(
    rows: &RowsTable,
    ordinal: VectorOrdinal,
    term: &RangeTerm,
    filter: &RowsFilter,
    order: &IndexOrder,
) -> Result<Option<Vec<Range<u32>>>> {
    let mut ranges = Vec::with_capacity(term.ranges.len());
    for range in &term.ranges {
        let Some([first, last]) = rows.ends_of(ordinal, term.column, range, filter)? else { continue };
        match (order.rank(first), order.rank(last)) {
            (Some(first), Some(last)) if first <= last => ranges.push(first..last.saturating_add(1)),
            _ => return Ok(None),
        }
    }
    // The members of a list are in any order, and one may occur twice.
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup();
    let is_apart = ranges.windows(2).all(|pair| matches!(pair, [one, next] if one.end <= next.start));
    Ok(is_apart.then_some(ranges))
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
    fn every_row_has_one_rank() {
        let order = order(&[7, 5, 9]);
        assert_eq!(
            [4, 5, 6, 7, 8, 9, 10].map(|node| order.rank(NodeId(node))),
            [None, Some(1), None, Some(0), None, Some(2), None]
        );
        assert!(IndexOrder::new(vec![row(1, 5), row(2, 5)]).is_none(), "a node twice");
        assert!(IndexOrder::new(vec![row(1, 0), row(2, u32::MAX)]).is_none(), "nodes too far apart");
        assert!(IndexOrder::new(Vec::new()).is_some());
    }

    #[test]
    fn ranges_of_columns_intersect_and_ranges_of_a_list_unite() {
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
