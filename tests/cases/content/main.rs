//! An index over a table of the user's own: `hnsw(content = 'products', ...)`.

mod features;
mod keys;
mod model;
mod reading;
mod schema;
mod writers;
mod writing;

use vecrank_tests::{Host, library};

/// In-memory databases of each SQLite library, with the built library loaded and `sql` executed.
fn hosts(sql: &str) -> Vec<Host> {
    let hosts = Host::both(library());
    hosts.iter().for_each(|host| host.run(sql));
    hosts
}

/// A table with thirty rows, and the index over it. `{sync}` stands for the mode.
const PRODUCTS: &str = "
    CREATE TABLE products(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, price REAL, embedding BLOB);
    CREATE INDEX by_price ON products(price);
    WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 30)
      INSERT INTO products SELECT i * 10, 'n' || (i % 7), i % 5, vec_parse(json_array(i, 1)) FROM s;
    CREATE VIRTUAL TABLE near USING hnsw(content = 'products', embedding FLOAT[2], metric = 'l2', sync = '{sync}');";

const MODES: [&str; 2] = ["commit", "log"];

/// Both modes on each SQLite library.
fn products() -> Vec<Host> {
    MODES.iter().flat_map(|sync| hosts(&PRODUCTS.replace("{sync}", sync))).collect()
}

/// The ids nearest to a vector.
fn nearest(host: &Host, vector: &str) -> String {
    host.line(&format!("SELECT id FROM near WHERE embedding MATCH '{vector}' ORDER BY distance LIMIT 3"))
}

/// The index finds what a look at every row of its content finds.
#[track_caller]
fn check_same(host: &Host, content: &str, key: &str) {
    for vector in ["[0,0]", "[12.5,1]", "[40,3]"] {
        let expected = format!(
            "SELECT {key}, round(vec_l2(embedding, vec_parse('{vector}')), 5) AS d FROM {content} \
             WHERE embedding IS NOT NULL ORDER BY 2, 1"
        );
        let found = format!(
            "SELECT {key}, round(distance, 5) AS d FROM near WHERE embedding MATCH '{vector}' AND ef_search = 'exact' \
             ORDER BY 2, 1"
        );
        assert_eq!(host.rows(&found), host.rows(&expected), "SQLite {}: {vector}", host.version());
    }
}
