//! k counts the rows that pass the terms that SQLite offers. Terms that it does not offer are tested afterwards.

use crate::{check_lines, hosts, rows};

/// Sixty rows, two at each of the distances 0, 0.5, 1 ... from '[0]'.
const TABLE: &str = "
    CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, name TEXT, kind TEXT COLLATE NOCASE INDEXED, n INTEGER, r REAL,
      x, e FLOAT[1], metric = 'l2');
    WITH RECURSIVE i(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM i WHERE i < 59) INSERT INTO t
      SELECT i + 1, 'name ' || i, char(65 + i % 3), i % 7, i / 2 * 0.5, nullif(i % 5, 0), '[' || (i / 2 * 0.5) || ']' FROM i;
    CREATE TABLE s(i INTEGER PRIMARY KEY, t TEXT, n INTEGER);
    INSERT INTO s SELECT id, name, n FROM t WHERE id % 2 = 0;";

/// The rows of a search with k = 4 and a filter.
fn count(host: &vecrank_tests::Host, filter: &str) -> usize {
    rows(host, &format!("SELECT id FROM t WHERE e MATCH '[0]' AND k = 4 AND ({filter}) ORDER BY distance")).len()
}

#[test]
fn k_counts_rows_that_pass_the_offered_terms() {
    for host in hosts(TABLE) {
        for filter in [
            "n = 3",
            "3 = n",
            "n <> 0",
            "n > 4",
            "n BETWEEN 2 AND 3",
            "n IN (1, 2, 5)",
            "n = 1 OR n = 5",
            "n IN (SELECT n FROM s WHERE n > 3)",
            "n = (SELECT max(n) FROM s)",
            "x IS NULL",
            "x IS NOT NULL",
            "x IS NOT 3",
            "kind = 'b'",
            "kind = 'B' COLLATE BINARY",
            "name LIKE 'name 5%'",
            "name LIKE 'name%' AND name >= 'name 30' AND name < 'name 4'",
            "kind LIKE 'a%' AND kind < 'b'",
            "kind >= 'A' AND kind < 'b'",
            "kind < 'b' AND kind >= 'A'",
            "kind LIKE 'a%'",
            "kind LIKE 'a%' ESCAPE '!'",
            "kind LIKE '%a' AND kind >= 'A' AND kind < 'b'",
            "name GLOB '*[0-9]' AND name >= 'name 3' AND name < 'name 4'",
            "name GLOB 'name 3*' AND name >= 'name 3' AND name < 'name 4'",
            "name GLOB '*7'",
            "name > 'name 30'",
            "(kind, x) = ('a', 1)",
            "id > 20",
            "rowid IN (SELECT i FROM s)",
            "likely(n = 3)",
            "distance > 0",
            "distance >= 0.5 AND distance <= 1",
            "distance <> 0",
            "distance IS NOT 0.5",
            "distance IS NOT NULL",
            "distance BETWEEN 10 AND 11 AND id <> 41",
        ] {
            assert_eq!(count(&host, filter), 4, "SQLite {}: {filter}", host.version());
        }
    }
    check_lines(
        &hosts(TABLE),
        &[
            ("SELECT id FROM t('[0]', 3) WHERE distance > 0.5", "5 6 7"),
            ("SELECT id FROM t('[0]', 3) WHERE distance >= 0.5 AND distance < 1.0 ORDER BY distance", "3 4"),
            ("SELECT id FROM t('[0]', 3) WHERE distance = 1 ORDER BY distance", "5 6"),
            ("SELECT id FROM t('[0]', 3) WHERE distance = NULL", ""),
            ("SELECT id FROM t('[0]', 3) WHERE distance IS NULL", ""),
            ("SELECT id FROM t('[0]', 0) WHERE n = 1", ""),
            ("SELECT id FROM t('[0]', 100) WHERE n = 1 AND kind = 'a'", "16 37 58"),
            ("SELECT s.i, t.id FROM s, t('[' || s.n || ']', 2) t WHERE s.i < 6 AND t.kind = 'a'", "2|4 2|7 4|13 4|16"),
        ],
    );
}

