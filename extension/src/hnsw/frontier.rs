//! The candidates of a search: a heap of the near ones, and piles of the far ones.
//!
//! Nothing is dropped, since a resumable search may come to need any candidate. Most never come up again, so what is far
//! is only put on the pile where it belongs, and the nearest pile is sorted out, by halves, when the heap has run dry.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::format::node::NodeId;

/// An estimated key and a node, packed so that the order of the integers is the order of keys, the newest node first
/// among equals: of equal vectors the newest are the ones that have links to spare.
type Packed = u64;

fn pack(key: f32, node: NodeId) -> Packed {
    let bits = key.to_bits();
    let ordered = if bits >> 31 == 0 { bits | 0x8000_0000 } else { !bits };
    u64::from(ordered) << 32 | u64::from(!node)
}

fn unpack(packed: Packed) -> (f32, NodeId) {
    let ordered = (packed >> 32) as u32;
    let bits = if ordered >> 31 == 1 { ordered & 0x7fff_ffff } else { !ordered };
    (f32::from_bits(bits), !(packed as u32))
}

/// Above so many candidates in the heap, its far half goes to a pile.
const NEAR_LIMIT: usize = 128;

/// Candidates at or above a floor, and below that of the pile before it.
#[derive(Debug)]
struct Pile {
    floor: Packed,
    candidates: Vec<Packed>,
}

#[derive(Debug, Default)]
pub struct Frontier {
    near: BinaryHeap<Reverse<Packed>>,
    /// The nearest at the end. Every candidate of the heap is below its floor, or equal to it.
    piles: Vec<Pile>,
}

impl Frontier {
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        let piled: usize = self.piles.iter().map(|pile| pile.candidates.capacity()).sum();
        (self.near.capacity() + piled) * size_of::<Packed>()
    }

    #[inline]
    pub fn push(&mut self, key: f32, node: NodeId) {
        let packed = pack(key, node);
        if self.piles.last().is_some_and(|pile| packed >= pile.floor) {
            return self.pile_up(packed);
        }
        self.near.push(Reverse(packed));
        if self.near.len() > NEAR_LIMIT {
            self.shed();
        }
    }

    #[inline]
    fn pile_up(&mut self, packed: Packed) {
        // Most are far: the first pile is theirs.
        let is_farthest = self.piles.first().is_some_and(|pile| packed >= pile.floor);
        let place = if is_farthest { 0 } else { self.piles.partition_point(|pile| pile.floor > packed) };
        if let Some(pile) = self.piles.get_mut(place) {
            pile.candidates.push(packed);
        }
    }

    /// The nearest candidate, left where it is.
    pub fn peek(&mut self) -> Option<(f32, NodeId)> {
        if self.near.is_empty() {
            self.refill();
        }
        self.near.peek().map(|&Reverse(packed)| unpack(packed))
    }

    /// Takes the nearest candidate off.
    pub fn pop(&mut self) -> Option<(f32, NodeId)> {
        self.peek()?;
        self.near.pop().map(|Reverse(packed)| unpack(packed))
    }

    /// The candidate that is probably the nearest, without work.
    pub fn hint(&self) -> Option<NodeId> {
        self.near.peek().map(|&Reverse(packed)| unpack(packed).1)
    }

    fn shed(&mut self) {
        let all = std::mem::take(&mut self.near).into_iter().map(|Reverse(packed)| packed).collect();
        let nearer = self.part(all);
        self.near = nearer.into_iter().map(Reverse).collect();
    }

    /// Puts the far half on a pile, and gives the other.
    fn part(&mut self, mut candidates: Vec<Packed>) -> Vec<Packed> {
        let middle = candidates.len() / 2;
        let (_, &mut floor, _) = candidates.select_nth_unstable(middle);
        let farther = candidates.drain(middle..).collect();
        self.piles.push(Pile { floor, candidates: farther });
        candidates
    }

    fn refill(&mut self) {
        let Some(pile) = self.piles.pop() else { return };
        let mut candidates = pile.candidates;
        while candidates.len() > NEAR_LIMIT {
            candidates = self.part(candidates);
        }
        self.near = candidates.into_iter().map(Reverse).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_the_order_of_keys() {
        let keys = [f32::NEG_INFINITY, -2.0, -1e-20, 0.0, 1e-20, 0.5, 3.0, f32::INFINITY];
        for pair in keys.windows(2) {
            assert!(pack(pair[0], 9) < pack(pair[1], 1), "{pair:?}");
        }
        assert_eq!(unpack(pack(-0.25, 77)), (-0.25, 77));
    }

    #[test]
    fn candidates_come_out_in_order_whenever_they_went_in() {
        let mut frontier = Frontier::new();
        let mut model = std::collections::BTreeSet::new();
        let mut state = 1u64;
        for round in 0..20_000u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            let key = (state >> 40) as f32;
            frontier.push(key, round);
            model.insert(pack(key, round));
            if round % 3 == 0 {
                let expected = model.pop_first().map(unpack);
                assert_eq!(frontier.pop(), expected);
            }
        }
        while let Some(expected) = model.pop_first() {
            assert_eq!(frontier.pop(), Some(unpack(expected)));
        }
        assert_eq!(frontier.pop(), None);
    }
}
