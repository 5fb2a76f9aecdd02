//! Searches: forms, order, pages, completeness, ties, wrong arguments.

use crate::{Numbers, check_errors, check_lines, check_sound, hosts, line, rows, run};
use vecrank_tests::Host;

/// Enough rows for the graph to be walked, with many equal vectors.
const COUNT: usize = 3_000;

fn load(host: &Host, seed: u64) {
    let mut numbers = Numbers::from_seed(seed);
    run(
        host,
        "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, kind TEXT INDEXED, n INTEGER, e FLOAT[8], metric = 'l2'); BEGIN",
    );
    for id in 1..=COUNT {
        let (kind, n) = (numbers.pick(&["a", "b", "c", "d", "rare"]), numbers.below(1000));
        let kind = if kind == "rare" && id % 40 != 0 { "a" } else { kind };
        let vector = if numbers.below(30) == 0 { "[1,0,0,0,0,0,0,0.5]".to_string() } else { numbers.vector(8) };
        run(host, &format!("INSERT INTO t VALUES ({id}, '{kind}', {n}, '{vector}')"));
    }
    run(host, "COMMIT");
}

const QUERY: &str = "'[0.9,0.1,-0.1,0,0.05,0,0.1,0.5]'";

/// If the squares of components overflow or underflow f32, the search ranks every row, and the check finds no damage.
#[test]
fn vectors_of_extreme_scales_are_ranked() {
    for metric in ["cosine", "l2", "dot"] {
        for host in hosts(&format!(
            "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, e FLOAT[4], metric = '{metric}')"
        )) {
            run(
                &host,
                "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 1500) INSERT INTO t SELECT i,
                 '[' || (i * 7919 % 2003 - 1001) || 'e22,' || (i * 104729 % 1999 - 999) || 'e22,' || (i * 1299709 % 2011 - 1005)
                 || 'e22,' || (i + 1) || 'e22]' FROM n",
            );
            run(&host, "INSERT INTO t VALUES (9999, '[3e25, 0, 1e24, -2e25]')");
            for query in ["'[1e25, -2e25, 3e25, 1e24]'", "'[-4e24, 1e24, 0, 5e24]'"] {
                let exact = rows(&host, &format!("SELECT id FROM t({query}, 20, 'exact') ORDER BY distance"));
                assert_eq!(rows(&host, &format!("SELECT id FROM t({query}, 20) ORDER BY distance")), exact, "{metric}");
            }
            check_sound(&host, "t");
        }
    }
}

