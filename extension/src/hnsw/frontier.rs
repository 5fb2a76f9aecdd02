//! The candidates of a search: a heap of the near ones, and blocks of the far ones.
//!
//! No candidate is dropped, because a resumable search may need any of them, but most are never expanded. So the far
//! neighbours of a row stay together in a block, as they were estimated, and only the nearest of each block is in the
//! order. When the heap is empty, it takes the nearest candidates from the blocks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::format::node::{LANES, NodeId};

/// An estimated key and a node, packed so that the integers are in the order of the keys. Among equal keys the newest node
/// comes first: of equal vectors the newest have room for more links.
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

/// The most candidates in the heap: so many per node of the window, plus a constant. Above that the farther half moves
/// into blocks.
const NEAR_LIMIT: (usize, usize) = (4, 64);
/// The number of blocks that refill an empty heap.
const REFILL_BLOCKS: usize = 16;

/// The key of a lane without a candidate. A candidate with such a key, or with none, is never expanded.
pub const NO_KEY: f32 = f32::INFINITY;

/// Above every candidate.
const NO_FLOOR: Packed = 0xff80_0000_ffff_ffff;

/// Estimated keys of up to 32 nodes. The other lanes have `NO_KEY`.
#[derive(Debug, Clone)]
pub struct Block {
    pub keys: [f32; LANES],
    pub nodes: [NodeId; LANES],
}

impl Default for Block {
    fn default() -> Block {
        Block { keys: [NO_KEY; LANES], nodes: [NodeId::FREE; LANES] }
    }
}

impl Block {
    /// The nearest candidate; None if there is none.
    #[inline]
    fn nearest(&self) -> Option<Packed> {
        let mut least = [NO_KEY; 8];
        for eight in self.keys.chunks_exact(8) {
            for (least, &key) in least.iter_mut().zip(eight) {
                *least = if key < *least { key } else { *least };
            }
        }
        let least = least.into_iter().fold(NO_KEY, |least, key| if key < least { key } else { least });
        let lanes = Lanes(self.lanes(|key| key == least));
        lanes.map(|lane| pack(self.keys[lane], self.nodes[lane])).min().filter(|_| least < NO_KEY)
    }

    /// One bit for each lane whose key passes the test.
    #[inline]
    fn lanes(&self, test: impl Fn(f32) -> bool) -> u32 {
        let mut lanes = 0;
        for (lane, &key) in self.keys.iter().enumerate() {
            lanes |= u32::from(test(key)) << lane;
        }
        lanes
    }
}

/// The numbers of the bits that are set.
struct Lanes(u32);

impl Iterator for Lanes {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let lane = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (lane < LANES).then_some(lane)
    }
}

/// The candidates of a search that were not expanded yet.
#[derive(Debug)]
pub struct Frontier {
    /// Every candidate below `floor`.
    near: BinaryHeap<Reverse<Packed>>,
    /// Every candidate in a block is here or above.
    floor: Packed,
    /// The most candidates in the heap.
    limit: usize,
    blocks: Vec<Block>,
    /// The nearest candidate and the number of each block that has one.
    order: BinaryHeap<Reverse<(Packed, u32)>>,
}

impl Frontier {
    /// An empty frontier of a search that ranks `window` nodes at a time.
    pub fn new(window: usize) -> Frontier {
        let limit = NEAR_LIMIT.0 * window + NEAR_LIMIT.1;
        let near = BinaryHeap::with_capacity(limit + LANES);
        let (blocks, order) = (Vec::with_capacity(2 * window), BinaryHeap::with_capacity(2 * window));
        Frontier { near, floor: NO_FLOOR, limit, blocks, order }
    }

    /// Bytes of memory in use.
    pub fn bytes(&self) -> usize {
        let heaps = self.near.capacity() * size_of::<Packed>() + self.order.capacity() * size_of::<(Packed, u32)>();
        heaps + self.blocks.capacity() * size_of::<Block>()
    }

    /// Adds one candidate.
    pub fn push(&mut self, key: f32, node: NodeId) {
        let block = self.new_block();
        (block.keys[0], block.nodes[0]) = (key, node);
        self.add_new_block(|_| true);
    }

    /// A block for the candidates of a row, which `add_new_block` adds.
    #[inline]
    pub fn new_block(&mut self) -> &mut Block {
        let number = self.blocks.len();
        self.blocks.push(Block::default());
        &mut self.blocks[number]
    }

    /// Adds the candidates of the new block; of those that are near, only what `is_new` admits.
    #[inline]
    pub fn add_new_block(&mut self, is_new: impl Fn(NodeId) -> bool) {
        let Some(block) = self.blocks.last_mut() else { return };
        let (floor, _) = unpack(self.floor);
        for lane in Lanes(block.lanes(|key| key <= floor)) {
            let (key, node) = (block.keys[lane], block.nodes[lane]);
            let packed = pack(key, node);
            if packed < self.floor && key < NO_KEY {
                block.keys[lane] = NO_KEY;
                if is_new(node) {
                    self.near.push(Reverse(packed));
                }
            }
        }
        self.order_last_block();
        if self.near.len() > self.limit {
            self.spill();
        }
    }

