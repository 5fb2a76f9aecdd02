//! What ordinary tables have and virtual ones lack: triggers, foreign keys, generated columns, UPSERT, RETURNING.

use super::{MODES, PRODUCTS, check_same, hosts, nearest, products};

#[test]
fn triggers_of_the_user_may_rewrite_the_row() {
    for host in products() {
        host.run(
            "CREATE TRIGGER fill AFTER INSERT ON products WHEN new.embedding IS NULL BEGIN
               UPDATE products SET embedding = vec_parse('[100,1]') WHERE id = new.id;
             END;
             CREATE TRIGGER move AFTER UPDATE OF price ON products WHEN new.price = 77 BEGIN
               UPDATE products SET embedding = vec_parse('[101,1]'), id = id + 1 WHERE id = new.id;
               DELETE FROM products WHERE id = 300;
             END;
             CREATE TRIGGER keep BEFORE DELETE ON products WHEN old.id = 290 BEGIN SELECT RAISE(IGNORE); END;
             INSERT INTO products(id) VALUES (5);
             UPDATE products SET price = 77 WHERE id = 10;
             DELETE FROM products WHERE id IN (280, 290);",
        );
        assert_eq!(nearest(&host, "[102,1]"), "11 5 290");
        check_same(&host, "products", "id");
        host.check_sound("near");
    }
}

#[test]
fn foreign_keys_act_on_the_index_too() {
    for sync in MODES {
        let sql = format!(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE brands(id INTEGER PRIMARY KEY);
             CREATE TABLE products(id TEXT PRIMARY KEY, embedding BLOB,
               brand INTEGER REFERENCES brands ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
             CREATE TABLE parts(id TEXT PRIMARY KEY REFERENCES products ON UPDATE CASCADE, embedding BLOB);
             CREATE VIRTUAL TABLE near USING hnsw(content = products, embedding FLOAT[2], metric = l2, sync = {sync});
             CREATE VIRTUAL TABLE near_parts USING hnsw(content = parts, embedding FLOAT[2], metric = l2, sync = {sync});
             BEGIN; INSERT INTO products VALUES ('a', '[1,1]', 7), ('b', '[2,1]', 8), ('c', '[3,1]', 7);
             INSERT INTO parts VALUES ('b', '[1,1]'); INSERT INTO brands VALUES (7), (8); COMMIT;
             DELETE FROM brands WHERE id = 7;
             UPDATE products SET id = 'z' WHERE id = 'b';"
        );
        for host in hosts(&sql) {
            let search =
                |table: &str| host.line(&format!("SELECT id, embedding FROM {table} WHERE embedding MATCH '[9,1]'"));
            assert_eq!((search("near"), search("near_parts")), ("z|[2,1]".into(), "z|[1,1]".into()));
            host.check_sound("near");
            host.check_sound("near_parts");
            host.run("BEGIN; INSERT INTO products VALUES ('d', '[9,1]', 99)");
            assert_eq!(search("near"), "d|[9,1] z|[2,1]");
            assert_eq!(host.refusal("COMMIT").message, "FOREIGN KEY constraint failed");
            host.run("ROLLBACK");
            assert_eq!(search("near"), "z|[2,1]");
            host.check_sound("near");
        }
    }
}

#[test]
fn generated_columns_are_shown_and_searched() {
    for sync in MODES {
        for storage in ["STORED", "VIRTUAL"] {
            let sql = format!(
                "CREATE TABLE products(id INTEGER PRIMARY KEY, doc TEXT,
                   name TEXT COLLATE NOCASE GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
                   embedding BLOB GENERATED ALWAYS AS (vec_parse(json_extract(doc, '$.v'))) {storage});
                 INSERT INTO products(doc) VALUES ('{{\"name\":\"One\",\"v\":[1,1]}}'), ('{{\"name\":\"Two\",\"v\":[2,1]}}');
                 CREATE VIRTUAL TABLE near USING hnsw(content = products, embedding FLOAT[2], metric = l2, sync = {sync});"
            );
            for host in hosts(&sql) {
                host.run("UPDATE products SET doc = json_replace(doc, '$.v', json('[5,1]')) WHERE id = 1");
                let search = "SELECT name FROM near WHERE embedding MATCH '[5,1]' AND name > 'a' ORDER BY distance";
                assert_eq!(host.line(search), "One Two");
                check_same(&host, "products", "id");
                host.check_sound("near");
            }
        }
    }
}

