//! The SQL functions, through the built library: results and types, NULL rules, error texts, window frames.

mod aggregates;
mod each;

use vecrank_tests::{Host, library, open};

/// Each SQLite library with the functions loaded.
fn hosts() -> Vec<Host> {
    Host::both(library())
}

/// Each SQLite library with a table of 40 vectors of 7 dimensions, as BLOBs and the same as JSON, with ids from 1.
fn hosts_with_vectors() -> Vec<Host> {
    let hosts = hosts();
    for host in &hosts {
        execute(host, VECTORS);
    }
    hosts
}

const VECTORS: &str = "
    CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, j TEXT);
    WITH RECURSIVE
      n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 40),
      c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c LIMIT 7)
    INSERT INTO t SELECT id, vec_parse(text), text FROM (
      SELECT id, '[' || group_concat(((id * 37 + i * i * 101 + id * i * 13) % 199 - 99) / 16.0) || ']' AS text
      FROM n, c GROUP BY id);";

fn execute(host: &Host, sql: &str) {
    host.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The one column of all rows, as SQL writes it: `1.0`, `'text'`, `NULL`, `X'00'`.
fn column(host: &Host, sql: &str) -> Vec<String> {
    let sql = format!("WITH rows(x) AS ({sql}) SELECT quote(x) FROM rows");
    let rows = host.query(&sql).unwrap_or_else(|error| panic!("SQLite {}: {sql}: {error}", host.version()));
    rows.into_iter().flatten().map(Option::unwrap_or_default).collect()
}

fn error_of(host: &Host, sql: &str) -> String {
    match host.query(sql) {
        Ok(rows) => panic!("SQLite {}: no error from {sql}: {rows:?}", host.version()),
        Err(error) => error.message,
    }
}

fn check(hosts: &[Host], cases: &[(&str, &str)]) {
    for (host, (expression, expected)) in hosts.iter().flat_map(|host| cases.iter().map(move |case| (host, case))) {
        let got = column(host, &format!("SELECT {expression}"));
        assert_eq!(got, [*expected], "SQLite {}: {expression}", host.version());
    }
}

/// Checks the errors of expressions that begin with a function call. Each message begins with its name: `vec_l2: `.
fn check_errors(hosts: &[Host], cases: &[(&str, &str)]) {
    for (host, (expression, expected)) in hosts.iter().flat_map(|host| cases.iter().map(move |case| (host, case))) {
        let got = error_of(host, &format!("SELECT {expression}"));
        let (function, _) = expression.split_once('(').unwrap();
        assert_eq!(got, format!("{function}: {expected}"), "SQLite {}: {expression}", host.version());
    }
}

fn floats(hexadecimal: &str) -> Vec<f64> {
    let bits = |i: usize| u32::from_str_radix(&hexadecimal[i..i + 8], 16).unwrap().swap_bytes();
    (0..hexadecimal.len()).step_by(8).map(|i| f64::from(f32::from_bits(bits(i)))).collect()
}

#[test]
fn functions_return_the_documented_values_and_types() {
    check(
        &hosts(),
        &[
            ("vec_cosine('[1,0]', '[0,2]')", "1.0"),
            ("vec_cosine('[1,0]', '[-3,0]')", "2.0"),
            ("vec_cosine('[3,4]', '[0,-0.0]')", "NULL"),
            ("vec_cosine('[0,0]', '[3,4]')", "NULL"),
            ("vec_l2('[0,0]', '[3,4]')", "5.0"),
            ("vec_l1('[0,0]', '[3,-4]')", "7.0"),
            ("vec_dot('[1,2]', '[3,4]')", "11.0"),
            ("vec_parse('[1, -2]')", "X'0000803F000000C0'"),
            ("vec_parse(X'0000803F000000C0')", "X'0000803F000000C0'"),
            ("vec_json(X'0000803F000000C0')", "'[1,-2]'"),
            ("vec_json('[0.10, 3e-4, 1e-7, 16777217, -0]')", "'[0.1,0.0003,1e-7,16777216,-0]'"),
            ("vec_f16('[1, -2]')", "X'003C00C0'"),
            ("vec_f16(X'003C00C0')", "X'003C00C0'"),
            ("vec_json(vec_f16(X'003C00C0'))", "'[1,-2]'"),
            ("vec_json(vec_f16(vec_f16('[0.1]')))", "'[0.099975586]'"),
            ("vec_int8('[1, -2]')", "X'01FE'"),
            ("vec_json(vec_int8(X'01FE'))", "'[1,-2]'"),
            ("vec_dims(vec_int8(X'01FE0000'))", "4"),
            ("vec_bit('[0.5,-1,0,-0.0,1e-45,3,-3,2]')", "X'B1'"),
            ("vec_bit(vec_int8('[1,0,-1,0,0,0,0,1,9,9,0,0,0,0,0,0]'))", "X'8103'"),
            ("vec_bit(vec_bit('[1,0,0,0,0,0,0,1]'))", "X'81'"),
            ("vec_bit(vec_parse('[1,0,0,0,0,0,0,1]'))", "X'81'"),
            ("vec_json(vec_bit('[1,0,0,0,0,0,0,1]'))", "'[1,0,0,0,0,0,0,1]'"),
            ("vec_dims(vec_bit(zeroblob(64)))", "16"),
            ("vec_l2(vec_bit('[1,1,1,1,0,0,0,0]'), '[0,0,0,0,0,0,0,0]')", "2.0"),
            ("vec_hamming(X'0F', X'07')", "1"),
            ("vec_hamming(zeroblob(300), randomblob(300)) > 800", "1"),
            ("vec_hamming('[1,1,1,1,0,0,0,0]', X'0F')", "0"),
            ("vec_hamming(vec_bit('[1,2,3,4,0,0,0,0]'), X'F0')", "8"),
            ("typeof(vec_hamming(X'0F', X'07'))", "'integer'"),
            ("vec_dims('[1,2,3]')", "3"),
            ("vec_dims(zeroblob(65540))", "16385"),
            ("vec_norm('[3,4]')", "5.0"),
            ("vec_norm('[0]')", "0.0"),
            ("vec_norm('[3e38, 4e-45]') BETWEEN 2.99e38 AND 3.01e38", "1"),
            ("vec_json(vec_unit('[3,-4]'))", "'[0.6,-0.8]'"),
            ("vec_json(vec_unit('[1.5e38,-2e38]'))", "'[0.6,-0.8]'"),
            ("vec_unit('[0,0]')", "NULL"),
            ("vec_json(vec_scale('[1,-2]', 2))", "'[2,-4]'"),
            ("vec_json(vec_scale('[1,-2]', 0.5))", "'[0.5,-1]'"),
            ("vec_json(vec_add('[1,2]', '[10,20]'))", "'[11,22]'"),
            ("vec_json(vec_sub('[1,2]', '[10,20]'))", "'[-9,-18]'"),
            ("vec_json(vec_head('[1,2,3]', 2))", "'[1,2]'"),
            ("vec_json(vec_head('[1,2,3]', 3))", "'[1,2,3]'"),
            // Some hosts bind every number as REAL or as TEXT.
            ("vec_json(vec_head('[1,2,3]', 2.0))", "'[1,2]'"),
            ("vec_json(vec_head('[1,2,3]', '2'))", "'[1,2]'"),
            ("typeof(vec_add('[1]', '[1]'))", "'blob'"),
            ("typeof(vec_json('[1]'))", "'text'"),
            // To SQLite's JSON functions the result of vec_json is JSON, not a text.
            ("json_array(vec_json('[1,2]'), 3)", "'[[1,2],3]'"),
            ("vec_dims(json_array(1,2,3))", "3"),
        ],
    );
}

#[test]
fn the_version_names_commit_and_cpu() {
    let version: String = open().query_row("SELECT vecrank_version()", [], |row| row.get(0)).unwrap();
    let (number, rest) = version.split_once(" (commit ").unwrap();
    assert_eq!(number, env!("CARGO_PKG_VERSION"));
    let (commit, features) = rest.split_once(", ").unwrap();
    assert!(commit == "unknown" || commit.len() == 12 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{version}");
    assert_eq!(features, format!("{})", cpu_features()), "{version}");
}

/// The CPU features that the kernels use, detected independently.
fn cpu_features() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("f16c") {
        let wide = std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512bw");
        return if wide { "avx2+f16c+avx512bw" } else { "avx2+f16c" };
    }
    if cfg!(target_arch = "aarch64") { "neon" } else { "portable" }
}

#[test]
fn a_null_argument_returns_null() {
    let calls = "vec_cosine(NULL, '[1]'); vec_cosine('[1]', NULL); vec_l2(NULL, '[1]'); vec_l1('[1]', NULL);
        vec_dot(NULL, NULL); vec_parse(NULL); vec_f16(NULL); vec_int8(NULL); vec_bit(NULL); vec_hamming(NULL, X'00'); vec_hamming(X'00', NULL); vec_json(NULL); vec_dims(NULL); vec_norm(NULL);
        vec_unit(NULL); vec_scale(NULL, 2); vec_scale('[1]', NULL); vec_add(NULL, '[1]');
        vec_sub('[1]', NULL); vec_head(NULL, 1); vec_head('[1]', NULL); vec_avg(NULL); vec_sum(NULL);
        vec_avg('[1]', NULL); vec_sum(NULL, 1)";
    let hosts = hosts();
    check(&hosts, &calls.split(';').map(|call| (call.trim(), "NULL")).collect::<Vec<_>>());
    for host in &hosts {
        assert_eq!(column(host, "SELECT value FROM vec_each(NULL)"), [""; 0]);
    }
}

#[test]
fn malformed_vectors_are_named() {
    check_errors(
        &hosts(),
        &[
            ("vec_cosine(vec_head('[1,2,3]', 3), '[1,2]')", "expected two vectors of the same dimensions, got 3 and 2"),
            ("vec_l2('[1,2]', '[1]')", "expected two vectors of the same dimensions, got 2 and 1"),
            ("vec_l1('[1]', '[1,2]')", "expected two vectors of the same dimensions, got 1 and 2"),
            ("vec_dot('[1]', '[1,2]')", "expected two vectors of the same dimensions, got 1 and 2"),
            ("vec_add('[1]', '[1,2]')", "expected two vectors of the same dimensions, got 1 and 2"),
            ("vec_sub('[1]', '[1,2]')", "expected two vectors of the same dimensions, got 1 and 2"),
            (
                "vec_cosine(zeroblob(16), '[1,2]')",
                "expected two vectors of the same dimensions, got 4 and 2 (16 bytes: are these 64-bit floats?)",
            ),
            (
                "vec_l2('[1,2,3]', zeroblob(24))",
                "expected two vectors of the same dimensions, got 3 and 6 (24 bytes: are these 64-bit floats?)",
            ),
            (
                "vec_add(zeroblob(8), '[1]')",
                "expected two vectors of the same dimensions, got 2 and 1 (8 bytes: are these 64-bit floats?)",
            ),
            ("vec_dot(vec_int8('[1,2]'), '[1]')", "expected two vectors of the same dimensions, got 2 and 1"),
            (
                "vec_norm(CAST('[1,2,3]' AS BLOB))",
                "expected a vector, got JSON text as a BLOB: make it TEXT with CAST(... AS TEXT)",
            ),
            (
                "vec_add('[1,2]', CAST('[0.5,1]' AS BLOB))",
                "argument 2: expected a vector, got JSON text as a BLOB: make it TEXT with CAST(... AS TEXT)",
            ),
            (
                "vec_parse('{\"0\":1}')",
                "malformed JSON vector: expected '[' at byte 0, found '{': JSON.stringify makes an object of a typed \
                 array: use JSON.stringify(Array.from(vector))",
            ),
            ("vec_norm(1)", "expected a vector (a BLOB, or JSON text), got INTEGER"),
            ("vec_norm(1.5)", "expected a vector (a BLOB, or JSON text), got REAL"),
            ("vec_cosine('[1]', 7)", "argument 2: expected a vector (a BLOB, or JSON text), got INTEGER"),
            ("vec_norm(X'')", "expected a vector, got an empty BLOB"),
            ("vec_f16(X'')", "expected a vector, got an empty BLOB"),
            ("vec_f16(X'010203')", "expected a BLOB of FLOAT16, 2 bytes per component, got 3 bytes"),
            ("vec_f16(X'007C')", "component 0: expected a finite number, got inf"),
            ("vec_f16('[1e6]')", "component 0: expected -65504 to 65504 for FLOAT16, got 1000000"),
            ("vec_f16(vec_int8('[1]'))", "expected a vector of FLOAT16, got one of INT8"),
            ("vec_int8('[0.5]')", "component 0: expected a whole number from -128 to 127 for INT8, got 0.5"),
            ("vec_int8(vec_add('[1]', '[1]'))", "expected a vector of INT8, got one of FLOAT"),
            ("vec_bit(X'')", "expected a vector, got an empty BLOB"),
            (
                "vec_bit(X'A1')",
                "expected a BLOB of FLOAT, 4 bytes per component, got 1 byte: vec_f16(v) and vec_int8(v) mark those of FLOAT16 and INT8",
            ),
            ("vec_bit('[1,2,3]')", "expected a multiple of 8 dimensions, since a byte holds 8 bits, got 3"),
            ("vec_bit(2)", "expected a vector (a BLOB, or JSON text), got INTEGER"),
            ("vec_hamming(X'', X'00')", "argument 1: expected a vector, got an empty BLOB"),
            ("vec_hamming(X'0001', X'00')", "expected two vectors of the same dimensions, got 16 and 8"),
            ("vec_hamming(X'00', 1)", "argument 2: expected a vector (a BLOB, or JSON text), got INTEGER"),
            (
                "vec_hamming('[1,0,1]', X'00')",
                "argument 1: expected a multiple of 8 dimensions, since a byte holds 8 bits, got 3",
            ),
            (
                "vec_hamming(X'00', '[1,0,0.5,0,0,0,0,0]')",
                "argument 2: component 2: expected 0 or 1 for BIT, got 0.5: vec_bit(v) takes the signs of a vector; subtract 0.5 from a mean of bits first",
            ),
            (
                "vec_hamming(vec_int8('[1]'), X'00')",
                "argument 1: expected a vector of BIT, got one of INT8: vec_bit(v) takes the signs of a vector",
            ),
            ("vec_int8(vec_bit('[1,1,1,1,1,1,1,1]'))", "expected a vector of INT8, got one of BIT"),
            ("vec_int8(1)", "expected a vector (a BLOB, or JSON text), got INTEGER"),
            ("vec_norm('[]')", "expected a vector, got an empty JSON array"),
            (
                "vec_dims(X'0102030405')",
                "expected a BLOB of FLOAT, 4 bytes per component, got 5 bytes: vec_f16(v) and vec_int8(v) mark those of FLOAT16 and INT8",
            ),
            ("vec_json(X'000000000000C07F')", "component 1: expected a finite number, got NaN"),
            ("vec_unit(X'0000807F')", "component 0: expected a finite number, got inf"),
            ("vec_l2('[1]', X'000080FF')", "argument 2: component 0: expected a finite number, got -inf"),
            ("vec_add('[1]', '[x]')", "argument 2: malformed JSON vector: expected a number at byte 1, found 'x'"),
        ],
    );
}

#[test]
fn malformed_json_is_named_to_the_byte() {
    let cases = [
        ("''", "expected '[' at byte 0, found the end of the text"),
        ("'hello'", "expected '[' at byte 0, found 'hello'"),
        ("'[1, 2,]'", "expected a number at byte 6, found ']'"),
        ("'[1 2]'", "expected ',' or ']' at byte 3, found '2'"),
        ("'[1] 2'", "expected the end of the text at byte 4, found '2'"),
        ("'[NaN]'", "expected a number at byte 1, found 'NaN'"),
        ("'[[1]]'", "expected a number at byte 1, found '['"),
        ("'[1, 1e39]'", "expected a number within the range of f32 at byte 4, found 1e39"),
        ("'[1' || char(0) || ']'", "expected ',' or ']' at byte 2, found '\\0'"),
        ("'[\"1\"]'", "expected a number at byte 1, found '\"'"),
        ("'[\\1]'", "expected a number at byte 1, found '\\'"),
        (
            "CAST(X'5B31FF5D' AS TEXT)",
            "the text is not valid UTF-8 at byte 2: bind the bytes of a vector as BLOB, not as TEXT",
        ),
    ];
    for (json, expected) in cases {
        let expected = format!("malformed JSON vector: {expected}");
        check_errors(&hosts(), &[(&format!("vec_parse({json})"), &expected)]);
    }
}

#[test]
fn numeric_arguments_and_results_are_checked() {
    check_errors(
        &hosts(),
        &[
            ("vec_scale('[1]', 'x')", "argument 2: expected a number, got TEXT"),
            ("vec_scale('[1]', X'000000')", "argument 2: expected a number, got BLOB"),
            ("vec_scale('[1]', X'00')", "argument 2: expected a number, got BLOB (a numpy number? use float())"),
            (
                "vec_head('[1]', X'0100000000000000')",
                "argument 2: expected a whole number, got BLOB (a numpy integer? use int())",
            ),
            ("vec_scale('[1]', 9e999)", "argument 2: expected a number within the range of f32, got inf"),
            ("vec_scale('[1, 2]', 3e38)", "component 1 of the result is beyond the range of f32: 6.000e38"),
            ("vec_add('[1, 3e38]', '[1, 3e38]')", "component 1 of the result is beyond the range of f32: 6.000e38"),
            ("vec_sub('[-3e38]', '[3e38]')", "component 0 of the result is beyond the range of f32: -6.000e38"),
            ("vec_head('[1,2,3]', 4)", "expected 1 to 3 dimensions to keep, got 4"),
            ("vec_head('[1,2,3]', 0)", "expected 1 to 3 dimensions to keep, got 0"),
            ("vec_head('[1,2,3]', -1)", "expected 1 to 3 dimensions to keep, got -1"),
            ("vec_head('[1,2,3]', 2.5)", "argument 2: expected a whole number, got 2.5"),
            ("vec_head('[1,2,3]', 'two')", "argument 2: expected a whole number, got 'two'"),
            ("vec_head('[1,2,3]', x'020202')", "argument 2: expected a whole number, got BLOB"),
        ],
    );
}

#[test]
fn the_number_of_arguments_is_checked() {
    for host in hosts() {
        for call in ["vec_norm()", "vec_cosine('[1]')", "vec_head('[1]')", "vec_avg()", "vec_sum('[1]', 1, 1)"] {
            let (function, _) = call.split_once('(').unwrap();
            let expected = format!("wrong number of arguments to function {function}()");
            assert_eq!(error_of(&host, &format!("SELECT {call}")), expected);
        }
    }
}

#[test]
fn distances_agree_with_f64() {
    for host in hosts_with_vectors() {
        let sql =
            "SELECT hex(a.v), hex(b.v), vec_cosine(a.v, b.v), vec_l2(a.v, b.v), vec_l1(a.v, b.v), vec_dot(a.v, b.v)
                   FROM t a, t b";
        let rows = host.query(sql).unwrap();
        assert_eq!(rows.len(), 1_600);
        for row in rows {
            let row: Vec<String> = row.into_iter().map(Option::unwrap).collect();
            let (a, b) = (floats(&row[0]), floats(&row[1]));
            let sum = |term: fn(f64, f64) -> f64| a.iter().zip(&b).map(|(&x, &y)| term(x, y)).sum::<f64>();
            let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
            let dot = sum(|x, y| x * y);
            let expected = [
                1.0 - dot / (norm(&a) * norm(&b)),
                sum(|x, y| (x - y) * (x - y)).sqrt(),
                sum(|x, y| (x - y).abs()),
                dot,
            ];
            for (got, expected) in row[2..].iter().zip(expected) {
                let close = (got.parse::<f64>().unwrap() - expected).abs() <= 1e-6 * expected.abs().max(1.0);
                assert!(close, "{row:?}: expected {expected}");
            }
        }
    }
}

#[test]
fn json_and_blob_give_the_same_results() {
    for host in hosts_with_vectors() {
        for same in
            ["vec_cosine(v, X) = vec_cosine(j, X)", "vec_add(v, X) = vec_add(j, X)", "vec_parse(vec_json(v)) = v"]
        {
            let same = same.replace('X', "'[1,2,3,4,5,6,7]'");
            assert_eq!(column(&host, &format!("SELECT sum({same}) FROM t")), ["40"], "{same}");
        }
    }
}

#[test]
fn a_constant_is_parsed_again_for_each_execution() {
    let db = open();
    db.execute_batch(VECTORS).unwrap();
    let mut statement = db.prepare("SELECT id FROM t ORDER BY vec_l2(v, ?1) LIMIT 1").unwrap();
    let mut nearest = |query: &str| statement.query_row([query], |row| row.get::<_, i64>(0)).unwrap();
    for id in [3, 17, 40, 3] {
        let query: String = db.query_row("SELECT j FROM t WHERE id = ?1", [id], |row| row.get(0)).unwrap();
        assert_eq!(nearest(&query), id);
    }
}

#[test]
fn a_json_column_is_parsed_for_each_row() {
    for host in hosts_with_vectors() {
        assert_eq!(column(&host, "SELECT count(DISTINCT vec_norm(j)) > 30 FROM t"), ["1"]);
        assert_eq!(column(&host, "SELECT sum(vec_l2(a.j, b.j) = 0) FROM t a, t b"), ["40"]);
    }
}

/// A schema may use functions that are deterministic and, if it is untrusted, innocuous.
#[test]
fn functions_can_be_used_in_schemas() {
    for host in hosts() {
        execute(
            &host,
            "PRAGMA trusted_schema = OFF;
         CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB CHECK (vec_dims(v) = 2), norm REAL AS (vec_norm(v)) STORED);
         CREATE INDEX by_first ON t(vec_dot(v, '[1,0]'));
         CREATE VIEW blend AS SELECT vec_json(vec_avg(v)) AS taste FROM t;
         CREATE VIEW parts AS SELECT id, i, value FROM t, vec_each(t.v);
         INSERT INTO t(v) VALUES ('[3,4]'), (vec_parse('[0,1]'));",
        );
        assert_eq!(column(&host, "SELECT norm FROM t"), ["5.0", "1.0"]);
        assert_eq!(column(&host, "SELECT taste FROM blend"), ["'[1.5,2.5]'"]);
        assert_eq!(column(&host, "SELECT count(*) FROM parts"), ["4"]);
        assert_eq!(error_of(&host, "INSERT INTO t(v) VALUES ('[1]')"), "CHECK constraint failed: vec_dims(v) = 2");
        assert_eq!(column(&host, "SELECT id FROM t WHERE vec_dot(v, '[1,0]') > 1"), ["1"]);
        let plan = host.query("EXPLAIN QUERY PLAN SELECT id FROM t WHERE vec_dot(v, '[1,0]') > 1").unwrap();
        assert!(format!("{plan:?}").contains("INDEX by_first"), "{plan:?}");
    }
}

