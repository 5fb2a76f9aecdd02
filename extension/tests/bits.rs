//! The engine over vectors of bits, where many rows are at one distance: recall by distance, order among ties, tiling,
//! complete reads, and the same bytes on any number of threads.

mod common;

use common::{Graph, Random, clustered, signs};
use vecrank::internals::distance::{Element, Metric};
use vecrank::internals::format::Node;
use vecrank::internals::hnsw::{Ef, GraphStore, Hit, Order};

fn graph(vectors: &[Vec<f32>]) -> Graph {
    Graph::build(vectors, Element::Bit, Metric::Hamming, 2)
}

/// The signs of `count` clustered vectors, and of 40 queries of the same clusters.
fn data(seed: u64, count: usize, dims: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let mut vectors = signs(&clustered(seed, count + 40, dims));
    let queries = vectors.split_off(count);
    (vectors, queries)
}

fn assert_recall(graph: &mut Graph, queries: &[Vec<f32>], what: &str) {
    for (k, floor) in [(10, 0.96), (100, 0.96)] {
        let recall = graph.recall(queries, Ef::Default, k);
        assert!(recall >= floor, "{what}: seed 31, m 16, ef_search 64: recall@{k} = {recall:.3}, floor {floor}");
    }
}

fn pairs(hits: &[Hit]) -> Vec<(f64, i64)> {
    hits.iter().map(|hit| (hit.distance, hit.rowid.0)).collect()
}

#[test]
fn recall_holds_its_floor_at_every_width_built_and_inserted() {
    for dims in [8, 64, 136, 512] {
        let (vectors, queries) = data(31, 2500, dims);
        assert_recall(&mut graph(&vectors), &queries, &format!("{dims} bits"));
        let mut grown = graph(&vectors[..1900]);
        vectors[1900..].iter().for_each(|vector| grown.insert(vector));
        assert_recall(&mut grown, &queries, &format!("{dims} bits, a quarter inserted"));
    }
}

#[test]
fn a_graph_that_insertion_begins_holds_the_floor() {
    let (vectors, queries) = data(31, 1500, 128);
    let mut grown = graph(&vectors[..1]);
    vectors[1..].iter().for_each(|vector| grown.insert(vector));
    assert_recall(&mut grown, &queries, "all inserted");
}

#[test]
fn ties_come_in_the_order_of_rowids_and_distances_are_exact() {
    for dims in [16, 64, 256] {
        let (vectors, queries) = data(32, 5000, dims);
        let mut graph = graph(&vectors);
        for query in &queries[..10] {
            let exact: std::collections::HashMap<i64, f64> = graph.exact(query, |_| true).into_iter().collect();
            let hits = pairs(&graph.knn(query, Ef::Default, 1000));
            assert_eq!(hits.len(), 1000);
            assert!(hits.is_sorted() && hits.windows(2).all(|pair| pair[0] != pair[1]), "{dims}: {hits:?}");
            assert!(hits.iter().all(|&(distance, rowid)| exact[&rowid] == distance), "{dims}: {hits:?}");
            // The graph knows all rows of the nearest distances: none of them is lost among its ties.
            let first = hits[0].0;
            let ties = |list: &[(f64, i64)]| list.iter().filter(|hit| hit.0 == first).count();
            let truth: Vec<(f64, i64)> = exact.iter().map(|(&rowid, &distance)| (distance, rowid)).collect();
            assert_eq!(ties(&hits), ties(&truth).min(1000), "{dims}: at distance {first}");
        }
    }
}

#[test]
fn pages_tile_at_every_depth() {
    for dims in [8, 32, 256] {
        let (vectors, queries) = data(33, 6000, dims);
        let mut graph = graph(&vectors);
        let mut random = Random::new(1);
        for query in &queries[..15] {
            let long = graph.knn(query, Ef::Default, 1200);
            for _ in 0..3 {
                let depth = random.below(1200);
                assert_eq!(graph.knn(query, Ef::Default, depth), long[..depth], "{dims}");
            }
        }
    }
}

#[test]
fn relaxed_order_returns_every_row_once_and_exact_the_exact_order() {
    for dims in [8, 128] {
        let (vectors, queries) = data(34, 3000, dims);
        let mut graph = graph(&vectors);
        let mut search = graph.search(&queries[0], Ef::Default, Order::Relaxed);
        let mut rowids: Vec<i64> = graph.take(&mut search, usize::MAX).iter().map(|hit| hit.rowid.0).collect();
        rowids.sort_unstable();
        assert_eq!(rowids, (0..3000).collect::<Vec<_>>());
        let hits: Vec<(i64, f64)> =
            graph.knn(&queries[1], Ef::Exact, usize::MAX).iter().map(|hit| (hit.rowid.0, hit.distance)).collect();
        assert_eq!(hits, graph.exact(&queries[1], |_| true));
    }
}

#[test]
fn equal_vectors_stay_reachable_beside_others() {
    let (mut vectors, queries) = data(35, 3000, 64);
    let twin = vectors[17].clone();
    vectors.extend(std::iter::repeat_n(twin.clone(), 3000));
    let mut built = graph(&vectors[..4000]);
    vectors[4000..].iter().for_each(|vector| built.insert(vector));
    let hits = built.knn(&twin, Ef::Default, 3001);
    let expected = vectors.iter().filter(|vector| **vector == twin).count();
    assert_eq!(hits.iter().filter(|hit| hit.distance == 0.0).count(), expected.min(3001));
    assert_recall(&mut built, &queries, "beside 3,000 equal vectors");
}

#[test]
fn all_zeros_and_all_ones_are_vectors() {
    let mut vectors = vec![vec![0.0; 64]; 1500];
    vectors.extend(vec![vec![1.0; 64]; 1500]);
    let mut graph = graph(&vectors);
    let hits = graph.knn(&vec![1.0; 64], Ef::Default, 2000);
    assert_eq!((hits[0].rowid.0, hits[0].distance), (1500, 0.0));
    assert_eq!((hits[1500].rowid.0, hits[1500].distance), (0, 64.0));
}

#[test]
fn the_build_does_not_depend_on_the_number_of_threads() {
    let (vectors, _) = data(36, 4000, 72);
    let rows = |threads| {
        let mut graph = Graph::build(&vectors, Element::Bit, Metric::Hamming, threads);
        let mut all = Vec::new();
        let mut copy = |node: Node<'_>| {
            all.extend_from_slice(node.row());
            Ok(())
        };
        graph.store.scan(&mut copy).unwrap();
        (all, graph.entry.blob().encode())
    };
    let one = rows(1);
    assert!(one == rows(2) && one == rows(5));
}