#[test]
fn match_and_table_valued_form_agree() {
    let hosts = hosts(
        "CREATE VIRTUAL TABLE t USING hnsw(id TEXT PRIMARY KEY, e FLOAT[2], metric = 'l2');
         INSERT INTO t VALUES ('a', '[1,0]'), ('b', '[0,1]'), ('c', '[1,1]'), ('d', NULL), ('e', '[1,0]');
         CREATE TABLE u(name TEXT, taste BLOB);
         INSERT INTO u VALUES ('x', vec_parse('[1,0]')), ('y', vec_parse('[0,2]')), ('z', NULL);",
    );
    check_lines(
        &hosts,
        &[
            ("SELECT id FROM t WHERE e MATCH '[1,0.1]' ORDER BY distance", "a e c b"),
            ("SELECT id FROM t WHERE e MATCH vec_parse('[1,0.1]') ORDER BY distance", "a e c b"),
            ("SELECT id FROM t('[1,0.1]') ORDER BY distance", "a e c b"),
            ("SELECT id FROM t('[1,0.1]', 3) ORDER BY distance", "a e c"),
            ("SELECT id FROM t('[1,0.1]', 3, 'exact')", "a e c"),
            ("SELECT id FROM t('[1,0.1]', 0)", ""),
            ("SELECT id FROM t WHERE e MATCH '[1,0.1]' AND k = 2 ORDER BY distance", "a e"),
            ("SELECT id FROM t WHERE e MATCH '[1,0.1]' AND k = 2 AND ef_search = 10 ORDER BY id DESC", "e a"),
            ("SELECT id FROM t WHERE query = '[1,0.1]' AND k = 1", "a"),
            ("SELECT id FROM t('[1,0]') ORDER BY distance LIMIT 2 OFFSET 1", "e c"),
            ("SELECT id FROM t('[1,0]') ORDER BY distance DESC", "b c a e"),
            ("SELECT id, distance FROM t('[1,0]') WHERE distance = 0 ORDER BY distance", "a|0.0 e|0.0"),
            ("SELECT id FROM t('[1,0]') WHERE distance BETWEEN 0.5 AND 1.1 ORDER BY distance", "c"),
            ("SELECT id FROM t('[1,0]') WHERE distance < '1.1' ORDER BY distance", "a e c"),
            ("SELECT id FROM t('[1,0]') WHERE distance < NULL ORDER BY distance", ""),
            ("SELECT count(*), count(DISTINCT distance), min(distance) FROM t('[1,0]')", "4|3|0.0"),
            ("SELECT query, k, ef_search FROM t('[1,0]', 1, 5)", "[1,0]|1|5"),
            ("SELECT id FROM t(NULL)", ""),
            ("SELECT u.name, t.id FROM u, t(u.taste, 2)", "x|a x|e y|b y|c"),
            ("SELECT u.name, (SELECT group_concat(id) FROM t(u.taste, 1)) FROM u", "x|a y|b z|NULL"),
            ("SELECT u.name, t.id FROM u LEFT JOIN t ON t.e MATCH u.taste AND t.k = 1", "x|a y|b z|NULL"),
            ("SELECT id FROM t((SELECT vec_sum(e) FROM t WHERE id IN ('a', 'b'))) ORDER BY distance LIMIT 1", "c"),
            ("SELECT id FROM t WHERE e MATCH '[1,0]' OR id = 'd' ORDER BY 1", "a b c d e"),
            ("SELECT id FROM t WHERE e MATCH '[1,0]' AND (id = 'c' OR id = 'b') ORDER BY distance", "c b"),
            ("SELECT a.id, b.id FROM t('[1,0]', 1) a, t(a.e, 2) b ORDER BY b.distance", "a|a a|e"),
            ("SELECT id FROM t WHERE rowid IN (SELECT rowid FROM t('[0,1]', 1))", "b"),
            ("WITH page AS (SELECT id FROM t('[1,0]') ORDER BY distance LIMIT 2) SELECT * FROM page", "a e"),
            ("SELECT id, row_number() OVER (ORDER BY distance, id) FROM t('[1,0.1]') LIMIT 2", "a|1 e|2"),
        ],
    );
}

