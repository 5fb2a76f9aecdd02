//! Deleted nodes leave the graph in small steps. No commit rebuilds it for them, and no id is lost.

use std::collections::{BTreeMap, HashMap};

use vecrank_tests::data::{Clusters, Element, Metric, Numbers, ranked};
use vecrank_tests::{Cell, Host, library, long_or};

const DIMS: usize = 16;
const LARGEST_BATCH: usize = 40;

/// A table of vectors by id, and what must be in it.
struct Table {
    host: Host,
    rows: BTreeMap<i64, Vec<f64>>,
    metric: Metric,
    clusters: Clusters,
    numbers: Numbers,
    next: i64,
}

impl Table {
    fn new(count: usize, metric: Metric, seed: u64) -> Table {
        let host = Host::bundled(":memory:");
        host.load(library()).unwrap();
        let name = metric.name();
        host.run(&format!(
            "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, e FLOAT[{DIMS}], metric = '{name}')"
        ));
        let (clusters, numbers) = (Clusters::new(seed, 30, DIMS, Element::Float), Numbers::from_seed(seed));
        let mut table = Table { host, rows: BTreeMap::new(), metric, clusters, numbers, next: 0 };
        let ids: Vec<i64> = (0..count as i64).collect();
        let sql = table.insert(&ids);
        table.host.run(&sql);
        table.next = count as i64;
        table
    }

    fn insert(&mut self, ids: &[i64]) -> String {
        let mut values = Vec::new();
        for &id in ids {
            let row = self.clusters.vector();
            values.push(format!("({id},{})", Element::Float.literal(&row)));
            self.rows.insert(id, row);
        }
        format!("INSERT INTO t VALUES {}", values.join(","))
    }

    fn some_ids(&mut self, count: usize) -> Vec<i64> {
        let ids: Vec<i64> = self.rows.keys().copied().collect();
        let mut some: Vec<i64> = (0..count).map(|_| ids[self.numbers.below(ids.len())]).collect();
        some.sort_unstable();
        some.dedup();
        some
    }

    /// The statements of one random transaction. Returns the ids whose nodes may change.
    fn change(&mut self) -> (String, Vec<i64>) {
        let count = 1 + self.numbers.below(LARGEST_BATCH);
        match self.numbers.below(4) {
            0 => {
                let ids: Vec<i64> = (self.next..self.next + count as i64).collect();
                self.next += count as i64;
                (self.insert(&ids), ids)
            }
            1 => {
                let ids = self.some_ids(count);
                ids.iter().for_each(|id| drop(self.rows.remove(id)));
                (format!("DELETE FROM t WHERE id IN ({})", list(&ids)), ids)
            }
            2 => {
                // Nodes that are deleted before they are linked.
                let ids: Vec<i64> = (self.next..self.next + count as i64).collect();
                self.next += count as i64;
                let insert = self.insert(&ids);
                let gone: Vec<i64> = ids.iter().copied().filter(|id| id % 3 == 0).collect();
                gone.iter().for_each(|id| drop(self.rows.remove(id)));
                (format!("BEGIN; {insert}; DELETE FROM t WHERE id IN ({}); COMMIT", list(&gone)), ids)
            }
            _ => {
                let ids = self.some_ids(count);
                let mut statements = Vec::new();
                for &id in &ids {
                    let row = self.clusters.vector();
                    statements.push(format!("UPDATE t SET e = {} WHERE id = {id}", Element::Float.literal(&row)));
                    self.rows.insert(id, row);
                }
                (format!("BEGIN; {}; COMMIT", statements.join("; ")), ids)
            }
        }
    }

    fn nodes(&self) -> HashMap<i64, i64> {
        let pairs = self.host.rows("SELECT id, e FROM t_rows");
        pairs.iter().filter_map(|row| row.split_once('|')).map(|(id, e)| (number(id), number(e))).collect()
    }

    fn header(&self, offset: usize) -> u32 {
        let hex = self.host.line(&format!("SELECT hex(substr(header, {}, 4)) FROM t_graph", offset + 1));
        u32::from_str_radix(&hex, 16).unwrap().swap_bytes()
    }

    fn deleted(&self) -> f64 {
        self.host.line("SELECT value FROM hnsw_info('t') WHERE key LIKE '%deleted'").parse().unwrap()
    }

    fn recall(&mut self, queries: usize) -> f64 {
        let mut found = 0;
        for _ in 0..queries {
            let query = self.clusters.vector();
            let rows = self.rows.iter().map(|(&id, row)| (id, row));
            let truth = ranked(self.metric, &query, rows);
            let literal = Element::Float.literal(&query);
            let ids = self.host.ids(&format!("SELECT id FROM t WHERE e MATCH {literal} ORDER BY distance LIMIT 10"));
            found += truth[..10].iter().filter(|(_, id)| ids.contains(id)).count();
        }
        found as f64 / (10 * queries) as f64
    }
}

