//! Recall through SQL, with a seed and a floor for each state of a table, and proof that the graph was walked. Also
//! exact distances, order, pages that tile, and complete reads.

use std::collections::{BTreeMap, BTreeSet};

use vecrank_tests::data::{Clusters, Element, Metric, Numbers, ranked};
use vecrank_tests::{Host, library};

const CLUSTERS: usize = 50;
/// Enough rows for the graph to be walked: the engine ranks up to 1,000 rows exactly.
const ROWS: usize = 2_500;
const QUERIES: usize = 25;
/// Dimensions with codes of one bit each.
const DIMS: usize = 192;
/// The floors of recall for a page of 10 and of 50 rows, in every state of a table.
const FLOORS: [(usize, f64); 2] = [(10, 0.98), (50, 0.965)];
/// A window so narrow that bad links lower the recall.
const NARROW: &str = "AND ef_search = 12";

/// A table and its expected content.
struct Table {
    host: Host,
    kind: Kind,
    seed: u64,
    model: BTreeMap<i64, Row>,
    clusters: Clusters,
    numbers: Numbers,
}

/// The declaration of a vector column.
#[derive(Debug, Clone, Copy)]
struct Kind {
    element: Element,
    dims: usize,
    metric: Metric,
    lengths: Lengths,
    /// Added to every component.
    offset: f64,
}

const COSINE: Kind =
    Kind { element: Element::Float, dims: DIMS, metric: Metric::Cosine, lengths: Lengths::Alike, offset: 0.0 };

const BIT: Kind = Kind { element: Element::Bit, dims: 256, metric: Metric::Hamming, ..COSINE };

impl Kind {
    fn moved(&self, vector: Vec<f64>) -> Vec<f64> {
        if self.offset == 0.0 {
            return vector;
        }
        vector.into_iter().map(|x| self.element.rounded(x + self.offset)).collect()
    }
}

/// The lengths of a table's vectors.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lengths {
    Alike,
    /// Lognormal: some vectors are ten times as long as others.
    Spread,
}

struct Row {
    vector: Vec<f64>,
    /// Values from 0 to 999, the same in an indexed column and in one without an index.
    lot: usize,
}

