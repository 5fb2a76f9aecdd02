//! Vector columns of FLOAT16 and INT8: the functions read them for what they are, as long as SQLite keeps the mark.

use crate::{check_lines, hosts};

const TABLE: &str = "
    CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, kind TEXT, half FLOAT16[4], byte INT8[4], half.metric = 'l2');
    INSERT INTO t VALUES (1, 'a', '[1,0.5,-2,0.25]', '[1,2,-3,4]'), (2, 'a', '[2,0,0,1]', '[5,6,7,-8]'),
                         (3, 'b', '[0,1,0,1]', NULL);";

#[test]
fn functions_read_a_column_for_what_it_is() {
    check_lines(
        &hosts(TABLE),
        &[
            ("SELECT length(half), length(byte) FROM t WHERE id = 1", "8|4"),
            (
                "SELECT vec_json(half), vec_json(byte), vec_dims(half) FROM t WHERE id < 3",
                "[1,0.5,-2,0.25]|[1,2,-3,4]|4 [2,0,0,1]|[5,6,7,-8]|4",
            ),
            ("SELECT vec_cosine(half, '[1,0.5,-2,0.25]'), vec_l2(byte, '[1,2,-3,5]') FROM t WHERE id = 1", "0.0|1.0"),
            (
                "SELECT vec_json(vec_avg(half)), vec_json(vec_sum(byte, 2)) FROM t WHERE id < 3",
                "[1.5,0.25,-1,0.625]|[12,16,8,-8]",
            ),
            // Through a search too, and where ORDER BY computes the function before it sorts.
            (
                "SELECT vec_json(half), vec_json(byte) FROM t WHERE half MATCH '[2,0,0,0]' ORDER BY distance LIMIT 1",
                "[2,0,0,1]|[5,6,7,-8]",
            ),
            ("SELECT id FROM t WHERE vec_l2(half, '[2,0,0,1]') < 2.4 ORDER BY vec_l2(half, '[2,0,0,1]')", "2 3"),
            ("SELECT value FROM t, vec_each(t.half) WHERE id = 1", "1.0 0.5 -2.0 0.25"),
            ("SELECT value FROM t, vec_each(t.byte) WHERE id = 1", "1 2 -3 4"),
            // A query vector of the column's own bytes needs no mark.
            ("SELECT id FROM t WHERE half MATCH (SELECT half FROM t WHERE id = 1) ORDER BY distance", "1 2 3"),
        ],
    );
}

/// Where SQLite sorts or materialises rows it drops the mark, and a function puts it on again.
#[test]
fn a_vector_is_marked_again_where_sqlite_drops_the_mark() {
    check_lines(
        &hosts(TABLE),
        &[
            (
                "SELECT kind, vec_json(vec_avg(vec_f16(half))), vec_json(vec_sum(vec_int8(byte))) FROM t GROUP BY kind",
                "a|[1.5,0.25,-1,0.625]|[6,8,4,-4] b|[0,1,0,1]|NULL",
            ),
            (
                "SELECT id, vec_json(vec_sum(vec_f16(half)) OVER (ORDER BY id)) FROM t WHERE id < 3",
                "1|[1,0.5,-2,0.25] 2|[3,0.5,-2,1.25]",
            ),
            (
                "SELECT vec_json(vec_f16(half)) FROM (SELECT DISTINCT half FROM t ORDER BY id DESC LIMIT 2)",
                "[0,1,0,1] [2,0,0,1]",
            ),
            ("SELECT vec_dims(vec_f16(half)), vec_dims(vec_int8(byte)) FROM t WHERE id = 1", "4|4"),
            // Without it eight bytes are two numbers of four bytes.
            ("SELECT kind, vec_dims(max(half)) FROM t GROUP BY kind", "a|2 b|2"),
        ],
    );
    let sql =
        "SELECT kind, (SELECT vec_json(vec_avg(half)) FROM t WHERE kind = g.kind) FROM (SELECT DISTINCT kind FROM t) g";
    check_lines(&hosts(TABLE), &[(sql, "a|[1.5,0.25,-1,0.625] b|[0,1,0,1]")]);
}
