//! What each fuzz target does with its bytes. A test replays the corpus through the same functions.

use std::ffi::{c_char, c_int};
use std::sync::{Once, OnceLock};

use rusqlite::{Connection, ffi, types::Value};
use vecrank::internals::format::{EntryBlob, Header, NodeId, NodeLayout};

pub type Body = fn(&[u8]);

/// A target by its name; its corpus is the folder of that name.
pub const TARGETS: [(&str, Body); 4] =
    [("vectors", vectors), ("decoders", decoders), ("operations", operations), ("shadow", shadow)];

unsafe extern "C" fn enter(
    db: *mut ffi::sqlite3,
    message: *mut *mut c_char,
    table: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: handed on as SQLite gave it.
    unsafe { vecrank::sqlite3_vecrank_init(db.cast(), message, table.cast()) }
}

/// A new database in memory with the extension, which is part of the program.
fn connect() -> Connection {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: the callback has the signature that SQLite expects.
        unsafe { rusqlite::auto_extension::register_auto_extension(enter) }.expect("it can be registered");
    });
    Connection::open_in_memory().expect("a database in memory")
}

/// The rows of a statement as text, or its error: never a fault of vecrank itself.
fn query(db: &Connection, sql: &str) -> Result<Vec<String>, rusqlite::Error> {
    let run = || -> Result<Vec<String>, rusqlite::Error> {
        let mut statement = db.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let cells: Result<Vec<String>, _> =
                (0..columns).map(|column| row.get::<_, Value>(column).map(|value| format!("{value:?}"))).collect();
            found.push(cells?.join("|"));
        }
        Ok(found)
    };
    run().inspect_err(|error| {
        let code = error.sqlite_error().map_or(0, |error| error.extended_code);
        assert!(code != ffi::SQLITE_INTERNAL && code != ffi::SQLITE_MISUSE, "{sql:.200}: {error}");
    })
}

fn must(db: &Connection, sql: &str) -> Vec<String> {
    query(db, sql).unwrap_or_else(|error| panic!("{sql:.300}: {error}"))
}

/// The vector parser, from text and from BLOBs of each element.
pub fn vectors(data: &[u8]) {
    thread_local! {
        static DB: Connection = connect();
    }
    DB.with(|db| {
        let text = Value::Text(String::from_utf8_lossy(data).into_owned());
        for value in [text, Value::Blob(data.to_vec())] {
            let one = |sql: &str, value: &Value| -> Option<Value> {
                let result = db.query_row(sql, [value], |row| row.get::<_, Value>(0));
                let code = result.as_ref().err().and_then(rusqlite::Error::sqlite_error).map(|e| e.extended_code);
                assert_ne!(code, Some(ffi::SQLITE_INTERNAL), "{sql}: {value:?}");
                result.ok()
            };
            for sql in ["vec_norm(?1)", "vec_unit(?1)", "vec_dims(?1)", "vec_l2(?1, ?1)", "vec_cosine(?1, '[1,2]')"] {
                one(&format!("SELECT {sql}"), &value);
            }
            one("SELECT count(value) FROM vec_each(?1)", &value);
            // What is read is written, and read back as it was.
            let Some(parsed) = one("SELECT vec_add(?1, vec_scale(?1, 0))", &value) else { continue };
            let json = one("SELECT vec_json(?1)", &parsed).expect("a vector has a text");
            assert_eq!(one("SELECT vec_parse(?1)", &json), Some(parsed));
        }
    });
}

