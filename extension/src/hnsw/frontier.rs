//! The candidates of a search: a heap of the near ones, and buckets of the far ones.
//!
//! No candidate is dropped, because a resumable search may need any of them. Most are never expanded. So the farther
//! half of a full heap spills into a bucket, far candidates go straight into the bucket of their key, and an empty heap
//! is refilled from the nearest bucket, which quickselect partitions by halves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::format::node::NodeId;

/// An estimated key and a node, packed so that the order of the integers is the order of keys, the newest node first
/// among equals: of equal vectors the newest are the ones that have links to spare.
type Packed = u64;

fn pack(key: f32, node: NodeId) -> Packed {
    let bits = key.to_bits();
    let ordered = if bits >> 31 == 0 { bits | 0x8000_0000 } else { !bits };
    u64::from(ordered) << 32 | u64::from(!node.0)
}

fn unpack(packed: Packed) -> (f32, NodeId) {
    let ordered = (packed >> 32) as u32;
    let bits = if ordered >> 31 == 1 { ordered & 0x7fff_ffff } else { !ordered };
    (f32::from_bits(bits), NodeId(!(packed as u32)))
}

/// The most candidates in the heap: above it the farther half spills into a bucket.
const NEAR_LIMIT: usize = 128;

/// Candidates with keys at or above `floor`, and below the floor of the bucket before it.
#[derive(Debug)]
struct Bucket {
    floor: Packed,
    candidates: Vec<Packed>,
}

#[derive(Debug, Default)]
pub struct Frontier {
    near: BinaryHeap<Reverse<Packed>>,
    /// The nearest bucket is the last. Every candidate of the heap is at most its floor.
    buckets: Vec<Bucket>,
}

impl Frontier {
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// Bytes of memory in use.
    pub fn bytes(&self) -> usize {
        let spilled: usize = self.buckets.iter().map(|bucket| bucket.candidates.capacity()).sum();
        (self.near.capacity() + spilled) * size_of::<Packed>()
    }

    #[inline]
    pub fn push(&mut self, key: f32, node: NodeId) {
        let packed = pack(key, node);
        if self.buckets.last().is_some_and(|bucket| packed >= bucket.floor) {
            return self.push_to_bucket(packed);
        }
        self.near.push(Reverse(packed));
        if self.near.len() > NEAR_LIMIT {
            self.spill();
        }
    }

    #[inline]
    fn push_to_bucket(&mut self, packed: Packed) {
        // Most candidates are far and belong to the first bucket.
        let is_farthest = self.buckets.first().is_some_and(|bucket| packed >= bucket.floor);
        let index = if is_farthest { 0 } else { self.buckets.partition_point(|bucket| bucket.floor > packed) };
        if let Some(bucket) = self.buckets.get_mut(index) {
            bucket.candidates.push(packed);
        }
    }

    /// The nearest candidate, which stays in the frontier.
    pub fn peek(&mut self) -> Option<(f32, NodeId)> {
        if self.near.is_empty() {
            self.refill();
        }
        self.near.peek().map(|&Reverse(packed)| unpack(packed))
    }

    /// Removes and returns the nearest candidate.
    pub fn pop(&mut self) -> Option<(f32, NodeId)> {
        self.peek()?;
        self.near.pop().map(|Reverse(packed)| unpack(packed))
    }

    /// The candidate that is probably the nearest, without work.
    pub fn hint(&self) -> Option<NodeId> {
        self.near.peek().map(|&Reverse(packed)| unpack(packed).1)
    }

    fn spill(&mut self) {
        let all = std::mem::take(&mut self.near).into_iter().map(|Reverse(packed)| packed).collect();
        let nearer = self.partition(all);
        self.near = nearer.into_iter().map(Reverse).collect();
    }

    /// Moves the farther half into a new bucket and returns the nearer half.
    fn partition(&mut self, mut candidates: Vec<Packed>) -> Vec<Packed> {
        let middle = candidates.len() / 2;
        let (_, &mut floor, _) = candidates.select_nth_unstable(middle);
        let farther = candidates.drain(middle..).collect();
        self.buckets.push(Bucket { floor, candidates: farther });
        candidates
    }

    fn refill(&mut self) {
        let Some(bucket) = self.buckets.pop() else { return };
        let mut candidates = bucket.candidates;
        while candidates.len() > NEAR_LIMIT {
            candidates = self.partition(candidates);
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
            assert!(pack(pair[0], NodeId(9)) < pack(pair[1], NodeId(1)), "{pair:?}");
        }
        assert_eq!(unpack(pack(-0.25, NodeId(77))), (-0.25, NodeId(77)));
    }

    #[test]
    fn candidates_are_popped_in_key_order() {
        let mut frontier = Frontier::new();
        let mut model = std::collections::BTreeSet::new();
        let mut state = 1u64;
        for round in 0..20_000u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            let key = (state >> 40) as f32;
            frontier.push(key, NodeId(round));
            model.insert(pack(key, NodeId(round)));
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
