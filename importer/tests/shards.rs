//! `--shards`: the files together are the one file, and the manifest names those of one import.

mod support;
use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int64Array, StringArray, UInt64Array};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::*;

const ROWS: i64 = 3000;

fn manifest(place: &Place) -> Value {
    serde_json::from_str(&fs::read_to_string(place.path("feed.json")).unwrap()).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn files(manifest: &Value) -> Vec<String> {
    manifest["shards"].as_array().unwrap().iter().map(|shard| shard["file"].as_str().unwrap().to_owned()).collect()
}

/// A connection that reads the shards of a manifest: the first is `main`, the others are shard1, shard2 and so on. None
/// if a file is gone.
fn attach(place: &Place, manifest: &Value) -> Option<Connection> {
    load_everywhere();
    let files = files(manifest);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(place.path(&files[0]), flags).ok()?;
    for (number, file) in files.iter().enumerate().skip(1) {
        let sql = format!("ATTACH ?1 AS shard{number}");
        connection.execute(&sql, [place.path(file).to_str().unwrap()]).ok()?;
    }
    Some(connection)
}

/// One statement over all shards.
fn merged(shards: usize, columns: &str, filter: &str) -> String {
    let schemas = (0..shards).map(|number| if number == 0 { "main".to_owned() } else { format!("shard{number}") });
    let pages: Vec<String> =
        schemas.map(|schema| format!("SELECT {columns} FROM {schema}.t WHERE v MATCH '[0.3, 0.7]' {filter}")).collect();
    format!("{} ORDER BY distance", pages.join(" UNION ALL "))
}

fn ids(connection: &Connection, sql: &str) -> Vec<i64> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn import(place: &Place, file: &str, more: &[&str]) -> Said {
    let arguments = ["import", file, "feed.json", "--table", "t", "--key", "id"];
    place.run(&[&arguments[..], more].concat())
}

/// A folder with the catalogue in four shards.
fn place() -> Place {
    let place = Place::new();
    place.catalogue("t.parquet", 0, ROWS);
    import(&place, "t.parquet", &["--shards", "4"]).done();
    place
}

/// CRC-32 as zlib has it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn the_pages_of_all_shards_are_those_of_one_file() {
    let place = place();
    place.run(&["import", "t.parquet", "feed.db", "--key", "id"]).done();
    let one = place.open_with_extension("feed.db");
    let exact = "AND ef_search = 'exact'";
    for shards in [1, 2, 4, 8] {
        import(&place, "t.parquet", &["--shards", &shards.to_string()]).done();
        let all = attach(&place, &manifest(&place)).unwrap();
        let page = |filter: &str, limit: usize, offset: usize| {
            ids(&all, &format!("{} LIMIT {limit} OFFSET {offset}", merged(shards, "id, distance", filter)))
        };
        assert_eq!(page(exact, 50, 0), ids(&one, &format!("{} LIMIT 50", merged(1, "id, distance", exact))));
        assert_eq!(
            page(exact, 50, 1000),
            ids(&one, &format!("{} LIMIT 50 OFFSET 1000", merged(1, "id, distance", exact)))
        );
        // Pages tile: each row comes once, in the order of the feed, whatever the size of the pages is.
        let whole = page("", 10_000, 0);
        assert_eq!(whole.len(), ROWS as usize);
        assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), ROWS as usize, "{shards} shards");
        for size in [7, 250] {
            let pages = (0..40).flat_map(|number| page("", size, number * size));
            assert_eq!(
                pages.collect::<Vec<_>>(),
                whole[..whole.len().min(40 * size)],
                "{shards} shards, pages of {size}"
            );
        }
        let cheap = "AND name >= 'article 2' AND name < 'article 3'";
        let of_one = ids(&one, &format!("{} LIMIT 99", merged(1, "id, distance", &format!("{cheap} {exact}"))));
        assert_eq!(page(&format!("{cheap} {exact}"), 99, 0), of_one);
    }
}

