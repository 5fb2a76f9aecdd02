//! The candidates of a search: a heap of the near ones and an unsorted heap-in-waiting of the far ones.
//!
//! Nothing is dropped, since a resumable search may come to need any candidate. Most never come up again, so beyond a
//! threshold they are only put on a pile, and the pile is sorted out when the heap has run dry.

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

/// Above so many candidates in the heap, its far half goes to the pile.
const NEAR_LIMIT: usize = 128;
/// How many come back from the pile at a time, at least.
const REFILL: usize = 64;

#[derive(Debug, Default)]
pub struct Frontier {
    near: BinaryHeap<Reverse<Packed>>,
    far: Vec<Packed>,
    /// Every candidate of the pile is at or above it, every one of the heap below.
    threshold: Packed,
}

impl Frontier {
    pub fn new() -> Frontier {
        Frontier { near: BinaryHeap::new(), far: Vec::new(), threshold: Packed::MAX }
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        (self.near.capacity() + self.far.capacity()) * size_of::<Packed>()
    }

    #[inline]
    pub fn push(&mut self, key: f32, node: NodeId) {
        let packed = pack(key, node);
        if packed >= self.threshold {
            self.far.push(packed);
            return;
        }
        self.near.push(Reverse(packed));
        if self.near.len() > NEAR_LIMIT {
            self.shed();
        }
    }

    /// The nearest candidate, left where it is.
    pub fn peek(&mut self) -> Option<(f32, NodeId)> {
        if self.near.is_empty() {
            self.refill();
        }
        self.near.peek().map(|&Reverse(packed)| unpack(packed))
    }

    /// The candidate that is probably the nearest, without work.
    pub fn hint(&self) -> Option<NodeId> {
        self.near.peek().map(|&Reverse(packed)| unpack(packed).1)
    }

    /// Takes the nearest candidate off.
    pub fn pop(&mut self) -> Option<(f32, NodeId)> {
        self.peek()?;
        self.near.pop().map(|Reverse(packed)| unpack(packed))
    }

    fn shed(&mut self) {
        let mut all: Vec<Packed> = std::mem::take(&mut self.near).into_iter().map(|Reverse(packed)| packed).collect();
        let middle = all.len() / 2;
        let (_, &mut pivot, _) = all.select_nth_unstable(middle);
        self.threshold = pivot;
        self.far.extend(all.drain(middle..));
        self.near = all.into_iter().map(Reverse).collect();
    }

    fn refill(&mut self) {
        if self.far.is_empty() {
            self.threshold = Packed::MAX;
            return;
        }
        let count = (self.far.len() / 8).max(REFILL);
        if count >= self.far.len() {
            self.threshold = Packed::MAX;
            self.near = self.far.drain(..).map(Reverse).collect();
            return;
        }
        let (_, &mut pivot, _) = self.far.select_nth_unstable(count);
        self.threshold = pivot;
        let rest = self.far.split_off(count);
        self.near = std::mem::replace(&mut self.far, rest).into_iter().map(Reverse).collect();
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