/// The decoders of node rows, headers and entry samples, under a layout that the first bytes choose.
pub fn decoders(data: &[u8]) {
    let Some((&[dims, degree, bits, factors], blob)) = data.split_first_chunk::<4>() else { return };
    let dims = 1 + usize::from(dims) * 3;
    let (padded, bits) = (dims.next_multiple_of(64), [1, 2, 4][usize::from(bits % 3)]);
    let layout = NodeLayout {
        vector_bytes: dims * [1, 2, 4][usize::from(factors % 3)],
        degree: 32 * (1 + usize::from(degree % 4)),
        factor_bytes: [2, 4][usize::from(factors / 3 % 2)],
        factor_count: [2, 3][usize::from(factors / 6 % 2)],
        group_bytes: bits * padded / 8 * 32,
    };
    if let Ok(node) = layout.read(NodeId(7), blob) {
        assert!(node.degree() <= layout.degree && node.vector().len() == layout.vector_bytes);
        assert_eq!(node.neighbours().count(), node.degree());
        let _ = (node.rowid(), node.is_tombstone(), node.is_pending(), node.inverse_norm(), node.row().len());
    }
    if let Ok(header) = Header::decode(blob, "t_graph row 0") {
        assert!(header.tombstones <= header.linked);
        assert_eq!(Header::decode(&header.encode(), "t_graph row 0").ok(), Some(header));
    }
    if let Ok(entry) = EntryBlob::decode(blob, dims, layout.group_bytes, 1000, "t_graph row 0") {
        let again = if blob.is_empty() { Vec::new() } else { entry.encode() };
        assert_eq!(again, blob);
    }
}

/// Bytes, taken one after another; zeros when they are spent.
struct Bytes<'a>(std::slice::Iter<'a, u8>);

impl Bytes<'_> {
    fn below(&mut self, end: u8) -> u8 {
        self.0.next().map_or(0, |byte| byte % end)
    }

    fn is_spent(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    fn vector(&mut self) -> String {
        let components: Vec<String> = (0..4).map(|_| (i16::from(self.below(7)) - 3).to_string()).collect();
        format!("'[{}]'", components.join(","))
    }
}

