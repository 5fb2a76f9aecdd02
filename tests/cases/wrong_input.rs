//! What a user can get wrong, with the result code and the message of each: the message names the table, the column,
//! what was expected and what came. Nothing is lost or half done: outside a transaction, inside one, and in the middle
//! of a statement over many rows. (tests/cases/vtab/ has the forms of the statements themselves.)

use vecrank_tests::{Host, library};

const ERROR: i32 = 1;
const CONSTRAINT: i32 = 19;

const TABLES: &str = "
    CREATE VIRTUAL TABLE f USING hnsw(id INTEGER PRIMARY KEY, name TEXT UNIQUE, e FLOAT[3]);
    CREATE VIRTUAL TABLE h USING hnsw(id INTEGER PRIMARY KEY, name TEXT UNIQUE, e FLOAT16[3] NOT NULL, metric = 'l2');
    CREATE VIRTUAL TABLE i USING hnsw(id INTEGER PRIMARY KEY, name TEXT UNIQUE, e INT8[3], metric = 'dot');
    INSERT INTO f VALUES (1, 'a', '[1,0,0]'), (2, 'b', '[0,1,0]'), (3, 'c', NULL), (4, 'd', '[1,1,0]');
    INSERT INTO h VALUES (1, 'a', '[1,0,0]'), (2, 'b', '[0,1,0]'), (3, 'c', '[0,0,0]'), (4, 'd', '[1,1,0]');
    INSERT INTO i VALUES (1, 'a', '[1,0,0]'), (2, 'b', '[0,1,0]'), (3, 'c', NULL), (4, 'd', '[0,0,0]');";

/// A value for the vector column of a table, and the message after `table.e: `.
struct Wrong {
    table: &'static str,
    value: &'static str,
    message: &'static str,
    /// A search refuses it with the same message.
    in_search: bool,
}

const fn wrong(table: &'static str, value: &'static str, message: &'static str) -> Wrong {
    Wrong { table, value, message, in_search: true }
}

const fn wrong_in_rows(table: &'static str, value: &'static str, message: &'static str) -> Wrong {
    Wrong { table, value, message, in_search: false }
}

const NOT_UTF8_AT_2: &str =
    "malformed JSON vector: the text is not valid UTF-8 at byte 2: bind the bytes of a vector as BLOB, not as TEXT";
const NOT_UTF8_AT_5: &str =
    "malformed JSON vector: the text is not valid UTF-8 at byte 5: bind the bytes of a vector as BLOB, not as TEXT";
const OBJECT: &str = "malformed JSON vector: expected '[' at byte 0, found '{': JSON.stringify makes an object of a typed \
                      array: use JSON.stringify(Array.from(vector))";
const JSON_BLOB: &str = "expected a vector, got JSON text as a BLOB: make it TEXT with CAST(... AS TEXT)";

