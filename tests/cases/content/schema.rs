//! Changes of the schema: the index follows them, or the next search says what is wrong.

use super::{MODES, check_same, hosts, nearest, products};
use vecrank_tests::{Host, library};

const ALTERS: [&str; 2] = ["OFF", "ON"];

#[test]
fn a_renamed_content_is_followed() {
    for host in products() {
        for legacy in ALTERS {
            host.run(&format!("PRAGMA legacy_alter_table = {legacy}; ALTER TABLE products RENAME TO goods"));
            check_same(&host, "goods", "id");
            host.run("INSERT INTO goods(id, embedding) VALUES (5, vec_parse('[100,1]'))");
            assert_eq!(nearest(&host, "[99,1]"), "5 300 290");
            assert_eq!(host.line("SELECT value FROM hnsw_info('near') WHERE key = 'content'"), "goods");
            host.run("BEGIN; DELETE FROM goods WHERE id = 5; ALTER TABLE goods RENAME TO products; COMMIT");
            assert_eq!(nearest(&host, "[99,1]"), "300 290 280");
            host.check_sound("near");
        }
    }
}

#[test]
fn a_renamed_index_makes_its_triggers_anew() {
    for host in products() {
        for (legacy, old, new) in [("OFF", "near", "close by"), ("ON", "close by", "near")] {
            host.run(&format!("PRAGMA legacy_alter_table = {legacy}; ALTER TABLE \"{old}\" RENAME TO \"{new}\""));
            host.run("UPDATE products SET embedding = vec_parse('[100,1]') WHERE id = 10");
            host.run("BEGIN; UPDATE products SET price = 3; UPDATE products SET embedding = NULL WHERE id = 20");
            host.run(&format!("ALTER TABLE \"{new}\" RENAME TO third; DELETE FROM products WHERE id = 30; ROLLBACK"));
            let count = format!("SELECT count(*) FROM \"{new}\" WHERE embedding MATCH '[1,1]'");
            assert_eq!(host.line(&count), "30");
            host.check_sound(new);
            let names =
                host.line("SELECT group_concat(name, ' ') FROM sqlite_master WHERE type = 'trigger' ORDER BY name");
            assert_eq!(names, ["insert", "delete", "update"].map(|event| format!("{new}_after_{event}")).join(" "));
        }
        assert_eq!(nearest(&host, "[99,1]"), "10 300 290");
        check_same(&host, "products", "id");
    }
}

#[test]
fn columns_come_go_and_are_renamed() {
    for host in products() {
        host.run(
            "ALTER TABLE products ADD COLUMN stock INTEGER; ALTER TABLE products RENAME COLUMN id TO code;
             ALTER TABLE products DROP COLUMN name; UPDATE products SET stock = code WHERE code < 50",
        );
        let sql = "SELECT code, stock FROM near WHERE embedding MATCH '[4,1]' AND stock > 10 ORDER BY distance";
        assert_eq!(host.line(sql), "40|40 30|30 20|20");
        host.run("INSERT INTO products(code, embedding) VALUES (5, vec_parse('[100,1]'))");
        check_same(&host, "products", "code");
        host.check_sound("near");
    }
}

/// Whatever columns a statement names.
fn check_missing_vector(host: &Host) {
    let missing = "near.embedding: the table products has no column \"embedding\": rename it back (ALTER TABLE products \
         RENAME COLUMN ... TO embedding), or DROP TABLE near and make the index anew";
    for sql in [
        "SELECT rowid FROM near WHERE embedding MATCH '[1,1]'",
        "SELECT id, name, distance FROM near WHERE embedding MATCH '[1,1]' AND price < 3 ORDER BY distance",
        "SELECT rowid FROM near",
        "SELECT * FROM near",
        "SELECT name FROM near WHERE id = 10",
        "INSERT INTO near(near) VALUES ('rebuild')",
    ] {
        assert_eq!(host.refusal(sql).message, missing, "{sql}");
    }
}

#[test]
fn a_dropped_vector_column_is_the_error_of_every_later_statement() {
    let folder = tempfile::tempdir().unwrap();
    for (number, first) in products().into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.db"));
        first.run(&format!("VACUUM INTO '{}'", path.display()));
        let host = first.beside(&path, library());
        host.run("ALTER TABLE products DROP COLUMN embedding");
        check_missing_vector(&host);
        check_missing_vector(&first.beside(&path, library()));
        host.run("DROP TABLE near; ALTER TABLE products ADD COLUMN embedding BLOB");
        assert_eq!(host.line("SELECT count(*) FROM sqlite_master WHERE name LIKE 'near%'"), "0");
    }
}

