//! MATCH beside many terms, of which SQLite tests those after the sixteenth itself, and in places where no search is
//! possible.

use crate::{check_errors, check_lines, hosts};

const TABLES: &str = "
    CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, kind TEXT INDEXED, n INTEGER, e FLOAT[2], f FLOAT[2],
      metric = 'l2');
    INSERT INTO t VALUES (1, 'a', 1, '[1,0]', '[0,1]'), (2, 'b', 2, '[0,1]', '[1,0]'), (3, 'a', 3, '[1,1]', NULL),
      (4, 'c', 4, NULL, '[1,1]'), (5, 'a', 5, '[3,3]', '[2,2]');
    CREATE TABLE u(name TEXT, taste BLOB);
    INSERT INTO u VALUES ('x', vec_parse('[1,0]')), ('y', vec_parse('[0,2]')), ('z', NULL);";

/// ` AND t.n <> 100 AND ...`: a number of terms that every row passes.
fn terms(count: usize) -> String {
    (0..count).map(|n| format!(" AND t.n <> {}", 100 + n)).collect()
}

/// Replaces `{16}` by so many terms.
fn filled(cases: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let fill = |sql: &str| sql.replace("{16}", &terms(16)).replace("{40}", &terms(40)).replace("{90}", &terms(90));
    cases.iter().map(|(sql, expected)| (&*fill(sql).leak(), *expected)).collect()
}

#[test]
fn match_works_beside_any_number_of_terms() {
    let hosts = hosts(TABLES);
    for count in [0, 13, 14, 15, 16, 17, 40, 90] {
        let sql = format!("SELECT id FROM t WHERE e MATCH '[1,0]'{} ORDER BY distance", terms(count));
        check_lines(&hosts, &[(&sql, "1 3 2 5")]);
        let sql = format!("SELECT id FROM t WHERE e MATCH '[1,0]'{} AND kind = 'a' LIMIT 2 OFFSET 1", terms(count));
        check_lines(&hosts, &[(&sql, "3 5")]);
    }
    check_lines(
        &hosts,
        &filled(&[
            ("SELECT count(*), group_concat(DISTINCT kind) FROM t WHERE e MATCH '[1,0]'{16}", "4|a,b"),
            ("SELECT kind, count(*) FROM t WHERE e MATCH '[1,0]'{40} GROUP BY kind", "a|3 b|1"),
            ("SELECT id FROM t WHERE e MATCH '[1,0]'{40} AND k = 2 AND ef_search = 'exact' ORDER BY distance", "1 3"),
            ("SELECT id FROM t WHERE e MATCH '[1,0]'{16} AND (kind = 'b' OR n = 3) ORDER BY distance", "3 2"),
            ("SELECT id FROM t WHERE e MATCH '[1,0]'{16} ORDER BY distance DESC, id", "5 2 3 1"),
            ("SELECT id FROM t WHERE (e MATCH '[1,0]'{16}) OR id = 4 ORDER BY id", "1 2 3 4 5"),
            ("SELECT id FROM t WHERE e MATCH NULL{16}", ""),
            // SQLite uses the constant as the column's value, and reads no column.
            ("SELECT id FROM t WHERE e MATCH '[1,0]'{16} AND e = vec_parse('[1,1]')", "3"),
            ("SELECT kind FROM t WHERE e MATCH '[1,0]'{40} AND e = x'0000803f0000803f' ORDER BY distance", "a"),
            (
                "SELECT id FROM t WHERE e MATCH (SELECT taste FROM u WHERE name = 'y'){16} ORDER BY distance LIMIT 1",
                "2",
            ),
            ("SELECT u.name, t.id FROM u JOIN t ON t.e MATCH u.taste{16} AND t.k = 1", "x|1 y|2"),
            ("SELECT u.name, t.id FROM u LEFT JOIN t ON t.e MATCH u.taste{16} AND t.k = 1", "x|1 y|2 z|NULL"),
            ("SELECT (SELECT group_concat(id) FROM t WHERE e MATCH u.taste{40} AND k = 2) FROM u", "1,3 2,3 NULL"),
            ("SELECT name FROM u WHERE EXISTS (SELECT 1 FROM t WHERE e MATCH u.taste{16} AND distance < 0.5)", "x"),
            ("SELECT id FROM t WHERE id IN (SELECT id FROM t WHERE e MATCH '[1,0]'{16} AND k = 2)", "1 3"),
            (
                "SELECT id FROM t WHERE e MATCH '[1,0]'{16} UNION ALL SELECT id FROM t WHERE f MATCH '[1,0]'{40}",
                "1 3 2 5 2 4 1 5",
            ),
            ("SELECT id, rank() OVER (ORDER BY distance) FROM t WHERE e MATCH '[1,0]'{16} LIMIT 2", "1|1 3|2"),
            ("SELECT b.id FROM t JOIN t b ON b.e MATCH t.e AND b.k = 2 WHERE t.id = 5{40}", "5 3"),
        ]),
    );
    let update = "UPDATE t SET kind = 'z' WHERE e MATCH '[1,0]'{16} AND k = 1";
    check_lines(&hosts, &filled(&[(update, ""), ("SELECT id FROM t WHERE kind = 'z'", "1")]));
}