#[test]
fn upsert_returning_and_counters_are_those_of_a_table_without_an_index() {
    for host in products() {
        host.run("CREATE TABLE twin AS SELECT * FROM products WHERE 0; DROP TABLE twin");
        host.run("CREATE TABLE twin(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, price REAL, embedding BLOB)");
        host.run("INSERT INTO twin SELECT * FROM products");
        for sql in [
            "INSERT INTO {}(name, embedding) VALUES ('a', '[1,1]'), ('b', '[2,2]') RETURNING id, name",
            "INSERT INTO {}(id, embedding) VALUES (20, '[50,1]') ON CONFLICT(id) DO UPDATE SET embedding = excluded.embedding \
             RETURNING id, embedding",
            "INSERT INTO {}(id) VALUES (20) ON CONFLICT DO NOTHING RETURNING id",
            "UPDATE {} SET embedding = '[3,3]' WHERE id < 60 RETURNING id",
            "DELETE FROM {} WHERE id = 30 RETURNING id, price",
        ] {
            let outcome = |table: &str| {
                (host.rows(&sql.replace("{}", table)), host.line("SELECT last_insert_rowid(), changes()"))
            };
            assert_eq!(outcome("products"), outcome("twin"), "{sql}");
        }
        check_same(&host, "products", "id");
        assert_eq!(host.rows("SELECT * FROM near"), host.rows("SELECT * FROM twin"));
        host.check_sound("near");
    }
}

#[test]
fn one_table_may_have_several_indexes_of_several_vectors() {
    for sync in MODES {
        let sql = format!(
            "CREATE TABLE products(id INTEGER PRIMARY KEY, b BLOB, a BLOB, name TEXT, c BLOB);
             CREATE VIRTUAL TABLE near USING hnsw(content = products, a FLOAT16[2], b INT8[2], metric = l2, b.metric = dot,
               sync = {sync});
             CREATE VIRTUAL TABLE third USING hnsw(content = products, c FLOAT[2]);
             INSERT INTO products VALUES (1, vec_int8('[1,2]'), vec_f16('[1,2]'), 'one', '[1,0]'),
               (2, vec_int8('[3,2]'), NULL, 'two', '[0,1]'), (3, NULL, vec_f16('[0,9]'), 'three', NULL);"
        );
        for host in hosts(&sql) {
            let ids = |sql: &str| host.line(&format!("SELECT id, name {sql}"));
            assert_eq!(ids("FROM near WHERE a MATCH '[0,8]' ORDER BY distance"), "3|three 1|one");
            assert_eq!(ids("FROM near WHERE b MATCH '[0,8]' ORDER BY distance"), "1|one 2|two");
            assert_eq!(ids("FROM third WHERE c MATCH '[0,8]' ORDER BY distance"), "2|two 1|one");
            assert_eq!(host.line("SELECT vec_json(vec_avg(a)) FROM near"), "[0.5,5.5]");
            host.run("UPDATE products SET a = vec_f16('[7,7]'), b = NULL WHERE id = 1; INSERT INTO near(near) VALUES ('fold')");
            assert_eq!(ids("FROM near WHERE a MATCH '[7,7]' ORDER BY distance"), "1|one 3|three");
            assert_eq!(ids("FROM near WHERE b MATCH '[0,8]' ORDER BY distance"), "2|two");
            host.check_sound("near");
            host.check_sound("third");
            host.run("DROP TABLE third; INSERT INTO products(id, b) VALUES (4, vec_int8('[9,9]'))");
            assert_eq!(ids("FROM near WHERE b MATCH '[0,8]' ORDER BY distance"), "4|NULL 2|two");
        }
    }
}

