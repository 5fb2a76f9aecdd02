//! Warm caches never change results: a connection that has searched answers as a fresh one. Also the command `cluster`,
//! which renumbers rows in the order of the nodes.

use crate::{check_sound, error, hosts, line, rows, run};
use vecrank_tests::data::{Clusters, Element};
use vecrank_tests::open_file;

const COUNT: usize = 3000;
const DIMS: usize = 64;

fn fill(connection: &rusqlite::Connection, vectors: &[Vec<f64>], first: usize) {
    let transaction = connection.unchecked_transaction().unwrap();
    let mut insert = connection.prepare("INSERT INTO t(name, other, e) VALUES (?1, ?2, ?3)").unwrap();
    for (i, vector) in vectors.iter().enumerate() {
        let other = (i % 5 != 0).then(|| format!("[{}, 1]", i % 97));
        insert.execute((format!("n{}", first + i), other, json(vector))).unwrap();
    }
    drop(insert);
    transaction.commit().unwrap();
}

fn json(vector: &[f64]) -> String {
    format!("[{}]", vector.iter().map(f64::to_string).collect::<Vec<_>>().join(","))
}

const TABLE: &str =
    "CREATE VIRTUAL TABLE t USING hnsw(name TEXT UNIQUE, other FLOAT[2], e FLOAT[64], other.metric = 'l2')";

fn page(connection: &rusqlite::Connection, query: &str) -> Vec<(String, String)> {
    let sql = "SELECT name, printf('%.9f', distance) FROM t WHERE e MATCH ?1 ORDER BY distance LIMIT 25";
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([query], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// One connection alternates searches and writes while others write. A fresh connection must return the same.
#[test]
fn a_connection_with_caches_answers_as_a_fresh_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let mut clusters = Clusters::new(31, 40, DIMS, Element::Float);
    let warm = open_file(&path);
    warm.execute_batch(TABLE).unwrap();
    fill(&warm, &clusters.vectors(COUNT), 0);
    let queries: Vec<String> = clusters.vectors(12).iter().map(|q| json(q)).collect();
    let same = |step: &str| {
        let cold = open_file(&path);
        for query in &queries {
            let expected = page(&cold, query);
            assert_eq!(page(&warm, query), expected, "{step}");
            assert_eq!(page(&warm, query), expected, "{step}, again");
        }
    };
    same("after the load");
    for round in 0..6 {
        fill(&warm, &clusters.vectors(20), 10_000 + 100 * round);
        same("after inserts of its own");
        warm.execute(&format!("DELETE FROM t WHERE rowid % 97 = {round}"), ()).unwrap();
        same("after deletes of its own");
        warm.execute_batch("BEGIN; UPDATE t SET name = name || 'x' WHERE rowid < 50").unwrap();
        let inside = page(&warm, &queries[0]);
        warm.execute_batch("ROLLBACK").unwrap();
        assert_eq!(inside.len(), 25);
        same("after a rollback");
        warm.execute("UPDATE t_rows SET name = name || 'y' WHERE rowid % 3 = 1", ()).unwrap();
        same("after a write past the table");
        let other = open_file(&path);
        other.execute("UPDATE t SET name = name || 'z' WHERE rowid % 5 = 1", ()).unwrap();
        fill(&other, &clusters.vectors(10), 20_000 + 100 * round);
        same("after writes of another connection");
        warm.execute_batch("BEGIN; SAVEPOINT a").unwrap();
        fill_in(&warm, &clusters.vectors(5), 30_000 + 100 * round);
        page(&warm, &queries[1]);
        warm.execute_batch("ROLLBACK TO a").unwrap();
        fill_in(&warm, &clusters.vectors(5), 40_000 + 100 * round);
        warm.execute_batch("COMMIT").unwrap();
        same("after a savepoint");
    }
    for command in ["optimize", "cluster", "rebuild"] {
        warm.execute(&format!("INSERT INTO t(t) VALUES ('{command}')"), ()).unwrap();
        same(command);
    }
    warm.execute("INSERT INTO t(t, k) VALUES ('node_cache', 0)", ()).unwrap();
    same("without a cache");
    let problems: String = warm.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(problems, "ok");
}

/// The same as `fill`, inside an open transaction.
fn fill_in(connection: &rusqlite::Connection, vectors: &[Vec<f64>], first: usize) {
    for (i, vector) in vectors.iter().enumerate() {
        let values = (format!("n{}", first + i), json(vector));
        connection.execute("INSERT INTO t(name, e) VALUES (?1, ?2)", values).unwrap();
    }
}

#[test]
fn a_cursor_sees_rows_written_during_its_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let mut clusters = Clusters::new(32, 10, DIMS, Element::Float);
    let connection = open_file(&path);
    connection.execute_batch(TABLE).unwrap();
    fill(&connection, &clusters.vectors(COUNT), 0);
    let query = json(&clusters.vector());
    let warm = page(&connection, &query);
    assert_eq!(page(&connection, &query), warm);
    let mut statement = connection.prepare("SELECT name FROM t WHERE e MATCH ?1 ORDER BY distance LIMIT 25").unwrap();
    let mut found = statement.query([&query]).unwrap();
    assert_eq!(found.next().unwrap().unwrap().get::<_, String>(0).unwrap(), warm[0].0);
    connection.execute_batch("BEGIN; UPDATE t_rows SET name = 'new ' || name").unwrap();
    assert_eq!(found.next().unwrap().unwrap().get::<_, String>(0).unwrap(), format!("new {}", warm[1].0));
    drop(found);
    drop(statement);
    connection.execute_batch("ROLLBACK").unwrap();
    assert_eq!(page(&connection, &query), warm, "what was undone is not kept");
}

