//! Columns that are renamed, retyped, made of several or of a path, and files and tables that must agree.

mod support;
use arrow_array::*;
use arrow_schema::{DataType, Field};
use std::sync::Arc;
use support::*;

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn unit_vectors(rows: usize) -> ArrayRef {
    vectors_of(&(0..rows).map(|row| Some(direction(row as i64).to_vec())).collect::<Vec<_>>())
}

/// Files of one row with a column `x` beside id and v.
fn file(place: &Place, name: &str, id: i64, x: Option<ArrayRef>) {
    let mut columns = vec![("id", ints(&[id])), ("v", unit_vectors(1))];
    columns.extend(x.map(|x| ("x", x)));
    place.parquet(name, columns);
}

fn import(place: &Place, files: &[&str], more: &[&str]) -> Said {
    place.run(&[&["import"], files, &["feed.db", "--table", "t", "--key", "id"], more].concat())
}

fn stored(place: &Place, what: &str) -> Vec<String> {
    lines(&place.open("feed.db"), &format!("SELECT {what} FROM t_rows ORDER BY id"))
}

/// What the command refuses leaves the old file byte by byte.
fn refused(place: &Place, files: &[&str], more: &[&str]) -> String {
    let before = std::fs::read(place.path("feed.db")).unwrap();
    let line = import(place, files, more).failed();
    assert_eq!(std::fs::read(place.path("feed.db")).unwrap(), before, "{line}");
    line
}

#[test]
fn files_of_one_import_must_have_the_same_types() {
    let place = Place::new();
    file(&place, "old.parquet", 9, None);
    import(&place, &["old.parquet"], &[]).done();
    let moment = |unit: &str| -> ArrayRef {
        match unit {
            "ms" => Arc::new(TimestampMillisecondArray::from(vec![1])),
            _ => Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC")),
        }
    };
    let kinds: Vec<(&str, ArrayRef, &str)> = vec![
        ("i64", ints(&[-1]), "Int64"),
        ("i32", Arc::new(Int32Array::from(vec![-1])), "Int32"),
        ("u64", Arc::new(UInt64Array::from(vec![u64::MAX])), "UInt64"),
        ("f64", Arc::new(Float64Array::from(vec![0.5])), "Float64"),
        ("text", texts(&["2024-01-01"]), "Utf8"),
        ("ms", moment("ms"), "Timestamp(ms)"),
        ("us", moment("us"), "Timestamp(µs, \"UTC\")"),
        ("list", unit_vectors(1), "List(Float32)"),
    ];
    let widened = [("i64", "i32"), ("i32", "i64"), ("i32", "f64"), ("f64", "i32")];
    for (name, array, _) in &kinds {
        file(&place, &format!("{name}-1.parquet"), 1, Some(array.clone()));
        file(&place, &format!("{name}-2.parquet"), 2, Some(array.clone()));
    }
    for (a, _, a_type) in &kinds {
        for (b, _, b_type) in kinds.iter().filter(|(b, ..)| a != b) {
            let files = [format!("{a}-1.parquet"), format!("{b}-2.parquet")];
            let files = [files[0].as_str(), files[1].as_str()];
            let start = format!("{b}-2.parquet: column \"x\": expected {a_type}, as in {a}-1.parquet, got {b_type}; ");
            let is_wider = widened.contains(&(a, b));
            let cure = match is_wider {
                true => "--union-by-name widens it",
                false => "no type holds the values of both; leave it out with --exclude",
            };
            let embedding = ["--embedding", "v"];
            assert_eq!(refused(&place, &files, &embedding), format!("{start}{cure}"));
            let union = ["--embedding", "v", "--union-by-name"];
            match is_wider {
                true => drop(import(&place, &files, &union).done()),
                false => assert_eq!(refused(&place, &files, &union), format!("{start}{cure}")),
            }
        }
    }
    import(&place, &["i64-1.parquet", "text-2.parquet"], &["--exclude", "x"]).done();
}

