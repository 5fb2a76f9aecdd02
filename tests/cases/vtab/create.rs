//! CREATE VIRTUAL TABLE, DROP, RENAME: names of every kind, schemas, shadow tables, and refused declarations.

use vecrank_tests::{Host, library};

use crate::{check_errors, check_lines, check_sound, error, hosts, line, rows, run};

const NAMES: [&str; 7] = ["plain", "with space", "select", "größe$1", "a\"b'c`d[e", "x); DROP TABLE t; --", "_"];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[test]
fn any_identifier_works_everywhere() {
    for host in hosts("CREATE TABLE t(x)") {
        for (n, name) in NAMES.iter().enumerate() {
            let (table, schema) = (quoted(name), quoted(&format!("schema {name}")));
            let (column, vector) = (quoted(&format!("c {name}")), quoted(&format!("v {name}")));
            run(&host, &format!("ATTACH ':memory:' AS {schema}"));
            for schema in ["main", "temp", &schema] {
                let of = format!("{schema}.{table}");
                run(
                    &host,
                    &format!("CREATE VIRTUAL TABLE {of} USING hnsw({column} TEXT UNIQUE INDEXED, {vector} FLOAT[2])"),
                );
                run(&host, &format!("INSERT INTO {of}({column}, {vector}) VALUES ('a', '[1,{n}]'), ('b', '[0,1]')"));
                let found = format!(
                    "SELECT {column}, vec_json({vector}) FROM {of} WHERE {vector} MATCH '[1,{n}]' ORDER BY distance"
                );
                assert_eq!(rows(&host, &found)[0], format!("a|[1,{n}]"), "{of}");
                assert_eq!(line(&host, &format!("SELECT count(*) FROM {of} WHERE {column} = 'b'")), "1");
                run(&host, &format!("UPDATE {of} SET {column} = 'z' WHERE {column} = 'b'"));
                run(&host, &format!("INSERT INTO {of}({table}) VALUES ('integrity-check')"));
                run(&host, &format!("DROP TABLE {of}"));
                assert_eq!(
                    line(&host, &format!("SELECT count(*) FROM {schema}.sqlite_master WHERE name <> 't'")),
                    "0",
                    "{of}"
                );
            }
            run(&host, &format!("DETACH {schema}"));
        }
        assert_eq!(line(&host, "SELECT name FROM sqlite_schema"), "t");
    }
}

#[test]
fn shadow_tables_are_as_documented() {
    let hosts = hosts(
        "CREATE VIRTUAL TABLE a USING hnsw(
           id TEXT PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE INDEXED, price REAL CHECK (price >= 0),
           image FLOAT[2], text FLOAT16[3] NOT NULL, UNIQUE (name, price))",
    );
    check_lines(
        &hosts,
        &[
            (
                "SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE TABLE%' ORDER BY 1",
                "a_config a_graph a_nodes a_nodes1 a_rows",
            ),
            (
                "SELECT sql FROM sqlite_schema WHERE name = 'a_rows'",
                "CREATE TABLE \"a_rows\"(\"rowid\" INTEGER PRIMARY KEY, \"id\" TEXT UNIQUE, \
                 \"name\" TEXT COLLATE \"NOCASE\" NOT NULL, \"price\" REAL CHECK (price >= 0), \
                 \"image\" INTEGER, \"text\" INTEGER, UNIQUE (\"name\", \"price\"))",
            ),
            (
                "SELECT sql FROM sqlite_schema WHERE name = 'a_rows_name'",
                "CREATE INDEX \"a_rows_name\" ON \"a_rows\"(\"name\", \"image\", \"text\")",
            ),
            ("SELECT value FROM a_config WHERE key = 'format_version'", "3"),
            ("SELECT value FROM a_config WHERE key = 'vector.1.element'", "FLOAT16"),
            (
                "SELECT name || ' ' || type || iif(\"notnull\", ' not null', '') FROM pragma_table_xinfo('a')",
                "id TEXT name TEXT not null price REAL image BLOB text BLOB not null query  k INTEGER \
                 ef_search  distance REAL similarity REAL group_by  group_limit INTEGER a ",
            ),
        ],
    );
}

#[test]
fn a_failed_create_leaves_no_tables() {
    let hosts = hosts("CREATE TABLE taken_rows(x)");
    check_errors(
        &hosts,
        &[
            ("CREATE VIRTUAL TABLE taken USING hnsw(e FLOAT[2])", "taken: table \"taken_rows\" already exists"),
            ("CREATE VIRTUAL TABLE t USING hnsw(a CHECK (b > 0), e FLOAT[2])", "t: no such column: b"),
            (
                "CREATE VIRTUAL TABLE t USING hnsw(a COLLATE nosuch INDEXED, e FLOAT[2])",
                "t: no such collation sequence: nosuch",
            ),
            (
                "CREATE VIRTUAL TABLE t USING hnsw",
                "t: expected at least one vector column, such as \"embedding FLOAT[256]\"",
            ),
            ("CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[0])", "t.e: expected 1 to 16384 dimensions, got FLOAT[0]"),
            ("CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2], m = 1)", "t: m: expected 2 to 64, got 1"),
            (
                "CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2], t TEXT)",
                "t.t: the column names query, k, ef_search, distance, similarity, group_by, group_limit and that of the table itself are reserved",
            ),
        ],
    );
    for host in &hosts {
        assert_eq!(line(host, "SELECT name FROM sqlite_schema"), "taken_rows");
        run(host, "BEGIN");
        error(host, "CREATE VIRTUAL TABLE t USING hnsw(a CHECK (b > 0), e FLOAT[2])");
        run(host, "COMMIT");
        assert_eq!(line(host, "SELECT name FROM sqlite_schema"), "taken_rows");
    }
}

