//! The group limit: at most so many rows with one value of a column, counted along the sequence that a search gives without
//! one.

use rusqlite::Connection;
use vecrank_tests::open_file;

use crate::{Numbers, check_errors, check_lines, hosts, line, rows, run};

const QUERY: &str = "'[1,0.5,-0.25,0.1]'";
const COLUMNS: [&str; 6] = ["brand", "spaced", "n", "r", "x", "id"];

/// More rows than are ranked exactly of their own accord, with values that are equal under some collation or affinity
/// only, and many NULLs.
fn table(count: u64) -> String {
    let mut numbers = Numbers::from_seed(17);
    let mut row = |id| {
        let brand = numbers.pick(&["'Acme'", "'ACME'", "'acme'", "'Bolt'", "'bolt '", "'ä'", "'Ä'", "''", "NULL"]);
        let spaced = numbers.pick(&["'a'", "'a '", "'a   '", "' a'", "'b'", "'A'", "NULL"]);
        let n = numbers.pick(&["1", "1.0", "'1'", "2", "'x'", "x'31'", "NULL", "9007199254740993", "9007199254740992"]);
        let x = numbers.pick(&["1", "1.0", "'1'", "x'31'", "'a'", "x'61'", "0.5", "NULL", "-0.0", "0"]);
        format!("({id},{brand},{spaced},{n},{n},{x},'{}')", numbers.vector(4))
    };
    let rows: Vec<String> = (1..=count).map(&mut row).collect();
    format!(
        "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, brand TEXT COLLATE NOCASE INDEXED, spaced TEXT COLLATE RTRIM,
           n NUMERIC, r REAL, x, e FLOAT[4]);
         CREATE INDEX by_n ON t_rows(n, e);
         INSERT INTO t VALUES {}",
        rows.join(",")
    )
}

/// The ids that come of the sequence without a group limit, counted by a window function.
fn counted(filter: &str, column: &str, limit: usize) -> String {
    format!(
        "WITH feed AS MATERIALIZED (SELECT id, {column} AS value, row_number() OVER () AS place
           FROM (SELECT id, {column} FROM t WHERE e MATCH {QUERY} AND {filter} ORDER BY distance))
         SELECT id FROM (SELECT *, row_number() OVER (PARTITION BY value ORDER BY place) AS nth FROM feed)
         WHERE nth <= {limit} OR value IS NULL ORDER BY place"
    )
}

fn grouped(filter: &str, column: &str, limit: usize) -> String {
    format!("FROM t WHERE e MATCH {QUERY} AND {filter} AND group_by = '{column}' AND group_limit = {limit}")
}

/// None, ranked, steered or walked to, walked, walked and then ranked, and the exact search.
const FILTERS: [&str; 8] =
    ["true", "id < 400", "brand = 'acme'", "brand >= ''", "n = 1", "x IS NOT 0.5", "r > 1", "ef_search = 'exact'"];

#[test]
fn rows_of_a_group_are_counted_along_the_sequence() {
    for host in hosts(&table(4_000)) {
        for (column, filter) in COLUMNS.into_iter().flat_map(|column| FILTERS.map(|filter| (column, filter))) {
            for limit in [1, 2, 40] {
                let expected = rows(&host, &counted(filter, column, limit));
                let grouped = grouped(filter, column, limit);
                let place = format!("SQLite {}: {grouped}", host.version());
                assert_eq!(rows(&host, &format!("SELECT id {grouped} ORDER BY distance")), expected, "{place}");
                assert_eq!(rows(&host, &format!("SELECT id {grouped}")), expected, "{place}");
                assert_eq!(line(&host, &format!("SELECT count(*) {grouped}")), expected.len().to_string(), "{place}");
                let sorted = format!("SELECT id {grouped} ORDER BY id DESC LIMIT 3");
                let mut ids: Vec<i64> = expected.iter().map(|id| id.parse().unwrap()).collect();
                ids.sort_unstable_by(|a, b| b.cmp(a));
                ids.truncate(3);
                assert_eq!(rows(&host, &sorted), ids.iter().map(i64::to_string).collect::<Vec<_>>(), "{place}");
            }
        }
    }
}

