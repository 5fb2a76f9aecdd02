//! Damaged and malicious files: every read and write returns an answer, or SQLITE_CORRUPT_VTAB with the place of the
//! damage. None crashes, hangs or allocates without bound, and the integrity check finds the damage.

mod cases;
mod missing;
mod random;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use vecrank_tests::data::{Clusters, Element};
use vecrank_tests::{Host, HostError, library};

use cases::{Case, Outcome, header, is_like};

const CORRUPT_VTAB: i32 = 267;
/// Too many rows for the engine to rank them all: the graph is walked.
const ROWS: usize = 1_100;
const DIMS: usize = 192;

/// A database and its temporary folder.
struct FileCopy {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

/// A sound file with a table t of ROWS rows with ids from 1. Some are deleted, and one has no vector.
fn sound_file() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let copy = FileCopy::of(&[]);
        let host = Host::bundled(&copy.path);
        host.load(library()).unwrap();
        host.run(&format!(
            "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, name TEXT, n INTEGER INDEXED, e FLOAT[{DIMS}])"
        ));
        let mut clusters = Clusters::new(1, 20, DIMS, Element::Float);
        let row = |id| format!("({id},'name {id}',{},{})", id % 10, Element::Float.literal(&clusters.vector()));
        host.run(&format!("INSERT INTO t VALUES {}", (1..=ROWS).map(row).collect::<Vec<_>>().join(",")));
        host.run("INSERT INTO t VALUES (2000, 'without', 1, NULL); DELETE FROM t WHERE id % 100 = 50");
        host.check_sound("t");
        drop(host);
        std::fs::read(&copy.path).unwrap()
    })
}

impl FileCopy {
    fn of(bytes: &[u8]) -> FileCopy {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        std::fs::write(&path, bytes).unwrap();
        FileCopy { _folder: folder, path }
    }

    /// The sound file after a connection without the extension has run `sql`.
    fn damaged(sql: &str) -> FileCopy {
        let copy = FileCopy::of(sound_file());
        copy.without_the_extension().run(sql);
        copy
    }

    fn without_the_extension(&self) -> Host {
        let host = Host::bundled(&self.path);
        host.run("PRAGMA synchronous = OFF");
        host
    }

    /// The file, opened by each SQLite library with the extension.
    fn hosts(&self) -> Vec<Host> {
        let hosts: Vec<Host> =
            [Some(Host::bundled(&self.path)), Host::system(&self.path)].into_iter().flatten().collect();
        for host in &hosts {
            host.load(library()).unwrap();
            host.run("PRAGMA synchronous = OFF");
        }
        hosts
    }
}

/// The query is the vector of row 7 with one component changed.
fn query() -> &'static str {
    static QUERY: OnceLock<String> = OnceLock::new();
    QUERY.get_or_init(|| Element::Float.literal(&Clusters::new(1, 20, DIMS, Element::Float).vectors(7).remove(6)))
}

fn reads() -> Vec<String> {
    let search = |columns: &str, rest: &str| format!("SELECT {columns} FROM t WHERE e MATCH {} {rest}", query());
    vec![
        search("id, distance", "ORDER BY distance LIMIT 10"),
        search("id, name, e", "ORDER BY distance LIMIT 300"),
        search("id, e", "AND ef_search = 'exact' ORDER BY distance"),
        search("count(*), count(name)", ""),
        search("id, e", "AND n = 3 ORDER BY distance"),
        search("id", "AND name LIKE 'name 1%' ORDER BY distance LIMIT 20"),
        "SELECT id, name, e FROM t".into(),
        "SELECT e FROM t WHERE id = 7".into(),
        "SELECT count(*) FROM t".into(),
        "SELECT * FROM hnsw_info('t')".into(),
        "PRAGMA integrity_check".into(),
        CHECK.into(),
    ]
}

const CHECK: &str = "INSERT INTO t(t) VALUES ('integrity-check')";

fn writes() -> Vec<String> {
    let mut clusters = Clusters::new(2, 20, DIMS, Element::Float);
    let mut row = |id: usize| format!("({id}, 'new', 3, {})", Element::Float.literal(&clusters.vector()));
    let rows: Vec<String> = (3000..3020).map(&mut row).collect();
    vec![
        format!("INSERT INTO t VALUES {}", rows[0]),
        format!("INSERT INTO t VALUES {}", rows.join(",")),
        format!("UPDATE t SET e = {} WHERE id < 9", query()),
        "UPDATE t SET n = n + 1 WHERE id < 9".into(),
        "UPDATE t SET id = id + 5000 WHERE id < 9".into(),
        format!("REPLACE INTO t VALUES (7, 'again', 3, {})", query()),
        "DELETE FROM t WHERE id < 9".into(),
        "DELETE FROM t WHERE id > 700".into(),
        "INSERT INTO t(t) VALUES ('rebuild')".into(),
        "INSERT INTO t(t, k) VALUES ('ef_search', 20)".into(),
        "DELETE FROM t".into(),
        "ALTER TABLE t RENAME TO u".into(),
        "DROP TABLE t".into(),
    ]
}

