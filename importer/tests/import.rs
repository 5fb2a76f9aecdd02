//! From Parquet to a table: columns, keys, several files, bad rows.

mod support;
use arrow_array::builder::{Float64Builder, LargeListBuilder};
use arrow_array::*;
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use support::*;

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn columns_keep_their_names_order_and_types() {
    let place = Place::new();
    place.parquet(
        "shop.parquet",
        vec![
            ("article id", strings(&[Some("A2"), Some("A1")])),
            ("v", vectors_of(&[Some(vec![1.0, 0.0, 0.5]), Some(vec![0.0, 1.0, 0.0])])),
            ("price", Arc::new(Decimal128Array::from(vec![1990, 5]).with_precision_and_scale(9, 2).unwrap())),
            ("stock", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
            ("Größe \"x\"", Arc::new(Float64Array::from(vec![Some(0.1), None]))),
        ],
    );
    let said = place.run(&["import", "shop.parquet", "feed.db", "--key", "article id", "--index", "price"]);
    assert_eq!(
        said.err,
        "vecrank: warning: shop.parquet: row 1, column \"stock\": 18446744073709551615 is beyond SQLite's INTEGER; \
         such values are stored as TEXT\n"
    );
    let out = said.done();
    assert!(out.starts_with("feed.db: table shop, 2 rows, v FLOAT[3] cosine, "), "{out}");
    let db = place.open("feed.db");
    assert_eq!(
        lines(
            &db,
            "SELECT \"article id\", price, stock, typeof(stock), \"Größe \"\"x\"\"\" FROM shop_rows ORDER BY rowid"
        ),
        ["A2|19.90|18446744073709551615|text|0.1", "A1|0.05|NULL|null|NULL"]
    );
    assert_eq!(
        lines(
            &db,
            "SELECT name, type, \"notnull\", pk FROM pragma_table_info('shop_rows') WHERE name <> 'rowid' LIMIT 4"
        ),
        ["article id|TEXT|1|0", "price|TEXT|0|0", "stock||0|0", "Größe \"x\"|REAL|0|0"]
    );
    let indexes =
        "SELECT count(*) FROM pragma_index_list('shop_rows') l, pragma_index_info(l.name) i WHERE i.name = 'price'";
    assert_eq!(lines(&db, indexes), ["1"]);
    assert_eq!(lines(&db, "SELECT tbl FROM sqlite_stat1 GROUP BY tbl"), ["shop_rows"], "ANALYZE ran");
}

#[test]
fn every_column_with_numbers_beyond_integer_is_warned_of_once() {
    let place = Place::new();
    let large = || Arc::new(UInt64Array::from(vec![1, u64::MAX, u64::MAX])) as ArrayRef;
    place.parquet("t.parquet", vec![("a", large()), ("b", large()), ("v", vectors_of(&vec![Some(vec![1.0]); 3]))]);
    let said = place.run(&["import", "t.parquet", "feed.db"]);
    let warning = |column: &str| {
        format!(
            "vecrank: warning: t.parquet: row 2, column \"{column}\": 18446744073709551615 is beyond SQLite's INTEGER; such \
             values are stored as TEXT\n"
        )
    };
    assert_eq!((said.code, said.err), (0, warning("a") + &warning("b")));
}

/// Rows in the order of the nodes, and pages of a size that fits them.
#[test]
fn the_file_is_laid_out_for_reading() {
    let place = Place::new();
    let mixed: Vec<Option<Vec<f32>>> = (0..600).map(|i| Some(direction(i * 211 % 600).repeat(128))).collect();
    place.parquet("t.parquet", vec![("v", vectors_of(&mixed))]);
    place.run(&["import", "t.parquet", "feed.db"]).done();
    let db = place.open("feed.db");
    assert_eq!(lines(&db, "SELECT min(rowid), max(rowid), count(*) FROM t_rows"), ["1|600|600"]);
    let disorder = "SELECT count(*) FROM t_rows x JOIN t_rows y ON y.rowid = x.rowid + 1 AND y.v < x.v";
    assert_eq!(lines(&db, disorder), ["0"]);
    let settings = "SELECT page_size, freelist_count, journal_mode FROM pragma_page_size, pragma_freelist_count, pragma_journal_mode";
    assert_eq!(lines(&db, settings), ["16384|0|delete"], "seven nodes of FLOAT[256] to a page");
    place.run(&["import", "t.parquet", "other.db", "--page-size", "8192"]).done();
    assert_eq!(lines(&place.open("other.db"), settings), ["8192|0|delete"]);
}

#[test]
fn the_pasted_statement_runs() {
    let place = Place::new();
    place.catalogue("order.parquet", 1, 30);
    let out = place.run(&["import", "order.parquet", "feed.db", "--key", "id"]).done();
    let (_, statement) = out.split_once("\n\n").unwrap();
    assert_eq!(
        statement,
        "SELECT id, name, distance FROM \"order\"\nWHERE v MATCH (SELECT v FROM \"order\" WHERE v IS NOT NULL LIMIT 1)\n\
         ORDER BY distance LIMIT 10;\n"
    );
    let nearest = place.run(&["query", "feed.db", "--like", "id=1", "--limit", "3", "--csv"]).done();
    assert!(nearest.starts_with("id,name,distance\n1,article 1,0.0\n2,article 2,"), "{nearest}");
}

#[test]
fn several_files_and_patterns_make_one_table() {
    let place = Place::new();
    place.catalogue("part-1.parquet", 1, 3);
    place.catalogue("part-2.parquet", 4, 2);
    // The same columns in another order, in narrower and wider types.
    let mut wide = LargeListBuilder::new(Float64Builder::new());
    wide.append_value(direction(6).map(|x| Some(f64::from(x))));
    place.parquet(
        "more.parquet",
        vec![
            ("v", Arc::new(wide.finish()) as ArrayRef),
            ("name", Arc::new(LargeStringArray::from(vec!["article 6"]))),
            ("id", Arc::new(Int16Array::from(vec![6]))),
        ],
    );
    let import =
        ["import", "part-*.parquet", "more.parquet", "feed.db", "--table", "t", "--key", "id", "--union-by-name"];
    place.run(&import).done();
    let db = place.open("feed.db");
    let expected: Vec<String> = (1..=6).map(|id| format!("{id}|article {id}")).collect();
    assert_eq!(lines(&db, "SELECT id, name FROM t_rows ORDER BY id"), expected);
    let nearest = place.run(&["query", "feed.db", "--like", "id=6", "--limit", "2", "--csv", "--columns", "id"]).done();
    assert!(nearest.starts_with("id,distance\n6,0.0\n5,"), "{nearest}");
}

#[test]
fn columns_can_be_chosen() {
    let place = Place::new();
    place.catalogue("t.parquet", 1, 3);
    let columns = |arguments: &[&str]| {
        place.run(&[&["import", "t.parquet", "feed.db"], arguments].concat()).done();
        let out = place.run(&["info", "feed.db", "--json"]).done();
        let info: serde_json::Value = serde_json::from_str(&out).unwrap();
        info[0]["columns"].to_string()
    };
    assert_eq!(columns(&["--columns", "name"]), r#"["name"]"#);
    assert_eq!(columns(&["--exclude", "name"]), r#"["id"]"#);
    assert_eq!(columns(&["--columns", "name,id"]), r#"["id","name"]"#);
}

#[test]
fn standard_input_is_a_file_too() {
    let place = Place::new();
    place.catalogue("t.parquet", 1, 3);
    let bytes = std::fs::read(place.path("t.parquet")).unwrap();
    let mut command = place.command(&["import", "-", "feed.db", "--table", "t"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(lines(&place.open("feed.db"), "SELECT count(*) FROM t_rows"), ["3"]);
    assert_eq!(place.names(), ["feed.db", "t.parquet"]);
}

#[test]
fn several_vector_columns_in_every_element_and_metric() {
    let place = Place::new();
    let vectors = vec![Some(vec![1.0, 2.0]), Some(vec![3.0, -4.0])];
    place.parquet("t.parquet", vec![("a", vectors_of(&vectors)), ("b", vectors_of(&vectors))]);
    for (element, declared) in [("f32", "FLOAT"), ("f16", "FLOAT16"), ("i8", "INT8")] {
        for metric in ["cosine", "l2", "dot"] {
            let choice = ["--embedding", "a", "--embedding", "b", "--element", element, "--metric", metric];
            let out = place.run(&[&["import", "t.parquet", "feed.db"], &choice[..]].concat()).done();
            let expected = format!("feed.db: table t, 2 rows, a {declared}[2] {metric}, b {declared}[2] {metric}, ");
            assert!(out.starts_with(&expected), "{out}");
            let stored = ["query", "feed.db", "--columns", "a,b", "--json"];
            assert_eq!(
                place.run(&stored).done(),
                "[\n  {\"a\":[1.0,2.0],\"b\":[1.0,2.0]},\n  {\"a\":[3.0,-4.0],\"b\":[3.0,-4.0]}\n]\n",
                "{element} {metric}"
            );
        }
    }
}

/// One good row, then one of each kind of bad row.
fn bad_rows(place: &Place) {
    let nan = f32::NAN;
    place.parquet(
        "t.parquet",
        vec![
            ("id", strings(&[Some("a"), Some("b"), Some("c"), Some("d"), Some("e"), Some("a"), None])),
            (
                "v",
                vectors_of(&[
                    Some(vec![1.0, 0.0]),
                    None,
                    Some(vec![1.0]),
                    Some(vec![0.0, nan]),
                    Some(vec![0.0, 0.0]),
                    Some(vec![0.0, 1.0]),
                    Some(vec![0.0, 1.0]),
                ]),
            ),
        ],
    );
}

const FAULTS: [&str; 6] = [
    "t.parquet: row 2, column \"v\": expected a vector, got NULL",
    "t.parquet: row 3, column \"v\": expected 2 dimensions, got 1",
    "t.parquet: row 4, column \"v\": component 1: expected a finite number, got NaN",
    "t.parquet: row 5, column \"v\": expected a direction (metric cosine), got a vector of zeros",
    "t.parquet: row 6, column \"id\": the key 'a' came before",
    "t.parquet: row 7, column \"id\": expected a key, got NULL",
];

#[test]
fn a_bad_row_stops_the_import() {
    let place = Place::new();
    bad_rows(&place);
    place.catalogue("old.parquet", 1, 3);
    place.run(&["import", "old.parquet", "feed.db", "--table", "t"]).done();
    let before = std::fs::read(place.path("feed.db")).unwrap();
    let line = place.run(&["import", "t.parquet", "feed.db", "--key", "id"]).failed();
    assert_eq!(line, format!("{}; nothing was imported (--on-bad-row skip leaves such rows out)", FAULTS[0]));
    assert_eq!(std::fs::read(place.path("feed.db")).unwrap(), before);
    assert_eq!(place.names(), ["feed.db", "old.parquet", "t.parquet"]);
}

#[test]
fn rows_are_counted_from_the_start_of_their_file() {
    let place = Place::new();
    place.parquet("a.parquet", vec![("v", vectors_of(&vec![Some(vec![1.0]); 5]))]);
    place.parquet("b.parquet", vec![("v", vectors_of(&[vec![Some(vec![1.0]); 2999], vec![None]].concat()))]);
    let line = place.run(&["import", "a.parquet", "b.parquet", "feed.db", "--table", "t"]).failed();
    assert!(line.starts_with("b.parquet: row 3000, column \"v\": expected a vector, got NULL; "), "{line}");
}

#[test]
fn bad_rows_can_be_left_out() {
    let place = Place::new();
    bad_rows(&place);
    let said = place.run(&["import", "t.parquet", "feed.db", "--key", "id", "--on-bad-row", "skip"]);
    assert_eq!(said.code, 1);
    let warnings: Vec<&str> = said.err.lines().map(|line| line.strip_prefix("vecrank: warning: ").unwrap()).collect();
    assert_eq!(warnings, FAULTS);
    assert!(said.out.starts_with("feed.db: table t, 1 row, 6 skipped, v FLOAT[2] cosine, "), "{}", said.out);
    assert_eq!(lines(&place.open("feed.db"), "SELECT id FROM t_rows"), ["a"]);
}

#[test]
fn bad_vectors_can_be_left_out_of_their_rows() {
    let place = Place::new();
    bad_rows(&place);
    let said = place.run(&["import", "t.parquet", "feed.db", "--key", "id", "--on-bad-row", "null"]);
    assert_eq!(said.code, 1, "the rows without a key of their own were left out");
    assert!(
        said.out.starts_with("feed.db: table t, 5 rows, 2 skipped, 4 vectors left out, v FLOAT[2] cosine, "),
        "{}",
        said.out
    );
    assert_eq!(lines(&place.open("feed.db"), "SELECT id FROM t_rows ORDER BY id"), ["a", "b", "c", "d", "e"]);
    let ranked = place.run(&["query", "feed.db", "--vector", "[1, 0]", "--csv", "--columns", "id"]).done();
    assert_eq!(ranked, "id,distance\na,0.0\n");
}

#[test]
fn only_the_first_bad_rows_are_described() {
    let place = Place::new();
    place.parquet("t.parquet", vec![("v", vectors_of(&[vec![Some(vec![1.0])], vec![None; 25]].concat()))]);
    let said = place.run(&["import", "t.parquet", "feed.db", "--on-bad-row", "skip", "--json"]);
    assert_eq!((said.code, said.err.lines().count()), (1, 11));
    assert!(said.err.ends_with("vecrank: warning: 15 more like these\n"), "{}", said.err);
    let summary: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&summary["rows"], &summary["skipped"]), (&1.into(), &25.into()));
}

#[test]
fn an_empty_file_with_fixed_dimensions_makes_an_empty_table() {
    let place = Place::new();
    let lists = builder::FixedSizeListBuilder::new(builder::Float32Builder::new(), 4).finish();
    place.parquet("t.parquet", vec![("v", Arc::new(lists) as ArrayRef)]);
    let out = place.run(&["import", "t.parquet", "feed.db", "--allow-empty"]).done();
    assert!(out.starts_with("feed.db: table t, 0 rows, v FLOAT[4] cosine, "), "{out}");
    assert_eq!(place.run(&["query", "feed.db", "--vector", "[1, 0, 0, 0]", "--json"]).done(), "[]\n");
}
