//! The text of EXPLAIN QUERY PLAN.

use crate::{check_errors, hosts, rows};
use vecrank_tests::Host;

const TABLES: &str = "
    CREATE VIRTUAL TABLE articles USING hnsw(
      id INTEGER PRIMARY KEY, code TEXT UNIQUE, category TEXT COLLATE NOCASE INDEXED, price REAL, \"odd name\" TEXT,
      embedding FLOAT[2]);
    CREATE VIRTUAL TABLE pairs USING hnsw(name TEXT, image FLOAT[2], text INT8[2], metric = 'l2');
    CREATE TABLE stock(code TEXT PRIMARY KEY, qty INTEGER);
    CREATE TABLE users(id INTEGER PRIMARY KEY, taste BLOB);";

/// The lines of a plan. Those of virtual tables are without the number.
fn plan(host: &Host, sql: &str) -> String {
    let lines = host.query(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let details = lines.into_iter().map(|mut line| line.pop().flatten().unwrap_or_default());
    let text = |detail: String| match detail.split_once("VIRTUAL TABLE INDEX ") {
        Some((_, plan)) => plan.split_once(':').map_or(String::new(), |(_, text)| text.to_string()),
        None => detail,
    };
    details.map(text).collect::<Vec<_>>().join(" / ")
}

#[track_caller]
fn check(host: &Host, cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(plan(host, sql), *expected, "SQLite {}: {sql}", host.version());
    }
}

#[test]
fn the_plan_text_of_searches() {
    for host in hosts(TABLES) {
        check(
            &host,
            &[
                ("SELECT id FROM articles WHERE embedding MATCH ? ORDER BY distance", "knn embedding cosine"),
                ("SELECT id FROM articles WHERE embedding MATCH ? ORDER BY distance, rowid", "knn embedding cosine"),
                ("SELECT id FROM articles WHERE embedding MATCH ? ORDER BY distance, id, code", "knn embedding cosine"),
                ("SELECT id FROM articles WHERE embedding MATCH ?", "knn embedding cosine, complete"),
                ("SELECT count(*) FROM articles WHERE embedding MATCH ?", "knn embedding cosine, complete"),
                ("SELECT id FROM articles(?) ORDER BY distance", "knn embedding cosine"),
                ("SELECT id FROM articles(?, 5)", "knn embedding cosine k, complete"),
                ("SELECT id FROM articles(?, 5, 'exact') ORDER BY distance", "knn embedding cosine k ef_search"),
                (
                    "SELECT id FROM articles WHERE embedding MATCH ? AND ef_search = 100 ORDER BY distance",
                    "knn embedding cosine ef_search",
                ),
                (
                    "SELECT id FROM articles WHERE embedding MATCH ? AND distance < ? ORDER BY distance",
                    "knn embedding cosine, distance<?",
                ),
                (
                    "SELECT id FROM articles WHERE embedding MATCH ? AND category = ? AND price > ? ORDER BY distance",
                    "knn embedding cosine, filter category=? price>?, by index articles_rows_category: exact, steered or \
                     walked",
                ),
                (
                    "SELECT id FROM articles WHERE embedding MATCH ? AND category = ? ORDER BY distance",
                    "knn embedding cosine, filter category=?, by covering index articles_rows_category: exact, steered \
                     or walked",
                ),
                (
                    "SELECT id FROM articles WHERE embedding MATCH ? AND price > ? ORDER BY distance",
                    "knn embedding cosine, filter price>?: walked or scanned",
                ),
                (
                    "SELECT id FROM articles WHERE embedding MATCH ? AND distance >= ? AND distance < ? ORDER BY distance",
                    "knn embedding cosine, distance>=?, distance<?",
                ),
                (
                    "SELECT id FROM articles WHERE embedding MATCH ? AND (distance, rowid) > (?, ?) ORDER BY distance",
                    "knn embedding cosine, distance>=?",
                ),
                (
                    "SELECT id FROM articles WHERE embedding MATCH ? \
                     AND (distance > ?2 OR (distance = ?2 AND rowid > ?3)) ORDER BY distance, rowid",
                    "knn embedding cosine, distance>=?",
                ),
                ("SELECT name FROM pairs WHERE text MATCH ? ORDER BY distance", "knn text l2"),
            ],
        );
        if host.version() >= 3_051_000 {
            check(
                &host,
                &[
                    (
                        "SELECT id FROM articles WHERE embedding MATCH ? AND \"odd name\" IS NOT ? AND id IN (1, 2) \
                     AND category = 'x' COLLATE BINARY ORDER BY distance",
                        "knn embedding cosine, filter id IN (?) category=? \"odd name\" IS NOT ?, by rowid: \
                     exact, steered or walked",
                    ),
                    (
                        "SELECT name FROM pairs WHERE image MATCH ? AND text IS NOT NULL ORDER BY distance",
                        "knn image l2, filter text IS NOT NULL: walked or scanned",
                    ),
                ],
            );
        }
        // Below 3.51 such a term may belong to a later join, unless a LIMIT shows that there is none. With a k, k
        // counts by it.
        let (alone, with_k) = match host.version() {
            3_051_000.. => (", filter code LIKE ?: walked or scanned", " k, filter code LIKE ?: walked or scanned"),
            _ => ("", " k, k counts code LIKE ?"),
        };
        // SQLite makes a range of the prefix, by adding one to its last byte or character: the range is never a filter.
        for prefix in ["a", "é", "ÿ", "п", "qп", "\u{ffff}", "\u{10ffff}"] {
            let sql =
                format!("SELECT id FROM articles WHERE embedding MATCH ? AND code LIKE '{prefix}%' ORDER BY distance");
            assert_eq!(
                plan(&host, &sql),
                format!("knn embedding cosine{alone}"),
                "SQLite {}: {prefix}",
                host.version()
            );
        }
        let sql = "SELECT id FROM articles(?, 5) WHERE code LIKE 'a%' ORDER BY distance";
        assert_eq!(plan(&host, sql), format!("knn embedding cosine{with_k}"));
    }
}

