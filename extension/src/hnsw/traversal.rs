//! The walk through the graph that a search and an insertion share. It takes the best candidate, reads its row, and adds
//! its neighbours to the candidates.

use std::sync::Arc;

use super::frontier::{Block, Frontier, NO_KEY};
use super::node_set::NodeSet;
use super::{ColumnSpec, EntrySample, GraphStore, Matches, Query};
use crate::error::{Error, Result};
use crate::format::node::{LANES, Node, NodeId};

/// The number of candidates taken from the entry sample.
const ENTRY_POINTS: usize = 4;
/// The same for a search among matches, whose matching samples lie far apart.
const MATCHING_ENTRY_POINTS: usize = 32;
/// Expansions between two checks of the host's interrupt flag.
pub(super) const INTERRUPT_STRIDE: usize = 64;

/// The state of the graph that a search needs.
#[derive(Debug, Clone, Copy)]
pub struct GraphState<'a> {
    pub spec: &'a ColumnSpec,
    pub entry: &'a EntrySample,
    /// Linked nodes, tombstones included.
    pub linked: u32,
    pub next_id: u32,
}

/// A walk from the entry sample along the best candidates.
#[derive(Debug)]
pub(super) struct Traversal {
    pub(super) query: Query,
    pub(super) frontier: Frontier,
    pub(super) scope: Scope,
    pub(super) expanded: usize,
    buffer: Vec<u8>,
}

/// The nodes that a traversal may visit.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) visited: NodeSet,
    /// Whether nodes were linked after the traversal began. Ids beyond its bound are then skipped, and no damage.
    pub(super) skips_unknown_nodes: bool,
    /// The nodes that match the filter, if they are known: only they are hits.
    pub(super) matches: Option<Arc<Matches>>,
}

impl Traversal {
    /// A walk towards a query, by a search that ranks `window` nodes at a time.
    pub(super) fn new(graph: GraphState<'_>, query: Query, window: usize) -> Traversal {
        let mut frontier = Frontier::new(window);
        for (key, node) in graph.entry.nearest(graph.spec, &query, ENTRY_POINTS) {
            frontier.push(key, node);
        }
        let scope = Scope { visited: NodeSet::new(graph.next_id), skips_unknown_nodes: false, matches: None };
        Traversal { query, frontier, scope, expanded: 0, buffer: Vec::new() }
    }

    /// Restricts the hits to `matches`, and adds the nearest matching samples to the candidates.
    pub(super) fn steer(&mut self, graph: GraphState<'_>, matches: Arc<Matches>) {
        let keep = |node| matches.contains(node);
        for (key, node) in graph.entry.nearest_of(graph.spec, &self.query, MATCHING_ENTRY_POINTS, keep) {
            self.frontier.push(key, node);
        }
        self.scope.matches = Some(matches);
    }

    /// Returns the least estimated key of a candidate that is not expanded yet.
    pub(super) fn best(&mut self) -> Option<f32> {
        loop {
            let (key, node) = self.frontier.peek()?;
            if self.scope.is_new(node) {
                return Some(key);
            }
            self.frontier.pop();
        }
    }

    /// Expands the best candidate: one row read, one exact key, one estimate of all its neighbours. Calls `seen` with
    /// the row and its key, if the row can be a hit. Returns false if there is no candidate.
    pub(super) fn expand(
        &mut self,
        spec: &ColumnSpec,
        store: &mut impl GraphStore,
        seen: impl FnOnce(&Node<'_>, f64),
    ) -> Result<bool> {
        if self.best().is_none() {
            return Ok(false);
        }
        let Some((_, id)) = self.frontier.pop() else { return Ok(false) };
        self.scope.visited.insert(id);
        self.expanded += 1;
        // The next best row is fetched while this one is worked on. It will be read soon, though perhaps not next.
        if let Some(next) = self.frontier.hint() {
            store.prefetch(next);
        }
        if self.expanded.is_multiple_of(INTERRUPT_STRIDE) {
            store.check_interrupt()?;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let node = store.node(id, &mut buffer)?;
        if node.is_pending() {
            return Err(Error::corrupt(format!("node {id}"), "linked from another node, but pending"));
        }
        let key = self.query.key(&node);
        // A matching node leads to all its neighbours. Another one leads to those that match and to one in four of the
        // rest: so the search crosses gaps between matches without exploring everything that does not match.
        let leads_anywhere = self.scope.is_match(id);
        if leads_anywhere {
            seen(&node, key);
        }
        for group in 0..node.degree().div_ceil(LANES) {
            let Traversal { frontier, query, scope, .. } = self;
            let block = frontier.new_block();
            query.estimate(spec, &node, key, group, &mut block.keys);
            node.neighbours_of(group, &mut block.nodes);
            scope.drop_lanes(&node, group, leads_anywhere, block)?;
            frontier.add_new_block(|node| scope.is_new(node));
        }
        self.buffer = buffer;
        if let Some(nearer) = self.frontier.hint() {
            store.prefetch(nearer);
        }
        Ok(true)
    }
}

impl Scope {
    /// Whether a node may be expanded.
    #[inline]
    fn is_new(&self, node: NodeId) -> bool {
        self.visited.contains(node) == Some(false)
    }

    /// Whether a node can be a hit.
    #[inline]
    fn is_match(&self, node: NodeId) -> bool {
        self.matches.as_ref().is_none_or(|matches| matches.contains(node))
    }

    /// Removes from a block what is no candidate: lanes without a link, nodes that a search among matches does not visit,
    /// and unknown nodes.
    #[inline]
    fn drop_lanes(&self, node: &Node<'_>, group: usize, leads_anywhere: bool, block: &mut Block) -> Result<()> {
        let count = (node.degree() - group * LANES).min(LANES);
        block.keys[count..].fill(NO_KEY);
        let largest = block.nodes[..count].iter().fold(NodeId(0), |largest, &node| largest.max(node));
        if leads_anywhere && self.visited.admits(largest) {
            return Ok(());
        }
        for (key, &neighbour) in block.keys.iter_mut().zip(&block.nodes).take(count) {
            let is_known = self.visited.admits(neighbour);
            if !is_known && !self.skips_unknown_nodes {
                return Err(out_of_range(node.id, neighbour));
            }
            if !is_known || !(leads_anywhere || is_bridge(neighbour) || self.is_match(neighbour)) {
                *key = NO_KEY;
            }
        }
        Ok(())
    }
}

/// Whether a search among matches expands this node even if neither it nor its predecessor matches: one in four.
#[inline]
fn is_bridge(node: NodeId) -> bool {
    node.0.wrapping_mul(0x9e37_79b1) >> 30 == 0
}

#[cold]
fn out_of_range(id: NodeId, neighbour: NodeId) -> Error {
    Error::corrupt(format!("node {id}"), format!("neighbour {neighbour} out of range"))
}
