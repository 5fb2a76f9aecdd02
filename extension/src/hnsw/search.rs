//! The resumable search: returns hits one by one, nearest first.
//!
//! Best-first search over the ground level. Expanded nodes are ranked by exact key, candidates by estimate. A hit is
//! emitted once the window (`ef_search + GROWTH * emitted` best expanded nodes) is nearer than every candidate, so the
//! sequence depends on the query and the state of the graph alone, never on how many hits are asked for: pages tile.
//! Beyond a certain depth the search continues exactly over all nodes that were not emitted.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashSet};
use std::sync::Arc;

use super::traversal::{GraphState, INTERRUPT_STRIDE, Traversal};
use super::{ColumnSpec, EntrySample, GraphStore, Matches, Query};
use crate::distance::Metric;
use crate::error::Result;
use crate::format::node::{Node, NodeId, RowId};

/// A search among matches may read so many times the rows: most of them only lead from one match to the next.
const MATCHING_BUDGET: f64 = 8.0;
/// The least window. In a narrower one so many hits are found too late to keep the order that a page would not be full
/// if the host filters the rows as well.
const LEAST_WINDOW: usize = 16;
/// Nodes by which the window grows per emitted hit. With 1.5 recall@1000 stays at 0.95.
const GROWTH: f64 = 1.5;
/// Beyond so many nodes a stored window widens by the eighth root of their number, and its growth too. So recall@10 and
/// recall@1000 of 850,000 embeddings stay above 0.95: with the window of a small graph they are 0.948 and 0.941.
const LARGE: f64 = 1e5;
/// Graphs of at most so many nodes are ranked exactly from the start.
pub const EXACT_NODES: u64 = 1000;
/// The search continues exactly once it has emitted the first share of the nodes or expanded the second.
const EMITTED_SHARE: u64 = 10;
const EXPANDED_SHARE: u64 = 4;
/// Rows that may be read per node of the first window, and per node by which the window grows. What is not found by
/// then is hardly ever found, and one page of a hard query must not read the whole file.
const FIRST_BUDGET: f64 = 3.6;
const GROWTH_BUDGET: f64 = 7.0;
/// The largest key for which estimates are of use. Beyond it squares leave the range of f32, and the search is exact.
const STEERABLE: f64 = 1e30;

/// The window of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ef {
    /// That of the column's parameters. In graphs beyond LARGE nodes it is wider, as is the next.
    Default,
    /// The file's default, which may have changed since CREATE.
    Stored(usize),
    Window(usize),
    /// Every node is ranked by its exact distance.
    Exact,
}

/// What to do with a hit that is found too late to keep the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Skip it.
    Strict,
    /// Emit it late: every node is emitted exactly once.
    Relaxed,
}

/// One result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub rowid: RowId,
    pub node: NodeId,
    /// As SQL sees it.
    pub distance: f64,
}

/// An expanded node, ordered by the distance that SQL sees (two keys may have the same), ties by rowid.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    distance: f64,
    key: f64,
    rowid: RowId,
    node: NodeId,
}

impl Eq for Found {}

impl Ord for Found {
    fn cmp(&self, other: &Found) -> Ordering {
        let by_distance = self.distance.total_cmp(&other.distance);
        by_distance.then(self.rowid.cmp(&other.rowid)).then(self.node.cmp(&other.node))
    }
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Found) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The rest of an exact search: a heap of all nodes that were not emitted.
type Tail = BinaryHeap<Reverse<Found>>;

/// A suspended search. It borrows nothing: every call must be given the same column, store and state of the graph.
#[derive(Debug)]
pub struct Search {
    traversal: Traversal,
    order: Order,
    ef: usize,
    /// Nodes by which the window grows per emitted hit.
    per_hit: f64,
    /// The number of nodes that may be hits: those linked in the graph, or the matches.
    linked: u64,
    emitted: u64,
    last: Option<Found>,
    /// The best `window` keys of expanded nodes, and the others.
    window: BinaryHeap<Key>,
    beyond: BinaryHeap<Reverse<Key>>,
    /// Nodes that were expanded and not emitted.
    ready: BinaryHeap<Reverse<Found>>,
    /// Emitted rowids, kept under relaxed order only.
    done: Vec<RowId>,
    tail: Option<Tail>,
    exact: bool,
}