#[test]
fn a_lost_vector_column_or_content_is_the_error_of_the_next_search() {
    for host in products() {
        host.run("ALTER TABLE products RENAME COLUMN embedding TO vector");
        check_missing_vector(&host);
        host.run("ALTER TABLE products RENAME COLUMN vector TO embedding");
        check_same(&host, "products", "id");
        host.run("BEGIN; DELETE FROM products WHERE id = 10; DROP TABLE products; COMMIT");
        let missing = "near: its table main.products is not there: make it first, or DROP TABLE near";
        assert_eq!(host.refusal("SELECT rowid FROM near WHERE embedding MATCH '[1,1]'").message, missing);
        assert_eq!(host.refusal("INSERT INTO near(near) VALUES ('rebuild')").message, missing);
        host.run("ALTER TABLE near RENAME TO other; DROP TABLE other");
        assert_eq!(host.line("SELECT count(*) FROM sqlite_master"), "0");
    }
}

/// As Django, alembic and sqlite-utils change a column.
const REMAKE: &str = "
    CREATE TABLE new_products(id INTEGER PRIMARY KEY, embedding BLOB, name TEXT, price TEXT NOT NULL DEFAULT '');
    INSERT INTO new_products SELECT id, embedding, name, price FROM products WHERE id > 10;
    DROP TABLE products;
    ALTER TABLE new_products RENAME TO products;";

#[test]
fn a_remade_table_needs_a_rebuild_and_says_so() {
    let gone = "near: the triggers on products are gone, as after a migration that makes a table anew: \
         INSERT INTO near(near) VALUES ('rebuild') makes them again and brings the index up to date";
    for host in products() {
        for (before, after) in [("", ""), ("BEGIN; UPDATE products SET embedding = NULL WHERE id = 20;", "; COMMIT")] {
            host.run(&format!("{before}{REMAKE}{after}"));
            assert_eq!(host.refusal("SELECT id FROM near WHERE embedding MATCH '[1,1]'").message, gone);
            host.run("INSERT INTO products(id, embedding) VALUES (10, vec_parse('[1,1]'))");
            assert_eq!(host.refusal("SELECT id FROM near").message, gone);
            host.run("INSERT INTO near(near) VALUES ('rebuild')");
            assert_eq!(nearest(&host, "[1,1]").split(' ').next(), Some("10"));
            host.run("DELETE FROM products WHERE id = 40");
            check_same(&host, "products", "id");
            host.check_sound("near");
            host.run("INSERT INTO products(id, embedding) VALUES (40, vec_parse('[4,1]'))");
        }
    }
}

/// The name of CREATE is no longer there, and a later connection has not seen another one with the triggers.
#[test]
fn a_renamed_and_remade_table_is_found_by_later_connections() {
    let folder = tempfile::tempdir().unwrap();
    let remake = REMAKE.replace("TO products", "TO goods").replace("FROM products", "FROM goods");
    let remake = remake.replace("DROP TABLE products", "DROP TABLE goods");
    let gone = "near: the triggers on goods are gone, as after a migration that makes a table anew: \
         INSERT INTO near(near) VALUES ('rebuild') makes them again and brings the index up to date";
    // With the name stored by a write through the index, or found by its columns alone; beside a table that took the old
    // name, or beside none.
    for (between, other) in [
        ("", ""),
        ("UPDATE goods SET embedding = vec_parse('[7,7]') WHERE id = 20; INSERT INTO near(near) VALUES ('fold')", ""),
        (
            "UPDATE goods SET embedding = vec_parse('[7,7]') WHERE id = 20; INSERT INTO near(near) VALUES ('fold')",
            "CREATE TABLE products(id INTEGER PRIMARY KEY, embedding BLOB); CREATE TABLE backup AS SELECT * FROM goods",
        ),
    ] {
        for (number, first) in products().into_iter().enumerate() {
            let path = folder.path().join(format!("{number}{}{}.db", between.len(), other.len()));
            first.run(&format!("VACUUM INTO '{}'", path.display()));
            let next = || first.beside(&path, library());
            next().run("ALTER TABLE products RENAME TO goods");
            next().run(&format!("{between}; {other}"));
            next().run(&remake);
            let host = next();
            assert_eq!(host.refusal("SELECT id FROM near WHERE embedding MATCH '[1,1]'").message, gone);
            host.run("INSERT INTO near(near) VALUES ('rebuild')");
            let host = next();
            check_same(&host, "goods", "id");
            host.run("DELETE FROM goods WHERE id = 40");
            check_same(&host, "goods", "id");
            host.check_sound("near");
        }
    }
}