/// SQLite's instructions between two progress calls, and the most calls of a statement: some hundred times the usual.
const STRIDE: i32 = 10_000;
const MOST_STRIDES: u32 = 20_000;

/// Runs all statements. Each write is linked into the graph and undone. Reports statements that do not end, and errors
/// that `allowed` does not accept.
fn try_everything(host: &Host, what: &str, allowed: impl Fn(&HostError) -> bool, problems: &mut Vec<String>) {
    let mut try_one = |sql: &str| {
        let (result, strides) = host.stopped_at_call(STRIDE, MOST_STRIDES, || host.query(sql));
        if strides >= MOST_STRIDES {
            problems.push(format!("{what}: {sql:.80}: goes on without end"));
        }
        if let Some(error) = result.as_ref().err().filter(|error| !allowed(error)) {
            problems.push(format!("{what}: {sql:.80}: {error}"));
        }
        result.is_ok()
    };
    for sql in reads() {
        try_one(&sql);
    }
    for sql in writes() {
        if !try_one("SAVEPOINT a") {
            continue;
        }
        if try_one(&sql) {
            let table = if sql.contains("RENAME") { "u" } else { "t" };
            let is_there = !sql.starts_with("DROP");
            is_there.then(|| try_one(&reads()[0].replace("FROM t ", &format!("FROM {table} "))));
        }
        // An I/O error may have ended the transaction.
        let _ = host.execute("ROLLBACK TO a");
        let _ = host.execute("RELEASE a");
    }
}

fn is_corrupt(error: &HostError) -> bool {
    error.code == CORRUPT_VTAB
}

/// A damaged header may say that all ids are used. A rebuild ignores it and repairs the table.
fn is_corrupt_or_full(error: &HostError) -> bool {
    is_corrupt(error) || (error.code, &error.message[..]) == (1, "t.e: full: rebuild it to reclaim the ids")
}

/// Runs a test of this program again in its own process with little memory, where too large an allocation aborts.
/// Returns true in that process, which does the work.
fn in_little_memory(test: &str) -> bool {
    const VARIABLE: &str = "VECRANK_IN_LITTLE_MEMORY";
    // Only Linux limits the mapped memory.
    if cfg!(not(target_os = "linux")) || std::env::var_os(VARIABLE).is_some() {
        return true;
    }
    // Builds the library here, without the limit.
    library();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 1000000 && exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    shell.args([test, "--exact", "--test-threads=1"]).env(VARIABLE, "1").env("VECRANK_LIBRARY", library());
    let output = shell.output().expect("a shell");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{}\n{text}", output.status);
    false
}

