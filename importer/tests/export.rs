//! `vecrank export`: every type and element comes back by `vecrank import` as it was.

mod support;
use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use support::*;

/// A table with every type of values, NULLs, and odd names.
const TABLE: &str = r#"
    CREATE VIRTUAL TABLE "t x" USING hnsw("a key" TEXT PRIMARY KEY, n INTEGER, r REAL, "te,xt" TEXT, data BLOB,
      f FLOAT[3], h FLOAT16[3], i INT8[3], b BIT[16]);
    INSERT INTO "t x" VALUES
      ('one', 9223372036854775807, 0.1, 'größe', x'00ff', '[0.1, -0, 3]', '[0.5, 1, 2]', '[-128, 0, 127]', x'0180'),
      ('two', NULL, -1e300, 'it''s' || char(0) || 'x', x'', NULL, '[1, 2, 3]', NULL, x'ffff'),
      ('three', -1, NULL, NULL, NULL, '[1, 2, 3]', NULL, '[1, 2, 3]', NULL);"#;

const ROWS: &str = r#"SELECT quote("a key") || n || quote(r) || quote("te,xt") || quote(data) || quote(f) || quote(h) || quote(i) || quote(b)
    FROM "t x" ORDER BY rowid"#;

fn place(sql: &str) -> Place {
    let place = Place::new();
    place.open_with_extension("feed.db").execute_batch(sql).unwrap();
    place
}

