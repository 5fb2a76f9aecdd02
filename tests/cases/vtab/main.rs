//! The virtual table through SQL, on each SQLite library: accepted statements, results and errors.

mod bits;
mod caches;
mod create;
mod declaration;
mod elements;
mod file;
mod filters;
mod fixture;
mod group_limit;
mod index_orders;
mod info;
mod interleaved;
mod k;
mod knn;
mod match_terms;
mod missing_rows;
mod outer_joins;
mod page_reads;
mod paging;
mod plans;
mod similarity;
mod small_windows;
mod stats;
mod transactions;
mod triggers;
mod writes;

use vecrank_tests::{Host, library};

/// In-memory databases of each SQLite library, with the built library loaded and `sql` executed.
pub fn hosts(sql: &str) -> Vec<Host> {
    let hosts = Host::both(library());
    for host in &hosts {
        run(host, sql);
    }
    hosts
}

pub fn run(host: &Host, sql: &str) {
    host.execute(sql).unwrap_or_else(|error| panic!("SQLite {}: {sql}: {error}", host.version()));
}

/// The rows, each as its values joined by bars; NULL is `NULL`.
pub fn rows(host: &Host, sql: &str) -> Vec<String> {
    let rows = host.query(sql).unwrap_or_else(|error| panic!("SQLite {}: {sql}: {error}", host.version()));
    let cells =
        |row: Vec<Option<String>>| row.into_iter().map(|cell| cell.unwrap_or("NULL".into())).collect::<Vec<_>>();
    rows.into_iter().map(|row| cells(row).join("|")).collect()
}

/// The rows in one line.
pub fn line(host: &Host, sql: &str) -> String {
    rows(host, sql).join(" ")
}

pub fn error(host: &Host, sql: &str) -> String {
    match host.query(sql) {
        Ok(rows) => panic!("SQLite {}: no error from {sql}: {rows:?}", host.version()),
        Err(error) => error.message,
    }
}

#[track_caller]
pub fn check_lines(hosts: &[Host], cases: &[(&str, &str)]) {
    for host in hosts {
        for (sql, expected) in cases {
            assert_eq!(line(host, sql), *expected, "SQLite {}: {sql}", host.version());
        }
    }
}

#[track_caller]
pub fn check_errors(hosts: &[Host], cases: &[(&str, &str)]) {
    for host in hosts {
        for (sql, expected) in cases {
            assert_eq!(error(host, sql), *expected, "SQLite {}: {sql}", host.version());
        }
    }
}

/// Runs the integrity check, which must find nothing. Called at the end of every test that writes.
#[track_caller]
pub fn check_sound(host: &Host, table: &str) {
    let table = format!("\"{}\"", table.replace('"', "\"\""));
    run(host, &format!("INSERT INTO {table}({table}) VALUES ('integrity-check')"));
    assert_eq!(line(host, "PRAGMA integrity_check"), "ok");
}

/// A deterministic sequence of numbers.
pub struct Numbers(u64);

impl Numbers {
    pub fn from_seed(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// The JSON of a vector with components between -1 and 1, in steps so coarse that ties happen.
    pub fn vector(&mut self, dims: usize) -> String {
        let components: Vec<String> = (0..dims).map(|_| format!("{}", self.below(41) as f64 / 20.0 - 1.0)).collect();
        format!("[{}]", components.join(","))
    }
}
