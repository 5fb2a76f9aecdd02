//! Data and graphs for the engine's tests and benches: clustered vectors from a seed, exact answers, graphs in memory.
#![allow(dead_code)] // everyone uses a part of it

use vecrank::internals::distance::{Element, ExactQuery, Metric, encode};
use vecrank::internals::format::{NodeId, RowId};
use vecrank::internals::hnsw::GraphState;
use vecrank::internals::hnsw::MemoryStore;
use vecrank::internals::hnsw::{
    ColumnSpec, Ef, EntrySample, GraphStore, Hit, Order, Params, Query, Search, insert, is_sampled,
};
use vecrank::internals::hnsw::{Options, RowWriter, Vectors, build};

/// xorshift64*: the same numbers on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// An approximately normal number with variance 1.
    pub fn normal(&mut self) -> f32 {
        let sum: f64 = (0..12).map(|_| (self.next() >> 11) as f64 / (1u64 << 53) as f64).sum();
        (sum - 6.0) as f32
    }
}

/// `count` vectors around sqrt(count) centres, with a spectrum that decays like that of real embeddings.
pub fn clustered(seed: u64, count: usize, dims: usize) -> Vec<Vec<f32>> {
    let mut random = Random::new(seed);
    let scale: Vec<f32> = (0..dims).map(|i| 1.0 / (1.0 + i as f32 / 8.0).sqrt()).collect();
    let mut draw = |spread: f32| -> Vec<f32> { scale.iter().map(|s| s * spread * random.normal()).collect() };
    let centres: Vec<Vec<f32>> = (0..(count as f64).sqrt() as usize + 1).map(|_| draw(1.0)).collect();
    let noise: Vec<Vec<f32>> = (0..count).map(|_| draw(0.7)).collect();
    let mut random = Random::new(seed ^ 0xabcd);
    noise
        .into_iter()
        .map(|own| {
            let centre = &centres[random.below(centres.len())];
            own.iter().zip(centre).map(|(a, b)| a + b).collect()
        })
        .collect()
}

/// The signs of vectors: 1 where a component is greater than zero, else 0.
pub fn signs(vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let sign = |x: &f32| if *x > 0.0 { 1.0 } else { 0.0 };
    vectors.iter().map(|vector| vector.iter().map(sign).collect()).collect()
}

/// The element that every test of a metric may use.
pub fn element_of(metric: Metric) -> Element {
    if metric == Metric::Hamming { Element::Bit } else { Element::F32 }
}

/// A graph over vectors whose rowids are their numbers.
pub struct Graph {
    pub spec: ColumnSpec,
    pub store: MemoryStore,
    pub entry: EntrySample,
    pub linked: u32,
    pub next_id: u32,
    pub stored: Vec<Vec<u8>>,
}

impl Graph {
    pub fn build(vectors: &[Vec<f32>], element: Element, metric: Metric, threads: usize) -> Graph {
        let spec = ColumnSpec::with_seed(Params::new(vectors[0].len(), element, metric), 42);
        Graph::build_in(spec, vectors, threads)
    }

    pub fn build_in(spec: ColumnSpec, vectors: &[Vec<f32>], threads: usize) -> Graph {
        let stored: Vec<Vec<u8>> = vectors.iter().map(|v| encode(v, spec.params.element).unwrap()).collect();
        let mut input = Vectors::with_capacity(&spec, stored.len());
        stored.iter().for_each(|bytes| input.push(&spec, bytes));
        let built = build(&spec, input, Options { threads, rows_per_page: 7 }, &|_| Ok(())).unwrap();
        let writer = RowWriter::new(&built);
        let mut store = MemoryStore::new(&spec);
        let mut rows: Vec<Vec<u8>> = built
            .order
            .iter()
            .map(|&number| {
                let bytes = &stored[number as usize];
                let mut row = Vec::new();
                spec.layout.write_pending(&mut row, RowId(i64::from(number)), spec.inverse_norm(bytes), bytes);
                row
            })
            .collect();
        writer.link_rows(0, &mut rows, threads, || ());
        for (id, row) in (0..).zip(&rows) {
            store.put_node(NodeId(id), row).unwrap();
        }
        let (entry, linked) = (writer.entry_sample(), rows.len() as u32);
        let spec = built.spec;
        Graph { spec, store, entry, linked, next_id: linked, stored }
    }

    /// Adds a vector, as SQL does in a small transaction. Its rowid is its number.
    pub fn insert(&mut self, vector: &[f32]) {
        let stored = encode(vector, self.spec.params.element).unwrap();
        let (id, rowid) = (NodeId(self.next_id), RowId(self.stored.len() as i64));
        let mut row = Vec::new();
        self.spec.layout.write_pending(&mut row, rowid, self.spec.inverse_norm(&stored), &stored);
        self.store.put_node(id, &row).unwrap();
        self.next_id += 1;
        let (linked, next_id) = (self.linked, self.next_id);
        let state = GraphState { spec: &self.spec, entry: &self.entry, linked, next_id };
        insert(state, &mut self.store, id).unwrap();
        self.linked += 1;
        if is_sampled(id, self.linked) {
            let mut rotated = vec![0.0; self.spec.padded()];
            self.spec.rotate(&stored, &mut rotated);
            self.entry.push(&self.spec, id, &rotated);
        }
        self.stored.push(stored);
    }

    pub fn state(&self) -> GraphState<'_> {
        GraphState { spec: &self.spec, entry: &self.entry, linked: self.linked, next_id: self.next_id }
    }

    pub fn search(&self, query: &[f32], ef: Ef, order: Order) -> Search {
        Search::new(self.state(), Query::new(&self.spec, query), ef, order)
    }

    /// The next `count` hits, or fewer at the end.
    pub fn take(&mut self, search: &mut Search, count: usize) -> Vec<Hit> {
        let (spec, store) = (&self.spec, &mut self.store);
        std::iter::from_fn(|| search.next(spec, store).unwrap()).take(count).collect()
    }

    pub fn knn(&mut self, query: &[f32], ef: Ef, count: usize) -> Vec<Hit> {
        let mut search = self.search(query, ef, Order::Strict);
        self.take(&mut search, count)
    }

    /// The rowids and distances of all vectors that `live` accepts, nearest first, ties by rowid.
    pub fn exact(&self, query: &[f32], live: impl Fn(i64) -> bool) -> Vec<(i64, f64)> {
        let exact = ExactQuery::new(query, self.spec.params.metric, self.spec.params.element);
        let mut all: Vec<(i64, f64)> = (0..)
            .zip(&self.stored)
            .filter(|&(rowid, _)| live(rowid))
            .map(|(rowid, bytes)| (rowid, exact.distance(exact.key(bytes, self.spec.inverse_norm(bytes)))))
            .collect();
        all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        all
    }

    /// Mean recall@k of `queries` at `ef`: by distance, since rows at one distance are equally good.
    pub fn recall(&mut self, queries: &[Vec<f32>], ef: Ef, k: usize) -> f64 {
        let mut found = 0;
        for query in queries {
            let exact = self.exact(query, |_| true);
            let hits = self.knn(query, ef, k);
            found += hits.iter().filter(|hit| hit.distance <= exact[k - 1].1).count();
        }
        found as f64 / (queries.len() * k) as f64
    }
}