const WRONG: &[Wrong] = &[
    // Wrong dimensions.
    wrong("f", "'[1,2]'", "expected 3 dimensions (12 bytes of FLOAT), got 2"),
    wrong("f", "'[1,2,3,4]'", "expected 3 dimensions (12 bytes of FLOAT), got 4"),
    wrong("f", "'[]'", "expected a vector, got an empty JSON array"),
    wrong("f", "x''", "expected 3 dimensions (12 bytes of FLOAT), got 0"),
    wrong("f", "zeroblob(8)", "expected 3 dimensions (12 bytes of FLOAT), got 2"),
    wrong("f", "zeroblob(16)", "expected 3 dimensions (12 bytes of FLOAT), got 4"),
    wrong("f", "zeroblob(4000000)", "expected 3 dimensions (12 bytes of FLOAT), got 1000000"),
    wrong("h", "'[1,2]'", "expected 3 dimensions (6 bytes of FLOAT16), got 2"),
    wrong_in_rows("h", "zeroblob(8)", "expected 3 dimensions (6 bytes of FLOAT16), got 4"),
    wrong_in_rows(
        "h",
        "zeroblob(12)",
        "expected 3 dimensions (6 bytes of FLOAT16), got 6 (12 bytes: are these 32-bit floats? vec_f16(vec_json(v)) converts them)",
    ),
    wrong("i", "'[1,2]'", "expected 3 dimensions (3 bytes of INT8), got 2"),
    wrong_in_rows(
        "i",
        "zeroblob(12)",
        "expected 3 dimensions (3 bytes of INT8), got 12 (12 bytes: are these 32-bit floats? vec_int8(vec_json(v)) converts them)",
    ),
    wrong_in_rows("i", "zeroblob(4)", "expected 3 dimensions (3 bytes of INT8), got 4"),
    // Twice the bytes: the 64-bit floats of numpy, R and JavaScript's Float64Array.
    wrong("f", "zeroblob(24)", "expected 3 dimensions (12 bytes of FLOAT), got 6 (24 bytes: are these 64-bit floats?)"),
    wrong_in_rows(
        "h",
        "zeroblob(24)",
        "expected 3 dimensions (6 bytes of FLOAT16), got 12 (24 bytes: are these 64-bit floats?)",
    ),
    wrong_in_rows(
        "i",
        "zeroblob(24)",
        "expected 3 dimensions (3 bytes of INT8), got 24 (24 bytes: are these 64-bit floats?)",
    ),
    wrong("f", "'[1,2,3,4,5,6]'", "expected 3 dimensions (12 bytes of FLOAT), got 6"),
    // Lengths that are not a whole number of components.
    wrong("f", "zeroblob(11)", "expected 3 dimensions (12 bytes of FLOAT), got 11 bytes"),
    wrong("f", "zeroblob(13)", "expected 3 dimensions (12 bytes of FLOAT), got 13 bytes"),
    wrong("f", "x'00'", "expected 3 dimensions (12 bytes of FLOAT), got 1 byte"),
    wrong_in_rows("h", "zeroblob(7)", "expected 3 dimensions (6 bytes of FLOAT16), got 7 bytes"),
    // NaN and infinity.
    wrong("f", "x'0000c07f0000803f00000000'", "component 0: expected a finite number, got NaN"),
    wrong("f", "x'0000803f0000807f00000000'", "component 1: expected a finite number, got inf"),
    wrong("f", "x'0000803f00000000000080ff'", "component 2: expected a finite number, got -inf"),
    wrong("h", "x'003c007c0000'", "component 1: expected a finite number, got inf"),
    wrong("h", "x'003c0000017e'", "component 2: expected a finite number, got NaN"),
    // Vectors without a direction.
    wrong("f", "'[0,0,0]'", "expected a vector with a direction, since the metric is cosine, got all zeros"),
    wrong("f", "zeroblob(12)", "expected a vector with a direction, since the metric is cosine, got all zeros"),
    wrong("f", "'[0,-0.0,0e5]'", "expected a vector with a direction, since the metric is cosine, got all zeros"),
    // Numbers that the element cannot hold. A query is not converted to the element.
    wrong_in_rows("h", "'[1,65520,0]'", "component 1: expected -65504 to 65504 for FLOAT16, got 65520"),
    wrong_in_rows("h", "'[1,0,-1e9]'", "component 2: expected -65504 to 65504 for FLOAT16, got -1000000000"),
    wrong_in_rows("i", "'[1,0.5,0]'", "component 1: expected a whole number from -128 to 127 for INT8, got 0.5"),
    wrong_in_rows("i", "'[128,0,0]'", "component 0: expected a whole number from -128 to 127 for INT8, got 128"),
    wrong_in_rows("i", "'[1,0,-129]'", "component 2: expected a whole number from -128 to 127 for INT8, got -129"),
    // Wrong types.
    wrong("f", "7", "expected a vector (a BLOB, or JSON text), got INTEGER"),
    wrong("f", "0.5", "expected a vector (a BLOB, or JSON text), got REAL"),
    wrong("i", "-1", "expected a vector (a BLOB, or JSON text), got INTEGER"),
    // Malformed JSON.
    wrong("f", "''", "malformed JSON vector: expected '[' at byte 0, found the end of the text"),
    wrong("f", "'1,2,3'", "malformed JSON vector: expected '[' at byte 0, found '1'"),
    wrong("f", "'[1,2,3'", "malformed JSON vector: expected ',' or ']' at byte 6, found the end of the text"),
    wrong("f", "'[1,2,3]]'", "malformed JSON vector: expected the end of the text at byte 7, found ']'"),
    wrong("f", "'[1,,3]'", "malformed JSON vector: expected a number at byte 3, found ','"),
    wrong("f", "'[1,2,]'", "malformed JSON vector: expected a number at byte 5, found ']'"),
    wrong("f", "'[1,2,NaN]'", "malformed JSON vector: expected a number at byte 5, found 'NaN'"),
    wrong("f", "'[1,2,null]'", "malformed JSON vector: expected a number at byte 5, found 'null'"),
    wrong("f", "'[1,2,\"3\"]'", "malformed JSON vector: expected a number at byte 5, found '\"'"),
    wrong("f", "'[1,[2],3]'", "malformed JSON vector: expected a number at byte 3, found '['"),
    wrong(
        "f",
        "'[1,2,1e39]'",
        "malformed JSON vector: expected a number within the range of f32 at byte 5, found 1e39",
    ),
    wrong("f", "CAST(x'5b312c322cff5d' AS TEXT)", NOT_UTF8_AT_5),
    wrong("f", "'{\"0\":1,\"1\":2,\"2\":3}'", OBJECT),
    // Bytes bound as TEXT.
    wrong("f", "CAST(x'0000803f0000803f0000803f' AS TEXT)", NOT_UTF8_AT_2),
    wrong(
        "f",
        "CAST(x'000000400000004000000040' AS TEXT)",
        "malformed JSON vector: expected '[' at byte 0, found '\\0': bind the bytes of a vector as BLOB, not as TEXT",
    ),
    // Text bound as a BLOB, for instance by readfile().
    wrong("f", "CAST('[1,2,3]' AS BLOB)", JSON_BLOB),
    wrong("f", "CAST(' [0.5,1,2.25]' || char(10) AS BLOB)", JSON_BLOB),
    wrong("f", "CAST('[1,0,0.3125]' AS BLOB)", JSON_BLOB),
    wrong("f", "CAST('[1,2]' AS BLOB)", JSON_BLOB),
    wrong("h", "CAST('[1,2,3]' AS BLOB)", JSON_BLOB),
    wrong("i", "CAST('[1,2,3]' AS BLOB)", JSON_BLOB),
];

