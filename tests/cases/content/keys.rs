//! Keys that are no INTEGER PRIMARY KEY, and tables that an index cannot be over.

use super::{MODES, hosts};

#[test]
fn tables_that_cannot_have_an_index_are_refused_by_name() {
    let sql = "CREATE TABLE bare(embedding BLOB); CREATE TABLE strict_key(a TEXT PRIMARY KEY, embedding) WITHOUT ROWID;
        CREATE VIEW seen AS SELECT * FROM bare; CREATE VIRTUAL TABLE other USING hnsw(embedding FLOAT[2]);
        CREATE TABLE plain(id INTEGER PRIMARY KEY, e BLOB)";
    for host in hosts(sql) {
        let ordinary = "t: content: expected an ordinary table with a PRIMARY KEY, but";
        for (content, message) in [
            (
                "bare",
                "t: content: expected a table with a PRIMARY KEY, but bare has none: VACUUM may give its rows other rowids",
            ),
            ("strict_key", &*format!("{ordinary} strict_key is WITHOUT ROWID")),
            ("seen", &*format!("{ordinary} seen is a view")),
            ("other", &*format!("{ordinary} other is a virtual table")),
            ("missing", "t: its table main.missing is not there: make it first, or DROP TABLE t"),
            ("plain", "t.embedding: the table plain has no column \"embedding\"; its columns are id, e"),
        ] {
            let sql = format!("CREATE VIRTUAL TABLE t USING hnsw(content = '{content}', embedding FLOAT[2])");
            assert_eq!(host.refusal(&sql).message, message);
        }
    }
}

#[test]
fn text_and_compound_keys_find_their_rows() {
    for (key, values, changed) in [
        ("a TEXT COLLATE NOCASE, b INTEGER, PRIMARY KEY(a, b)", "'k' || i, i % 3", "a = 'K4'"),
        ("a TEXT PRIMARY KEY, b INTEGER", "'k' || i, i", "a = 'k4'"),
        ("a, b, PRIMARY KEY(b, a)", "i * 1.5, x'00' || i", "a = 6"),
        ("a BIGINT PRIMARY KEY, b", "i, i", "a = 4"),
    ] {
        for sync in MODES {
            let sql = format!(
                "CREATE TABLE products(embedding BLOB, {key});
                 WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 40)
                   INSERT INTO products SELECT vec_parse(json_array(i, 1)), {values} FROM s;
                 CREATE VIRTUAL TABLE near USING hnsw(content = products, embedding FLOAT[2], metric = l2, sync = {sync});"
            );
            for host in hosts(&sql) {
                super::check_same(&host, "products", "a, b");
                host.run(&format!("UPDATE products SET embedding = vec_parse('[100,1]') WHERE {changed}"));
                host.run("UPDATE products SET b = 99 WHERE rowid = 9; DELETE FROM products WHERE rowid = 11");
                super::check_same(&host, "products", "a, b");
                host.run("UPDATE products SET rowid = rowid + 1000; VACUUM");
                super::check_same(&host, "products", "a, b");
                host.check_sound("near");
                host.run("INSERT INTO near(near) VALUES ('fold')");
                super::check_same(&host, "products", "a, b");
                host.check_sound("near");
                let both = ["near", "products"].map(|table| host.rows(&format!("SELECT * FROM {table} ORDER BY a, b")));
                assert_eq!(both[0], both[1]);
                host.run("INSERT INTO near(near) VALUES ('rebuild')");
                super::check_same(&host, "products", "a, b");
                host.check_sound("near");
            }
        }
    }
}