#[test]
fn sqlite_sorts_other_orders_over_all_rows() {
    for host in hosts(TABLES) {
        check(
            &host,
            &["price", "distance DESC", "distance, price", "distance, rowid DESC", "price, distance"].map(|order| {
                let sql = format!("SELECT id FROM articles WHERE embedding MATCH ? ORDER BY {order}");
                let sql: &'static str = sql.leak();
                (sql, "knn embedding cosine, complete / USE TEMP B-TREE FOR ORDER BY")
            }),
        );
        let grouped = plan(&host, "SELECT DISTINCT distance FROM articles WHERE embedding MATCH ?");
        assert!(grouped.starts_with("knn embedding cosine, complete"), "{grouped}");
    }
}

#[test]
fn limit_and_offset_are_only_hints() {
    for host in hosts(TABLES) {
        // Before 3.41 SQLite does not offer the LIMIT of such queries.
        let hint = if host.version() >= 3_041_000 { ", limit offset" } else { "" };
        let sql = "SELECT id FROM articles WHERE embedding MATCH ? ORDER BY distance LIMIT 2 OFFSET 3";
        assert_eq!(plan(&host, sql), format!("knn embedding cosine{hint}"));
        let sql = "SELECT id FROM articles WHERE embedding MATCH ? ORDER BY price LIMIT 2 OFFSET 3";
        assert_eq!(plan(&host, sql), "knn embedding cosine, complete / USE TEMP B-TREE FOR ORDER BY");
        let sql = "SELECT id FROM articles WHERE embedding MATCH ? AND lower(code) = 'x' ORDER BY distance LIMIT 2";
        assert_eq!(plan(&host, sql), "knn embedding cosine");
    }
}

