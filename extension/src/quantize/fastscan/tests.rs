use super::*;
use crate::distance::Metric;
use crate::quantize::{Coder, Encoded, Rotation};

fn vector(seed: u64, dims: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let raw: Vec<f32> = (0..dims).map(|_| next()).collect();
    let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter().map(|x| x / norm).collect()
}

fn inner(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

struct Fixture {
    lookup: Lookup,
    query: Vec<f32>,
    centre: Vec<f32>,
    neighbours: Vec<Vec<f32>>,
    codes: Vec<u8>,
    f1: Vec<f32>,
    f0: Vec<f32>,
}

fn fixture(dims: usize, bits: u8, metric: Metric) -> Fixture {
    let rotation = Rotation::new(dims, 5);
    let rotated = |seed| {
        let mut out = vec![0.0; rotation.padded()];
        rotation.apply(&vector(seed, dims), 1.0, &mut out);
        out
    };
    let (query, centre) = (rotated(1), rotated(2));
    let coder = Coder::new(rotation.padded(), bits, metric);
    let neighbours: Vec<_> = (10..42).map(rotated).collect();
    let mut codes = vec![0; coder.group_bytes()];
    let (mut f1, mut f0) = (Vec::new(), Vec::new());
    let mut encoded = Encoded::default();
    for (lane, x) in neighbours.iter().enumerate() {
        coder.encode(&centre, x, &mut encoded);
        coder.put_lane(&mut codes, lane, &encoded.planes);
        f1.push(encoded.factors.f1);
        f0.push(encoded.factors.f0);
    }
    Fixture { lookup: Lookup::new(&query, bits), query, centre, neighbours, codes, f1, f0 }
}

fn bytes(factors: &[f32]) -> Vec<u8> {
    factors.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
#[cfg_attr(miri, ignore = "takes many minutes")]
fn estimates_are_near_the_truth_and_more_bits_are_nearer() {
    for metric in [Metric::Dot, Metric::L2, Metric::Cosine] {
        let mut errors = Vec::new();
        for bits in [1, 2, 4] {
            let f = fixture(256, bits, metric);
            let key = |x: &[f32]| -> f32 {
                let squared: f32 = f.query.iter().zip(x).map(|(a, b)| (a - b) * (a - b)).sum();
                match metric {
                    Metric::Dot => -inner(&f.query, x),
                    Metric::L2 => squared,
                    Metric::Cosine => 0.5 * squared,
                    Metric::Hamming => f32::NAN,
                }
            };
            let (f1, f0) = (bytes(&f.f1), bytes(&f.f0));
            let group = Estimate { base: key(&f.centre), f1: &f1, f0: &f0, codes: &f.codes };
            let mut out = [0f32; 32];
            estimator(FactorKind::F32).run(&f.lookup, &group, &mut out);
            let error: f32 = out.iter().zip(&f.neighbours).map(|(e, x)| (e - key(x)).abs()).sum::<f32>() / 32.0;
            errors.push(error);
        }
        assert!(errors[0] < 0.2 && errors[1] < 0.6 * errors[0] && errors[2] < 0.5 * errors[1], "{errors:?}");
    }
}

#[test]
fn the_estimate_of_bits_is_their_distance() {
    for dims in [8, 64, 72, 256, 1024, 16_384].into_iter().filter(|dims| !cfg!(miri) || *dims <= 72) {
        let padded = crate::quantize::padded_dims(dims);
        let bits = |seed: u64| -> Vec<f32> {
            let signs = vector(seed, dims).into_iter().map(|x| f32::from(u8::from(x > 0.0)));
            signs.chain(std::iter::repeat_n(0.0, padded - dims)).collect()
        };
        let (query, coder) = (bits(1), Coder::new(padded, 1, Metric::Hamming));
        let mut codes = vec![0; coder.group_bytes()];
        let mut encoded = Encoded::default();
        for lane in 0..32 {
            coder.encode(&[], &bits(10 + lane as u64), &mut encoded);
            coder.put_lane(&mut codes, lane, &encoded.planes);
        }
        let group = Estimate { base: 0.0, f1: &UNIT_FACTORS.0, f0: &UNIT_FACTORS.1, codes: &codes };
        let mut keys = [0f32; 32];
        estimator(FactorKind::F32).run(&Lookup::of_bits(&query), &group, &mut keys);
        for (lane, key) in keys.into_iter().enumerate() {
            let pairs = query.iter().zip(bits(10 + lane as u64));
            assert_eq!(key, pairs.filter(|&(&x, y)| x != y).count() as f32, "{dims} dims, lane {lane}");
        }
    }
}

#[test]
fn every_estimator_equals_the_specification_bit_for_bit() {
    for dims in [3, 64, 100, 256, 1536, 3072].into_iter().filter(|dims| !cfg!(miri) || *dims <= 100) {
        for bits in [1, 2, 4] {
            let f = fixture(dims, bits, Metric::Dot);
            let halves: [Vec<u8>; 2] = [&f.f1, &f.f0]
                .map(|list| list.iter().flat_map(|&x| crate::distance::f32_to_f16(x).to_le_bytes()).collect());
            let singles = [bytes(&f.f1), bytes(&f.f0)];
            let mut pairs = [([0f32; 32], [0f32; 32]); 2];
            let half = Estimate { base: 0.25, f1: &halves[0], f0: &halves[1], codes: &f.codes };
            estimator(FactorKind::F16).run(&f.lookup, &half, &mut pairs[0].0);
            scalar::estimate_f16(&f.lookup, &half, &mut pairs[0].1);
            let single = Estimate { base: 0.25, f1: &singles[0], f0: &singles[1], codes: &f.codes };
            estimator(FactorKind::F32).run(&f.lookup, &single, &mut pairs[1].0);
            scalar::estimate_f32(&f.lookup, &single, &mut pairs[1].1);
            for (got, want) in pairs {
                assert_eq!(got.map(f32::to_bits), want.map(f32::to_bits), "{dims} dims, {bits} bits");
            }
        }
    }
}
