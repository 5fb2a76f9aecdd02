//! The engine over the memory store, without SQLite: searches, insertions and bulk builds on 20,000 synthetic vectors.

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::{LazyLock, Mutex};
use std::thread::available_parallelism;

use common::{Graph, clustered};
use divan::Bencher;
use divan::counter::ItemsCount;
use vecrank::internals::distance::{Element, Metric};
use vecrank::internals::hnsw::{Ef, Order};

const COUNT: usize = 20_000;
const DIMS: usize = 256;
const QUERIES: usize = 500;

fn main() {
    divan::main();
}

fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The base, and behind it the vectors that are held out.
static VECTORS: LazyLock<Vec<Vec<f32>>> = LazyLock::new(|| clustered(7, COUNT + QUERIES, DIMS));

static GRAPH: LazyLock<Mutex<Graph>> =
    LazyLock::new(|| Mutex::new(Graph::build(&VECTORS[..COUNT], Element::F32, Metric::Cosine, threads())));

/// The held-out vectors in turn, for ever.
fn held_out() -> impl FnMut() -> &'static [f32] {
    let mut turn = VECTORS[COUNT..].iter().cycle();
    move || turn.next().unwrap()
}

/// The first page of ten.
#[divan::bench(args = [16, 32, 64, 128, 256], sample_count = 500, sample_size = 1)]
fn search_ten(bencher: Bencher<'_, '_>, ef: usize) {
    let mut graph = GRAPH.lock().unwrap();
    bencher.with_inputs(held_out()).bench_local_values(|query| graph.knn(query, Ef::Window(ef), 10));
}

/// One feed read deep: rows per second.
#[divan::bench(args = [100, 1000])]
fn search_deep(bencher: Bencher<'_, '_>, count: usize) {
    let mut graph = GRAPH.lock().unwrap();
    let reading = bencher.with_inputs(held_out()).counter(ItemsCount::new(count));
    reading.bench_local_values(|query| {
        let mut search = graph.search(query, Ef::Default, Order::Strict);
        graph.take(&mut search, count).len()
    });
}

/// Every node ranked.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn search_exact(bencher: Bencher<'_, '_>) {
    let mut graph = GRAPH.lock().unwrap();
    bencher.with_inputs(held_out()).bench_local_values(|query| graph.knn(query, Ef::Exact, 10));
}

/// Into a graph of its own, which grows as this goes on.
#[divan::bench(sample_count = 400, sample_size = 1)]
fn insert_one(bencher: Bencher<'_, '_>) {
    let mut graph = Graph::build(&VECTORS[..COUNT], Element::F32, Metric::Cosine, threads());
    bencher.with_inputs(held_out()).bench_local_values(|vector| graph.insert(vector));
}

/// From vectors to node rows: vectors per second, on all cores.
#[divan::bench(args = [5_000, 20_000], sample_count = 3, sample_size = 1)]
fn build(bencher: Bencher<'_, '_>, count: usize) {
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| Graph::build(&VECTORS[..count], Element::F32, Metric::Cosine, threads()));
}
