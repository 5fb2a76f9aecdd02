//! BIT columns: what goes in, what comes out, and what is refused; searches, beside a log too.

use crate::{check_errors, check_lines, check_sound, error, hosts, line, rows, run};

/// Numbers 0 to 15 as bits, and 16 bits beside them. Row 17 has no vector.
const TABLE: &str = "
    CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER INDEXED, e BIT[8], wide BIT[16]);
    WITH RECURSIVE i(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM i WHERE i < 15)
      INSERT INTO t SELECT i + 1, i % 3, CAST(char(i) AS BLOB), x'ff00' FROM i WHERE i > 0;
    INSERT INTO t VALUES (1, 0, '[0,0,0,0,0,0,0,0]', NULL), (17, 2, NULL, vec_bit('[1,-1,1,1,1,1,1,1,0,0,0,0,0,0,0,-2]'));";

#[test]
fn vectors_come_out_as_they_went_in() {
    check_lines(
        &hosts(TABLE),
        &[
            ("SELECT hex(e), vec_json(e), vec_dims(e), length(e) FROM t WHERE id = 7", "06|[0,1,1,0,0,0,0,0]|8|1"),
            ("SELECT hex(e), hex(wide) FROM t WHERE id IN (1, 17)", "00| |FD00"),
            ("SELECT vec_json(wide) FROM t WHERE id = 17", "[1,0,1,1,1,1,1,1,0,0,0,0,0,0,0,0]"),
            ("SELECT vec_hamming(e, x'ff'), vec_hamming(e, '[1,1,1,1,1,1,1,1]') FROM t WHERE id = 7", "6|6"),
            ("SELECT vec_hamming(wide, vec_bit(wide)) FROM t WHERE id = 17", "0"),
            // To the other functions bits are the numbers 0 and 1.
            ("SELECT vec_l2(e, '[1,1,1,1,1,1,1,1]'), vec_dot(e, e), vec_norm(e) FROM t WHERE id = 16", "2.0|4.0|2.0"),
            ("SELECT vec_json(vec_avg(e)) FROM t WHERE id IN (2, 4)", "[1,0.5,0,0,0,0,0,0]"),
            ("SELECT type FROM pragma_table_info('t') WHERE name = 'e'", "BLOB"),
            (
                "SELECT group_concat(key || '=' || value) FROM hnsw_info('t') WHERE key IN ('e.element', 'e.dims', 'e.metric')",
                "e.element=BIT,e.dims=8,e.metric=hamming",
            ),
        ],
    );
}

