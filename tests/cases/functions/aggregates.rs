//! vec_sum and vec_avg: results, errors, and use as window functions.

use crate::{check_errors, column, error_of, execute, hosts, hosts_with_vectors};

#[test]
fn sums_and_means_are_exact() {
    for host in hosts() {
        execute(
            &host,
            "CREATE TABLE likes(who, v, weight);
         INSERT INTO likes VALUES
           ('a', '[1,0]', 3), ('a', vec_parse('[0,4]'), 1), ('a', NULL, 5), ('a', '[9,9]', NULL),
           ('b', '[1,2]', 0.1), ('b', '[1,2]', 0.2), ('b', '[3,4]', -0.3),
           ('c', NULL, 1), ('d', '[2,2]', -2), ('d', '[1,0]', 1), ('e', '[3e38]', 1), ('e', '[3e38]', 1);",
        );
        let of =
            |call: &str, who: &str| column(&host, &format!("SELECT vec_json({call}) FROM likes WHERE who = '{who}'"));
        assert_eq!(of("vec_sum(v, weight)", "a"), ["'[3,4]'"]);
        assert_eq!(of("vec_avg(v, weight)", "a"), ["'[0.75,1]'"]);
        assert_eq!(of("vec_sum(v)", "a"), ["'[10,13]'"]);
        assert_eq!(of("vec_avg(v)", "a"), ["'[3.3333333,4.3333335]'"]);
        // Weights that cancel: there is a sum, but no mean.
        assert_eq!(of("vec_avg(v, weight)", "b"), ["NULL"]);
        assert_eq!(of("vec_sum(v, weight)", "b"), ["'[-0.6,-0.6]'"]);
        // Only NULLs, and no rows.
        assert_eq!(of("vec_avg(v, weight)", "c"), ["NULL"]);
        assert_eq!(of("vec_sum(v)", "c"), ["NULL"]);
        assert_eq!(of("vec_avg(v)", "nobody"), ["NULL"]);
        assert_eq!(of("vec_sum(v)", "nobody"), ["NULL"]);
        // Negative weights: the mean is divided by the total weight, -1; the sum is not.
        assert_eq!(of("vec_avg(v, weight)", "d"), ["'[3,4]'"]);
        assert_eq!(of("vec_sum(v, weight)", "d"), ["'[-3,-4]'"]);
        // The mean of vectors whose sum overflows f32.
        assert_eq!(of("vec_avg(v)", "e"), ["'[3e38]'"]);
        assert_eq!(
            error_of(&host, "SELECT vec_sum(v) FROM likes WHERE who = 'e'"),
            "vec_sum: component 0 of the result is beyond the range of f32: 6.000e38"
        );
        // Grouped, filtered, distinct.
        assert_eq!(
            column(&host, "SELECT vec_json(vec_sum(v)) FROM likes WHERE who < 'c' GROUP BY who"),
            ["'[10,13]'", "'[5,8]'"]
        );
        assert_eq!(
            column(&host, "SELECT vec_json(vec_avg(v) FILTER (WHERE weight > 0)) FROM likes WHERE who = 'd'"),
            ["'[1,0]'"]
        );
        assert_eq!(column(&host, "SELECT vec_json(vec_sum(DISTINCT v)) FROM likes WHERE who = 'b'"), ["'[4,6]'"]);
    }
}

