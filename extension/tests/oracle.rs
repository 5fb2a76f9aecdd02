//! Compares the distance kernels with SimSIMD's, which sum in another order: equal up to rounding, INT8 exactly.

mod common;

use common::Random;
use simsimd::{BinarySimilarity, SpatialSimilarity};
use vecrank::internals::distance::{Element, ExactQuery, Metric, available_for_bits, cosine, decode, dot, encode, l2};

fn vector(random: &mut Random, dims: usize) -> Vec<f32> {
    (0..dims).map(|_| random.normal()).collect()
}

#[test]
fn f32_distances_agree_with_simsimd() {
    let mut random = Random::new(21);
    for dims in (1..=67).chain([96, 100, 256, 384, 768, 1536]) {
        let (a, b) = (vector(&mut random, dims), vector(&mut random, dims));
        let scale = dims as f64;
        assert!((dot(&a, &b) - f32::dot(&a, &b).unwrap()).abs() < 1e-5 * scale, "dot, {dims}");
        assert!((l2(&a, &b).powi(2) - f32::sqeuclidean(&a, &b).unwrap()).abs() < 1e-5 * scale, "l2, {dims}");
        // SimSIMD's cosine uses an approximate reciprocal root, and is wrong for opposite vectors.
        let similarity = f32::dot(&a, &b).unwrap() / (f32::dot(&a, &a).unwrap() * f32::dot(&b, &b).unwrap()).sqrt();
        assert!((cosine(&a, &b).unwrap() - (1.0 - similarity)).abs() < 1e-5, "cosine, {dims}");
    }
}

#[test]
fn int8_products_equal_those_of_simsimd() {
    let mut random = Random::new(22);
    for dims in [1, 31, 64, 100, 256, 1024] {
        let mut whole = || (0..dims).map(|_| random.below(256) as i8).collect::<Vec<i8>>();
        let (a, b) = (whole(), whole());
        let components = |v: &[i8]| v.iter().map(|&x| f32::from(x)).collect::<Vec<f32>>();
        let stored = encode(&components(&b), Element::I8).unwrap();
        let ours = -ExactQuery::new(&components(&a), Metric::Dot, Element::I8).key(&stored, 1.0);
        assert_eq!(ours, i8::dot(&a, &b).unwrap(), "{dims}");
    }
}

#[test]
fn hamming_distances_equal_those_of_simsimd() {
    let mut random = Random::new(23);
    for bytes in (1..=40).chain([64, 96, 128, 2048]) {
        let mut packed = || (0..bytes).map(|_| random.below(256) as u8).collect::<Vec<u8>>();
        let (a, b) = (packed(), packed());
        let want = <u8 as BinarySimilarity>::hamming(&a, &b).unwrap();
        for kernel in available_for_bits() {
            assert_eq!(f64::from(kernel.differing(&a, &b)), want, "{} {bytes}", kernel.name);
        }
        let exact = ExactQuery::new(&decode(&a, Element::Bit), Metric::Hamming, Element::Bit);
        assert_eq!(exact.distance(exact.key(&b, 0.0)), want, "{bytes}");
    }
}