/// How much wider a stored window is in a graph of so many nodes. Square roots are the same on every CPU.
fn widening(linked: u32) -> f64 {
    (f64::from(linked) / LARGE).max(1.0).sqrt().sqrt().sqrt()
}

/// A key with a total order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Key(f64);

impl Eq for Key {}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Search {
    pub fn new(graph: GraphState<'_>, query: Query, ef: Ef, order: Order) -> Search {
        let of_params = graph.spec.params.ef_search;
        let (window, widening) = match ef {
            Ef::Default => (of_params, widening(graph.linked)),
            Ef::Stored(window) => (window, widening(graph.linked)),
            Ef::Window(window) => (window, 1.0),
            Ef::Exact => (of_params, 1.0),
        };
        let window = ((window as f64 * widening) as usize).max(LEAST_WINDOW);
        let linked = u64::from(graph.linked);
        let exact = ef == Ef::Exact || linked <= EXACT_NODES.max(window as u64) || graph.entry.is_empty();
        let nothing = EntrySample::default();
        let walked = if exact { GraphState { entry: &nothing, next_id: 0, ..graph } } else { graph };
        let traversal = Traversal::new(walked, query, window);
        Search {
            traversal,
            order,
            ef: window,
            per_hit: GROWTH * widening,
            linked,
            emitted: 0,
            last: None,
            window: BinaryHeap::new(),
            beyond: BinaryHeap::new(),
            ready: BinaryHeap::new(),
            done: Vec::new(),
            tail: None,
            exact,
        }
    }

    /// A search that returns only `matches`, which have bits. It is steered through the nodes between them.
    pub fn among(graph: GraphState<'_>, query: Query, ef: Ef, order: Order, matches: Arc<Matches>) -> Search {
        let mut search = Search::new(graph, query, ef, order);
        search.linked = matches.rows().len() as u64;
        if search.exact {
            search.traversal.scope.matches = Some(matches);
        } else {
            search.traversal.steer(graph, matches);
        }
        search
    }

    /// About how many bytes of memory the search takes, without the matches.
    pub fn bytes(&self) -> usize {
        let found = self.ready.capacity() + self.tail.as_ref().map_or(0, BinaryHeap::capacity);
        let keys = self.window.capacity() + self.beyond.capacity() + self.done.capacity();
        self.traversal.frontier.bytes() + self.traversal.scope.visited.bytes() + found * size_of::<Found>() + keys * 8
    }

    /// The number of rows read so far.
    pub fn expanded(&self) -> usize {
        self.traversal.expanded
    }

    /// Whether the rest is ranked exactly.
    pub fn is_exact(&self) -> bool {
        self.tail.is_some()
    }

    /// Makes the search exact from now on, because the nodes were renumbered since it began.
    pub fn continue_exactly(&mut self) {
        self.exact = true;
        self.tail = None;
    }

    /// Notes that nodes were linked since the search began. It may skip them.
    pub fn skip_unknown_nodes(&mut self) {
        self.traversal.scope.skips_unknown_nodes = true;
    }

    /// Returns the next hit; None when every node was emitted.
    pub fn next(&mut self, spec: &ColumnSpec, store: &mut impl GraphStore) -> Result<Option<Hit>> {
        loop {
            if self.tail.is_none() && self.goes_exact() {
                self.tail = Some(self.rank_the_rest(store)?);
            }
            let found = match &mut self.tail {
                Some(tail) => match tail.pop() {
                    Some(Reverse(found)) => found,
                    None => return Ok(None),
                },
                None => match self.settled(spec) {
                    Some(found) => found,
                    None => {
                        // A search without candidates continues exactly.
                        self.exact |= !self.expand(spec, store)?;
                        continue;
                    }
                },
            };
            if let Some(hit) = self.emit(found) {
                return Ok(Some(hit));
            }
        }
    }

    /// Whether ranking every node is the cheaper way to the rest, or the only one.
    fn goes_exact(&self) -> bool {
        self.exact
            || self.emitted * EMITTED_SHARE > self.linked
            || self.traversal.expanded as u64 * EXPANDED_SHARE > self.linked
    }