#[test]
fn wrong_search_arguments_are_named() {
    let hosts = hosts(
        "CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2], metric = 'cosine');
         CREATE VIRTUAL TABLE h USING hnsw(e FLOAT16[2], f INT8[4]);",
    );
    check_errors(
        &hosts,
        &[
            ("SELECT * FROM t('[1,2,3]')", "t.e: expected 2 dimensions (8 bytes of FLOAT), got 3"),
            ("SELECT * FROM t(x'000000')", "t.e: expected 2 dimensions (8 bytes of FLOAT), got 3 bytes"),
            ("SELECT * FROM t(x'0000803f')", "t.e: expected 2 dimensions (8 bytes of FLOAT), got 1"),
            ("SELECT * FROM t(x'')", "t.e: expected 2 dimensions (8 bytes of FLOAT), got 0"),
            (
                "SELECT * FROM t('[1,')",
                "t.e: malformed JSON vector: expected a number at byte 3, found the end of the text",
            ),
            ("SELECT * FROM t(3)", "t.e: expected a vector (a BLOB, or JSON text), got INTEGER"),
            ("SELECT * FROM t(0.5)", "t.e: expected a vector (a BLOB, or JSON text), got REAL"),
            (
                "SELECT * FROM t('[0,0]')",
                "t.e: expected a vector with a direction, since the metric is cosine, got all zeros",
            ),
            ("SELECT * FROM t(x'0000c07f00000000')", "t.e: component 0: expected a finite number, got NaN"),
            ("SELECT * FROM t(x'000000000000807f')", "t.e: component 1: expected a finite number, got inf"),
            ("SELECT * FROM t('[1,2]', -1)", "t.k: expected a whole number from 0 on, got -1"),
            ("SELECT * FROM t('[1,2]', 1.5)", "t.k: expected a whole number from 0 on, got 1.5"),
            ("SELECT * FROM t('[1,2]', NULL)", "t.k: expected a whole number from 0 on, got NULL"),
            ("SELECT * FROM t('[1,2]', 1, 0)", "t.ef_search: expected 1 to 10000 or 'exact', got 0"),
            ("SELECT * FROM t('[1,2]', 1, 'exakt')", "t.ef_search: expected 1 to 10000 or 'exact', got 'exakt'"),
            (
                "SELECT * FROM h WHERE e MATCH x'0000'",
                "h.e: expected 2 dimensions (4 bytes of FLOAT16, or 8 bytes of FLOAT), got 2 bytes",
            ),
            (
                "SELECT * FROM h WHERE f MATCH x'0000'",
                "h.f: expected 4 dimensions (4 bytes of INT8, or 16 bytes of FLOAT), got 2 bytes",
            ),
        ],
    );
    check_lines(
        &hosts,
        &[
            ("SELECT count(*) FROM h WHERE e MATCH x'003c0000'", "0"),
            ("SELECT count(*) FROM h WHERE e MATCH x'0000803f00000000'", "0"),
            ("SELECT count(*) FROM h WHERE f MATCH x'01020304'", "0"),
        ],
    );
}

#[test]
fn every_element_returns_its_bytes_and_exact_distance() {
    let hosts = hosts(
        "CREATE VIRTUAL TABLE t USING hnsw(f FLOAT[2], h FLOAT16[2], i INT8[2], metric = 'l2');
         INSERT INTO t VALUES ('[1.5,-2]', '[1.5,-2]', '[100,-128]'),
           (vec_parse('[3,4]'), x'00420044', x'0304'), (NULL, NULL, NULL);",
    );
    check_lines(
        &hosts,
        &[
            (
                "SELECT quote(f), quote(h), quote(i) FROM t",
                "X'0000C03F000000C0'|X'003E00C0'|X'6480' \
              X'0000404000008040'|X'00420044'|X'0304' NULL|NULL|NULL",
            ),
            (
                "SELECT vec_json(vec_avg(f)), vec_json(vec_avg(h)), vec_json(vec_sum(i)) FROM t",
                "[2.25,1]|[2.25,1]|[103,-124]",
            ),
            ("SELECT vec_json(f), vec_json(h), vec_json(i) FROM t WHERE rowid = 1", "[1.5,-2]|[1.5,-2]|[100,-128]"),
            (
                "SELECT distance, quote(h) FROM t WHERE h MATCH '[0,0]' ORDER BY distance",
                "2.5|X'003E00C0' 5.0|X'00420044'",
            ),
            ("SELECT distance FROM t WHERE i MATCH '[0,0]' ORDER BY distance LIMIT 1", "5.0"),
            (
                "SELECT distance, quote(f), quote(i) FROM t WHERE f MATCH '[3,4]' LIMIT 1",
                "0.0|X'0000404000008040'|X'0304'",
            ),
            ("SELECT count(*) FROM t WHERE f MATCH '[3,4]'", "2"),
        ],
    );
}

/// All rows by exact distance and rowid, computed by SQL.
fn truth(host: &Host, filter: &str) -> Vec<String> {
    rows(host, &format!("SELECT id FROM t WHERE {filter} ORDER BY vec_l2(e, {QUERY}), id"))
}

