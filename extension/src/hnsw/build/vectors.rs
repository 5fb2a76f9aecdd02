//! The vectors of a bulk build, in memory, by number.

use std::ops::Range;

use super::super::ColumnSpec;
use super::super::geometry::{Geometry, snap};
use super::parallel;
use crate::distance::{BitSets, Metric, bit_kernel, decode, fast_dot, inner_products, inverse_norm};
use crate::quantize::Encoded;

/// The factor by which the bound of inner products exceeds the largest square: more than their rounding errors.
const ROUNDING: f32 = 1.000_01;

/// The most vectors that the centre is computed from: enough for a point within the spread of all.
const CENTRE_SAMPLE: usize = 1001;
/// Vectors that a thread rotates at a time.
const ROTATE_BLOCK: usize = 64;

/// Vectors of p components, and half their squared norms: in the graph's space after `centre_and_rotate`.
#[derive(Debug, Clone)]
pub struct Vectors {
    padded: usize,
    data: Components,
    half_norms: Vec<f32>,
    ranks_products: bool,
}

/// The components of vectors, one vector after another.
#[derive(Debug, Clone)]
enum Components {
    Numbers(Vec<f32>),
    /// Of BIT vectors: 64 to a word, in a thirty-second of the memory.
    Bits(Vec<u64>),
}

impl Components {
    /// No components, of the kind of these.
    fn none(&self) -> Components {
        match self {
            Components::Numbers(_) => Components::Numbers(Vec::new()),
            Components::Bits(_) => Components::Bits(Vec::new()),
        }
    }
}

/// Copies of some vectors, one after another, to be compared with those of another block.
#[derive(Debug, Clone)]
pub struct Block {
    padded: usize,
    data: Components,
}

impl Block {
    /// Writes the inner products of the vectors `rows` with all of `others` from `first` on, row by row.
    pub fn products(&self, rows: Range<usize>, others: &Block, first: usize, out: &mut [f32]) {
        match (&self.data, &others.data) {
            (Components::Numbers(a), Components::Numbers(b)) => {
                let width = self.padded;
                inner_products(&a[rows.start * width..rows.end * width], &b[first * width..], width, out);
            }
            (Components::Bits(a), Components::Bits(b)) => {
                let words = self.padded / WORD;
                let (a, b) = (&a[rows.start * words..rows.end * words], &b[first * words..]);
                bit_kernel().common(BitSets { a, b, words }, out);
            }
            // Vectors of one column are of one kind.
            _ => out.fill(0.0),
        }
    }
}

