//! Rows that plain SQL deleted from the rows table, not through the virtual table. Until the index is rebuilt, a search
//! that meets such a row is an error, whichever columns it reads.

use crate::{Numbers, check_sound, hosts, line, rows, run};

const ROWS: usize = 60;
const GHOST: usize = 35;
const QUERY: &str = "'[0.5,0.25,-1,0.75]'";

fn fill() -> String {
    let mut numbers = Numbers::from_seed(11);
    let mut row = |id: usize| {
        let vector = if id == GHOST { QUERY.to_string() } else { format!("'{}'", numbers.vector(4)) };
        format!("({id}, 'name {id}', {}, {vector})", id % 7)
    };
    let rows: Vec<String> = (1..=ROWS).map(&mut row).collect();
    format!(
        "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, name TEXT, n INTEGER INDEXED, e FLOAT[4], metric = 'l2');
         INSERT INTO t VALUES {}; CREATE TABLE o(id INTEGER PRIMARY KEY); INSERT INTO o VALUES ({GHOST}), (1), (2)",
        rows.join(", ")
    )
}

fn meeting_the_ghost() -> Vec<String> {
    let mut statements: Vec<String> = ["count(*)", "1", "distance", "rowid", "id", "length(e)", "name", "n, distance"]
        .into_iter()
        .flat_map(|columns| {
            [
                format!("SELECT {columns} FROM t WHERE e MATCH {QUERY}"),
                format!("SELECT {columns} FROM t({QUERY})"),
                format!("SELECT {columns} FROM t WHERE e MATCH {QUERY} AND k = 3"),
                format!("SELECT {columns} FROM t({QUERY}) WHERE ef_search = 'exact'"),
                format!("SELECT {columns} FROM t WHERE e MATCH {QUERY} ORDER BY distance LIMIT 1"),
                format!("SELECT {columns} FROM t WHERE e MATCH {QUERY} ORDER BY name"),
                format!("SELECT {columns} FROM t WHERE e MATCH {QUERY} AND distance < 0.5"),
            ]
        })
        .collect();
    // Only a statement that reads no columns looks up the rows that OFFSET skips.
    for columns in ["1", "distance", "rowid"] {
        statements.push(format!("SELECT {columns} FROM t WHERE e MATCH {QUERY} ORDER BY distance LIMIT 5 OFFSET 3"));
    }
    statements.extend([
        format!("SELECT o.id FROM o JOIN t ON t.rowid = o.id WHERE t.e MATCH {QUERY}"),
        format!("SELECT o.id FROM t({QUERY}) t CROSS JOIN o"),
        format!("SELECT count(*) FROM t({QUERY}) t LEFT JOIN o ON o.id = t.id"),
        format!("SELECT name FROM t({QUERY}) t JOIN o USING (id) ORDER BY distance"),
        format!("SELECT id FROM o WHERE id IN (SELECT rowid FROM t({QUERY}))"),
        format!("SELECT EXISTS (SELECT 1 FROM t({QUERY}))"),
        format!("DELETE FROM t WHERE e MATCH {QUERY} AND k = 1"),
        format!("UPDATE t SET n = 1 WHERE e MATCH {QUERY} AND k = 2"),
    ]);
    statements
}

#[test]
fn a_hit_without_its_row_is_an_error() {
    for host in hosts(&fill()) {
        let statements = meeting_the_ghost();
        for sql in &statements {
            host.query(&format!("EXPLAIN {sql}")).unwrap();
        }
        let filter = GHOST % 7;
        let matching = rows(&host, &format!("SELECT id FROM t WHERE n = {filter} AND id <> {GHOST} ORDER BY id"));
        run(&host, &format!("DELETE FROM t_rows WHERE id = {GHOST}"));
        let mut silent = Vec::new();
        for sql in &statements {
            match host.query(sql) {
                Ok(rows) => silent.push(format!("{sql}: {} rows", rows.len())),
                Err(error) => {
                    let node = error.message.split(' ').skip_while(|word| *word != "node").nth(1).unwrap_or_default();
                    let message = format!(
                        "t_rows is damaged: row {GHOST} of node {node} is missing or has another vector: INSERT INTO t(t) VALUES \
                         ('rebuild') repairs the index; delete from t, not from t_rows"
                    );
                    assert_eq!((error.code, error.message), (267, message), "{sql}");
                }
            }
        }
        assert!(silent.is_empty(), "SQLite {}: no error from\n{}", host.version(), silent.join("\n"));
        // A filter is tested on the rows table, which does not have the row.
        let found = rows(&host, &format!("SELECT id FROM t WHERE e MATCH {QUERY} AND n = {filter} ORDER BY id"));
        assert_eq!(found, matching);
        run(&host, "INSERT INTO t(t) VALUES ('rebuild')");
        for sql in &statements[..statements.len() - 2] {
            run(&host, sql);
        }
        assert_eq!(line(&host, &format!("SELECT count(*) FROM t({QUERY})")), (ROWS - 1).to_string());
        check_sound(&host, "t");
    }
}