#[test]
fn defensive_hosts_write_the_content() {
    for host in products() {
        host.defend();
        host.run("INSERT INTO products(id, embedding) VALUES (5, '[100,1]'); DELETE FROM products WHERE id = 300");
        assert_eq!(nearest(&host, "[99,1]"), "5 290 280");
        host.run("INSERT INTO near(near) VALUES ('fold')");
        host.check_sound("near");
    }
}

#[test]
fn a_vector_that_changed_behind_the_log_is_named_and_mended() {
    for host in hosts(&PRODUCTS.replace("{sync}", "log")) {
        host.run(
            "UPDATE products SET embedding = '[100,1]' WHERE id = 20; INSERT INTO products VALUES (5, 'x', 1, '[9,9]');
             DELETE FROM near_changes",
        );
        assert_eq!(
            host.refusal("INSERT INTO near(near) VALUES ('integrity-check')").message,
            "near is damaged: row 5 of products has no row of near_map; embedding: row 5 has another vector in products than \
             in the index; embedding: row 20 has another vector in products than in the index"
        );
        host.run("INSERT INTO near(near) VALUES ('rebuild')");
        check_same(&host, "products", "id");
        host.check_sound("near");
    }
}

#[test]
fn a_rebuild_brings_rows_in_after_ids_became_free() {
    for host in hosts(&PRODUCTS.replace("{sync}", "commit")) {
        host.run(
            "WITH RECURSIVE s(i) AS (SELECT 31 UNION ALL SELECT i + 1 FROM s WHERE i < 400)
               INSERT INTO products SELECT i * 10, 'm', 1, vec_parse(json_array(i, 1)) FROM s",
        );
        for step in 0..25 {
            host.run(&format!("DELETE FROM products WHERE id / 10 % 50 = {}", 2 * step));
        }
        assert_ne!(host.line("SELECT count(*) FROM near_nodes WHERE length(data) = 8"), "0", "free ids");
        let trigger = host.line("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '%AFTER INSERT%'");
        host.run(&format!(
            "DROP TRIGGER \"{trigger}\"; INSERT INTO products VALUES (5, 'x', 1, vec_parse('[9,9]'));
             INSERT INTO near(near) VALUES ('rebuild')"
        ));
        check_same(&host, "products", "id");
        host.check_sound("near");
    }
}

#[test]
fn joins_and_table_valued_searches_work() {
    for host in products() {
        host.run("CREATE TABLE stock(id INTEGER, n INTEGER); INSERT INTO stock SELECT id, id % 3 FROM products");
        let join = "SELECT near.id FROM near JOIN stock USING (id) WHERE embedding MATCH '[12,1]' AND n > 0 \
                    ORDER BY distance LIMIT 4";
        assert_eq!(host.line(join), "110 130 100 140");
        let users = "SELECT u.value, a.id FROM json_each('[1,25]') AS u, near(json_array(u.value, 1), 2) AS a";
        assert_eq!(host.line(users), "1|10 1|20 25|250 25|240");
    }
}

#[test]
fn triggers_may_search_the_index_while_rows_are_written() {
    for host in products() {
        host.run(
            "CREATE TABLE seen(id INTEGER, near INTEGER);
             CREATE TRIGGER see AFTER INSERT ON products BEGIN
               INSERT INTO seen SELECT new.id, id FROM near WHERE embedding MATCH new.embedding AND id <> new.id
                 ORDER BY distance LIMIT 1;
             END",
        );
        host.run("INSERT INTO products(id, embedding) VALUES (1, '[50,1]'), (2, '[52,1]'), (3, '[54,1]')");
        assert_eq!(host.rows("SELECT * FROM seen"), ["1|300", "2|1", "3|2"]);
        // The third row breaks the key: the whole statement is undone, and what its searches folded.
        let insert = "INSERT INTO products(id, embedding) VALUES (4, '[60,1]'), (5, '[62,1]'), (1, '[64,1]')";
        host.run("BEGIN; UPDATE products SET embedding = '[70,1]' WHERE id = 3");
        assert_eq!(host.refusal(insert).message, "UNIQUE constraint failed: products.id");
        assert_eq!(nearest(&host, "[62,1]"), "3 2 1");
        host.run("COMMIT");
        check_same(&host, "products", "id");
        host.check_sound("near");
    }
}

