//! The seeded random rotation: rounds of random signs and fast Walsh-Hadamard transforms.
//!
//! A padded size that is no power of two is covered by the largest power of two that fits, laid over the front and
//! then over the back of the vector, so that the rounds mix the two.

use super::split_mix;

/// Dimensions of the codes: a multiple of 64.
pub fn padded_dims(dims: usize) -> usize {
    dims.div_ceil(64) * 64
}

/// Rounds where one transform covers the vector; twice as many where it takes two.
const ROUNDS: usize = 3;

/// An orthogonal map of `padded_dims(dims)` components, the same for the same seed on every machine.
#[derive(Debug, Clone)]
pub struct Rotation {
    padded: usize,
    block: usize,
    /// 1 or -1 for every component of every round.
    signs: Vec<f32>,
    /// Lengths are kept: 1 / sqrt(block) for every transform.
    scale: f32,
}

impl Rotation {
    pub fn new(dims: usize, seed: u64) -> Rotation {
        let padded = padded_dims(dims);
        let block = 1 << padded.ilog2();
        let rounds = if block == padded { ROUNDS } else { 2 * ROUNDS };
        let mut state = seed;
        let mut signs = Vec::with_capacity(rounds * padded);
        while signs.len() < rounds * padded {
            let bits = split_mix::next(&mut state);
            signs.extend((0..64).map(|i| if bits >> i & 1 == 0 { 1.0 } else { -1.0 }));
        }
        Rotation { padded, block, signs, scale: 1.0 / (block as f32).sqrt() }
    }

    /// The map that leaves every component as it is.
    pub fn identity(dims: usize) -> Rotation {
        Rotation { padded: padded_dims(dims), block: 0, signs: Vec::new(), scale: 1.0 }
    }

    pub fn padded(&self) -> usize {
        self.padded
    }

    /// Rotates `vector` (dims components, each multiplied by `factor` first) into `out` (padded components).
    pub fn apply(&self, vector: &[f32], factor: f32, out: &mut [f32]) {
        let dims = vector.len().min(out.len());
        for (o, v) in out.iter_mut().zip(vector) {
            *o = v * factor;
        }
        out[dims..].fill(0.0);
        self.turn(out);
    }

    /// Rotates `padded` components where they are.
    pub fn turn(&self, out: &mut [f32]) {
        for signs in self.signs.chunks_exact(self.padded) {
            for (x, sign) in out.iter_mut().zip(signs) {
                *x *= sign;
            }
            self.transform(&mut out[..self.block]);
            if self.block < self.padded {
                self.transform(&mut out[self.padded - self.block..]);
            }
        }
    }

    fn transform(&self, block: &mut [f32]) {
        let mut half = 1;
        // Two rounds of butterflies at a time.
        while 4 * half <= block.len() {
            for four in block.chunks_exact_mut(4 * half) {
                let (low, high) = four.split_at_mut(2 * half);
                let ((a, b), (c, d)) = (low.split_at_mut(half), high.split_at_mut(half));
                for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
                    let (near, near_difference, far, far_difference) = (*a + *b, *a - *b, *c + *d, *c - *d);
                    (*a, *c) = (near + far, near - far);
                    (*b, *d) = (near_difference + far_difference, near_difference - far_difference);
                }
            }
            half *= 4;
        }
        if half < block.len() {
            let (low, high) = block.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        for x in block {
            *x *= self.scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    }

    #[test]
    fn inner_products_survive_at_every_size() {
        let all = [1, 3, 64, 100, 192, 256, 384, 768, 1536, 3072, 16384].into_iter();
        for dims in all.filter(|&dims| !cfg!(miri) || dims <= 256) {
            let a: Vec<f32> = (0..dims).map(|i| ((i * 7 + 3) % 11) as f32 - 5.0).collect();
            let b: Vec<f32> = (0..dims).map(|i| ((i * 5 + 1) % 13) as f32 - 6.0).collect();
            let rotation = Rotation::new(dims, 7);
            let (mut x, mut y) = (vec![0.0; rotation.padded()], vec![0.0; rotation.padded()]);
            rotation.apply(&a, 1.0, &mut x);
            rotation.apply(&b, 1.0, &mut y);
            let scale = (dot(&a, &a) * dot(&b, &b)).sqrt();
            assert!((dot(&x, &y) - dot(&a, &b)).abs() < 1e-5 * scale, "{dims}");
        }
    }

    #[test]
    fn a_single_component_spreads_over_all() {
        for dims in [256, 384, 768, 1536] {
            let mut unit = vec![0.0; dims];
            unit[dims / 3] = 1.0;
            let rotation = Rotation::new(dims, 7);
            let mut out = vec![0.0; rotation.padded()];
            rotation.apply(&unit, 1.0, &mut out);
            let largest = out.iter().fold(0f32, |m, x| m.max(x.abs()));
            assert!(largest < 5.0 / (dims as f32).sqrt(), "{dims}: {largest}");
        }
    }
}
