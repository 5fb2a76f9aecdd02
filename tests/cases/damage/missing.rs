//! Missing and surplus node rows: statements that read many of them return the whole answer or an error.

use vecrank_tests::data::{Clusters, Element};
use vecrank_tests::{Host, HostError, library};

use crate::is_corrupt;

const DIMS: usize = 8;

/// An in-memory table of `rows` rows. One part of it suits a steered search.
fn table(host: &Host, rows: usize) {
    host.run(&format!(
        "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER INDEXED, plain INTEGER, e FLOAT[{DIMS}], metric='l2')"
    ));
    let mut clusters = Clusters::new(3, 20, DIMS, Element::Float);
    let row = |id| format!("({id},{0},{0},{1})", id % 10, Element::Float.literal(&clusters.vector()));
    host.run(&format!("INSERT INTO t VALUES {}", (1..=rows).map(row).collect::<Vec<_>>().join(",")));
}

/// Every kind of statement that reads many nodes.
fn reads() -> Vec<String> {
    let query = Element::Float.literal(&Clusters::new(4, 20, DIMS, Element::Float).vector());
    let search = |columns: &str, rest: &str| format!("SELECT {columns} FROM t WHERE e MATCH {query} {rest}");
    vec![
        // These read all nodes.
        search("id", "AND ef_search = 'exact' ORDER BY distance"),
        search("id", "AND ef_search = 'exact' ORDER BY distance LIMIT 5"),
        search("count(*)", ""),
        search("id", "ORDER BY distance LIMIT -1"),
        search("id", "ORDER BY distance LIMIT 50 OFFSET 1000"),
        "SELECT count(*) FROM t JOIN (SELECT 1) WHERE e MATCH (SELECT e FROM t_vector)".to_string(),
        // These read all or some nodes of the matching rows.
        search("id", "AND n = 3 ORDER BY distance"),
        search("count(*)", "AND n < 7"),
        search("id", "AND n < 3 ORDER BY distance LIMIT 10"),
        search("id", "AND n < 8 ORDER BY distance LIMIT 1000"),
        search("id", "AND plain < 2 ORDER BY distance LIMIT 400"),
        search("count(*)", "AND plain <> 5"),
        search("id", "ORDER BY distance LIMIT 10"),
        "SELECT sum(vec_norm(e)) FROM t".to_string(),
    ]
}
const WHOLE_READS: usize = 6;

/// Other statements that read all nodes.
const WHOLE_WRITES: [&str; 2] = ["INSERT INTO t(t) VALUES ('optimize')", "INSERT INTO t(t) VALUES ('integrity-check')"];

#[test]
fn missing_and_surplus_nodes_give_an_error_or_the_whole_answer() {
    for (rows, host) in [60, 3_000, 60].into_iter().zip([0, 1, 1].map(|turn| {
        let mut hosts = Host::both(library());
        hosts.swap_remove(turn % hosts.len())
    })) {
        table(&host, rows);
        let vector = Element::Float.literal(&Clusters::new(4, 20, DIMS, Element::Float).vector());
        host.run(&format!("CREATE TABLE t_vector AS SELECT {vector} AS e"));
        let of_row_7 = "(SELECT e FROM t_rows WHERE id = 7)";
        let damages = [
            "DELETE FROM t_nodes".to_string(),
            "DELETE FROM t_nodes WHERE id % 6 = 0".to_string(),
            "DELETE FROM t_nodes WHERE id = (SELECT max(id) FROM t_nodes)".to_string(),
            format!("DELETE FROM t_nodes WHERE id = {of_row_7}"),
            format!(
                "INSERT INTO t_nodes SELECT (SELECT max(id) + 1 FROM t_nodes), data FROM t_nodes WHERE id = {of_row_7}"
            ),
        ];
        let sound: Vec<Vec<String>> = reads().iter().map(|sql| host.rows(sql)).collect();
        for damage in damages {
            let what = format!("SQLite {}, {rows} rows, {damage}", host.version());
            host.run(&format!("SAVEPOINT a; {damage}"));
            let names_the_nodes = |error: HostError| {
                assert!(is_corrupt(&error) && error.message.contains("t_nodes"), "{what}: {error}");
                assert!(
                    error.message.contains("no such rowid") || error.message.ends_with("run the command 'rebuild'"),
                    "{what}: {error}"
                );
            };
            for (number, (sql, sound)) in reads().iter().zip(&sound).enumerate() {
                match host.query(sql) {
                    Err(error) => names_the_nodes(error),
                    Ok(_) => {
                        let got = host.rows(sql);
                        assert!(number >= WHOLE_READS, "{what}: {sql:.80}: no error, {} rows", got.len());
                        assert_eq!(got, *sound, "{what}: {sql:.80}");
                    }
                }
            }
            for sql in WHOLE_WRITES {
                let error = host.refusal(sql);
                assert!(is_corrupt(&error), "{what}: {sql}: {error}");
            }
            // So many new rows that the graph is rebuilt before the search.
            let more = format!("INSERT INTO t(e) SELECT {vector} FROM t_rows");
            host.run("SAVEPOINT b");
            match host.query(&more) {
                // A surplus node has the id that the next node would get.
                Err(error) => assert!(is_corrupt(&error) && error.message.contains("t_nodes"), "{what}: {error}"),
                Ok(_) => names_the_nodes(host.refusal(&reads()[12])),
            }
            let _ = host.execute("ROLLBACK TO b; RELEASE b");
            host.run("INSERT INTO t(t) VALUES ('rebuild')");
            host.check_sound("t");
            host.run("ROLLBACK TO a; RELEASE a");
            host.check_sound("t");
        }
    }
}
