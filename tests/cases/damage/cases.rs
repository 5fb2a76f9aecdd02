//! The cases of `every_damage_gives_an_answer_or_an_error_and_is_found_by_the_check`.

use vecrank_tests::data::blob;

use crate::{DIMS, ROWS, query, reads};

/// Offsets in a node row of FLOAT[192] with m 16 (FORMAT.md).
mod node {
    pub const FLAGS: usize = 1;
    pub const DEGREE: usize = 2;
    pub const ROWID: usize = 8;
    pub const VECTOR: usize = 16;
    pub const IDS: usize = VECTOR + 4 * super::DIMS;
    pub const FACTORS: usize = IDS + 4 * 32;
}

/// A statement that overwrites bytes of a BLOB by `bytes`.
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

pub fn header(offset: usize, number: u32) -> String {
    patch("graph", "header", "true", offset, &number.to_le_bytes())
}

/// The damage, a statement that meets it, and the expected outcome.
pub struct Case {
    pub damage: String,
    pub sql: String,
    pub outcome: Outcome,
}

/// The expected outcome. In a message * stands for a number, because node numbers depend on the bulk builder.
pub enum Outcome {
    /// SQLITE_CORRUPT_VTAB.
    Corrupt(&'static str),
    /// An answer, but the integrity check finds the damage.
    Found,
    /// An answer, and the check finds nothing.
    Sound,
}
use Outcome::{Corrupt, Found, Sound};

fn case(damage: impl Into<String>, sql: &str, outcome: Outcome) -> Case {
    Case { damage: damage.into(), sql: sql.into(), outcome }
}

const NODE_OF_4: &str = "(SELECT e FROM t_rows WHERE id = 4)";
const NODE_OF_5: &str = "(SELECT e FROM t_rows WHERE id = 5)";
const MISCOUNTED: &str = "t_nodes is damaged: it holds * nodes (* deleted), its header counts * nodes (* deleted): \
                          run the command 'rebuild'";
const GONE: &str = "t_rows is damaged: row * of node * is missing or has another vector: INSERT INTO t(t) VALUES ('rebuild') repairs the \
                    index; delete from t, not from t_rows";
const ROW_4: &str = "SELECT e FROM t WHERE id = 4";

pub fn all() -> Vec<Case> {
    [config_cases(), graph_cases(), node_cases(), link_cases(), row_cases()].into_iter().flatten().collect()
}

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
        case(set("header", "NULL"), near, Corrupt("t_graph row 0 is damaged: expected 96 bytes of header, got 0")),
        case(set("header", "1"), near, Corrupt("t_graph row 0 is damaged: expected 96 bytes of header, got 0")),
        case(
            set("header", "substr(header, 1, 63)"),
            near,
            Corrupt("t_graph row 0 is damaged: expected 96 bytes of header, got 63"),
        ),
        case(set("header", "zeroblob(20000000)"), near, Corrupt("t_graph row 0 is damaged: there is no version 0")),
        case(set("header", "zeroblob(64)"), near, Corrupt("t_graph row 0 is damaged: there is no version 0")),
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
            Corrupt("t_graph row 0 is damaged: * linked, 2000 tombstones, 0 pending nodes and * free below id *"),
        ),
        case(header(36, 0), near, Corrupt("t_graph row 0 is damaged: it names node *, but every id is below 0")),
        case(
            header(40, 70_000),
            near,
            Corrupt("t_graph row 0 is damaged: it names node 70000, but every id is below *"),
        ),
        // A node that is not pending, and one that is not deleted, on the lists of those.
        case(header(40, 1200), near, Found),
        case(
            header(44, 1200),
            "DELETE FROM t WHERE id = 4",
            Corrupt("t_nodes node 1200 is damaged: it is listed as deleted, and is not"),
        ),
        // An id that is in use, on the list of free ids.
        case(
            header(64, 7),
            "INSERT INTO t SELECT NULL, name, n, e FROM t WHERE id = 4",
            Corrupt("t_nodes row 7 is damaged: it is not free, where the graph row says it is"),
        ),
        case(header(68, 1), near, Found),
        case(header(72, 900), near, Sound),
        case(header(80, 900), near, Sound),
        case(header(84, 3_000_000), near, Found),
        // The queue of tombstones: a live node in it, and none.
        case(header(88, 1200), near, Found),
        case(header(88, u32::MAX), near, Found),
        case(header(92, 1200), near, Found),
        // Plausible counts: too few nodes, too many, huge ids.
        case(header(24, 20), near, Corrupt(MISCOUNTED)),
        case(header(28, ROWS as u32), near, Found),
        case(header(32, 500), near, Found),
        case(header(36, u32::MAX), near, Sound),
        case(format!("{}; {}", header(36, u32::MAX), header(24, u32::MAX)), near, Found),
        case(format!("{}; {}", header(36, u32::MAX), header(32, u32::MAX - 2000)), near, Found),
        case(set("entry", "NULL"), near, Found),
        case(set("entry", "x''"), near, Found),
        case(
            set("entry", "substr(entry, 1, 2000)"),
            near,
            Corrupt("t_graph row 0 is damaged: entry version 3 with * samples: expected version 3, * bytes, got 2000"),
        ),
        case(
            set("entry", "CAST(entry || x'00' AS BLOB)"),
            near,
            Corrupt("t_graph row 0 is damaged: entry version 3 with * samples: expected version 3, * bytes, got *"),
        ),
        case(
            set("entry", "'x'"),
            near,
            Corrupt("t_graph row 0 is damaged: entry version 120 with 0 samples: expected version 3, 776 bytes, got 1"),
        ),
        case(
            entry(4, &[0xff; 4]),
            near,
            Corrupt(
                "t_graph row 0 is damaged: entry version 3 with 4294967295 samples: expected version 3, 154618823432 bytes, got *",
            ),
        ),
        case(entry(2, &[7]), near, Corrupt("t_graph row 0 is damaged: entry with the reserved byte 7: expected 0")),
        case(
            entry(8 + 4 * DIMS, &5_000_000u32.to_le_bytes()),
            near,
            Corrupt("t_graph row 0 is damaged: entry sample 5000000, every id is below *"),
        ),
        case(entry(8 + 4 * DIMS, &3u32.to_le_bytes()), near, Found),
        case(
            entry(8, &[0xff; 4 * DIMS]),
            near,
            Corrupt("t_graph row 0 is damaged: a centre with the component NaN: expected finite numbers"),
        ),
        case(entry(8, &7f32.to_le_bytes()), near, Found),
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
        case(set("x''"), near, Corrupt("t_nodes node * is damaged: expected node version 3, got None")),
        case(set("'some text'"), near, Corrupt("t_nodes node * is damaged: expected node version 3, got Some(115)")),
        case(set("substr(data, 1, 999)"), near, Corrupt("t_nodes node * is damaged: expected 1808 bytes, got 999")),
        case(
            set("CAST(data || x'00' AS BLOB)"),
            near,
            Corrupt("t_nodes node * is damaged: expected 1808 bytes, got 1809"),
        ),
        case(all(0, &[9]), near, Corrupt("t_nodes node * is damaged: expected node version 3, got Some(9)")),
        case(all(node::FLAGS, &[0x84]), near, Corrupt("t_nodes node * is damaged: unknown flags 0x84")),
        case(all(node::FLAGS, &[2]), near, Corrupt("t_nodes node * is damaged: expected 788 bytes, got 1808")),
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
            format!("{}; {}", set("substr(data, 1, 788)"), all(node::FLAGS, &[2, 0, 0])),
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
        case(
            format!("UPDATE t_nodes SET id = 4294967295 WHERE id = {NODE_OF_4}"),
            exact,
            Corrupt("t_nodes row 4294967295 is damaged: the id is out of range"),
        ),
        // The largest id: a rebuild finds room below it.
        case(format!("UPDATE t_nodes SET id = 4294967294 WHERE id = {NODE_OF_4}"), near, Found),
        // Links to missing nodes, and invalid vectors: the search still answers.
        case(one_way, near, Corrupt("t_nodes node * is damaged: neighbour 2021161080 out of range")),
        case(all(node::DEGREE, &[0, 0]), near, Found),
        case(all(node::FACTORS, &[0xff; 128]), near, Found),
        case(all(node::VECTOR, &f32::NAN.to_le_bytes()), near, Found),
        case(all(node::VECTOR, &[0; 4 * DIMS]), near, Found),
        case(all(4, &f32::INFINITY.to_le_bytes()), near, Found),
        case(nodes("id % 2", node::FLAGS, &[1]), near, Found),
        case(all(node::FLAGS, &[1]), near, Corrupt(MISCOUNTED)),
        case(all(node::ROWID, &[7, 0, 0, 0, 0, 0, 0, 0]), near, Corrupt(GONE)),
    ]
}