/// SQLite asks each shard for as many rows as the page needs, and sorts nothing.
#[test]
fn the_statement_is_a_merge() {
    let place = place();
    let all = attach(&place, &manifest(&place)).unwrap();
    let plan = lines(&all, &format!("EXPLAIN QUERY PLAN {} LIMIT 10", merged(4, "id, distance", ""))).join("\n");
    assert_eq!(plan.matches("MERGE (UNION ALL)").count(), 3, "{plan}");
    assert_eq!(plan.matches(":knn v cosine").count(), 4, "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

#[test]
fn a_row_is_in_the_shard_of_its_hash_and_the_shards_are_balanced() {
    let place = Place::new();
    let vectors: Vec<_> = (0..ROWS).map(|id| Some(direction(id).to_vec())).collect();
    let texts = StringArray::from_iter_values((0..ROWS).map(|id| format!("A{id:05}ö")));
    let large = UInt64Array::from_iter_values((0..ROWS).map(|id| u64::MAX - 3 * id as u64));
    let columns: [(ArrayRef, &str); 4] = [
        (Arc::new(Int64Array::from_iter_values((0..ROWS).map(|id| 2 * id - 500))), "INTEGER"),
        (Arc::new(texts), "TEXT"),
        (Arc::new(large), "TEXT"),
        (Arc::new(BinaryArray::from_iter_values((0..ROWS).map(i64::to_le_bytes))), "BLOB"),
    ];
    for (keys, declared) in columns {
        place.parquet("t.parquet", vec![("id", keys), ("v", vectors_of(&vectors))]);
        import(&place, "t.parquet", &["--shards", "8"]).done();
        let manifest = manifest(&place);
        let mut all = 0;
        for (number, file) in files(&manifest).iter().enumerate() {
            let shard = place.open(file);
            let keys: Vec<Vec<u8>> = {
                let mut keys = shard.prepare("SELECT CAST(id AS BLOB) FROM t_rows").unwrap();
                keys.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
            };
            assert!(keys.iter().all(|key| crc32(key) as usize % 8 == number), "{declared}, shard {number}");
            assert_eq!(manifest["shards"][number]["rows"], keys.len());
            assert!((300..450).contains(&keys.len()), "{declared}, shard {number} of 8 has {} rows", keys.len());
            all += keys.len() as i64;
        }
        assert_eq!((all, &manifest["rows"]), (ROWS, &Value::from(ROWS)));
    }
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
}

#[test]
fn rows_may_be_divided_by_a_column_that_is_no_key() {
    let place = Place::new();
    place.catalogue("t.parquet", 0, 300);
    place.run(&["import", "t.parquet", "feed.json", "--shards", "3", "--shard-by", "name"]).done();
    let manifest = manifest(&place);
    assert_eq!((&manifest["shard_by"], &manifest["hash"]), (&Value::from("name"), &Value::from("crc32")));
    let sql = "SELECT name FROM t_rows";
    let names: Vec<Vec<String>> = files(&manifest).iter().map(|file| lines(&place.open(file), sql)).collect();
    let is_right =
        |(number, names): (usize, &Vec<String>)| names.iter().all(|name| crc32(name.as_bytes()) as usize % 3 == number);
    assert!(names.iter().enumerate().all(is_right) && names.concat().len() == 300);
    for file in files(&manifest) {
        place.run(&["check", &file]).done();
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, two) = (place(), place());
    import(&two, "t.parquet", &["--shards", "4"]).done();
    let bytes = |place: &Place| -> Vec<Vec<u8>> {
        files(&manifest(place)).iter().map(|file| fs::read(place.path(file)).unwrap()).collect()
    };
    assert_eq!(files(&manifest(&two)), ["feed-2-0.db", "feed-2-1.db", "feed-2-2.db", "feed-2-3.db"]);
    assert!(bytes(&one) == bytes(&two));
}

/// A reader that has read a manifest opens the files that it names until the second import after that is done.
#[test]
fn files_stay_for_one_more_import() {
    let place = place();
    let generation = |number: u64| (0..4).map(move |shard| format!("feed-{number}-{shard}.db"));
    let there = |place: &Place| place.names().into_iter().filter(|name| name.ends_with(".db")).collect::<Vec<_>>();
    assert_eq!(there(&place), generation(1).collect::<Vec<_>>());
    import(&place, "t.parquet", &["--shards", "4"]).done();
    assert_eq!(there(&place), generation(1).chain(generation(2)).collect::<Vec<_>>());
    assert_eq!(strings(&manifest(&place)["before"]), generation(1).collect::<Vec<_>>());
    fs::write(place.path("feed-1-0.db-wal"), "its log").unwrap();
    import(&place, "t.parquet", &["--shards", "2"]).done();
    let new = ["feed-3-0.db", "feed-3-1.db"].map(str::to_owned);
    assert_eq!(there(&place), generation(2).chain(new).collect::<Vec<_>>());
    assert!(!place.path("feed-1-0.db-wal").exists());
    assert_eq!(place.names().len(), 4 + 2 + 2, "{:?}", place.names());
}

/// Each night has other ids. A page, a count and a second page are of the night whose manifest was read.
#[test]
fn readers_never_see_a_mix_of_two_imports() {
    const NIGHTS: i64 = 12;
    let night_of = |id: i64| id / 100_000;
    let place = Place::new();
    for night in 0..NIGHTS {
        place.catalogue(&format!("{night}.parquet"), night * 100_000, 400);
    }
    import(&place, "0.parquet", &["--shards", "3"]).done();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = BTreeSet::new();
                    while !done.load(Ordering::SeqCst) || seen.is_empty() {
                        let manifest = manifest(&place);
                        let generation = manifest["generation"].as_i64().unwrap();
                        let Some(all) = attach(&place, &manifest) else {
                            let now = self::manifest(&place)["generation"].as_i64().unwrap();
                            assert!(now >= generation + 2, "a file of {generation} is gone, and the manifest is {now}");
                            continue;
                        };
                        for offset in [0, 20, 380] {
                            let page = format!("{} LIMIT 20 OFFSET {offset}", merged(3, "id, distance", ""));
                            let page = ids(&all, &page);
                            assert!(
                                page.len() == 20 && page.iter().all(|&id| night_of(id) + 1 == generation),
                                "{page:?}"
                            );
                        }
                        seen.insert(generation);
                    }
                    seen
                })
            })
            .collect();
        for night in 1..NIGHTS {
            import(&place, &format!("{night}.parquet"), &["--shards", "3"]).done();
        }
        done.store(true, Ordering::SeqCst);
        for reader in readers {
            assert!(!reader.join().unwrap().is_empty());
        }
    });
}