    /// Puts the last block in order, unless it has no candidate.
    #[inline]
    fn order_last_block(&mut self) {
        match self.blocks.last().and_then(Block::nearest) {
            Some(nearest) => self.order.push(Reverse((nearest, self.blocks.len() as u32 - 1))),
            None => drop(self.blocks.pop()),
        }
    }

    /// The nearest candidate, which stays in the frontier.
    #[inline]
    pub fn peek(&mut self) -> Option<(f32, NodeId)> {
        if self.near.is_empty() {
            self.refill();
        }
        self.near.peek().map(|&Reverse(packed)| unpack(packed))
    }

    /// Removes and returns the nearest candidate.
    #[inline]
    pub fn pop(&mut self) -> Option<(f32, NodeId)> {
        self.peek()?;
        self.near.pop().map(|Reverse(packed)| unpack(packed))
    }

    /// A lower bound of the keys of all candidates, at no cost; None if there is no candidate.
    #[inline]
    pub fn least_key(&self) -> Option<f32> {
        let far = self.order.peek().map(|&Reverse((nearest, _))| nearest);
        let near = self.near.peek().map(|&Reverse(nearest)| nearest);
        near.into_iter().chain(far).min().map(|nearest| unpack(nearest).0)
    }

    /// The candidate that is probably the nearest, at no cost.
    pub fn hint(&self) -> Option<NodeId> {
        self.near.peek().map(|&Reverse(packed)| unpack(packed).1)
    }

    /// Moves the farther half of the heap into blocks.
    #[cold]
    fn spill(&mut self) {
        let mut all: Vec<Packed> = std::mem::take(&mut self.near).into_iter().map(|Reverse(packed)| packed).collect();
        let middle = all.len() / 2;
        self.floor = *all.select_nth_unstable(middle).1;
        for farther in all[middle..].chunks(LANES) {
            let block = self.new_block();
            for (lane, &packed) in farther.iter().enumerate() {
                (block.keys[lane], block.nodes[lane]) = unpack(packed);
            }
            self.order_last_block();
        }
        all.truncate(middle);
        self.near = all.into_iter().map(Reverse).collect();
    }

    /// Raises the floor, and moves what is below it from the blocks into the heap.
    #[cold]
    fn refill(&mut self) {
        let mut opened: Vec<(Packed, u32)> = Vec::with_capacity(REFILL_BLOCKS);
        self.floor = NO_FLOOR;
        while let Some(&Reverse((nearest, block))) = self.order.peek() {
            if opened.len() == REFILL_BLOCKS {
                self.floor = nearest.max(opened[0].0 + 1);
            }
            if nearest >= self.floor {
                break;
            }
            opened.push((nearest, block));
            self.order.pop();
        }
        for (_, number) in opened {
            let block = &mut self.blocks[number as usize];
            for (key, &node) in block.keys.iter_mut().zip(&block.nodes) {
                let packed = pack(*key, node);
                if *key < NO_KEY && packed < self.floor {
                    self.near.push(Reverse(packed));
                    *key = NO_KEY;
                }
            }
            if let Some(nearest) = block.nearest() {
                self.order.push(Reverse((nearest, number)));
            }
        }
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
        assert_eq!(pack(NO_KEY, NodeId(0)), NO_FLOOR);
    }

    /// Pushes blocks of keys of `draw` and pops one of three; then pops all. Compares with an ordered set.
    fn compare_with_a_set(draw: impl Fn(u64) -> f32) {
        let mut frontier = Frontier::new(16);
        let mut model = std::collections::BTreeSet::new();
        let (mut state, mut number) = (1u64, 0);
        for round in 0..2000 {
            let block = frontier.new_block();
            for lane in 0..round % (LANES + 1) {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                (block.keys[lane], block.nodes[lane]) = (draw(state >> 40), NodeId(number));
                model.insert(pack(block.keys[lane], NodeId(number)));
                number += 1;
            }
            frontier.add_new_block(|_| true);
            assert!(frontier.least_key().is_none_or(|least| least <= unpack(*model.first().unwrap()).0));
            for _ in 0..10 {
                assert_eq!(frontier.pop(), model.pop_first().map(unpack));
            }
        }
        while let Some(expected) = model.pop_first() {
            assert_eq!(frontier.pop(), Some(unpack(expected)));
        }
        assert_eq!((frontier.pop(), frontier.least_key()), (None, None));
    }

    #[test]
    fn candidates_are_popped_in_key_order() {
        compare_with_a_set(|random| random as f32);
    }

    #[test]
    fn among_equal_keys_the_newest_is_popped_first() {
        compare_with_a_set(|random| if random.is_multiple_of(3) { random as f32 } else { -0.5 });
    }

    #[test]
    fn a_near_candidate_that_is_not_new_is_dropped_and_so_is_one_without_a_key() {
        let mut frontier = Frontier::new(16);
        let block = frontier.new_block();
        (block.keys[0], block.nodes[0]) = (1.0, NodeId(1));
        (block.keys[1], block.nodes[1]) = (2.0, NodeId(2));
        (block.keys[2], block.nodes[2]) = (f32::NAN, NodeId(3));
        frontier.add_new_block(|node| node != NodeId(1));
        assert_eq!((frontier.pop(), frontier.pop()), (Some((2.0, NodeId(2))), None));
    }
}