impl Table {
    fn empty(host: Host, kind: Kind, seed: u64) -> Table {
        let Kind { element, dims, metric, .. } = kind;
        host.run(&format!(
            "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, lot INTEGER INDEXED, plain INTEGER,
             e {}[{dims}], metric = '{}')",
            element.name(),
            metric.name()
        ));
        let (clusters, numbers) = (Clusters::new(seed, CLUSTERS, dims, element), Numbers::from_seed(seed));
        Table { host, kind, seed, model: BTreeMap::new(), clusters, numbers }
    }

    /// A table with ROWS rows, loaded in one transaction.
    fn loaded(host: Host, kind: Kind, seed: u64) -> Table {
        let mut table = Table::empty(host, kind, seed);
        table.host.run("BEGIN");
        (0..ROWS as i64).collect::<Vec<_>>().chunks(500).for_each(|ids| table.insert(ids));
        table.host.run("COMMIT");
        table
    }

    /// Inserts rows in one statement.
    fn insert(&mut self, ids: &[i64]) {
        let mut values = Vec::new();
        for &id in ids {
            let row = Row { vector: self.vector(), lot: self.numbers.below(1000) };
            values.push(format!("({id},{0},{0},{1})", row.lot, self.kind.element.literal(&row.vector)));
            assert!(self.model.insert(id, row).is_none(), "row {id} is new");
        }
        self.host.run(&format!("INSERT INTO t VALUES {}", values.join(",")));
    }

    fn vector(&mut self) -> Vec<f64> {
        let mut vector = self.clusters.vector();
        if self.kind.lengths == Lengths::Spread {
            let length = f64::exp(self.numbers.normal());
            vector.iter_mut().for_each(|x| *x = self.kind.element.rounded(*x * length));
        }
        self.kind.moved(vector)
    }

    /// Inserts rows, one transaction per row.
    fn insert_singly(&mut self, ids: impl Iterator<Item = i64>) {
        ids.for_each(|id| self.insert(&[id]));
    }

    /// Deletes a share of the rows, one transaction per row.
    fn delete_share(&mut self, share: f64) {
        let ids: Vec<i64> = self.model.keys().copied().filter(|_| self.numbers.share() < share).collect();
        for id in ids {
            self.host.run(&format!("DELETE FROM t WHERE id = {id}"));
            self.model.remove(&id);
        }
    }

    /// Replaces the vectors of a share of the rows, in one transaction.
    fn update_share(&mut self, share: f64) {
        let ids: Vec<i64> = self.model.keys().copied().filter(|_| self.numbers.share() < share).collect();
        self.host.run("BEGIN");
        for id in ids {
            let vector = self.vector();
            self.host.run(&format!("UPDATE t SET e = {} WHERE id = {id}", self.kind.element.literal(&vector)));
            self.model.entry(id).and_modify(|row| row.vector = vector);
        }
        self.host.run("COMMIT");
    }

    /// Queries like those of a feed, the same for every state of a table.
    fn queries(&self) -> Vec<Vec<f64>> {
        Clusters::new(self.seed, CLUSTERS, self.kind.dims, self.kind.element)
            .vectors(2 * ROWS)
            .split_off(2 * ROWS - QUERIES)
            .into_iter()
            .map(|vector| self.kind.moved(vector))
            .collect()
    }

    fn truth(&self, query: &[f64], keep: impl Fn(&Row) -> bool) -> Vec<(f64, i64)> {
        ranked(
            self.kind.metric,
            query,
            self.model.iter().filter(|(_, row)| keep(row)).map(|(id, row)| (*id, &row.vector)),
        )
    }

    fn search(&self, query: &[f64], rest: &str) -> String {
        format!("SELECT id, distance FROM t WHERE e MATCH {} {rest}", self.kind.element.literal(query))
    }

    /// The hits as (distance, id). Checks that they are in order and their distances exact.
    fn hits(&self, query: &[f64], rest: &str) -> Vec<(f64, i64)> {
        let hits: Vec<(f64, i64)> = self.host.rows(&self.search(query, rest)).iter().map(|row| hit(row)).collect();
        assert!(hits.is_sorted(), "{self}: out of order: {hits:?}");
        for &(distance, id) in &hits {
            let exact = self.kind.metric.distance(query, &self.model[&id].vector);
            let error = (distance - exact).abs() / exact.abs().max(1.0);
            assert!(error <= 1e-6, "{self}: row {id}: distance {distance}, exactly {exact}");
        }
        hits
    }

    /// Checks the floors of recall for searches with `filter`.
    #[track_caller]
    fn check_recall(&self, state: &str, filter: &str, floors: &[(usize, f64)], keep: impl Fn(&Row) -> bool) {
        let queries: Vec<_> = self.queries().into_iter().map(|query| (self.truth(&query, &keep), query)).collect();
        for &(k, floor) in floors {
            let (mut found, mut wanted) = (0, 0);
            for (truth, query) in &queries {
                let last = truth.iter().take(k).next_back().map_or(0.0, |&(distance, _)| distance);
                let truth: BTreeSet<i64> = truth.iter().take(k).map(|&(_, id)| id).collect();
                let hits = self.hits(query, &format!("{filter} ORDER BY distance LIMIT {k}"));
                assert_eq!(hits.len(), truth.len(), "{self}, {state}: a page of {k} {filter:?} is full");
                // Many rows are at one distance under hamming, and equally good.
                let is_tie = |distance: f64| self.kind.metric == Metric::Hamming && distance <= last;
                found += hits.iter().filter(|(distance, id)| truth.contains(id) || is_tie(*distance)).count();
                wanted += truth.len();
            }
            let recall = found as f64 / wanted as f64;
            assert!(recall >= floor, "{self}, {state} {filter}: recall@{k} = {recall:.4}, floor {floor}");
        }
    }

    /// Checks the floors for searches that walk the graph, and that the table is sound.
    #[track_caller]
    fn check(&self, state: &str) {
        self.check_walks(state);
        self.check_recall(state, "", &FLOORS, |_| true);
        self.check_recall(state, NARROW, &[(10, 0.95)], |_| true);
        self.host.check_sound("t");
    }

    /// Checks that the plan is a search, and that it reads a small part of the pages that ranking every row reads.
    #[track_caller]
    fn check_walks(&self, state: &str) {
        let query = &self.queries()[0];
        let sql = self.search(query, "ORDER BY distance LIMIT 10");
        let plan = self.host.line(&format!("EXPLAIN QUERY PLAN {sql}"));
        let expected = format!("knn e {}", self.kind.metric.name());
        assert!(plan.contains(&expected) && !plan.contains("TEMP B-TREE"), "{plan}");
        let exact = self.search(query, "AND ef_search = 'exact' ORDER BY distance LIMIT 10");
        let pages = |sql: &str| self.host.pages_asked(|| self.host.run(sql));
        let (walk, scan) = (pages(&sql), pages(&exact));
        assert!(walk * 3 < scan * 2, "{self}, {state}: a search asked for {walk} pages, ranking all rows for {scan}");
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Kind { element, dims, metric, lengths, offset }, rows) = (self.kind, self.model.len());
        let (element, metric, seed, version) = (element.name(), metric.name(), self.seed, self.host.version());
        write!(
            f,
            "{element}[{dims}] {metric}, {rows} rows of lengths {lengths:?} about {offset}, seed {seed}, SQLite {version}"
        )
    }
}