#[test]
fn a_column_that_a_file_lacks_is_refused_or_null() {
    let place = Place::new();
    file(&place, "without.parquet", 1, None);
    file(&place, "with.parquet", 2, Some(texts(&["a"])));
    file(&place, "null.parquet", 3, Some(Arc::new(NullArray::new(1))));
    import(&place, &["without.parquet"], &[]).done();
    let text = "with.parquet: column \"x\" (Utf8) is not in without.parquet; --union-by-name makes it NULL there, or leave it \
                out with --exclude";
    assert_eq!(refused(&place, &["with.parquet", "without.parquet"], &[]), text);
    assert_eq!(refused(&place, &["without.parquet", "with.parquet"], &[]), text);
    for files in
        [["with.parquet", "without.parquet", "null.parquet"], ["null.parquet", "without.parquet", "with.parquet"]]
    {
        import(&place, &files, &["--union-by-name"]).done();
        assert_eq!(stored(&place, "id, x"), ["1|NULL", "2|a", "3|NULL"]);
    }
    import(&place, &["null.parquet", "with.parquet"], &[]).done();
    assert_eq!(stored(&place, "id, x"), ["2|a", "3|NULL"]);
    import(&place, &["with.parquet", "without.parquet"], &["--exclude", "x"]).done();
}

#[test]
fn a_union_widens_values_exactly() {
    let place = Place::new();
    file(&place, "a.parquet", 1, Some(Arc::new(Int32Array::from(vec![i32::MIN]))));
    file(&place, "b.parquet", 2, Some(Arc::new(UInt32Array::from(vec![u32::MAX]))));
    file(&place, "c.parquet", 3, Some(Arc::new(Float32Array::from(vec![0.1]))));
    import(&place, &["a.parquet", "b.parquet"], &["--union-by-name"]).done();
    assert_eq!(stored(&place, "x, typeof(x)"), ["-2147483648|integer", "4294967295|integer"]);
    import(&place, &["a.parquet", "c.parquet"], &["--union-by-name"]).done();
    assert_eq!(stored(&place, "x, typeof(x)"), ["-2147483648.0|real", "0.10000000149011612|real"]);
    let at: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0]));
    file(&place, "s.parquet", 1, Some(at));
    file(&place, "ns.parquet", 2, Some(Arc::new(TimestampNanosecondArray::from(vec![1]))));
    file(&place, "far.parquet", 3, Some(Arc::new(TimestampSecondArray::from(vec![1 << 40]))));
    import(&place, &["s.parquet", "ns.parquet"], &["--union-by-name"]).done();
    assert_eq!(stored(&place, "x"), ["1970-01-01T00:00:00.000000000", "1970-01-01T00:00:00.000000001"]);
    let line = refused(&place, &["ns.parquet", "far.parquet"], &["--union-by-name"]);
    assert!(line.starts_with("far.parquet: row 1, column \"x\": "), "{line}");
    assert!(line.ends_with(" is not in the range of Timestamp(ns)"), "{line}");
}

#[test]
fn a_file_is_read_once_however_it_is_spelt() {
    let place = Place::new();
    file(&place, "a.parquet", 1, None);
    std::fs::create_dir(place.path("sub")).unwrap();
    std::os::unix::fs::symlink(place.path("a.parquet"), place.path("link.parquet")).unwrap();
    std::fs::hard_link(place.path("a.parquet"), place.path("hard.parquet")).unwrap();
    let whole = place.path("a.parquet").display().to_string();
    let files = ["a.parquet", "./a.parquet", "sub/../a.parquet", "link.parquet", "hard.parquet", "*.parquet", &whole];
    import(&place, &files, &[]).done();
    assert_eq!(stored(&place, "id"), ["1"]);
}

/// Appends a value of each type to a column of each declared type: what SQLite would change is refused.
#[test]
fn a_column_that_the_table_would_change_is_refused() {
    let place = Place::new();
    let kinds: Vec<(&str, ArrayRef, &str)> = vec![
        ("small", Arc::new(Int32Array::from(vec![7])), "Int32"),
        ("int", ints(&[(1 << 53) + 1]), "Int64"),
        ("real", Arc::new(Float64Array::from(vec![5.0])), "Float64"),
        ("text", texts(&["01234"]), "Utf8"),
        ("blob", Arc::new(BinaryArray::from(vec![&b"\x00"[..]])), "Binary"),
        ("at", Arc::new(TimestampSecondArray::from(vec![0])), "Timestamp(s)"),
    ];
    let fits = [("small", "int"), ("int", "small"), ("small", "real"), ("text", "at")];
    for (a, array, _) in &kinds {
        file(&place, &format!("{a}.parquet"), 1, Some(array.clone()));
        file(&place, &format!("{a}-2.parquet"), 2, Some(array.clone()));
    }
    for (table, ..) in &kinds {
        for (from, _, from_type) in &kinds {
            import(&place, &[&format!("{table}.parquet")], &[]).done();
            let declared = match *table {
                "small" | "int" => "INTEGER",
                "real" => "REAL",
                "blob" => "BLOB",
                _ => "TEXT",
            };
            let delta = format!("{from}-2.parquet");
            // SQLite converts nothing in a column of BLOB.
            let is_kept = from == table || declared == "BLOB" || fits.contains(&(*from, *table));
            for mode in ["--append", "--upsert"] {
                if is_kept {
                    import(&place, &[&format!("{table}.parquet")], &[]).done();
                    import(&place, &[&delta], &[mode]).done();
                    assert_eq!(stored(&place, "x").len(), 2);
                    continue;
                }
                let line = refused(&place, &[&delta], &[mode]);
                let expected = match (*from, *table) {
                    ("at", "text") => "Timestamp(s) in the files, texts such as '01234' in the table".to_owned(),
                    _ => format!("{from_type} in the files, {declared} in the table, which would change values"),
                };
                assert!(line.starts_with(&format!("feed.db: table t, column \"x\": {expected}")), "{line}");
            }
        }
    }
}

