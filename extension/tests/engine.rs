//! The engine over the memory store: recall floors, order, tiling, equal vectors, insertion, determinism.

mod common;

use common::{Graph, Random, clustered, element_of, signs};
use std::cell::RefCell;
use std::sync::Arc;
use vecrank::internals::distance::{Element, Metric, encode};
use vecrank::internals::format::{Node, NodeId, RowNode};
use vecrank::internals::hnsw::{ColumnSpec, Ef, GraphStore, Hit, Matches, Order, Params, Query, Search};
use vecrank::internals::hnsw::{Options, Vectors, build};

/// The first `count` vectors, and 50 queries of the same clusters that are not among the vectors.
fn data(seed: u64, count: usize, dims: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let mut vectors = clustered(seed, count + 50, dims);
    let queries = vectors.split_off(count);
    (vectors, queries)
}

fn assert_recall(graph: &mut Graph, queries: &[Vec<f32>], floor: f64, what: &str) {
    let recall = graph.recall(queries, Ef::Default, 10);
    assert!(recall >= floor, "{what}: seed 7, m 16, ef_search 64: recall@10 = {recall:.3}, floor {floor}");
}

#[test]
fn recall_holds_its_floor_for_every_metric_and_element() {
    let (vectors, queries) = data(7, 5000, 96);
    let whole: Vec<Vec<f32>> =
        vectors.iter().map(|v| v.iter().map(|x| (x * 20.0).round().clamp(-128.0, 127.0)).collect()).collect();
    let whole_queries: Vec<Vec<f32>> = queries.iter().map(|v| v.iter().map(|x| x * 20.0).collect()).collect();
    let (bits, bit_queries) = (signs(&vectors), signs(&queries));
    for metric in Metric::ALL {
        for element in Element::ALL.into_iter().filter(|element| element.takes(metric)) {
            let (vectors, queries) = match element {
                Element::I8 => (&whole, &whole_queries),
                Element::Bit => (&bits, &bit_queries),
                _ => (&vectors, &queries),
            };
            let mut graph = Graph::build(vectors, element, metric, 2);
            assert_recall(&mut graph, queries, 0.95, &format!("{metric:?} {element:?}"));
        }
    }
}

#[test]
fn recall_holds_its_floor_at_every_width() {
    for dims in [3, 32, 64, 100, 192, 256, 384, 768] {
        let (vectors, queries) = data(7, 3000, dims);
        let mut graph = Graph::build(&vectors, Element::F32, Metric::Cosine, 2);
        assert_recall(&mut graph, &queries, 0.95, &format!("{dims} dimensions"));
    }
}

#[test]
fn recall_holds_its_floor_for_every_m() {
    let (vectors, queries) = data(7, 3000, 64);
    for m in [4, 24, 40] {
        let params = Params { m, ..Params::new(64, Element::F32, Metric::L2) };
        let mut graph = Graph::build_in(ColumnSpec::with_seed(params, 42), &vectors, 2);
        assert_recall(&mut graph, &queries, if m == 4 { 0.85 } else { 0.95 }, &format!("m {m}"));
    }
}

#[test]
fn hits_are_in_order_with_exact_distances() {
    let (vectors, queries) = data(3, 4000, 64);
    let mut graph = Graph::build(&vectors, Element::F32, Metric::L2, 2);
    for query in &queries {
        let exact: std::collections::HashMap<i64, f64> = graph.exact(query, |_| true).into_iter().collect();
        let hits = graph.knn(query, Ef::Default, 1000);
        assert_eq!(hits.len(), 1000);
        for pair in hits.windows(2) {
            assert!((pair[0].distance, pair[0].rowid) < (pair[1].distance, pair[1].rowid), "{pair:?}");
        }
        for hit in hits {
            assert_eq!(hit.distance, exact[&hit.rowid.0]);
        }
    }
}

#[test]
fn exact_search_returns_the_exact_order() {
    let (vectors, queries) = data(4, 2500, 64);
    let mut graph = Graph::build(&vectors, Element::F32, Metric::Cosine, 2);
    for query in &queries[..10] {
        let hits: Vec<(i64, f64)> =
            graph.knn(query, Ef::Exact, usize::MAX).iter().map(|hit| (hit.rowid.0, hit.distance)).collect();
        assert_eq!(hits, graph.exact(query, |_| true));
    }
}

#[test]
fn relaxed_order_returns_every_row_once() {
    let (vectors, queries) = data(5, 3000, 64);
    let mut graph = Graph::build(&vectors, Element::F32, Metric::Cosine, 2);
    let mut search = graph.search(&queries[0], Ef::Default, Order::Relaxed);
    let mut rowids: Vec<i64> = graph.take(&mut search, usize::MAX).iter().map(|hit| hit.rowid.0).collect();
    rowids.sort_unstable();
    assert_eq!(rowids, (0..3000).collect::<Vec<_>>());
}