#[test]
fn renaming_renames_every_shadow_table() {
    for host in hosts(
        "CREATE VIRTUAL TABLE a USING hnsw(id TEXT PRIMARY KEY INDEXED, e FLOAT[2], f INT8[2]);
         INSERT INTO a VALUES ('x', '[1,0]', '[1,2]'), ('y', '[0,1]', NULL);",
    ) {
        run(&host, "ALTER TABLE a RENAME TO \"b c\"");
        assert_eq!(line(&host, "SELECT id FROM \"b c\" WHERE e MATCH '[1,0]' ORDER BY distance"), "x y");
        run(&host, "INSERT INTO \"b c\" VALUES ('z', '[1,1]', '[3,3]')");
        check_sound(&host, "b c");
        // The old name is free again, and so is that of its index.
        run(&host, "CREATE VIRTUAL TABLE a USING hnsw(id TEXT PRIMARY KEY INDEXED, e FLOAT[2])");
        assert_eq!(line(&host, "SELECT count(*) FROM sqlite_schema WHERE tbl_name = 'a_rows' AND type = 'index'"), "2");
        for (sql, message) in [
            (
                "ALTER TABLE a RENAME TO e",
                "a: cannot be renamed to \"e\": a column has that name, and the table's name is reserved for commands",
            ),
            (
                "ALTER TABLE a RENAME TO k",
                "a: cannot be renamed to \"k\": a column has that name, and the table's name is reserved for commands",
            ),
        ] {
            assert_eq!(error(&host, sql), message);
        }
        run(&host, "BEGIN; ALTER TABLE a RENAME TO d; INSERT INTO d VALUES ('q', '[1,0]'); ROLLBACK");
        run(&host, "INSERT INTO a VALUES ('r', '[1,0]')");
        assert_eq!(line(&host, "SELECT id FROM a('[1,0]')"), "r");
        run(&host, "BEGIN; SAVEPOINT s; ALTER TABLE a RENAME TO d; INSERT INTO d VALUES ('q', '[1,0]'); ROLLBACK TO s");
        run(&host, "INSERT INTO a VALUES ('t', '[1,0]'); COMMIT");
        run(&host, "BEGIN; INSERT INTO a VALUES ('u', '[0,1]'); ALTER TABLE a RENAME TO d; COMMIT");
        assert_eq!(line(&host, "SELECT id FROM d('[1,0]') ORDER BY distance"), "r t u");
        check_sound(&host, "d");
    }
}

#[test]
fn dropping_removes_everything_even_of_a_damaged_table() {
    for host in hosts("CREATE VIRTUAL TABLE a USING hnsw(x INDEXED, e FLOAT[2]); DROP TABLE a") {
        assert_eq!(line(&host, "SELECT count(*) FROM sqlite_schema"), "0");
        run(
            &host,
            "CREATE VIRTUAL TABLE a USING hnsw(x INDEXED, e FLOAT[2]); DELETE FROM a_config; DROP TABLE a_nodes",
        );
        assert_eq!(error(&host, "SELECT * FROM a"), "a_config is damaged: the entry format_version is missing");
        run(&host, "DROP TABLE a");
        assert_eq!(line(&host, "SELECT count(*) FROM sqlite_schema"), "0");
    }
}

/// A table of another format is refused, and can be dropped.
#[test]
fn other_formats_are_refused_by_number() {
    let newer = "a has format version 7; this vecrank reads 3: upgrade it";
    other_format(7, newer);
    for version in [1, 2] {
        let message = format!("a has format version {version}, made by a pre-release vecrank: import again");
        other_format(version, &message);
    }
}

fn other_format(version: u32, message: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("newer.db");
    let written = Host::bundled(&path);
    written.load(library()).unwrap();
    run(
        &written,
        "CREATE VIRTUAL TABLE a USING hnsw(x, e FLOAT[2], f FLOAT[2]); INSERT INTO a VALUES (1, '[1,0]', NULL)",
    );
    run(&written, &format!("UPDATE a_config SET value = {version} WHERE key = 'format_version'"));
    if version == 1 {
        run(&written, "DROP TABLE a_nodes1; CREATE TABLE a_nodes_1(id INTEGER PRIMARY KEY, data BLOB)");
    }
    let host = Host::bundled(&path);
    host.load(library()).unwrap();
    for sql in [
        "SELECT * FROM a",
        "SELECT * FROM a WHERE e MATCH '[1,0]'",
        "INSERT INTO a VALUES (2, NULL, NULL)",
        "DELETE FROM a",
        "ALTER TABLE a RENAME TO b",
        "SELECT * FROM hnsw_info('a')",
    ] {
        assert_eq!(error(&host, sql), message, "{sql}");
    }
    assert_eq!(line(&host, "SELECT count(*) FROM a_rows"), "1");
    // SQLite passes on no message here.
    run(&host, "DROP TABLE a");
    assert_eq!(line(&host, "SELECT count(*) FROM sqlite_master"), "0");
}
