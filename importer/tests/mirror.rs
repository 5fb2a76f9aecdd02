//! `--mirror` against a dull model, and the guards against a source that broke.

mod support;
use arrow_array::{ArrayRef, Int64Array, StringArray};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::*;

/// What the table is to hold: a name and a direction per key.
type Model = BTreeMap<i64, (String, Option<i64>)>;

/// SplitMix64, below a bound.
fn below(seed: &mut u64, bound: u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *seed;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (value ^ (value >> 31)) % bound
}

/// Adds, changes and removes some rows; half of the changes leave the vector as it is.
fn next_night(model: &mut Model, seed: &mut u64) {
    let most = if below(seed, 5) == 0 { 400 } else { 12 };
    for _ in 0..below(seed, most) {
        let id = below(seed, 600) as i64 - 100;
        let name = format!("name {}", below(seed, 1000));
        let direction = (below(seed, 20) > 0).then(|| below(seed, 6000) as i64);
        match (below(seed, 4), model.get_mut(&id)) {
            (0, _) => drop(model.remove(&id)),
            (1, Some(row)) => row.0 = name,
            (2, Some(row)) => row.1 = direction,
            _ => drop(model.insert(id, (name, direction))),
        }
    }
    model.entry(0).or_insert_with(|| ("the last one".to_owned(), Some(1)));
}

fn key_text(id: i64) -> String {
    format!("K{id}")
}

fn write(place: &Place, model: &Model, is_text: bool) {
    let ids: ArrayRef = if is_text {
        Arc::new(StringArray::from_iter_values(model.keys().map(|&id| key_text(id))))
    } else {
        Arc::new(Int64Array::from_iter_values(model.keys().copied()))
    };
    let names = StringArray::from_iter_values(model.values().map(|row| &row.0));
    let vectors: Vec<_> = model.values().map(|row| row.1.map(|id| direction(id).to_vec())).collect();
    place.parquet("t.parquet", vec![("id", ids), ("name", Arc::new(names)), ("v", vectors_of(&vectors))]);
}

const MIRROR: [&str; 8] = ["import", "t.parquet", "feed.db", "--key", "id", "--mirror", "--on-bad-row", "null"];

type Rows = BTreeMap<String, (String, Option<[f32; 2]>)>;

/// The whole table, by its keys.
fn table(place: &Place) -> Rows {
    let all = ["query", "feed.db", "--columns", "id,name,v", "--limit", "9999", "--json"];
    let rows: Vec<serde_json::Value> = serde_json::from_str(&place.run(&all).done()).unwrap();
    let rows = rows.into_iter().map(|row| {
        let component = |position: usize| row["v"][position].as_f64().unwrap() as f32;
        let vector = (!row["v"].is_null()).then(|| [component(0), component(1)]);
        let id = row["id"].as_str().map_or_else(|| row["id"].to_string(), str::to_owned);
        (id, (row["name"].as_str().unwrap().to_owned(), vector))
    });
    rows.collect()
}

fn expected(model: &Model, is_text: bool) -> Rows {
    let key = |id: i64| if is_text { key_text(id) } else { id.to_string() };
    model.iter().map(|(&id, (name, vector))| (key(id), (name.clone(), vector.map(direction)))).collect()
}