#[test]
fn a_mirror_writes_only_the_shards_that_differ() {
    let place = place();
    let before = files(&manifest(&place));
    let (changed, gone, added) = (100, 200, ROWS + 1);
    let ids: Vec<i64> = (0..ROWS).filter(|&id| id != gone).chain([added]).collect();
    let names = ids.iter().map(|&id| if id == changed { "changed".to_owned() } else { format!("article {id}") });
    let vectors: Vec<_> = ids.iter().map(|&id| Some(direction(id).to_vec())).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(ids.clone()))),
        ("name", Arc::new(StringArray::from_iter_values(names))),
        ("v", vectors_of(&vectors)),
    ];
    place.parquet("t.parquet", columns);
    let said = import(&place, "t.parquet", &["--shards", "4", "--mirror", "--json"]).done();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["inserted"], &said["updated"], &said["deleted"]), (&1.into(), &1.into(), &1.into()));
    let manifest_now = manifest(&place);
    let now = files(&manifest_now);
    let touched: BTreeSet<usize> =
        [changed, gone, added].map(|id| crc32(id.to_string().as_bytes()) as usize % 4).into();
    assert!((1..4).contains(&touched.len()), "the ids are chosen so that a shard stays");
    for number in 0..4 {
        let new = format!("feed-2-{number}.db");
        let expected = if touched.contains(&number) { &new } else { &before[number] };
        assert_eq!(&now[number], expected);
        place.run(&["check", &now[number]]).done();
    }
    let replaced = touched.iter().map(|&number| before[number].clone()).collect::<Vec<_>>();
    assert_eq!(strings(&manifest_now["before"]), replaced);
    let all = attach(&place, &manifest_now).unwrap();
    let mut found = self::ids(&all, &merged(4, "id, distance", ""));
    found.sort_unstable();
    assert_eq!(found, ids);
    let unchanged = import(&place, "t.parquet", &["--shards", "4", "--mirror", "--json"]).done();
    assert!(unchanged.contains("\"inserted\":0,\"updated\":0,\"deleted\":0"), "{unchanged}");
    assert_eq!(files(&manifest(&place)), now);
}

