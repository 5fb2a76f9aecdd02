//! Adding rows to a table that exists.

mod support;
use support::*;

/// A database with ids 1 to 5, and files with 4 to 6 and 6 to 8.
fn place() -> Place {
    let place = Place::new();
    place.catalogue("t.parquet", 1, 5);
    place.catalogue("new.parquet", 6, 3);
    place.parquet(
        "changed.parquet",
        vec![
            ("v", vectors_of(&[4, 5, 6].map(|id| Some(direction(100 * id).to_vec())))),
            ("id", std::sync::Arc::new(arrow_array::Int64Array::from(vec![4, 5, 6]))),
            ("name", std::sync::Arc::new(arrow_array::StringArray::from(vec!["four", "five", "six"]))),
        ],
    );
    place.run(&["import", "t.parquet", "feed.db", "--key", "id", "--metric", "l2"]).done();
    place
}

fn add(place: &Place, file: &str, arguments: &[&str]) -> Said {
    place.run(&[&["import", file, "feed.db", "--table", "t", "--key", "id"], arguments].concat())
}

fn ids(place: &Place) -> String {
    lines(&place.open("feed.db"), "SELECT id FROM t_rows ORDER BY id").join(" ")
}

fn nearest(place: &Place, id: i64) -> String {
    let vector = format!("{:?}", direction(id));
    place.run(&["query", "feed.db", "--vector", &vector, "--limit", "1", "--columns", "name", "--csv"]).done()
}

#[test]
fn rows_are_added_and_found() {
    let place = place();
    let out = add(&place, "new.parquet", &["--append"]).done();
    assert!(out.starts_with("feed.db: table t, 3 rows added, v FLOAT[2] l2, "), "{out}");
    assert_eq!(ids(&place), "1 2 3 4 5 6 7 8");
    assert!(nearest(&place, 7).starts_with("name,distance\narticle 7,"));
    assert_eq!(place.names(), ["changed.parquet", "feed.db", "new.parquet", "t.parquet"]);
}

#[test]
fn a_key_that_is_there_is_a_bad_row_of_append() {
    let place = place();
    let line = add(&place, "changed.parquet", &["--append"]).failed();
    assert!(line.starts_with("changed.parquet: row 1, column \"id\": the key 4 came before; "), "{line}");
    assert_eq!(ids(&place), "1 2 3 4 5");
    let said = add(&place, "changed.parquet", &["--append", "--on-bad-row", "skip"]);
    assert_eq!(said.code, 1);
    assert_eq!(ids(&place), "1 2 3 4 5 6");
}

#[test]
fn another_constraint_of_the_table_is_not_taken_for_the_key() {
    let place = place();
    place.open("feed.db").execute_batch("CREATE UNIQUE INDEX one ON t_rows(substr(name, 1, 9))").unwrap();
    place.parquet(
        "twin.parquet",
        vec![
            ("v", vectors_of(&[Some(vec![1.0, 0.0])])),
            ("id", std::sync::Arc::new(arrow_array::Int64Array::from(vec![9]))),
            ("name", std::sync::Arc::new(arrow_array::StringArray::from(vec!["article 1"]))),
        ],
    );
    let line = add(&place, "twin.parquet", &["--append"]).failed();
    assert!(line.starts_with("twin.parquet: row 1: UNIQUE constraint failed: index 'one'; "), "{line}");
}

#[test]
fn upsert_replaces_rows_by_their_key() {
    let place = place();
    add(&place, "changed.parquet", &["--upsert"]).done();
    assert_eq!(ids(&place), "1 2 3 4 5 6");
    assert_eq!(
        lines(&place.open("feed.db"), "SELECT name FROM t_rows WHERE id > 3 ORDER BY id"),
        ["four", "five", "six"]
    );
    assert!(nearest(&place, 500).starts_with("name,distance\nfive,"));
    place.run(&["check", "feed.db"]).done();
}

#[test]
fn rows_are_added_to_several_vector_columns() {
    let place = Place::new();
    for (file, id) in [("old.parquet", 1), ("new.parquet", 2)] {
        place.parquet(
            file,
            vec![
                ("id", std::sync::Arc::new(arrow_array::Int64Array::from(vec![id])) as arrow_array::ArrayRef),
                ("a", vectors_of(&[Some(vec![1.0, id as f32])])),
                ("a.b", vectors_of(&[Some(vec![1.0, 2.0, id as f32])])),
            ],
        );
    }
    let run = |file: &str, more: &[&str]| {
        let import =
            ["import", file, "feed.db", "--table", "t", "--key", "id", "--embedding", "a", "--embedding", "a.b"];
        place.run(&[&import, more].concat())
    };
    run("old.parquet", &["--metric", "l2"]).done();
    let out = run("new.parquet", &["--append"]).done();
    assert!(out.starts_with("feed.db: table t, 1 row added, a FLOAT[2] l2, a.b FLOAT[3] l2, "), "{out}");
    run("new.parquet", &["--upsert", "--metric", "l2"]).done();
    assert_eq!(ids(&place), "1 2");
    assert_eq!(
        run("new.parquet", &["--upsert", "--metric", "dot"]).failed(),
        "feed.db: table t, column \"a\": --metric is not what the table was made with, and adding rows cannot change it"
    );
}