/// A term that SQLite tests itself comes after the count, and leaves fewer rows of a group.
#[test]
fn what_sqlite_tests_itself_comes_after_the_count() {
    for host in hosts(&table(4_000)) {
        let all = rows(&host, &counted("true", "brand", 3));
        let odd: Vec<&String> = all.iter().filter(|id| id.parse::<i64>().unwrap() % 2 == 1).collect();
        let sql = format!("SELECT id {} AND id % 2 = 1 ORDER BY distance", grouped("true", "brand", 3));
        assert_eq!(rows(&host, &sql).iter().collect::<Vec<_>>(), odd, "SQLite {}", host.version());
        // Below SQLite 3.51 a term that may be of a later join is tested by SQLite, and counted by.
        for term in ["x <> 0.5", "brand LIKE 'a%'", "n IS NOT 1", "x IS NOT NULL"] {
            let sql = format!("SELECT id {} ORDER BY distance", grouped(term, "brand", 2));
            assert_eq!(rows(&host, &sql), rows(&host, &counted(term, "brand", 2)), "SQLite {}: {sql}", host.version());
        }
    }
}

#[test]
fn pages_by_keys_tile_whatever_their_bound() {
    for host in hosts(&table(4_000)) {
        for (column, limit) in [("brand", 2), ("n", 5), ("x", 1)] {
            let all = rows(&host, &counted("true", column, limit));
            for (after, order) in [
                ("(distance, rowid) > (%d, %i)", "distance, rowid"),
                ("(distance > %d OR (distance = %d AND rowid > %i))", "distance"),
                ("(similarity < %s OR (similarity = %s AND rowid > %i))", "similarity DESC, rowid"),
            ] {
                let (mut got, mut bound) = (Vec::new(), "true".to_string());
                loop {
                    let sql = format!(
                        "SELECT id, distance, similarity {} AND {bound} ORDER BY {order} LIMIT 7",
                        grouped("true", column, limit)
                    );
                    let page = host.query_literals(&sql).unwrap();
                    let Some([id, distance, similarity]) = page.last().map(Vec::as_slice) else { break };
                    bound = after.replace("%d", distance).replace("%s", similarity).replace("%i", id);
                    got.extend(page.iter().map(|row| row[0].clone()));
                }
                assert_eq!(got, all, "SQLite {}: {column} {after}", host.version());
            }
            // A bound leaves out what came before it, and no count begins there.
            let sql = format!("SELECT id {} AND distance > 0.4 ORDER BY distance", grouped("true", column, limit));
            let near = format!("SELECT id {} AND distance <= 0.4 ORDER BY distance", grouped("true", column, limit));
            assert_eq!([rows(&host, &near), rows(&host, &sql)].concat(), all, "SQLite {}: {sql}", host.version());
        }
    }
}