#[test]
fn the_plan_text_of_scans_and_lookups() {
    for host in hosts(TABLES) {
        check(
            &host,
            &[
                ("SELECT * FROM articles", "scan"),
                ("SELECT count(*) FROM articles", "scan"),
                ("SELECT * FROM articles WHERE rowid = ?", "rowid lookup, filter rowid=?"),
                ("SELECT * FROM articles WHERE id = ?", "rowid lookup, filter id=?"),
                ("SELECT * FROM articles WHERE code = ?", "key lookup, filter code=?"),
                ("SELECT * FROM articles WHERE category = ?", "index lookup, filter category=?"),
                ("SELECT * FROM articles WHERE price = ?", "scan, filter price=?"),
                ("SELECT * FROM articles WHERE code = 'a' COLLATE NOCASE", "scan, filter code COLLATE \"NOCASE\"=?"),
                ("SELECT * FROM articles ORDER BY rowid DESC", "scan, order rowid desc"),
                ("SELECT * FROM articles ORDER BY id", "scan, order id"),
                ("SELECT * FROM articles ORDER BY category DESC", "scan, order category desc"),
                ("SELECT * FROM articles ORDER BY price", "scan / USE TEMP B-TREE FOR ORDER BY"),
                ("SELECT name FROM pairs WHERE image IS NULL", "scan, filter image IS NULL"),
            ],
        );
    }
}

#[test]
fn the_plan_text_of_joins() {
    for host in hosts(TABLES) {
        let sql = "SELECT a.id FROM articles a JOIN stock s USING (code) \
                   WHERE a.embedding MATCH ? AND s.qty > 0 ORDER BY a.distance LIMIT 20";
        let search = plan(&host, sql);
        assert_eq!(search, "knn embedding cosine / SEARCH s USING INDEX sqlite_autoindex_stock_1 (code=?)");
        let sql = "SELECT u.id, a.id FROM articles(u.taste, 10) a, users u";
        let correlated = plan(&host, sql);
        assert!(correlated.ends_with(" / knn embedding cosine k, complete"), "{correlated}");
    }
}

#[test]
fn impossible_searches_are_errors() {
    const NO_QUERY: &str = "articles.k: an argument of a search, and there is no query vector: write \"WHERE embedding MATCH ? \
                            AND k = ?\" or \"FROM articles(?, ...)\"";
    let hosts = hosts(&format!("{TABLES} INSERT INTO articles(embedding) VALUES ('[1,2]')"));
    check_errors(
        &hosts,
        &[
            (
                "SELECT id FROM articles WHERE code MATCH 'x'",
                "articles.code: MATCH is for vector columns: write \"WHERE embedding MATCH ?\"",
            ),
            (
                "SELECT id FROM articles WHERE articles MATCH 'x'",
                "articles.articles: MATCH is for vector columns: write \"WHERE embedding MATCH ?\"",
            ),
            (
                "SELECT id FROM articles WHERE distance MATCH 'x'",
                "articles.distance: MATCH is for vector columns: write \"WHERE embedding MATCH ?\"",
            ),
            (
                "SELECT id FROM articles WHERE embedding MATCH ?1 AND embedding MATCH ?2",
                "articles: expected one query vector, got two",
            ),
            ("SELECT id FROM articles(?1) WHERE embedding MATCH ?2", "articles: expected one query vector, got two"),
            (
                "SELECT name FROM pairs(?)",
                "table \"pairs\" has two vector columns: write \"WHERE image MATCH ?\" instead of pairs(?)",
            ),
            ("SELECT id FROM articles WHERE k = 3", NO_QUERY),
            ("SELECT a.id FROM articles a, pairs p WHERE a.k = p.rowid", NO_QUERY),
            (
                "SELECT id FROM articles WHERE ef_search = 'exact' AND id = 1",
                &NO_QUERY.replace("articles.k", "articles.ef_search").replace("k = ?", "ef_search = ?"),
            ),
            ("SELECT count(*) FROM pairs p LEFT JOIN articles a ON a.k = 3", NO_QUERY),
            (
                "SELECT id FROM articles WHERE embedding MATCH ? AND k <= 3",
                "articles.k: an argument of the search: write \"k = ?\"",
            ),
            (
                "SELECT id FROM articles WHERE embedding MATCH ? AND k IN (1, 2)",
                "articles.k: an argument of the search: write \"k = ?\"",
            ),
            (
                "SELECT id FROM articles(?) WHERE ef_search IS 'exact'",
                "articles.ef_search: an argument of the search: write \"ef_search = ?\"",
            ),
            (
                "SELECT a.id FROM articles a, articles b WHERE a.embedding MATCH b.embedding AND b.embedding MATCH a.embedding",
                "no query solution",
            ),
        ],
    );
    for host in &hosts {
        assert_eq!(rows(host, "SELECT id FROM articles WHERE embedding MATCH NULL").len(), 0);
    }
}
