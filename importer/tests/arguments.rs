//! What is refused before any file is touched, and in which words.

mod support;
use arrow_array::{ArrayRef, FixedSizeBinaryArray, StringArray};
use std::sync::Arc;
use support::*;

fn refusal(arguments: &[&str]) -> String {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    place.catalogue("b.parquet", 4, 3);
    let before = place.names();
    let line = place.run(arguments).failed();
    assert_eq!(place.names(), before, "nothing is left behind");
    line
}

#[test]
fn a_forgotten_database_does_not_cost_a_parquet_file() {
    assert_eq!(
        refusal(&["import", "a.parquet", "b.parquet"]),
        "the last argument is the database to make, got b.parquet; write such as: vecrank import b.parquet feed.db"
    );
}

#[test]
fn a_file_that_is_no_database_is_not_replaced() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    std::fs::write(place.path("notes.txt"), "important").unwrap();
    let line = place.run(&["import", "a.parquet", "notes.txt"]).failed();
    assert!(line.ends_with("notes.txt: exists and is not an SQLite database; it was not touched"), "{line}");
    assert_eq!(std::fs::read_to_string(place.path("notes.txt")).unwrap(), "important");
}

#[test]
fn several_files_need_a_table_name() {
    assert_eq!(
        refusal(&["import", "a.parquet", "b.parquet", "feed.db"]),
        "several files: give the table a name with --table"
    );
    assert_eq!(refusal(&["import", "-", "feed.db"]), "standard input has no name: give --table");
}

#[test]
fn missing_inputs_are_named() {
    assert_eq!(
        refusal(&["import", "no.parquet", "feed.db"]),
        "no.parquet: cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(refusal(&["import", "no-*.parquet", "feed.db"]), "no file matches 'no-*.parquet'");
}

#[test]
fn options_out_of_range_are_refused() {
    let import = |option: &str, value: &str| refusal(&["import", "a.parquet", "feed.db", option, value]);
    assert_eq!(import("--m", "1"), "m: expected 2 to 64, got 1");
    assert_eq!(import("--ef-construction", "0"), "ef_construction: expected 1 to 10000, got 0");
    assert_eq!(import("--page-size", "5000"), "--page-size: expected a power of two from 512 to 65536, got 5000");
    assert_eq!(import("--dims", "0"), "--dims: expected vectors of 1 to 16384 dimensions, got 0");
    assert_eq!(
        import("--table", "sqlite_x"),
        "table name \"sqlite_x\": names that begin with sqlite_ belong to SQLite"
    );
    assert_eq!(import("--table", ""), "table name \"\": SQLite cannot use it");
}

#[test]
fn columns_that_do_not_fit_are_refused_by_name() {
    let import = |option: &str, value: &str| refusal(&["import", "a.parquet", "feed.db", option, value]);
    assert_eq!(import("--key", "nr"), "a.parquet: no column \"nr\"; the columns are id, name, v");
    assert_eq!(import("--key", "v"), "--key v: a vector column cannot be the key");
    assert_eq!(import("--index", "v"), "--index v: a vector column has its own index; --index is for ordinary columns");
    assert_eq!(
        import("--embedding", "id"),
        "a.parquet: --embedding id: expected lists of numbers, JSON arrays or binary of float32, got Int64"
    );
    assert_eq!(
        import("--embedding", "name"),
        "a.parquet: row 1, column \"name\": expected a JSON array of numbers, got \"article 1\""
    );
    assert_eq!(import("--embedding", "x.y"), "a.parquet: no column \"x.y\"; the columns are id, name, v");
    assert_eq!(
        import("--embedding", "w=na*e"),
        "a.parquet: --embedding w=na*e: no column has such a name with a number in the place of the *"
    );
    assert_eq!(import("--rename", "nr=id"), "a.parquet: no column \"nr\"; the columns are id, name, v");
    assert_eq!(
        refusal(&["import", "a.parquet", "feed.db", "--key", "id", "--exclude", "id"]),
        "column \"id\" is both needed (--key, --shard-by, --index or --type) and left out"
    );
    assert_eq!(
        refusal(&["import", "a.parquet", "feed.db", "--embedding", "v", "--type", "v=TEXT"]),
        "--type v=TEXT: the column holds vectors; --element says how they are stored"
    );
    assert_eq!(
        import("--exclude", "v"),
        "a.parquet: no column has lists of floating-point numbers; name the column with the vectors: --embedding COLUMN"
    );
}

#[test]
fn unreadable_files_are_refused_by_name() {
    let place = Place::new();
    place.catalogue("good.parquet", 1, 100);
    let good = std::fs::read(place.path("good.parquet")).unwrap();
    std::fs::write(place.path("text.parquet"), "id,name\n1,x\n").unwrap();
    std::fs::write(place.path("empty.parquet"), "").unwrap();
    std::fs::write(place.path("cut.parquet"), &good[..good.len() / 2]).unwrap();
    std::fs::create_dir(place.path("folder.parquet")).unwrap();
    let refusal = |name: &str| place.run(&["import", name, "feed.db"]).failed();
    for name in ["text.parquet", "empty.parquet", "cut.parquet"] {
        let line = refusal(name);
        assert!(line.starts_with(&format!("{name}: not a readable Parquet file: ")), "{line}");
    }
    assert_eq!(refusal("folder.parquet"), "folder.parquet: is a directory; write 'folder.parquet/*.parquet'");
    assert!(!place.path("feed.db").exists());
}

#[test]
fn a_damaged_column_is_named() {
    let place = Place::new();
    place.catalogue("damaged.parquet", 1, 5000);
    let mut bytes = std::fs::read(place.path("damaged.parquet")).unwrap();
    let middle = bytes.len() / 2;
    bytes[4..middle].fill(0xa5);
    std::fs::write(place.path("damaged.parquet"), bytes).unwrap();
    let line = place.run(&["import", "damaged.parquet", "feed.db"]).failed();
    assert!(
        line.starts_with("damaged.parquet: column \"id\": cannot be decoded, it is damaged or encrypted: "),
        "{line}"
    );
    assert_eq!(place.names(), ["damaged.parquet"]);
}

#[test]
fn files_of_different_schemas_are_refused() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    let vectors = || vectors_of(&[Some(vec![1.0, 0.0])]);
    let id = || std::sync::Arc::new(arrow_array::Int64Array::from(vec![9])) as arrow_array::ArrayRef;
    place.parquet("b.parquet", vec![("id", id()), ("v", vectors())]);
    place.parquet("c.parquet", vec![("id", id()), ("name", id()), ("v", vectors())]);
    let refusal = |name: &str| place.run(&["import", "a.parquet", name, "feed.db", "--table", "t"]).failed();
    assert_eq!(
        refusal("b.parquet"),
        "a.parquet: column \"name\" (Utf8) is not in b.parquet; --union-by-name makes it NULL there, or leave it out with \
         --exclude"
    );
    assert_eq!(
        refusal("c.parquet"),
        "c.parquet: column \"name\": expected Utf8, as in a.parquet, got Int64; no type holds the values of both; leave it \
         out with --exclude"
    );
}

