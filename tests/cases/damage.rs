//! Files that were damaged or made to harm: every read and write ends in an answer or in SQLITE_CORRUPT_VTAB that names
//! the place, never in a crash, a hang or a greed for memory; and the integrity check finds what is wrong.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use vecrank_tests::data::{Clusters, Element, Numbers, blob};
use vecrank_tests::{Host, HostError, library};

const CORRUPT_VTAB: i32 = 267;
/// Too many for the engine to rank them all: the graph is walked.
const ROWS: usize = 1_100;
const DIMS: usize = 192;

/// Offsets in a node row of FLOAT[192] with m 16 (FORMAT.md).
mod node {
    pub const FLAGS: usize = 1;
    pub const DEGREE: usize = 2;
    pub const ROWID: usize = 8;
    pub const VECTOR: usize = 16;
    pub const IDS: usize = VECTOR + 4 * super::DIMS;
    pub const FACTORS: usize = IDS + 4 * 32;
}

/// A database whose folder lives as long as it is used.
struct Copy {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

/// A sound file: the table t of ROWS rows with ids from 1, some of them deleted, and one row without a vector.
fn sound_file() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let copy = Copy::of(&[]);
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

impl Copy {
    fn of(bytes: &[u8]) -> Copy {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        std::fs::write(&path, bytes).unwrap();
        Copy { _folder: folder, path }
    }

    /// The sound file after `sql`, which a connection without the extension runs.
    fn damaged(sql: &str) -> Copy {
        let copy = Copy::of(sound_file());
        copy.without_the_extension().run(sql);
        copy
    }

    fn without_the_extension(&self) -> Host {
        let host = Host::bundled(&self.path);
        host.run("PRAGMA synchronous = OFF");
        host
    }

