//! Node rows: what one hop of a search does with a row that it has, and what writing one takes.

#[path = "../tests/common/mod.rs"]
mod common;

use common::clustered;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use vecrank::internals::distance::{Element, Metric, encode};
use vecrank::internals::format::{LANES, NodeId, RowId, set_degree};
use vecrank::internals::hnsw::put_lane;
use vecrank::internals::hnsw::{ColumnSpec, Params, Query};
use vecrank::internals::quantize::Encoded;

const DIMS: [usize; 4] = [96, 256, 768, 1536];

fn main() {
    divan::main();
}

/// Rotated vectors of one cluster: the own vector, and 32 neighbours.
struct Material {
    spec: ColumnSpec,
    vectors: Vec<Vec<f32>>,
    rotated: Vec<Vec<f32>>,
    stored: Vec<u8>,
}

fn material(dims: usize) -> Material {
    let spec = ColumnSpec::with_seed(Params::new(dims, Element::F32, Metric::Cosine), 1);
    let vectors = clustered(9, LANES + 1, dims);
    let rotate = |vector: &Vec<f32>| {
        let mut out = vec![0.0; spec.padded()];
        spec.rotate_components(vector, &mut out);
        out
    };
    let rotated = vectors.iter().map(rotate).collect();
    let stored = encode(&vectors[0], Element::F32).unwrap();
    Material { spec, vectors, rotated, stored }
}

/// A linked row with every lane in use.
fn write_row(material: &Material, row: &mut Vec<u8>, encoded: &mut Encoded) {
    let Material { spec, rotated, stored, .. } = material;
    spec.layout.write_pending(row, RowId(1), spec.inverse_norm(stored), stored);
    spec.layout.make_linked(row);
    for (lane, neighbour) in rotated[1..].iter().enumerate() {
        spec.coder.encode(&rotated[0], neighbour, encoded);
        put_lane(spec, row, lane, NodeId(lane as u32), encoded, 0.5);
    }
    set_degree(row, LANES as u16);
}

/// A row checked, its exact key, and the estimates of its neighbours.
#[divan::bench(args = DIMS)]
fn decode_row(bencher: Bencher<'_, '_>, dims: usize) {
    let material = material(dims);
    let (mut row, spec) = (Vec::new(), &material.spec);
    write_row(&material, &mut row, &mut Encoded::default());
    let query = Query::new(spec, &material.vectors[7]);
    let mut keys = [0f32; LANES];
    bencher.counter(BytesCount::of_slice(&row)).bench_local(|| {
        let node = spec.layout.read(NodeId(1), black_box(&row)).unwrap();
        let key = query.key(&node);
        query.estimate(spec, &node, key, 0, &mut keys);
        (key, keys[0], node.neighbour(31))
    });
}

/// A row of 32 neighbours out of rotated vectors.
#[divan::bench(args = DIMS)]
fn encode_row(bencher: Bencher<'_, '_>, dims: usize) {
    let material = material(dims);
    let (mut row, mut encoded) = (Vec::new(), Encoded::default());
    bencher.bench_local(|| {
        write_row(black_box(&material), &mut row, &mut encoded);
        row.len()
    });
}
