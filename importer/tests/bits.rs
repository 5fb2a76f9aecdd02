//! --element bit: packed bits of binary columns, and the signs of numbers.

mod support;
use arrow_array::builder::{ListBuilder, UInt8Builder};
use arrow_array::*;
use std::sync::Arc;
use support::*;

const DIMS: usize = 16;

/// Vectors whose signs are the bits of the id and of its double.
fn floats(ids: std::ops::Range<i64>) -> Vec<Option<Vec<f32>>> {
    let sign = |bits: i64, bit: usize| if bits >> bit & 1 == 1 { 0.25 + bit as f32 } else { -1.5 };
    ids.map(|id| Some((0..DIMS).map(|bit| sign(id | (2 * id) << 8, bit)).collect())).collect()
}

fn packed(ids: std::ops::Range<i64>) -> Vec<[u8; 2]> {
    ids.map(|id| [id as u8, (2 * id) as u8]).collect()
}

fn ids(range: std::ops::Range<i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(range))
}

fn fixed(rows: std::ops::Range<i64>) -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::try_from_iter(packed(rows).into_iter()).unwrap())
}

fn import(place: &Place, file: &str, more: &[&str]) -> Said {
    place.run(&[&["import", file, "feed.db", "--table", "t", "--key", "id", "--element", "bit"], more].concat())
}

fn stored(place: &Place) -> Vec<String> {
    let connection = place.open_with_extension("feed.db");
    connection.execute_batch("INSERT INTO t(t) VALUES ('integrity-check')").unwrap();
    lines(&connection, "SELECT id || ' ' || hex(v) FROM t ORDER BY id")
}

#[test]
fn signs_of_numbers_and_packed_bits_give_the_same_table() {
    let place = Place::new();
    place.parquet("floats.parquet", vec![("id", ids(0..100)), ("v", vectors_of(&floats(0..100)))]);
    place.parquet("fixed.parquet", vec![("id", ids(0..100)), ("v", fixed(0..100))]);
    let bytes = packed(0..100);
    let binary: ArrayRef = Arc::new(BinaryArray::from_iter_values(bytes.iter()));
    place.parquet("binary.parquet", vec![("id", ids(0..100)), ("v", binary)]);
    let expected: Vec<String> = (0..100).zip(&bytes).map(|(id, [a, b])| format!("{id} {a:02X}{b:02X}")).collect();
    for (file, more) in [
        ("floats.parquet", &[][..]),
        ("fixed.parquet", &["--embedding", "v"]),
        ("binary.parquet", &["--embedding", "v"]),
    ] {
        let said = import(&place, file, more).done();
        assert!(said.contains("BIT[16] hamming"), "{said}");
        assert_eq!(stored(&place), expected, "{file}");
        let info = place.run(&["info", "feed.db"]).done();
        assert!(info.contains("BIT") && info.contains("hamming"), "{info}");
        place.run(&["check", "feed.db"]).done();
    }
}

#[test]
fn query_and_recall_read_bits() {
    let place = Place::new();
    place.parquet("f.parquet", vec![("id", ids(1..100)), ("v", vectors_of(&floats(1..100)))]);
    import(&place, "f.parquet", &[]).done();
    let query = |more: &[&str]| {
        place.run(&[&["query", "feed.db", "--limit", "3", "--csv", "--columns", "id,distance"], more].concat()).done()
    };
    let near = "id,distance\n3,0.0\n1,2.0\n2,2.0\n";
    assert_eq!(query(&["--like", "id=3"]), near);
    assert_eq!(query(&["--vector", "[1,1,0,0,0,0,0,0,0,1,1,0,0,0,0,0]"]), near);
    // Of several the bits that most of them have: 1, 3 and 5 have those of 1.
    assert!(query(&["--like", "id=1", "--like", "id=3", "--like", "id=5"]).starts_with("id,distance\n1,0.0\n"));
    let plan =
        place.run(&["query", "feed.db", "--like", "id=1", "--like", "id=3", "--like", "id=5", "--explain"]).done();
    assert!(
        plan.contains("-- :vector = '[1,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0]'") && plan.contains("knn v hamming"),
        "{plan}"
    );
    let shown = place.run(&["query", "feed.db", "--like", "id=3", "--limit", "1", "--json", "--columns", "v"]).done();
    assert!(shown.contains("[1.0,1.0,0.0") || shown.contains("[1,1,0"), "{shown}");
    let wrong = place.run(&["query", "feed.db", "--vector", "[0.5,1,0,0,0,0,0,0,0,1,1,0,0,0,0,0]"]).failed();
    assert!(wrong.contains("t.v: component 0: expected 0 or 1 for BIT, got 0.5"), "{wrong}");
    let said = place.run(&["recall", "feed.db", "--sample", "20"]).done();
    assert!(said.contains("1.0"), "{said}");
    place.parquet("q.parquet", vec![("v", vectors_of(&floats(300..320)))]);
    place.run(&["recall", "feed.db", "--queries", "q.parquet"]).done();
    place.parquet("b.parquet", vec![("v", fixed(50..60))]);
    place.run(&["recall", "feed.db", "--queries", "b.parquet"]).done();
}

