//! `similarity`: 1 - distance under cosine, the inner product under dot. Its terms and its order are those of the distance.

use crate::{check_errors, check_lines, hosts, line, rows};

/// Seventy rows of each metric, with equal distances among them.
const TABLES: &str = "
    CREATE VIRTUAL TABLE c USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[2]);
    CREATE VIRTUAL TABLE d USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[2], metric = 'dot');
    CREATE VIRTUAL TABLE l USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, e FLOAT[2], metric = 'l2');
    WITH RECURSIVE i(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM i WHERE i < 70) INSERT INTO c
      SELECT i, i % 7, '[' || (i % 12 - 6) || ',' || (i % 5 - 1.5) || ']' FROM i;
    INSERT INTO d SELECT id, n, e FROM c; INSERT INTO l SELECT id, n, e FROM c; INSERT INTO d VALUES (99, 1, '[0,0]');
    CREATE TABLE s(i INTEGER PRIMARY KEY, t TEXT, n INTEGER); INSERT INTO s SELECT id, '0.' || n, n FROM c WHERE id < 9;";

const QUERY: &str = "'[1,0.5]'";
/// The table, and its similarity by a function.
const MEASURES: [(&str, &str); 2] = [("c", "1 - vec_cosine(e, '[1,0.5]')"), ("d", "vec_dot(e, '[1,0.5]')")];

#[test]
fn similarity_equals_that_of_the_functions() {
    for host in hosts(TABLES) {
        for (table, function) in MEASURES {
            let sql = format!(
                "SELECT count(*), count(similarity), total(similarity = {function}), typeof(similarity) FROM {table}({QUERY})"
            );
            let count = line(&host, &format!("SELECT count(*) FROM {table}"));
            assert_eq!(
                line(&host, &sql),
                format!("{count}|{count}|{count}.0|real"),
                "SQLite {}: {sql}",
                host.version()
            );
        }
        assert_eq!(line(&host, "SELECT similarity FROM d('[1,1]') WHERE id = 99"), "0.0", "zero has no sign");
        assert_eq!(
            line(&host, &format!("SELECT count(*), count(similarity), count(distance) FROM l({QUERY})")),
            "70|0|70"
        );
        assert_eq!(line(&host, "SELECT count(similarity) FROM c"), "0");
    }
}

#[test]
fn a_bound_may_be_any_value() {
    let values = [
        "0.5",
        "1",
        "'1'",
        "' -1.0 '",
        "'x'",
        "''",
        "x'31'",
        "NULL",
        "0",
        "-0.0",
        "9223372036854775807",
        "-9e999",
        "9e999",
        "2",
        "CAST('1' AS BLOB)",
        "(SELECT '1')",
        "(SELECT t FROM s WHERE i = 2)",
        "(SELECT n FROM s WHERE i = 4)",
    ];
    for host in hosts(TABLES) {
        for (table, function) in MEASURES {
            // Values that rows have, and their neighbours, read as literals.
            let near = format!("SELECT DISTINCT {function} FROM {table} WHERE id IN (1, 2, 30)");
            let near: Vec<String> = host.query_literals(&near).unwrap().into_iter().map(|row| row[0].clone()).collect();
            let near = near.iter().flat_map(|s| [s.clone(), format!("({s} + 1e-16)"), format!("({s} - 1.2e-16)")]);
            for value in values.map(String::from).into_iter().chain(near) {
                for operator in ["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"] {
                    let plain = format!(
                        "SELECT id FROM (SELECT id, CAST({function} AS REAL) AS similarity FROM {table} LIMIT -1)
                         WHERE similarity {operator} {value} ORDER BY similarity DESC, id LIMIT 4"
                    );
                    for order in
                        ["ORDER BY similarity DESC", "ORDER BY similarity DESC, rowid", "ORDER BY distance, id"]
                    {
                        let sql = format!(
                            "SELECT id FROM {table} WHERE e MATCH {QUERY} AND k = 4 AND similarity {operator} {value} {order}"
                        );
                        assert_eq!(rows(&host, &sql), rows(&host, &plain), "SQLite {}: {sql}", host.version());
                    }
                }
            }
        }
    }
}