/// Some nights are killed at first, and must leave the last one's rows.
fn nights(count: usize, is_text: bool, mut seed: u64) {
    let place = Place::new();
    let mut model = Model::new();
    let mut whole = Duration::from_millis(100);
    for night in 0..count {
        let before = model.clone();
        next_night(&mut model, &mut seed);
        write(&place, &model, is_text);
        if night > 0 && below(&mut seed, 3) == 0 {
            let mut command = place.command(&MIRROR);
            let mut child =
                command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
            std::thread::sleep(whole.mul_f64(below(&mut seed, 1000) as f64 / 1000.0));
            child.kill().unwrap();
            child.wait().unwrap();
            let found = table(&place);
            assert!(found == expected(&before, is_text) || found == expected(&model, is_text), "night {night}: killed");
            if found == expected(&model, is_text) {
                continue;
            }
        }
        let began = Instant::now();
        let said = place.run(&[&MIRROR[..], &["--json"]].concat());
        whole = began.elapsed();
        let summary: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        let inserted = model.keys().filter(|id| !before.contains_key(id)).count();
        let deleted = before.keys().filter(|id| !model.contains_key(id)).count();
        let updated = model.iter().filter(|(id, row)| before.get(id).is_some_and(|old| old != *row)).count();
        let counts = ["inserted", "updated", "deleted", "rows"].map(|name| summary[name].as_u64().unwrap() as usize);
        assert_eq!(counts, [inserted, updated, deleted, model.len()], "night {night}");
        assert!(table(&place) == expected(&model, is_text), "night {night}");
        if night % 8 == 7 {
            place.run(&["check", "feed.db"]).done();
        }
        assert_eq!(place.names(), ["feed.db", "t.parquet"], "night {night}");
    }
    place.run(&["check", "feed.db"]).done();
}

fn count() -> usize {
    if std::env::var_os("VECRANK_LONG").is_some() { 200 } else { 24 }
}

#[test]
fn random_nights_by_a_number() {
    nights(count(), false, 1);
}

#[test]
fn random_nights_by_a_text() {
    nights(count(), true, 2);
}

fn place() -> Place {
    let place = Place::new();
    place.catalogue("t.parquet", 1, 40);
    place
}

fn mirror(place: &Place, more: &[&str]) -> Said {
    place.run(&[&["import", "t.parquet", "feed.db", "--key", "id", "--mirror"], more].concat())
}

#[test]
fn a_mirror_counts_changes_and_without_any_writes_no_byte() {
    let place = place();
    let out = mirror(&place, &[]).done();
    assert!(
        out.starts_with("feed.db: table t, 40 rows, 40 inserted, 0 updated, 0 deleted, v FLOAT[2] cosine, "),
        "{out}"
    );
    let bytes = std::fs::read(place.path("feed.db")).unwrap();
    let out = mirror(&place, &[]).done();
    assert!(out.starts_with("feed.db: table t, 40 rows, 0 inserted, 0 updated, 0 deleted, "), "{out}");
    assert!(std::fs::read(place.path("feed.db")).unwrap() == bytes);
    place.catalogue("t.parquet", 31, 15);
    let out = mirror(&place, &[]).done();
    assert!(out.starts_with("feed.db: table t, 15 rows, 5 inserted, 0 updated, 30 deleted, "), "{out}");
}

/// What the column stores of a vector is compared, not what the files have.
#[test]
fn small_elements_are_compared_as_they_are_stored() {
    for element in ["f16", "i8"] {
        let place = place();
        mirror(&place, &["--element", element]).done();
        let out = mirror(&place, &[]).done();
        assert!(out.starts_with("feed.db: table t, 40 rows, 0 inserted, 0 updated, 0 deleted, "), "{element}: {out}");
    }
}

#[test]
fn a_key_that_comes_twice_is_a_bad_row() {
    let place = place();
    mirror(&place, &[]).done();
    place.catalogue("u.parquet", 40, 2);
    let twice = ["import", "t.parquet", "u.parquet", "feed.db", "--table", "t", "--key", "id", "--mirror"];
    let line = place.run(&twice).failed();
    assert!(
        line.starts_with("u.parquet: row 1, column \"id\": the key 40 came before; nothing was imported"),
        "{line}"
    );
    assert_eq!(
        mirror(&place, &["--on-bad-row", "skip"]).failed(),
        "--mirror: a row that is skipped would be deleted; use --on-bad-row fail or null"
    );
    assert_eq!(mirror(&place, &["--append"]).code, 2);
}