#[test]
fn aggregates_refuse_wrong_vectors_and_weights() {
    check_errors(
        &hosts(),
        &[
            (
                "vec_avg(column1) FROM (VALUES ('[1,2]'), (NULL), ('[1]'))",
                "expected 2 dimensions, as in the rows before, got 1",
            ),
            ("vec_sum(column1) FROM (VALUES ('[1]'), ('[1,2]'))", "expected 1 dimension, as in the rows before, got 2"),
            (
                "vec_sum(column1) FROM (VALUES (x'0000803f'), (zeroblob(8)))",
                "expected 1 dimension, as in the rows before, got 2 (8 bytes: are these 64-bit floats?)",
            ),
            (
                "vec_avg(column1, 1) FROM (VALUES ('[1,2]'), (zeroblob(16)))",
                "expected 2 dimensions, as in the rows before, got 4 (16 bytes: are these 64-bit floats?)",
            ),
            ("vec_avg('[1]', x'0000803f')", "argument 2: expected a number, got BLOB (a numpy number? use float())"),
            ("vec_avg('[1]', 'much')", "argument 2: expected a number, got TEXT"),
            ("vec_avg('[1]', 9e999)", "argument 2: expected a number within the range of f32, got inf"),
            ("vec_sum('[1')", "malformed JSON vector: expected ',' or ']' at byte 2, found the end of the text"),
            (
                "vec_sum('[1', 1)",
                "argument 1: malformed JSON vector: expected ',' or ']' at byte 2, found the end of the text",
            ),
            ("vec_avg(7)", "expected a vector (a BLOB, or JSON text), got INTEGER"),
            (
                "vec_avg(column1) OVER (ROWS 1 PRECEDING) FROM (VALUES ('[1,2]'), ('[1]'))",
                "expected 2 dimensions, as in the rows before, got 1",
            ),
        ],
    );
}

/// Compares each frame with the plain aggregate over its rows.
#[test]
fn window_frames_equal_plain_aggregates() {
    for host in hosts_with_vectors() {
        execute(
            &host,
            "UPDATE t SET v = NULL WHERE id % 7 = 0; ALTER TABLE t ADD weight; UPDATE t SET weight = id % 5 - 1.5",
        );
        let frames = [
            ("ORDER BY id ROWS BETWEEN 3 PRECEDING AND CURRENT ROW", "b.id BETWEEN a.id - 3 AND a.id"),
            ("ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING", "b.id BETWEEN a.id + 1 AND a.id + 2"),
            ("ORDER BY id ROWS BETWEEN 5 PRECEDING AND 2 PRECEDING", "b.id BETWEEN a.id - 5 AND a.id - 2"),
            ("ORDER BY id", "b.id <= a.id"),
            ("ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", "1"),
            ("ORDER BY id RANGE BETWEEN 4 PRECEDING AND 1 FOLLOWING", "b.id BETWEEN a.id - 4 AND a.id + 1"),
            (
                "ORDER BY id / 3 GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
                "b.id / 3 BETWEEN a.id / 3 - 1 AND a.id / 3",
            ),
            (
                "ORDER BY id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW",
                "b.id BETWEEN a.id - 2 AND a.id + 2 AND b.id <> a.id",
            ),
            (
                "PARTITION BY id % 2 ORDER BY id ROWS 2 PRECEDING",
                "b.id BETWEEN a.id - 4 AND a.id AND b.id % 2 = a.id % 2",
            ),
        ];
        for call in ["vec_avg(v)", "vec_sum(v)", "vec_sum(v, weight)", "vec_avg(v, weight)"] {
            for (frame, same) in frames {
                let windowed = column(
                    &host,
                    &format!("SELECT y FROM (SELECT id, vec_json({call} OVER ({frame})) AS y FROM t ORDER BY id)"),
                );
                let call_b = call.replace("v,", "b.v,").replace("(v)", "(b.v)").replace("weight", "b.weight");
                let plain = column(
                    &host,
                    &format!(
                        "SELECT y FROM (SELECT id, (SELECT vec_json({call_b}) FROM t b WHERE {same}) AS y FROM t a ORDER BY id)"
                    ),
                );
                assert_eq!(windowed.len(), 40);
                assert_eq!(windowed, plain, "{call} OVER ({frame})");
            }
        }
    }
}

#[test]
fn a_row_that_leaves_a_frame_leaves_nothing_behind() {
    for host in hosts() {
        let sums = column(
            &host,
            "SELECT vec_json(vec_sum(column2) OVER (ORDER BY column1 ROWS 1 PRECEDING))
         FROM (VALUES (1, '[1e30]'), (2, '[1e-3]'), (3, '[1e-3]'), (4, NULL), (5, NULL), (6, '[1,2]'))",
        );
        assert_eq!(sums, ["'[1e30]'", "'[1e30]'", "'[0.002]'", "'[0.001]'", "NULL", "'[1,2]'"]);
    }
}