/// SQLite lists the functions of TABLE: the same names and numbers of arguments, aggregates as window functions.
#[test]
fn sqlite_has_exactly_the_listed_functions() {
    for host in hosts() {
        use vecrank::internals::functions::{Kind, TABLE};
        for entry in TABLE {
            let (most, optional) = match entry.arguments {
                "" => (0, 0),
                arguments => (arguments.split(',').count(), arguments.matches('[').count()),
            };
            let found = match entry.kind {
                Kind::Table => {
                    column(&host, &format!("SELECT name FROM pragma_module_list WHERE name = '{}'", entry.name))
                }
                _ => column(
                    &host,
                    &format!(
                        "SELECT type || narg FROM pragma_function_list WHERE name = '{}' ORDER BY narg",
                        entry.name
                    ),
                ),
            };
            let expected: Vec<String> = match entry.kind {
                Kind::Scalar => (most - optional..=most).map(|n| format!("'s{n}'")).collect(),
                Kind::Aggregate => (most - optional..=most).map(|n| format!("'w{n}'")).collect(),
                Kind::Table => vec![format!("'{}'", entry.name)],
            };
            assert_eq!(found, expected, "{}", entry.name);
        }
        let listed = column(
            &host,
            "SELECT DISTINCT name FROM pragma_function_list WHERE name LIKE 'vec%' AND name NOT IN ('vecrank_test_panic', 'vecrank_collect_rowids') ORDER BY name",
        );
        let mut known: Vec<String> =
            TABLE.iter().filter(|entry| entry.kind != Kind::Table).map(|entry| format!("'{}'", entry.name)).collect();
        known.sort();
        assert_eq!(listed, known);
    }
}
