//! The commands on a file with an index over an ordinary table.

mod support;
use support::*;

#[test]
fn an_index_over_a_table_is_described_checked_and_folded() {
    let place = Place::new();
    let sql = "CREATE TABLE products(id TEXT PRIMARY KEY, v BLOB);
        CREATE VIRTUAL TABLE near USING hnsw(content = products, v FLOAT[2], sync = log);
        INSERT INTO products VALUES ('a', '[1,0]'), ('b', '[1,1]'), ('c', '[0,1]'), ('d', '[1]')";
    place.open_with_extension("feed.db").execute_batch(sql).unwrap();
    let info = place.run(&["info", "feed.db", "--json"]).done();
    for part in ["\"content\": \"products\"", "\"sync\": \"log\"", "\"logged\": 4", "\"logged_wrong\": 1"] {
        assert!(info.contains(part), "{part}: {info}");
    }
    let ids = || place.run(&["query", "feed.db", "--vector", "[1,0.1]", "--columns", "id", "--csv"]).done();
    let before = ids();
    assert!(before.starts_with("id,distance\na,"), "{before}");
    let said = place.run(&["fold", "feed.db"]);
    assert_eq!((said.code, said.out.as_str()), (1, "near: 3 rows folded, 1 row left in the log with a wrong vector\n"));
    assert_eq!(ids(), before);
    place.open_with_extension("feed.db").execute("DELETE FROM products WHERE id = 'd'", []).unwrap();
    let said = place.run(&["fold", "feed.db", "--table", "near", "--json"]).done();
    assert!(said.contains("\"folded\":1") && said.contains("\"left\":0"), "{said}");
    place.run(&["check", "feed.db"]).done();
    place.run(&["recall", "feed.db", "--k", "1", "--sample", "2"]).done();
    let liked = |likes: &[&str]| place.run(&[&["query", "feed.db", "--columns", "id", "--csv"], likes].concat()).done();
    assert!(liked(&["--like", "id=b"]).starts_with("id,distance\nb,"));
    assert!(liked(&["--like", "id=a", "--like", "id=c"]).starts_with("id,distance\nb,"));
    place.catalogue("t.parquet", 1, 5);
    place.run(&["import", "t.parquet", "feed.db", "--table", "t", "--key", "id"]).done();
    place.open_with_extension("feed.db").execute("INSERT INTO products VALUES ('e', '[1,0.1]')", []).unwrap();
    let after = place.run(&["query", "feed.db", "--table", "near", "--vector", "[1,0.1]", "--columns", "id", "--csv"]);
    assert!(after.done().starts_with("id,distance\ne,"));
    place.run(&["check", "feed.db"]).done();
    place.run(&["import", "t.parquet", "other.db", "--key", "id"]).done();
    assert_eq!(
        place.run(&["fold", "other.db"]).failed(),
        "other.db: no index over a table: only hnsw(content = ..., ...) has a log"
    );
}