fn tables(host: &Host) -> Vec<String> {
    let mut all = Vec::new();
    for table in ["f", "h", "i"] {
        all.extend(host.rows(&format!("SELECT id, name, quote(e) FROM {table}")));
        all.extend(host.rows(&format!("SELECT id, distance FROM {table}('[1,0.5,0]') ORDER BY distance")));
        host.check_sound(table);
    }
    all
}

/// Every statement that takes `value` as a vector of `table`.
fn statements(Wrong { table, value, in_search, .. }: &Wrong) -> Vec<String> {
    let mut statements = vec![
        format!("INSERT INTO {table} VALUES (9, 'z', {value})"),
        format!("INSERT OR REPLACE INTO {table} VALUES (1, 'a', {value})"),
        format!("INSERT OR IGNORE INTO {table} VALUES (9, 'z', {value})"),
        format!("INSERT INTO {table}(e) VALUES ('[1,2,3]'), ('[3,2,1]'), ({value}), ('[1,1,1]')"),
        format!("INSERT INTO {table}(e) SELECT {value}"),
        format!("UPDATE {table} SET e = {value} WHERE id = 2"),
        format!("UPDATE {table} SET e = {value}, name = 'z', id = 9 WHERE id = 3"),
        format!("UPDATE {table} SET name = name || '!', e = iif(id = 4, {value}, '[1,2,3]')"),
        format!("UPDATE OR REPLACE {table} SET id = 1, name = 'b', e = {value} WHERE id = 4"),
    ];
    if *in_search {
        statements.extend([
            format!("SELECT * FROM {table} WHERE e MATCH {value}"),
            format!("SELECT id FROM {table} WHERE e MATCH {value} ORDER BY distance LIMIT 1"),
            format!("SELECT id FROM {table}({value})"),
            format!("SELECT id FROM {table}({value}, 2, 'exact') ORDER BY distance"),
            format!("SELECT o.id FROM {table} o, {table}({value}, 1) n"),
            format!("DELETE FROM {table} WHERE e MATCH {value}"),
        ]);
    }
    statements
}