#[test]
fn pages_tile_at_every_depth() {
    let (vectors, queries) = data(6, 6000, 64);
    let mut graph = Graph::build(&vectors, Element::F32, Metric::Cosine, 2);
    let mut random = Random::new(1);
    for query in &queries[..20] {
        let long = graph.knn(query, Ef::Default, 1200);
        let depth = random.below(1200);
        assert_eq!(graph.knn(query, Ef::Default, depth), long[..depth]);
    }
}

#[test]
fn all_equal_vectors_are_returned_in_rowid_order() {
    let (mut vectors, queries) = data(8, 3000, 64);
    let twin = vectors[17].clone();
    vectors.extend(std::iter::repeat_n(twin.clone(), 3000));
    let mut graph = Graph::build(&vectors, Element::F32, Metric::Cosine, 2);
    let rowids: Vec<i64> = graph.knn(&twin, Ef::Default, 3001).iter().map(|hit| hit.rowid.0).collect();
    let expected: Vec<i64> = std::iter::once(17).chain(3000..6000).collect();
    assert_eq!(rowids, expected);
    assert_recall(&mut graph, &queries, 0.95, "beside 3,000 equal vectors");
}

#[test]
fn nearly_equal_vectors_stay_reachable() {
    let (mut vectors, queries) = data(9, 2000, 64);
    let centre = vectors[5].clone();
    let mut random = Random::new(2);
    for _ in 0..3000 {
        vectors.push(centre.iter().map(|x| x + 1e-3 * random.normal()).collect());
    }
    let mut graph = Graph::build(&vectors, Element::F32, Metric::Cosine, 2);
    let recall = graph.recall(std::slice::from_ref(&centre), Ef::Default, 400);
    assert!(recall >= 0.95, "recall@400 within the cluster: {recall:.3}");
    assert_recall(&mut graph, &queries, 0.95, "beside a cluster of 3,000");
}

#[test]
fn the_build_does_not_depend_on_the_number_of_threads() {
    let (vectors, _) = data(10, 4000, 64);
    let rows = |threads| {
        let mut graph = Graph::build(&vectors, Element::F32, Metric::Cosine, threads);
        let mut all = Vec::new();
        let mut copy = |node: vecrank::internals::format::Node<'_>| {
            all.extend_from_slice(node.row());
            Ok(())
        };
        graph.store.scan(&mut copy).unwrap();
        (all, graph.entry.blob().encode())
    };
    let one = rows(1);
    assert!(one == rows(2) && one == rows(5));
}

#[test]
fn a_build_reports_progress_and_can_be_stopped() {
    let (vectors, _) = data(15, 3000, 16);
    let spec = ColumnSpec::with_seed(Params::new(16, Element::F32, Metric::L2), 1);
    let attempt = |watch: &dyn Fn(f64) -> vecrank::Result<()>| {
        let mut input = Vectors::with_capacity(&spec, vectors.len());
        vectors.iter().for_each(|vector| input.push(&spec, &encode(vector, Element::F32).unwrap()));
        build(&spec, input, Options { threads: 2, rows_per_page: 7 }, &watch).map(drop)
    };
    let told = RefCell::new(Vec::new());
    attempt(&|share| {
        told.borrow_mut().push(share);
        Ok(())
    })
    .unwrap();
    let told = told.into_inner();
    assert!(told.is_sorted() && told.len() > 10, "{told:?}");
    assert!(told[0] > 0.0 && (0.9..=1.0).contains(&told[told.len() - 1]), "{told:?}");
    for stop in told {
        let watch = |share| if share >= stop { Err(vecrank::Error::Interrupted) } else { Ok(()) };
        assert!(matches!(attempt(&watch), Err(vecrank::Error::Interrupted)), "at {stop}");
    }
}

fn insert_all(graph: &mut Graph, vectors: &[Vec<f32>]) {
    vectors.iter().for_each(|vector| graph.insert(vector));
}

#[test]
fn insertion_keeps_the_recall_of_a_build() {
    for metric in Metric::ALL {
        let (mut vectors, mut queries) = data(7, 4000, 96);
        if metric == Metric::Hamming {
            (vectors, queries) = (signs(&vectors), signs(&queries));
        }
        let mut graph = Graph::build(&vectors[..2000], element_of(metric), metric, 2);
        insert_all(&mut graph, &vectors[2000..]);
        assert_recall(&mut graph, &queries, 0.95, &format!("half inserted, {metric:?}"));
    }
}

/// Vectors in all directions, some ten times as long as others. The short ones are near to all.
fn of_many_lengths(seed: u64, count: usize, dims: usize) -> Vec<Vec<f32>> {
    let mut random = Random::new(seed);
    let mut vector = || {
        let length = random.normal().exp();
        (0..dims).map(|_| length * random.normal()).collect()
    };
    (0..count).map(|_| vector()).collect()
}

