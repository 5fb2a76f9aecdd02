//! Pages of one search: a connection with a cached search returns the pages of a fresh connection, whatever was written
//! in between, by any connection.

use rusqlite::Connection;
use rusqlite::types::Value;
use vecrank_tests::open_file;

use crate::Numbers;

const ROWS: i64 = 9_000;
const DIMS: usize = 8;
const QUERY: &str = "[1,0.2,0.1,-0.1,0.3,0,0.2,-0.2]";

/// Two clouds of vectors, one around QUERY and one opposite. `side` tells which, `dice` is a number from 0 to 99.
fn filled(folder: &tempfile::TempDir) -> Connection {
    let connection = open_file(folder.path().join("feed.db"));
    let mut numbers = Numbers::from_seed(5);
    connection
        .execute_batch(
            "CREATE VIRTUAL TABLE v USING hnsw(id INTEGER PRIMARY KEY, side TEXT INDEXED, side_bare TEXT,
                                               dice INTEGER INDEXED, dice_bare INTEGER, part INTEGER INDEXED, e FLOAT[8]); BEGIN;",
        )
        .unwrap();
    {
        let mut insert = connection.prepare("INSERT INTO v VALUES (?1, ?2, ?2, ?3, ?3, ?4, ?5)").unwrap();
        for id in 1..=ROWS {
            let (side, sign) = if id % 2 == 0 { ("near", 1.0) } else { ("far", -1.0) };
            let mut component = |k: usize| numbers.below(2000) as f64 / 1000.0 - 1.0 + sign * f64::from(k == 0) * 1.5;
            let components: Vec<String> = (0..DIMS).map(|k| format!("{:.3}", component(k))).collect();
            let vector = format!("[{}]", components.join(","));
            // Four fifths of the far side: few enough to be listed, too many to be ranked.
            let part = i64::from(id % 2 == 1 && id % 10 != 9);
            insert.execute((id, side, numbers.below(100) as i64, part, vector)).unwrap();
        }
    }
    connection.execute_batch("COMMIT").unwrap();
    connection
}

