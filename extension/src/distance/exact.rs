//! Exact distances: f32 lanes where they hold, f64 where the scale of the data would overflow or underflow them.

use super::dispatch::{bit_kernel, kernels};
use super::{BitKernel, Element, Kernel, Metric, decode, signs};

/// Norms and sums outside this range are computed in f64: their squares leave f32's range.
const SAFE: std::ops::RangeInclusive<f32> = 1e-12..=1e12;
const SAFE_SQUARED: std::ops::RangeInclusive<f32> = 1e-24..=1e24;

fn sum_f64(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| term(f64::from(x), f64::from(y))).sum()
}

fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Euclidean length.
pub fn norm(vector: &[f32]) -> f64 {
    sum_f64(vector, vector, |x, y| x * y).sqrt()
}

/// 1 / norm, as node rows keep it; infinite for a zero vector.
pub fn inverse_norm(vector: &[f32]) -> f32 {
    (1.0 / norm(vector)) as f32
}

/// Cosine distance, 0..=2; None if either vector is zero. Slices of equal length.
pub fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    if a.iter().all(|&x| x == 0.0) {
        return None;
    }
    ExactQuery::new(a, Metric::Cosine, Element::F32).distance_f32(b)
}

/// Euclidean distance. Slices of equal length.
pub fn l2(a: &[f32], b: &[f32]) -> f64 {
    ExactQuery::new(a, Metric::L2, Element::F32).distance_f32(b).unwrap_or(f64::NAN)
}

/// Inner product. Slices of equal length.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    negated(ExactQuery::new(a, Metric::Dot, Element::F32).distance_f32(b).unwrap_or(f64::NAN))
}

/// Manhattan distance. Slices of equal length.
pub fn l1(a: &[f32], b: &[f32]) -> f64 {
    sum_f64(a, b, |x, y| (x - y).abs())
}

/// The number of bits that differ. Slices of equal length.
pub fn hamming(a: &[u8], b: &[u8]) -> u32 {
    bit_kernel().differing(a, b)
}

/// How a query is compared with stored vectors.
#[derive(Debug, Clone)]
enum Comparison {
    Sums(Kernel),
    /// With the query's bits, packed.
    Bits(Vec<u8>, BitKernel),
}

/// A query vector prepared for comparisons with stored vectors of one column.
///
/// Searches rank by `key`: the distance, but squared under l2. SQL sees `distance(key)`.
#[derive(Debug, Clone)]
pub struct ExactQuery {
    components: Vec<f32>,
    inverse_norm: f32,
    metric: Metric,
    element: Element,
    comparison: Comparison,
}

impl ExactQuery {
    /// Under hamming the components are zeros and ones, a multiple of 8.
    pub fn new(components: &[f32], metric: Metric, element: Element) -> ExactQuery {
        let bits = || Comparison::Bits(signs(components).unwrap_or_default(), bit_kernel());
        ExactQuery {
            components: components.to_vec(),
            inverse_norm: inverse_norm(components),
            metric,
            element,
            comparison: kernels().of(metric, element).map_or_else(bits, Comparison::Sums),
        }
    }

    pub fn components(&self) -> &[f32] {
        &self.components
    }

    /// 1 / norm of the query.
    pub fn inverse_norm(&self) -> f32 {
        self.inverse_norm
    }

    /// The ranking key of a stored vector (bytes of the column's element type) and its 1/norm.
    #[inline]
    pub fn key(&self, stored: &[u8], inverse_norm: f32) -> f64 {
        let sum = match &self.comparison {
            Comparison::Sums(kernel) => kernel.sum(&self.components, stored),
            Comparison::Bits(bits, kernel) => return f64::from(kernel.differing(bits, stored)),
        };
        match self.metric {
            Metric::Cosine if SAFE.contains(&inverse_norm) && SAFE.contains(&self.inverse_norm) => {
                cosine_key(f64::from(sum) * (f64::from(self.inverse_norm) * f64::from(inverse_norm)))
            }
            Metric::L2 if SAFE_SQUARED.contains(&sum) => f64::from(sum),
            Metric::Dot if sum.is_finite() => negated(f64::from(sum)),
            _ => self.key_f64(&decode(stored, self.element)),
        }
    }

    /// Converts a key to the distance that SQL sees. Adding zero turns -0.0 into 0.0; for SQL they are equal.
    #[inline]
    pub fn distance(&self, key: f64) -> f64 {
        match self.metric {
            Metric::Cosine | Metric::Dot | Metric::Hamming => key + 0.0,
            Metric::L2 => key.sqrt(),
        }
    }