#[test]
fn other_terms_are_what_sqlite_makes_of_them() {
    for host in hosts(TABLES) {
        for (table, function) in MEASURES {
            for term in [
                "similarity IS NULL",
                "similarity IS NOT NULL",
                "similarity BETWEEN 0.1 AND 0.9",
                "similarity NOT BETWEEN 0.1 AND 0.9",
                "similarity IN (0, 1, 0.5)",
                "similarity LIKE '0.%'",
                "similarity > 0.5 OR n = 3",
                "similarity + 0 > 0.5",
                "NOT (similarity > 0.2)",
                "(similarity, id) < (0.5, 9)",
                "similarity > n / 7.0",
                "similarity > (SELECT avg(n) / 7 FROM s)",
            ] {
                let plain = format!(
                    "SELECT id FROM (SELECT id, n, CAST({function} AS REAL) AS similarity FROM {table} LIMIT -1) WHERE {term}
                     ORDER BY similarity DESC, id LIMIT 9 OFFSET 2"
                );
                let sql = format!(
                    "SELECT id FROM {table} WHERE e MATCH {QUERY} AND ({term}) ORDER BY similarity DESC, rowid LIMIT 9 OFFSET 2"
                );
                assert_eq!(rows(&host, &sql), rows(&host, &plain), "SQLite {}: {sql}", host.version());
            }
            // A row without a partner comes whatever the term.
            for (join, on) in [("s LEFT JOIN", ""), ("s JOIN", ""), ("", "LEFT JOIN s"), ("", "JOIN s")] {
                for term in ["similarity <> 0.5", "similarity IS NOT NULL", "similarity > 0.5", "similarity IS NOT s.n"]
                {
                    let plain = format!("(SELECT *, CAST({function} AS REAL) AS similarity FROM {table} LIMIT -1) v");
                    let with = |source: &str, rest: &str| match join {
                        "" => {
                            format!("SELECT v.id, s.i FROM {source} {on} ON v.{term} AND s.n = v.n{rest} ORDER BY 1, 2")
                        }
                        _ => format!(
                            "SELECT v.id, s.i FROM {join} {source} ON v.{term} AND s.n = v.n{rest} ORDER BY 1, 2"
                        ),
                    };
                    let sql = with(&format!("{table}({QUERY}) v"), "");
                    assert_eq!(rows(&host, &sql), rows(&host, &with(&plain, "")), "SQLite {}: {sql}", host.version());
                }
            }
        }
    }
}

#[test]
fn order_by_similarity_needs_no_sort() {
    for host in hosts(TABLES) {
        for (order, sorts) in [
            ("similarity DESC", false),
            ("similarity DESC, rowid", false),
            ("similarity DESC, id", false),
            ("similarity DESC NULLS LAST", false),
            ("similarity", true),
            ("similarity DESC, rowid DESC", true),
            ("similarity DESC, n", true),
            ("n, similarity DESC", true),
        ] {
            let sql = format!("SELECT id FROM c WHERE e MATCH {QUERY} ORDER BY {order}");
            let plan = line(&host, &format!("EXPLAIN QUERY PLAN {sql}"));
            assert_eq!(plan.contains("TEMP B-TREE"), sorts, "SQLite {}: {sql}: {plan}", host.version());
            let plain = format!(
                "SELECT id FROM (SELECT *, id AS rowid, 1 - vec_cosine(e, {QUERY}) AS similarity FROM c) ORDER BY "
            );
            let ties = if order.contains("id") { "" } else { ", id" };
            let expected = rows(&host, &format!("{plain}{order}{ties}"));
            assert_eq!(
                rows(&host, &format!("{sql}{}", if sorts { ties } else { "" })),
                expected,
                "SQLite {}: {sql}",
                host.version()
            );
        }
    }
}

#[test]
fn similarity_under_l2_is_an_error() {
    const NONE: &str =
        "l.similarity: NULL under the metric l2 of e, which has no similarity: compare and sort by distance";
    let hosts = hosts(TABLES);
    for term in ["= 1", "> 0.5", "< 0.5", "<> 1", "IS NULL", "IS NOT NULL", "IN (1, 2)", "BETWEEN 0 AND 1", "LIKE '1'"]
    {
        check_errors(&hosts, &[(&format!("SELECT id FROM l WHERE e MATCH {QUERY} AND similarity {term}"), NONE)]);
        check_errors(&hosts, &[(&format!("SELECT id FROM l WHERE similarity {term}"), NONE)]);
    }
    for order in ["similarity", "similarity DESC", "similarity DESC, rowid", "n, similarity", "distance, similarity"] {
        check_errors(&hosts, &[(&format!("SELECT id FROM l WHERE e MATCH {QUERY} ORDER BY {order} LIMIT 3"), NONE)]);
    }
    check_lines(
        &hosts,
        &[
            (&format!("SELECT DISTINCT similarity FROM l WHERE e MATCH {QUERY}"), "NULL"),
            (&format!("SELECT similarity FROM l({QUERY}) ORDER BY distance LIMIT 1"), "NULL"),
        ],
    );
    let two = "CREATE VIRTUAL TABLE m USING hnsw(a FLOAT[1], b FLOAT[1], a.metric = 'l2', b.metric = 'dot');
        INSERT INTO m VALUES ('[2]', '[3]')";
    let hosts = crate::hosts(two);
    check_errors(
        &hosts,
        &[(
            "SELECT 1 FROM m WHERE a MATCH '[1]' AND similarity > 0",
            &NONE.replace("l.s", "m.s").replace("of e", "of a"),
        )],
    );
    check_lines(
        &hosts,
        &[("SELECT similarity FROM m WHERE b MATCH '[1]' AND similarity > 2 ORDER BY similarity DESC", "3.0")],
    );
}