#[test]
fn rows_without_the_tables_key_are_refused() {
    let place = Place::new();
    file(&place, "a.parquet", 1, None);
    import(&place, &["a.parquet"], &[]).done();
    let append = |file: &str| place.run(&["import", file, "feed.db", "--table", "t", "--append"]).failed();
    place.parquet("b.parquet", vec![("v", unit_vectors(1))]);
    assert_eq!(
        append("b.parquet"),
        "feed.db: table t, column \"id\": expected a key, got NULL: the files have no such column (see --rename)"
    );
    let id = || Arc::new(Int64Array::from(vec![Some(5), None])) as ArrayRef;
    place.parquet("c.parquet", vec![("id", id()), ("v", unit_vectors(2))]);
    let line = append("c.parquet");
    assert!(line.starts_with("c.parquet: row 2, column \"id\": expected a key, got NULL; "), "{line}");
    assert_eq!(stored(&place, "id"), ["1"]);
    // A key of text, and a table without a key.
    place.parquet("d.parquet", vec![("id", texts(&["a"])), ("v", unit_vectors(1))]);
    import(&place, &["d.parquet"], &[]).done();
    assert!(append("b.parquet").contains("column \"id\": expected a key, got NULL: "));
    place.run(&["import", "b.parquet", "free.db", "--table", "t"]).done();
    place.run(&["import", "b.parquet", "free.db", "--table", "t", "--append"]).done();
    assert_eq!(lines(&place.open("free.db"), "SELECT count(*) FROM t_rows"), ["2"]);
}

