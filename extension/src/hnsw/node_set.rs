//! A set of node ids: the nodes that a search has visited.

use std::collections::HashSet;

use crate::format::node::NodeId;

/// Ids below this bound have one bit each in a set. Larger ids, which few files have, take memory only if present.
const BIT_IDS: u32 = 1 << 26;

/// A set of node ids below a bound.
#[derive(Debug, Default)]
pub struct NodeSet {
    words: Vec<u64>,
    bound: u32,
    /// Ids from BIT_IDS on.
    rest: HashSet<NodeId>,
}

impl NodeSet {
    pub fn new(bound: u32) -> NodeSet {
        let words = vec![0; bound.min(BIT_IDS).div_ceil(64) as usize];
        NodeSet { words, bound, rest: HashSet::new() }
    }

    /// Returns whether `id` is in the set; None if it is out of bounds.
    #[inline]
    pub fn contains(&self, id: NodeId) -> Option<bool> {
        match self.words.get(id.index() / 64) {
            Some(word) => Some(word >> (id.0 % 64) & 1 == 1),
            None => self.rest_contains(id),
        }
    }

    #[cold]
    fn rest_contains(&self, id: NodeId) -> Option<bool> {
        (id.0 < self.bound).then(|| self.rest.contains(&id))
    }

    /// Whether `id` is below the bound.
    #[inline]
    pub fn admits(&self, id: NodeId) -> bool {
        id.0 < self.bound
    }

    /// Adds an id, unless it is out of bounds.
    #[inline]
    pub fn insert(&mut self, id: NodeId) {
        match self.words.get_mut(id.index() / 64) {
            Some(word) => *word |= 1 << (id.0 % 64),
            None if id.0 < self.bound => drop(self.rest.insert(id)),
            None => {}
        }
    }

    /// Bytes of memory of the ids below BIT_IDS.
    pub fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}