#[test]
fn a_wrong_vector_is_refused_everywhere() {
    for host in Host::both(library()) {
        host.run(TABLES);
        let before = tables(&host);
        let mut problems = Vec::new();
        for wrong in WRONG {
            let message = format!("{}.e: {}", wrong.table, wrong.message);
            for sql in statements(wrong) {
                let error = host.refusal(&sql);
                if (error.code, &error.message) != (ERROR, &message) {
                    problems.push(format!("SQLite {}: {sql:.100}: {error} instead of {message}", host.version()));
                }
            }
            // Inside a transaction earlier writes stay, and later ones work.
            host.run("BEGIN; INSERT INTO f VALUES (50, 'before', '[1,2,3]')");
            for sql in statements(wrong) {
                host.refusal(&sql);
            }
            host.run("INSERT INTO f VALUES (51, 'after', '[3,2,1]')");
            assert_eq!(host.ids("SELECT id FROM f('[3,2,1]') WHERE id > 10 ORDER BY distance"), [51, 50]);
            host.run("ROLLBACK");
        }
        assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
        assert_eq!(tables(&host), before);
    }
}

#[test]
fn null_is_a_row_without_a_vector() {
    for host in Host::both(library()) {
        host.run(TABLES);
        host.run(
            "INSERT INTO f VALUES (9, 'z', NULL); INSERT INTO f(id) VALUES (10); UPDATE f SET e = NULL WHERE id = 1",
        );
        assert_eq!(host.ids("SELECT id FROM f"), [1, 2, 3, 4, 9, 10]);
        assert_eq!(host.ids("SELECT id FROM f WHERE e IS NULL"), [1, 3, 9, 10]);
        assert_eq!(host.ids("SELECT id FROM f('[1,0,0]') ORDER BY distance"), [4, 2]);
        assert_eq!(host.ids("SELECT id FROM f('[1,0,0]')").len(), 2);
        assert_eq!(host.ids("SELECT id FROM f('[1,0,0]', 10, 'exact') ORDER BY distance"), [4, 2]);
        assert_eq!(host.line("SELECT count(*) FROM f WHERE e MATCH NULL"), "0");
        assert_eq!(host.line("SELECT count(*) FROM f(NULL)"), "0");
        assert_eq!(host.line("SELECT distance FROM f WHERE id = 9"), "NULL");
        host.run("UPDATE f SET e = '[1,0,0]' WHERE id = 9");
        assert_eq!(host.ids("SELECT id FROM f('[1,0,0]') ORDER BY distance"), [9, 4, 2]);
        host.check_sound("f");
        // The other table has NOT NULL.
        let before = tables(&host);
        for sql in [
            "INSERT INTO h VALUES (9, 'z', NULL)",
            "INSERT INTO h(id) VALUES (9)",
            "INSERT INTO h VALUES (9, 'z', '[1,2,3]'), (10, 'y', NULL)",
            "UPDATE h SET e = NULL",
            "UPDATE h SET e = NULL, id = 90 WHERE id = 1",
            "INSERT OR REPLACE INTO h VALUES (1, 'a', NULL)",
        ] {
            let error = host.refusal(sql);
            let got = (error.code & 0xff, &error.message[..]);
            assert_eq!(got, (CONSTRAINT, "NOT NULL constraint failed: h.e"), "SQLite {}: {sql}", host.version());
        }
        host.run("INSERT OR IGNORE INTO h VALUES (9, 'z', NULL)");
        assert_eq!(tables(&host), before);
    }
}