fn list(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

fn number(text: &str) -> i64 {
    text.parse().unwrap()
}

/// Offsets in the header (FORMAT.md).
const NEXT_ID: usize = 36;
const ROUND: usize = 76;

#[test]
fn random_changes_are_healed_without_a_rebuild() {
    let count = 1_200;
    for (seed, metric) in [(11, Metric::Cosine), (12, Metric::L2), (13, Metric::Dot)] {
        let mut table = Table::new(count, metric, seed);
        let pages = |table: &Table| table.host.ids("PRAGMA page_count")[0] - table.host.ids("PRAGMA freelist_count")[0];
        let (fresh, first_id) = (pages(&table), table.header(NEXT_ID) as usize - count);
        let (mut most_rows, mut most_deleted) = (count, 0f64);
        for batch in 0..long_or(1_500, 110) {
            let before = table.nodes();
            let (sql, changed) = table.change();
            table.host.run(&sql);
            let what = format!("seed {seed}, {metric:?}, batch {batch}");
            let after = table.nodes();
            assert_eq!(after.len(), table.rows.len(), "{what}");
            for (id, node) in before.iter().filter(|(id, _)| !changed.contains(id)) {
                assert_eq!(after.get(id), Some(node), "{what}: row {id} was not touched");
            }
            let check = table.host.execute("INSERT INTO t(t) VALUES ('integrity-check')");
            assert!(check.is_ok(), "{what}: {check:?}");
            most_rows = most_rows.max(table.rows.len());
            most_deleted = most_deleted.max(table.deleted() / (table.deleted() + table.rows.len() as f64));
        }
        let (rounds, ids) = (table.header(ROUND), table.header(NEXT_ID) as usize - first_id);
        let recall = table.recall(60);
        let now = pages(&table);
        eprintln!(
            "{metric:?}: {rounds} rounds, ids {ids} for at most {most_rows} rows, at most {:.1} % deleted, recall {recall:.3}, \
             {now} pages, {fresh} at first",
            100.0 * most_deleted
        );
        assert!(rounds >= 2, "{metric:?}: {rounds} rounds of the sweep");
        assert!(most_deleted < 0.2, "{metric:?}: {most_deleted} of the nodes are deleted ones");
        assert!(ids * 4 <= most_rows * 5, "{metric:?}: {ids} ids for {most_rows} rows");
        assert!(
            now as usize * count * 4 <= fresh as usize * most_rows * 5,
            "{metric:?}: {now} pages, {fresh} at first"
        );
        assert!(recall >= 0.95, "{metric:?}, seed {seed}: recall@10 {recall}, floor 0.95");
    }
}

/// The same statements give the same bytes, healing included.
#[test]
fn healing_is_deterministic() {
    let files: Vec<Vec<String>> = (0..2)
        .map(|_| {
            let mut table = Table::new(400, Metric::Cosine, 21);
            for _ in 0..40 {
                let sql = table.change().0;
                table.host.run(&sql);
            }
            assert!(table.host.has_healed("main", "t"));
            table.host.rows("SELECT hex(header), hex(entry) FROM t_graph UNION ALL SELECT id, hex(data) FROM t_nodes")
        })
        .collect();
    assert!(files[0] == files[1]);
}

/// Rows are deleted until few are left. The entry sample and the links keep up, so that the rest and new rows are found.
#[test]
fn a_table_that_shrinks_stays_sound() {
    let mut table = Table::new(3_000, Metric::L2, 31);
    while table.rows.len() > 60 {
        let ids = table.some_ids(20.min(table.rows.len() / 20).max(1));
        ids.iter().for_each(|id| drop(table.rows.remove(id)));
        table.host.run(&format!("DELETE FROM t WHERE id IN ({})", list(&ids)));
    }
    table.host.check_sound("t");
    assert!(table.header(ROUND) >= 5, "{} rounds", table.header(ROUND));
    let sampled = number(&table.host.line("SELECT value FROM hnsw_info('t') WHERE key LIKE '%entry_sample'"));
    assert!(sampled > 10, "{sampled} samples");
    assert!(table.deleted() < 30.0, "{} deleted", table.deleted());
    for round in 0..40 {
        let ids: Vec<i64> = (table.next..table.next + 10).collect();
        table.next += 10;
        for id in ids {
            let sql = table.insert(&[id]);
            table.host.run(&sql);
        }
        let check = table.host.execute("INSERT INTO t(t) VALUES ('integrity-check')");
        assert!(check.is_ok(), "{round}: {check:?}");
    }
    // The ids of deleted rows are used again.
    assert!(table.header(NEXT_ID) <= 6_000, "ids up to {}", table.header(NEXT_ID));
    assert!(table.recall(30) >= 0.99);
}

/// A search that is open while its connection deletes rows and commits goes on over nodes that are freed and reused.
#[test]
fn a_search_stays_open_while_nodes_are_freed() {
    let mut table = Table::new(2_000, Metric::L2, 41);
    let query = table.clusters.vector();
    for _ in 0..20 {
        let ids = table.some_ids(15);
        ids.iter().for_each(|id| drop(table.rows.remove(id)));
        table.host.run(&format!("DELETE FROM t WHERE id IN ({})", list(&ids)));
    }
    let kept: Vec<i64> = table.rows.keys().copied().filter(|id| id % 40 == 0).collect();
    let sql =
        format!("SELECT id FROM t WHERE e MATCH {} AND id % 40 = 0 ORDER BY distance", Element::Float.literal(&query));
    let (host, mut gone) = (&table.host, table.rows.keys().copied().filter(|id| id % 40 != 0).collect::<Vec<_>>());
    let mut seen = Vec::new();
    let mut delete = |row: &[Cell]| {
        seen.push(number(row[0].as_deref().unwrap()));
        let ids: Vec<i64> = gone.drain(..gone.len().min(25)).collect();
        host.run(&format!("DELETE FROM t WHERE id IN ({})", list(&ids)));
    };
    host.query_watched(&sql, &mut delete).unwrap();
    seen.sort_unstable();
    assert_eq!(seen, kept);
    table.host.check_sound("t");
}