#[test]
fn every_damage_gives_an_answer_or_an_error_and_is_found_by_the_check() {
    if !in_little_memory("every_damage_gives_an_answer_or_an_error_and_is_found_by_the_check") {
        return;
    }
    let mut problems = Vec::new();
    for (number, Case { damage, sql, outcome }) in cases::all().into_iter().enumerate() {
        let copy = FileCopy::damaged(&damage);
        let mut hosts = copy.hosts();
        for host in &hosts {
            let what = format!("SQLite {}, {damage:.150}", host.version());
            let result = host.query(&sql);
            let is_as_told = match (&result, &outcome) {
                (Err(error), Outcome::Corrupt(message)) => is_corrupt(error) && is_like(&error.message, message),
                (Ok(_), Outcome::Found | Outcome::Sound) => true,
                _ => false,
            };
            if !is_as_told {
                problems.push(format!("{what}: {sql:.60}: {:?}", result.err()));
            }
            match host.query(CHECK) {
                Ok(_) if matches!(outcome, Outcome::Sound) => {}
                Err(error) if is_corrupt(&error) && !matches!(outcome, Outcome::Sound) => {}
                result => problems.push(format!("{what}: the check says {result:?}")),
            }
        }
        let host = hosts.swap_remove(number % hosts.len());
        let what = format!("SQLite {}, {damage:.150}", host.version());
        try_everything(&host, &what, is_corrupt_or_full, &mut problems);
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn a_newer_format_is_refused_by_number_in_every_place() {
    let of_the_table = "t has format version 9; this vecrank reads 3: upgrade it";
    let of_the_graph = "t_graph row 0 has format version 9; this vecrank reads 3: upgrade it";
    let newer_table = "UPDATE t_config SET value = 9 WHERE key = 'format_version'";
    for (damage, message) in [(newer_table, of_the_table), (&header(0, 9), of_the_graph)] {
        let copy = FileCopy::damaged(damage);
        let before = std::fs::read(&copy.path).unwrap();
        for host in copy.hosts() {
            let (reads, writes) = (reads(), writes());
            for sql in reads[..6].iter().chain([&reads[9], &reads[11]]).chain(&writes[..3]).chain(&writes[5..9]) {
                let error = host.refusal(sql);
                assert_eq!((error.code, &error.message[..]), (1, message), "SQLite {}: {sql:.80}", host.version());
            }
            let found = host.line("PRAGMA integrity_check");
            // Older versions do not check virtual tables.
            assert!(host.version() < 3_044_000 || found.contains(message), "{found}");
        }
        assert!(std::fs::read(&copy.path).unwrap() == before, "{damage}: the file has changed");
        // Such a table can be dropped.
        let host = copy.hosts().remove(0);
        host.run("DROP TABLE t");
        assert_eq!(host.line("SELECT group_concat(name) FROM sqlite_master"), "NULL");
    }
}

/// A connection that has used the table has cached statements on the shadow table that it drops.
#[test]
fn a_shadow_table_dropped_by_the_same_connection_is_named() {
    let mut problems = Vec::new();
    for shadow in ["t_config", "t_rows", "t_nodes", "t_graph"] {
        let copy = FileCopy::of(sound_file());
        for host in copy.hosts() {
            try_everything(&host, "sound", |_| false, &mut problems);
            host.run(&format!("BEGIN; DROP TABLE {shadow}"));
            let what = format!("SQLite {}, without {shadow}", host.version());
            let is_named = |error: &HostError| {
                is_corrupt(error) && error.message.contains(shadow) && error.message.contains("no such table")
            };
            try_everything(&host, &what, is_named, &mut problems);
            host.run("ROLLBACK");
            host.check_sound("t");
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Whatever is wrong with nodes and graph, `rebuild` leaves a sound table, and keeps rows whose vector is lost.
#[test]
fn a_rebuild_repairs_from_rows_and_vectors() {
    let of_the_schema = ["DROP TABLE", "ALTER TABLE", "CREATE ", "t_config"];
    let (mut repaired, mut problems) = (0, Vec::new());
    for (number, case) in cases::all().into_iter().enumerate() {
        if of_the_schema.iter().any(|part| case.damage.contains(part)) {
            continue;
        }
        let copy = FileCopy::damaged(&case.damage);
        let host = copy.hosts().swap_remove(number % copy.hosts().len());
        let what = format!("SQLite {}, {:.150}", host.version(), case.damage);
        let rows = "SELECT id, name, n FROM t_rows";
        let before = host.rows(rows);
        for sql in ["INSERT INTO t(t) VALUES ('rebuild')", CHECK, &reads()[0], &reads()[2]] {
            if let Err(error) = host.query(sql) {
                problems.push(format!("{what}: {sql:.60}: {error}"));
            }
        }
        if host.rows(rows) != before {
            problems.push(format!("{what}: rows have changed"));
        }
        repaired += 1;
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert!(repaired > 60, "{repaired}");
    // Two swapped nodes, and one whose rowid is lost, lose no vector.
    for damage in [cases::swapped_nodes(), cases::lost_rowid()] {
        let sound = FileCopy::of(sound_file());
        let copy = FileCopy::damaged(&damage);
        let vectors = "SELECT id, quote(e) FROM t ORDER BY id";
        let host = &copy.hosts()[0];
        host.run("INSERT INTO t(t) VALUES ('rebuild')");
        assert_eq!(host.rows(vectors), sound.hosts()[0].rows(vectors), "{damage:.100}");
    }
}

/// The row of a deleted node names other deleted nodes where that of a live one names its row.
#[test]
fn a_rebuild_gives_no_row_the_vector_of_a_deleted_one() {
    let host = Host::bundled(":memory:");
    host.load(library()).unwrap();
    host.run(
        "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, e FLOAT[2]);
         WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < 500)
           INSERT INTO t SELECT i, vec_parse(json_array(i, 1)) FROM s;
         DELETE FROM t WHERE id IN (100, 200, 300, 400);
         UPDATE t_nodes SET data = x'00' WHERE id IN (SELECT e FROM t_rows);
         INSERT INTO t(t) VALUES ('rebuild')",
    );
    assert_eq!(host.line("SELECT count(*), count(e) FROM t"), "497|0");
    host.check_sound("t");
}