#[test]
fn a_search_ranks_by_the_bits_that_differ_and_ties_by_rowid() {
    check_lines(
        &hosts(TABLE),
        &[
            ("SELECT id, distance FROM t WHERE e MATCH x'03' ORDER BY distance LIMIT 4", "4|0.0 2|1.0 3|1.0 8|1.0"),
            ("SELECT id FROM t WHERE e MATCH x'03' ORDER BY distance LIMIT 3 OFFSET 3", "8 12 1"),
            ("SELECT id FROM t WHERE e MATCH '[1,1,0,0,0,0,0,0]' AND n = 2 ORDER BY distance", "3 12 6 9 15"),
            ("SELECT count(*) FROM t WHERE e MATCH x'03'", "16"),
            (
                "SELECT id, similarity FROM t WHERE e MATCH x'03' AND similarity >= 0.875 ORDER BY similarity DESC",
                "4|1.0 2|0.875 3|0.875 8|0.875 12|0.875",
            ),
            ("SELECT id FROM t WHERE e MATCH x'03' AND distance < 1 ORDER BY distance", "4"),
            ("SELECT id FROM t WHERE e MATCH x'03' AND group_by = 'n' AND group_limit = 1 ORDER BY distance", "4 2 3"),
            (
                "SELECT a.id, b.id FROM t a, t b WHERE a.id < 3 AND b.e MATCH a.e AND b.k = 2 ORDER BY 1, b.distance",
                "1|1 1|2 2|2 2|1",
            ),
            ("SELECT id FROM t WHERE wide MATCH x'fd00' ORDER BY distance LIMIT 2", "17 2"),
            ("SELECT id FROM t WHERE e MATCH NULL", ""),
            // Every form of the same bits.
            ("SELECT id FROM t WHERE e MATCH vec_bit('[-1,5,0.5,0,0,0,0,0]') ORDER BY distance LIMIT 1", "7"),
            ("SELECT id FROM t WHERE e MATCH vec_parse('[0,1,1,0,0,0,0,0]') ORDER BY distance LIMIT 1", "7"),
            ("SELECT id FROM t WHERE e MATCH vec_int8('[0,1,1,0,0,0,0,0]') ORDER BY distance LIMIT 1", "7"),
        ],
    );
    for host in hosts(TABLE) {
        let plan =
            line(&host, "EXPLAIN QUERY PLAN SELECT id FROM t WHERE e MATCH x'03' AND n = 1 ORDER BY distance LIMIT 2");
        assert!(plan.contains("knn e hamming, filter n=?") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}

#[test]
fn wrong_vectors_are_refused_with_a_cure() {
    let hosts = hosts(TABLE);
    let cure = "expected 0 or 1 for BIT, got 0.5: vec_bit(v) takes the signs of a vector; subtract 0.5 from a mean of bits first";
    for (value, message) in [
        ("x'0102'", "expected 8 dimensions (1 byte of BIT), got 16 (2 bytes)"),
        ("x''", "expected 8 dimensions (1 byte of BIT), got 0 (0 bytes)"),
        ("'[1,0,1]'", "expected 8 dimensions (1 byte of BIT), got 3"),
        ("'[1,0,1,0,1,0,1,0,1]'", "expected 8 dimensions (1 byte of BIT), got 9"),
        ("'[0,0.5,0,0,0,0,0,0]'", &format!("component 1: {cure}")),
        ("'[0,0,2,0,0,0,0,0]'", &format!("component 2: {}", cure.replacen("0.5", "2", 1))),
        ("'[0,0,0,-1,0,0,0,0]'", &format!("component 3: {}", cure.replacen("0.5", "-1", 1))),
        (
            "zeroblob(32)",
            "expected 8 dimensions (1 byte of BIT), got 256 (32 bytes: are these 32-bit floats? vec_bit(v) takes their signs)",
        ),
        ("zeroblob(64)", "expected 8 dimensions (1 byte of BIT), got 512 (64 bytes: are these 64-bit floats?)"),
        ("zeroblob(8)", "expected 8 dimensions (1 byte of BIT), got 64 (8 bytes: a byte holds 8 bits)"),
        ("vec_int8('[1]')", "expected a vector of BIT, got one of INT8"),
        ("5", "expected a vector (a BLOB, or JSON text), got INTEGER"),
    ] {
        check_errors(&hosts, &[(&format!("INSERT INTO t(e) VALUES ({value})"), &format!("t.e: {message}"))]);
    }
    check_errors(
        &hosts,
        &[
            ("UPDATE t SET e = x'0102' WHERE id = 1", "t.e: expected 8 dimensions (1 byte of BIT), got 16 (2 bytes)"),
            ("SELECT id FROM t WHERE e MATCH '[0,0.5,0,0,0,0,0,0]'", &format!("t.e: component 1: {cure}")),
            (
                "SELECT id FROM t WHERE e MATCH (SELECT vec_avg(e) FROM t WHERE id IN (1, 3))",
                &format!("t.e: component 1: {cure}"),
            ),
            (
                "SELECT id FROM t WHERE e MATCH x'0000803f'",
                "t.e: expected 8 dimensions (1 byte of BIT, or 32 bytes of FLOAT), got 4 bytes",
            ),
        ],
    );
    for host in &hosts {
        assert_eq!(line(host, "SELECT count(*), count(e) FROM t"), "17|16");
        check_sound(host, "t");
        let refused = error(host, "CREATE VIRTUAL TABLE x USING hnsw(e BIT[8], metric = 'cosine')");
        assert_eq!(refused, "x: metric: expected 'hamming', the one of BIT, got 'cosine'");
        let refused = error(host, "CREATE VIRTUAL TABLE x USING hnsw(e BIT[8] NOT NULL, f FLOAT[2], metric = 'x')");
        assert_eq!(refused, "x: metric: expected 'cosine', 'l2', 'dot' or 'hamming', got 'x'");
    }
}

/// One option for the whole table is for the columns that may have it.
#[test]
fn a_metric_of_numbers_stands_beside_bits() {
    for (options, metrics) in [
        ("", "cosine,hamming"),
        (", metric = 'l2'", "l2,hamming"),
        (", metric = 'hamming'", "cosine,hamming"),
        (", f.metric = 'dot', b.metric = 'hamming', m = 8", "dot,hamming"),
    ] {
        let sql = format!(
            "CREATE VIRTUAL TABLE x USING hnsw(f FLOAT16[4], b BIT[8]{options});
            INSERT INTO x VALUES ('[1,2,3,4]', x'0f'), ('[1,0,0,4]', x'f0')"
        );
        for host in hosts(&sql) {
            let shown = "SELECT group_concat(value) FROM hnsw_info('x') WHERE key IN ('f.metric', 'b.metric')";
            assert_eq!(line(&host, shown), metrics, "{options}");
            assert_eq!(line(&host, "SELECT rowid FROM x WHERE b MATCH x'e0' ORDER BY distance"), "2 1");
            check_sound(&host, "x");
        }
    }
}

#[test]
fn writes_and_commands_keep_the_table_sound() {
    for host in hosts(TABLE) {
        for step in [
            "BEGIN; UPDATE t SET e = x'81' WHERE id = 5; DELETE FROM t WHERE id IN (2, 9); SAVEPOINT s",
            "INSERT INTO t(id, e) VALUES (40, x'c1'); ROLLBACK TO s",
            "INSERT OR REPLACE INTO t(id, e, wide) VALUES (41, x'c1', x'0001'), (3, x'80', NULL); COMMIT",
            "INSERT INTO t(t) VALUES ('optimize')",
            "INSERT INTO t(t) VALUES ('rebuild')",
            "INSERT INTO t(t) VALUES ('integrity-check')",
            "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME TO t; VACUUM",
        ] {
            run(&host, step);
            check_sound(&host, "t");
        }
        let near = "SELECT id, distance FROM t WHERE e MATCH x'81' ORDER BY distance LIMIT 4";
        assert_eq!(line(&host, near), "5|0.0 3|1.0 41|1.0 1|2.0");
        run(&host, "DELETE FROM t; INSERT INTO t(id, e) VALUES (1, x'01')");
        assert_eq!(line(&host, near), "1|1.0");
        check_sound(&host, "t");
    }
}

/// More rows than a search ranks exactly, with thousands at one distance: the graph is walked, and pages tile.
#[test]
fn pages_of_many_ties_tile() {
    for host in hosts("CREATE VIRTUAL TABLE w USING hnsw(id INTEGER PRIMARY KEY, e BIT[16])") {
        let bits: Vec<String> = (0..6).map(|bit| format!("(i >> {bit} & 1)")).collect();
        run(
            &host,
            &format!(
                "WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 4000)
                 INSERT INTO w SELECT i, vec_bit('[' || {} || ',0,0,0,0,0,0,0,0,0,1]') FROM i",
                bits.join(" || ',' || ")
            ),
        );
        check_sound(&host, "w");
        let query = "x'0380'";
        let all = rows(&host, &format!("SELECT id, distance FROM w WHERE e MATCH {query} ORDER BY distance LIMIT 500"));
        let exact = format!(
            "SELECT id, distance FROM w WHERE e MATCH {query} AND ef_search = 'exact' ORDER BY distance LIMIT 62"
        );
        // 62 rows are equal to the query: none is lost, and they come by rowid.
        assert_eq!(all[..62], rows(&host, &exact)[..]);
        let mut pages = Vec::new();
        for size in [1, 7, 30, 62, 100, 300] {
            let sql = format!(
                "SELECT id, distance FROM w WHERE e MATCH {query} ORDER BY distance LIMIT {size} OFFSET {}",
                pages.len()
            );
            pages.extend(rows(&host, &sql));
        }
        assert_eq!(pages, all);
        let counted = format!("SELECT count(*), count(DISTINCT id) FROM w WHERE e MATCH {query}");
        assert_eq!(line(&host, &counted), "4000|4000");
    }
}

#[test]
fn damage_of_a_code_is_named_and_mended() {
    for host in hosts(TABLE) {
        // The last byte of codes that are in use: lane 0 of the first block.
        let code = "(SELECT length(data) - 32 * 8 FROM t_nodes WHERE id = (SELECT max(id) FROM t_nodes))";
        let sql = format!(
            "UPDATE t_nodes SET data = CAST(substr(data, 1, {code}) || x'ff' || substr(data, {code} + 2) AS BLOB)
             WHERE id = (SELECT max(id) FROM t_nodes)"
        );
        run(&host, &sql);
        let told = error(&host, "INSERT INTO t(t) VALUES ('integrity-check')");
        assert!(told.contains(": code or factors of neighbour"), "{told}");
        run(&host, "INSERT INTO t(t) VALUES ('rebuild')");
        check_sound(&host, "t");
    }
}
