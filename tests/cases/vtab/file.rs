//! The label of the embedding model in the file, and the protection of shadow tables by their names.

use std::path::Path;

use crate::{check_errors, check_lines, check_sound, hosts, line, run};
use vecrank_tests::{Host, library};

const TABLE: &str =
    "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, text FLOAT[2], image FLOAT[2], audio INT8[3],
    model = 'text-embedding-3-small', image.model = 'clip''s \"own\"', m = 4);
    INSERT INTO t VALUES (1, '[1,0]', '[0,1]', '[1,2,3]'), (2, '[0,1]', '[1,1]', NULL);";

const MODELS: &str = "SELECT group_concat(value, '; ') FROM hnsw_info('t') WHERE key LIKE '%model'";
const NAMED: &str = "text-embedding-3-small; clip's \"own\"; text-embedding-3-small";

#[test]
fn the_model_label_is_kept_with_the_table() {
    let hosts = hosts(TABLE);
    check_lines(
        &hosts,
        &[
            (MODELS, NAMED),
            ("SELECT key FROM hnsw_info('t') WHERE key LIKE '%model'", "text.model image.model audio.model"),
            ("SELECT value FROM t_config WHERE key = 'vector.1.model'", "clip's \"own\""),
        ],
    );
    for host in &hosts {
        run(host, "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME TO t");
        assert_eq!(line(host, MODELS), NAMED);
        run(host, "INSERT INTO t(t) VALUES ('rebuild'); INSERT INTO t(t, k) VALUES ('ef_search', 100)");
        assert_eq!(line(host, MODELS), NAMED);
        check_sound(host, "t");
        run(host, "CREATE VIRTUAL TABLE plain USING hnsw(e FLOAT[2])");
        assert_eq!(line(host, "SELECT count(*) FROM hnsw_info('plain') WHERE key = 'model'"), "0");
        run(host, "UPDATE t_config SET value = 'another' WHERE key = 'vector.0.model'");
        assert_eq!(
            crate::error(host, "INSERT INTO t(t) VALUES ('integrity-check')"),
            "t is damaged: t_config.vector.0.model differs from the table's declaration"
        );
    }
    let expected = "t: model: expected the name of the embedding model, such as 'text-embedding-3-small', got";
    let cases = [("3", "3"), ("''", "''"), ("' '", "' '"), ("NULL", "NULL"), ("x'00'", "x'00'")].map(|(value, got)| {
        (format!("CREATE VIRTUAL TABLE main.t USING hnsw(e FLOAT[2], model = {value})"), format!("{expected} {got}"))
    });
    let cases: Vec<(&str, &str)> = cases.iter().map(|(sql, message)| (&sql[..], &message[..])).collect();
    let empty = Host::both(library());
    check_errors(&empty, &cases[..4]);
    check_errors(
        &empty,
        &[
            (
                "CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2], model = -3)",
                "t: model: expected the name of the embedding \
              model, such as 'text-embedding-3-small', got -3",
            ),
            ("CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2], model = a b)", "t: model: expected one value, got a b"),
            (
                "CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2], n, n.model = a)",
                "t: the option n.model is for no vector column of the table",
            ),
        ],
    );
}

#[test]
fn defensive_mode_protects_every_shadow_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let maker = Host::bundled(&path);
    maker.load(library()).unwrap();
    run(&maker, TABLE);
    let open: [fn(&Path) -> Option<Host>; 2] = [|path| Some(Host::bundled(path)), |path| Host::system(path)];
    for open in open {
        // A connection that has not used the table recognises its shadow tables by their names.
        let fresh = || {
            let host = open(&path)?;
            host.load(library()).unwrap();
            host.defend();
            Some(host)
        };
        let Some(host) = fresh() else { continue };
        let shadows =
            line(&host, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow' ORDER BY 1");
        assert_eq!(shadows, "t_config t_graph t_nodes t_nodes1 t_nodes2 t_rows", "SQLite {}", host.version());
        for shadow in shadows.split(' ') {
            for use_first in [false, true] {
                let host = fresh().unwrap();
                if use_first {
                    assert_eq!(line(&host, "SELECT count(*) FROM t WHERE text MATCH '[1,0]'"), "2");
                }
                for sql in [format!("DELETE FROM {shadow}"), format!("DROP TABLE {shadow}")] {
                    let error = host.refusal(&sql);
                    assert!(error.message.contains("may not be"), "SQLite {}: {sql}: {error}", host.version());
                }
            }
        }
        run(&host, "INSERT INTO t VALUES (3, '[1,1]', '[1,0]', NULL); DELETE FROM t WHERE id = 3");
        check_sound(&host, "t");
    }
}