fn batches(place: &Place, name: &str) -> Vec<RecordBatch> {
    let file = File::open(place.path(name)).unwrap();
    if name.ends_with(".arrow") {
        return arrow_ipc::reader::FileReader::try_new(file, None).unwrap().map(Result::unwrap).collect();
    }
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_is_exported_is_imported_value_by_value() {
    let place = place(TABLE);
    for (column, element) in [("f", "f32"), ("h", "f16"), ("i", "i8"), ("b", "bit")] {
        let columns = format!("a key,n,r,te,xt,data,{column}");
        // A comma parts names, so a name with one cannot be asked for.
        assert_eq!(
            place.run(&["export", "feed.db", "out.parquet", "--columns", &columns]).failed(),
            "feed.db: no column te; there is a key, n, r, te,xt, data, f, h, i, b"
        );
        let columns = format!("a key,n,r,data,{column}");
        place.run(&["export", "feed.db", "out.parquet", "--columns", &columns]).done();
        let to =
            ["--table", "t x", "--key", "a key", "--embedding", column, "--element", element, "--on-bad-row", "null"];
        place.run(&[&["import", "out.parquet", "copy.db"][..], &to].concat()).done();
        let rows = format!(
            "SELECT quote(\"a key\") || ifnull(n, '-') || quote(r) || quote(data) || quote({column}) FROM \"t x\" ORDER BY \"a key\""
        );
        let of = |file: &str| lines(&place.open_with_extension(file), &rows);
        assert_eq!(of("copy.db"), of("feed.db"), "{column}");
    }
}

#[test]
fn both_formats_hold_the_same_rows_with_types() {
    let place = place(TABLE);
    let said = place.run(&["export", "feed.db", "out.parquet"]).done();
    assert!(said.starts_with("out.parquet: 3 rows of t x, "), "{said}");
    place.run(&["export", "feed.db", "out.arrow"]).done();
    let (parquet, arrow) = (batches(&place, "out.parquet"), batches(&place, "out.arrow"));
    assert_eq!(parquet, arrow);
    let schema = parquet[0].schema();
    let types = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
    let types: Vec<String> = types.collect();
    let is_list =
        |place: usize, component: &str| types[place].contains("FixedSizeList") && types[place].contains(component);
    assert_eq!(types[..5], ["a key Utf8", "n Int64", "r Float64", "te,xt Utf8", "data Binary"]);
    assert!(is_list(5, "Float32") && is_list(6, "Float16") && is_list(7, "Int8"), "{types:?}");
    assert_eq!(types[8], "b FixedSizeBinary(2)");
    assert_eq!(lines(&place.open_with_extension("feed.db"), ROWS).len(), 3);
}

#[test]
fn rows_and_columns_are_chosen() {
    let place = Place::new();
    place.catalogue("t.parquet", 1, 60);
    place.run(&["import", "t.parquet", "feed.db", "--key", "id"]).done();
    let some = ["--columns", "ROWID,name", "--where", "id > 57 -- the last", "--json"];
    let said = place.run(&[&["export", "feed.db", "some.parquet"][..], &some].concat()).done();
    assert!(said.starts_with(r#"{"output":"some.parquet","table":"t","rows":3,"bytes":"#), "{said}");
    let rows = batches(&place, "some.parquet");
    assert_eq!((rows[0].num_columns(), rows[0].num_rows(), rows[0].schema().field(0).name().as_str()), (2, 3, "rowid"));
    place.run(&["export", "feed.db", "none.arrow", "--where", "id < 0"]).done();
    assert_eq!(batches(&place, "none.arrow").iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
}

#[test]
fn an_index_over_a_table_gives_the_rows_of_its_content() {
    let place = place(
        "CREATE TABLE products(id INTEGER PRIMARY KEY, name TEXT, e BLOB);
         INSERT INTO products(name, e) VALUES ('json', '[1, 2]'), ('bytes', vec_parse('[3, 4]')), ('none', NULL);
         CREATE VIRTUAL TABLE near USING hnsw(content = 'products', e FLOAT[2]);",
    );
    place.run(&["export", "feed.db", "out.parquet"]).done();
    place.run(&["import", "out.parquet", "copy.db", "--table", "t", "--key", "id", "--on-bad-row", "null"]).done();
    let of = |file: &str, table: &str| {
        let vector = "quote(CASE typeof(e) WHEN 'text' THEN vec_parse(e) ELSE e END)";
        lines(&place.open_with_extension(file), &format!("SELECT id || name || {vector} FROM {table} ORDER BY id"))
    };
    assert_eq!(of("copy.db", "t"), of("feed.db", "products"));
}

#[test]
fn a_column_of_several_types_needs_a_type() {
    let place = place(
        "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, x, y NUMERIC, z, e FLOAT[1]);
         INSERT INTO t(x, y, z, e) VALUES (1, 1, x'61', '[1]'), ('a', 1.5, 'a', '[2]'), (NULL, NULL, NULL, NULL);",
    );
    let export = |more: &[&str]| place.run(&[&["export", "feed.db", "out.parquet"], more].concat());
    assert_eq!(
        export(&[]).failed(),
        "feed.db: t.x: holds INTEGER and TEXT values, and a column of the file has one type: give --type x=TEXT, or leave it out of --columns"
    );
    assert_eq!(
        export(&["--type", "x=TEXT"]).failed(),
        "feed.db: t.y: holds INTEGER and REAL values, and a column of the file has one type: give --type y=REAL, or leave it out of --columns"
    );
    assert_eq!(
        export(&["--type", "x=TEXT", "--type", "y=REAL", "--type", "z=TEXT"]).failed(),
        "feed.db: --type z=TEXT: t.z holds BLOB and TEXT values"
    );
    assert_eq!(
        export(&["--columns", "id,e", "--type", "e=TEXT"]).failed(),
        "feed.db: --type e=TEXT: a vector column has its own type"
    );
    assert_eq!(export(&["--type", "no=TEXT"]).failed(), "feed.db: --type no: it is no column that is written");
    assert_eq!(export(&["--columns", "id,ID"]).failed(), "feed.db: --columns: id is named twice");
    export(&["--type", "x=TEXT", "--type", "y=REAL", "--type", "z=BLOB"]).done();
    place.run(&["import", "out.parquet", "copy.db", "--table", "t", "--key", "id", "--on-bad-row", "null"]).done();
    let copy = lines(
        &place.open_with_extension("copy.db"),
        "SELECT quote(x) || ' ' || quote(y) || ' ' || quote(z) FROM t ORDER BY id",
    );
    assert_eq!(copy, ["'1' 1.0 X'61'", "'a' 1.5 X'61'", "NULL NULL NULL"]);
}

#[test]
fn what_cannot_be_written_leaves_the_old_file() {
    let place = place(
        "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, x TEXT, e FLOAT[1]);
         INSERT INTO t(x, e) VALUES ('a', '[1]'), (CAST(x'ff' AS TEXT), '[2]');",
    );
    std::fs::write(place.path("out.parquet"), "old").unwrap();
    let before = place.names();
    assert_eq!(
        place.run(&["export", "feed.db", "out.parquet"]).failed(),
        "feed.db: x: row with rowid 2: its text is not UTF-8"
    );
    assert_eq!(std::fs::read_to_string(place.path("out.parquet")).unwrap(), "old");
    assert_eq!(place.names(), before);
    assert_eq!(
        place.run(&["export", "feed.db", "out.csv"]).failed(),
        "out.csv: expected a name that ends in .parquet or .arrow"
    );
    let lost = place.run(&["export", "feed.db", "nowhere/out.arrow"]).failed();
    assert!(lost.starts_with("nowhere/out.arrow: cannot be made: "), "{lost}");
    place.run(&["export", "feed.db", "out.parquet", "--where", "id = 1"]).done();
    assert_eq!(batches(&place, "out.parquet")[0].num_rows(), 1);
}