#[test]
fn the_first_append_makes_the_table() {
    let place = place();
    place.run(&["import", "t.parquet", "other.db", "--append"]).done();
    place.run(&["import", "new.parquet", "other.db", "--table", "T", "--append"]).done();
    assert_eq!(lines(&place.open("other.db"), "SELECT count(*) FROM t_rows"), ["8"]);
}

#[test]
fn a_table_can_be_protected() {
    let place = place();
    let line = add(&place, "new.parquet", &["--if-exists", "fail"]).failed();
    assert!(line.ends_with("feed.db: it has a table \"t\" already (--if-exists fail)"), "{line}");
    assert_eq!(ids(&place), "1 2 3 4 5");
}

#[test]
fn what_the_table_cannot_take_is_refused() {
    let place = place();
    let id = || std::sync::Arc::new(arrow_array::Int64Array::from(vec![9])) as arrow_array::ArrayRef;
    let vectors = |dims| vectors_of(&[Some(vec![1.0; dims])]);
    place.parquet("long.parquet", vec![("id", id()), ("v", vectors(3))]);
    place.parquet("extra.parquet", vec![("id", id()), ("size", id()), ("v", vectors(2))]);
    place.parquet("other.parquet", vec![("id", id()), ("w", vectors(2))]);
    let refusal = |file: &str, arguments: &[&str]| add(&place, file, arguments).failed();
    assert_eq!(
        refusal("long.parquet", &["--append"]),
        "feed.db: table t, column \"v\": expected 2 dimensions, the files have 3"
    );
    assert_eq!(
        refusal("extra.parquet", &["--append"]),
        "feed.db: table t, column \"size\": the table has no such column; leave it out with --exclude"
    );
    assert_eq!(
        refusal("other.parquet", &["--append"]),
        "feed.db: table t, column \"w\": is not a vector column of the table"
    );
    assert_eq!(
        refusal("extra.parquet", &["--upsert", "--exclude", "size"]),
        "feed.db: table t, column \"name\": the files lack it, so --upsert would lose its values"
    );
    let line = place.run(&["import", "new.parquet", "feed.db", "--table", "t", "--key", "name", "--upsert"]).failed();
    assert_eq!(
        line,
        "feed.db: table t, column \"name\": it is not a key of the table, so --upsert cannot find rows by it"
    );
    for (option, value) in [("--metric", "cosine"), ("--element", "f16"), ("--m", "8"), ("--ef-construction", "50")] {
        assert_eq!(
            refusal("new.parquet", &["--append", option, value]),
            format!(
                "feed.db: table t, column \"v\": {option} is not what the table was made with, \
                 and adding rows cannot change it"
            )
        );
    }
    add(&place, "new.parquet", &["--append", "--metric", "l2", "--m", "16"]).done();
}

/// Silently ignored, they would leave a table with the same key twice, or one that is slow to filter.
#[test]
fn a_key_or_an_index_that_the_table_lacks_is_refused() {
    let place = place();
    let append = |arguments: &[&str]| {
        place.run(&[&["import", "new.parquet", "feed.db", "--table", "t", "--append"], arguments].concat())
    };
    assert_eq!(
        append(&["--key", "name"]).failed(),
        "feed.db: table t, column \"name\": it is not a key of the table, and adding rows cannot make it one"
    );
    assert_eq!(
        append(&["--index", "id,name"]).failed(),
        "feed.db: table t, column \"name\": it has no index in the table, and adding rows cannot give it one (--index)"
    );
    assert_eq!(ids(&place), "1 2 3 4 5");
    place.open("feed.db").execute_batch("CREATE INDEX of_names ON t_rows(name)").unwrap();
    append(&["--key", "id", "--index", "id,name"]).done();
    assert_eq!(ids(&place), "1 2 3 4 5 6 7 8");
}

#[test]
fn replace_makes_the_table_anew_and_excludes_other_modes() {
    let place = place();
    add(&place, "new.parquet", &["--replace"]).done();
    assert_eq!(ids(&place), "6 7 8");
    for other in ["--append", "--upsert", "--if-exists=fail"] {
        let said = add(&place, "new.parquet", &["--replace", other]);
        assert_eq!(said.code, 2);
        assert!(said.err.starts_with("error: the argument '--replace' cannot be used with '"), "{said:?}");
    }
}