#[test]
fn k_counts_after_the_groups_and_each_outer_row_counts_anew() {
    let sql = "CREATE VIRTUAL TABLE g USING hnsw(id INTEGER PRIMARY KEY, b TEXT, e FLOAT[1], metric = 'l2');
        INSERT INTO g VALUES (1, 'a', '[1]'), (2, 'a', '[2]'), (3, 'a', '[3]'), (4, 'b', '[4]'), (5, NULL, '[5]'), (6, NULL, '[6]'),
          (7, 'b', '[7]'), (8, 'c', '[8]');
        CREATE TABLE u(id INTEGER PRIMARY KEY, taste TEXT, wish TEXT, most INTEGER);
        INSERT INTO u VALUES (1, '[0]', 'b', 1), (2, '[9]', 'b', 1), (3, '[9]', 'id', 1), (4, NULL, 'b', 2), (5, '[0]', 'B', 2)";
    check_lines(
        &hosts(sql),
        &[
            ("SELECT id FROM g WHERE e MATCH '[0]' AND group_by = 'b' ORDER BY distance", "1 4 5 6 8"),
            ("SELECT id FROM g WHERE e MATCH '[0]' AND group_by = 'B' AND group_limit = 2.0 ORDER BY distance", "1 2 4 5 6 7 8"),
            ("SELECT id FROM g('[0]', 3) WHERE group_by = 'b' ORDER BY distance", "1 4 5"),
            ("SELECT id FROM g('[0]', 3, 'exact') WHERE group_by = 'b' AND group_limit = '2' ORDER BY distance", "1 2 4"),
            ("SELECT id FROM g('[0]', 3) WHERE group_by = 'b' AND distance > 1 ORDER BY distance", "4 5 6"),
            ("SELECT id FROM g('[0]') WHERE group_by = 'b' AND distance > 1 ORDER BY distance", "4 5 6 8"),
            ("SELECT id FROM g('[0]') WHERE group_by = 'b' AND id > 1 ORDER BY distance", "2 4 5 6 8"),
            ("SELECT id FROM g('[0]') WHERE group_by = 'b' ORDER BY distance LIMIT 2 OFFSET 1", "4 5"),
            ("SELECT id FROM g('[0]') WHERE group_by = 'b' AND group_limit = 9223372036854775807 AND k = 4", "1 2 3 4"),
            (
                "SELECT u.id, group_concat(g.id, '') FROM u JOIN g ON g.e MATCH u.taste AND g.group_by = u.wish AND g.group_limit = u.most
                 GROUP BY u.id ORDER BY u.id",
                "1|14568 2|87653 3|87654321 5|1245678",
            ),
            (
                "SELECT u.id, count(g.id) FROM u LEFT JOIN g ON g.e MATCH u.taste AND g.group_by = 'b' AND g.k = 2 GROUP BY u.id
                 ORDER BY u.id",
                "1|2 2|2 3|2 4|0 5|2",
            ),
            ("SELECT id, group_by, group_limit FROM g('[0]', 1) WHERE group_by = 'b' AND group_limit = 3", "1|b|3"),
            ("SELECT id, group_by, group_limit, similarity FROM g WHERE id = 1", "1|NULL|NULL|NULL"),
            ("SELECT id FROM g('[0]') WHERE group_by = 'b' AND group_by = 'e'", ""),
        ],
    );
}

