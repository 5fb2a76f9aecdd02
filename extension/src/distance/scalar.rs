//! The specification of the kernels, and the portable version of each.

use super::element::{f16_to_f32, i8_at, u16_at, u32_at};

/// Lanes of every sum.
pub(super) const LANES: usize = 32;

/// Folds the lanes in halves: 32 to 16, 8, 4, 2, 1.
pub(super) fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sums `term(query component, stored component)` over the common length in the specified lane order.
#[inline(always)]
fn sum_lanes<const SIZE: usize>(
    query: &[f32],
    stored: &[u8],
    load: impl Fn(&[u8]) -> f32,
    term: impl Fn(f32, f32) -> f32,
) -> f32 {
    let mut lanes = [0f32; LANES];
    for (q, s) in query.chunks(LANES).zip(stored.chunks(LANES * SIZE)) {
        for ((lane, &a), b) in lanes.iter_mut().zip(q).zip(s.chunks_exact(SIZE)) {
            *lane += term(a, load(b));
        }
    }
    fold(lanes)
}

fn product(a: f32, b: f32) -> f32 {
    a * b
}

fn squared_difference(a: f32, b: f32) -> f32 {
    (a - b) * (a - b)
}

fn load_f32(bytes: &[u8]) -> f32 {
    f32::from_bits(u32_at(bytes))
}

fn load_f16(bytes: &[u8]) -> f32 {
    f16_to_f32(u16_at(bytes))
}

fn load_i8(bytes: &[u8]) -> f32 {
    f32::from(i8_at(bytes))
}

pub(super) fn dot_f32(query: &[f32], stored: &[u8]) -> f32 {
    sum_lanes::<4>(query, stored, load_f32, product)
}

pub(super) fn dot_f16(query: &[f32], stored: &[u8]) -> f32 {
    sum_lanes::<2>(query, stored, load_f16, product)
}

pub(super) fn dot_i8(query: &[f32], stored: &[u8]) -> f32 {
    sum_lanes::<1>(query, stored, load_i8, product)
}

pub(super) fn l2_squared_f32(query: &[f32], stored: &[u8]) -> f32 {
    sum_lanes::<4>(query, stored, load_f32, squared_difference)
}

pub(super) fn l2_squared_f16(query: &[f32], stored: &[u8]) -> f32 {
    sum_lanes::<2>(query, stored, load_f16, squared_difference)
}

pub(super) fn l2_squared_i8(query: &[f32], stored: &[u8]) -> f32 {
    sum_lanes::<1>(query, stored, load_i8, squared_difference)
}

/// Pairs of row i with rows j that may enter one of the two lists of nearest rows.
#[derive(Debug, Clone, Copy)]
pub struct PairRow<'a> {
    /// <x_i, x_j> for every j.
    pub products: &'a [f32],
    /// |x_i|^2 / 2 and the distance that row i's list asks for.
    pub half_norm: f32,
    pub limit: f32,
    /// The same for every j.
    pub half_norms: &'a [f32],
    pub limits: &'a [f32],
}

/// The portable version of `block::near_pairs`, from row `first` on.
pub(super) fn near_pairs_portable(row: &PairRow<'_>, first: usize, out: &mut Vec<(u32, f32)>) {
    for (j, ((&product, &half_norm), &limit)) in
        row.products.iter().zip(row.half_norms).zip(row.limits).enumerate().skip(first)
    {
        let distance = (row.half_norm + half_norm) - product;
        if distance <= row.limit.max(limit) {
            out.push((j as u32, distance));
        }
    }
}