#[test]
fn of_several_tables_that_fit_none_is_taken() {
    for host in products() {
        host.run(
            "ALTER TABLE products RENAME TO goods; CREATE TABLE a(id INTEGER PRIMARY KEY, embedding BLOB);
             CREATE TABLE b(id INTEGER PRIMARY KEY, embedding BLOB); CREATE TABLE c(id TEXT PRIMARY KEY, embedding BLOB);
             DROP TABLE goods",
        );
        let refused = host.refusal("INSERT INTO near(near) VALUES ('rebuild')").message;
        assert!(refused.ends_with(" is not there: make it first, or DROP TABLE near"), "{refused}");
        host.run("DROP TABLE b");
        host.run("INSERT INTO near(near) VALUES ('rebuild')");
        // The columns have changed: this reads the schema again.
        host.run("ALTER TABLE c ADD COLUMN other");
        check_same(&host, "a", "id");
    }
}

#[test]
fn a_vector_column_that_can_hold_no_vector_is_refused() {
    for host in hosts("") {
        for (columns, column, what) in [
            ("id INTEGER PRIMARY KEY, n", "id", "is the INTEGER PRIMARY KEY"),
            ("\"Id\" INTEGER PRIMARY KEY, n", "Id", "is the INTEGER PRIMARY KEY"),
            ("k TEXT PRIMARY KEY, id REAL) STRICT --", "id", "is a number, since the table is STRICT"),
            ("k INTEGER PRIMARY KEY, id INT) STRICT --", "id", "is a number, since the table is STRICT"),
        ] {
            host.run(&format!("CREATE TABLE products({columns}\n)").replace("--\n)", ""));
            let create = "CREATE VIRTUAL TABLE near USING hnsw(content = products, id FLOAT[2])";
            let expected = format!(
                "near.{column}: expected a column of products that can hold vectors, such as a BLOB, but \"{column}\" {what}"
            );
            assert_eq!(host.refusal(create).message, expected);
            assert_eq!(host.line("SELECT group_concat(name) FROM sqlite_master WHERE type = 'table'"), "products");
            host.run("DROP TABLE products");
        }
        // These can.
        for column in ["id BLOB) STRICT --", "id ANY) STRICT --", "id TEXT) STRICT --", "id INTEGER", "id REAL", "id"] {
            host.run(&format!("CREATE TABLE products(code TEXT PRIMARY KEY, {column}\n)").replace("--\n)", ""));
            let vector = if column.contains("TEXT") { "'[1,2]'" } else { "vec_parse('[1,2]')" };
            host.run(&format!(
                "CREATE VIRTUAL TABLE near USING hnsw(content = products, id FLOAT[2]);
                 INSERT INTO products VALUES ('a', {vector});"
            ));
            assert_eq!(host.line("SELECT code FROM near WHERE id MATCH '[1,2]'"), "a");
            host.run("DROP TABLE near; DROP TABLE products");
        }
    }
}

#[test]
fn a_table_of_the_same_name_made_without_a_rename_is_taken_up() {
    for host in products() {
        host.run("DROP TABLE products; CREATE TABLE products(id INTEGER PRIMARY KEY, embedding BLOB, other)");
        host.run("INSERT INTO products VALUES (1, vec_parse('[1,1]'), 'x')");
        let _ = host.refusal("SELECT rowid FROM near WHERE embedding MATCH '[1,1]'");
        host.run("INSERT INTO near(near) VALUES ('rebuild')");
        let changed = "near: the columns of products have changed since the schema was read: open the database again";
        assert_eq!(host.refusal("SELECT rowid FROM near WHERE embedding MATCH '[1,1]'").message, changed);
        // Anything that reads the schema again serves as well.
        host.run("ALTER TABLE products ADD COLUMN more");
        assert_eq!(host.line("SELECT id, other FROM near WHERE embedding MATCH '[1,1]'"), "1|x");
        host.check_sound("near");
    }
}

