//! Recall@10 of the first page, where precision is at stake: data far from the origin, and codes of few bits.
//!
//! ```sh
//! cargo bench -p vecrank --bench precision -- offset l2     # or: offset cosine, offset dot
//! cargo bench -p vecrank --bench precision -- bits
//! ```

#[path = "../tests/common/mod.rs"]
mod common;

use std::thread::available_parallelism;
use std::time::Instant;

use common::{Graph, clustered};
use vecrank::internals::distance::{Element, Metric};
use vecrank::internals::hnsw::{ColumnSpec, Ef, Order, Params, Query};

const COUNT: usize = 20_000;
const FEW: usize = 6_000;
const QUERIES: usize = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["offset", metric] => offsets(Metric::parse(metric).expect("a metric")),
        ["bits"] => bits(),
        // What `cargo bench` without a name runs.
        _ => offsets(Metric::L2),
    }
}

/// The share of hits that are as near as the k-th nearest: equal distances are no loss.
fn recall(graph: &mut Graph, queries: &[Vec<f32>], k: usize) -> (f64, f64, f64) {
    let (mut found, mut rows, mut micros) = (0, 0, 0.0);
    for query in queries {
        let bound = graph.exact(query, |_| true)[k - 1].1;
        let start = Instant::now();
        let mut search = graph.search(query, Ef::Default, Order::Strict);
        let hits = graph.take(&mut search, k);
        micros += start.elapsed().as_secs_f64() * 1e6;
        rows += search.expanded();
        found += hits.iter().filter(|hit| hit.distance <= bound).count();
    }
    let count = queries.len() as f64;
    (found as f64 / (count * k as f64), rows as f64 / count, micros / count)
}

/// Every component plus so many times what it spreads by.
fn offsets(metric: Metric) {
    println!(
        "{}: recall@10 (rows read) of {COUNT} vectors about an offset of so many times their spread",
        metric.name()
    );
    let offsets = [0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e6];
    println!("dims | {}", offsets.map(|offset| format!("{offset:>12}")).join(" | "));
    for dims in [2, 8, 64, 256] {
        let plain = clustered(7, COUNT + QUERIES, dims);
        let cells = offsets.map(|offset| {
            let moved: Vec<Vec<f32>> = plain.iter().map(|v| v.iter().map(|x| x + offset).collect()).collect();
            let threads = available_parallelism().map_or(1, usize::from);
            let mut graph = Graph::build(&moved[..COUNT], Element::F32, metric, threads);
            let (recall, rows, _) = recall(&mut graph, &moved[COUNT..], 10);
            format!("{recall:.3} ({rows:>4.0})")
        });
        println!("{dims:>4} | {}", cells.join(" | "));
    }
}

/// Codes of every width at the dimensions where the choice is made, and what the scan of the entry sample takes of a query.
fn bits() {
    println!("cosine: recall@10, rows and us per query, of them us per scan of 4,096 samples, of {FEW} vectors");
    for dims in [64, 128, 256] {
        let vectors = clustered(7, FEW + QUERIES, dims);
        for bits in [1, 2, 4] {
            let spec = ColumnSpec::new(Params::new(dims, Element::F32, Metric::Cosine), 42, bits);
            let bytes = spec.layout.row_bytes();
            let mut graph = Graph::build_in(spec, &vectors[..FEW], available_parallelism().map_or(1, usize::from));
            let queries = &vectors[FEW..];
            let (recall, rows, micros) = recall(&mut graph, queries, 10);
            let scan = scan_micros(&graph, queries);
            println!(
                "{dims:>4} dims, {bits} bits: {recall:.4}, {rows:>4.0} rows, {micros:>4.0} us, scan {scan:>4.1} us, {bytes} bytes per row"
            );
        }
    }
}

/// The time of a scan, as for 4,096 samples.
fn scan_micros(graph: &Graph, queries: &[Vec<f32>]) -> f64 {
    let queries: Vec<Query> = queries.iter().map(|query| Query::new(&graph.spec, query)).collect();
    let start = Instant::now();
    let nearest: usize = queries.iter().map(|query| graph.entry.nearest(&graph.spec, query, 4).len()).sum();
    assert_eq!(nearest, 4 * queries.len());
    start.elapsed().as_secs_f64() * 1e6 / queries.len() as f64 * 4096.0 / graph.entry.len() as f64
}