/// MATCH is true only for the query vector of the search that returned the row.
#[test]
fn match_is_true_for_rows_found_by_the_same_vector() {
    check_lines(
        &hosts(TABLES),
        &filled(&[
            ("SELECT id, e MATCH '[1,0]' FROM t WHERE e MATCH '[1,0]' ORDER BY distance LIMIT 2", "1|1 3|1"),
            ("SELECT id, CASE WHEN e MATCH '[1,0]' THEN 'y' END FROM t WHERE e MATCH '[1,0]' AND k = 1", "1|y"),
            ("SELECT id FROM t WHERE e MATCH '[1,0]' AND NOT (e MATCH '[1,0]')", ""),
            ("SELECT id FROM t WHERE e MATCH '[1,0]'{40} AND NOT (e MATCH '[1,0]')", ""),
            ("SELECT e MATCH NULL FROM t WHERE id = 1", "NULL"),
            ("SELECT u.name, t.e MATCH u.taste FROM u LEFT JOIN t ON t.e MATCH u.taste AND t.k = 1", "x|1 y|1 z|NULL"),
        ]),
    );
}

#[test]
fn match_without_a_search_is_an_error() {
    const REFUSED: &str = "t.e: unable to use function MATCH in the requested context: write it as a term of WHERE, \
                           joined to the others by AND";
    const TWO: &str = "t: expected one query vector, got two";
    check_errors(
        &hosts(TABLES),
        &filled(&[
            ("SELECT id FROM t WHERE NOT (e MATCH '[1,0]')", REFUSED),
            ("SELECT id FROM t WHERE e MATCH '[1,0]' OR n + 0 = 3", REFUSED),
            ("SELECT id FROM t WHERE CASE WHEN e MATCH '[1,0]' THEN 1 END", REFUSED),
            ("SELECT id FROM t WHERE coalesce(e MATCH '[1,0]', 0)", REFUSED),
            ("SELECT e MATCH '[1,0]' FROM t", REFUSED),
            // The same for a row without a vector.
            (
                "SELECT e MATCH '[1,0]' FROM t WHERE id = 4",
                "t: unable to use function MATCH in the requested context: write it as a term of WHERE, joined to the \
                 others by AND; if t is the right table of an outer join, as a term of ON",
            ),
            ("SELECT CASE WHEN e MATCH '[1,0]' THEN 1 END FROM t", REFUSED),
            ("SELECT id FROM t ORDER BY e MATCH '[1,0]'", REFUSED),
            ("SELECT a.id FROM t a, t b WHERE a.e MATCH '[1,0]' AND NOT (b.e MATCH '[1,0]')", REFUSED),
            ("SELECT f MATCH '[1,0]' FROM t WHERE e MATCH '[1,0]'", &REFUSED.replace("t.e", "t.f").leak()[..]),
            // A vector that is not searched for is as wrong as none.
            ("SELECT e MATCH '[1,1]' FROM t WHERE e MATCH '[1,0]'", TWO),
            ("SELECT id FROM t WHERE e MATCH '[1,0]'{16} AND NOT (e MATCH '[1,1]')", TWO),
            ("SELECT id FROM t WHERE e MATCH '[1,0]'{40} AND e MATCH '[1,0]'", TWO),
            (
                "SELECT id FROM t WHERE e MATCH '[1,0]'{16} AND NOT (kind MATCH '[1,0]')",
                "t.kind: MATCH is for vector columns: write \"WHERE e MATCH ?\"",
            ),
            // Here SQLite reads a sorter or an aggregate, not the table.
            ("SELECT sum(e MATCH '[1,0]') FROM t", "unable to use function MATCH in the requested context"),
            (
                "SELECT kind, max(e MATCH '[1,0]') FROM t GROUP BY kind",
                "unable to use function MATCH in the requested context",
            ),
            ("SELECT id FROM t WHERE e MATCH 3{16}", "t.e: expected a vector (a BLOB, or JSON text), got INTEGER"),
        ]),
    );
    let renamed = hosts(&format!("{TABLES} ALTER TABLE t RENAME TO articles"));
    let text = REFUSED.replace("t.e:", "articles.e:");
    check_errors(&renamed, &[("SELECT id FROM articles WHERE NOT (e MATCH '[1,0]')", &text)]);
}
