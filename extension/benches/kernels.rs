//! The kernels of the inner loops: exact distances by every set that this CPU has, and FastScan's estimate of 32
//! neighbours by the fastest.

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt;

use common::{Random, clustered};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use vecrank::internals::distance::{Element, Kernels, Metric, available, encode};
use vecrank::internals::format::LANES;
use vecrank::internals::hnsw::{ColumnSpec, Params, Query};
use vecrank::internals::quantize::{Encoded, Estimate, FactorKind, estimator};

const DIMS: [usize; 4] = [96, 256, 768, 1536];

fn main() {
    divan::main();
}

/// One kernel of one set.
struct Case {
    set: Kernels,
    element: Element,
    dims: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {}", self.element, self.dims, self.set.name)
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for element in [Element::F32, Element::F16, Element::I8] {
        for dims in DIMS {
            cases.extend(available().into_iter().map(|set| Case { set, element, dims }));
        }
    }
    cases
}

/// A query, and a stored vector of whole numbers, which every element takes.
fn pair(case: &Case) -> (Vec<f32>, Vec<u8>) {
    let mut random = Random::new(3);
    let query = (0..case.dims).map(|_| random.normal()).collect();
    let whole: Vec<f32> = (0..case.dims).map(|_| (random.normal() * 30.0).round().clamp(-128.0, 127.0)).collect();
    (query, encode(&whole, case.element).unwrap())
}

fn bench_metric(bencher: Bencher<'_, '_>, case: &Case, metric: Metric) {
    let (query, stored) = pair(case);
    let kernel = case.set.of(metric, case.element).unwrap();
    bencher.counter(BytesCount::of_slice(&stored)).bench(|| kernel.sum(black_box(&query), black_box(&stored)));
}

#[divan::bench(args = cases())]
fn dot(bencher: Bencher<'_, '_>, case: &Case) {
    bench_metric(bencher, case, Metric::Dot);
}

#[divan::bench(args = cases())]
fn l2_squared(bencher: Bencher<'_, '_>, case: &Case) {
    bench_metric(bencher, case, Metric::L2);
}

/// 32 neighbours in one go, with the bits that a column of so many dimensions has.
#[divan::bench(args = DIMS)]
fn fastscan_32(bencher: Bencher<'_, '_>, dims: usize) {
    let spec = ColumnSpec::with_seed(Params::new(dims, Element::F32, Metric::Cosine), 1);
    let vectors = clustered(5, LANES + 2, dims);
    let rotated: Vec<Vec<f32>> = vectors
        .iter()
        .map(|vector| {
            let mut out = vec![0.0; spec.padded()];
            spec.rotate_components(vector, &mut out);
            out
        })
        .collect();
    let mut encoded = Encoded::default();
    let (mut codes, mut f1, mut f0) = (vec![0; spec.coder.group_bytes()], Vec::new(), Vec::new());
    for (lane, neighbour) in rotated[2..].iter().enumerate() {
        spec.coder.encode(&rotated[1], neighbour, &mut encoded);
        spec.coder.put_lane(&mut codes, lane, &encoded.planes);
        f1.extend(encoded.factors.f1.to_le_bytes());
        f0.extend(encoded.factors.f0.to_le_bytes());
    }
    let (query, estimate) = (Query::new(&spec, &vectors[0]), estimator(FactorKind::F32));
    let mut keys = [0f32; LANES];
    bencher.counter(BytesCount::of_slice(&codes)).bench_local(|| {
        let group = Estimate { base: 1.0, f1: &f1, f0: &f0, codes: black_box(&codes) };
        estimate.run(black_box(&query.lookup), &group, &mut keys);
        keys[0]
    });
}

/// What a query costs before its first row: rotation and lookup tables.
#[divan::bench(args = DIMS)]
fn query_tables(bencher: Bencher<'_, '_>, dims: usize) {
    let spec = ColumnSpec::with_seed(Params::new(dims, Element::F32, Metric::Cosine), 1);
    let vector = clustered(5, 1, dims).remove(0);
    bencher.bench(|| Query::new(&spec, black_box(&vector)));
}