#[test]
fn what_a_mirror_cannot_do_is_refused() {
    let place = place();
    mirror(&place, &[]).done();
    assert_eq!(
        mirror(&place, &["--exclude", "name"]).failed(),
        "feed.db: table t, column \"name\": the files lack it, so --mirror would lose its values"
    );
    assert_eq!(
        place.run(&["import", "t.parquet", "feed.db", "--key", "name", "--mirror"]).failed(),
        "feed.db: table t, column \"name\": it is not a key of the table, so --mirror cannot find rows by it"
    );
}

#[test]
fn a_source_without_vectors_keeps_those_that_are_there() {
    let place = place();
    mirror(&place, &[]).done();
    let names = |ids: std::ops::Range<i64>| {
        let names: Vec<String> = ids.clone().map(|id| format!("new {id}")).collect();
        let columns: Vec<(&str, ArrayRef)> =
            vec![("id", Arc::new(Int64Array::from_iter_values(ids))), ("name", Arc::new(StringArray::from(names)))];
        place.parquet("t.parquet", columns);
    };
    names(11..41);
    let out = mirror(&place, &[]).done();
    assert!(out.starts_with("feed.db: table t, 30 rows, 0 inserted, 30 updated, 10 deleted, "), "{out}");
    let nearest =
        place.run(&["query", "feed.db", "--vector", "[0.9995, 0.0300]", "--limit", "1", "--columns", "name", "--csv"]);
    assert!(nearest.done().starts_with("name,distance\nnew 30,"));
    names(11..43);
    assert_eq!(
        mirror(&place, &[]).failed(),
        "feed.db: table t: 2 rows new, and the files have no vectors; nothing was changed (--on-bad-row null takes them \
         without)"
    );
    assert!(mirror(&place, &["--on-bad-row", "null"]).done().contains(" 2 inserted, 0 updated, 0 deleted, "));
    place.run(&["check", "feed.db"]).done();
}

/// The user's other tables and triggers stay.
#[test]
fn other_tables_and_triggers_stay() {
    let place = place();
    mirror(&place, &[]).done();
    place
        .open("feed.db")
        .execute_batch(
            "CREATE TABLE log(what);
             CREATE TRIGGER gone AFTER DELETE ON t_rows BEGIN INSERT INTO log VALUES (old.id); END",
        )
        .unwrap();
    place.catalogue("t.parquet", 3, 38);
    mirror(&place, &[]).done();
    assert_eq!(lines(&place.open("feed.db"), "SELECT what FROM log ORDER BY 1"), ["1", "2"]);
}

#[test]
fn a_table_without_rows_is_refused() {
    let place = place();
    let import = |more: &[&str]| place.run(&[&["import", "t.parquet", "feed.db", "--key", "id"], more].concat());
    let nothing = || {
        let dims = arrow_array::FixedSizeListArray::new_null(
            Arc::new(arrow_schema::Field::new("item", arrow_schema::DataType::Float32, true)),
            2,
            0,
        );
        let (ids, names) = (Int64Array::from(Vec::<i64>::new()), StringArray::from(Vec::<&str>::new()));
        place.parquet("t.parquet", vec![("id", Arc::new(ids)), ("name", Arc::new(names)), ("v", Arc::new(dims))]);
    };
    const EMPTY: &str = "feed.db: table t would have no row; nothing was changed (--allow-empty takes that)";
    import(&[]).done();
    let before = std::fs::read(place.path("feed.db")).unwrap();
    nothing();
    assert_eq!(import(&[]).failed(), EMPTY);
    assert_eq!(mirror(&place, &[]).failed(), EMPTY);
    assert_eq!(place.run(&["import", "t.parquet", "new.db"]).failed(), EMPTY.replace("feed.db", "new.db"));
    assert!(std::fs::read(place.path("feed.db")).unwrap() == before);
    assert_eq!(place.names(), ["feed.db", "t.parquet"]);
    assert!(mirror(&place, &["--allow-empty"]).done().contains(", 0 rows, 0 inserted, 0 updated, 40 deleted, "));
    assert!(import(&["--allow-empty"]).done().contains(", 0 rows, "));
    // Rows that are all bad, in a file whose rows have vectors elsewhere.
    place.catalogue("t.parquet", 1, 3);
    import(&[]).done();
    place.parquet("t.parquet", vec![("v", vectors_of(&[Some(vec![0.0, 0.0]), Some(vec![0.0, 0.0])]))]);
    let said = place.run(&["import", "t.parquet", "feed.db", "--on-bad-row", "skip"]);
    assert_eq!(said.code, 2);
    assert!(said.err.ends_with(&format!("vecrank: {EMPTY}\n")), "{said:?}");
    assert_eq!(lines(&place.open("feed.db"), "SELECT count(*) FROM t_rows"), ["3"]);
}