#[test]
fn wrong_arguments_of_a_search_are_refused() {
    let k = "f.k: expected a whole number from 0 on, got ";
    let ef = "f.ef_search: expected 1 to 10000 or 'exact', got ";
    let values = [
        ("k = -1", k, "-1"),
        ("k = 2.5", k, "2.5"),
        ("k = 'ten'", k, "'ten'"),
        ("k = 9223372036854775808.0", k, "9223372036854776000"),
        ("k = 9e999", k, "inf"),
        ("k = 'inf'", k, "'inf'"),
        ("k = ''", k, "''"),
        ("k = NULL", k, "NULL"),
        ("k = x'010203'", k, "BLOB"),
        // numpy.int64 and the other integers of numpy.
        ("k = x'0a00000000000000'", k, "BLOB (a numpy integer? use int())"),
        ("k = x'01'", k, "BLOB (a numpy integer? use int())"),
        ("ef_search = x'c800000000000000'", ef, "BLOB (a numpy integer? use int())"),
        ("k = -9223372036854775808", k, "-9223372036854775808"),
        ("ef_search = 0", ef, "0"),
        ("ef_search = -1", ef, "-1"),
        ("ef_search = 10001", ef, "10001"),
        ("ef_search = 9223372036854775807", ef, "9223372036854775807"),
        ("ef_search = 64.5", ef, "64.5"),
        ("ef_search = '10001'", ef, "'10001'"),
        ("ef_search = 'EXACTLY'", ef, "'EXACTLY'"),
        ("ef_search = ''", ef, "''"),
        ("ef_search = NULL", ef, "NULL"),
        ("ef_search = x''", ef, "BLOB"),
    ];
    for host in Host::both(library()) {
        host.run(TABLES);
        for (term, message, got) in values {
            let error = host.refusal(&format!("SELECT id FROM f WHERE e MATCH '[1,0,0]' AND {term} ORDER BY distance"));
            assert_eq!((error.code, error.message), (ERROR, format!("{message}{got}")), "{term}");
        }
        // The largest and smallest valid values.
        for term in ["k = 9223372036854775807", "ef_search = 1", "ef_search = 10000", "ef_search = 'exact'", "k = 3"] {
            assert_eq!(
                host.ids(&format!("SELECT id FROM f WHERE e MATCH '[1,0.1,0]' AND {term}")),
                [1, 4, 2],
                "{term}"
            );
        }
        // As LIMIT accepts them: JavaScript binds every number as REAL, PHP as TEXT.
        for term in
            ["k = 2.0", "k = '2'", "k = ' 2.0 '", "k = 2.0 AND ef_search = 100.0", "k = '2' AND ef_search = '100'"]
        {
            assert_eq!(host.ids(&format!("SELECT id FROM f WHERE e MATCH '[1,0.1,0]' AND {term}")), [1, 4], "{term}");
        }
    }
}

#[test]
fn an_unusable_match_is_an_error_and_no_scan() {
    const UNUSABLE: &str = "f.e: unable to use function MATCH in the requested context: write it as a term of WHERE, \
                            joined to the others by AND";
    for host in Host::both(library()) {
        host.run(TABLES);
        for (sql, message) in [
            (
                "SELECT id FROM f WHERE name MATCH '[1,0,0]'",
                "f.name: MATCH is for vector columns: write \"WHERE e MATCH ?\"",
            ),
            (
                "SELECT id FROM f WHERE id MATCH '[1,0,0]'",
                "f.id: MATCH is for vector columns: write \"WHERE e MATCH ?\"",
            ),
            ("SELECT id FROM f WHERE f MATCH '[1,0,0]'", "f.f: MATCH is for vector columns: write \"WHERE e MATCH ?\""),
            (
                "SELECT id FROM f WHERE distance MATCH 1",
                "f.distance: MATCH is for vector columns: write \"WHERE e MATCH ?\"",
            ),
            ("SELECT id FROM f WHERE e MATCH '[1,0,0]' AND e MATCH '[0,1,0]'", "f: expected one query vector, got two"),
            ("SELECT id FROM f('[1,0,0]') WHERE e MATCH '[0,1,0]'", "f: expected one query vector, got two"),
            ("SELECT id FROM f WHERE NOT (e MATCH '[1,0,0]')", UNUSABLE),
            ("SELECT id, e MATCH '[1,0,0]' FROM f", UNUSABLE),
            ("SELECT id FROM f WHERE (e MATCH '[1,0,0]') = 1", UNUSABLE),
            ("SELECT id FROM f WHERE e MATCH '[1,0,0]' OR length(name) = 1", UNUSABLE),
            ("SELECT id FROM f ORDER BY e MATCH '[1,0,0]'", UNUSABLE),
            ("SELECT o.id FROM f LEFT JOIN h o ON f.e MATCH o.e", UNUSABLE),
        ] {
            let error = host.refusal(sql);
            assert_eq!((error.code, &error.message[..]), (ERROR, message), "SQLite {}: {sql}", host.version());
        }
    }
}