    /// It, opened by each SQLite library with the extension.
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

/// A statement that puts `bytes` over what is there.
fn patch(table: &str, column: &str, rows: &str, offset: usize, bytes: &[u8]) -> String {
    format!(
        "UPDATE t_{table} SET {column} = CAST(substr({column}, 1, {offset}) || {} || substr({column}, {}) AS BLOB) WHERE {rows}",
        blob(bytes),
        offset + bytes.len() + 1
    )
}

/// A patch of the first two node rows, or of all.
fn nodes(rows: &str, offset: usize, bytes: &[u8]) -> String {
    patch("nodes", "data", rows, offset, bytes)
}

fn header(offset: usize, number: u32) -> String {
    patch("graph", "header", "true", offset, &number.to_le_bytes())
}

/// The query is the vector of row 7 with a component of its own.
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

/// Runs everything; each write is brought into the graph and undone. Notes what takes long, and errors that `allowed`
/// does not know.
fn try_everything(host: &Host, what: &str, allowed: impl Fn(&HostError) -> bool, problems: &mut Vec<String>) {
    let mut try_one = |sql: &str| {
        let start = Instant::now();
        let result = host.query(sql);
        let taken = start.elapsed();
        if taken > Duration::from_secs(10) {
            problems.push(format!("{what}: {sql:.80}: takes {taken:?}"));
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
        // An error of the file system may have ended the transaction.
        let _ = host.execute("ROLLBACK TO a");
        let _ = host.execute("RELEASE a");
    }
}

fn is_corrupt(error: &HostError) -> bool {
    error.code == CORRUPT_VTAB
}

/// The header may say that all ids are taken: a rebuild, which does not believe it, is the way out.
fn is_corrupt_or_full(error: &HostError) -> bool {
    is_corrupt(error) || (error.code, &error.message[..]) == (1, "t.e: full: rebuild it to reclaim the ids")
}

/// Runs a test of this program again in a process of its own that may map little memory: what is too greedy aborts.
/// Gives true in that process, where the work is to be done.
fn in_little_memory(test: &str) -> bool {
    const VARIABLE: &str = "VECRANK_IN_LITTLE_MEMORY";
    // Only Linux counts what is mapped.
    if cfg!(not(target_os = "linux")) || std::env::var_os(VARIABLE).is_some() {
        return true;
    }
    // Built here, not under the limit.
    library();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 1000000 && exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    shell.args([test, "--exact", "--test-threads=1"]).env(VARIABLE, "1").env("VECRANK_LIBRARY", library());
    let output = shell.output().expect("a shell");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{}\n{text}", output.status);
    false
}

/// What is done to the file, a statement that it shows in, and what comes of that.
struct Case {
    damage: String,
    sql: String,
    outcome: Outcome,
}

/// In a message * stands for a number: the bulk builder decides which node is which, and a search where it begins.
enum Outcome {
    /// SQLITE_CORRUPT_VTAB.
    Corrupt(&'static str),
    /// An answer, but the integrity check finds the damage.
    Found,
    /// An answer, and nothing that the check promises is broken.
    Sound,
}
use Outcome::{Corrupt, Found, Sound};

fn case(damage: impl Into<String>, sql: &str, outcome: Outcome) -> Case {
    Case { damage: damage.into(), sql: sql.into(), outcome }
}

const NODE_OF_4: &str = "(SELECT e FROM t_rows WHERE id = 4)";
const NODE_OF_5: &str = "(SELECT e FROM t_rows WHERE id = 5)";
const ROW_4: &str = "SELECT e FROM t WHERE id = 4";

fn config_cases() -> Vec<Case> {
    let near = &reads()[0];
    let info = "SELECT * FROM hnsw_info('t')";
    let set = |value: &str, key: &str| format!("UPDATE t_config SET value = {value} WHERE key LIKE '%{key}'");
    let version = |value: &str| set(value, "format_version");
    let parameters = "t_config is damaged: the parameters of e cannot be read";
    vec![
        case(
            "DELETE FROM t_config WHERE key = 'format_version'",
            near,
            Corrupt("t_config is damaged: the entry format_version is missing"),
        ),
        case(version("NULL"), near, Corrupt("t_config.format_version is damaged: there is no version 0")),
        case(version("-1"), near, Corrupt("t_config.format_version is damaged: there is no version -1")),
        case(version("x'00'"), near, Corrupt("t_config.format_version is damaged: there is no version 0")),
        case(
            set("1 << 31", ".ef_search"),
            near,
            Corrupt("t_config.vector.0.ef_search is damaged: expected 1 to 10000, got 2147483648"),
        ),
        case(
            set("'many'", ".ef_search"),
            near,
            Corrupt("t_config.vector.0.ef_search is damaged: expected 1 to 10000, got 0"),
        ),
        case(
            "DELETE FROM t_config WHERE key LIKE 'vector.%'",
            near,
            Corrupt("t_config.vector.0.ef_search is damaged: the entry is missing"),
        ),
        case(set("1 << 31", ".dims"), info, Corrupt(parameters)),
        case(set("0", ".m"), info, Corrupt(parameters)),
        case(set("'up'", ".metric"), info, Corrupt(parameters)),
        case(set("x'00'", ".element"), info, Corrupt(parameters)),
        case(set("'l2'", ".metric"), near, Found),
        case("DROP TABLE t_config", near, Corrupt("a shadow table is damaged: no such table: main.t_config")),
        case(
            "ALTER TABLE t_config RENAME COLUMN value TO v",
            near,
            Corrupt("a shadow table is damaged: no such column: value"),
        ),
    ]
}

fn graph_cases() -> Vec<Case> {
    let near = &reads()[0];
    let set = |column: &str, value: &str| format!("UPDATE t_graph SET {column} = {value}");
    let entry = |offset: usize, bytes: &[u8]| patch("graph", "entry", "true", offset, bytes);
    let made_with = "t_graph row 0 is damaged: (dimensions, element, metric, degree)";
    assert_eq!(made_with.len(), 63);
    vec![
        case("DELETE FROM t_graph", near, Corrupt("t_graph row 0 is damaged: the row is missing")),
        case(set("column", "3"), near, Corrupt("t_graph row 0 is damaged: the row is missing")),
        case("DROP TABLE t_graph", near, Corrupt("a shadow table is damaged: no such table: main.t_graph")),
        case(set("header", "NULL"), near, Corrupt("t_graph row 0 is damaged: expected 64 bytes of header, got 0")),
        case(set("header", "1"), near, Corrupt("t_graph row 0 is damaged: expected 64 bytes of header, got 0")),
        case(
            set("header", "substr(header, 1, 63)"),
            near,
            Corrupt("t_graph row 0 is damaged: expected 64 bytes of header, got 63"),
        ),
        case(
            set("header", "zeroblob(20000000)"),
            near,
            Corrupt("t_graph row 0 is damaged: expected 64 bytes of header, got 20000000"),
        ),
        case(set("header", "zeroblob(64)"), near, Corrupt("t_graph row 0 is damaged: version 0, bits 0, reserved 0")),
        case(
            header(4, 1 << 31),
            near,
            Corrupt(
                "t_graph row 0 is damaged: (dimensions, element, metric, degree) (2147483648, 0, 0, 32) where the table was made with (192, 0, 0, 32)",
            ),
        ),
        case(
            header(8, 0x0001_0302),
            near,
            Corrupt(
                "t_graph row 0 is damaged: (dimensions, element, metric, degree) (192, 2, 3, 32) where the table was made with (192, 0, 0, 32)",
            ),
        ),
        case(
            header(12, 0),
            near,
            Corrupt(
                "t_graph row 0 is damaged: (dimensions, element, metric, degree) (192, 0, 0, 0) where the table was made with (192, 0, 0, 32)",
            ),
        ),
        case(
            header(28, 2000),
            near,
            Corrupt("t_graph row 0 is damaged: * linked, 2000 tombstones, 0 pending nodes from id * below id *"),
        ),
        case(
            header(36, 0),
            near,
            Corrupt("t_graph row 0 is damaged: * linked, * tombstones, 0 pending nodes from id * below id 0"),
        ),
        case(
            header(40, u32::MAX),
            near,
            Corrupt("t_graph row 0 is damaged: * linked, * tombstones, 0 pending nodes from id 4294967295 below id *"),
        ),
        // Counts that could be: too few nodes, too many, ids without end.
        case(header(24, 20), near, Found),
        case(header(28, ROWS as u32), near, Found),
        case(header(32, 500), near, Found),
        case(header(36, u32::MAX), near, Sound),
        case(format!("{}; {}", header(36, u32::MAX), header(24, u32::MAX)), near, Found),
        case(format!("{}; {}", header(36, u32::MAX), header(32, u32::MAX - 2000)), near, Found),
        case(
            format!("{}; {}", header(40, 3), header(36, ROWS as u32 + 5)),
            near,
            Corrupt("t_graph row 0 is damaged: entry sample *, every id is below 1105"),
        ),
        case(set("entry", "NULL"), near, Found),
        case(set("entry", "x''"), near, Found),
        case(
            set("entry", "substr(entry, 1, 2000)"),
            near,
            Corrupt("t_graph row 0 is damaged: entry version 1 with * samples: expected version 1, * bytes, got 2000"),
        ),
        case(
            set("entry", "CAST(entry || x'00' AS BLOB)"),
            near,
            Corrupt("t_graph row 0 is damaged: entry version 1 with * samples: expected version 1, * bytes, got *"),
        ),
        case(
            set("entry", "'x'"),
            near,
            Corrupt("t_graph row 0 is damaged: entry version 120 with 0 samples: expected version 1, 776 bytes, got 1"),
        ),
        case(
            entry(4, &[0xff; 4]),
            near,
            Corrupt(
                "t_graph row 0 is damaged: entry version 1 with 4294967295 samples: expected version 1, 154618823432 bytes, got *",
            ),
        ),
        case(
            entry(8 + 4 * DIMS, &5_000_000u32.to_le_bytes()),
            near,
            Corrupt("t_graph row 0 is damaged: entry sample 5000000, every id is below *"),
        ),
        case(entry(8 + 4 * DIMS, &3u32.to_le_bytes()), near, Found),
        case(entry(8, &[0xff; 4 * DIMS]), near, Found),
    ]
}

fn node_cases() -> Vec<Case> {
    let near = &reads()[0];
    let exact = &reads()[2];
    let set = |data: &str| format!("UPDATE t_nodes SET data = {data}");
    let all = |offset: usize, bytes: &[u8]| nodes("true", offset, bytes);
    // Every link leads to one node.
    let one_way = format!(
        "UPDATE t_nodes SET data = CAST(substr(data, 1, {}) || replace(hex(zeroblob(32)), '00', 'x') || substr(data, {}) AS BLOB)",
        node::IDS,
        node::IDS + 33
    );
    vec![
        case(
            format!("DELETE FROM t_nodes WHERE id = {NODE_OF_4}"),
            ROW_4,
            Corrupt("t_nodes row * is damaged: no such rowid: *"),
        ),
        case("DELETE FROM t_nodes", near, Corrupt("t_nodes row * is damaged: no such rowid: *")),
        case("DROP TABLE t_nodes", near, Corrupt("t_nodes row * is damaged: no such table: main.t_nodes")),
        case("DROP TABLE t_nodes", exact, Corrupt("a shadow table is damaged: no such table: main.t_nodes")),
        case(set("NULL"), near, Corrupt("t_nodes row * is damaged: cannot open value of type null")),
        case(set("12"), near, Corrupt("t_nodes row * is damaged: cannot open value of type integer")),
        case(set("x''"), near, Corrupt("t_nodes node * is damaged: expected node version 1, got None")),
        case(set("'some text'"), near, Corrupt("t_nodes node * is damaged: expected node version 1, got Some(115)")),
        case(set("substr(data, 1, 999)"), near, Corrupt("t_nodes node * is damaged: expected 1808 bytes, got 999")),
        case(
            set("CAST(data || x'00' AS BLOB)"),
            near,
            Corrupt("t_nodes node * is damaged: expected 1808 bytes, got 1809"),
        ),
        case(all(0, &[9]), near, Corrupt("t_nodes node * is damaged: expected node version 1, got Some(9)")),
        case(all(node::FLAGS, &[0x84]), near, Corrupt("t_nodes node * is damaged: unknown flags 0x84")),
        case(all(node::FLAGS, &[2]), near, Corrupt("t_nodes node * is damaged: expected 784 bytes, got 1808")),
        case(all(node::DEGREE, &[33, 0]), near, Corrupt("t_nodes node * is damaged: degree 33, at most 32")),
        case(all(node::DEGREE, &[0xff, 0xff]), near, Corrupt("t_nodes node * is damaged: degree 65535, at most 32")),
        case(all(node::IDS, &[0xff; 4]), near, Corrupt("t_nodes node * is damaged: neighbour 4294967295 out of range")),
        case(
            all(node::IDS, &70_000u32.to_le_bytes()),
            near,
            Corrupt("t_nodes node * is damaged: neighbour 70000 out of range"),
        ),
        case(all(node::IDS, &3u32.to_le_bytes()), near, Corrupt("t_nodes row 3 is damaged: no such rowid: 3")),
        case(
            format!("{}; {}", set("substr(data, 1, 784)"), all(node::FLAGS, &[2, 0, 0])),
            near,
            Corrupt("t_nodes node * is damaged: linked from another node, but pending"),
        ),
        case(
            format!("UPDATE t_nodes SET id = id + 4294967296 WHERE id = {NODE_OF_4}"),
            exact,
            Corrupt("t_nodes row * is damaged: the id is out of range"),
        ),
        case(
            format!("UPDATE t_nodes SET id = -1 WHERE id = {NODE_OF_4}"),
            exact,
            Corrupt("t_nodes row -1 is damaged: the id is out of range"),
        ),
        // Links that lead nowhere, and vectors that are none: an answer all the same.
        case(one_way, near, Corrupt("t_nodes node * is damaged: neighbour 2021161080 out of range")),
        case(all(node::DEGREE, &[0, 0]), near, Sound),
        case(all(node::FACTORS, &[0xff; 128]), near, Found),
        case(all(node::VECTOR, &f32::NAN.to_le_bytes()), near, Found),
        case(all(node::VECTOR, &[0; 4 * DIMS]), near, Found),
        case(all(4, &f32::INFINITY.to_le_bytes()), near, Found),
        case(nodes("id % 2", node::FLAGS, &[1]), near, Found),
        case(all(node::FLAGS, &[1]), near, Found),
        case(all(node::ROWID, &[7, 0, 0, 0, 0, 0, 0, 0]), near, Found),
    ]
}

/// Links that a hand wrote: to the node itself, to one other node alone, in a circle.
fn link_cases() -> Vec<Case> {
    let near = &reads()[0];
    let little_endian = |id: &str| {
        let byte = |shift: u32| format!("printf('%02X', {id} >> {shift} & 255)");
        format!("unhex({} || {} || {} || {})", byte(0), byte(8), byte(16), byte(24))
    };
    let link = |id: &str| {
        let rest = node::IDS + 5;
        format!(
            "UPDATE t_nodes SET data = CAST(substr(data, 1, {}) || {} || substr(data, {rest}) AS BLOB)",
            node::IDS,
            little_endian(id)
        )
    };
    let alone = nodes("true", node::DEGREE, &[1, 0]);
    vec![
        case(link("id"), near, Found),
        case(format!("{}; {alone}", link("id")), near, Found),
        case(format!("{}; {alone}", link(NODE_OF_4)), near, Found),
        case(format!("{}; {alone}", link("(id ^ 1)").replace("(id ^ 1)", "(id + 1 - 2 * (id % 2))")), near, Found),
    ]
}

/// Rows and nodes that do not belong together.
fn row_cases() -> Vec<Case> {
    let node = |value: &str| format!("UPDATE t_rows SET e = {value} WHERE id = 4");
    let other = "t_nodes node * is damaged: it is that of row 5, not of row 4";
    let deleted = "(SELECT id FROM t_nodes WHERE substr(hex(data), 3, 2) = '01')";
    let swap = format!(
        "CREATE TEMP TABLE two AS SELECT id, data FROM t_nodes WHERE id IN ({NODE_OF_4}, {NODE_OF_5});
         UPDATE t_nodes SET data = (SELECT data FROM two WHERE two.id <> t_nodes.id) WHERE id IN (SELECT id FROM two)"
    );
    vec![
        case(&swap, ROW_4, Corrupt(other)),
        case(&swap, &reads()[0], Found),
        case(node(NODE_OF_5), ROW_4, Corrupt(other)),
        case(
            node(NODE_OF_5),
            "SELECT count(*) FROM t WHERE id IN (4, 6) AND e MATCH (SELECT vec_parse(value) FROM (SELECT '[1' || replace(hex(zeroblob(191)), '00', ',1') || ']' AS value))",
            Corrupt(other),
        ),
        case(node(NODE_OF_5), "DELETE FROM t WHERE id = 4", Corrupt(other)),
        case(node(NODE_OF_5), "UPDATE t SET id = 4000 WHERE id = 4", Corrupt(other)),
        case(node(NODE_OF_5), "UPDATE t SET e = vec_scale(e, 2.0) WHERE id = 4", Corrupt(other)),
        case(node(deleted), ROW_4, Corrupt("t_nodes node * is damaged: it is that of a deleted row, not of row 4")),
        case(node("5000"), ROW_4, Corrupt("t_nodes row 5000 is damaged: no such rowid: 5000")),
        case(node("-3"), ROW_4, Corrupt("t_rows is damaged: expected the number of a node, got Integer(-3)")),
        case(
            node("1 << 40"),
            ROW_4,
            Corrupt("t_rows is damaged: expected the number of a node, got Integer(1099511627776)"),
        ),
        case(node("1.5"), ROW_4, Corrupt("t_rows is damaged: expected the number of a node, got Real(1.5)")),
        case(node("NULL"), ROW_4, Found),
        case(
            "DELETE FROM t_rows WHERE id = 7",
            &reads()[1],
            Corrupt("t_rows is damaged: row 7 is missing, which node * names"),
        ),
        case("DELETE FROM t_rows", &reads()[1], Corrupt("t_rows is damaged: row * is missing, which node * names")),
        case("DROP TABLE t_rows", "SELECT id FROM t", Corrupt("a shadow table is damaged: no such table: main.t_rows")),
        case(
            "DROP TABLE t_rows",
            "INSERT INTO t(id) VALUES (5)",
            Corrupt("a shadow table is damaged: no such table: main.t_rows"),
        ),
        case(
            "DROP TABLE t_rows",
            "ALTER TABLE t RENAME TO u",
            Corrupt("a shadow table is damaged: no such table: main.t_rows"),
        ),
        case(
            format!("INSERT INTO t_rows VALUES (4000, 'by hand', 1, {NODE_OF_5})"),
            "SELECT e FROM t WHERE id = 4000",
            Corrupt("t_nodes node * is damaged: it is that of row 5, not of row 4000"),
        ),
        case(
            "ALTER TABLE t_rows DROP COLUMN name",
            "SELECT name FROM t",
            Corrupt("a shadow table is damaged: no such column: r.name"),
        ),
    ]
}

/// Whether `text` is `pattern` with a number for each *.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    for (part, literal) in pattern.split('*').enumerate() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if part > 0 && digits == 0 {
            return false;
        }
        let after = if part > 0 { &rest[digits..] } else { rest };
        match after.strip_prefix(literal) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

#[test]
fn every_damage_ends_in_an_answer_or_an_error_and_is_found() {
    if !in_little_memory("every_damage_ends_in_an_answer_or_an_error_and_is_found") {
        return;
    }
    let mut problems = Vec::new();
    let cases = [config_cases(), graph_cases(), node_cases(), link_cases(), row_cases()];
    for Case { damage, sql, outcome } in cases.into_iter().flatten() {
        let copy = Copy::damaged(&damage);
        for host in copy.hosts() {
            let what = format!("SQLite {}, {damage:.150}", host.version());
            let result = host.query(&sql);
            let is_as_told = match (&result, &outcome) {
                (Err(error), Corrupt(message)) => is_corrupt(error) && is_like(&error.message, message),
                (Ok(_), Found | Sound) => true,
                _ => false,
            };
            if !is_as_told {
                problems.push(format!("{what}: {sql:.60}: {:?}", result.err()));
            }
            match host.query(CHECK) {
                Ok(_) if matches!(outcome, Sound) => {}
                Err(error) if is_corrupt(&error) && !matches!(outcome, Sound) => {}
                result => problems.push(format!("{what}: the check says {result:?}")),
            }
            try_everything(&host, &what, is_corrupt_or_full, &mut problems);
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn a_newer_format_is_refused_by_number_wherever_it_shows() {
    let of_the_table = "t has format version 9; this vecrank reads up to 1: upgrade it";
    let of_the_graph = "t_graph row 0 has format version 9; this vecrank reads up to 1: upgrade it";
    let newer_table = "UPDATE t_config SET value = 9 WHERE key = 'format_version'";
    for (damage, message) in [(newer_table, of_the_table), (&header(0, 9), of_the_graph)] {
        let copy = Copy::damaged(damage);
        let before = std::fs::read(&copy.path).unwrap();
        for host in copy.hosts() {
            let (reads, writes) = (reads(), writes());
            for sql in reads[..6].iter().chain([&reads[9], &reads[11]]).chain(&writes[..3]).chain(&writes[5..9]) {
                let error = host.refusal(sql);
                assert_eq!((error.code, &error.message[..]), (1, message), "SQLite {}: {sql:.80}", host.version());
            }
            let found = host.line("PRAGMA integrity_check");
            // Older ones do not ask virtual tables.
            assert!(host.version() < 3_044_000 || found.contains(message), "{found}");
            // What a newer vecrank made is not dropped: it may own tables that this one does not know. (SQLite has no
            // way to tell why.)
            if message == of_the_table {
                assert_eq!(host.refusal("DROP TABLE t").message, "SQL logic error");
            }
        }
        assert!(std::fs::read(&copy.path).unwrap() == before, "{damage}: the file has changed");
    }
}

/// A random change of a random shadow row.
fn random_damage(numbers: &mut Numbers) -> String {
    let (table, column, key) = match numbers.below(8) {
        0 => ("t_graph", "header", "column"),
        1 => ("t_graph", "entry", "column"),
        2 => ("t_rows", "e", "id"),
        3 => ("t_config", "value", "key"),
        _ => ("t_nodes", "data", "id"),
    };
    let nth = |n: usize| format!("(SELECT {key} FROM {table} LIMIT 1 OFFSET {n} % (SELECT count(*) FROM {table}))");
    let (row, other) = (nth(numbers.below(2_000)), nth(numbers.below(2_000)));
    let offset = [numbers.below(16), numbers.below(2_000)][numbers.below(2)];
    let count = [1, 1, 2, 4, 64][numbers.below(5)];
    let bytes = match numbers.below(3) {
        0 => vec![0xff; count],
        1 => vec![0; count],
        _ => numbers.bytes(count),
    };
    let value = match numbers.below(10) {
        0 => format!("substr({column}, 1, {offset})"),
        1 => format!("CAST({column} || {} AS BLOB)", blob(&bytes)),
        2 => format!("(SELECT {column} FROM {table} WHERE {key} = {other})"),
        3 => ["NULL", "0", "-1", "1 << 33", "''", "zeroblob(1000000)", "0.5"][numbers.below(7)].into(),
        4 => return format!("DELETE FROM {table} WHERE {key} = {row}"),
        5 => {
            let id = [numbers.below(2_500) as i64, -1, 1 << 32, u32::MAX.into()][numbers.below(4)];
            return format!("UPDATE OR IGNORE {table} SET {key} = {id} WHERE {key} = {row}");
        }
        _ => format!(
            "CAST(substr({column}, 1, {offset}) || {} || substr({column}, {}) AS BLOB)",
            blob(&bytes),
            offset + count + 1
        ),
    };
    // One row, or all of the table.
    let rows = if numbers.below(4) == 0 { "true".into() } else { format!("{key} = {row}") };
    format!("UPDATE {table} SET {column} = {value} WHERE {rows}")
}

#[test]
fn random_damage_of_shadow_rows_does_no_harm() {
    if !in_little_memory("random_damage_of_shadow_rows_does_no_harm") {
        return;
    }
    let mut problems = Vec::new();
    let allowed = |error: &HostError| {
        let newer = error.message.contains(" has format version ") && error.message.ends_with(": upgrade it");
        is_corrupt_or_full(error) || newer || error.message == "UNIQUE constraint failed: t.id"
    };
    for seed in 0..40 {
        let mut numbers = Numbers::from_seed(seed);
        let damage: Vec<String> = (0..1 + numbers.below(3)).map(|_| random_damage(&mut numbers)).collect();
        let copy = Copy::of(sound_file());
        // Some cannot be: a text for a rowid, say.
        damage.iter().for_each(|sql| drop(copy.without_the_extension().execute(sql)));
        let mut hosts = copy.hosts();
        let host = hosts.swap_remove(seed as usize % hosts.len());
        let what = format!("SQLite {}, seed {seed}: {damage:?}", host.version());
        try_everything(&host, &what, allowed, &mut problems);
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// What SQLite itself says of a file that is none, or no longer whole.
fn is_file_error(error: &HostError) -> bool {
    const CORRUPT: i32 = 11;
    const NOT_A_DATABASE: i32 = 26;
    const IO_ERROR: i32 = 10;
    // A page of the schema may be lost, and with it the table or its shadow tables.
    let lost = error.message.starts_with("no such table: ") || error.message.starts_with("hnsw_info: there is no");
    [CORRUPT, NOT_A_DATABASE, IO_ERROR].contains(&(error.code & 0xff)) || lost
}

#[test]
fn truncated_files_and_overwritten_pages_do_no_harm() {
    if !in_little_memory("truncated_files_and_overwritten_pages_do_no_harm") {
        return;
    }
    const PAGE: usize = 4096;
    let mut problems = Vec::new();
    for seed in 0..40 {
        let mut numbers = Numbers::from_seed(1_000 + seed);
        let mut bytes = sound_file().to_vec();
        // The first pages hold the schema and the roots.
        let page = PAGE * [numbers.below(12), numbers.below(bytes.len() / PAGE)][numbers.below(2)];
        let (start, count) = (page + numbers.below(PAGE), 1 + numbers.below(200));
        let what = match numbers.below(4) {
            0 => {
                bytes.truncate(page + [0, numbers.below(PAGE)][numbers.below(2)]);
                format!("truncated to {} bytes", bytes.len())
            }
            1 => {
                bytes[page..page + PAGE].copy_from_slice(&numbers.bytes(PAGE));
                format!("random bytes for page {}", page / PAGE + 1)
            }
            2 => {
                bytes[page..page + PAGE].fill(0);
                format!("zeros for page {}", page / PAGE + 1)
            }
            _ => {
                let end = (start + count).min(bytes.len());
                bytes[start..end].copy_from_slice(&numbers.bytes(end - start));
                format!("{} random bytes from {start}", end - start)
            }
        };
        let copy = Copy::of(&bytes);
        for host in Host::both(library()) {
            let host = host.beside(&copy.path, library());
            let what = format!("SQLite {}, seed {seed}: {what}", host.version());
            let allowed = |error: &HostError| is_file_error(error) || error.message == "UNIQUE constraint failed: t.id";
            try_everything(&host, &what, allowed, &mut problems);
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