#[test]
fn documented_uses_of_the_rows_table_keep_the_index_sound() {
    for host in hosts(&fill()) {
        let page =
            format!("SELECT id, name, distance FROM t WHERE e MATCH {QUERY} AND n = 0 ORDER BY distance LIMIT 5");
        line(&host, &page);
        run(
            &host,
            &format!(
                "UPDATE t_rows SET name = 'new', n = 0 WHERE id = {GHOST};
                 CREATE INDEX own ON t_rows(name, e); CREATE UNIQUE INDEX both ON t_rows(n, id);
                 CREATE TABLE log(id); CREATE TRIGGER note AFTER DELETE ON t_rows BEGIN INSERT INTO log VALUES (old.id); END"
            ),
        );
        assert!(line(&host, &page).starts_with(&format!("{GHOST}|new|0.0 ")));
        run(&host, "DELETE FROM t WHERE id = 3");
        assert_eq!(line(&host, "SELECT id FROM log"), "3");
        check_sound(&host, "t");
    }
}

/// The next row gets the rowid of a row that plain SQL deleted. The old node is not its vector.
#[test]
fn a_row_that_reuses_a_rowid_is_not_returned_for_the_old_vector() {
    let damages = [
        "DELETE FROM t_rows WHERE id = 3; INSERT INTO t VALUES (3, 'd', 4, '[9,9,9,9]')",
        "UPDATE t_rows SET e = NULL WHERE id = 3",
        "UPDATE t_rows SET e = (SELECT e FROM t_rows WHERE id = 4) WHERE id = 3",
    ];
    for host in hosts(&fill()) {
        for damage in damages {
            run(&host, &format!("SAVEPOINT a; {damage}"));
            // Twice, because rows may be cached, and in both orders of the two nodes.
            for _ in 0..2 {
                for columns in ["name", "id, distance", "count(*)", "distance"] {
                    for ending in ["", "AND ef_search = 'exact'", "ORDER BY distance", "ORDER BY distance DESC"] {
                        let error = host.refusal(&format!("SELECT {columns} FROM t WHERE e MATCH {QUERY} {ending}"));
                        let is_named = error.message.starts_with("t_rows is damaged: row 3 of node ");
                        assert!(error.code == 267 && is_named, "SQLite {}: {damage}: {error}", host.version());
                    }
                }
            }
            run(&host, "ROLLBACK TO a; RELEASE a");
            check_sound(&host, "t");
        }
    }
}

#[test]
fn commands_that_keep_rows_report_a_missing_one() {
    let tables = "CREATE VIRTUAL TABLE t USING hnsw(name TEXT, e FLOAT[2], metric = 'l2');
        INSERT INTO t(name, e) VALUES ('a', '[1,0]'), ('b', '[0,1]'), ('c', '[1,1]');
        DELETE FROM t_rows WHERE name = 'b'";
    for host in hosts(tables) {
        for (command, row) in [("optimize", "a row of the index (1 in all)"), ("cluster", "row 2")] {
            let error = host.query(&format!("INSERT INTO t(t) VALUES ('{command}')")).expect_err(command);
            let message = format!(
                "t_rows is damaged: {row} is missing or has another vector: INSERT INTO t(t) VALUES ('rebuild') repairs the \
                 index; delete from t, not from t_rows"
            );
            assert_eq!((error.code, error.message), (267, message), "{command}");
        }
        run(&host, "INSERT INTO t(t) VALUES ('rebuild')");
        run(&host, "INSERT INTO t(t) VALUES ('optimize')");
        check_sound(&host, "t");
        assert_eq!(line(&host, "SELECT group_concat(name, '') FROM t('[1,0]') ORDER BY distance"), "ac");
    }
}
