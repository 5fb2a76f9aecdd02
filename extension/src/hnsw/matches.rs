//! The nodes that a search may give, where a filter leaves few of them: known before the search begins.

use crate::format::node::NodeId;

/// Most bits, in words of 64: those of 268 million nodes.
const MOST_WORDS: usize = 1 << 22;

/// A set of nodes with their rows.
#[derive(Debug, Default)]
pub struct Matches {
    rows: Vec<(i64, NodeId)>,
    /// A bit for each node from `first` on.
    bits: Vec<u64>,
    first: NodeId,
}

impl Matches {
    /// `rows`: rowids and their nodes, no node twice.
    pub fn new(rows: Vec<(i64, NodeId)>) -> Matches {
        Matches { rows, bits: Vec::new(), first: 0 }
    }

    /// Makes `contains` work; false if the nodes lie so far apart, as in a file that was made to harm, that the bits
    /// would take too much memory.
    #[must_use]
    pub fn set_bits(&mut self) -> bool {
        let nodes = || self.rows.iter().map(|&(_, node)| node);
        self.first = nodes().min().unwrap_or(0) / 64 * 64;
        let count = nodes().max().map_or(0, |last| (last - self.first) as usize / 64 + 1);
        if count > MOST_WORDS {
            return false;
        }
        self.bits = vec![0; count];
        for (_, node) in &self.rows {
            if let Some(word) = self.bits.get_mut(node.wrapping_sub(self.first) as usize / 64) {
                *word |= 1 << (node % 64);
            }
        }
        true
    }

    /// Whether `contains` works.
    pub fn has_bits(&self) -> bool {
        !self.bits.is_empty()
    }

    /// Whether a node is in the set.
    #[inline]
    pub fn contains(&self, node: NodeId) -> bool {
        let word = self.bits.get(node.wrapping_sub(self.first) as usize / 64);
        word.is_some_and(|word| word >> (node % 64) & 1 == 1)
    }

    /// Rowids and nodes, in the order that they were given.
    pub fn rows(&self) -> &[(i64, NodeId)] {
        &self.rows
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Matches>() + self.rows.capacity() * size_of::<(i64, NodeId)>() + self.bits.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_holds_what_was_given() {
        let rows: Vec<(i64, NodeId)> = [700, 129, 128, 191].map(|node| (-i64::from(node), node)).into();
        let mut matches = Matches::new(rows.clone());
        assert!(!matches.contains(128) && matches.set_bits());
        let held: Vec<NodeId> = (0..2000).filter(|&node| matches.contains(node)).collect();
        assert_eq!(held, [128, 129, 191, 700]);
        assert!(!matches.contains(u32::MAX));
        assert_eq!(matches.rows(), rows);
        let mut none = Matches::new(Vec::new());
        assert!(none.set_bits() && !none.contains(0));
        assert!(!Matches::new(vec![(1, 0), (2, 4_000_000_000)]).set_bits());
    }
}