#[test]
fn a_delta_without_rows_or_vectors_is_added() {
    let place = Place::new();
    file(&place, "a.parquet", 1, Some(texts(&["a"])));
    import(&place, &["a.parquet"], &[]).done();
    place.parquet("empty.parquet", vec![("id", ints(&[])), ("x", texts(&[])), ("v", vectors_of(&[]))]);
    place.parquet("none.parquet", vec![("id", ints(&[2])), ("x", texts(&["b"])), ("v", vectors_of(&[None]))]);
    place.parquet("null.parquet", vec![("id", ints(&[3])), ("x", texts(&["c"])), ("v", Arc::new(NullArray::new(1)))]);
    for mode in ["--append", "--upsert"] {
        import(&place, &["empty.parquet"], &[mode]).done();
    }
    for (file, mode) in [("none.parquet", "--append"), ("null.parquet", "--append"), ("null.parquet", "--upsert")] {
        let said = import(&place, &[file], &[mode, "--on-bad-row", "null"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.contains(", 1 row added, 1 vector left out, v FLOAT[2] cosine, "), "{said:?}");
    }
    assert_eq!(stored(&place, "id, v IS NULL"), ["1|0", "2|1", "3|1"]);
    let unknown = "column \"v\": no row has a vector, so its dimensions are unknown; --dims N gives them";
    for mode in ["--append", "--upsert", "--replace"] {
        assert_eq!(place.run(&["import", "none.parquet", "new.db", "--key", "id", mode]).failed(), unknown);
    }
}

#[test]
fn an_upsert_of_metadata_keeps_the_vectors() {
    let place = Place::new();
    place.parquet("a.parquet", vec![("id", ints(&[1, 2])), ("x", texts(&["a", "b"])), ("v", unit_vectors(2))]);
    import(&place, &["a.parquet"], &[]).done();
    place.parquet("b.parquet", vec![("id", ints(&[2, 3])), ("x", texts(&["B", "C"]))]);
    let vectors = || place.run(&["query", "feed.db", "--columns", "id,v", "--json"]).done();
    let before = vectors();
    let line = refused(&place, &["b.parquet"], &["--upsert"]);
    let fault =
        "b.parquet: row 2, column \"id\": the table has no row with the key 3, and the files have no vector for it";
    assert_eq!(line, format!("{fault}; nothing was imported (--on-bad-row skip leaves such rows out)"));
    let said = import(&place, &["b.parquet"], &["--upsert", "--on-bad-row", "skip"]);
    assert_eq!((said.code, said.err), (1, format!("vecrank: warning: {fault}\n")));
    assert!(said.out.starts_with("feed.db: table t, 1 row added, 1 skipped, v kept, "), "{}", said.out);
    assert_eq!(stored(&place, "id, x"), ["1|a", "2|B"]);
    assert_eq!(vectors(), before);
    assert_eq!(import(&place, &["b.parquet"], &["--upsert", "--on-bad-row", "null"]).code, 0);
    assert_eq!(stored(&place, "id, x, v IS NULL"), ["1|a|0", "2|B|0", "3|C|1"]);
    place.run(&["check", "feed.db"]).done();
    let line = place.run(&["import", "b.parquet", "new.db", "--key", "id", "--upsert"]).failed();
    assert!(line.starts_with("b.parquet: no column has lists of floating-point numbers; "), "{line}");
    let line = refused(&place, &["b.parquet"], &["--append"]);
    assert!(line.contains("no column has lists of floating-point numbers"), "{line}");
}

#[test]
fn columns_can_be_renamed_and_retyped() {
    let place = Place::new();
    place.parquet(
        "a.parquet",
        vec![("k", ints(&[1])), ("distance", ints(&[7])), ("zip", ints(&[1234])), ("v", unit_vectors(1))],
    );
    let options = ["--rename", "k=id", "--rename", "distance=far", "--type", "zip=text", "--index", "far"];
    import(&place, &["a.parquet"], &options).done();
    assert_eq!(stored(&place, "id, far, zip, typeof(zip)"), ["1|7|1234|text"]);
    let line = refused(&place, &["a.parquet"], &["--rename", "k=id", "--rename", "far=x", "--exclude", "distance"]);
    assert_eq!(line, "a.parquet: no column \"far\"; the columns are id, distance, zip, v");
    let line = refused(&place, &["a.parquet"], &["--rename", "k=id", "--exclude", "distance", "--type", "zip=BLOB"]);
    assert_eq!(line, "a.parquet: column \"zip\": --type BLOB: INTEGER would not keep its value");
    place.parquet("b.parquet", vec![("id", ints(&[1, 2])), ("zip", texts(&["9", "01234"])), ("v", unit_vectors(2))]);
    let line = refused(&place, &["b.parquet"], &["--type", "zip=INTEGER"]);
    assert_eq!(line, "b.parquet: row 2, column \"zip\": '01234' would not keep its value as INTEGER (--type)");
    let said = import(&place, &["b.parquet"], &["--type", "zip=DATE"]);
    assert!(said.err.contains("expected TEXT, INTEGER, REAL or BLOB, got DATE"), "{said:?}");
}

#[test]
fn folders_become_columns() {
    let place = Place::new();
    for (folder, id) in [("day=2024-01-01/shop=007", 1), ("day=2024-01-02/shop=__HIVE_DEFAULT_PARTITION__", 2)] {
        std::fs::create_dir_all(place.path(folder)).unwrap();
        file(&place, &format!("{folder}/p.parquet"), id, None);
    }
    import(&place, &["day=*/*/*.parquet"], &["--hive"]).done();
    assert_eq!(stored(&place, "id, day, shop"), ["1|2024-01-01|007", "2|2024-01-02|NULL"]);
    import(&place, &["day=*/*/*.parquet"], &["--hive", "--rename", "day=at", "--exclude", "shop"]).done();
    assert_eq!(stored(&place, "id, at"), ["1|2024-01-01", "2|2024-01-02"]);
}

#[test]
fn columns_of_numbers_become_one_vector() {
    let place = Place::new();
    let part = |value: f32| Arc::new(Float32Array::from(vec![Some(value), None])) as ArrayRef;
    let parts = (0..11).rev().map(|number| (format!("emb_{number}"), part(number as f32)));
    let parts: Vec<(String, ArrayRef)> = parts.collect();
    let mut columns = vec![("id", ints(&[1, 2]))];
    columns.extend(parts.iter().map(|(name, array)| (name.as_str(), array.clone())));
    columns.push(("emb_model", texts(&["m", "n"])));
    place.parquet("a.parquet", columns);
    import(&place, &["a.parquet"], &["--embedding", "vector=emb_*", "--on-bad-row", "null"]).done();
    assert_eq!(stored(&place, "id, emb_model, vector IS NULL"), ["1|m|0", "2|n|1"]);
    let out = place.run(&["query", "feed.db", "--columns", "vector", "--json", "--limit", "1"]).done();
    assert!(out.contains("{\"vector\":[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0]}"), "{out}");
    let failed = |embedding: &str| refused(&place, &["a.parquet"], &["--embedding", embedding]);
    assert!(failed("emb_*").contains("the vector column needs a name, such as --embedding 'vector=emb_*'"));
    assert!(failed("v=x_*").contains("no column has such a name with a number in the place of the *"));
    place.parquet("b.parquet", vec![("id", ints(&[1])), ("e0", part(1.0).slice(0, 1)), ("e2", part(1.0).slice(0, 1))]);
    assert_eq!(
        refused(&place, &["b.parquet"], &["--embedding", "v=e*"]),
        "b.parquet: --embedding v=e*: expected the component 1, got column \"e2\""
    );
}

#[test]
fn vectors_may_be_fields_of_structs() {
    let place = Place::new();
    let parts: Vec<(Arc<Field>, ArrayRef)> = vec![
        (Arc::new(Field::new("word", DataType::Utf8, true)), texts(&["a", "b"])),
        (Arc::new(Field::new("vector", unit_vectors(1).data_type().clone(), true)), unit_vectors(2)),
    ];
    place.parquet("a.parquet", vec![("id", ints(&[1, 2])), ("payload", Arc::new(StructArray::from(parts)))]);
    import(&place, &["a.parquet"], &["--embedding", "payload.vector"]).done();
    assert_eq!(stored(&place, "id, payload"), ["1|{\"word\":\"a\"}", "2|{\"word\":\"b\"}"]);
    let nearest = place.run(&["query", "feed.db", "--like", "id=2", "--limit", "1", "--csv", "--columns", "id"]).done();
    assert_eq!(nearest, "id,distance\n2,0.0\n");
    let indices = vectors_of(&[Some(vec![1.0]), Some(vec![2.0])]);
    let pair = |name: &str| Arc::new(Field::new(name, indices.data_type().clone(), true));
    let sparse = StructArray::from(vec![(pair("indices"), indices.clone()), (pair("values"), indices.clone())]);
    place.parquet("b.parquet", vec![("id", ints(&[1, 2])), ("s", Arc::new(sparse))]);
    assert_eq!(
        refused(&place, &["b.parquet"], &["--embedding", "s"]),
        "b.parquet: --embedding s: expected all components of a vector, got sparse vectors (a struct of indices and values)"
    );
}

fn member(name: &str, values: ArrayRef) -> (Arc<Field>, ArrayRef) {
    (Arc::new(Field::new(name, values.data_type().clone(), true)), values)
}

#[test]
fn several_fields_of_one_struct_may_be_vectors() {
    let place = Place::new();
    file(&place, "old.parquet", 9, None);
    import(&place, &["old.parquet"], &[]).done();
    let directions = |ids: [i64; 2]| vectors_of(&ids.map(|id| Some(direction(id).to_vec())));
    let inner = StructArray::from(vec![member("c", directions([5, 6])), member("d", texts(&["x", "y"]))]);
    let parts = vec![
        member("a", directions([1, 2])),
        member("word", texts(&["one", "two"])),
        member("inner", Arc::new(inner)),
        member("b", directions([3, 4])),
    ];
    let whole: ArrayRef = Arc::new(StructArray::from(parts));
    place.parquet("a.parquet", vec![("id", ints(&[1, 2])), ("p", whole.clone()), ("q", whole)]);
    let take =
        |fields: &[&str]| fields.iter().flat_map(|field| ["--embedding".to_owned(), field.to_string()]).collect();
    let import = |fields: &[&str]| {
        let options: Vec<String> = take(fields);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        import(&place, &["a.parquet"], &[&options[..], &["--exclude", "q"]].concat())
    };
    let vectors = |column: &str| place.run(&["query", "feed.db", "--columns", column, "--json", "--limit", "1"]).done();
    // In any order, and one named twice.
    for fields in [["p.a", "p.b", "p.inner.c", "p.a"], ["p.inner.c", "p.b", "p.b", "p.a"]] {
        import(&fields).done();
        let rest = |word: &str, d: &str| format!("{{\"word\":\"{word}\",\"inner\":{{\"d\":\"{d}\"}}}}");
        assert_eq!(stored(&place, "id, p"), [format!("1|{}", rest("one", "x")), format!("2|{}", rest("two", "y"))]);
        for (column, id) in [("a", 1), ("b", 3), ("c", 5)] {
            let [x, y] = direction(id).map(f64::from);
            assert_eq!(vectors(column), format!("[\n  {{\"{column}\":[{x:?},{y:?}]}}\n]\n"));
        }
    }
    // A struct of which nothing is left is no column.
    let two = StructArray::from(vec![member("a", directions([1, 2])), member("b", directions([3, 4]))]);
    place.parquet("two.parquet", vec![("id", ints(&[1, 2])), ("p", Arc::new(two))]);
    let options = ["--embedding", "p.a", "--embedding", "p.b", "--key", "id"];
    place.run(&[&["import", "two.parquet", "two.db"], &options[..]].concat()).done();
    assert_eq!(place.run(&["query", "two.db", "--json", "--limit", "1"]).done(), "[\n  {\"id\":1}\n]\n");
    let line = import(&["p.a", "p.c"]).failed();
    assert_eq!(line, "a.parquet: no column \"p.c\"; the columns are id, p, a, q");
    assert_eq!(
        import(&["p.a", "q.a"]).failed(),
        "a.parquet: --embedding q.a: there is another column \"a\"; give this one a name of its own, such as --embedding \
         'q_a=q.a'"
    );
    import(&["p.a", "q_a=q.a"]).done();
    // A column that is left out takes no name.
    let one = StructArray::from(vec![member("a", directions([1, 2]))]);
    let columns = vec![("id", ints(&[1, 2])), ("A", texts(&["x", "y"])), ("p", Arc::new(one) as ArrayRef)];
    place.parquet("c.parquet", columns);
    place.run(&["import", "c.parquet", "c.db", "--embedding", "p.a", "--exclude", "A"]).done();
}

#[test]
fn one_column_takes_one_type_and_one_new_name() {
    let place = Place::new();
    place.parquet("a.parquet", vec![("id", ints(&[1])), ("x", ints(&[7])), ("v", unit_vectors(1))]);
    import(&place, &["a.parquet"], &[]).done();
    let refused = |options: &[&str]| refused(&place, &["a.parquet"], options);
    let again = "--type x=INTEGER: the column has a --type already";
    assert_eq!(refused(&["--type", "x=TEXT", "--type", "x=INTEGER"]), again);
    assert_eq!(refused(&["--type", "x=integer", "--type", "x=INTEGER"]), again);
    assert_eq!(
        refused(&["--rename", "x=y", "--rename", "x=z"]),
        "--rename x=z: the column is renamed already, by --rename x=y"
    );
    for options in [&["--type", "v=TEXT"][..], &["--type", "v=TEXT", "--embedding", "v"]] {
        assert_eq!(refused(options), "--type v=TEXT: the column holds vectors; --element says how they are stored");
    }
    let left_out = "column \"x\" is both needed (--key, --shard-by, --index or --type) and left out";
    assert_eq!(refused(&["--type", "x=TEXT", "--exclude", "x"]), left_out);
    assert_eq!(refused(&["--type", "x=TEXT", "--columns", "id"]), left_out);
    assert_eq!(
        refused(&["--embedding", "v", "--exclude", "v"]),
        "column \"v\" is both needed (--embedding) and left out"
    );
    // Vectors that only the table knows for such.
    place.parquet("null.parquet", vec![("id", ints(&[2])), ("x", ints(&[7])), ("v", Arc::new(NullArray::new(1)))]);
    let add = ["--append", "--on-bad-row", "null", "--type", "v=TEXT"];
    let line = place.run(&[&["import", "null.parquet", "feed.db", "--table", "t"], &add[..]].concat()).failed();
    assert!(line.ends_with("--type v=TEXT: the column holds vectors; --element says how they are stored"), "{line}");
}

#[test]
fn a_type_that_was_asked_for_holds_when_rows_are_added() {
    let place = Place::new();
    let number = |value: u64| Arc::new(UInt64Array::from(vec![value])) as ArrayRef;
    file(&place, "a.parquet", 1, Some(number(1)));
    import(&place, &["a.parquet"], &["--type", "x=TEXT"]).done();
    file(&place, "b.parquet", 2, Some(number(u64::MAX)));
    import(&place, &["b.parquet"], &["--type", "x=TEXT", "--append"]).done();
    assert_eq!(stored(&place, "id, x"), ["1|1", "2|18446744073709551615"]);
}

#[test]
fn names_that_differ_in_case_alone_are_refused_in_several_files() {
    let place = Place::new();
    file(&place, "a.parquet", 1, Some(texts(&["a"])));
    import(&place, &["a.parquet"], &[]).done();
    place.parquet("b.parquet", vec![("id", ints(&[2])), ("v", unit_vectors(1)), ("X", texts(&["b"]))]);
    place.parquet("c.parquet", vec![("id", ints(&[3])), ("V", unit_vectors(1)), ("x", texts(&["c"]))]);
    for more in [&["--union-by-name"][..], &[]] {
        assert_eq!(
            refused(&place, &["a.parquet", "b.parquet"], more),
            "b.parquet: column \"X\": expected \"x\", as in a.parquet: they are one name for SQLite; --rename 'X=x' makes \
             them one column"
        );
        assert!(
            refused(&place, &["c.parquet", "a.parquet"], more).starts_with("a.parquet: column \"v\": expected \"V\", ")
        );
    }
    import(&place, &["a.parquet", "b.parquet"], &["--union-by-name", "--rename", "X=x"]).done();
    assert_eq!(stored(&place, "id, x"), ["1|a", "2|b"]);
}

#[test]
fn very_large_numbers_are_shown_with_an_exponent() {
    let place = Place::new();
    file(&place, "a.parquet", 1, Some(Arc::new(Float64Array::from(vec![1e300]))));
    let line = place.run(&["import", "a.parquet", "feed.db", "--table", "t", "--type", "x=INTEGER"]).failed();
    assert_eq!(line, "a.parquet: row 1, column \"x\": 1e300 would not keep its value as INTEGER (--type)");
    let line =
        place.run(&["import", "a.parquet", "feed.db", "--table", "t", "--key", "x", "--embedding", "x"]).failed();
    assert!(!line.contains("000000"), "{line}");
    place.parquet("b.parquet", vec![("v", vectors_of(&[Some(vec![1.0, 3e38])]))]);
    let line = place.run(&["import", "b.parquet", "feed.db", "--element", "f16"]).failed();
    assert!(line.contains("expected -65504 to 65504 (element f16), got 3e38; "), "{line}");
}

#[test]
fn a_table_cannot_have_the_name_of_a_hidden_column() {
    let place = Place::new();
    file(&place, "query.parquet", 1, None);
    let expected = |name: &str| {
        format!(
            "table name \"{name}\": every vecrank table has a hidden column of that name; choose another with --table"
        )
    };
    assert_eq!(place.run(&["import", "query.parquet", "feed.db"]).failed(), expected("query"));
    assert_eq!(place.run(&["import", "query.parquet", "feed.db", "--table", "K"]).failed(), expected("K"));
}

/// SQLite says "datatype mismatch" of a rowid, and names neither column nor value.
#[test]
fn a_key_that_is_no_whole_number_is_named() {
    let place = Place::new();
    file(&place, "a.parquet", 1, None);
    import(&place, &["a.parquet"], &[]).done();
    let key = |values: Vec<u64>| -> Vec<(&str, ArrayRef)> {
        let rows = values.len();
        vec![("id", Arc::new(UInt64Array::from(values)) as ArrayRef), ("v", unit_vectors(rows))]
    };
    place.parquet("b.parquet", key(vec![7, u64::MAX]));
    let line = refused(&place, &["b.parquet"], &["--append"]);
    let expected = "b.parquet: row 2, column \"id\": 18446744073709551615 would not keep its value as INTEGER (--type)";
    assert_eq!(line, expected);
    place.parquet("c.parquet", key(vec![7]));
    import(&place, &["c.parquet"], &["--append"]).done();
    assert_eq!(stored(&place, "id, typeof(id)"), ["1|integer", "7|integer"]);
}
