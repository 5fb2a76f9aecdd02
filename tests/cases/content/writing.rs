//! What writes of the content do to its index.

use super::{MODES, PRODUCTS, check_same, hosts, nearest, products};

#[test]
fn create_builds_the_index_from_the_rows_that_are_there() {
    for host in products() {
        check_same(&host, "products", "id");
        assert_eq!(nearest(&host, "[12.2,1]"), "120 130 110");
        host.check_sound("near");
    }
}

#[test]
fn inserted_changed_and_deleted_rows_are_found_at_once() {
    for host in products() {
        host.run("INSERT INTO products VALUES (5, 'new', 1, vec_parse('[100,1]'))");
        assert_eq!(nearest(&host, "[99,1]"), "5 300 290");
        host.run("UPDATE products SET embedding = vec_parse('[200,1]') WHERE id = 5");
        host.run("UPDATE products SET embedding = vec_parse('[99,1]') WHERE id = 10");
        assert_eq!(nearest(&host, "[99,1]"), "10 300 290");
        host.run("DELETE FROM products WHERE id = 300; UPDATE products SET name = 'other' WHERE id = 290");
        assert_eq!(nearest(&host, "[99,1]"), "10 290 280");
        host.run("UPDATE products SET id = 77 WHERE id = 10; UPDATE products SET embedding = NULL WHERE id = 280");
        assert_eq!(nearest(&host, "[99,1]"), "77 290 270");
        check_same(&host, "products", "id");
        host.check_sound("near");
        host.run("INSERT INTO near(near) VALUES ('fold')");
        check_same(&host, "products", "id");
        host.check_sound("near");
    }
}

#[test]
fn a_transaction_sees_its_own_writes_and_undoes_them() {
    for host in products() {
        host.run("BEGIN; INSERT INTO products VALUES (5, 'new', 1, vec_parse('[100,1]'))");
        assert_eq!(nearest(&host, "[99,1]"), "5 300 290");
        host.run("SAVEPOINT s; DELETE FROM products WHERE id IN (5, 300)");
        assert_eq!(nearest(&host, "[99,1]"), "290 280 270");
        host.run("ROLLBACK TO s");
        assert_eq!(nearest(&host, "[99,1]"), "5 300 290");
        host.run("ROLLBACK");
        assert_eq!(nearest(&host, "[99,1]"), "300 290 280");
        check_same(&host, "products", "id");
        host.check_sound("near");
    }
}

#[test]
fn writing_to_the_index_is_refused() {
    for host in products() {
        for sql in [
            "INSERT INTO near(id, embedding) VALUES (1, vec_parse('[1,2]'))",
            "UPDATE near SET name = 'x' WHERE id = 10",
            "DELETE FROM near WHERE id = 10",
            "INSERT INTO near(query) VALUES ('other')",
        ] {
            assert_eq!(
                host.refusal(sql).message,
                "near: an index over products, whose rows are in products: write to products"
            );
        }
        assert_eq!(
            host.refusal("INSERT INTO near(near) VALUES ('cluster')").message,
            "near: the command 'cluster' moves rows, but those of an index over products stay where they are in products"
        );
    }
}

#[test]
fn a_wrong_vector_fails_the_commit_or_the_search_and_names_the_row() {
    let wrong = "near.embedding: expected 2 dimensions (8 bytes of FLOAT), got 1 (row 20 of products)";
    for host in hosts(&PRODUCTS.replace("{sync}", "commit")) {
        let update = "UPDATE products SET embedding = x'00000000' WHERE id = 20";
        assert_eq!(host.refusal(update).message, wrong);
        host.run("BEGIN");
        host.run(update);
        host.run("DELETE FROM products WHERE id = 10");
        assert_eq!(host.refusal("SELECT * FROM near WHERE embedding MATCH '[1,1]'").message, wrong);
        host.run("UPDATE products SET embedding = vec_parse('[1,1]') WHERE id = 20");
        assert_eq!(nearest(&host, "[1,1]"), "20 30 40");
        host.run("COMMIT");
        check_same(&host, "products", "id");
        host.run("BEGIN");
        host.run(update);
        assert_eq!(host.refusal("COMMIT").message, wrong);
        assert_eq!(nearest(&host, "[1,1]"), "20 30 40");
        host.check_sound("near");
    }
}

