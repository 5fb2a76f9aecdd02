//! A history of transactions that any process can recompute: the state of the table follows from the number of the last
//! transaction, which each of them stores in a second table.

use std::collections::BTreeMap;

use vecrank_tests::Host;
use vecrank_tests::data::Numbers;

const DIMS: usize = 6;
/// The number of ids whose rows are inserted and deleted.
const IDS: usize = 400;

/// The vector of row `id` in transaction `number`.
fn vector(number: u64, id: i64) -> Vec<i64> {
    let mut numbers = Numbers::from_seed(number << 20 ^ id.cast_unsigned());
    (0..DIMS).map(|_| numbers.below(21) as i64 - 10).collect()
}

pub fn json(vector: &[i64]) -> String {
    format!("[{}]", vector.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
}

enum Change {
    /// Rows from the first id to the last.
    Write(i64, i64),
    Delete(i64, i64),
    Optimize,
}

fn change(number: u64) -> Change {
    let mut numbers = Numbers::from_seed(number);
    let first = numbers.below(IDS) as i64;
    match numbers.below(20) {
        0 => Change::Optimize,
        1 => Change::Write(first, first + 120),
        2..=5 => Change::Delete(first, first + 6),
        6..=9 => Change::Write(first, first),
        _ => Change::Write(first, first + 5),
    }
}

/// The rows, each with the transaction that wrote it.
#[derive(Default)]
pub struct History {
    pub last: u64,
    rows: BTreeMap<i64, u64>,
    /// The number of rows that never change, so that searches walk.
    base: i64,
}

impl History {
    /// The state of transaction 0, with `base` rows whose ids begin at a thousand.
    pub fn new(base: i64) -> History {
        History { last: 0, rows: (1_000..1_000 + base).map(|id| (id, 0)).collect(), base }
    }

    pub fn advance(&mut self, to: u64) {
        for number in self.last + 1..=to {
            match change(number) {
                Change::Write(first, last) => self.rows.extend((first..=last).map(|id| (id, number))),
                Change::Delete(first, last) => self.rows.retain(|id, _| !(first..=last).contains(id)),
                Change::Optimize => {}
            }
        }
        self.last = to;
    }

    pub fn create(&self, host: &Host) {
        host.run("CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[6], metric = 'l2')");
        host.run("CREATE TABLE last(number INTEGER); INSERT INTO last VALUES (0)");
        if self.base > 0 {
            host.run(&format!("INSERT INTO t VALUES {}", values(0, 1_000, 999 + self.base)));
        }
    }

    /// The row of an id, as `SELECT id, n, vec_json(e)` returns it.
    pub fn line(&self, id: i64) -> Option<String> {
        self.rows.get(&id).map(|number| format!("{id}|{number}|{}", json(&vector(*number, id))))
    }

    pub fn lines(&self) -> Vec<String> {
        self.rows.keys().filter_map(|id| self.line(*id)).collect()
    }

    /// The ids nearest to `query`, nearest first.
    pub fn nearest(&self, query: &[i64]) -> Vec<i64> {
        let distance = |number: u64, id: i64| -> i64 {
            vector(number, id).iter().zip(query).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let mut found: Vec<(i64, i64)> = self.rows.iter().map(|(id, number)| (distance(*number, *id), *id)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }
}

fn values(number: u64, first: i64, last: i64) -> String {
    let row = |id: i64| format!("({id}, {number}, '{}')", json(&vector(number, id)));
    (first..=last).map(row).collect::<Vec<_>>().join(",")
}

/// The statements of a transaction.
pub fn sql(number: u64) -> String {
    let change = match change(number) {
        Change::Write(first, last) => format!("REPLACE INTO t VALUES {}", values(number, first, last)),
        Change::Delete(first, last) => format!("DELETE FROM t WHERE id BETWEEN {first} AND {last}"),
        Change::Optimize => "INSERT INTO t(t) VALUES ('optimize')".into(),
    };
    format!("BEGIN IMMEDIATE; {change}; UPDATE last SET number = {number}; COMMIT")
}
