//! The table-valued vec_each.

use crate::{column, error_of, hosts_with_vectors};

#[test]
fn vec_each_returns_one_row_per_component() {
    for host in hosts_with_vectors() {
        let rows = |sql: &str| {
            column(&host, &format!("SELECT group_concat(quote(i) || ':' || quote(value), ' ') FROM ({sql})"))
        };
        assert_eq!(rows("SELECT * FROM vec_each('[3, -1, 0.5]')"), ["'0:3.0 1:-1.0 2:0.5'"]);
        assert_eq!(rows("SELECT * FROM vec_each(vec_parse('[3, -1, 0.5]'))"), ["'0:3.0 1:-1.0 2:0.5'"]);
        assert_eq!(rows("SELECT rowid AS i, value FROM vec_each('[3, -1]') WHERE value < 0"), ["'1:-1.0'"]);
        assert_eq!(rows("SELECT * FROM vec_each('[3, -1, 0.5]') ORDER BY i DESC"), ["'2:0.5 1:-1.0 0:3.0'"]);
        assert_eq!(rows("SELECT * FROM vec_each WHERE vector = '[3]'"), ["'0:3.0'"]);
        assert_eq!(
            rows("SELECT * FROM vec_each WHERE vector IN ('[1,2]', '[3]') ORDER BY i, value"),
            ["'0:1.0 0:3.0 1:2.0'"]
        );
        assert_eq!(column(&host, "SELECT vector FROM vec_each('[3,4]') LIMIT 1"), ["'[3,4]'"]);
        assert_eq!(column(&host, "SELECT count(*) FROM t, vec_each(t.v)"), ["280"]);
        assert_eq!(column(&host, "SELECT count(*) FROM vec_each(t.v), t"), ["280"]);
        assert_eq!(
            column(&host, "SELECT count(*) FROM t LEFT JOIN vec_each(nullif(t.v, (SELECT v FROM t WHERE id = 1)))"),
            ["274"]
        );
        assert_eq!(
            column(
                &host,
                "SELECT sum((SELECT max(value) FROM vec_each(t.v)) = (SELECT value FROM vec_each(t.j) ORDER BY value DESC)) FROM t"
            ),
            ["40"]
        );
        assert_eq!(
            column(
                &host,
                "SELECT sum(v = (SELECT vec_parse('[' || group_concat(value) || ']') FROM vec_each(t.v))) FROM t"
            ),
            ["40"]
        );
        assert_eq!(
            column(
                &host,
                "SELECT count(*) FROM t WHERE abs(vec_norm(v) * vec_norm(v) - (SELECT sum(value * value) FROM vec_each(v))) < 1e-9"
            ),
            ["40"]
        );
    }
}

#[test]
fn vec_each_refuses_values_that_are_no_vector() {
    for host in hosts_with_vectors() {
        let malformed = "vec_each: malformed JSON vector: expected ',' or ']' at byte 2, found the end of the text";
        let cases = [
            ("SELECT * FROM vec_each", "vec_each: expected a vector as its argument: vec_each(v)"),
            ("SELECT * FROM vec_each(7)", "vec_each: expected a vector (a BLOB, or JSON text), got INTEGER"),
            ("SELECT * FROM vec_each('[1')", malformed),
            (
                "SELECT * FROM vec_each(X'00')",
                "vec_each: expected a BLOB of FLOAT, 4 bytes per component, got 1 byte: vec_f16(v) and vec_int8(v) mark those of FLOAT16 and INT8",
            ),
            ("SELECT * FROM vec_each('[1]', 2)", "too many arguments on vec_each() - max 1"),
            ("DELETE FROM vec_each", "table vec_each may not be modified"),
            ("CREATE VIRTUAL TABLE x USING vec_each", "no such module: vec_each"),
        ];
        for (sql, expected) in cases {
            assert_eq!(error_of(&host, sql), expected, "{sql}");
        }
    }
}