/// Forged links: to the node itself, to one other node alone, in a circle.
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

/// Two nodes that have each other's vector.
pub fn swapped_nodes() -> String {
    format!(
        "CREATE TEMP TABLE two AS SELECT id, data FROM t_nodes WHERE id IN ({NODE_OF_4}, {NODE_OF_5});
         UPDATE t_nodes SET data = (SELECT data FROM two WHERE two.id <> t_nodes.id) WHERE id IN (SELECT id FROM two)"
    )
}

/// A node that has lost its rowid.
pub fn lost_rowid() -> String {
    nodes(&format!("id = {NODE_OF_4}"), node::ROWID, &[9, 9, 9, 9, 9, 9, 9, 9])
}

/// Rows and nodes that disagree.
fn row_cases() -> Vec<Case> {
    let node = |value: &str| format!("UPDATE t_rows SET e = {value} WHERE id = 4");
    let other = "t_nodes node * is damaged: it is that of row 5, not of row 4";
    let deleted = "(SELECT id FROM t_nodes WHERE substr(hex(data), 3, 2) = '01')";
    let swap = swapped_nodes();
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
        case("DELETE FROM t_rows WHERE id = 7", &reads()[1], Corrupt(GONE)),
        case("DELETE FROM t_rows", &reads()[1], Corrupt(GONE)),
        // The statement reads nothing of the row.
        case(
            "DELETE FROM t_rows",
            &format!("SELECT distance FROM t WHERE e MATCH {} ORDER BY distance LIMIT 1", query()),
            Corrupt(GONE),
        ),
        case(
            "DELETE FROM t_rows WHERE id = 7",
            &format!("SELECT count(*) FROM t WHERE e MATCH {}", query()),
            Corrupt(GONE),
        ),
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

/// Whether `text` equals `pattern` with a number for each *.
pub fn is_like(text: &str, pattern: &str) -> bool {
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