#[test]
fn an_unknown_or_misused_command_changes_nothing() {
    const COMMANDS: &str = "'optimize', 'rebuild', 'cluster', 'fold', 'integrity-check', 'ef_search' or 'node_cache'";
    let ef = |got: &str| {
        format!(
            "f: the command 'ef_search' expects 1 to 10000 as k, got {got}: INSERT INTO f(f, k) VALUES ('ef_search', 100)"
        )
    };
    for host in Host::both(library()) {
        host.run(TABLES);
        let before = (tables(&host), host.rows("SELECT key, quote(value) FROM f_config"));
        for (sql, message) in [
            ("INSERT INTO f(f) VALUES ('polish')", format!("f: unknown command 'polish': expected {COMMANDS}")),
            ("INSERT INTO f(f) VALUES ('')", format!("f: unknown command '': expected {COMMANDS}")),
            ("INSERT INTO f(f) VALUES ('OPTIMIZE ')", format!("f: unknown command 'OPTIMIZE ': expected {COMMANDS}")),
            ("INSERT INTO f(f) VALUES (1)", format!("f: expected a command, {COMMANDS}, got INTEGER")),
            ("INSERT INTO f(f) VALUES (x'6f')", format!("f: expected a command, {COMMANDS}, got BLOB")),
            (
                "INSERT INTO f(f, e) VALUES ('rebuild', '[1,2,3]')",
                "f: the command 'rebuild' takes no value beside it".into(),
            ),
            (
                "INSERT INTO f(f, id) VALUES ('optimize', 7)",
                "f: the command 'optimize' takes no value beside it".into(),
            ),
            (
                "INSERT INTO f(f, k) VALUES ('integrity-check', 1)",
                "f: the command 'integrity-check' takes no value beside it".into(),
            ),
            ("INSERT INTO f(f, k) VALUES ('ef_search', 0)", ef("0")),
            ("INSERT INTO f(f, k) VALUES ('ef_search', 10001)", ef("10001")),
            ("INSERT INTO f(f, k) VALUES ('ef_search', 6.5)", ef("6.5")),
            ("INSERT INTO f(f, k) VALUES ('ef_search', 'exact')", ef("'exact'")),
            ("INSERT INTO f(f) VALUES ('ef_search')", ef("nothing")),
            ("UPDATE f SET f = 'rebuild'", "f.f: a command is an INSERT, not an UPDATE".into()),
            ("INSERT INTO f(id, e, k) VALUES (9, '[1,2,3]', 3)", "f.k: a column that cannot be written".into()),
            (
                "INSERT INTO f(id, e, ef_search) VALUES (9, '[1,2,3]', 3)",
                "f.ef_search: a column that cannot be written".into(),
            ),
        ] {
            let error = host.refusal(sql);
            assert_eq!((error.code, error.message), (ERROR, message), "SQLite {}: {sql}", host.version());
        }
        let after = (tables(&host), host.rows("SELECT key, quote(value) FROM f_config"));
        assert_eq!(after, before);
    }
}