#[test]
fn cluster_numbers_the_rows_in_the_order_of_the_nodes() {
    for host in hosts(
        "CREATE VIRTUAL TABLE t USING hnsw(name TEXT INDEXED, u TEXT UNIQUE, a FLOAT[2], b FLOAT[2], metric = 'l2')",
    ) {
        run(
            &host,
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 600)
             INSERT INTO t(rowid, name, u, a, b) SELECT i * 3 - 90, 'n' || i, 'u' || i,
                 CASE WHEN i % 10 THEN '[' || (i * 37 % 600) || ',0]' END,
                 CASE WHEN i % 7 THEN '[0,' || (i * 91 % 600) || ']' END FROM n",
        );
        let content = "SELECT name, u, vec_json(a), vec_json(b) FROM t ORDER BY name";
        let feeds = "SELECT name, distance FROM t WHERE a MATCH '[300.3,1]' ORDER BY distance LIMIT 40";
        let (before, near) = (rows(&host, content), rows(&host, feeds));
        run(&host, "INSERT INTO t(t) VALUES ('cluster')");
        assert_eq!((rows(&host, content), rows(&host, feeds)), (before, near));
        assert_eq!(line(&host, "SELECT min(rowid), max(rowid), count(*) FROM t"), "1|600|600");
        assert_eq!(line(&host, "SELECT min(rowid) - 540, max(a IS NOT NULL) FROM t WHERE rowid > 540"), "1|0");
        // The rows are in the order of the nodes: the node ascends with the rowid.
        assert_eq!(
            line(&host, "SELECT count(*) FROM t_rows x JOIN t_rows y ON y.rowid = x.rowid + 1 AND y.a < x.a"),
            "0"
        );
        check_sound(&host, "t");
        // A second time no row moves, and the table keeps working.
        run(&host, "INSERT INTO t(t) VALUES ('cluster'); INSERT INTO t(name, u, a) VALUES ('last', 'last', '[300,1]')");
        assert_eq!(
            line(&host, "SELECT name, rowid FROM t WHERE a MATCH '[300,1]' ORDER BY distance LIMIT 1"),
            "last|601"
        );
        check_sound(&host, "t");
    }
}

