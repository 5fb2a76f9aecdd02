//! Vector columns of FLOAT16 and INT8: functions recognise them as long as SQLite keeps the mark.

use crate::{check_errors, check_lines, check_sound, hosts, run};

const TABLE: &str = "
    CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, kind TEXT, half FLOAT16[4], byte INT8[4], half.metric = 'l2');
    INSERT INTO t VALUES (1, 'a', '[1,0.5,-2,0.25]', '[1,2,-3,4]'), (2, 'a', '[2,0,0,1]', '[5,6,7,-8]'),
                         (3, 'b', '[0,1,0,1]', NULL);";

#[test]
fn functions_read_float16_and_int8_columns() {
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
            // Also in a search, and if ORDER BY computes the function before it sorts.
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

/// SQLite drops the mark when it sorts or materialises rows. A function restores it.
#[test]
fn a_function_restores_the_mark_that_sqlite_dropped() {
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
            // Without the mark eight bytes are two numbers of four bytes.
            ("SELECT kind, vec_dims(max(half)) FROM t GROUP BY kind", "a|2 b|2"),
        ],
    );
    let sql =
        "SELECT kind, (SELECT vec_json(vec_avg(half)) FROM t WHERE kind = g.kind) FROM (SELECT DISTINCT kind FROM t) g";
    check_lines(&hosts(TABLE), &[(sql, "a|[1.5,0.25,-1,0.625] b|[0,1,0,1]")]);
}

/// The bytes of another element may have the right length by chance. They would be read as other numbers.
#[test]
fn a_vector_marked_as_another_element_is_refused() {
    let hosts =
        hosts(&format!("{TABLE} CREATE VIRTUAL TABLE f USING hnsw(id INTEGER PRIMARY KEY, e FLOAT[2], metric = 'l2')"));
    check_errors(
        &hosts,
        &[
            ("INSERT INTO f VALUES (1, vec_f16('[1,2,3,4]'))", "f.e: expected a vector of FLOAT, got one of FLOAT16"),
            (
                "INSERT INTO f VALUES (1, vec_int8('[1,2,3,4,5,6,7,8]'))",
                "f.e: expected a vector of FLOAT, got one of INT8",
            ),
            (
                "INSERT INTO f SELECT id, half FROM t WHERE id = 1",
                "f.e: expected a vector of FLOAT, got one of FLOAT16",
            ),
            (
                "INSERT INTO t(half) VALUES (vec_add('[1,2]', '[1,2]'))",
                "t.half: expected a vector of FLOAT16, got one of FLOAT",
            ),
            (
                "SELECT id FROM f WHERE e MATCH vec_f16('[1,2,3,4]')",
                "f.e: expected 2 dimensions (8 bytes of FLOAT), got 4",
            ),
            (
                "SELECT id FROM t WHERE half MATCH vec_add('[1,2]', '[1,2]')",
                "t.half: expected 4 dimensions (8 bytes of FLOAT16), got 2",
            ),
        ],
    );
    for host in &hosts {
        run(
            host,
            "INSERT INTO f VALUES (1, vec_add('[1,2]', '[0,0]')), (2, '[5,5]'); UPDATE t SET half = vec_f16(half)",
        );
        check_sound(host, "t");
    }
    check_lines(
        &hosts,
        &[
            ("SELECT id, distance FROM f WHERE e MATCH vec_f16('[5,5]') ORDER BY distance LIMIT 1", "2|0.0"),
            ("SELECT id, distance FROM f WHERE e MATCH vec_int8('[1,2]') ORDER BY distance LIMIT 1", "1|0.0"),
            ("SELECT id, distance FROM t WHERE half MATCH vec_int8('[2,0,0,1]') ORDER BY distance LIMIT 1", "2|0.0"),
        ],
    );
}