    /// Removes and returns the nearest ready hit, if no candidate can precede it any more.
    fn settled(&mut self, spec: &ColumnSpec) -> Option<Found> {
        let least = f64::from(self.traversal.frontier.least_key()?);
        let nearest = self.ready.peek()?.0;
        self.grow_window();
        if self.window.len() < self.window_size() {
            return None;
        }
        let bound = self.window.peek()?.0;
        // Equal vectors have equal keys, but estimates are rounded: all of them must be ready before the first is
        // emitted.
        let tie = 1e-6 * (1.0 + nearest.key.abs());
        let spent = self.traversal.expanded >= self.budget();
        // Under hamming many candidates are as far as the window's end, and lead to nearer ones.
        let is_hamming = spec.params.metric == Metric::Hamming;
        let is_done = |best: f64| if is_hamming { bound < best } else { bound <= best };
        let is_settled = |best: f64| (is_done(best) || spent) && nearest.key + tie < best;
        // Most often the bound of the best key is enough.
        let is_settled = is_settled(least) || is_settled(f64::from(self.traversal.best()?));
        if is_settled { self.ready.pop().map(|Reverse(found)| found) } else { None }
    }

    fn window_size(&self) -> usize {
        self.ef.max(self.ef / 2 + (self.per_hit * self.emitted as f64) as usize)
    }

    /// Rows that may be read before the next hit is emitted even if the window is not settled.
    fn budget(&self) -> usize {
        let budget = FIRST_BUDGET * self.ef as f64 + GROWTH_BUDGET * (self.window_size() - self.ef) as f64;
        (if self.traversal.scope.matches.is_some() { MATCHING_BUDGET * budget } else { budget }) as usize
    }

    /// Moves the nearest keys beyond the window into it, up to its size.
    fn grow_window(&mut self) {
        while self.window.len() < self.window_size() {
            match self.beyond.pop() {
                Some(Reverse(key)) => self.window.push(key),
                None => break,
            }
        }
    }

    fn expand(&mut self, spec: &ColumnSpec, store: &mut impl GraphStore) -> Result<bool> {
        let mut found = None;
        let has_expanded = self.traversal.expand(spec, store, |node, key| {
            if !node.is_tombstone() {
                found = Some((key, node.rowid(), node.id));
            }
        })?;
        let Some((key, rowid, node)) = found else { return Ok(has_expanded) };
        let found = Found { distance: self.traversal.query.exact.distance(key), key, rowid, node };
        self.exact |= found.key.abs() > STEERABLE;
        self.ready.push(Reverse(found));
        let key = Key(found.key);
        if self.window.len() < self.window_size() && self.beyond.is_empty() {
            self.window.push(key);
            return Ok(true);
        }
        match self.window.peek_mut() {
            Some(mut furthest) if key < *furthest => {
                self.beyond.push(Reverse(*furthest));
                *furthest = key;
            }
            _ => self.beyond.push(Reverse(key)),
        }
        Ok(true)
    }

    /// Emits a hit; None if it was found too late.
    fn emit(&mut self, found: Found) -> Option<Hit> {
        if self.order == Order::Strict && self.last.is_some_and(|last| found < last) {
            return None;
        }
        self.emitted += 1;
        self.last = Some(found);
        if self.order == Order::Relaxed {
            self.done.push(found.rowid);
        }
        Some(Hit { rowid: found.rowid, node: found.node, distance: found.distance })
    }

    /// Ranks every live linked node that was not emitted; under strict order without those that are too late.
    fn rank_the_rest(&mut self, store: &mut impl GraphStore) -> Result<Tail> {
        self.ready.clear();
        let done: HashSet<RowId> = self.done.iter().copied().collect();
        let query = &self.traversal.query;
        let floor = if self.order == Order::Strict { self.last } else { None };
        let mut rest = Vec::new();
        let mut take = |node: Node<'_>| {
            if node.is_pending() || node.is_tombstone() || done.contains(&node.rowid()) {
                return Ok(());
            }
            let key = query.key(&node);
            let found = Found { distance: query.exact.distance(key), key, rowid: node.rowid(), node: node.id };
            if floor.is_none_or(|last| found > last) {
                rest.push(Reverse(found));
            }
            Ok(())
        };
        match &self.traversal.scope.matches {
            None => store.scan(&mut take)?,
            Some(matches) => {
                let mut buffer = Vec::new();
                for (count, row) in matches.rows().iter().enumerate() {
                    if count.is_multiple_of(INTERRUPT_STRIDE) {
                        store.check_interrupt()?;
                    }
                    take(store.node(row.node, &mut buffer)?)?;
                }
            }
        }
        Ok(BinaryHeap::from(rest))
    }
}