#[test]
fn pages_tile_and_are_full() {
    for host in hosts("") {
        load(&host, 3);
        let mut numbers = Numbers::from_seed(5);
        for filter in [
            "true",
            "kind = 'b'",
            "kind = 'rare'",
            "n < 20",
            "n % 7 = 0",
            "lower(kind) = 'c'",
            "n > 100 AND kind <> 'a'",
        ] {
            let of = format!("FROM t WHERE e MATCH {QUERY} AND {filter} ORDER BY distance");
            let whole = rows(&host, &format!("SELECT id {of}"));
            let expected = truth(&host, filter);
            let mut distances =
                rows(&host, &format!("SELECT distance {of}")).into_iter().map(|d| d.parse::<f64>().unwrap());
            assert!(distances.by_ref().is_sorted(), "{filter}");
            let found = whole.iter().take(100).filter(|id| expected[..expected.len().min(100)].contains(id)).count();
            assert!(found * 100 >= expected.len().min(100) * 95, "{filter}: recall {found}");
            let mut offset = 0;
            while offset < 400 {
                let limit = 1 + numbers.below(70) as usize;
                let page = rows(&host, &format!("SELECT id {of} LIMIT {limit} OFFSET {offset}"));
                let end = (offset + limit).min(whole.len());
                assert_eq!(page, whole.get(offset..end).unwrap_or_default(), "{filter}: {limit} from {offset}");
                offset += limit;
            }
            let exact = format!(
                "SELECT id FROM t WHERE e MATCH {QUERY} AND ef_search = 'exact' AND {filter} ORDER BY distance"
            );
            assert_eq!(rows(&host, &exact), expected, "{filter}");
        }
    }
}

#[test]
fn a_full_read_returns_every_row_once() {
    for host in hosts("") {
        load(&host, 4);
        run(&host, "INSERT INTO t(n) VALUES (1), (2)");
        for filter in ["true", "kind = 'a'", "kind = 'rare'", "n < 20", "n < 500", "lower(kind) = 'a'"] {
            let found = rows(&host, &format!("SELECT id FROM t WHERE e MATCH {QUERY} AND {filter}"));
            let mut ids: Vec<i64> = found.iter().map(|id| id.parse().unwrap()).collect();
            ids.sort_unstable();
            let all = rows(&host, &format!("SELECT id FROM t WHERE {filter} AND e IS NOT NULL ORDER BY id"));
            assert_eq!(ids.iter().map(i64::to_string).collect::<Vec<_>>(), all, "{filter}");
        }
        let joined = format!("SELECT count(*) FROM t a JOIN t b ON b.id = a.id WHERE a.e MATCH {QUERY} AND b.n < 500");
        assert_eq!(line(&host, &joined), line(&host, "SELECT count(*) FROM t WHERE n < 500 AND e IS NOT NULL"));
        // A join that drops most rows leaves the page full.
        run(
            &host,
            "CREATE TABLE stock(id INTEGER PRIMARY KEY, qty INTEGER); INSERT INTO stock SELECT id, n < 50 FROM t",
        );
        let page = format!(
            "SELECT a.id FROM t a JOIN stock s USING (id) WHERE a.e MATCH {QUERY} AND s.qty > 0 ORDER BY a.distance LIMIT 50"
        );
        let expected: Vec<String> = truth(&host, "n < 50 AND e IS NOT NULL").into_iter().take(50).collect();
        let page = rows(&host, &page);
        assert_eq!(page.len(), 50);
        assert!(page.iter().filter(|id| expected.contains(id)).count() >= 47);
    }
}

#[test]
fn equal_vectors_are_ordered_by_rowid() {
    for host in hosts("CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[4])") {
        run(
            &host,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1500) \
                    INSERT INTO t(rowid, e) SELECT 5000 - i, '[1,2,3,4]' FROM n",
        );
        let ids: Vec<i64> = rows(&host, "SELECT rowid FROM t('[1,2,3,4.5]') ORDER BY distance")
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        assert_eq!(ids, (3500..5000).collect::<Vec<i64>>());
    }
}