    #[cold]
    fn key_f64(&self, stored: &[f32]) -> f64 {
        let query = &self.components;
        match self.metric {
            Metric::Cosine => cosine_key(sum_f64(query, stored, |x, y| x * y) / (norm(query) * norm(stored))),
            // Of zeros and ones it is the number of those that differ.
            Metric::L2 | Metric::Hamming => sum_f64(query, stored, |x, y| (x - y) * (x - y)),
            Metric::Dot => negated(sum_f64(query, stored, |x, y| x * y)),
        }
    }

    /// None where the distance is not defined: cosine with a zero vector.
    fn distance_f32(&self, other: &[f32]) -> Option<f64> {
        if self.metric == Metric::Cosine && other.iter().all(|&x| x == 0.0) {
            return None;
        }
        Some(self.distance(self.key(&to_bytes(other), inverse_norm(other))))
    }
}

/// The negative. Zero of either sign becomes 0.0, because SQL would show -0.0.
#[inline]
fn negated(product: f64) -> f64 {
    0.0 - product
}

fn cosine_key(similarity: f64) -> f64 {
    1.0 - similarity.clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_have_known_values() {
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), Some(1.0));
        assert_eq!(cosine(&[1.0, 0.0], &[-3.0, 0.0]), Some(2.0));
        assert_eq!(cosine(&[3.0, 4.0], &[0.0, 0.0]), None);
        assert_eq!(cosine(&[0.0, 0.0], &[3.0, 4.0]), None);
        assert_eq!(l2(&[0.0, 0.0], &[3.0, 4.0]), 5.0);
        assert_eq!(l1(&[0.0, 0.0], &[3.0, -4.0]), 7.0);
        assert_eq!(dot(&[1.0, 2.0], &[3.0, 4.0]), 11.0);
        assert_eq!(norm(&[3.0, 4.0]), 5.0);
    }

    #[test]
    fn a_zero_distance_is_never_negative() {
        let vectors =
            [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -0.0], [-0.0, 0.0], [1e-30, 0.0], [-1e-30, 0.0], [1e30, 0.0]];
        for (a, b) in vectors.iter().flat_map(|a| vectors.iter().map(move |b| (a, b))) {
            for metric in [Metric::Cosine, Metric::L2, Metric::Dot] {
                let distance = ExactQuery::new(a, metric, Element::F32).distance_f32(b);
                assert!(distance.is_none_or(|x| x != 0.0 || x.is_sign_positive()), "{metric:?} {a:?} {b:?}");
            }
            for distance in [dot(a, b), l1(a, b), l2(a, b)] {
                assert!(distance != 0.0 || distance.is_sign_positive(), "{a:?} {b:?}");
            }
        }
    }

    /// So that the rows of one similarity are those of one distance, whatever the digits of a cosine are.
    #[test]
    fn a_cosine_distance_and_its_similarity_tell_the_same_apart() {
        let mut seed = 1_u64;
        for exponent in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let share = (seed >> 11) as f64 / 2_f64.powi(53) / 2_f64.powi(exponent % 60);
            for cosine in [share, -share, 1.0 - share] {
                let distance = cosine_key(cosine);
                assert_eq!(Metric::Cosine.similarity(distance, 8).map(|similarity| 1.0 - similarity), Some(distance));
            }
        }
    }

    #[test]
    fn hamming_counts_the_bits_that_differ() {
        let query = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        let exact = ExactQuery::new(&query, Metric::Hamming, Element::Bit);
        assert_eq!(
            [0b1101u8, 0, 0xff, 0b1100].map(|byte| exact.distance(exact.key(&[byte], 0.0))),
            [0.0, 3.0, 5.0, 1.0]
        );
        assert_eq!(hamming(&[0xff, 1], &[0, 3]), 9);
    }

    #[test]
    fn extreme_scales_keep_their_distances() {
        for scale in [1e-40f32, 1e-30, 1e-20, 1e20, 1e30, 1e38] {
            let distance = cosine(&[scale, 0.0], &[scale, scale]).unwrap();
            assert!((distance - (1.0 - 0.5f64.sqrt())).abs() < 1e-6, "{scale}: {distance}");
            let distance = l2(&[0.0, 0.0], &[scale, scale]);
            assert!((distance / (f64::from(scale) * 2f64.sqrt()) - 1.0).abs() < 1e-6, "{scale}: {distance}");
        }
    }

    #[test]
    fn cosine_is_symmetric_and_within_bounds() {
        let a: Vec<f32> = (0..100).map(|i| ((i * 37) % 101) as f32 - 50.0).collect();
        let b: Vec<f32> = (0..100).map(|i| ((i * 53) % 97) as f32 - 48.0).collect();
        assert_eq!(cosine(&a, &b), cosine(&b, &a));
        let same = cosine(&a, &a).unwrap();
        assert!((0.0..1e-6).contains(&same), "{same}");
    }
}