/// `distance` is a REAL column, and k counts the rows that SQLite admits, whatever the bound is.
#[test]
fn a_bound_of_the_distance_may_be_any_value() {
    let values = [
        "0.5",
        "1",
        "'1'",
        "' 1.0 '",
        "'1e0'",
        "'x'",
        "''",
        "'1x'",
        "x'31'",
        "x''",
        "NULL",
        "9007199254740993",
        "-9223372036854775808",
        "9223372036854775807",
        "'9223372036854775808'",
        "9e999",
        "-9e999",
        "'-1'",
        "'0x1'",
        "CAST('1' AS BLOB)",
        "CAST(1 AS TEXT)",
        "(SELECT '1')",
        "(SELECT t FROM s WHERE i = 2)",
        "(SELECT n FROM s WHERE i = 4)",
    ];
    for host in hosts(TABLE) {
        for operator in ["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"] {
            for value in values {
                let plain = format!(
                    "SELECT id FROM (SELECT id, CAST(vec_l2(e, '[0]') AS REAL) AS distance FROM t LIMIT -1)
                     WHERE distance {operator} {value} ORDER BY distance, id LIMIT 4"
                );
                for order in ["ORDER BY distance, id", "ORDER BY distance"] {
                    let sql = format!(
                        "SELECT id FROM t WHERE e MATCH '[0]' AND k = 4 AND distance {operator} {value} {order}"
                    );
                    assert_eq!(rows(&host, &sql), rows(&host, &plain), "SQLite {}: {sql}", host.version());
                }
            }
        }
    }
}

/// One search per pair would order equal distances by the pairs.
#[test]
fn ties_keep_their_order_with_an_in_of_two_columns() {
    for host in hosts(TABLE) {
        for pairs in ["VALUES (2, 'b'), (1, 'a'), (4, 'a'), (3, 'c')", "SELECT i, char(97 + (i + 2) % 3) FROM s"] {
            let sql =
                format!("SELECT id FROM t WHERE e MATCH '[0]' AND (id, kind) IN ({pairs}) ORDER BY distance LIMIT 3");
            let plain = format!("SELECT id FROM t WHERE (id, kind) IN ({pairs}) ORDER BY vec_l2(e, '[0]'), id LIMIT 3");
            assert_eq!(rows(&host, &sql), rows(&host, &plain), "SQLite {}: {pairs}", host.version());
            assert!(rows(&host, &sql).len() == 3);
        }
    }
}

/// SQLite does not offer these terms to a table. LIMIT counts the rows that pass them.
#[test]
fn terms_that_sqlite_hides_are_tested_after_k() {
    for host in hosts(TABLE) {
        for (filter, left) in [
            ("n % 2 = 1", 2),
            ("abs(n) = 3", 1),
            ("n + 0 = 3", 1),
            ("CAST(n AS TEXT) = '3'", 1),
            ("lower(kind) = 'a'", 2),
            ("n NOT IN (0, 1, 2)", 1),
            ("n NOT IN (SELECT 3)", 3),
            ("n NOT BETWEEN 0 AND 2", 1),
            ("name NOT LIKE '% 1'", 3),
            ("NOT (n = 3)", 3),
            ("n = 3 OR name = 'name 0'", 2),
            ("r = x", 0),
            ("r = n * 0.5", 1),
            ("EXISTS (SELECT 1 FROM s WHERE s.i = t.id)", 2),
            ("n = (SELECT s.n FROM s WHERE s.i = t.id)", 2),
            ("(n, name) > (2, 'name 2')", 3),
            ("CASE WHEN n = 3 THEN 1 END", 1),
            ("n IS TRUE", 3),
            // Two rows have the distance, one of them comes later.
            ("(distance, id) > (0.0, 1)", 3),
            ("distance + 0 > 0", 2),
            ("vec_dims(e) = 1 AND vec_l2(e, '[0]') > 0", 2),
            ("e <> x'00000000'", 2),
            ("(id, n) IN (SELECT i, n FROM s)", 2),
            ("(id, n) IN (VALUES (2, 1), (4, 3), (6, 5))", 2),
            // A number against a TEXT column: SQLite does not tell its affinity.
            ("name > 5 AND +name <> 'name 0'", 3),
        ] {
            assert_eq!(count(&host, filter), left, "SQLite {}: {filter}", host.version());
            let limit = format!("SELECT id FROM t WHERE e MATCH '[0]' AND ({filter}) ORDER BY distance LIMIT 4");
            let all = rows(&host, &format!("SELECT id FROM t WHERE e MATCH '[0]' AND ({filter})")).len();
            assert_eq!(rows(&host, &limit).len(), all.min(4), "SQLite {}: {filter}", host.version());
        }
    }
}

