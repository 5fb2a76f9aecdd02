//! The set of nodes that match a selective filter, known before the search begins.

use crate::format::node::{NodeId, RowNode};

/// The most words of 64 bits: enough for 268 million nodes.
const MOST_WORDS: usize = 1 << 22;

/// A set of nodes with their rows.
#[derive(Debug, Default)]
pub struct Matches {
    rows: Vec<RowNode>,
    /// One bit per node, from `first` on.
    bits: Vec<u64>,
    first: u32,
}

impl Matches {
    /// `rows`: rowids with their nodes, each node at most once.
    pub fn new(rows: Vec<RowNode>) -> Matches {
        Matches { rows, bits: Vec::new(), first: 0 }
    }

    /// Prepares `contains`. Returns false if the bits would take too much memory: in a hostile file the ids may lie far
    /// apart.
    #[must_use]
    pub fn set_bits(&mut self) -> bool {
        let nodes = || self.rows.iter().map(|row| row.node.0);
        self.first = nodes().min().unwrap_or(0) / 64 * 64;
        let count = nodes().max().map_or(0, |last| (last - self.first) as usize / 64 + 1);
        if count > MOST_WORDS {
            return false;
        }
        self.bits = vec![0; count];
        for row in &self.rows {
            let node = row.node.0;
            if let Some(word) = self.bits.get_mut(node.wrapping_sub(self.first) as usize / 64) {
                *word |= 1 << (node % 64);
            }
        }
        true
    }

    /// Whether `contains` is prepared.
    pub fn has_bits(&self) -> bool {
        !self.bits.is_empty()
    }

    /// Whether a node is in the set.
    #[inline]
    pub fn contains(&self, node: NodeId) -> bool {
        let word = self.bits.get(node.0.wrapping_sub(self.first) as usize / 64);
        word.is_some_and(|word| word >> (node.0 % 64) & 1 == 1)
    }

    /// Rowids and nodes in the order of `new`.
    pub fn rows(&self) -> &[RowNode] {
        &self.rows
    }

    /// Bytes of memory in use.
    pub fn bytes(&self) -> usize {
        size_of::<Matches>() + self.rows.capacity() * size_of::<RowNode>() + self.bits.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::node::RowId;

    fn row(rowid: i64, node: u32) -> RowNode {
        RowNode { rowid: RowId(rowid), node: NodeId(node) }
    }

    #[test]
    fn a_set_contains_the_given_nodes_and_no_others() {
        let rows: Vec<RowNode> = [700, 129, 128, 191].map(|node| row(-i64::from(node), node)).into();
        let mut matches = Matches::new(rows.clone());
        assert!(!matches.contains(NodeId(128)) && matches.set_bits());
        let held: Vec<u32> = (0..2000).filter(|&node| matches.contains(NodeId(node))).collect();
        assert_eq!(held, [128, 129, 191, 700]);
        assert!(!matches.contains(NodeId::FREE));
        assert_eq!(matches.rows(), rows);
        let mut none = Matches::new(Vec::new());
        assert!(none.set_bits() && !none.contains(NodeId(0)));
        assert!(!Matches::new(vec![row(1, 0), row(2, 4_000_000_000)]).set_bits());
    }
}
