//! Every node is reachable, with any parameters of CREATE.

use vecrank_tests::data::{Element, Metric, Numbers};
use vecrank_tests::{Host, library, long_or};

const DIMS: usize = 64;

/// Vectors in all directions, two of them short. Those are near to all others, and their lists are full.
fn vector(numbers: &mut Numbers, row: usize) -> String {
    let length = match row {
        21 => 1e-3,
        201 => 0.1,
        _ => 1.0,
    };
    Element::Float.literal(&(0..DIMS).map(|_| length * numbers.normal()).collect::<Vec<f64>>())
}

#[test]
fn every_node_is_reachable_with_any_parameters() {
    let mut turn = 0;
    for m in [2, 3, 4, 16] {
        for ef_construction in [1, 2, 3, 5, 200] {
            turn += 1;
            // Under cosine, lengths have no effect.
            let metrics =
                if long_or(true, false) { Metric::ALL.to_vec() } else { vec![[Metric::L2, Metric::Dot][turn % 2]] };
            for metric in metrics {
                let hosts = Host::both(library());
                let host = &hosts[turn % hosts.len()];
                let mut numbers = Numbers::from_seed(turn as u64);
                host.run(&format!(
                    "CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[{DIMS}], metric = '{}', m = {m}, ef_construction = {ef_construction})",
                    metric.name()
                ));
                // Some rows in one transaction, the others one by one; some are replaced.
                let first = if turn % 3 == 0 { 400 } else { 0 };
                let rows: Vec<String> = (0..first).map(|row| format!("({})", vector(&mut numbers, row))).collect();
                if first > 0 {
                    host.run(&format!("INSERT INTO t(e) VALUES {}", rows.join(",")));
                }
                let last = long_or(2_500, if ef_construction > 5 { 500 } else { 1_200 });
                for row in first..last {
                    host.run(&format!("INSERT INTO t(e) VALUES ({})", vector(&mut numbers, row)));
                }
                for row in (first..last).step_by(20) {
                    host.run(&format!("UPDATE t SET e = {} WHERE rowid = {}", vector(&mut numbers, 0), row + 1));
                }
                let check = host.query("INSERT INTO t(t) VALUES ('integrity-check')");
                assert!(check.is_ok(), "{} m={m} ef_construction={ef_construction}: {check:?}", metric.name());
            }
        }
    }
}