#[test]
fn later_files_add_bits_to_bits() {
    let place = Place::new();
    place.parquet("a.parquet", vec![("id", ids(0..50)), ("v", vectors_of(&floats(0..50)))]);
    place.parquet("b.parquet", vec![("id", ids(50..80)), ("v", fixed(50..80))]);
    import(&place, "a.parquet", &[]).done();
    import(&place, "b.parquet", &["--append", "--embedding", "v"]).done();
    assert_eq!(stored(&place).len(), 80);
    let mirrored = import(&place, "b.parquet", &["--mirror", "--embedding", "v"]).done();
    assert!(mirrored.contains("30 rows, 0 inserted, 0 updated, 50 deleted"), "{mirrored}");
    let plain = |file: &str, more: &[&str]| {
        place.run(&[&["import", file, "feed.db", "--table", "t", "--key", "id", "--append"], more].concat()).failed()
    };
    let line = plain("a.parquet", &[]);
    assert!(
        line.contains("column \"v\": it holds bits in the table: --element bit stores bits, or the signs of numbers"),
        "{line}"
    );
    let line = plain("a.parquet", &["--element", "f16"]);
    assert!(line.contains("--element is not what the table was made with"), "{line}");
    assert_eq!(stored(&place).len(), 30);
}

#[test]
fn what_is_no_bits_is_refused_and_nothing_is_made() {
    let place = Place::new();
    let mut bytes = ListBuilder::new(UInt8Builder::new());
    bytes.append_value([0, 1, 1, 0, 0, 0, 0, 200].map(Some));
    place.parquet("bytes.parquet", vec![("id", ids(0..1)), ("v", Arc::new(bytes.finish()))]);
    place.parquet("ten.parquet", vec![("id", ids(0..1)), ("v", vectors_of(&[Some(vec![1.0; 10])]))]);
    place.parquet("nan.parquet", vec![("id", ids(0..1)), ("v", vectors_of(&[Some(vec![f32::NAN; 8])]))]);
    for (file, more, expected) in [
        (
            "bytes.parquet",
            &["--embedding", "v"][..],
            "component 7: expected 0 or 1 (element bit, of unsigned numbers), got 200.0; packed bits are a binary column",
        ),
        ("ten.parquet", &[], "expected vectors of a multiple of 8 dimensions (element bit), got 10"),
        ("nan.parquet", &[], "component 0: expected a finite number, got NaN"),
        ("nan.parquet", &["--metric", "l2"], "metric: expected 'hamming', the one of BIT, got 'l2'"),
        (
            "nan.parquet",
            &["--dims", "12"],
            "--dims: expected vectors of a multiple of 8 dimensions (element bit), got 12",
        ),
    ] {
        let line = import(&place, file, more).failed();
        assert!(line.contains(expected), "{file}: {line}");
        assert!(!place.path("feed.db").exists());
    }
    let line = place.run(&["import", "ten.parquet", "feed.db", "--metric", "hamming"]).failed();
    assert!(
        line.contains("metric: expected 'cosine', 'l2' or 'dot' for FLOAT, got 'hamming', which is for BIT"),
        "{line}"
    );
}
