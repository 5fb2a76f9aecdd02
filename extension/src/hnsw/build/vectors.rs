//! The vectors of a bulk build, in memory, by number.

use super::super::ColumnSpec;
use super::super::geometry::{Geometry, snap};
use super::parallel;
use crate::distance::{Metric, decode, fast_dot, inverse_norm};

/// The factor by which the bound of inner products exceeds the largest square: more than their rounding errors.
const ROUNDING: f32 = 1.000_01;

/// The most vectors that the centre is computed from: enough for a point within the spread of all.
const CENTRE_SAMPLE: usize = 1001;
/// Vectors that a thread rotates at a time.
const ROTATE_BLOCK: usize = 64;

/// Vectors of p components, and half their squared norms: in the graph's space after `centre_and_rotate`.
#[derive(Debug, Clone, Default)]
pub struct Vectors {
    pub padded: usize,
    data: Vec<f32>,
    half_norms: Vec<f32>,
    ranks_products: bool,
}

/// Vectors, and the measure by which two of them are near.
#[derive(Debug, Clone, Copy)]
pub struct Proximity<'v> {
    pub vectors: &'v Vectors,
    /// None: a small l2 distance is near. Else a large inner product is near, and this is an upper bound of all
    /// products (except those of vectors whose squares overflow f32).
    bound: Option<f32>,
}

impl Vectors {
    /// Reserves memory for `count` vectors, if there is enough: a damaged file may count any number.
    pub fn with_capacity(spec: &ColumnSpec, count: usize) -> Vectors {
        let ranks_products = spec.params.metric == Metric::Dot;
        let mut vectors = Vectors { padded: spec.padded(), ranks_products, ..Vectors::default() };
        let _ = vectors.data.try_reserve_exact(count.saturating_mul(vectors.padded));
        vectors
    }

    /// Appends a stored vector (bytes of the column's element type). `spec` has no centre yet.
    pub fn push(&mut self, spec: &ColumnSpec, stored: &[u8]) {
        let start = self.data.len();
        self.data.resize(start + self.padded, 0.0);
        let components = decode(stored, spec.params.element);
        let is_cosine = spec.params.metric == Metric::Cosine;
        let factor = if is_cosine { inverse_norm(&components) } else { 1.0 };
        spec.normalise_and_centre(&components, factor, &mut self.data[start..]);
    }

    /// Returns the median of each component over a sample. A few outliers do not move it away from the other vectors.
    pub fn centre(&self, dims: usize) -> Vec<f32> {
        let count = self.data.len() / self.padded;
        let sample = count.min(CENTRE_SAMPLE);
        let median = |component: usize| {
            let number = |i: usize| (i as u64 * count as u64 / sample as u64) as usize;
            let mut values: Vec<f32> = (0..sample).map(|i| self.data[number(i) * self.padded + component]).collect();
            let (_, median, _) = values.select_nth_unstable_by(sample / 2, f32::total_cmp);
            *median
        };
        if count == 0 { Vec::new() } else { (0..dims).map(median).collect() }
    }

    /// Moves the vectors into the graph's space.
    pub fn centre_and_rotate(&mut self, spec: &ColumnSpec, threads: usize) {
        let padded = self.padded;
        parallel::for_chunks(threads, &mut self.data, ROTATE_BLOCK * padded, |_, block| {
            block.chunks_exact_mut(padded).for_each(|vector| spec.centre_and_rotate(vector));
        });
        self.half_norms = self.data.chunks_exact(padded).map(|vector| 0.5 * fast_dot(vector, vector)).collect();
    }

    /// Measures by distance.
    pub fn by_distance(&self) -> Proximity<'_> {
        Proximity { vectors: self, bound: None }
    }

    /// Measures by inner product.
    pub fn by_product(&self) -> Proximity<'_> {
        let most = self.half_norms.iter().filter(|x| x.is_finite()).fold(0f32, |most, &x| most.max(x));
        Proximity { vectors: self, bound: Some((2.0 * most * ROUNDING).min(f32::MAX)) }
    }

    pub fn len(&self) -> usize {
        self.data.len() / self.padded.max(1)
    }

    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    #[inline]
    pub fn get(&self, index: u32) -> &[f32] {
        let start = index as usize * self.padded;
        &self.data[start..start + self.padded]
    }

    #[inline]
    pub fn half_norm(&self, index: u32) -> f32 {
        self.half_norms[index as usize]
    }

    /// Copies the given vectors, one after another.
    pub fn gather(&self, members: &[u32], out: &mut Vec<f32>) {
        out.clear();
        members.iter().for_each(|&member| out.extend_from_slice(self.get(member)));
    }

    /// Moves vector `order[i]` to slot i, without a second copy of the vectors.
    pub fn permute(&mut self, order: &[u32]) {
        let mut moved = vec![false; order.len()];
        let mut held = vec![0f32; self.padded];
        for start in 0..order.len() {
            if moved[start] {
                continue;
            }
            held.copy_from_slice(self.get(start as u32));
            let held_norm = self.half_norms[start];
            let mut slot = start;
            loop {
                moved[slot] = true;
                let from = order[slot] as usize;
                let target = slot * self.padded;
                if from == start {
                    self.data[target..target + self.padded].copy_from_slice(&held);
                    self.half_norms[slot] = held_norm;
                    break;
                }
                self.data.copy_within(from * self.padded..(from + 1) * self.padded, target);
                self.half_norms[slot] = self.half_norms[from];
                slot = from;
            }
        }
    }
}

impl Geometry<u32> for Vectors {
    fn ranks_products(&self) -> bool {
        self.ranks_products
    }

    #[inline]
    fn distance(&self, a: u32, b: u32) -> f32 {
        let norms = self.half_norm(a) + self.half_norm(b);
        snap(norms - self.product(a, b), norms)
    }

    #[inline]
    fn product(&self, a: u32, b: u32) -> f32 {
        fast_dot(self.get(a), self.get(b))
    }
}

impl Proximity<'_> {
    pub fn is_by_product(&self) -> bool {
        self.bound.is_some()
    }

    /// A distance, never negative: smaller is nearer.
    #[inline]
    pub fn distance(&self, a: u32, b: u32) -> f32 {
        match self.bound {
            None => self.vectors.distance(a, b),
            Some(bound) => (bound - self.vectors.product(a, b)).max(0.0),
        }
    }

    /// The part of a vector's distances that does not depend on the other vector.
    #[inline]
    pub fn share(&self, index: u32) -> f32 {
        self.bound.map_or_else(|| self.vectors.half_norm(index), |bound| 0.5 * bound)
    }

    /// Removes rounding errors from a distance that was computed as the shares minus the product.
    #[inline]
    pub fn round_distance(&self, distance: f32, shares: f32) -> f32 {
        if self.is_by_product() { distance.max(0.0) } else { snap(distance, shares) }
    }

    /// The distance of a vector from a leader, without the terms that are the same for all leaders. By products the
    /// longest leader would attract all vectors, so there the angle counts.
    #[inline]
    pub fn leader_distance(self, product: f32, half_norm: f32) -> f32 {
        if self.is_by_product() { -product / half_norm.sqrt().max(f32::MIN_POSITIVE) } else { half_norm - product }
    }
}
