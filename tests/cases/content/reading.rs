//! What reads of an index give: those of a table of its own with the same rows.

use super::{check_same, products};

#[test]
fn without_a_vector_the_index_reads_like_its_content() {
    for host in products() {
        host.run("INSERT INTO products(name, price) VALUES ('no vector', 2.5)");
        for (what, rest) in [
            ("*", ""),
            ("count(*)", ""),
            ("name, price", "WHERE price BETWEEN 2 AND 3 ORDER BY id DESC"),
            ("id", "WHERE name = 'N3'"),
            ("id, embedding", "WHERE rowid = 30"),
            ("id", "WHERE embedding IS NULL"),
            ("id", "WHERE id IN (10, 20, 999)"),
        ] {
            let both = ["near", "products"].map(|table| host.rows(&format!("SELECT {what} FROM {table} {rest}")));
            assert_eq!(both[0], both[1], "{what} {rest}");
        }
    }
}

#[test]
fn filters_are_those_of_the_content() {
    for host in products() {
        host.run("INSERT INTO products VALUES (5, 'n3', 4, vec_parse('[4,1]')); DELETE FROM products WHERE id = 100");
        for filter in ["name = 'N3'", "price > 2", "price = 4 AND name LIKE 'n%'", "id < 100", "rowid IN (50, 60)"] {
            let found = format!("SELECT id FROM near WHERE embedding MATCH '[9,1]' AND {filter} ORDER BY distance");
            let expected =
                format!("SELECT id FROM products WHERE {filter} ORDER BY vec_l2(embedding, vec_parse('[9,1]')), id");
            assert_eq!(host.rows(&found), host.rows(&expected), "{filter}");
        }
    }
}

#[test]
fn rows_that_vanish_without_a_trigger_are_skipped() {
    for host in products() {
        host.run("CREATE UNIQUE INDEX one_name ON products(name, price)");
        host.run(
            "INSERT OR REPLACE INTO products SELECT 7, name, price, vec_parse('[3,1]') FROM products WHERE id = 30",
        );
        let sql = "SELECT id, name FROM near WHERE embedding MATCH '[3,1]' ORDER BY distance LIMIT 3";
        assert_eq!(host.line(sql), "7|n3 20|n2 40|n4");
        assert_eq!(host.line("SELECT count(*) FROM near WHERE embedding MATCH '[3,1]'"), "30");
        let report = host.refusal("INSERT INTO near(near) VALUES ('integrity-check')").message;
        assert_eq!(report, "near is damaged: row 30 of near_map is of no row of products");
        host.run("INSERT INTO near(near) VALUES ('rebuild')");
        check_same(&host, "products", "id");
        host.check_sound("near");
        host.run("PRAGMA recursive_triggers = ON");
        host.run(
            "INSERT OR REPLACE INTO products SELECT 8, name, price, vec_parse('[3,1]') FROM products WHERE id = 40",
        );
        host.check_sound("near");
    }
}
