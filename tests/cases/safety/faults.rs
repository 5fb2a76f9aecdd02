//! I/O errors at every call of a statement, and a loss of power at every sync of a workload. The failing statement
//! reports SQLite's error, nothing is half done, and nothing committed is lost.

use vecrank_tests::data::{Clusters, Element};
use vecrank_tests::{Host, library, long_or};

use crate::disk::{Disk, Fault};

const DIMS: usize = 8;
const QUERY: &str = "'[0.5,0,0,-1,0.1,0,1,0]'";
const FULL: i32 = 13;
const IO_ERROR: i32 = 10;
const CANNOT_OPEN: i32 = 14;

/// An INSERT of rows with ids from `from`.
pub fn insert(from: usize, count: usize) -> String {
    let mut clusters = Clusters::new(from as u64, 10, DIMS, Element::Float);
    let mut row =
        |id: usize| format!("({id}, 'name {id}', {}, {})", id % 10, Element::Float.literal(&clusters.vector()));
    format!("INSERT INTO t VALUES {}", (from..from + count).map(&mut row).collect::<Vec<_>>().join(","))
}

pub const TABLE: &str =
    "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, name TEXT INDEXED, n INTEGER, e FLOAT[8])";

/// Transactions of every kind.
pub fn workload() -> Vec<String> {
    let transaction = |statements: &[&str]| format!("BEGIN; {}; COMMIT", statements.join("; "));
    vec![
        TABLE.into(),
        insert(1, 60),
        insert(100, 1),
        transaction(&[&insert(200, 3), "UPDATE t SET n = n + 1 WHERE id < 9", "DELETE FROM t WHERE id % 10 = 3"]),
        format!("UPDATE t SET e = vec_scale(vec_add(e, {QUERY}), 2.0) WHERE id BETWEEN 20 AND 24"),
        transaction(&[&insert(300, 2), "SAVEPOINT a; DELETE FROM t; ROLLBACK TO a", &insert(310, 1)]),
        "INSERT INTO t(t) VALUES ('optimize')".into(),
        format!("REPLACE {}", insert(5, 2).trim_start_matches("INSERT ")),
        "UPDATE t SET id = id + 1000 WHERE id < 8".into(),
        // Each of these heals: too few rows for a rebuild.
        "DELETE FROM t WHERE id IN (9, 14, 19)".into(),
        transaction(&["DELETE FROM t WHERE id IN (10, 15, 20)", &insert(320, 1)]),
        "DELETE FROM t WHERE id IN (12, 16, 22)".into(),
        insert(330, 2),
        "DELETE FROM t WHERE id > 30".into(),
        transaction(&["ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME TO t", &insert(400, 1)]),
        insert(500, 40),
    ]
}

fn connect(disk: &Disk, journal: &str) -> Host {
    let host = Host::bundled(format!("file:t.db?vfs={}", disk.vfs().to_str().unwrap()));
    host.load(library()).unwrap();
    host.run(&format!("PRAGMA synchronous = EXTRA; PRAGMA journal_mode = {journal}; PRAGMA wal_autocheckpoint = 20"));
    host
}

/// The content of the table, as a user sees it.
pub fn state(host: &Host) -> Vec<String> {
    if host.line("SELECT count(*) FROM sqlite_master WHERE name = 't'") == "0" {
        return Vec::new();
    }
    let mut state = vec!["the table is there".to_owned()];
    state.extend(host.rows("SELECT id, name, n, quote(e) FROM t"));
    state.extend(host.rows(&format!("SELECT id FROM t WHERE e MATCH {QUERY} ORDER BY distance")));
    state
}

/// The states before the workload and after each of its transactions.
fn states(journal: &str) -> Vec<Vec<String>> {
    let disk = Disk::new();
    let host = connect(&disk, journal);
    let mut states = vec![state(&host)];
    let mut healed = 0;
    for sql in workload() {
        host.run(&sql);
        states.push(state(&host));
        healed += usize::from(host.has_healed("main", "t"));
    }
    assert!(healed >= 4, "{healed} of the transactions heal");
    states
}

#[track_caller]
fn check_sound(host: &Host, state: &[String], what: &str) {
    if !state.is_empty() {
        let sound = host.execute("INSERT INTO t(t) VALUES ('integrity-check')");
        assert!(sound.is_ok(), "{what}: {sound:?}");
    }
    assert_eq!(host.line("PRAGMA integrity_check"), "ok", "{what}");
}

