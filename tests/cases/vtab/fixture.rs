//! A file that an earlier build wrote (tests/fixtures). Every later build must read it, write it, and find it sound.
//!
//! Only a new format needs a new file: VECRANK_WRITE_FIXTURE=1 cargo test -p vecrank-tests --test vtab fixture

use std::fs;
use std::path::{Path, PathBuf};

use crate::{check_sound, line, run};
use vecrank_tests::{Host, library};

const SHOES: &str = "SELECT code, printf('%.6f', distance) FROM goods \
    WHERE e MATCH '[1,0.5,0,0,0,0,0.3,0,0,0,0,0]' AND kind = 'SHOE' ORDER BY distance LIMIT 6";

fn fixture() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let path = folder.join("format-3.db");
    if std::env::var_os("VECRANK_WRITE_FIXTURE").is_some() {
        let _ = fs::remove_file(&path);
        let host = Host::bundled(&path);
        host.load(library()).unwrap();
        run(&host, &fs::read_to_string(folder.join("format-3.sql")).unwrap());
    }
    path
}

#[test]
fn a_file_of_format_version_3_opens() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = fixture();
    for open in [|path: &Path| Some(Host::bundled(path)), |path: &Path| Host::system(path)] {
        let path = folder.path().join("copy.db");
        fs::copy(&fixture, &path).unwrap();
        let Some(host) = open(&path) else { continue };
        host.load(library()).unwrap();
        assert_eq!(line(&host, "SELECT value FROM hnsw_info('goods') WHERE key = 'format_version'"), "3");
        assert_eq!(line(&host, "SELECT value FROM hnsw_info('goods') WHERE key = 'small.model'"), "a model");
        check_sound(&host, "goods");
        assert_eq!(line(&host, "SELECT count(*), count(e), count(half), count(small) FROM goods"), "1021|1021|20|17");
        assert_eq!(
            line(&host, SHOES),
            "G0819|0.292450 G0582|0.303538 G0216|0.311554 G0345|0.346752 G0948|0.379680 G0453|0.383109"
        );
        assert_eq!(
            line(
                &host,
                "SELECT code, printf('%.5f', distance) FROM goods WHERE half MATCH '[1,2,3]' ORDER BY distance LIMIT 2"
            ),
            "G0750|2.50000 G0100|2.87228"
        );
        assert_eq!(
            line(
                &host,
                "SELECT code, printf('%.1f', distance) FROM goods WHERE small MATCH '[1,2,3,4,5]' ORDER BY distance LIMIT 3"
            ),
            "G0300|225.0 G0720|225.0 G0180|226.0"
        );
        assert_eq!(line(&host, "SELECT note, vec_json(half) FROM goods WHERE code = 'G0350'"), "text|[0,9,0.5]");
        // The other nodes stay: the search walks links of the old build.
        run(
            &host,
            "INSERT INTO goods(code, kind, e) VALUES ('new', 'shoe', '[1,0.5,0,0,0,0,0.3,0,0,0,0,0]');
             DELETE FROM goods WHERE code = 'G0582'",
        );
        assert_eq!(
            line(&host, SHOES),
            "new|0.000000 G0819|0.292450 G0216|0.311554 G0345|0.346752 G0948|0.379680 G0453|0.383109"
        );
        check_sound(&host, "goods");
        run(&host, "INSERT INTO goods(goods) VALUES ('cluster')");
        check_sound(&host, "goods");
    }
}
