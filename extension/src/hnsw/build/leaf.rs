//! Compares all pairs of a leaf: finds the nearest others of every member.

use super::candidate_lists::{EMPTY, Packed, Packing};
use super::vectors::Proximity;
use crate::distance::{PairRow, near_pairs};

/// Rows per tile: enough for a fast matrix product, few enough to keep its result in the CPU's cache.
const TILE: usize = 96;

/// The nearest `size` candidates of one member, unsorted.
struct Nearest {
    slots: Vec<Packed>,
    size: usize,
}

impl Nearest {
    /// Adds `packed` if it is among the nearest. Returns whether `worst` changed.
    #[inline]
    fn offer(&mut self, packed: Packed, worst: &mut Packed) -> bool {
        if packed >= *worst {
            return false;
        }
        if self.slots.len() < self.size {
            self.slots.push(packed);
            if self.slots.len() < self.size {
                return false;
            }
        } else if let Some(slot) = self.slots.iter_mut().find(|slot| **slot == *worst) {
            *slot = packed;
        }
        *worst = self.slots.iter().copied().max().unwrap_or(EMPTY);
        true
    }
}

/// Returns for every member of the leaf its nearest `size` others within `limits`, sorted.
///
/// Only the upper triangle is computed: a product serves its row and its column.
pub fn nearest_in_leaf(proximity: Proximity<'_>, members: &[u32], limits: Vec<f32>, size: usize) -> Vec<Vec<Packed>> {
    let (count, packing) = (members.len(), Packing::of(proximity.vectors.len()));
    let block = proximity.vectors.block(members);
    let shares: Vec<f32> = members.iter().map(|&member| proximity.share(member)).collect();
    let mut limits = limits;
    let mut worst: Vec<Packed> =
        limits.iter().map(|limit| if limit.is_finite() { packing.pack(*limit, 0, u32::MAX) } else { EMPTY }).collect();
    let mut lists: Vec<Nearest> = (0..count).map(|_| Nearest { slots: Vec::with_capacity(size), size }).collect();
    let mut products = vec![0f32; TILE * count];
    let mut pairs = Vec::new();
    for first in (0..count).step_by(TILE) {
        let rows = TILE.min(count - first);
        let columns = count - first;
        block.products(first..first + rows, &block, first, &mut products);
        for row in 0..rows {
            let i = first + row;
            pairs.clear();
            let pair_row = PairRow {
                products: &products[row * columns + row + 1..(row + 1) * columns],
                half_norm: shares[i],
                limit: limits[i],
                half_norms: &shares[i + 1..],
                limits: &limits[i + 1..],
            };
            near_pairs(&pair_row, &mut pairs);
            for &(offset, distance) in &pairs {
                let j = i + 1 + offset as usize;
                let distance = proximity.round_distance(distance, shares[i] + shares[j]);
                for (to, other) in [(i, j), (j, i)] {
                    if lists[to].offer(packing.pack(distance, members[to], members[other]), &mut worst[to]) {
                        limits[to] = packing.limit(worst[to]);
                    }
                }
            }
        }
    }
    lists
        .into_iter()
        .map(|mut list| {
            list.slots.sort_unstable();
            list.slots
        })
        .collect()
}
