//! `vecrank check` and `vecrank recall`, and what the command says of itself.

mod support;
use support::*;

fn place() -> Place {
    let place = Place::new();
    place.catalogue("t.parquet", 1, 3000);
    place.run(&["import", "t.parquet", "feed.db", "--key", "id"]).done();
    place
}

#[test]
fn a_sound_file_is_called_sound() {
    assert_eq!(place().run(&["check", "feed.db"]).done(), "feed.db: sound (table t)\n");
}

#[test]
fn damage_is_listed() {
    let place = place();
    let db = place.open("feed.db");
    let node = "(SELECT max(id) FROM t_nodes)";
    let cut = format!("UPDATE t_nodes SET data = substr(data, 1, 20) WHERE id = {node}");
    assert_eq!(db.execute(&cut, []).unwrap(), 1);
    let id = &lines(&db, &format!("SELECT {node}"))[0];
    let said = place.run(&["check", "feed.db"]);
    assert_eq!(said.code, 2);
    assert!(said.out.contains("t_nodes") && said.out.contains(id), "{said:?}");
    assert!(said.out.lines().all(|line| line.starts_with("t is damaged: v: ")), "{said:?}");
    let (faults, err) = (said.out.lines().count(), said.err);
    assert!(faults > 1 && faults <= 100, "{faults}");
    let told: usize =
        err.strip_prefix("vecrank: feed.db: damaged: ").unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(told >= faults, "{err}");
    let json: serde_json::Value = serde_json::from_str(&place.run(&["check", "feed.db", "--json"]).out).unwrap();
    assert_eq!(json["ok"], false);
}

#[test]
fn recall_climbs_the_ladder() {
    let place = place();
    let arguments = ["recall", "feed.db", "--sample", "20", "--k", "5", "--target", "0.9"];
    let out = place.run(&arguments).done();
    assert!(out.starts_with("ef_search  recall@5  mean ms  99% below ms\n"), "{out}");
    assert!(
        out.contains("reaches 0.9. To make it the table's default:\nINSERT INTO t(t, k) VALUES ('ef_search', "),
        "{out}"
    );
    let out = place.run(&[&arguments[..], &["--json"]].concat()).done();
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let ladder: Vec<f64> = json["ladder"].as_array().unwrap().iter().map(|r| r["recall"].as_f64().unwrap()).collect();
    assert_eq!(ladder.last(), Some(&1.0), "a window of 1024 finds all of 3000 rows: {ladder:?}");
    assert!(ladder.iter().all(|recall| (0.0..=1.0).contains(recall)), "{ladder:?}");
    assert_eq!(
        place.run(&["recall", "feed.db", "--target", "95"]).failed(),
        "--target: expected a share from 0 to 1, such as 0.95"
    );
}

/// Two-dimensional directions that are no rows, and as many ways to name the row's own number.
#[test]
fn recall_takes_queries_that_are_no_rows() {
    let place = place();
    let queries: Vec<Option<Vec<f32>>> = (0..30).map(|i| Some(direction(17 + 100 * i).to_vec())).collect();
    place.parquet("held_out.parquet", vec![("other", vectors_of(&queries))]);
    let recall = |arguments: &[&str]| {
        let out = place.run(&[&["recall", "feed.db", "--json", "--queries", "held_out.parquet"], arguments].concat());
        serde_json::from_str::<serde_json::Value>(&out.done()).unwrap()
    };
    let all = recall(&[]);
    assert_eq!((&all["sample"], &all["ladder"][7]["recall"]), (&serde_json::json!(30), &serde_json::json!(1.0)));
    assert_eq!(recall(&["--sample", "7"])["sample"], 7);
    let refusal = |file: &str| place.run(&["recall", "feed.db", "--queries", file]).failed();
    place.parquet("long.parquet", vec![("v", vectors_of(&[Some(vec![1.0, 0.0]), Some(vec![1.0; 3])]))]);
    assert_eq!(refusal("long.parquet"), "long.parquet: row 2: expected 2 dimensions, got 3");
    place.parquet("null.parquet", vec![("v", vectors_of(&[None]))]);
    assert_eq!(refusal("null.parquet"), "null.parquet: row 1: expected a vector, got NULL");
    place.parquet("none.parquet", vec![("v", vectors_of(&[]))]);
    assert_eq!(refusal("none.parquet"), "none.parquet: has no rows, expected vectors to look for");
    place.parquet("zero.parquet", vec![("v", vectors_of(&[Some(vec![0.0, 0.0])]))]);
    assert!(refusal("zero.parquet").starts_with("feed.db: zero.parquet: row 1: "), "{}", refusal("zero.parquet"));
    let two = || vectors_of(&[Some(vec![1.0, 0.0])]);
    place.parquet("two.parquet", vec![("a", two()), ("b", two())]);
    assert_eq!(refusal("two.parquet"), "two.parquet: no column \"v\" with the vectors to look for");
}

/// Their values are no row numbers.
#[test]
fn recall_is_not_led_astray_by_columns_called_rowid() {
    let place = Place::new();
    let ids = |from: i64| {
        std::sync::Arc::new(arrow_array::Int64Array::from_iter_values((0..3000).map(|i| from - i)))
            as arrow_array::ArrayRef
    };
    let vectors = || vectors_of(&(1..=3000).map(|id| Some(direction(id).to_vec())).collect::<Vec<_>>());
    let run = |columns: Vec<(&str, arrow_array::ArrayRef)>| {
        place.parquet("t.parquet", columns);
        place.run(&["import", "t.parquet", "feed.db"]).done();
        place.run(&["recall", "feed.db", "--sample", "40", "--json"])
    };
    let ladder = |said: Said| serde_json::from_str::<serde_json::Value>(&said.done()).unwrap()["ladder"].clone();
    let recalls = |said: Said| -> Vec<f64> {
        ladder(said).as_array().unwrap().iter().map(|rung| rung["recall"].as_f64().unwrap()).collect()
    };
    let plain = recalls(run(vec![("v", vectors()), ("a", ids(9))]));
    assert_eq!(recalls(run(vec![("v", vectors()), ("rowid", ids(9))])), plain);
    assert_eq!(recalls(run(vec![("v", vectors()), ("ROWID", ids(9)), ("_rowid_", ids(0))])), plain);
    assert_eq!(
        run(vec![("v", vectors()), ("rowid", ids(9)), ("_rowid_", ids(0)), ("oid", ids(1))]).failed(),
        "feed.db: table t: columns named rowid, _rowid_ and oid hide the number of a row"
    );
}

#[test]
fn every_command_explains_itself() {
    let place = Place::new();
    for command in ["import", "query", "info", "check", "recall", "fold", "export", "serve", "completions", "man"] {
        let help = place.run(&[command, "--help"]).done();
        let (_, examples) = help.split_once("\nExample").unwrap_or_else(|| panic!("{command} has no example"));
        assert!(examples.contains(&format!("vecrank {command}")), "{examples}");
        let widest = examples.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "a terminal breaks the lines: {examples}");
        assert!(!place.run(&["man", command]).done().is_empty());
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = place.run(&["completions", shell]).done();
        assert!(script.contains("on-bad-row"), "{shell}");
    }
    assert!(place.run(&["man", "import"]).done().contains("vecrank\\-import"));
    let line = place.run(&["man", "imports"]).failed();
    assert_eq!(
        line,
        "no subcommand \"imports\"; there is import, query, info, check, recall, fold, export, serve, completions, man, help"
    );
    assert_eq!(place.run(&["import"]).code, 2);
}