/// Bits in a word.
const WORD: usize = 64;

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
        let (padded, metric) = (spec.padded(), spec.params.metric);
        let data = if metric == Metric::Hamming {
            let mut words = Vec::new();
            let _ = words.try_reserve_exact(count.saturating_mul(padded / WORD));
            Components::Bits(words)
        } else {
            let mut numbers = Vec::new();
            let _ = numbers.try_reserve_exact(count.saturating_mul(padded));
            Components::Numbers(numbers)
        };
        Vectors { padded, data, half_norms: Vec::new(), ranks_products: metric == Metric::Dot }
    }

    /// Appends a stored vector (bytes of the column's element type). `spec` has no centre yet.
    pub fn push(&mut self, spec: &ColumnSpec, stored: &[u8]) {
        let data = match &mut self.data {
            Components::Numbers(data) => data,
            Components::Bits(words) => {
                let (whole, rest) = stored.as_chunks::<8>();
                let end = words.len() + self.padded / WORD;
                words.extend(whole.iter().map(|&word| u64::from_le_bytes(word)));
                if !rest.is_empty() {
                    words.push(rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)));
                }
                return words.resize(end, 0);
            }
        };
        let start = data.len();
        data.resize(start + self.padded, 0.0);
        let components = decode(stored, spec.params.element);
        let is_cosine = spec.params.metric == Metric::Cosine;
        let factor = if is_cosine { inverse_norm(&components) } else { 1.0 };
        spec.normalise_and_centre(&components, factor, &mut data[start..]);
    }

    /// Returns the median of each component over a sample. A few outliers do not move it away from the other vectors.
    /// Bits have no centre: it is zero.
    pub fn centre(&self, dims: usize) -> Vec<f32> {
        let count = self.len();
        let data = match &self.data {
            Components::Numbers(data) => data,
            Components::Bits(_) => return vec![0.0; if count == 0 { 0 } else { dims }],
        };
        let sample = count.min(CENTRE_SAMPLE);
        let median = |component: usize| {
            let number = |i: usize| (i as u64 * count as u64 / sample as u64) as usize;
            let mut values: Vec<f32> = (0..sample).map(|i| data[number(i) * self.padded + component]).collect();
            let (_, median, _) = values.select_nth_unstable_by(sample / 2, f32::total_cmp);
            *median
        };
        if count == 0 { Vec::new() } else { (0..dims).map(median).collect() }
    }

    /// Moves the vectors into the graph's space.
    pub fn centre_and_rotate(&mut self, spec: &ColumnSpec, threads: usize) {
        let padded = self.padded;
        self.half_norms = match &mut self.data {
            Components::Numbers(data) => {
                parallel::for_chunks(threads, data, ROTATE_BLOCK * padded, |_, block| {
                    block.chunks_exact_mut(padded).for_each(|vector| spec.centre_and_rotate(vector));
                });
                data.chunks_exact(padded).map(|vector| 0.5 * fast_dot(vector, vector)).collect()
            }
            Components::Bits(words) => {
                let ones = |vector: &[u64]| vector.iter().map(|word| word.count_ones()).sum::<u32>();
                words.chunks_exact(padded / WORD).map(|vector| 0.5 * ones(vector) as f32).collect()
            }
        };
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
        match &self.data {
            Components::Numbers(data) => data.len() / self.padded.max(1),
            Components::Bits(words) => words.len() / (self.padded / WORD).max(1),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Encodes vector `index` about the vector `centre`.
    pub fn encode(&self, spec: &ColumnSpec, centre: u32, index: u32, out: &mut Encoded) {
        match &self.data {
            Components::Numbers(data) => {
                spec.coder.encode(row(data, self.padded, centre), row(data, self.padded, index), out);
            }
            Components::Bits(words) => {
                let bytes = row(words, self.padded / WORD, index).iter().flat_map(|word| word.to_le_bytes());
                spec.coder.encode_bits(bytes, out);
            }
        }
    }

    /// Writes the components of a vector.
    pub fn read(&self, index: u32, out: &mut Vec<f32>) {
        out.clear();
        match &self.data {
            Components::Numbers(data) => out.extend_from_slice(row(data, self.padded, index)),
            Components::Bits(words) => {
                let words = row(words, self.padded / WORD, index);
                out.extend(words.iter().flat_map(|word| (0..WORD).map(move |bit| f32::from((word >> bit & 1) as u8))));
            }
        }
    }

    #[inline]
    pub fn half_norm(&self, index: u32) -> f32 {
        self.half_norms[index as usize]
    }

    /// Copies the given vectors.
    pub fn block(&self, members: &[u32]) -> Block {
        let mut block = Block { padded: self.padded, data: self.data.none() };
        match (&self.data, &mut block.data) {
            (Components::Numbers(data), Components::Numbers(out)) => {
                members.iter().for_each(|&member| out.extend_from_slice(row(data, self.padded, member)));
            }
            (Components::Bits(words), Components::Bits(out)) => {
                members.iter().for_each(|&member| out.extend_from_slice(row(words, self.padded / WORD, member)));
            }
            _ => {}
        }
        block
    }

    /// Moves vector `order[i]` to slot i, without a second copy of the vectors.
    pub fn permute(&mut self, order: &[u32]) {
        match &mut self.data {
            Components::Numbers(data) => permute(data, self.padded, order),
            Components::Bits(words) => permute(words, self.padded / WORD, order),
        }
        permute(&mut self.half_norms, 1, order);
    }
}

/// One row of `width` components.
#[inline]
fn row<T>(data: &[T], width: usize, index: u32) -> &[T] {
    let start = index as usize * width;
    &data[start..start + width]
}

/// Moves row `order[i]` to slot i.
fn permute<T: Copy>(data: &mut [T], width: usize, order: &[u32]) {
    let mut moved = vec![false; order.len()];
    for start in 0..order.len() {
        if moved[start] {
            continue;
        }
        let held = row(data, width, start as u32).to_vec();
        let mut slot = start;
        loop {
            moved[slot] = true;
            let (from, target) = (order[slot] as usize, slot * width);
            if from == start {
                data[target..target + width].copy_from_slice(&held);
                break;
            }
            data.copy_within(from * width..(from + 1) * width, target);
            slot = from;
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
        match &self.data {
            Components::Numbers(data) => fast_dot(row(data, self.padded, a), row(data, self.padded, b)),
            Components::Bits(words) => {
                let words_each = self.padded / WORD;
                let mut shared = [0.0];
                let (a, b) = (row(words, words_each, a), row(words, words_each, b));
                bit_kernel().common(BitSets { a, b, words: words_each }, &mut shared);
                shared[0]
            }
        }
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