#[test]
fn rows_are_added_and_replaced_in_their_shards() {
    let place = place();
    place.catalogue("more.parquet", ROWS - 10, 20);
    let twice = import(&place, "more.parquet", &["--shards", "4", "--append"]).failed();
    assert!(twice.contains("the key 2990 came before; nothing was imported"), "{twice}");
    assert_eq!(manifest(&place)["generation"], 1);
    import(&place, "more.parquet", &["--shards", "4", "--upsert"]).done();
    assert_eq!(manifest(&place)["rows"], ROWS + 10);
    place.catalogue("one.parquet", 9000, 1);
    import(&place, "one.parquet", &["--shards", "4", "--append"]).done();
    let manifest = manifest(&place);
    assert_eq!(manifest["rows"], ROWS + 11);
    let new = files(&manifest).iter().filter(|file| file.starts_with("feed-3-")).count();
    assert_eq!(new, 1, "only the shard of the one row is written: {manifest}");
    let found = ids(&attach(&place, &manifest).unwrap(), &merged(4, "id, distance", ""));
    assert_eq!(found.len() as i64, ROWS + 11);
    for file in files(&manifest) {
        place.run(&["check", &file]).done();
    }
}

#[test]
fn the_summary_has_the_shards_and_a_statement_to_paste() {
    let place = Place::new();
    place.catalogue("t.parquet", 0, 50);
    let text = import(&place, "t.parquet", &["--shards", "2"]).done();
    let (first, sql) = text.split_once("\n\n").unwrap();
    assert!(first.starts_with("feed.json: table t in 2 shards, 50 rows, v FLOAT[2] cosine, "), "{first}");
    let said: Value = serde_json::from_str(&import(&place, "t.parquet", &["--shards", "2", "--json"]).done()).unwrap();
    assert_eq!(said["shards"], manifest(&place)["shards"]);
    let bytes = |file: &String| fs::metadata(place.path(file)).unwrap().len();
    assert_eq!(said["bytes"], files(&manifest(&place)).iter().map(bytes).sum::<u64>());
    assert_eq!(
        sql,
        "ATTACH 'feed-1-1.db' AS shard1;\n\
         SELECT id, name, distance FROM main.t\n\
         WHERE v MATCH (SELECT v FROM main.t WHERE v IS NOT NULL LIMIT 1)\n\
         UNION ALL\n\
         SELECT id, name, distance FROM shard1.t\n\
         WHERE v MATCH (SELECT v FROM main.t WHERE v IS NOT NULL LIMIT 1)\n\
         ORDER BY distance LIMIT 10;\n"
    );
    let first = place.open_with_extension("feed-1-0.db");
    let sql = sql.replace("feed-1-1.db", place.path("feed-1-1.db").to_str().unwrap());
    let (attach, select) = sql.split_once('\n').unwrap();
    first.execute_batch(attach).unwrap();
    assert_eq!(lines(&first, select).len(), 10);
    let many = import(&place, "t.parquet", &["--shards", "12"]).done();
    assert!(many.starts_with("feed.json: table t in 12 shards") && !many.contains("ATTACH"), "{many}");
}

