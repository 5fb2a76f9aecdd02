//! `vecrank query` and `vecrank info` on a finished file.

mod support;
use support::*;

fn place() -> Place {
    let place = Place::new();
    place.catalogue("t.parquet", 1, 60);
    place.run(&["import", "t.parquet", "feed.db", "--key", "id"]).done();
    place
}

fn query(place: &Place, arguments: &[&str]) -> Said {
    place.run(&[&["query", "feed.db"], arguments].concat())
}

#[test]
fn rows_are_printed_as_an_aligned_table_with_the_distance() {
    let out = query(&place(), &["--like", "id=9", "--limit", "3"]).done();
    let expected =
        "id  name        distance\n 9  article 9   0.000000\n 8  article 8   0.000000\n10  article 10  0.000000\n";
    let (got, expected): (Vec<&str>, Vec<&str>) = (out.lines().collect(), expected.lines().collect());
    assert_eq!((got[0], got[1], got.len()), (expected[0], expected[1], 4), "{out}");
}

#[test]
fn pages_follow_one_another() {
    let place = place();
    let page = |limit: &str, offset: &str| -> Vec<String> {
        let arguments = ["--vector", "[1, 0.03]", "--columns", "id", "--csv", "--limit", limit, "--offset", offset];
        query(&place, &arguments).done().lines().skip(1).map(str::to_owned).collect()
    };
    assert_eq!([page("7", "0"), page("13", "7")].concat(), page("20", "0"));
}

#[test]
fn where_filters_and_its_mistakes_are_named() {
    let place = place();
    let ids = |condition: &str| {
        query(&place, &["--like", "id=1", "--where", condition, "--columns", "id", "--csv", "--limit", "3"])
    };
    let out = ids("id > 50 -- a comment").done();
    let ids_found: Vec<&str> = out.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids_found, ["51", "52", "53"]);
    assert_eq!(ids("id >").failed(), "feed.db: --where \"id >\": near \")\": syntax error");
    assert_eq!(ids("nr = 1").failed(), "feed.db: --where \"nr = 1\": no such column: nr");
    assert_eq!(
        ids("id > 5; DROP TABLE t").failed(),
        "feed.db: --where \"id > 5; DROP TABLE t\": near \";\": syntax error"
    );
}

#[test]
fn likes_are_blended() {
    let place = place();
    let nearest =
        query(&place, &["--like", "id=20", "--like", "id=40", "--columns", "id", "--csv", "--limit", "1"]).done();
    assert!(nearest.starts_with("id,distance\n30,"), "{nearest}");
    assert_eq!(query(&place, &["--like", "id=99"]).failed(), "feed.db: table t: no row has id = '99'");
    assert_eq!(
        query(&place, &["--like", "nr=1"]).failed(),
        "feed.db: table t has no column \"nr\"; the columns are id, name, v"
    );
}

/// A column of unsigned 64-bit integers has no type in SQL, since some are TEXT: there '7' is not 7.
#[test]
fn a_number_is_found_in_a_column_that_holds_texts_too() {
    let place = Place::new();
    let ids = arrow_array::UInt64Array::from(vec![u64::MAX, 7, 8]);
    place.parquet(
        "t.parquet",
        vec![
            ("id", std::sync::Arc::new(ids) as arrow_array::ArrayRef),
            ("v", vectors_of(&[1, 2, 3].map(|id| Some(direction(100 * id).to_vec())))),
        ],
    );
    place.run(&["import", "t.parquet", "feed.db", "--key", "id"]).done();
    let nearest = |like: &str| {
        let out = query(&place, &["--like", like, "--limit", "1", "--csv"]).done();
        out.lines().nth(1).unwrap().split(',').next().unwrap().to_owned()
    };
    assert_eq!(nearest("id=7"), "7");
    assert_eq!(nearest("id=18446744073709551615"), "18446744073709551615");
    let plan = query(&place, &["--like", "id=7", "--explain"]).done();
    assert!(plan.starts_with("-- :vector = (SELECT v FROM t WHERE id = 7)\n"), "{plan}");
    assert_eq!(query(&place, &["--like", "id=9"]).failed(), "feed.db: table t: no row has id = '9'");
}

#[test]
fn machines_get_json_and_vectors_as_arrays() {
    let place = place();
    let out = query(&place, &["--like", "id=1", "--limit", "1", "--columns", "id,v", "--json"]).done();
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(rows[0]["id"], 1);
    assert_eq!(rows[0]["distance"], 0.0);
    assert_eq!(rows[0]["v"].as_array().unwrap().len(), 2);
}

#[test]
fn a_vector_can_come_from_a_file() {
    let place = place();
    std::fs::write(place.path("taste.json"), " [1, 0.001]\n").unwrap();
    let out = query(&place, &["--vector", "@taste.json", "--ef-search", "exact", "--limit", "1", "--csv"]).done();
    assert!(out.starts_with("id,name,distance\n1,article 1,"), "{out}");
    let line = query(&place, &["--vector", "[1, 2, 3]"]).failed();
    assert!(line.contains("expected 2 dimensions"), "{line}");
}

#[test]
fn a_vector_can_come_from_standard_input() {
    use std::io::Write;
    let place = place();
    let mut command = place.command(&["query", "feed.db", "--vector", "@-", "--limit", "1", "--csv"]);
    let pipes = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"[1, 0.001]\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.stdout.starts_with(b"id,name,distance\n1,article 1,"), "{output:?}");
}