#[test]
fn arguments_that_mean_nothing_are_errors() {
    let sql = "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, b TEXT, e FLOAT[1], \"f f\" FLOAT[1], metric = 'l2');
        INSERT INTO t VALUES (1, 'a', '[1]', '[1]')";
    const COLUMN: &str = "t.group_by: expected the name of an ordinary column, got ";
    const LIST: &str = "; PRAGMA table_info lists the columns";
    let hosts = hosts(sql);
    for (value, got) in [
        ("'brand'", "'brand'"),
        ("'rowid'", "'rowid'"),
        ("'distance'", "'distance'"),
        ("'\"b\"'", "'\"b\"'"),
        ("''", "''"),
        ("'e'", "the vector column 'e'"),
        ("'F f'", "the vector column 'F f'"),
        ("NULL", "NULL"),
        ("1", "1"),
        ("x'62'", "BLOB"),
        ("(SELECT NULL)", "NULL"),
    ] {
        let sql = format!("SELECT id FROM t WHERE e MATCH '[1]' AND group_by = {value} AND b = 'nobody'");
        check_errors(&hosts, &[(&sql, &format!("{COLUMN}{got}{LIST}"))]);
    }
    for (value, got) in [
        ("0", "0"),
        ("-1", "-1"),
        ("1.5", "1.5"),
        ("'x'", "'x'"),
        ("NULL", "NULL"),
        ("x'0100000000000000'", "BLOB (a numpy integer? use int())"),
        (
            "9e99",
            "1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        ),
    ] {
        let sql = format!("SELECT id FROM t WHERE e MATCH NULL AND group_by = 'b' AND group_limit = {value}");
        let got = if value == "9e99" { got.replacen('1', "9", 1) } else { got.to_string() };
        check_errors(&hosts, &[(&sql, &format!("t.group_limit: expected a whole number from 1 on, got {got}"))]);
    }
    let write = |name: &str| format!("t.{name}: an argument of the search: write \"{name} = ?\"");
    let no_query = |name: &str| {
        format!(
            "t.{name}: an argument of a search, and there is no query vector: write \"WHERE e MATCH ? AND {name} = ?\" or \
             \"FROM t(?) WHERE {name} = ?\""
        )
    };
    let joined = |name: &str| format!("{} as a term of WHERE, joined to the others by AND", write(name));
    const NO_GROUP: &str = "t.group_limit: the most rows per group, and there is no group_by: write \"AND group_by = 'COLUMN' \
                            AND group_limit = ?\"";
    for operator in ["<", "<=", ">", ">=", "<>", "IS", "IS NOT", "LIKE", "GLOB"] {
        let sql = format!("SELECT id FROM t WHERE e MATCH '[1]' AND group_by {operator} 'b'");
        check_errors(&hosts, &[(&sql, &write("group_by"))]);
        let sql = format!("SELECT id FROM t WHERE e MATCH '[1]' AND group_by = 'b' AND group_limit {operator} 2");
        check_errors(&hosts, &[(&sql, &write("group_limit"))]);
    }
    for (filter, expected) in [
        ("group_by IN ('b', 'id')", write("group_by")),
        ("(group_by = 'b' OR group_by = 'id')", write("group_by")),
        ("group_by IS NULL", write("group_by")),
        ("NOT (group_by = 'b')", joined("group_by")),
        ("group_by = 'b' AND group_limit IN (1, 2)", write("group_limit")),
        ("group_by = 'b' AND group_limit BETWEEN 1 AND 2", write("group_limit")),
        ("group_by = 'b' AND group_limit IS NOT NULL", write("group_limit")),
        ("group_limit = 2", NO_GROUP.to_string()),
        ("(group_by = 'b' OR id + 0 = 2)", joined("group_by")),
        ("group_by = 'b' AND (group_limit = 2 OR id + 0 = 2)", joined("group_limit")),
        ("coalesce(group_by, 'b') = 'b'", joined("group_by")),
    ] {
        check_errors(&hosts, &[(&format!("SELECT id FROM t WHERE e MATCH '[1]' AND {filter}"), &expected)]);
    }
    // Some versions of SQLite plan each side of such an OR by itself, others test it.
    for (filter, expected) in [
        ("(group_by = 'b' OR id = 1)", [joined("group_by"), no_query("group_by")]),
        ("group_by = 'b' AND (group_limit = 1 OR b = 'a')", [joined("group_limit"), NO_GROUP.to_string()]),
    ] {
        for host in &hosts {
            let error = host.query(&format!("SELECT id FROM t WHERE e MATCH '[1]' AND {filter}")).unwrap_err();
            assert!(expected.contains(&error.message), "SQLite {}: {filter}: {}", host.version(), error.message);
        }
    }
    for (sql, expected) in [
        ("SELECT id FROM t WHERE group_by = 'b'", no_query("group_by")),
        ("SELECT id FROM t WHERE group_limit = 2", NO_GROUP.to_string()),
        (
            "SELECT id FROM t WHERE group_by MATCH 'b'",
            "t.group_by: MATCH is for vector columns: write \"WHERE e MATCH ?\"".into(),
        ),
        ("INSERT INTO t(id, group_by) VALUES (2, 'b')", "t.group_by: a column that cannot be written".into()),
        (
            "INSERT INTO t(t, group_limit) VALUES ('optimize', 2)",
            "t: the command 'optimize' takes no value beside it".into(),
        ),
    ] {
        check_errors(&hosts, &[(sql, &expected)]);
    }
}

#[test]
fn plans_show_the_group_limit() {
    for host in hosts(&table(3)) {
        let plan = |sql: &str| line(&host, &format!("EXPLAIN QUERY PLAN {sql}")).split_once(':').unwrap().1.to_string();
        let sql = "SELECT id FROM t WHERE e MATCH ? AND group_by = ?";
        assert_eq!(plan(sql), "knn e cosine group_by");
        let sql = "SELECT id FROM t(?) WHERE k = 3 AND group_by = ? AND group_limit = ? AND similarity >= ? ORDER BY similarity DESC";
        assert_eq!(plan(sql), "knn e cosine k group_by group_limit, similarity>=?");
        // Below SQLite 3.51 such a term may be of a later join.
        let sql = "SELECT id FROM t(?) WHERE group_by = ? AND x <> 5 ORDER BY distance";
        let counted =
            if host.version() >= 3_051_000 { ", filter x<>?: walked or scanned" } else { ", group limit counts x<>?" };
        assert_eq!(plan(sql), format!("knn e cosine group_by{counted}"));
        let sql = "SELECT t.id FROM t(?) t JOIN t_rows o ON o.brand = t.brand WHERE t.group_by = ? ORDER BY t.distance";
        assert!(plan(sql).starts_with("knn e cosine group_by, group limit before brand=?"), "{}", plan(sql));
    }
}

fn ids(connection: &Connection, rest: &str) -> Vec<i64> {
    let sql = format!("SELECT id FROM t WHERE e MATCH {QUERY} AND {rest}");
    let mut statement = connection.prepare(&sql).unwrap();
    let ids = statement.query_map([], |row| row.get(0)).unwrap();
    ids.collect::<rusqlite::Result<_>>().unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Searches at rest are told apart by the group limit, and go on with their counts.
#[test]
fn pages_on_one_connection_are_those_of_fresh_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.db");
    let connection = open_file(&path);
    connection.execute_batch(&table(4_000)).unwrap();
    let groups = ["true", "group_by = 'brand'", "group_by = 'n'", "group_by = 'brand' AND group_limit = 30"];
    let mut numbers = Numbers::from_seed(3);
    for _ in 0..150 {
        let (group, filter) = (numbers.pick(&groups), numbers.pick(&FILTERS));
        let (limit, offset) = (numbers.below(40), numbers.below(120));
        let order = numbers.pick(&["distance", "similarity DESC"]);
        let page = format!("{filter} AND {group} ORDER BY {order} LIMIT {limit} OFFSET {offset}");
        assert_eq!(ids(&connection, &page), ids(&open_file(&path), &page), "{page}");
    }
    connection.execute_batch("UPDATE t SET brand = 'one' WHERE brand IS NOT NULL").unwrap();
    let rest = "group_by = 'brand' AND distance < 0.2 ORDER BY distance";
    let ones = |connection: &Connection| -> Vec<i64> {
        let of_ones = |id: &i64| connection.query_row("SELECT brand FROM t WHERE id = ?1", [id], |row| row.get(0));
        let brands = ids(connection, rest).iter().map(of_ones).collect::<rusqlite::Result<Vec<Option<String>>>>();
        brands.unwrap().iter().map(|brand| i64::from(brand.is_some())).collect()
    };
    assert_eq!(ones(&connection).iter().sum::<i64>(), 1, "what is written between two pages counts");
}

/// A collation of the host's own, and one of SQLite's that the host replaced.
#[test]
fn a_hosts_collation_makes_the_groups() {
    let connection = vecrank_tests::open();
    let folded = |text: &str| text.to_lowercase().replace(['é', 'è'], "e");
    connection.create_collation("folded", move |a, b| folded(a).cmp(&folded(b))).unwrap();
    connection.create_collation("nocase", move |a, b| folded(a).cmp(&folded(b))).unwrap();
    let texts = ["Été", "ete", "ÉTÉ", "hiver", "Hiver", "ete ", "été", "x", "X", "hiver"];
    for collation in ["folded", "NOCASE"] {
        let sql = format!(
            "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, b TEXT COLLATE {collation}, e FLOAT[1], metric = 'l2')"
        );
        connection.execute_batch(&sql).unwrap();
        for (id, text) in (1..).zip(texts) {
            connection.execute("INSERT INTO t VALUES (?1, ?2, '[' || ?1 || ']')", (id, text)).unwrap();
        }
        let ids = |limit: i64| -> Vec<i64> {
            let sql = "SELECT id FROM t WHERE e MATCH '[0]' AND group_by = 'b' AND group_limit = ?1 ORDER BY distance";
            let mut statement = connection.prepare(sql).unwrap();
            statement.query_map([limit], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
        };
        assert_eq!((ids(1), ids(2)), (vec![1, 4, 6, 8], vec![1, 2, 4, 5, 6, 8, 9]), "{collation}");
        connection.execute_batch("DROP TABLE t").unwrap();
    }
    // A host that does not have it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.db");
    let writer = open_file(&path);
    writer.create_collation("mine", |a, b| a.cmp(b)).unwrap();
    let sql = "CREATE VIRTUAL TABLE t USING hnsw(b TEXT COLLATE mine, e FLOAT[1]); INSERT INTO t VALUES ('a', '[1]'), ('b', '[2]')";
    writer.execute_batch(sql).unwrap();
    let error =
        open_file(&path).query_row("SELECT b FROM t('[1]') WHERE group_by = 'b' LIMIT 1 OFFSET 1", [], |_| Ok(()));
    assert_eq!(error.unwrap_err().to_string(), "no such collation sequence: mine");
}

/// Rows may change, move between groups and go while the search goes on.
#[test]
fn rows_may_change_under_a_search() {
    let connection = vecrank_tests::open();
    connection.execute_batch(&table(4_000)).unwrap();
    let sql = format!("SELECT id, brand FROM t WHERE e MATCH {QUERY} AND group_by = 'id' ORDER BY distance");
    let mut statement = connection.prepare(&sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut ids = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        ids.push(row.get::<_, i64>(0).unwrap());
        match ids.len() {
            5 => connection.execute_batch("UPDATE t SET brand = 'moved' WHERE id % 2 = 0").unwrap(),
            10 => connection.execute_batch("DELETE FROM t WHERE id % 3 = 0").unwrap(),
            15 => connection.execute_batch("INSERT INTO t(t) VALUES ('rebuild')").unwrap(),
            _ => {}
        }
    }
    let count = ids.len();
    assert!(ids[20..].iter().all(|id| id % 3 != 0));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "a row came twice");
    assert!(count > 2_600, "{count} rows");
}

/// A row that plain SQL deleted is damage with a group limit too, not a row of no group.
#[test]
fn a_row_that_is_gone_is_damage() {
    for host in hosts(&table(40)) {
        let first = line(&host, &format!("SELECT id FROM t({QUERY}) ORDER BY distance LIMIT 1"));
        run(&host, &format!("DELETE FROM t_rows WHERE id = {first}"));
        for columns in ["id", "brand", "1", "count(*)"] {
            let error = host.query(&format!("SELECT {columns} FROM t({QUERY}) WHERE group_by = 'brand'")).unwrap_err();
            assert!(error.message.contains(&format!("row {first} of node")), "{columns}: {}", error.message);
        }
    }
}

/// A page of few groups asks for no more than it must, and one that wants more rows than the groups have reads no table to
/// its end.
#[test]
fn a_search_ends_when_all_groups_are_full() {
    for host in hosts(&table(4_000)) {
        run(&host, "INSERT INTO t(t, k) VALUES ('node_cache', 0)");
        let pages = |sql: &str| host.pages_asked(|| run(&host, sql));
        let whole = pages(&format!("SELECT id FROM t WHERE e MATCH {QUERY} AND k = 4000 ORDER BY distance"));
        for (filter, column, limit) in [("true", "id", 1), ("brand >= ''", "brand", 2), ("n = 1", "n", 20)] {
            let grouped = grouped(filter, column, limit);
            let page = pages(&format!("SELECT id {grouped} ORDER BY distance LIMIT 10"));
            assert!(page * 4 < whole, "SQLite {}: {grouped}: {page} of {whole}", host.version());
        }
        let grouped = grouped("brand >= ''", "brand", 2);
        let all = pages(&format!("SELECT id {grouped} ORDER BY distance LIMIT 1000"));
        assert!(all * 2 < whole, "SQLite {}: {all} of {whole}", host.version());
    }
}