#[test]
fn a_column_of_nulls_has_no_dimensions() {
    let place = Place::new();
    place.parquet("a.parquet", vec![("v", vectors_of(&[None, None]))]);
    let line = place.run(&["import", "a.parquet", "feed.db"]).failed();
    assert_eq!(line, "column \"v\": no row has a vector, so its dimensions are unknown; --dims N gives them");
}

#[test]
fn columns_that_may_hold_vectors_are_named_where_none_is_found() {
    let place = Place::new();
    let bytes = |size: usize| -> ArrayRef {
        Arc::new(FixedSizeBinaryArray::try_from_iter([vec![0; size]].into_iter()).unwrap())
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec!["[1, 2]"]));
    place.parquet("a.parquet", vec![("u", bytes(16)), ("w", bytes(24)), ("odd", bytes(15)), ("text", text)]);
    let refused = |more: &[&str]| place.run(&[&["import", "a.parquet", "feed.db"], more].concat()).failed();
    let start = "a.parquet: no column has lists of floating-point numbers; name the column with the vectors: --embedding \
                 COLUMN";
    assert_eq!(
        refused(&[]),
        format!(
            "{start}; these may have some, and are taken for vectors only by name: \"u\" (FixedSizeBinary(16)), \"w\" \
             (FixedSizeBinary(24))"
        )
    );
    assert_eq!(refused(&["--exclude", "u,w"]), start);
    place.run(&["import", "a.parquet", "feed.db", "--embedding", "w", "--metric", "l2"]).done();
}

#[test]
fn queries_are_checked_before_the_file_is_opened() {
    let query = |arguments: &[&str]| refusal(&[&["query", "no.db"], arguments].concat());
    assert_eq!(query(&["--like", "id"]), "--like id: expected COLUMN=VALUE");
    assert_eq!(
        query(&["--vector", "1, 2"]),
        "--vector 1, 2: expected JSON such as [0.1, -0.2], or @FILE with such JSON in it"
    );
    assert_eq!(
        query(&["--vector", "@no.json"]),
        "--vector @no.json: cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(query(&["--ef-search", "much"]), "--ef-search much: expected a number or exact");
    assert_eq!(query(&["--like", "id=1"]), "no.db: no such file");
}