#[test]
fn a_distance_of_zero_is_never_negative() {
    for host in hosts("") {
        for metric in ["cosine", "l2", "dot"] {
            for element in ["FLOAT", "FLOAT16", "INT8"] {
                run(&host, &format!("CREATE VIRTUAL TABLE z USING hnsw(e {element}[2], metric = '{metric}')"));
                run(&host, "INSERT INTO z VALUES ('[0,1]'), ('[0,-1]'), ('[1,0]'), ('[-1,0]'), ('[2,0]')");
                for search in ["z('[1,0]')", "z('[-1,0]')", "z('[0,3]')", "z('[1,0]', 10, 'exact')"] {
                    let sql = format!("SELECT distance FROM {search} ORDER BY distance, rowid");
                    assert!(!rows(&host, &sql).contains(&"-0.0".to_string()), "{metric} {element} {search}");
                    let zeros = format!("SELECT group_concat(rowid) FROM {search} WHERE distance = 0");
                    assert!(metric != "dot" || ["1,2", "3,4,5"].contains(&&*line(&host, &zeros)), "{element} {search}");
                }
                run(&host, "DROP TABLE z");
            }
        }
        let products = "SELECT vec_dot('[1,0]', '[0,1]'), vec_dot('[-1,0]', '[0,1]'), vec_dot('[0,-0]', '[1,1]'), vec_dot('[1e-40,0]', '[-1e-40,0]')";
        assert!(rows(&host, products)[0].starts_with("0.0|0.0|0.0|"), "{}", line(&host, products));
    }
}

/// Different keys may have the same root, and to SQL 0.0 and -0.0 are the same distance.
#[test]
fn rows_of_equal_distance_are_ordered_by_rowid() {
    for host in hosts("") {
        for (metric, element) in
            [("l2", "FLOAT"), ("dot", "FLOAT"), ("cosine", "FLOAT"), ("l2", "INT8"), ("dot", "INT8")]
        {
            let parse = if element == "INT8" { "vec_int8" } else { "vec_parse" };
            // More rows than a search ranks exactly by itself.
            run(
                &host,
                &format!(
                    "DROP TABLE IF EXISTS t;
                     CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER INDEXED, e {element}[2], metric = '{metric}');
                     WITH RECURSIVE i(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM i WHERE i < 1500)
                     INSERT INTO t SELECT i, i % 3, {parse}('[' || (i * 7 % 41 - 20) || ',' || (i * 11 % 37 + 1) || ']') FROM i;"
                ),
            );
            for query in ["[-16595000938725376,130647124118339580]", "[1e8,-1e8]", "[0,5]"] {
                for filter in ["true", "n = 1", "n + 0 = 1", "id > 1200"] {
                    for ef in if filter == "true" { &["64", "'exact'"][..] } else { &["64"][..] } {
                        check_ties(&host, &format!("e MATCH '{query}' AND {filter} AND ef_search = {ef}"), metric);
                    }
                }
            }
        }
    }
}

/// Checks whole pages, and the same rows read by keyset paging.
fn check_ties(host: &Host, search: &str, metric: &str) {
    let select = "SELECT id, printf('%!.17g', distance) FROM t WHERE";
    let all = rows(host, &format!("{select} {search} ORDER BY distance"));
    let sorted = rows(
        host,
        &format!(
            "SELECT id, printf('%!.17g', d) FROM (SELECT id, distance AS d FROM t WHERE {search} ORDER BY distance LIMIT -1) ORDER BY +d, id"
        ),
    );
    assert_eq!(all, sorted, "{metric}, SQLite {}: {search}", host.version());
    assert!(all.len() >= 200, "{metric}, {search}: {} rows", all.len());
    let mut paged = rows(host, &format!("{select} {search} ORDER BY distance, rowid LIMIT 50"));
    while paged.len() < 200 {
        let last = paged.last().unwrap().split('|').next().unwrap().to_string();
        let after = format!("(SELECT distance FROM t WHERE {search} AND id = {last}), {last}");
        let page = rows(
            host,
            &format!("{select} {search} AND (distance, rowid) > ({after}) ORDER BY distance, rowid LIMIT 50"),
        );
        assert_eq!(page.len(), 50, "{metric}, {search}");
        paged.extend(page);
    }
    assert_eq!(paged, all[..200], "{metric}, SQLite {}: {search}", host.version());
}