#[test]
fn group_limits_and_similarities_are_those_of_a_table_of_its_own() {
    for host in products() {
        host.run(
            "CREATE VIRTUAL TABLE own USING hnsw(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, price REAL,
               embedding FLOAT[2], metric = 'l2');
             INSERT INTO products VALUES (5, 'N3', 4, vec_parse('[12.5,1]')), (6, NULL, 4, vec_parse('[12.6,1]'));
             UPDATE products SET name = upper(name) WHERE id > 100; DELETE FROM products WHERE id = 130;
             INSERT INTO own SELECT * FROM products",
        );
        for rest in [
            "AND group_by = 'name' ORDER BY distance",
            "AND group_by = 'name' AND group_limit = 2 AND price > 0 ORDER BY distance LIMIT 4 OFFSET 3",
            "AND group_by = 'price' AND group_limit = 3 AND k = 7 ORDER BY distance, id",
        ] {
            for vector in ["[12.4,1]", "[1,1]"] {
                let sql = |table: &str| {
                    format!("SELECT id, name, distance FROM {table} WHERE embedding MATCH '{vector}' {rest}")
                };
                assert_eq!(host.rows(&sql("near")), host.rows(&sql("own")), "{rest}");
            }
        }
    }
}

/// The signs of the embeddings as a generated column, and packed bits as they came.
#[test]
fn bits_beside_the_numbers_that_they_are_the_signs_of() {
    for sync in MODES {
        let sql = format!(
            "CREATE TABLE products(id INTEGER PRIMARY KEY, v BLOB, hash BLOB, signs BLOB GENERATED ALWAYS AS (vec_bit(v)));
             WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 40)
               INSERT INTO products(id, v, hash) SELECT i, vec_parse(json_array(i - 9, 20 - i, i % 3 - 1, i % 2, 5 - i, 1, -1, i % 5 - 2)),
                 CAST(char(i, 127 - i) AS BLOB) FROM s;
             UPDATE products SET v = NULL, hash = NULL WHERE id % 10 = 0;
             CREATE VIRTUAL TABLE near USING hnsw(content = products, signs BIT[8], hash BIT[16], sync = {sync});"
        );
        for host in hosts(&sql) {
            let check = |state: &str| {
                for (column, query) in
                    [("signs", "x'53'"), ("hash", "x'0f0f'"), ("hash", "'[1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0]'")]
                {
                    let found =
                        format!("SELECT id, distance FROM near WHERE {column} MATCH {query} ORDER BY distance, id");
                    let expected = format!(
                        "SELECT id, CAST(vec_hamming({column}, {query}) AS REAL) AS d FROM products WHERE {column} IS NOT NULL
                         ORDER BY d, id"
                    );
                    assert_eq!(host.rows(&found), host.rows(&expected), "{sync}, {state}: {column} {query}");
                }
            };
            check("made");
            host.run("UPDATE products SET v = '[1,1,-1,-1,1,1,-1,-1]' WHERE id < 4; DELETE FROM products WHERE id = 7");
            host.run("INSERT INTO products(id, v, hash) VALUES (50, vec_parse('[1,1,-1,-1,1,-1,1,-1]'), '[1,1,1,1,0,0,0,0,1,1,1,1,0,0,0,0]')");
            check("written");
            host.run("INSERT INTO near(near) VALUES ('fold')");
            check("folded");
            host.check_sound("near");
            host.run("INSERT INTO near(near) VALUES ('rebuild')");
            check("rebuilt");
            host.check_sound("near");
        }
        for host in hosts(&sql) {
            let wrong = "UPDATE products SET hash = x'01' WHERE id = 8";
            if sync == "log" {
                host.run(wrong);
                assert_eq!(host.line("SELECT count(*) FROM near WHERE hash MATCH x'0102'"), "35");
                assert_eq!(host.line("SELECT value FROM hnsw_info('near') WHERE key = 'logged_wrong'"), "1");
            } else {
                let message = host.refusal(wrong).message;
                assert!(message.contains("near.hash: expected 16 dimensions (2 bytes of BIT), got 8"), "{message}");
            }
        }
    }
}
