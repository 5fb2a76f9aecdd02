//! Replacement of vectors. After every vector is replaced twice in random order, recall and reads are those of a fresh
//! table; tombstones stay few, and `optimize` frees their space.

use vecrank_tests::data::{Clusters, Element, Metric, Numbers, ranked};
use vecrank_tests::{Host, library, long_or};

const DIMS: usize = 32;
const QUERIES: usize = 60;

fn table(host: &Host) {
    host.run(&format!("CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, e FLOAT[{DIMS}])"));
}

struct Measured {
    /// Recall@10.
    recall: f64,
    /// The pages that a query reads.
    pages: f64,
}

fn measure(host: &Host, rows: &[Vec<f64>], queries: &[Vec<f64>]) -> Measured {
    let (mut found, mut pages) = (0, 0);
    let searches: Vec<String> = queries
        .iter()
        .map(|query| {
            format!("SELECT id FROM t WHERE e MATCH {} ORDER BY distance LIMIT 10", Element::Float.literal(query))
        })
        .collect();
    for (query, sql) in queries.iter().zip(&searches) {
        let truth = ranked(Metric::Cosine, query, (0..).zip(rows));
        let mut ids = Vec::new();
        pages += host.pages_asked(|| ids = host.ids(sql));
        found += truth[..10].iter().filter(|(_, id)| ids.contains(id)).count();
    }
    Measured { recall: found as f64 / (10 * queries.len()) as f64, pages: pages as f64 / queries.len() as f64 }
}

fn insert(host: &Host, rows: &[Vec<f64>]) {
    host.run("BEGIN");
    for (chunk, first) in rows.chunks(500).zip((0..).step_by(500)) {
        let values: Vec<String> =
            (first..).zip(chunk).map(|(id, row)| format!("({id},{})", Element::Float.literal(row))).collect();
        host.run(&format!("INSERT INTO t VALUES {}", values.join(",")));
    }
    host.run("COMMIT");
}

fn info(host: &Host, key: &str) -> f64 {
    host.line(&format!("SELECT value FROM hnsw_info('t') WHERE key LIKE '%{key}'")).parse().unwrap()
}

#[test]
fn replacing_every_vector_twice_keeps_recall_and_reads() {
    let count = long_or(20_000, 3_000);
    let (mut clusters, mut numbers) = (Clusters::new(5, 40, DIMS, Element::Float), Numbers::from_seed(6));
    let queries = clusters.vectors(QUERIES);
    let mut rows = clusters.vectors(count);
    let host = Host::bundled(":memory:");
    host.load(library()).unwrap();
    table(&host);
    insert(&host, &rows);
    let mut most_deleted: f64 = 0.0;
    for _ in 0..2 {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            order.swap(at, numbers.below(at + 1));
        }
        for chunk in order.chunks(count / 60) {
            host.run("BEGIN");
            for &id in chunk {
                rows[id] = clusters.vector();
                host.run(&format!("UPDATE t SET e = {} WHERE id = {id}", Element::Float.literal(&rows[id])));
            }
            host.run("COMMIT");
            let deleted = info(&host, "deleted");
            most_deleted = most_deleted.max(deleted / (deleted + count as f64));
        }
    }
    host.check_sound("t");
    let healed = measure(&host, &rows, &queries);
    let fresh = host.beside(":memory:", library());
    table(&fresh);
    insert(&fresh, &rows);
    let as_new = measure(&fresh, &rows, &queries);
    for (what, m) in [("replaced twice", &healed), ("built afresh", &as_new)] {
        let Measured { recall, pages } = m;
        eprintln!("{count} rows {what}: recall@10 {recall:.4}, {pages:.0} pages per query");
    }
    eprintln!("at most {:.0} % deleted", 100.0 * most_deleted);
    assert!(healed.recall > as_new.recall - 0.01, "recall {}, fresh {}", healed.recall, as_new.recall);
    assert!(healed.pages < 1.3 * as_new.pages, "{} pages, fresh {}", healed.pages, as_new.pages);
    assert!(most_deleted < 0.2, "{most_deleted} of the nodes are deleted ones");

    // Deleted nodes take space until `optimize`. Then the file shrinks to the size of a fresh one.
    host.run(&format!("DELETE FROM t WHERE id % 30 = 0 AND id < {count}"));
    assert!(info(&host, "deleted") > 0.0);
    host.run("INSERT INTO t(t) VALUES ('optimize'); VACUUM");
    assert_eq!(info(&host, "deleted"), 0.0);
    fresh.run("DELETE FROM t WHERE id % 30 = 0");
    fresh.run("INSERT INTO t(t) VALUES ('optimize'); VACUUM");
    let size = |host: &Host| host.ids("PRAGMA page_count")[0];
    assert!(size(&host) * 100 <= size(&fresh) * 102, "{} pages, fresh {}", size(&host), size(&fresh));
    host.check_sound("t");
}

/// The same number of rows is deleted and inserted again and again. Neither the file nor the node ids grow without
/// bound.
#[test]
fn repeated_replacement_does_not_grow_file_or_ids() {
    let count = long_or(5_000, 1_500);
    let mut clusters = Clusters::new(7, 40, DIMS, Element::Float);
    let host = Host::bundled(":memory:");
    host.load(library()).unwrap();
    table(&host);
    insert(&host, &clusters.vectors(count));
    let pages = || host.ids("PRAGMA page_count")[0];
    let next_id = || {
        let bytes = host.line("SELECT hex(substr(header, 37, 4)) FROM t_graph");
        u32::from_str_radix(&bytes, 16).unwrap().swap_bytes() as usize
    };
    let fresh = pages();
    let (mut most_pages, mut highest) = (Vec::new(), 0);
    let mut oldest = 0;
    for _ in 0..10 {
        let mut most = 0;
        // Some rows in one transaction, some in two, some one by one.
        for (part, share) in [2, 3, 10, 30, 30].into_iter().cycle().take(10).enumerate() {
            let (first, rows) = (oldest + count, count / share / 2);
            let values: Vec<String> = (first..first + rows)
                .map(|id| format!("({id},{})", Element::Float.literal(&clusters.vector())))
                .collect();
            let gone = format!("DELETE FROM t WHERE id BETWEEN {oldest} AND {}", oldest + rows - 1);
            let come = |values: &[String]| format!("INSERT INTO t VALUES {}", values.join(","));
            match part % 3 {
                0 => host.run(&format!("BEGIN; {gone}; {}; COMMIT", come(&values))),
                1 => host.run(&format!("{}; {gone}", come(&values))),
                _ => {
                    host.run(&gone);
                    values.chunks(1).for_each(|value| host.run(&come(value)));
                }
            }
            oldest += rows;
            most = most.max(pages());
            highest = highest.max(next_id());
        }
        most_pages.push(most);
    }
    assert_eq!(host.line("SELECT count(*) FROM t"), count.to_string());
    host.check_sound("t");
    eprintln!("{count} rows replaced: {fresh} pages at first, at most {most_pages:?}, ids up to {highest}");
    // A rebuild writes the new nodes before it drops the old ones.
    assert!(most_pages[0] * 10 < fresh * 23, "{fresh} pages at first, then {most_pages:?}");
    assert!(most_pages.iter().all(|most| most * 100 <= most_pages[0] * 105), "{most_pages:?}");
    assert!(highest < 4 * count, "ids up to {highest}");
    host.run("INSERT INTO t(t) VALUES ('optimize'); VACUUM");
    assert!(pages() * 100 <= fresh * 105, "{} pages, {fresh} at first", pages());
}