/// Lists say no dimensions where there are none; a table that is replaced, or --dims, does.
#[test]
fn a_table_without_rows_can_have_lists_of_any_length() {
    let place = place();
    let import = |more: &[&str]| place.run(&[&["import", "t.parquet", "feed.db", "--key", "id"], more].concat());
    import(&["--element", "f16"]).done();
    let (ids, names) = (Int64Array::from(Vec::<i64>::new()), StringArray::from(Vec::<&str>::new()));
    let columns = vec![("id", Arc::new(ids) as ArrayRef), ("name", Arc::new(names)), ("v", vectors_of(&[]))];
    place.parquet("t.parquet", columns);
    let before = std::fs::read(place.path("feed.db")).unwrap();
    let unknown = "column \"v\": no row has a vector, so its dimensions are unknown; --dims N gives them";
    assert_eq!(import(&[]).failed(), unknown);
    assert!(std::fs::read(place.path("feed.db")).unwrap() == before);
    for others in ["", "CREATE TABLE users(name)"] {
        place.open("feed.db").execute_batch(others).unwrap();
        assert!(import(&["--allow-empty"]).done().starts_with("feed.db: table t, 0 rows, v FLOAT[2] cosine, "));
    }
    let new = |more: &[&str]| place.run(&[&["import", "t.parquet", "new.db", "--allow-empty"], more].concat());
    assert_eq!(new(&[]).failed(), unknown);
    assert_eq!(new(&["--append"]).failed(), unknown);
    assert!(new(&["--dims", "7"]).done().starts_with("new.db: table t, 0 rows, v FLOAT[7] cosine, "));
    // What --dims says holds for the vectors that are there.
    place.catalogue("t.parquet", 1, 3);
    let line = new(&["--dims", "3"]).failed();
    assert!(line.starts_with("t.parquet: row 1, column \"v\": expected 3 dimensions, got 2; "), "{line}");
    let fixed = arrow_array::FixedSizeListArray::new_null(
        Arc::new(arrow_schema::Field::new("item", arrow_schema::DataType::Float32, true)),
        2,
        1,
    );
    place.parquet("t.parquet", vec![("v", Arc::new(fixed))]);
    assert_eq!(new(&["--dims", "3"]).failed(), "t.parquet: column \"v\": expected 3 dimensions, as --dims says, got 2");
}

/// SQLite allows NULL in a UNIQUE column.
#[test]
fn rows_of_the_table_without_a_key_are_deleted() {
    let place = Place::new();
    let write = |ids: [Option<&str>; 3], first: i64| {
        let vectors: Vec<_> = (first..first + 3).map(|id| Some(direction(id).to_vec())).collect();
        let ids: ArrayRef = Arc::new(StringArray::from(ids.to_vec()));
        place.parquet("t.parquet", vec![("id", ids), ("v", vectors_of(&vectors))]);
    };
    write([None, None, Some("0")], 1);
    place.run(&["import", "t.parquet", "feed.db"]).done();
    place.open("feed.db").execute_batch("CREATE UNIQUE INDEX by_id ON t_rows(id)").unwrap();
    write([Some("0"), Some("1"), Some("2")], 4);
    let out = mirror(&place, &[]).done();
    assert!(out.contains(", 3 rows, 2 inserted, 1 updated, 2 deleted, "), "{out}");
    assert_eq!(lines(&place.open("feed.db"), "SELECT id FROM t_rows ORDER BY id"), ["0", "1", "2"]);
    place.run(&["check", "feed.db"]).done();
}

