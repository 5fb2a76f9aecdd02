//! The declaration of a table's columns to SQLite, and its effect on programs.

use crate::{check_lines, check_sound, hosts, line, rows, run};

const TABLES: &str = "
    CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, name TEXT NOT NULL, e FLOAT[2] NOT NULL, half FLOAT16[2], small INT8[2]);
    CREATE VIRTUAL TABLE by_text USING hnsw(code TEXT PRIMARY KEY, n INTEGER UNIQUE, e FLOAT[2]);
    INSERT INTO t VALUES (5, 'a', vec_parse('[1,0]'), vec_f16('[1,2]'), vec_int8('[1,2]'));
    INSERT INTO t(name, e) VALUES ('b', '[0,1]');
    INSERT INTO by_text VALUES ('x', 1, '[1,0]'), (NULL, 2, '[0,1]'), (NULL, NULL, NULL);";

/// Programs convert values by the declared type. A numeric type would corrupt a vector.
#[test]
fn a_vector_column_is_declared_as_a_blob() {
    let types = "SELECT group_concat(name || ' ' || type, ', ') FROM";
    let info = |table: &str| format!("{types} pragma_table_info('{table}')");
    check_lines(
        &hosts(TABLES),
        &[
            (&info("t"), "id INTEGER, name TEXT, e BLOB, half BLOB, small BLOB"),
            (&info("by_text"), "code TEXT, n INTEGER, e BLOB"),
            (
                "SELECT typeof(e), typeof(half), typeof(small), hex(half), hex(small) FROM t WHERE id = 5",
                "blob|blob|blob|003C0040|0102",
            ),
            // A BLOB column has no affinity, so neither side is converted.
            ("SELECT count(*) FROM t WHERE e = vec_parse('[1,0]')", "1"),
            ("SELECT count(*) FROM t WHERE e = '[1,0]' OR small = 1 OR half = '1'", "0"),
            ("SELECT id FROM t WHERE small > '9' ORDER BY id", "5"),
            (
                "SELECT key, value FROM hnsw_info('t') WHERE key LIKE '%element' OR key LIKE '%dims'",
                "e.element|FLOAT e.dims|2 half.element|FLOAT16 half.dims|2 small.element|INT8 small.dims|2",
            ),
        ],
    );
    for host in hosts(TABLES) {
        // SQLite writes no type for a column without affinity.
        run(&host, "CREATE TABLE c AS SELECT * FROM t");
        assert_eq!(line(&host, &info("c")), "id INT, name TEXT, e , half , small ");
        assert_eq!(
            line(
                &host,
                "SELECT count(*) FROM c JOIN t USING (id, name, e) WHERE c.half IS t.half AND c.small IS t.small"
            ),
            "2"
        );
    }
}

/// For a TEXT key SQLite would assume an index that does not exist.
#[test]
fn an_integer_primary_key_is_declared_as_the_key() {
    let keys = "SELECT group_concat(name || ' ' || pk, ', ') FROM";
    for host in hosts(TABLES) {
        assert_eq!(line(&host, &format!("{keys} pragma_table_info('t')")), "id 1, name 0, e 0, half 0, small 0");
        assert_eq!(line(&host, &format!("{keys} pragma_table_info('by_text')")), "code 0, n 0, e 0");
        assert_eq!(line(&host, "SELECT count(*) FROM pragma_index_list('t')"), "0");
        // Statements that read the declaration work as before.
        for pragma in ["integrity_check", "quick_check", "integrity_check(t)"] {
            // SQLite below 3.44 does not check virtual tables.
            let found = rows(&host, &format!("PRAGMA {pragma}"));
            assert!(found == ["ok"], "SQLite {}: {pragma}: {found:?}", host.version());
        }
        run(&host, "PRAGMA foreign_keys = ON; REINDEX; ANALYZE; PRAGMA foreign_key_check; VACUUM;");
        run(&host, "UPDATE t SET id = 7 WHERE id = 5; INSERT INTO t(name, e) VALUES ('c', '[1,1]');");
        run(
            &host,
            "INSERT OR REPLACE INTO t(id, name, e) VALUES (7, 'd', '[2,1]'); INSERT OR IGNORE INTO t(id, name, e) VALUES (7, 'e', '[2,2]');",
        );
        run(
            &host,
            "INSERT INTO t(rowid, name, e) VALUES (20, 'f', '[3,1]'); UPDATE t SET rowid = 21 WHERE id = 20; DELETE FROM t WHERE id = 6;",
        );
        assert_eq!(line(&host, "SELECT id, rowid, name FROM t"), "7|7|d 8|8|c 21|21|f");
        assert_eq!(line(&host, "SELECT DISTINCT id FROM t ORDER BY id DESC"), "21 8 7");
        assert_eq!(line(&host, "SELECT id FROM t WHERE id = '8' OR id IN (7.0, 'x') OR id IS NULL ORDER BY id"), "7 8");
        assert_eq!(line(&host, "SELECT a.id FROM t a LEFT JOIN t b ON b.id = a.id + 1 WHERE b.id IS NULL"), "8 21");
        let upsert = host
            .refusal("INSERT INTO t(id, name, e) VALUES (7, 'x', '[1,0]') ON CONFLICT (id) DO UPDATE SET name = 'x'");
        assert_eq!(upsert.message, "UPSERT not implemented for virtual table \"t\"");
        assert!(host.refusal("INSERT INTO t(id, name, e) VALUES (7, 'x', '[1,0]')").message.contains("UNIQUE"));
        // NULLs are no duplicates: the column must not count as unique.
        assert_eq!(line(&host, "SELECT count(*), count(DISTINCT code) FROM by_text"), "3|1");
        assert_eq!(line(&host, "SELECT DISTINCT code IS NULL, n IS NULL FROM by_text ORDER BY 1, 2"), "0|0 1|0 1|1");
        check_sound(&host, "t");
        check_sound(&host, "by_text");
    }
}