fn hit(row: &str) -> (f64, i64) {
    let (id, distance) = row.split_once('|').expect("two columns");
    (distance.parse().expect("a distance"), id.parse().expect("an id"))
}

fn ids(hits: &[(f64, i64)]) -> Vec<i64> {
    hits.iter().map(|&(_, id)| id).collect()
}

/// Every element under every metric, each of them with codes of one, two and four bits.
fn every_kind() -> Vec<Kind> {
    let dims = [DIMS, 128, 32];
    let of = |(m, metric): (usize, Metric)| {
        let kinds = Element::ALL.into_iter().enumerate();
        kinds.map(move |(e, element)| Kind { element, dims: dims[(m + e) % 3], metric, ..COSINE })
    };
    let numbers = Metric::ALL.into_iter().enumerate().flat_map(of);
    numbers.chain([BIT, Kind { dims: 64, ..BIT }]).collect()
}

/// Each element and each metric once.
fn some_kinds() -> Vec<Kind> {
    every_kind().into_iter().step_by(4).chain([BIT]).collect()
}

/// The SQLite libraries in turn: the engine does not depend on the library.
fn host(turn: usize) -> Host {
    let mut hosts = Host::both(library());
    hosts.swap_remove(turn % hosts.len())
}

#[test]
fn recall_holds_after_a_bulk_load() {
    for (turn, kind) in every_kind().into_iter().enumerate() {
        Table::loaded(host(turn), kind, 100 + turn as u64).check("loaded");
    }
}

#[test]
fn recall_holds_after_single_writes() {
    for (turn, kind) in some_kinds().into_iter().enumerate() {
        let mut table = Table::loaded(host(turn), kind, 200 + turn as u64);
        table.insert_singly(ROWS as i64..ROWS as i64 + 250);
        table.check("250 rows more, singly");
        table.delete_share(0.15);
        assert_ne!(table.host.line("SELECT value FROM hnsw_info('t') WHERE key = 'deleted'"), "0");
        table.check("15 % deleted, still in the graph");
        table.delete_share(0.2);
        table.check("a third deleted, the graph built anew on the way");
        table.update_share(0.05);
        table.check("5 % with another vector");
        table.update_share(0.5);
        table.check("half with another vector");
    }
}

#[test]
fn recall_holds_for_a_graph_of_single_inserts() {
    for (host, seed) in Host::both(library()).into_iter().zip(300..) {
        let mut table = Table::empty(host, COSINE, seed);
        table.insert_singly(0..2_000);
        table.check("every row in a transaction of its own");
    }
    let mut table = Table::empty(host(0), BIT, 310);
    table.insert_singly(0..2_000);
    table.check("every row in a transaction of its own");
}

#[test]
fn recall_holds_for_vectors_of_many_lengths() {
    for (host, seed) in Host::both(library()).into_iter().zip(350..) {
        let kind = Kind { metric: Metric::Dot, lengths: Lengths::Spread, ..COSINE };
        let mut table = Table::loaded(host, kind, seed);
        table.check("loaded");
        table.insert_singly(ROWS as i64..ROWS as i64 + 1_000);
        table.check("1,000 rows more, singly");
        table.update_share(0.1);
        table.check("a tenth with another vector");
    }
}