#[test]
fn fewer_rows_than_asked_for_are_refused() {
    let place = place();
    let import = |more: &[&str]| place.run(&[&["import", "t.parquet", "feed.db", "--key", "id"], more].concat());
    import(&["--min-rows", "40"]).done();
    place.catalogue("t.parquet", 31, 39);
    let few = "feed.db: table t would have 39 rows, expected at least 40 (--min-rows); nothing was changed";
    assert_eq!(import(&["--min-rows", "40"]).failed(), few);
    assert_eq!(mirror(&place, &["--min-rows", "40"]).failed(), few);
    assert_eq!(lines(&place.open("feed.db"), "SELECT min(id), count(*) FROM t_rows"), ["1|40"]);
    // What counts is the table, not the delta.
    import(&["--upsert", "--min-rows", "69"]).done();
    assert_eq!(
        import(&["--upsert", "--min-rows", "70"]).failed(),
        "feed.db: table t would have 69 rows, expected at least 70 (--min-rows); nothing was changed"
    );
    assert_eq!(import(&["--min-rows", "1", "--allow-empty"]).code, 2);
}

#[test]
fn the_model_is_kept_shown_and_compared() {
    let place = place();
    let import = |more: &[&str]| place.run(&[&["import", "t.parquet", "feed.db", "--key", "id"], more].concat());
    assert_eq!(
        import(&["--model", ""]).failed(),
        "--model: expected a name such as text-embedding-3-small, got an empty text"
    );
    import(&["--model", "it's small"]).done();
    let info = place.run(&["info", "feed.db"]).done();
    let model = info.lines().find(|line| line.starts_with("model ")).unwrap_or_else(|| panic!("{info}"));
    assert!(model.ends_with("  it's small"), "{info}");
    let refused = "feed.db: table t, column \"v\": it is of \"it's small\", got --model \"large\"; vectors of two models \
                   cannot be compared";
    for mode in ["--append", "--upsert", "--mirror"] {
        assert_eq!(import(&[mode, "--model", "large"]).failed(), refused);
    }
    import(&["--upsert", "--model", "it's small"]).done();
    import(&["--mirror"]).done();
    import(&[]).done();
    assert_eq!(
        import(&["--upsert", "--model", "large"]).failed(),
        "feed.db: table t, column \"v\": it has no label of a model, got --model \"large\"; vectors of two models cannot be \
         compared"
    );
}

#[test]
fn the_seconds_of_each_phase_are_reported() {
    let place = place();
    for (more, phases) in [
        (&[][..], &["Reading rows", "Building the index", "Writing the file", "Putting it in place"][..]),
        (&["--upsert"], &["Reading rows", "Building the index"]),
        (&["--mirror", "--on-bad-row", "null"], &["Reading rows", "Comparing rows", "Changing rows"]),
    ] {
        let arguments = [&["import", "t.parquet", "feed.db", "--key", "id", "--json"], more].concat();
        let summary: serde_json::Value = serde_json::from_str(&place.run(&arguments).done()).unwrap();
        let reported = summary["phases"].as_array().unwrap();
        let names: Vec<&str> = reported.iter().map(|phase| phase["phase"].as_str().unwrap()).collect();
        assert_eq!(names, phases);
        let sum: f64 = reported.iter().map(|phase| phase["seconds"].as_f64().unwrap()).sum();
        assert!(sum <= summary["seconds"].as_f64().unwrap() + 0.01, "{summary}");
    }
}