#[test]
fn cluster_keeps_rowids_that_are_keys_or_in_use() {
    for host in hosts(
        "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, e FLOAT[2]); INSERT INTO t VALUES (7, '[1,2]')",
    ) {
        assert_eq!(
            error(&host, "INSERT INTO t(t) VALUES ('cluster')"),
            "t: the command 'cluster' renumbers rows, but id is the rowid and must keep its values"
        );
        assert_eq!(line(&host, "SELECT id FROM t"), "7");
    }
    let folder = tempfile::tempdir().unwrap();
    let connection = open_file(folder.path().join("t.db"));
    connection
        .execute_batch("CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2]); INSERT INTO t VALUES ('[1,2]'), ('[2,1]')")
        .unwrap();
    let mut statement = connection.prepare("SELECT rowid FROM t").unwrap();
    let mut found = statement.query(()).unwrap();
    found.next().unwrap();
    let refused = connection.execute("INSERT INTO t(t) VALUES ('cluster')", ()).unwrap_err().to_string();
    assert_eq!(refused, "t: the command 'cluster' renumbers rows: end the statement that is reading the table");
}

#[test]
fn the_node_cache_limit_can_be_set() {
    for host in hosts("CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2]); INSERT INTO t VALUES ('[1,2]')") {
        for (bad, got) in
            [("-1", "-1"), ("1048577", "1048577"), ("'all'", "'all'"), ("1.5", "1.5"), ("NULL", "nothing")]
        {
            assert_eq!(
                error(&host, &format!("INSERT INTO t(t, k) VALUES ('node_cache', {bad})")),
                format!(
                    "t: the command 'node_cache' expects 0 to 1048576 as k, got {got}: \
                     INSERT INTO t(t, k) VALUES ('node_cache', 100)"
                )
            );
        }
        run(&host, "INSERT INTO t(t, k) VALUES ('node_cache', 16)");
        assert_eq!(line(&host, "SELECT value FROM hnsw_info('t') WHERE key = 'node_cache'"), "16");
        let nearest = "SELECT rowid FROM t WHERE e MATCH '[1,2]' ORDER BY distance";
        run(&host, "UPDATE t_config SET value = -5 WHERE key = 'node_cache'");
        assert_eq!(line(&host, nearest), "1", "the first search asks no cache");
        assert_eq!(error(&host, nearest), "t_config.node_cache is damaged: expected 0 to 1048576, got -5");
    }
}

/// Rows are cached by the searched column too: a row has another node in each.
#[test]
fn searches_of_two_vector_columns_may_alternate() {
    const TABLE: &str =
        "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, g TEXT INDEXED, h FLOAT[1], f INT8[1], b BIT[8]);
        INSERT INTO t VALUES (1, 'x', '[1]', '[1]', x'01'), (2, 'x', NULL, '[2]', x'02'), (3, 'y', '[3]', NULL, x'03'),
          (4, 'y', '[4]', '[4]', NULL), (5, 'x', '[5]', '[5]', x'05'); UPDATE t SET h = '[7]' WHERE id = 1;";
    let mut searches = Vec::new();
    for (column, query) in [("h", "'[1]'"), ("f", "'[1]'"), ("b", "x'01'")] {
        for read in ["id", "g", "rowid", "id, distance", "*"] {
            for filter in ["", "AND g = 'x'", "AND group_by = 'g'"] {
                searches.push(format!(
                    "SELECT {read} FROM t WHERE {column} MATCH {query} {filter} ORDER BY distance LIMIT 4"
                ));
            }
        }
    }
    for host in hosts(TABLE) {
        let fresh: Vec<_> = searches.iter().map(|sql| rows(&host, sql)).collect();
        let mut number = 1_usize;
        for _ in 0..3_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (number >> 33) % searches.len();
            assert_eq!(rows(&host, &searches[place]), fresh[place], "SQLite {}: {}", host.version(), searches[place]);
        }
    }
}
