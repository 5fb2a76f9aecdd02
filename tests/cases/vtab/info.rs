//! `hnsw_info` finds a table however its CREATE is spelt, and no table of another module.

use crate::{check_lines, error, hosts, line, run};

#[test]
fn info_finds_a_table_under_any_spelling_of_create() {
    const TABLES: &str = "
        ATTACH ':memory:' AS \"far.off\";
        create virtual table lower using hnsw(e FLOAT[2]);
        CREATE VIRTUAL TABLE IF NOT EXISTS upper USING HNSW(e FLOAT[3]);
        CREATE VIRTUAL TABLE \"a \"\"USING fts5\"\" b\" /* USING fts5 */ USING -- fts5
          \"hnsw\"(e FLOAT[4], note TEXT CHECK (note <> 'CREATE VIRTUAL TABLE x USING fts5'));
        CREATE VIRTUAL TABLE [using]USING[hnsw](e FLOAT[5]);
        CREATE VIRTUAL TABLE temp.lower USING hnsw(e FLOAT[6]);
        CREATE VIRTUAL TABLE \"far.off\".\"a.b\" USING hnsw(e FLOAT[7]);
        CREATE VIRTUAL TABLE renamed USING hnsw(e FLOAT[8]);
        ALTER TABLE renamed RENAME TO \"other name\";";
    let dims = |name: &str| format!("SELECT value FROM hnsw_info({name}) WHERE key = 'dims'");
    let cases = [
        ("'LOWER'", "6"),
        ("'lower', 'main'", "2"),
        ("'main.lower'", "2"),
        ("'temp.Lower'", "6"),
        ("'upper'", "3"),
        ("'a \"USING fts5\" b'", "4"),
        ("'using'", "5"),
        ("'a.b'", "7"),
        ("'a.b', 'FAR.off'", "7"),
        ("'far.off.a.b'", "7"),
        ("'other name'", "8"),
    ];
    for is_sensitive in [0, 1] {
        let hosts = hosts(&format!("{TABLES} PRAGMA case_sensitive_like = {is_sensitive};"));
        for (name, expected) in cases {
            check_lines(&hosts, &[(&dims(name), expected)]);
        }
    }
}

#[test]
fn info_refuses_tables_of_other_modules() {
    for host in
        hosts("CREATE TABLE hnsw(hnsw TEXT DEFAULT ' USING hnsw('); CREATE VIEW seen AS SELECT ' USING hnsw(' AS x;")
    {
        // Debian's SQLite has FTS5; the bundled one may lack it.
        let has_fts5 = host.execute("CREATE VIRTUAL TABLE f USING fts5(hnsw)").is_ok();
        for name in ["hnsw", "seen", "sqlite_master", "none", "none.hnsw", "main.", ""]
            .into_iter()
            .chain(has_fts5.then_some("f"))
        {
            let expected = format!("hnsw_info: there is no hnsw table \"{name}\"");
            assert_eq!(error(&host, &format!("SELECT * FROM hnsw_info('{name}')")), expected);
        }
        // With the schema given, the table is found although another one in temp hides it.
        run(&host, "CREATE VIRTUAL TABLE main.t USING hnsw(e FLOAT[2]); CREATE TEMP TABLE t(x);");
        assert_eq!(line(&host, "SELECT value FROM hnsw_info('t') WHERE key = 'dims'"), "2");
    }
}