#[test]
fn csv_keeps_quotes_line_breaks_nulls_and_vectors() {
    let place = Place::new();
    let text = arrow_array::StringArray::from(vec![Some("say \"a, b\"\n"), None]);
    let bytes = arrow_array::BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None]);
    place.parquet(
        "t.parquet",
        vec![
            ("text", std::sync::Arc::new(text) as arrow_array::ArrayRef),
            ("bytes", std::sync::Arc::new(bytes)),
            ("v", vectors_of(&[Some(vec![1.0, -0.5]), Some(vec![0.0, 1.0])])),
        ],
    );
    place.run(&["import", "t.parquet", "feed.db", "--metric", "l2"]).done();
    let vector = ["--vector", "[1, -0.5]", "--columns", "text,bytes,v"];
    let out = query(&place, &[&vector[..], &["--csv"]].concat()).done();
    let expected = "text,bytes,v,distance\n\"say \"\"a, b\"\"\n\",00ff,\"[1.0,-0.5]\",0.0\n,,\"[0.0,1.0]\",1.80";
    assert!(out.starts_with(expected), "{out}");
    let rows: serde_json::Value =
        serde_json::from_str(&query(&place, &[&vector[..], &["--json"]].concat()).done()).unwrap();
    assert_eq!(rows[0]["text"], "say \"a, b\"\n");
    assert_eq!((&rows[1]["text"], &rows[1]["bytes"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(rows[0]["bytes"], "00ff");
}

#[test]
fn the_plan_is_shown_with_the_statement() {
    let out = query(&place(), &["--like", "id=1", "--where", "id > 5", "--explain"]).done();
    let expected = "-- :vector = (SELECT v FROM t WHERE id = '1')\nSELECT id, name, distance FROM t\nWHERE v MATCH :vector\n  \
                    AND (id > 5\n)\nORDER BY distance\nLIMIT 10 OFFSET 0;\n\n";
    let plan = out.strip_prefix(expected).unwrap_or_else(|| panic!("{out}"));
    assert!(plan.contains("knn v cosine"), "{plan}");
    let (_, search) = plan.split_once("\n\n").unwrap_or_else(|| panic!("{plan}"));
    let search: Vec<(&str, &str)> = search.lines().map(|line| line.split_once("  ").unwrap()).collect();
    let keys: Vec<&str> = search.iter().map(|(key, _)| *key).collect();
    let expected = ["way", "rows_read", "cache_hits", "cache_misses", "log_rows", "pages", "pages_read"];
    assert_eq!(keys.iter().map(|key| key.trim()).collect::<Vec<_>>(), expected);
    let value = |wanted: &str| search.iter().find(|(key, _)| *key == wanted).unwrap().1.trim();
    // All 60 rows of so small a table are ranked; 48 more are a sample of the query's neighbourhood.
    assert_eq!((value("way"), value("cache_hits")), ("exact", "0"));
    let read: u32 = value("rows_read").parse().unwrap();
    assert!((60..=108).contains(&read), "{read}");
}

#[test]
fn programs_get_the_plan_and_what_the_search_read_as_json() {
    let place = place();
    let explained = |arguments: &[&str]| -> serde_json::Value {
        let out = query(&place, &[&["--explain", "--json"], arguments].concat()).done();
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"))
    };
    let json = explained(&["--vector", "[1, 0]", "--ef-search", "exact", "--limit", "3"]);
    assert_eq!((&json["vector"], &json["ef_search"]), (&"'[1, 0]'".into(), &"'exact'".into()));
    assert!(json["sql"].as_str().unwrap().ends_with("LIMIT 3 OFFSET 0"), "{json}");
    assert!(json["plan"][0].as_str().unwrap().contains("knn v cosine"), "{json}");
    assert_eq!((&json["search"]["way"], &json["search"]["rows_read"]), (&"exact".into(), &60.into()));
    let json = explained(&["--where", "id = 1"]);
    assert!(json["search"].is_null() && json["vector"].is_null() && json["plan"].is_array(), "{json}");
    let mistake = query(&place, &["--explain", "--vector", "[1, 2, 3]"]).failed();
    assert!(mistake.contains("expected 2 dimensions"), "{mistake}");
}

#[test]
fn without_a_vector_rows_come_in_the_order_of_the_table() {
    assert_eq!(query(&place(), &["--limit", "2", "--csv"]).done(), "id,name\n1,article 1\n2,article 2\n");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let place = place();
    let mut child = place
        .command(&["query", "feed.db", "--limit", "100000"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn info_tells_what_is_in_the_file() {
    let place = place();
    let out = place.run(&["info", "feed.db"]).done();
    assert!(out.starts_with("table "), "{out}");
    for word in ["cosine", "60", "id, name"] {
        assert!(out.contains(word), "{word} in {out}");
    }
    assert!(out.contains("\ndeleted          0 (0.0 % of the nodes)\n"), "{out}");
    place.open("empty.db").execute_batch("CREATE TABLE x(y)").unwrap();
    assert_eq!(place.run(&["info", "empty.db"]).failed(), "empty.db: no vecrank table in the file");
    std::fs::write(place.path("text.db"), "not a database, but long enough to be one".repeat(40)).unwrap();
    assert_eq!(place.run(&["info", "text.db"]).failed(), "text.db: not an SQLite database");
}

#[test]
fn several_tables_ask_for_a_choice() {
    let place = place();
    place.run(&["import", "t.parquet", "feed.db", "--table", "u"]).done();
    assert_eq!(query(&place, &[]).failed(), "feed.db: several vecrank tables: t, u; choose one with --table");
    assert_eq!(query(&place, &["--table", "x"]).failed(), "feed.db: no vecrank table \"x\"; there is t, u");
    query(&place, &["--table", "U", "--like", "id=1"]).done();
}

#[test]
fn where_can_test_the_vector_for_null() {
    let place = place();
    let count =
        |condition: &str| query(&place, &["--where", condition, "--limit", "100", "--csv"]).done().lines().count() - 1;
    assert_eq!((count("v IS NOT NULL"), count("v IS NULL")), (60, 0));
}
