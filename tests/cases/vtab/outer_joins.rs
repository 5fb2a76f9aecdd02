//! Outer joins keep unmatched rows, with every kind of term in the ON clause.

use rusqlite::types::Value;
use vecrank_tests::Host;

use crate::{check_lines, hosts, rows};

const TABLES: &str = "
    CREATE VIRTUAL TABLE v USING hnsw(id INTEGER PRIMARY KEY, g TEXT UNIQUE, t TEXT COLLATE NOCASE INDEXED,
      n INTEGER INDEXED, r REAL, x, e FLOAT[2]);
    CREATE TABLE o(id INTEGER PRIMARY KEY, g TEXT UNIQUE, t TEXT COLLATE NOCASE, n INTEGER, r REAL, x, e BLOB);
    INSERT INTO o VALUES (1, 'abc', 'a', 1, 1.5, 'a', vec_parse('[1,0]')), (2, 'b', 'A', 2, NULL, 5, vec_parse('[0,1]')),
      (3, NULL, 'b', NULL, 5.0, NULL, vec_parse('[1,1]')), (5, 'zz', NULL, 5, 5.5, '5', NULL),
      (7, '5', '5', -3, 0.0, x'61', vec_parse('[-1,1]'));
    INSERT INTO v(id, g, t, n, r, x, e) SELECT * FROM o;
    CREATE TABLE w(k, b TEXT, i INTEGER);
    INSERT INTO w VALUES (1, 'abc', 1), (2, 'zz', 99), (NULL, NULL, NULL), ('5', 'b', 5);";

/// The left table, the join, the right table, and whether the ON clause may have a search of `v`.
const JOINS: [(&str, &str, &str, bool); 6] = [
    ("w", "LEFT", "v", true),
    ("v", "LEFT", "w", false),
    ("w", "RIGHT", "v", true),
    ("v", "RIGHT", "w", false),
    ("w", "FULL", "v", true),
    ("v", "FULL", "w", false),
];

const FIELDS: [&str; 5] = ["v.id", "v.rowid", "v.g", "v.t", "v.x"];
const OPERATORS: [&str; 10] = ["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT", "LIKE", "GLOB"];
const VALUES: [&str; 6] = ["NULL", "5", "'zz'", "x'61'", "'a%z'", "'a%'"];

