//! Other writers and readers of a file: hosts without the extension, other connections, read-only ones.

use std::path::Path;

use vecrank_tests::{Host, library};

use super::{PRODUCTS, check_same, nearest};

fn with_library(path: impl AsRef<Path>) -> Host {
    let host = Host::bundled(path);
    host.load(library()).unwrap();
    host
}

#[test]
fn a_host_without_the_extension_writes_under_log_alone() {
    let folder = tempfile::tempdir().unwrap();
    for sync in super::MODES {
        let path = folder.path().join(sync);
        let host = with_library(&path);
        host.run(&PRODUCTS.replace("{sync}", sync));
        let plain = Host::bundled(&path);
        let insert = "INSERT OR REPLACE INTO products VALUES (5, 'new', 1, x'0000c8420000803f')";
        if sync == "commit" {
            assert_eq!(plain.refusal(insert).message, "no such module: hnsw");
            continue;
        }
        plain.run(insert);
        plain.run("DELETE FROM products WHERE id = 300");
        assert_eq!(nearest(&host, "[99,1]"), "5 290 280");
        let plan = "EXPLAIN QUERY PLAN SELECT id FROM near WHERE embedding MATCH '[1,1]' ORDER BY distance";
        assert!(host.line(plan).ends_with("knn embedding l2, log 2"), "{}", host.line(plan));
        let info = "SELECT key, value FROM hnsw_info('near') WHERE key IN ('rows', 'content', 'sync', 'logged', 'logged_wrong')";
        assert_eq!(host.line(info), "rows|30 content|products sync|log logged|2 logged_wrong|0");
        plain.run("UPDATE products SET embedding = 'x' WHERE id = 10");
        assert_eq!(host.line(info), "rows|30 content|products sync|log logged|3 logged_wrong|1");
        host.run("INSERT INTO near(near) VALUES ('fold')");
        assert_eq!(nearest(&host, "[99,1]"), "5 290 280");
        assert_eq!(host.line(info), "rows|30 content|products sync|log logged|1 logged_wrong|1");
        host.check_sound("near");
    }
}

#[test]
fn a_cached_search_sees_the_next_write_of_another_connection() {
    let folder = tempfile::tempdir().unwrap();
    for sync in super::MODES {
        let path = folder.path().join(sync);
        let host = with_library(&path);
        host.run(&PRODUCTS.replace("{sync}", sync));
        let other = with_library(&path);
        for round in 1..6 {
            let page =
                || host.line("SELECT id, name FROM near WHERE embedding MATCH '[12,1]' ORDER BY distance LIMIT 2");
            assert_eq!((page(), page()), (page(), page()));
            other.run(&format!("UPDATE products SET name = 'round {round}' WHERE id = 120"));
            assert_eq!(page(), format!("120|round {round} 110|n4"));
            other.run("UPDATE products SET embedding = vec_parse('[1000,1]') WHERE id = 120");
            assert_eq!(page(), "110|n4 130|n6");
            other.run("UPDATE products SET embedding = vec_parse('[12,1]') WHERE id = 120");
        }
        check_same(&host, "products", "id");
    }
}

#[test]
fn a_read_only_connection_searches_beside_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let host = with_library(&path);
    host.run(&PRODUCTS.replace("{sync}", "log"));
    host.run("DELETE FROM products WHERE id = 120; INSERT INTO products VALUES (5, 'n', 1, vec_parse('[12.1,1]'))");
    let reader = with_library(format!("file:{}?mode=ro", path.display()));
    assert_eq!(nearest(&reader, "[12,1]"), "5 110 130");
    let page = |offset: usize| {
        reader.line(&format!(
            "SELECT id FROM near WHERE embedding MATCH '[12,1]' ORDER BY distance LIMIT 2 OFFSET {offset}"
        ))
    };
    let all = reader.line("SELECT id FROM near WHERE embedding MATCH '[12,1]' ORDER BY distance");
    let pages: Vec<String> = (0..30).step_by(2).map(page).collect();
    assert_eq!(pages.join(" "), all);
}

#[test]
fn readers_of_a_wal_keep_their_state_while_the_log_is_folded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let host = with_library(&path);
    host.run("PRAGMA journal_mode = WAL");
    host.run(&PRODUCTS.replace("{sync}", "log"));
    host.run("DELETE FROM products WHERE id = 120");
    let reader = with_library(&path);
    reader.run("BEGIN");
    assert_eq!(nearest(&reader, "[12,1]"), "110 130 100");
    host.run("INSERT INTO products VALUES (5, 'n', 1, vec_parse('[12.1,1]')); INSERT INTO near(near) VALUES ('fold')");
    assert_eq!(nearest(&reader, "[12,1]"), "110 130 100");
    reader.run("COMMIT");
    assert_eq!(nearest(&reader, "[12,1]"), "5 110 130");
    host.check_sound("near");
}