/// As with coordinates within one town, or pixels: the differences of vectors are small beside their common part.
#[test]
fn recall_holds_far_from_the_origin() {
    for (turn, (dims, offset)) in [(2, 1e3), (32, 1e4), (DIMS, 1e3)].into_iter().enumerate() {
        let kind = Kind { metric: Metric::L2, dims, offset, ..COSINE };
        let mut table = Table::loaded(host(turn), kind, 900 + turn as u64);
        table.check("loaded");
        table.insert_singly(ROWS as i64..ROWS as i64 + 200);
        table.check("200 rows more, singly");
    }
    let mut table = Table::empty(host(1), Kind { metric: Metric::L2, dims: 8, offset: 1e3, ..COSINE }, 910);
    table.insert_singly(0..2_000);
    table.check("every row in a transaction of its own");
    let mut table = Table::loaded(host(0), Kind { dims: 64, offset: 30.0, ..COSINE }, 920);
    table.insert_singly(ROWS as i64..ROWS as i64 + 200);
    table.check("of directions that are nearly one");
}

/// Among vectors in all directions, the short ones are near to all others, and their lists have no room for the rest.
#[test]
fn vectors_with_no_near_neighbours_stay_reachable() {
    for (host, metric) in Host::both(library()).into_iter().zip([Metric::L2, Metric::Dot]) {
        host.run(&format!("CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[96], metric = '{}')", metric.name()));
        let mut numbers = Numbers::from_seed(360);
        for _ in 0..ROWS {
            let length = f64::exp(numbers.normal());
            let vector: Vec<f64> = (0..96).map(|_| length * numbers.normal()).collect();
            host.run(&format!("INSERT INTO t VALUES ({})", Element::Float.literal(&vector)));
        }
        host.check_sound("t");
    }
}

#[test]
fn recall_holds_after_reopening_in_another_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let maker = Host::bundled(&path);
    maker.load(library()).unwrap();
    maker.run("PRAGMA synchronous = OFF");
    let mut table = Table::loaded(maker, Kind { element: Element::Float16, ..COSINE }, 400);
    table.delete_share(0.1);
    // The two libraries print distances with a different number of digits.
    let pages = |table: &Table| -> Vec<Vec<i64>> {
        table.queries().iter().map(|query| ids(&table.hits(query, "ORDER BY distance LIMIT 100"))).collect()
    };
    let expected = pages(&table);
    for reopened in [Host::bundled(&path)].into_iter().chain(Host::system(&path)) {
        reopened.load(library()).unwrap();
        table.host = reopened;
        table.check("reopened");
        assert!(pages(&table) == expected, "{table}: other pages");
    }
}

#[test]
fn recall_holds_under_filters() {
    for (host, seed) in Host::both(library()).into_iter().zip(500..) {
        let mut table = Table::loaded(host, COSINE, seed);
        table.delete_share(0.1);
        for column in ["lot", "plain"] {
            for (most, floors) in [(950, FLOORS), (100, FLOORS), (8, [(10, 1.0), (50, 1.0)])] {
                table.check_recall("filtered", &format!("AND {column} < {most}"), &floors, |row| row.lot < most);
            }
            let none = table.search(&table.queries()[0], &format!("AND {column} = -1 ORDER BY distance LIMIT 10"));
            assert_eq!(table.host.rows(&none), [""; 0]);
        }
    }
}

#[test]
fn a_filter_without_near_matches_finds_far_rows() {
    for host in Host::both(library()) {
        let table = Table::loaded(host, Kind { metric: Metric::L2, ..COSINE }, 510);
        for query in table.queries().iter().take(5) {
            // The farthest fifth of the table, marked by a column without an index.
            let far: BTreeSet<i64> =
                table.truth(query, |_| true).iter().skip(ROWS * 4 / 5).map(|&(_, id)| id).collect();
            let ids: Vec<String> = far.iter().map(i64::to_string).collect();
            table.host.run(&format!("UPDATE t SET plain = -1 WHERE id IN ({})", ids.join(",")));
            let truth: Vec<i64> = table.truth(query, |_| true).iter().skip(ROWS * 4 / 5).map(|&(_, id)| id).collect();
            let hits = table.hits(query, "AND plain = -1 ORDER BY distance LIMIT 50");
            let found = hits.iter().filter(|(_, id)| truth[..50].contains(id)).count();
            assert!(hits.len() == 50 && found >= 48, "{table}: {found} of {}", hits.len());
            table.host.run("UPDATE t SET plain = 0");
        }
    }
}