#[test]
fn a_failed_statement_over_many_rows_writes_nothing() {
    for host in Host::both(library()) {
        host.run("CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, name TEXT UNIQUE CHECK (name <> 'no'), e FLOAT[2], g INT8[2] NOT NULL)");
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500)";
        host.run(&format!("{numbers} INSERT INTO t SELECT i, 'row ' || i, '[' || i || ',1]', '[1,2]' FROM n"));
        let state = || {
            host.check_sound("t");
            let mut state = host.rows("SELECT id, name, quote(e), quote(g) FROM t");
            state.extend(host.rows("SELECT id FROM t WHERE e MATCH '[1,0.01]' ORDER BY distance"));
            state.extend(
                host.rows("SELECT key, value FROM hnsw_info('t') WHERE key LIKE '%nodes' OR key LIKE '%pending'"),
            );
            state
        };
        let before = state();
        let cases = [
            // The last row, or one in the middle, is wrong.
            (
                format!(
                    "{numbers} INSERT INTO t SELECT i + 1000, 'new ' || i, iif(i = 500, '[1]', '[1,1]'), '[1,2]' FROM n"
                ),
                ERROR,
                "t.e: expected 2 dimensions (8 bytes of FLOAT), got 1",
            ),
            (
                format!(
                    "{numbers} INSERT INTO t SELECT i + 1000, 'new ' || i, '[1,1]', iif(i = 250, NULL, '[1,2]') FROM n"
                ),
                CONSTRAINT,
                "NOT NULL constraint failed: t.g",
            ),
            (
                format!(
                    "{numbers} INSERT INTO t SELECT i + 1000, iif(i = 400, 'no', 'new ' || i), '[1,1]', '[1,2]' FROM n"
                ),
                CONSTRAINT,
                "CHECK constraint failed: name <> 'no'",
            ),
            (
                format!("{numbers} INSERT INTO t SELECT i + 450, 'new ' || i, '[1,1]', '[1,2]' FROM n ORDER BY i DESC"),
                CONSTRAINT,
                "UNIQUE constraint failed: t.id",
            ),
            (
                "UPDATE t SET e = iif(id = 499, '[0,0]', '[1,2]')".into(),
                ERROR,
                "t.e: expected a vector with a direction, since the metric is cosine, got all zeros",
            ),
            (
                "UPDATE t SET e = vec_scale(e, 2.0), g = iif(id = 300, '[1,2,3]', g)".into(),
                ERROR,
                "t.g: expected 2 dimensions (2 bytes of INT8), got 3",
            ),
            (
                "UPDATE t SET id = id + 5000, name = iif(id = 250, 'row 499', name)".into(),
                CONSTRAINT,
                "UNIQUE constraint failed: t.name",
            ),
            (
                "DELETE FROM t WHERE id < 400 OR vec_dims('[' || id) > 0".into(),
                ERROR,
                "vec_dims: malformed JSON vector: expected ',' or ']' at byte 4, found the end of the text",
            ),
        ];
        for (sql, code, message) in &cases {
            for around in [["", ""], ["BEGIN", "COMMIT"], ["SAVEPOINT s", "RELEASE s"]] {
                host.run(around[0]);
                let error = host.refusal(sql);
                let got = (error.code & 0xff, &error.message[..]);
                assert_eq!(got, (*code, *message), "SQLite {}: {sql}", host.version());
                host.run(around[1]);
                assert!(state() == before, "SQLite {}: {around:?}: {sql}: the table has changed", host.version());
            }
        }
        // OR FAIL keeps the rows before the one that failed, OR ROLLBACK undoes the transaction.
        host.run("BEGIN");
        let or_fail = cases[1].0.replace("INSERT INTO", "INSERT OR FAIL INTO");
        assert_eq!(host.refusal(&or_fail).message, cases[1].2);
        assert_eq!(host.line("SELECT count(*) FROM t"), "749");
        host.check_sound("t");
        let or_rollback = "INSERT OR ROLLBACK INTO t SELECT id + 1, 'again ' || id, e, g FROM t";
        assert_eq!(host.refusal(or_rollback).message, "UNIQUE constraint failed: t.id");
        assert_eq!(host.refusal("COMMIT").message, "cannot commit - no transaction is active");
        assert!(state() == before);
    }
}