#[test]
fn what_is_refused_leaves_everything_as_it_was() {
    let place = place();
    place.catalogue("small.parquet", 0, 5);
    let (ids, reals) = (Int64Array::from(vec![Some(1), None]), Float64Array::from(vec![0.5, 1.5]));
    let vectors = vectors_of(&[Some(vec![1.0, 0.0]), Some(vec![0.0, 1.0])]);
    place.parquet("odd.parquet", vec![("id", Arc::new(ids)), ("r", Arc::new(reals)), ("v", vectors)]);
    fs::write(place.path("other.json"), "{\"a\": 1}").unwrap();
    let before = (place.names(), manifest(&place));
    let import = |arguments: &[&str]| place.run(&[&["import"], arguments].concat()).failed();
    assert_eq!(
        import(&["t.parquet", "feed.json", "--shards", "4"]),
        "--shards needs --key or --shard-by, the column by which rows are divided"
    );
    let in_shards = |count: &str| import(&["t.parquet", "feed.json", "--key", "id", "--shards", count]);
    assert_eq!(in_shards("0"), "--shards: expected 1 to 256, got 0");
    assert_eq!(in_shards("257"), "--shards: expected 1 to 256, got 257");
    assert_eq!(
        import(&["t.parquet", "feed.json", "--shards", "4", "--shard-by", "nr"]),
        "t.parquet: no column \"nr\"; the columns are id, name, v"
    );
    assert_eq!(
        import(&["t.parquet", "feed.json", "--shards", "4", "--shard-by", "v"]),
        "--shard-by v: expected a column of TEXT, INTEGER or BLOB, got one of vectors"
    );
    assert_eq!(
        import(&["odd.parquet", "feed.json", "--shards", "4", "--shard-by", "r"]),
        "--shard-by r: expected a column of TEXT, INTEGER or BLOB, got one of REAL numbers"
    );
    assert_eq!(
        import(&["t.parquet", "feed.json", "--key", "id", "--shards", "4", "--shard-by", "name"]),
        "--shard-by name: expected the --key, id, if there is one"
    );
    assert_eq!(
        import(&["t.parquet", "feed.json", "--shards", "4", "--shard-by", "name", "--exclude", "name"]),
        "column \"name\" is both needed (--key, --shard-by, --index or --type) and left out"
    );
    assert_eq!(
        import(&["odd.parquet", "feed.json", "--table", "t", "--shards", "4", "--shard-by", "id"]),
        "odd.parquet: row 2, column \"id\": expected a key, got NULL; nothing was imported (--on-bad-row skip leaves such \
         rows out)"
    );
    assert_eq!(
        import(&["t.parquet", "feed.db", "--key", "id", "--shards", "4"]),
        "--shards: the last argument is the manifest of the shards, expected a name such as feed.json, got feed.db"
    );
    let in_other = import(&["t.parquet", "other.json", "--key", "id", "--shards", "4"]);
    assert!(in_other.ends_with("other.json: exists and is not a manifest of shards; it was not touched"), "{in_other}");
    let at_feed = |more: &[&str]| {
        let line = import(&[&["t.parquet", "feed.json"], more].concat());
        line.rsplit_once("feed.json: ").unwrap().1.to_owned()
    };
    assert_eq!(at_feed(&["--key", "id"]), "exists and is not an SQLite database; it was not touched");
    assert_eq!(
        at_feed(&["--key", "id", "--shards", "8", "--mirror"]),
        "it has 4 shards, got --shards 8; --mirror cannot move rows, an import without it makes all shards anew"
    );
    assert_eq!(
        at_feed(&["--key", "name", "--shards", "4", "--upsert"]),
        "its rows are divided by id, got name (--key or --shard-by)"
    );
    assert_eq!(
        at_feed(&["--key", "id", "--shards", "4", "--append", "--table", "u"]),
        "its shards have the table t, got u (--table)"
    );
    assert_eq!(
        at_feed(&["--key", "id", "--shards", "4", "--if-exists", "fail"]),
        "there is a manifest already (--if-exists fail)"
    );
    assert_eq!(
        at_feed(&["--key", "id", "--shards", "4", "--min-rows", "9999"]),
        "table t would have 3000 rows, expected at least 9999 (--min-rows); nothing was changed"
    );
    let smaller = import(&[
        "small.parquet",
        "feed.json",
        "--table",
        "t",
        "--key",
        "id",
        "--shards",
        "4",
        "--mirror",
        "--min-rows",
        "9",
    ]);
    assert!(
        smaller.ends_with("table t would have 5 rows, expected at least 9 (--min-rows); nothing was changed"),
        "{smaller}"
    );
    assert_eq!((place.names(), manifest(&place)), before);
}