#[test]
fn names_that_need_quotes_and_reserved_names_work() {
    for sync in MODES {
        let sql = format!(
            r#"CREATE TABLE "a ""b"".c"("the id" TEXT PRIMARY KEY, "r" INTEGER, "m" INTEGER, "k" INTEGER, "query" TEXT,
                 "n0" INTEGER, id INTEGER, "it's" "odd, type)" COLLATE NOCASE, "my ""vector" BLOB);
               INSERT INTO "a ""b"".c" VALUES ('x', 1, 2, 3, 'q', 4, 5, 'S', vec_parse('[1,2]'));
               CREATE VIRTUAL TABLE "n"" r" USING hnsw(content = 'a "b".c', "my ""vector" FLOAT[2], sync = {sync});
               INSERT INTO "a ""b"".c" VALUES ('y', 1, 2, 3, 'q', 4, 5, 'T', vec_parse('[2,2]'));"#
        );
        for host in hosts(&sql) {
            let search = r#"SELECT "the id", "r", "m", "n0", id, "it's" FROM "n"" r"
                WHERE "my ""vector" MATCH '[2,2]' AND "it's" = 't' AND id = 5"#;
            assert_eq!(host.line(search), "y|1|2|4|5|T");
            assert_eq!(
                host.refusal(r#"SELECT k FROM "n"" r""#).message,
                "n\" r.k: the name is reserved, so the column of a \"b\".c is left out: select it from a \"b\".c"
            );
            assert_eq!(host.line(r#"SELECT count(*) FROM "n"" r" WHERE "my ""vector" MATCH '[2,2]' AND k = 1"#), "1");
            host.check_sound("n\" r");
            host.run(r#"ALTER TABLE "n"" r" RENAME TO "x'y"; DELETE FROM "a ""b"".c" WHERE "the id" = 'y'"#);
            assert_eq!(host.line(r#"SELECT "the id" FROM "x'y" WHERE "my ""vector" MATCH '[2,2]'"#), "x");
            host.run(r#"DROP TABLE "x'y""#);
        }
    }
}

#[test]
fn an_index_and_its_content_share_any_schema() {
    for schema in ["temp", "other"] {
        for sync in MODES {
            let sql = format!(
                "ATTACH ':memory:' AS other;
                 CREATE TABLE main.products(id INTEGER PRIMARY KEY, embedding BLOB);
                 CREATE TABLE {schema}.products(id TEXT PRIMARY KEY, embedding BLOB);
                 CREATE VIRTUAL TABLE {schema}.near USING hnsw(content = products, embedding FLOAT[2], sync = {sync});
                 INSERT INTO {schema}.products VALUES ('a', vec_parse('[1,2]')), ('b', vec_parse('[2,2]'));
                 INSERT INTO main.products VALUES (1, x'');"
            );
            for host in hosts(&sql) {
                let search = format!("SELECT id FROM {schema}.near WHERE embedding MATCH '[2,2]' ORDER BY distance");
                assert_eq!(host.line(&search), "b a");
                host.run(&format!(
                    "DELETE FROM {schema}.products WHERE id = 'b'; INSERT INTO {schema}.near(near) VALUES ('fold')"
                ));
                assert_eq!(host.line(&search), "a");
                host.run(&format!(
                    "INSERT INTO {schema}.near(near) VALUES ('integrity-check'); DROP TABLE {schema}.near"
                ));
            }
        }
    }
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let sql = "CREATE TABLE products(id INTEGER PRIMARY KEY, embedding BLOB)";
    for host in hosts(sql) {
        for (arguments, message) in [
            (
                "content = products, name TEXT, embedding FLOAT[2]",
                "t.name: an index over products has the columns of products: declare its vector columns alone",
            ),
            (
                "content = products, embedding FLOAT[2] NOT NULL",
                "t.embedding: NOT NULL belongs into the declaration of products",
            ),
            (
                "content = products, embedding FLOAT[2], CHECK (1)",
                "t: constraints belong into the declaration of products",
            ),
            ("content = 7, embedding FLOAT[2]", "t: content: expected the name of a table, such as 'products', got 7"),
            (
                "content =, embedding FLOAT[2]",
                "t: content: expected the name of a table, such as 'products', got nothing",
            ),
            ("content = a, content = b, embedding FLOAT[2]", "t: the option content is given twice"),
            ("content = a, sync = log, sync = log, e FLOAT[2]", "t: the option sync is given twice"),
            ("content = a, sync = 'never', e FLOAT[2]", "t: sync: expected 'commit' or 'log', got 'never'"),
            (
                "sync = 'log', e FLOAT[2]",
                "t: sync is for an index over a table that exists: content = 'products' names it",
            ),
        ] {
            assert_eq!(host.refusal(&format!("CREATE VIRTUAL TABLE t USING hnsw({arguments})")).message, message);
        }
    }
}