#[test]
fn no_neighbour_list_drops_a_child() {
    let vectors = of_many_lengths(21, 2500, 64);
    for metric in Metric::ALL {
        let vectors = if metric == Metric::Hamming { signs(&vectors) } else { vectors.clone() };
        let mut graph = Graph::build(&vectors[..1000], element_of(metric), metric, 2);
        insert_all(&mut graph, &vectors[1000..]);
        let mut lists = Vec::new();
        let mut read = |node: Node<'_>| {
            lists.push(node.neighbours().map(|id| id.0).collect::<Vec<u32>>());
            Ok(())
        };
        graph.store.scan(&mut read).unwrap();
        let is_held = |id: u32| lists[lists[id as usize][0] as usize].contains(&id);
        for (id, list) in (0..).zip(&lists).skip(1000) {
            assert!(list[0] < id && is_held(id), "{metric:?}: node {id}: {list:?}");
        }
        let held = (0..1000).filter(|&id| is_held(id)).count();
        assert!(held > 980, "{metric:?}: of 1000 nodes built at once {held} have a parent");
    }
}

#[test]
fn equal_vectors_inserted_one_by_one_are_all_found() {
    let (vectors, _) = data(11, 1500, 64);
    let mut graph = Graph::build(&vectors, Element::F32, Metric::Cosine, 2);
    let twin = vectors[3].clone();
    insert_all(&mut graph, &vec![twin.clone(); 1500]);
    let rowids: Vec<i64> = graph.knn(&twin, Ef::Default, 250).iter().map(|hit| hit.rowid.0).collect();
    let expected: Vec<i64> = std::iter::once(3).chain(1500..1749).collect();
    assert_eq!(rowids, expected);
}

#[test]
fn damaged_links_are_errors() {
    let (vectors, queries) = data(12, 2000, 64);
    let mut graph = Graph::build(&vectors, Element::F32, Metric::Cosine, 2);
    let ids_offset = graph.spec.layout.ids_offset();
    let mut buffer = Vec::new();
    for id in 0..2000 {
        let mut row = graph.store.node(NodeId(id), &mut buffer).unwrap().row().to_vec();
        row[ids_offset..ids_offset + 4].copy_from_slice(&5000u32.to_le_bytes());
        graph.store.put_node(NodeId(id), &row).unwrap();
    }
    let mut search = graph.search(&queries[0], Ef::Default, Order::Strict);
    let error = search.next(&graph.spec, &mut graph.store).unwrap_err().to_string();
    assert!(error.ends_with("is damaged: neighbour 5000 out of range"), "{error}");
}

/// The first `count` hits of a search steered through the rows that `matches` accepts.
fn steered(graph: &mut Graph, query: &[f32], order: Order, matches: impl Fn(i64) -> bool, count: usize) -> Vec<Hit> {
    let mut rows = Vec::new();
    graph
        .store
        .scan(&mut |node| {
            let row = RowNode { rowid: node.rowid(), node: node.id };
            rows.extend(matches(row.rowid.0).then_some(row));
            Ok(())
        })
        .unwrap();
    let mut matches = Matches::new(rows);
    assert!(matches.set_bits());
    let query = Query::new(&graph.spec, query);
    let mut search = Search::among(graph.state(), query, Ef::Window(96), order, Arc::new(matches));
    graph.take(&mut search, count)
}

#[test]
fn a_steered_search_returns_matches_only() {
    let (vectors, queries) = data(15, 12_000, 64);
    let mut graph = Graph::build(&vectors, Element::F32, Metric::Cosine, 2);
    for share in [3, 10, 40] {
        let matches = |rowid: i64| rowid.wrapping_mul(0x9e37_79b9).rem_euclid(997) < 10 * share;
        let mut found = 0;
        for query in &queries {
            let exact = graph.exact(query, matches);
            let hits = steered(&mut graph, query, Order::Strict, matches, 10);
            assert_eq!(hits.len(), 10);
            assert!(hits.iter().all(|hit| matches(hit.rowid.0)));
            assert!(hits.windows(2).all(|pair| (pair[0].distance, pair[0].rowid) < (pair[1].distance, pair[1].rowid)));
            found += hits.iter().filter(|hit| exact[..10].iter().any(|&(rowid, _)| rowid == hit.rowid.0)).count();
        }
        let recall = found as f64 / (10 * queries.len()) as f64;
        assert!(recall >= 0.95, "share {share} %, seed 15: recall@10 = {recall:.3}");
    }
}

#[test]
fn a_steered_search_returns_every_match_once_and_its_pages_tile() {
    let (vectors, queries) = data(16, 5_000, 64);
    let mut graph = Graph::build(&vectors, Element::F32, Metric::L2, 2);
    let matches = |rowid: i64| rowid % 7 == 3;
    for query in &queries[..5] {
        let mut rowids: Vec<i64> =
            steered(&mut graph, query, Order::Relaxed, matches, usize::MAX).iter().map(|hit| hit.rowid.0).collect();
        rowids.sort_unstable();
        assert_eq!(rowids, (0..5_000).filter(|&rowid| matches(rowid)).collect::<Vec<_>>());
        let whole = steered(&mut graph, query, Order::Strict, matches, usize::MAX);
        for depth in [1, 10, 60, 200] {
            assert_eq!(steered(&mut graph, query, Order::Strict, matches, depth), whole[..depth]);
        }
    }
}