/// A join whose other table is read later is such a term, and the plan names it.
#[test]
fn the_plan_names_join_terms_that_are_tested_after_k() {
    for host in hosts(TABLE) {
        let sql =
            "SELECT t.id FROM t('[0]', 4) t JOIN s ON s.i = t.id AND s.n = t.n WHERE t.kind = 'a' ORDER BY distance";
        let plan = rows(&host, &format!("EXPLAIN QUERY PLAN {sql}")).join(" ");
        let is_named = |terms: &str| plan.contains(&format!("steered or walked, k before {terms}"));
        assert!(is_named("id=? n=?") || is_named("n=? id=?"), "{plan}");
        assert_eq!(rows(&host, sql), ["4", "10"]);
        let sql = "SELECT t.id FROM s CROSS JOIN t('[0]', 4) t ON s.i = t.id AND s.n = t.n WHERE t.kind = 'a'";
        let plan = rows(&host, &format!("EXPLAIN QUERY PLAN {sql}")).join(" ");
        assert!(!plan.contains("k before") && plan.contains("id=?"), "{plan}");
        assert_eq!(rows(&host, sql).len(), 10);
    }
}

/// SQLite would compare the second value with the first, and silently return all rows or none.
#[test]
fn an_argument_that_is_given_twice_has_one_value() {
    let twice = |name: &str, first: &str, again: &str| {
        format!("t.{name}: an argument of the search, given twice: {first} and {again}: write one \"{name} = ?\"")
    };
    for host in hosts(TABLE) {
        let ask = |from: &str, filter: &str| {
            let sql = format!("SELECT t.id FROM {from} WHERE {filter} ORDER BY distance");
            host.query(&sql).map(|rows| rows.len()).map_err(|error| error.message)
        };
        for (filter, rows) in [
            ("k = 3 AND k = 3", 3),
            ("k = 3 AND k = '3' AND k = 3.0", 3),
            ("ef_search = 'exact' AND ef_search = 'exact' AND k = 2", 2),
            ("group_by = 'kind' AND group_by = 'kind' AND group_limit = 2 AND group_limit = 2 AND k = 3", 3),
        ] {
            assert_eq!(ask("t", &format!("e MATCH '[0]' AND {filter}")), Ok(rows), "{filter}");
            assert_eq!(ask("t('[0]')", filter), Ok(rows), "{filter}");
        }
        // Of two constants SQLite finds out itself that they differ, as in any WHERE clause.
        for filter in
            ["k = 3 AND k = 4", "ef_search = 'exact' AND ef_search = 100", "group_by = 'kind' AND group_by = 'name'"]
        {
            assert_eq!(ask("t", &format!("e MATCH '[0]' AND {filter}")), Ok(0), "{filter}");
        }
        assert_eq!(ask("t('[0]', 3, 100)", "k = 3 AND ef_search = 100"), Ok(3));
        assert_eq!(ask("t('[0]', 3)", "k = 4"), Err(twice("k", "4", "3")));
        assert_eq!(ask("t('[0]', 3, 'exact')", "ef_search = 100"), Err(twice("ef_search", "100", "'exact'")));
        assert_eq!(ask("t('[0]', 3)", "query = '[0]'"), Ok(3));
        assert_eq!(ask("t('[0]', 3)", "query = '[1]'"), Err("t: expected one query vector, got two".to_string()));
        // SQLite itself repeats the arguments of the table-valued form under OR.
        assert_eq!(ask("t('[0]', 3)", "id = 1 OR id = 2"), Ok(2));
        // A value of a join.
        assert_eq!(ask("s, t('[0]', 3)", "k = s.n AND s.i = 4"), Ok(3));
        assert_eq!(ask("s, t('[0]', 3)", "k = s.n AND s.i = 2"), Err(twice("k", "1", "3")));
        let by_join = |by: &str| {
            let sql = format!("SELECT t.id FROM s JOIN t('[0]') t WHERE {by} ORDER BY distance");
            host.query(&sql).map(|rows| rows.len()).map_err(|error| error.message)
        };
        assert_eq!(by_join("s.i = 4 AND t.k = s.n AND t.k = s.i"), Err(twice("k", "3", "4")));
        let groups = "s.i = 2 AND t.group_by = 'kind' AND t.group_limit = s.n AND t.group_limit = s.i";
        assert_eq!(by_join(groups), Err(twice("group_limit", "1", "2")));
    }
}