#[test]
fn the_log_keeps_a_row_with_a_wrong_vector_out_of_searches() {
    for host in hosts(&PRODUCTS.replace("{sync}", "log")) {
        host.run("UPDATE products SET embedding = x'00000000' WHERE id = 20; DELETE FROM products WHERE id = 30");
        for _ in 0..2 {
            assert_eq!(nearest(&host, "[2,1]"), "10 40 50");
            host.run("INSERT INTO near(near) VALUES ('fold')");
        }
        assert_eq!(host.line("SELECT id FROM near_changes"), "20");
        host.check_sound("near");
        host.run(
            "UPDATE products SET embedding = vec_parse('[2,1]') WHERE id = 20; INSERT INTO near(near) VALUES ('fold')",
        );
        assert_eq!(nearest(&host, "[2,1]"), "20 10 40");
        assert_eq!(host.line("SELECT count(*) FROM near_changes"), "0");
        host.check_sound("near");
    }
}

#[test]
fn a_failed_create_leaves_nothing_behind() {
    let sql = "CREATE TABLE products(id INTEGER PRIMARY KEY, embedding BLOB);
        INSERT INTO products VALUES (1, vec_parse('[1,2]')), (7, x'0000')";
    for host in hosts(sql) {
        let before = host.rows("SELECT type, name FROM sqlite_master ORDER BY name");
        for sync in MODES {
            for (begin, end) in [("", ""), ("BEGIN", "COMMIT")] {
                host.run(begin);
                let create = format!(
                    "CREATE VIRTUAL TABLE near USING hnsw(content = products, embedding FLOAT[2], sync = {sync})"
                );
                assert_eq!(
                    host.refusal(&create).message,
                    "near.embedding: expected 2 dimensions (8 bytes of FLOAT), got 2 bytes (row 7 of products)"
                );
                host.run(end);
                assert_eq!(host.rows("SELECT type, name FROM sqlite_master ORDER BY name"), before);
            }
        }
    }
}

#[test]
fn many_rows_in_one_transaction_are_built_in_bulk() {
    for host in products() {
        host.run(
            "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000)
             INSERT INTO products SELECT i + 1000, 'x', i % 9, vec_parse(json_array(i % 61, i % 53)) FROM s",
        );
        check_same(&host, "products", "id");
        host.run("INSERT INTO near(near) VALUES ('fold'); INSERT INTO near(near) VALUES ('optimize')");
        check_same(&host, "products", "id");
        host.check_sound("near");
        host.run("DELETE FROM products");
        assert_eq!(nearest(&host, "[1,1]"), "");
        host.run("INSERT INTO near(near) VALUES ('fold')");
        assert_eq!(host.line("SELECT (SELECT count(*) FROM near_map), (SELECT count(*) FROM near_nodes)"), "0|0");
        host.check_sound("near");
    }
}

#[test]
fn drop_removes_index_and_triggers_but_not_the_content() {
    for host in products() {
        host.run("DROP TABLE near");
        assert_eq!(host.line("SELECT group_concat(name) FROM sqlite_master"), "products,by_price");
        host.run("INSERT INTO products(name) VALUES ('still works')");
    }
}

#[test]
fn an_interrupted_create_or_rebuild_changes_nothing() {
    let sql = "CREATE TABLE products(id TEXT PRIMARY KEY, embedding BLOB);
        WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 2500)
          INSERT INTO products SELECT 'k' || i, vec_parse(json_array(i % 61, i % 53)) FROM s";
    for host in hosts(sql) {
        let create = "CREATE VIRTUAL TABLE near USING hnsw(content = products, embedding FLOAT[2], metric = l2)";
        let schema = || host.rows("SELECT name FROM sqlite_master ORDER BY name");
        let before = schema();
        for call in [1, 4, 16] {
            let (result, _) = host.interrupted_at_call(2_000, call, || host.execute(create));
            assert_eq!(result.unwrap_err().message, "interrupted", "at call {call}");
            assert_eq!(schema(), before);
        }
        host.run(create);
        for call in [1, 4, 16] {
            let rebuild = "INSERT INTO near(near) VALUES ('rebuild')";
            let (result, _) = host.interrupted_at_call(2_000, call, || host.execute(rebuild));
            assert_eq!(result.unwrap_err().message, "interrupted", "at call {call}");
            check_same(&host, "products", "id");
        }
        host.check_sound("near");
    }
}