/// A term, and the same with a bound value, if it has one.
fn terms(write: impl Fn(&str) -> String) -> Vec<(String, Option<(String, &'static str)>)> {
    let mut terms = Vec::new();
    for (field, operator) in FIELDS.into_iter().flat_map(|field| OPERATORS.map(|operator| (field, operator))) {
        for value in VALUES {
            let bound = format!("{field} {operator} ?1");
            terms.push((format!("{field} {operator} {}", write(value)), Some((bound, value))));
        }
        for other in ["w.k", "w.b", "w.i"] {
            terms.push((format!("{field} {operator} {other}"), None));
        }
    }
    for field in FIELDS {
        for test in [
            "IS NULL",
            "IS NOT NULL",
            "NOT LIKE 'zz'",
            "IN (1, 5)",
            "IN (99, 98)",
            "IN ('a', NULL)",
            "IN (SELECT k FROM w)",
            "IN (w.k, w.i)",
            "BETWEEN 2 AND 5",
            "BETWEEN 98 AND 99",
            "LIKE 'zz' ESCAPE '!'",
        ] {
            terms.push((format!("{field} {test}"), None));
        }
    }
    let whole = ["v.e IS NULL", "v.e IS NOT NULL", "v.n % 7 = 3", "v.n = 1 OR v.g = 'zz'"];
    terms.extend(whole.map(|term| (term.to_string(), None)));
    terms
}

/// With `id LIKE 'a%'` on an INTEGER PRIMARY KEY in an ON clause SQLite itself loses rows. A sub-select that is not
/// flattened avoids that.
fn statement(join: (&str, &str, &str, bool), on: &str, vectors: &str) -> String {
    let table = |name| if name == "v" { vectors } else { "w" };
    let (left, right) = (table(join.0), table(join.2));
    format!("SELECT w.rowid, v.id FROM {left} {} JOIN {right} ON {on} ORDER BY 1, 2", join.1)
}

const ORDINARY: &str = "(SELECT *, id AS rowid FROM o LIMIT -1) v";

fn joins(host: &Host) -> impl Iterator<Item = (&'static str, &'static str, &'static str, bool)> {
    JOINS.into_iter().take(if host.version() >= 3_039_000 { 6 } else { 2 })
}

#[test]
fn left_join_keeps_unmatched_rows() {
    for host in hosts(TABLES) {
        let as_they_are = |value: &str| value.to_string();
        let as_unknown = |value: &str| format!("(SELECT {value})");
        for (term, _) in terms(as_they_are).into_iter().chain(terms(as_unknown)) {
            for join in joins(&host) {
                let sql = statement(join, &term, "v");
                let expected = rows(&host, &statement(join, &term, ORDINARY));
                assert_eq!(rows(&host, &sql), expected, "SQLite {}: {sql}", host.version());
            }
        }
    }
}

#[test]
fn left_join_keeps_unmatched_rows_beside_a_search() {
    for host in hosts(TABLES) {
        let values = ["0.3", "9", "-1", "NULL", "'0.3'", "w.i"];
        let distances =
            OPERATORS[..8].iter().flat_map(|operator| values.map(|value| format!("v.distance {operator} {value}")));
        let distances = distances.chain(["v.distance IS NULL", "v.distance IS NOT NULL"].map(String::from));
        let distance = "CAST(vec_cosine(vec_parse('[1,0.5]'), v.e) AS REAL)";
        for term in terms(str::to_string).into_iter().map(|(term, _)| term).chain(distances) {
            for join in joins(&host).filter(|join| join.3) {
                let sql = statement(join, &format!("v.e MATCH '[1,0.5]' AND ({term})"), "v");
                let plain = format!("v.e IS NOT NULL AND ({})", term.replace("v.distance", distance));
                let expected = rows(&host, &statement(join, &plain, ORDINARY));
                assert_eq!(rows(&host, &sql), expected, "SQLite {}: {sql}", host.version());
            }
            // The table-valued form returns only rows with a vector.
            for join in joins(&host).filter(|join| join.1 == "LEFT") {
                let plain = term.replace("v.distance", distance);
                let found = ORDINARY.replace("FROM o", "FROM o WHERE e IS NOT NULL");
                for arguments in ["'[1,0.5]'", "'[1,0.5]', 4, 'exact'"] {
                    let sql = statement(join, &term, &format!("v({arguments}) v"));
                    let expected = rows(&host, &statement(join, &plain, &found));
                    assert_eq!(rows(&host, &sql), expected, "SQLite {}: {sql}", host.version());
                }
            }
        }
    }
}

#[test]
fn left_join_keeps_unmatched_rows_with_bound_values() {
    let connection = vecrank_tests::open();
    connection.execute_batch(TABLES).unwrap();
    let rows = |sql: &str, value: &Value| -> Vec<(Option<i64>, Option<i64>)> {
        let mut statement = connection.prepare_cached(sql).unwrap();
        let rows = statement.query_map([value], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    for (term, literal) in terms(str::to_string).into_iter().filter_map(|(_, bound)| bound) {
        let value: Value = connection.query_row(&format!("SELECT {literal}"), [], |row| row.get(0)).unwrap();
        for join in JOINS {
            let sql = statement(join, &term, "v");
            assert_eq!(rows(&sql, &value), rows(&statement(join, &term, ORDINARY), &value), "{sql} of {literal}");
        }
        let sql = statement(JOINS[0], &format!("v.e MATCH '[1,0.5]' AND {term}"), "v");
        let plain = statement(JOINS[0], &format!("v.e IS NOT NULL AND {term}"), ORDINARY);
        assert_eq!(rows(&sql, &value), rows(&plain, &value), "{sql} of {literal}");
    }
}

/// SQLite below 3.51 offers these terms of the ON clause to the table before the join, as if they were in WHERE. They
/// must exclude no row then, but k counts by them.
#[test]
fn terms_of_a_later_join_exclude_no_row_and_k_counts_where_terms() {
    for (term, found) in [
        ("n <> 1", "2 7"),
        ("n IS NOT 1", "2 3"),
        ("n IS NOT NULL", "1 2"),
        ("t LIKE 'a'", "1 2"),
        ("g GLOB '*'", "1 2"),
        ("distance <> 0", "1 3"),
        ("n <> 1 AND distance IS NOT 0", "2 7"),
        ("n <> NULL", ""),
        ("t LIKE 'a' AND distance > 0.2", "2"),
    ] {
        let ids =
            |sql: &str| (format!("SELECT group_concat(id, ' ') FROM (SELECT id FROM ({sql}) ORDER BY id)"), found);
        let where_k = ids(&format!("SELECT id FROM v WHERE e MATCH '[1,0.5]' AND k = 2 AND {term}"));
        let call = ids(&format!("SELECT v.id FROM v('[1,0.5]', 2) v WHERE {term}"));
        let found = if found.is_empty() { "NULL" } else { found };
        check_lines(&hosts(TABLES), &[(&where_k.0, found), (&call.0, found)]);
    }
}

/// SQLite offers a WHERE term on the right table of an outer join to no table, and tests it on the NULL rows.
#[test]
fn match_above_an_outer_join_is_an_error_even_without_rows() {
    for host in hosts(TABLES) {
        for sql in [
            "SELECT w.k, v.id FROM w LEFT JOIN v ON v.distance < 10 WHERE v.e MATCH '[0,1]'",
            "SELECT w.k, v.id FROM w LEFT JOIN v ON v.id = w.i AND v.id > 90 WHERE v.e MATCH '[0,1]'",
            "SELECT w.k, v.id FROM w LEFT JOIN v ON v.id = 99 WHERE NOT (v.e MATCH '[0,1]')",
            "SELECT id FROM v WHERE id = 5 AND NOT (e MATCH '[0,1]')",
        ] {
            let error = host.query(sql).expect_err(sql).to_string();
            assert!(error.contains("MATCH in the requested context"), "{sql}: {error}");
        }
        let on = "SELECT w.k, v.id FROM w LEFT JOIN v ON v.e MATCH '[0,1]' AND v.distance < 0 ORDER BY w.k";
        assert_eq!(rows(&host, on).len(), 4, "a search without a row is no error");
    }
}
