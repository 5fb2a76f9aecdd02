//! Random writes of a content table, beside a table of its own with the same rows: the same pages in both.

use vecrank_tests::Host;
use vecrank_tests::data::Numbers;

use super::{MODES, hosts};

const DIMS: usize = 3;

fn vector(numbers: &mut Numbers) -> String {
    if numbers.below(12) == 0 {
        return "NULL".to_string();
    }
    let components: Vec<String> = (0..DIMS).map(|_| numbers.below(9).to_string()).collect();
    format!("vec_parse('[{}]')", components.join(","))
}

/// A write, and whether it is one of the transaction.
fn write(numbers: &mut Numbers) -> String {
    let (id, other, n) = (numbers.below(60), numbers.below(60), numbers.below(5));
    let vector = vector(numbers);
    let or = ["", "OR REPLACE", "OR IGNORE", "OR FAIL"][numbers.below(4)];
    match numbers.below(9) {
        0..=2 => format!("INSERT {or} INTO {{}}(id, n, e) VALUES ({id}, {n}, {vector})"),
        3 => {
            format!("INSERT INTO {{}}(id, n, e) VALUES ({id}, {n}, {vector}) ON CONFLICT DO UPDATE SET e = excluded.e")
        }
        4 => format!("UPDATE {or} {{}} SET e = {vector} WHERE id = {id}"),
        5 => format!("UPDATE {or} {{}} SET id = {other}, n = {n} WHERE id = {id}"),
        6 => format!("UPDATE {{}} SET n = {n}, e = {vector} WHERE id BETWEEN {id} AND {id} + 3"),
        7 => format!("DELETE FROM {{}} WHERE id = {id} OR n = {n} AND id > {other}"),
        _ => format!("INSERT {or} INTO {{}}(id, n, e) SELECT id + 30, n, e FROM {{}} WHERE id < {id} AND n = {n}"),
    }
}

/// The rows of pages, filters and scans of both.
fn check_pages(host: &Host, numbers: &mut Numbers, log: &[String]) {
    let query = format!("[{},{},{}]", numbers.below(9), numbers.below(9), numbers.below(9));
    let (n, offset) = (numbers.below(5), numbers.below(12));
    for sql in [
        format!(
            "SELECT id, n, e, distance FROM {{}} WHERE e MATCH '{query}' ORDER BY distance LIMIT 7 OFFSET {offset}"
        ),
        format!("SELECT id, distance FROM {{}} WHERE e MATCH '{query}' AND n = {n} ORDER BY distance"),
        format!("SELECT id FROM {{}} WHERE e MATCH '{query}' AND k = 5 AND id > {offset} ORDER BY distance, id"),
        format!("SELECT count(*), count(e), sum(n) FROM {{}} WHERE n <> {n}"),
        format!("SELECT id, n, e FROM {{}} WHERE id >= {offset} ORDER BY id DESC LIMIT 5"),
    ] {
        let [own, index] = ["own", "near"].map(|table| host.rows(&sql.replace("{}", table)));
        assert_eq!(own, index, "SQLite {}: {sql}\nafter {}", host.version(), log.join(";\n"));
    }
}

fn run(host: &Host, numbers: &mut Numbers, sync: &str) {
    let mut log: Vec<String> = vec![sync.to_string()];
    let mut depth = 0;
    for step in 0..150 {
        let both = |sql: &str| {
            let outcomes = ["plain", "items"].map(|table| host.execute(&sql.replace("{}", table)).is_ok());
            assert_eq!(outcomes[0], outcomes[1], "{sql}\nafter {}", log.join(";\n"));
        };
        let mut sql = match (numbers.below(12), depth) {
            (0, 0) => "BEGIN".to_string(),
            (0, _) => "COMMIT".to_string(),
            (1, 1..) => "ROLLBACK".to_string(),
            (2, 1..) => format!("SAVEPOINT s{depth}"),
            (3, 2..) => format!("ROLLBACK TO s{}", depth - 1),
            (4, _) => "INSERT INTO near(near) VALUES ('fold')".to_string(),
            _ => write(numbers),
        };
        match sql.split(' ').next() {
            Some("BEGIN" | "SAVEPOINT") => depth += 1,
            Some("COMMIT") => depth = 0,
            Some("ROLLBACK") if !sql.contains("TO") => depth = 0,
            _ => {}
        }
        if sql.contains("{}") {
            both(&sql);
        } else {
            host.run(&sql);
        }
        log.push(std::mem::take(&mut sql));
        if step % 3 == 0 {
            // A table of its own with the rows of the ordinary table that had the same writes.
            host.run("DELETE FROM own; INSERT INTO own SELECT id, n, e FROM plain");
            check_pages(host, numbers, &log);
        }
        if depth == 0 && step % 10 == 0 {
            host.check_sound("near");
        }
    }
}

#[test]
fn pages_are_those_of_a_table_of_its_own_with_the_same_rows() {
    for sync in MODES {
        let sql = format!(
            "PRAGMA recursive_triggers = ON;
             CREATE TABLE plain(id INTEGER PRIMARY KEY, n INTEGER, e BLOB);
             CREATE TABLE items(id INTEGER PRIMARY KEY, n INTEGER, e BLOB);
             CREATE VIRTUAL TABLE near USING hnsw(content = items, e FLOAT[3], metric = l2, sync = {sync});
             CREATE VIRTUAL TABLE own USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[3], metric = l2);"
        );
        for host in hosts(&sql) {
            run(&host, &mut Numbers::from_seed(17), sync);
        }
    }
}