fn lose_power_at_every_sync(journal: &str) {
    let (states, workload) = (states(journal), workload());
    let (mut losses, mut lucky) = (0, 0);
    for sync in 1.. {
        let mut is_over = false;
        for seed in 0..long_or(100, 3) {
            let disk = Disk::new();
            let host = connect(&disk, journal);
            disk.fail(Fault::PowerLoss, sync);
            let acknowledged = workload.iter().take_while(|sql| host.execute(sql).is_ok()).count();
            is_over = acknowledged == workload.len();
            // The power goes while the connection is open, so that unwritten data is lost.
            let after = disk.after_power_loss(1_000 * sync + seed);
            drop(host);
            if is_over {
                break;
            }
            let what = format!("{journal}, sync {sync}, seed {seed}, after {acknowledged} transactions");
            let host = connect(&after, journal);
            let found = state(&host);
            // The transaction in progress is there in full, or not at all.
            let is_next = found == states[acknowledged + 1];
            assert!(is_next || found == states[acknowledged], "{what}: a state that never was");
            check_sound(&host, &found, &what);
            for sql in &workload[acknowledged + usize::from(is_next)..] {
                host.run(sql);
            }
            assert!(state(&host) == states[workload.len()], "{what}: the rest of the workload ends elsewhere");
            check_sound(&host, &["a table".into()], &what);
            losses += 1;
            lucky += usize::from(is_next);
        }
        if is_over {
            break;
        }
    }
    eprintln!("{journal}: {losses} losses of power, {lucky} of them with the transaction under way");
    assert!(losses > 40, "{losses} losses");
}

#[test]
fn committed_data_survives_power_loss_with_a_rollback_journal() {
    lose_power_at_every_sync("DELETE");
}

#[test]
fn committed_data_survives_power_loss_with_a_wal() {
    lose_power_at_every_sync("WAL");
}

/// Runs each transaction of the workload with a fault at the first, second, ... call, until it succeeds.
fn fail_everywhere(journal: &str, fault: Fault) {
    let (states, workload) = (states(journal), workload());
    let mut disk = Disk::new();
    drop(connect(&disk, journal));
    let (mut faults, mut refused) = (0, 0);
    let step = long_or(1, if journal == "WAL" { 8 } else { 6 });
    for (number, sql) in workload.iter().enumerate() {
        let (before, after) = (&states[number], &states[number + 1]);
        let mut at = 1 + number as u64 % step;
        loop {
            let host = connect(&disk, journal);
            // Reads the schema and connects the table.
            let found = state(&host);
            if &found != before {
                // A WAL keeps the frames of a commit whose sync failed, and a recovery applies them.
                assert!(journal == "WAL" && &found == after, "{fault:?}: before call {at} of {sql:.60}");
                drop(host);
                disk = at_state(&workload[..number], journal);
                continue;
            }
            disk.fail(fault, at);
            let result = host.execute(sql);
            if disk.mend() {
                faults += 1;
            } else {
                result.unwrap_or_else(|error| panic!("{sql:.60}: {error}"));
                break;
            }
            let what = format!("{journal}, {fault:?} at call {at} of {sql:.60}: {result:?}");
            if let Err(error) = &result {
                let codes: &[i32] = if fault == Fault::Full { &[FULL] } else { &[IO_ERROR, CANNOT_OPEN] };
                assert!(codes.contains(&(error.code & 0xff)), "{what}");
                refused += 1;
            }
            if !host.is_autocommit() {
                host.run("ROLLBACK");
            }
            // The connection that saw the error keeps working, and another one agrees.
            let found = state(&host);
            let is_done = &found == after;
            assert!(is_done && result.is_ok() || &found == before, "{what}: a state that never was");
            check_sound(&host, &found, &what);
            let other = connect(&disk, journal);
            assert!(state(&other) == found, "{what}: another connection sees other rows");
            drop(other);
            if !is_done {
                let copy = disk.copy();
                host.run(sql);
                assert!(&state(&host) == after, "{what}: done again, it ends elsewhere");
                check_sound(&host, after, &what);
                drop(host);
                disk = copy;
            } else {
                drop(host);
                disk = at_state(&workload[..number], journal);
            }
            at += step;
        }
        disk = at_state(&workload[..=number], journal);
    }
    eprintln!("{journal}, {fault:?}: {faults} faults, {refused} of them refused the transaction");
    assert!(refused > 50, "{refused} of {faults}");
}

/// A disk after these transactions.
fn at_state(workload: &[String], journal: &str) -> Disk {
    let disk = Disk::new();
    let host = connect(&disk, journal);
    workload.iter().for_each(|sql| host.run(sql));
    drop(host);
    disk
}

#[test]
fn an_io_error_anywhere_is_reported_and_undone() {
    for journal in ["DELETE", "WAL"] {
        fail_everywhere(journal, Fault::IoError { is_lasting: false });
    }
}

#[test]
fn lasting_errors_and_a_full_disk_are_reported_and_undone() {
    for journal in ["DELETE", "WAL"] {
        fail_everywhere(journal, Fault::IoError { is_lasting: true });
        fail_everywhere(journal, Fault::Full);
    }
}