fn page(connection: &Connection, filter: &str, limit: usize, offset: usize) -> Vec<(i64, f64)> {
    let sql = format!("SELECT id, distance FROM v(?1) WHERE {filter} ORDER BY distance LIMIT {limit} OFFSET {offset}");
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([QUERY], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn on_a_fresh_connection(folder: &tempfile::TempDir, filter: &str, limit: usize, offset: usize) -> Vec<(i64, f64)> {
    page(&open_file(folder.path().join("feed.db")), filter, limit, offset)
}

/// Filters for every strategy: none, few rows, a walk, a steered search, a walk that changes over to ranking.
const FILTERS: [&str; 11] = [
    "true",
    "dice = 7",
    "dice_bare = 7",
    "dice < 70",
    "dice_bare < 70",
    "side = 'far'",
    "side_bare = 'far'",
    "side_bare = 'far' AND dice < 50",
    "part = 1",
    "side LIKE 'F%'",
    "side LIKE '%AR'",
];

#[test]
fn cached_pages_equal_those_of_a_fresh_connection() {
    let folder = tempfile::tempdir().unwrap();
    let connection = filled(&folder);
    let mut numbers = Numbers::from_seed(6);
    for filter in FILTERS {
        let whole = on_a_fresh_connection(&folder, filter, 400, 0);
        assert!(whole.len() == 400 || filter.contains("= 7"), "{filter}: {} rows", whole.len());
        assert!(whole.windows(2).all(|pair| (pair[0].1, pair[0].0) < (pair[1].1, pair[1].0)), "{filter}");
        let mut offset = 0;
        while offset < whole.len() {
            let limit = 1 + numbers.below(60) as usize;
            let end = (offset + limit).min(whole.len());
            let got = page(&connection, filter, end - offset, offset);
            assert_eq!(got, whole[offset..end], "{filter}: LIMIT {limit} OFFSET {offset}");
            // Sometimes an earlier page again.
            offset = if numbers.below(5) == 0 { offset / 2 } else { end };
        }
        // Two cursors on the search at once, and a join that runs it again for each row.
        let twice = format!(
            "SELECT count(*) FROM (SELECT id FROM v(?1) WHERE {filter} ORDER BY distance LIMIT 50) a
             JOIN (SELECT id FROM v(?1) WHERE {filter} ORDER BY distance LIMIT 50) b USING (id)"
        );
        let count: i64 = connection.query_row(&twice, [QUERY], |row| row.get(0)).unwrap();
        assert_eq!(count as usize, whole.len().min(50), "{filter}");
    }
}

#[test]
fn a_filter_anticorrelated_with_the_query_keeps_recall() {
    let folder = tempfile::tempdir().unwrap();
    let connection = filled(&folder);
    for filter in ["part = 1", "side = 'far'", "side_bare = 'far'", "side_bare = 'far' AND dice < 90"] {
        let exact: Vec<(i64, f64)> = page(&connection, &format!("ef_search = 'exact' AND {filter}"), 200, 0);
        let got = page(&connection, filter, 200, 0);
        let found = got.iter().filter(|row| exact.contains(row)).count();
        assert_eq!(got.len(), 200, "{filter}");
        assert!(found >= 190, "{filter}: {found} of 200");
    }
}

#[test]
fn writes_between_two_pages_take_effect() {
    let folder = tempfile::tempdir().unwrap();
    let connection = filled(&folder);
    let other = open_file(folder.path().join("feed.db"));
    // Plain SQL on the rows table changes `taken` rows of the first page so that they fail the filter.
    let take = |writer: &Connection, filter: &str| {
        let taken: Vec<i64> = page(&connection, filter, 20, 0).iter().map(|row| row.0).collect();
        let list: Vec<String> = taken.iter().step_by(3).map(ToString::to_string).collect();
        writer
            .execute_batch(&format!("UPDATE v_rows SET dice = 99, dice_bare = 99 WHERE id IN ({})", list.join(",")))
            .unwrap();
    };
    for filter in ["dice < 60", "dice_bare < 60", "dice = 8", "dice_bare = 8"] {
        for writer in [&connection, &other] {
            take(writer, filter);
            assert_eq!(page(&connection, filter, 20, 20), on_a_fresh_connection(&folder, filter, 20, 20), "{filter}");
        }
        // Inside a transaction, which no other connection sees, and after its rollback.
        let before = page(&connection, filter, 40, 0);
        connection.execute_batch("BEGIN").unwrap();
        take(&connection, filter);
        let inside = page(&connection, filter, 40, 0);
        assert!(inside[..20].iter().all(|row| row.0 != before[0].0 && row.0 != before[3].0), "{filter}");
        let dice: Vec<Value> = inside
            .iter()
            .map(|row| {
                connection.query_row("SELECT dice FROM v_rows WHERE id = ?1", [row.0], |row| row.get(0)).unwrap()
            })
            .collect();
        assert!(dice.iter().all(|dice| matches!(dice, Value::Integer(0..=59))), "{filter}: {dice:?}");
        connection.execute_batch("ROLLBACK").unwrap();
        assert_eq!(page(&connection, filter, 40, 0), before, "{filter}");
        // One more vector, and one less, through the table itself.
        connection
            .execute_batch(&format!(
                "BEGIN; INSERT INTO v(dice, dice_bare, e) VALUES (8, 8, '{QUERY}'); DELETE FROM v WHERE id = {}; ROLLBACK",
                before[1].0
            ))
            .unwrap();
        assert_eq!(page(&connection, filter, 40, 0), before, "{filter}");
        connection.execute_batch(&format!("DELETE FROM v WHERE id = {}", before[1].0)).unwrap();
        assert_eq!(page(&connection, filter, 19, 1), on_a_fresh_connection(&folder, filter, 19, 1), "{filter}");
        assert_eq!(page(&connection, filter, 1, 1)[0], before[2]);
    }
}

#[test]
fn a_pragma_between_two_pages_takes_effect() {
    let folder = tempfile::tempdir().unwrap();
    let connection = filled(&folder);
    for (pragma, upper) in [(0, 10), (1, 0), (0, 10)] {
        connection.execute_batch(&format!("PRAGMA case_sensitive_like = {pragma}")).unwrap();
        assert_eq!(page(&connection, "side LIKE '%AR'", 10, 0).len(), upper, "{pragma}");
        assert_eq!(page(&connection, "side LIKE '%ar'", 10, 10).len(), 10, "{pragma}");
    }
}

#[test]
fn rows_can_change_during_a_steered_search() {
    let folder = tempfile::tempdir().unwrap();
    let connection = filled(&folder);
    for order in ["ORDER BY distance", ""] {
        let sql = format!("SELECT id FROM v(?1) WHERE part = 1 {order}");
        let mut statement = connection.prepare(&sql).unwrap();
        let mut rows = statement.query([QUERY]).unwrap();
        let mut ids = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            ids.push(row.get::<_, i64>(0).unwrap());
            if ids.len() == 5 {
                // Renumbers all nodes.
                connection.execute_batch("INSERT INTO v(v) VALUES ('rebuild')").unwrap();
            }
            if ids.len() == 10 {
                connection.execute_batch("DELETE FROM v WHERE part = 1 AND dice > 97").unwrap();
            }
        }
        let count = ids.len();
        assert!(ids.iter().all(|id| id % 2 == 1), "{order}");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{order}: a row came twice");
        assert!(count > 3_300, "{order}: {count} rows");
    }
}