#[test]
fn pages_tile_over_a_graph_with_holes() {
    for (host, seed) in Host::both(library()).into_iter().zip(600..) {
        let mut table =
            Table::loaded(host, Kind { metric: Metric::Dot, element: Element::Int8, dims: 96, ..COSINE }, seed);
        table.delete_share(0.12);
        table.insert_singly(ROWS as i64..ROWS as i64 + 50);
        let mut numbers = Numbers::from_seed(seed);
        for query in table.queries().iter().take(12) {
            let whole = table.hits(query, "ORDER BY distance LIMIT 240");
            assert_eq!(whole.len(), 240);
            let mut pages = Vec::new();
            while pages.len() < whole.len() {
                let limit = (1 + numbers.below(60)).min(whole.len() - pages.len());
                let rest = format!("ORDER BY distance LIMIT {limit} OFFSET {}", pages.len());
                pages.extend(table.hits(query, &rest));
            }
            assert_eq!(pages, whole, "{table}");
        }
    }
}

#[test]
fn exact_search_agrees_with_an_ordinary_table() {
    let functions = [(Metric::Cosine, "vec_cosine(e, "), (Metric::L2, "vec_l2(e, "), (Metric::Dot, "-vec_dot(e, ")];
    for ((metric, function), seed) in functions.into_iter().zip(700..) {
        for host in Host::both(library()) {
            let mut table = Table::loaded(host, Kind { metric, ..COSINE }, seed);
            // Equal vectors, ordered by rowid, and vectors of another length.
            table.host.run("UPDATE t SET e = (SELECT e FROM t WHERE id = 7) WHERE id IN (3, 1000, 2400)");
            table.host.run("UPDATE t SET e = vec_scale(e, 2.0) WHERE id % 50 = 0");
            table.delete_share(0.1);
            table.host.run("CREATE TABLE o(id INTEGER PRIMARY KEY, lot INTEGER, e BLOB)");
            table.host.run("INSERT INTO o SELECT id, lot, e FROM t");
            for query in table.queries().iter().take(5) {
                let literal = table.kind.element.literal(query);
                for filter in ["true", "lot < 300", "id = 1000 OR id = 7 OR id = 2400"] {
                    let exact = table.host.ids(&format!(
                        "SELECT id FROM t WHERE e MATCH {literal} AND ef_search = 'exact' AND ({filter}) ORDER BY distance"
                    ));
                    let dull = table
                        .host
                        .ids(&format!("SELECT id FROM o WHERE {filter} ORDER BY {function}{literal}), rowid"));
                    assert_eq!(exact, dull, "{table}: {filter}");
                }
            }
        }
    }
}

#[test]
fn full_reads_and_joins_are_complete() {
    for (host, seed) in Host::both(library()).into_iter().zip(800..) {
        let mut table =
            Table::loaded(host, Kind { metric: Metric::L2, element: Element::Float16, dims: 48, ..COSINE }, seed);
        table.delete_share(0.1);
        table.insert_singly(9_000..9_030);
        table.host.run("INSERT INTO t(id) VALUES (20000), (20001)");
        let all: Vec<i64> = table.model.keys().copied().collect();
        let query = &table.queries()[3];
        for rest in ["", "AND k = 100000", "AND ef_search = 3", "AND lot < 1000", "AND plain < 1000"] {
            let mut ids = table.host.ids(&table.search(query, rest));
            ids.sort_unstable();
            assert_eq!(ids, all, "{table}: {rest}");
        }
        table.host.run("CREATE TABLE stock(id INTEGER PRIMARY KEY, qty INTEGER)");
        table.host.run("INSERT INTO stock SELECT id, lot < 30 FROM t");
        let joined = format!(
            "SELECT t.id, t.distance FROM t JOIN stock s USING (id) WHERE t.e MATCH {} AND s.qty > 0 ORDER BY t.distance LIMIT 60",
            table.kind.element.literal(query)
        );
        let hits: Vec<(f64, i64)> = table.host.rows(&joined).iter().map(|row| hit(row)).collect();
        assert!(hits.len() == 60 && hits.is_sorted(), "{table}: {hits:?}");
        let truth: BTreeSet<i64> = table.truth(query, |row| row.lot < 30).iter().take(60).map(|&(_, id)| id).collect();
        assert!(hits.iter().filter(|(_, id)| truth.contains(id)).count() >= 57, "{table}: {hits:?}");
    }
}