/// SQL statements on one table. Whatever they are, rows and graph agree, and a search finds what a sort finds.
pub fn operations(data: &[u8]) {
    let mut bytes = Bytes(data.iter());
    let db = connect();
    let element = ["FLOAT", "FLOAT16"][usize::from(bytes.below(2))];
    must(
        &db,
        &format!(
            "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, key TEXT UNIQUE, e {element}[4], metric = 'l2', m = 2)"
        ),
    );
    must(&db, "CREATE TABLE other(x)");
    let mut name = "t";
    for _ in 0..60 {
        if bytes.is_spent() {
            break;
        }
        let (id, count) = (bytes.below(40), i64::from(bytes.below(8)));
        let clause = ["", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ROLLBACK"][usize::from(bytes.below(5))];
        let save = bytes.below(3);
        let sql = match bytes.below(18) {
            0..=3 => format!("INSERT {clause} INTO {name} VALUES ({id}, 'k{count}', {})", bytes.vector()),
            4 => format!(
                "INSERT {clause} INTO {name} SELECT {id} + column1, NULL, {} FROM (VALUES (0), (1), ({count}), (9))",
                bytes.vector()
            ),
            5 => format!("INSERT {clause} INTO {name} SELECT id + {count}, key, e FROM {name}"),
            6 => format!("UPDATE {clause} {name} SET e = {} WHERE id BETWEEN {id} AND {id} + {count}", bytes.vector()),
            7 => format!("UPDATE {clause} {name} SET id = id + {count} WHERE id >= {id}"),
            8 => format!("UPDATE {clause} {name} SET key = 'k{count}', e = NULL WHERE id = {id}"),
            9 => format!("DELETE FROM {name} WHERE id BETWEEN {id} AND {id} + {count}"),
            10 => "BEGIN".into(),
            11 => "COMMIT".into(),
            12 => ["ROLLBACK", "ALTER TABLE other RENAME TO another", "ALTER TABLE another RENAME TO other"]
                [usize::from(save)]
            .into(),
            13 => format!("SAVEPOINT s{save}"),
            14 => format!("ROLLBACK TO s{save}"),
            15 => format!("RELEASE s{save}"),
            16 => {
                let command = ["optimize", "rebuild", "integrity-check"][usize::from(save)];
                format!("INSERT INTO {name}({name}) VALUES ('{command}')")
            }
            _ => {
                let other = if name == "t" { "u" } else { "t" };
                format!("ALTER TABLE {name} RENAME TO {other}")
            }
        };
        let _ = query(&db, &sql);
        // A rollback may have given the old name back.
        let is_t = !must(&db, "SELECT 1 FROM sqlite_master WHERE name = 't'").is_empty();
        name = if is_t { "t" } else { "u" };
        if count == 0 {
            check(&db, name);
        }
    }
    check(&db, name);
    let _ = query(&db, "COMMIT");
    must(&db, &format!("INSERT INTO {name}({name}) VALUES ('integrity-check')"));
    must(&db, &format!("DROP TABLE {name}"));
}

fn check(db: &Connection, name: &str) {
    let found = must(db, &format!("SELECT id FROM {name}('[1,0,-1,0]') ORDER BY distance"));
    let sorted =
        format!("SELECT id FROM {name} WHERE e IS NOT NULL ORDER BY vec_l2(vec_add(e, '[0,0,0,0]'), '[1,0,-1,0]'), id");
    // FLOAT16 has no function of its own: its small whole numbers come back by themselves.
    if let Ok(sorted) = query(db, &sorted) {
        assert_eq!(found, sorted);
    }
}

/// Shadow rows of a sound table overwritten, cut, swapped and removed: each statement ends in an answer or in an error
/// that says what is damaged.
pub fn shadow(data: &[u8]) {
    const QUERY: &str = "'[0.5,0,-1,0.1,0,1,0,2]'";
    /// So many statements cost little however many rows there are; the others go through all links.
    const QUICK: usize = 9;
    let statements = [
        format!("SELECT id, distance FROM t({QUERY}) ORDER BY distance LIMIT 20"),
        format!("SELECT id, e FROM t WHERE e MATCH {QUERY} AND n = 3 ORDER BY distance LIMIT 5"),
        format!("SELECT count(*) FROM t({QUERY})"),
        "SELECT id, n, e FROM t".into(),
        "SELECT * FROM hnsw_info('t')".into(),
        format!("INSERT INTO t VALUES (5000, 1, {QUERY})"),
        format!("UPDATE t SET e = {QUERY} WHERE id < 4"),
        "UPDATE t SET id = id + 9000 WHERE id < 4".into(),
        "DELETE FROM t WHERE id BETWEEN 10 AND 14".into(),
        "INSERT INTO t(t) VALUES ('integrity-check')".into(),
        "INSERT INTO t(t) VALUES ('rebuild')".into(),
        "INSERT INTO t(t) VALUES ('optimize')".into(),
        "PRAGMA integrity_check".into(),
        "DELETE FROM t".into(),
        "DROP TABLE t".into(),
    ];
    let mut bytes = Bytes(data.iter());
    // A search walks the graph of a table of more than a thousand nodes only.
    let (rows, end) = [(24, statements.len()), (1_100, QUICK)][usize::from(bytes.below(16) == 15)];
    let chosen: Vec<&String> =
        (0..1 + bytes.below(3)).map(|_| &statements[usize::from(bytes.below(statements.len() as u8)) % end]).collect();
    let db = sound_copy(rows);
    for _ in 0..1 + bytes.below(3) {
        let sql = damage(&mut bytes);
        // Some cannot be: a text for a rowid, say.
        let _ = query(&db, &sql);
    }
    for sql in chosen {
        let error = match query(&db, sql) {
            Ok(_) if sql.starts_with("DROP") => break,
            Ok(_) => continue,
            Err(error) => error,
        };
        let code = error.sqlite_error().map_or(0, |error| error.extended_code);
        let text = error.to_string();
        let is_told = code == ffi::SQLITE_CORRUPT_VTAB
            || code & 0xff == ffi::SQLITE_CONSTRAINT
            || text.contains("upgrade it")
            || text.contains("rebuild it to reclaim the ids")
            || code & 0xff == ffi::SQLITE_MISMATCH;
        assert!(is_told, "{sql:.80}: {code}: {text}");
    }
}

fn damage(bytes: &mut Bytes<'_>) -> String {
    let (table, column, key) = [
        ("t_nodes", "data", "id"),
        ("t_graph", "header", "column"),
        ("t_graph", "entry", "column"),
        ("t_rows", "e", "id"),
        ("t_config", "value", "key"),
        ("t_nodes", "data", "id"),
    ][usize::from(bytes.below(6))];
    let nth =
        |n: u8| format!("(SELECT {key} FROM {table} LIMIT 1 OFFSET {n} % max(1, (SELECT count(*) FROM {table})))");
    let (row, other) = (nth(bytes.below(255)), nth(bytes.below(255)));
    let offset = usize::from(bytes.below(255)) * [1, 4][usize::from(bytes.below(2))];
    let new: Vec<String> = (0..1 + bytes.below(8)).map(|_| format!("{:02x}", bytes.below(255))).collect();
    let value = match bytes.below(8) {
        0 => format!("substr({column}, 1, {offset})"),
        1 => format!("CAST({column} || x'{}' AS BLOB)", new.concat()),
        2 => format!("(SELECT {column} FROM {table} WHERE {key} = {other})"),
        3 => ["NULL", "0", "-1", "1 << 33", "''", "zeroblob(100000)", "0.5"][usize::from(bytes.below(7))].into(),
        4 => return format!("DELETE FROM {table} WHERE {key} = {row}"),
        5 => {
            let id = ["7", "-1", "1 << 32", "4294967295", "31"][usize::from(bytes.below(5))];
            return format!("UPDATE OR IGNORE {table} SET {key} = {id} WHERE {key} = {row}");
        }
        _ => format!(
            "CAST(substr({column}, 1, {offset}) || x'{}' || substr({column}, {}) AS BLOB)",
            new.concat(),
            offset + new.len() + 1
        ),
    };
    let rows = if bytes.below(3) == 0 { "true".into() } else { format!("{key} = {row}") };
    format!("UPDATE {table} SET {column} = {value} WHERE {rows}")
}

/// A copy in memory of a sound database: a table t with a few deleted rows.
fn sound_copy(rows: usize) -> Connection {
    static IMAGES: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    let image = IMAGES[usize::from(rows > 1000)].get_or_init(|| image(rows));
    let db = connect();
    // SAFETY: the connection is open; SQLite takes the memory, which is its own, and frees it.
    unsafe {
        let memory = ffi::sqlite3_malloc64(image.len() as u64).cast::<u8>();
        assert!(!memory.is_null(), "out of memory");
        std::ptr::copy_nonoverlapping(image.as_ptr(), memory, image.len());
        let (size, flags) =
            (image.len() as i64, ffi::SQLITE_DESERIALIZE_FREEONCLOSE | ffi::SQLITE_DESERIALIZE_RESIZEABLE);
        let status = ffi::sqlite3_deserialize(db.handle(), c"main".as_ptr(), memory, size, size, flags);
        assert_eq!(status, ffi::SQLITE_OK);
    }
    db
}

fn image(rows: usize) -> Vec<u8> {
    let db = connect();
    must(
        &db,
        "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER INDEXED, e FLOAT[8], metric = 'l2', m = 4)",
    );
    let component = |prime: u32| format!("((i * {prime} % 2003 - 1001) / 500.0)");
    let vector = [7919, 104_729, 13_007, 15_013, 17_011, 19_001, 23_003, 29_009].map(component).join(" || ',' || ");
    must(
        &db,
        &format!(
            "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < {rows})
         INSERT INTO t SELECT i, i % 10, '[' || {vector} || ']' FROM c"
        ),
    );
    must(&db, "DELETE FROM t WHERE id % 10 = 7");
    // SAFETY: the connection is open; the bytes are copied, and freed as SQLite wants it.
    unsafe {
        let mut size = 0;
        let memory = ffi::sqlite3_serialize(db.handle(), c"main".as_ptr(), &mut size, 0);
        assert!(!memory.is_null(), "out of memory");
        let bytes = std::slice::from_raw_parts(memory, size as usize).to_vec();
        ffi::sqlite3_free(memory.cast());
        bytes
    }
}