#[test]
fn other_tables_of_a_shard_are_not_lost() {
    let place = place();
    place.open("feed-1-2.db").execute_batch("CREATE TABLE users(name)").unwrap();
    let line = import(&place, "t.parquet", &["--shards", "4"]).failed();
    assert!(
        line.ends_with("feed-1-2.db: has more than the table t, which would be lost; move that to another file first"),
        "{line}"
    );
    import(&place, "t.parquet", &["--shards", "4", "--mirror"]).done();
    assert_eq!(files(&manifest(&place))[2], "feed-1-2.db");
}

#[test]
fn two_imports_do_not_lose_one_another() {
    let place = place();
    let lock = File::open(place.path("feed.json")).unwrap();
    lock.lock().unwrap();
    let line = import(&place, "t.parquet", &["--shards", "4", "--mirror"]).failed();
    assert!(line.ends_with("feed.json: another import is at work on it; try again when it is done"), "{line}");
    drop(lock);
    let shard = place.open("feed-1-1.db");
    shard.execute_batch("BEGIN IMMEDIATE").unwrap();
    let line = import(&place, "t.parquet", &["--shards", "4", "--mirror"]).failed();
    assert!(line.ends_with("feed-1-1.db: another program is writing to the file; try again when it is done"), "{line}");
    shard.execute_batch("COMMIT").unwrap();
    import(&place, "t.parquet", &["--shards", "4", "--mirror"]).done();
}

/// Of a killed import nothing is named, and its numbers are left to it.
#[test]
fn files_that_are_in_the_way_are_left_alone() {
    let place = place();
    fs::write(place.path("feed-2-3.db"), "of an import that was killed").unwrap();
    import(&place, "t.parquet", &["--shards", "4"]).done();
    assert_eq!(files(&manifest(&place))[0], "feed-3-0.db");
    assert_eq!(fs::read_to_string(place.path("feed-2-3.db")).unwrap(), "of an import that was killed");
    fs::remove_file(place.path("feed.json")).unwrap();
    import(&place, "t.parquet", &["--shards", "4"]).done();
    assert_eq!(files(&manifest(&place))[0], "feed-4-0.db");
}

#[cfg(unix)]
#[test]
fn a_killed_import_leaves_the_manifest_and_its_folder_goes() {
    let place = place();
    place.catalogue("large.parquet", 0, 40_000);
    let before = manifest(&place);
    let arguments = ["import", "large.parquet", "feed.json", "--table", "t", "--key", "id", "--shards", "4"];
    let folder = || place.names().into_iter().find(|name| name.starts_with(".feed.json.vecrank-"));
    let mut child = place.command(&arguments).stdout(std::process::Stdio::null()).spawn().unwrap();
    let is_building = || folder().is_some_and(|name| place.path(&name).join("draft-3.db").exists());
    assert!(freeze_when(&mut child, is_building));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(manifest(&place), before);
    assert!(folder().is_some());
    import(&place, "t.parquet", &["--shards", "4"]).done();
    assert!(folder().is_none(), "{:?}", place.names());
}

/// The owner of the feed gave the files their mode.
#[cfg(unix)]
#[test]
fn new_files_have_the_mode_of_the_old_ones() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    for name in ["feed.json", "feed-1-0.db", "feed-1-1.db", "feed-1-2.db", "feed-1-3.db"] {
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o640)).unwrap();
    }
    import(&place, "t.parquet", &["--shards", "4"]).done();
    place.catalogue("more.parquet", ROWS, 50);
    assert_eq!((mode("feed.json"), mode("feed-2-3.db")), (0o640, 0o640));
    import(&place, "more.parquet", &["--shards", "4", "--append"]).done();
    assert_eq!((mode("feed.json"), mode("feed-3-3.db")), (0o640, 0o640));
}
