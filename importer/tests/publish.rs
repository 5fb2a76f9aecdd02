//! What lies in the way of publication: leftovers, special files, owners, mounts, limits, and names that terminals obey.

mod support;
use rusqlite::Connection;
use std::path::Path;
use support::*;

fn import(place: &Place, file: &str) -> Said {
    place.run(&["import", file, "feed.db", "--table", "t", "--key", "id"])
}

fn place() -> Place {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 300);
    place.catalogue("b.parquet", 1001, 300);
    place
}

fn first_id(place: &Place) -> String {
    lines(&place.open("feed.db"), "SELECT min(id), count(*) FROM t_rows").concat()
}

/// A log or a journal that a crashed program left beside `feed.db`, and the database without it.
fn crashed(place: &Place, mode: &str) -> Vec<u8> {
    let db = place.open("crash.db");
    let page_cache = "PRAGMA cache_size = 5; PRAGMA wal_autocheckpoint = 0";
    db.execute_batch(&format!("PRAGMA journal_mode = {mode}; {page_cache}; CREATE TABLE old(x)")).unwrap();
    let fill = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
                INSERT INTO old SELECT randomblob(900) FROM n";
    db.execute_batch(fill).unwrap();
    db.execute_batch(&format!("BEGIN; UPDATE old SET x = 1; {fill}")).unwrap();
    if mode == "WAL" {
        db.execute_batch("COMMIT").unwrap();
    }
    let ending = if mode == "WAL" { "-wal" } else { "-journal" };
    std::fs::copy(place.path(&format!("crash.db{ending}")), place.path(&format!("feed.db{ending}"))).unwrap();
    let bytes = std::fs::read(place.path("crash.db")).unwrap();
    drop(db);
    std::fs::remove_file(place.path("crash.db")).unwrap();
    bytes
}

#[test]
fn leftovers_of_a_file_that_is_gone_are_removed() {
    for (mode, ending) in [("WAL", "-wal"), ("DELETE", "-journal")] {
        let place = place();
        crashed(&place, mode);
        std::fs::write(place.path("feed.db-shm"), "old").unwrap();
        let said = import(&place, "a.parquet");
        assert!(
            said.err.contains(&format!("feed.db{ending}: removed, it was left of a database that is gone\n")),
            "{said:?}"
        );
        said.done();
        assert_eq!(place.names(), ["a.parquet", "b.parquet", "feed.db"]);
        assert_eq!(first_id(&place), "1|300");
        assert_eq!(lines(&place.open("feed.db"), "PRAGMA integrity_check"), ["ok"]);
    }
}

/// They are part of it: what a crashed program committed is looked at, what it did not is rolled back.
#[test]
fn leftovers_of_a_file_that_is_there_belong_to_it() {
    for mode in ["WAL", "DELETE"] {
        let place = place();
        let bytes = crashed(&place, mode);
        std::fs::write(place.path("feed.db"), bytes).unwrap();
        import(&place, "a.parquet").done();
        let db = place.open("feed.db");
        assert_eq!(
            lines(&db, "SELECT count(*), min(length(x)) FROM old"),
            [if mode == "WAL" { "1000|1" } else { "500|900" }]
        );
        assert_eq!(lines(&db, "PRAGMA integrity_check"), ["ok"]);
    }
}

/// An import that adds rows may be killed before its journal says anything.
#[test]
fn a_journal_that_says_nothing_is_removed() {
    let place = place();
    import(&place, "a.parquet").done();
    std::fs::write(place.path("feed.db-journal"), vec![0; 9000]).unwrap();
    import(&place, "b.parquet").done();
    assert_eq!(place.names(), ["a.parquet", "b.parquet", "feed.db"]);
    assert_eq!(lines(&place.open("feed.db"), "PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn leftovers_that_cannot_be_removed_are_named() {
    let place = place();
    std::fs::create_dir(place.path("feed.db-wal")).unwrap();
    let line = import(&place, "a.parquet").failed();
    assert!(line.contains("feed.db-wal: cannot be removed: "), "{line}");
    assert_eq!(place.names(), ["a.parquet", "b.parquet", "feed.db-wal"]);
}

#[cfg(unix)]
fn mkfifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn special_files_are_no_databases() {
    let place = place();
    mkfifo(&place.path("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(place.path("socket")).unwrap();
    std::os::unix::fs::symlink("/dev/null", place.path("link")).unwrap();
    let names = place.names();
    for (path, kind) in
        [("fifo", "FIFO"), ("socket", "socket"), ("/dev/null", "device"), ("link", "device"), (".", "directory")]
    {
        let expected = format!("{path}: is a {kind}, expected a file name");
        assert_eq!(place.run(&["import", "a.parquet", path, "--table", "t"]).failed(), expected);
        for command in ["query", "info", "check", "recall"] {
            assert_eq!(place.run(&[command, path]).failed(), expected);
        }
    }
    std::os::unix::fs::symlink("loop", place.path("loop")).unwrap();
    for (path, what) in [
        ("loop", "cannot be opened: Too many levels of symbolic links (os error 40)"),
        ("a.parquet/feed.db", "cannot be opened: Not a directory (os error 20)"),
        ("fifo/", "ends in a slash as directories do, expected a file name"),
        ("socket/", "ends in a slash as directories do, expected a file name"),
        ("new/", "ends in a slash as directories do, expected a file name"),
    ] {
        let expected = format!("{path}: {what}");
        assert_eq!(place.run(&["import", "a.parquet", path, "--table", "t"]).failed(), expected);
        for command in ["query", "info", "check", "recall"] {
            assert_eq!(place.run(&[command, path]).failed(), expected);
        }
    }
    std::fs::remove_file(place.path("loop")).unwrap();
    assert_eq!(place.names(), names);
    let null = std::fs::metadata("/dev/null").unwrap();
    assert!(!null.is_file());
    for (path, kind) in [("socket", "socket"), ("/dev/null", "device")] {
        let line = place.run(&["import", path, "feed.db", "--table", "t"]).failed();
        assert_eq!(line, format!("{path}: is a {kind}, expected a Parquet file, a FIFO or -"));
    }
}

#[cfg(unix)]
#[test]
fn fifos_are_read_to_their_end() {
    let place = place();
    mkfifo(&place.path("fifo"));
    let bytes = std::fs::read(place.path("a.parquet")).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| std::fs::write(place.path("fifo"), &bytes).unwrap());
        place.run(&["import", "fifo", "feed.db", "--table", "t", "--key", "id"]).done();
    });
    assert_eq!(first_id(&place), "1|300");
    let vecrank = env!("CARGO_BIN_EXE_vecrank");
    for script in [
        format!("{vecrank} import <(cat b.parquet) feed.db --table t --key id"),
        format!("cat b.parquet | {vecrank} import /dev/stdin feed.db --table t --key id"),
    ] {
        import(&place, "a.parquet").done();
        let output = std::process::Command::new("bash").args(["-c", &script]).current_dir(place.folder()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(first_id(&place), "1001|300");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_is_heard_while_a_fifo_is_waited_for() {
    let place = place();
    mkfifo(&place.path("fifo"));
    let mut command = place.command(&["import", "fifo", "feed.db", "--table", "t"]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    while !place.names().iter().any(|name| name.starts_with(".feed.db.vecrank-")) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(130), &b"vecrank: interrupted\n"[..]));
    assert_eq!(place.names(), ["a.parquet", "b.parquet", "fifo"]);
}

/// True for root, who alone may give files away and mount.
#[cfg(unix)]
fn is_root() -> bool {
    let id = std::process::Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

#[cfg(unix)]
#[test]
fn owner_group_and_mode_of_the_old_file_are_kept() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let place = place();
    import(&place, "a.parquet").done();
    let path = place.path("feed.db");
    if is_root() {
        chown(&path, Some(1234), Some(2345)).unwrap();
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o660)).unwrap();
    let rights = || std::fs::metadata(&path).map(|file| (file.uid(), file.gid(), file.mode())).unwrap();
    let before = rights();
    let said = import(&place, "b.parquet");
    assert_eq!(said.err, "");
    said.done();
    assert_eq!(rights(), before);
    assert_eq!(first_id(&place), "1001|300");
}

#[cfg(unix)]
#[test]
fn an_owner_that_cannot_be_kept_is_named() {
    use std::os::unix::fs::{PermissionsExt, chown};
    if !is_root() {
        return;
    }
    let place = place();
    import(&place, "a.parquet").done();
    std::fs::set_permissions(place.folder(), PermissionsExt::from_mode(0o777)).unwrap();
    chown(place.path("feed.db"), Some(1234), Some(2345)).unwrap();
    std::fs::set_permissions(place.path("feed.db"), PermissionsExt::from_mode(0o666)).unwrap();
    let vecrank = place.path("vecrank");
    std::fs::copy(env!("CARGO_BIN_EXE_vecrank"), &vecrank).unwrap();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=4321", "--regid=4321", "--clear-groups"]).arg(vecrank);
    let output = command
        .args(["import", "b.parquet", "feed.db", "--table", "t", "--key", "id"])
        .current_dir(place.folder())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let expected = "feed.db: its owner (user 1234, group 2345) cannot be kept, for this is not run by root\n";
    assert!(said.ends_with(expected), "{said}");
    assert_eq!(first_id(&place), "1001|300");
}

/// Runs a script in a mount namespace of its own, in which `feed.db` is mounted over itself, as a single file is that is
/// mounted into a container.
#[cfg(target_os = "linux")]
fn with_mount(place: &Place, script: &str) -> Said {
    let script = format!("mount --bind feed.db feed.db && {{ {script}; }}");
    let script = script.replace("vecrank ", concat!(env!("CARGO_BIN_EXE_vecrank"), " "));
    let unshare: &[&str] = if is_root() { &["--mount"] } else { &["--mount", "--map-root-user"] };
    let mut command = std::process::Command::new("unshare");
    let output = command.args(unshare).args(["bash", "-c", &script]).current_dir(place.folder()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

#[cfg(target_os = "linux")]
const IMPORT: &str = "vecrank import b.parquet feed.db --table t --key id";

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_mounted_on_its_own_is_overwritten() {
    use std::os::unix::fs::MetadataExt;
    let place = place();
    import(&place, "a.parquet").done();
    let inode = || std::fs::metadata(place.path("feed.db")).unwrap().ino();
    let before = inode();
    let open = place.open("feed.db");
    assert_eq!(lines(&open, "SELECT min(id) FROM t_rows"), ["1"]);
    let said = with_mount(&place, IMPORT);
    assert!(
        said.err.ends_with(
            "feed.db: is mounted on its own, so no file can take its place: it is overwritten in one transaction. If \
             that is killed, only a program that opens it by this path rolls it back (the journal lies beside it)\n"
        ),
        "{said:?}"
    );
    said.done();
    assert_eq!(inode(), before);
    assert_eq!(lines(&open, "SELECT min(id) FROM t_rows"), ["1001"], "an open connection sees the new rows");
    assert_eq!(first_id(&place), "1001|300");
    place.run(&["check", "feed.db"]).done();
    assert_eq!(place.names(), ["a.parquet", "b.parquet", "feed.db"]);
    // An empty file, as one is made for a mount, pages of another size, and a file that shrinks.
    std::fs::write(place.path("feed.db"), "").unwrap();
    for (script, count) in [(IMPORT, "300"), ("vecrank import small.parquet feed.db --table t --page-size 8192", "2")] {
        place.catalogue("small.parquet", 1, 2);
        with_mount(&place, script).done();
        assert_eq!(lines(&place.open("feed.db"), "SELECT count(*) FROM t_rows"), [count]);
        place.run(&["check", "feed.db"]).done();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_keeps_a_mounted_file_as_it_is() {
    let place = place();
    import(&place, "a.parquet").done();
    let before = std::fs::read(place.path("feed.db")).unwrap();
    let reader = place.open("feed.db");
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(lines(&reader, "SELECT min(id) FROM t_rows"), ["1"]);
    let said = with_mount(&place, IMPORT);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.ends_with(&format!("feed.db: {LOCKED}\n")), "{said:?}");
    reader.execute_batch("COMMIT").unwrap();
    assert!(std::fs::read(place.path("feed.db")).unwrap() == before);
    assert_eq!(place.names(), ["a.parquet", "b.parquet", "feed.db"]);
}

const LOCKED: &str = "database is locked: another program has a transaction or a statement open in it and did not end \
                      that for 5 seconds; try again when it has";

#[test]
fn an_open_reader_is_told_of_and_nothing_is_changed() {
    let place = place();
    import(&place, "a.parquet").done();
    place.open("feed.db").execute_batch("CREATE TABLE users(name)").unwrap();
    let reader = place.open("feed.db");
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(lines(&reader, "SELECT min(id) FROM t_rows"), ["1"]);
    assert_eq!(import(&place, "b.parquet").failed(), format!("feed.db: {LOCKED}"));
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(first_id(&place), "1|300");
}

/// Every moment at which a file can be too large, from the first page on.
#[cfg(unix)]
#[test]
fn a_file_size_limit_is_an_error_like_a_full_disk() {
    let place = place();
    place.catalogue("big.parquet", 1, 3000);
    import(&place, "a.parquet").done();
    let run = |limit: u32, database: &str| {
        let vecrank = env!("CARGO_BIN_EXE_vecrank");
        let script = format!("ulimit -f {limit}; {vecrank} import big.parquet {database} --table t --key id");
        let output = std::process::Command::new("bash").args(["-c", &script]).current_dir(place.folder()).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    place.open("kept.db").execute_batch("CREATE TABLE users(name)").unwrap();
    let (names, before) = (place.names(), std::fs::read(place.path("feed.db")).unwrap());
    for limit in [0, 1, 16, 100, 300] {
        for database in ["feed.db", "kept.db"] {
            let (code, said) = run(limit, database);
            assert_eq!(code, Some(2), "{limit}: {said}");
            assert!(said.starts_with(&format!("vecrank: {database}: ")), "{limit}: {said}");
            assert!(said.contains("a file-size limit (ulimit -f) may be exhausted"), "{limit}: {said}");
            assert_eq!(said.matches('\n').count(), 1, "{said}");
        }
        assert_eq!(place.names(), names, "{limit}");
        assert!(std::fs::read(place.path("feed.db")).unwrap() == before, "{limit}");
    }
    assert_eq!(lines(&place.open("kept.db"), "SELECT name FROM sqlite_schema"), ["users"]);
}

#[cfg(unix)]
#[test]
fn an_input_that_cannot_be_copied_names_the_folder() {
    let place = place();
    let script = format!("ulimit -f 1; cat a.parquet | {} import - feed.db --table t", env!("CARGO_BIN_EXE_vecrank"));
    let output = std::process::Command::new("bash").args(["-c", &script]).current_dir(place.folder()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("vecrank: standard input: cannot be copied to a file in /"), "{said}");
    assert!(said.contains("/.feed.db.vecrank-") && said.ends_with(": File too large (os error 27)\n"), "{said}");
    assert_eq!(place.names(), ["a.parquet", "b.parquet"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_leaves_the_old_file() {
    let place = place();
    place.catalogue("big.parquet", 1, 10_000);
    std::fs::create_dir(place.path("disk")).unwrap();
    std::fs::write(place.path("feed.db"), "").unwrap();
    let script = "mount -t tmpfs -o size=900k none disk && cp a.parquet disk/x &&
        vecrank import a.parquet disk/feed.db --table t --key id && cp disk/feed.db before.db &&
        { vecrank import big.parquet disk/feed.db --table t --key id; code=$?; ls -A disk; cmp before.db disk/feed.db && exit $code; }";
    let said = with_mount(&place, script);
    assert_eq!(said.code, 2, "{said:?}");
    assert_eq!(
        said.err,
        "vecrank: disk/feed.db: database or disk is full; the new file needs room beside the old one\n"
    );
    assert!(said.out.ends_with("\nfeed.db\nx\n"), "{said:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_overwriting_that_is_killed_is_rolled_back() {
    let place = place();
    import(&place, "a.parquet").done();
    let script = "for i in 01 02 03 04 06 08 11 14 17 20 25 30; do
            timeout -s KILL 0.$i vecrank import b.parquet feed.db --table t --key id >log 2>&1
            vecrank check feed.db || exit 9
        done; rm -f log";
    with_mount(&place, script).done();
    assert!(["1|300", "1001|300"].contains(&first_id(&place).as_str()));
    with_mount(&place, IMPORT).done();
    assert_eq!(first_id(&place), "1001|300");
    assert_eq!(place.names(), ["a.parquet", "b.parquet", "feed.db"]);
}

/// An open connection and a plain copy over its file, night for night.
fn copied_over(place: &Place, nights: [(&str, &str); 2], rounds: usize) {
    let live = place.path("live.db");
    std::fs::copy(place.path(nights[0].0), &live).unwrap();
    let db = Connection::open(&live).unwrap();
    for round in 0..rounds {
        let (file, expected) = nights[round % 2];
        std::fs::copy(place.path(file), &live).unwrap();
        assert_eq!(lines(&db, "SELECT * FROM t_rows LIMIT 1").len(), 1);
        for _ in 0..2 {
            let found = lines(&db, "SELECT count(*), min(name), max(name) FROM t_rows");
            assert_eq!(found, [expected], "round {round}");
        }
        assert_eq!(lines(&db, "PRAGMA quick_check"), ["ok"], "round {round}");
    }
}

#[test]
fn a_plain_copy_over_the_live_file_is_noticed() {
    let place = place();
    for (input, database) in [("a.parquet", "one.db"), ("b.parquet", "two.db")] {
        place.run(&["import", input, database, "--table", "t", "--key", "id"]).done();
    }
    let nights = [("one.db", "300|article 1|article 99"), ("two.db", "300|article 1001|article 1300")];
    copied_over(&place, nights, 200);
}

#[test]
fn a_copied_file_with_other_columns_is_noticed() {
    let place = place();
    place.run(&["import", "a.parquet", "one.db", "--table", "t", "--key", "id"]).done();
    place.run(&["import", "a.parquet", "two.db", "--table", "t", "--exclude", "id"]).done();
    let nights = [("one.db", "300|article 1|article 99"), ("two.db", "300|article 1|article 99")];
    copied_over(&place, nights, 20);
    let marks = |name: &str| lines(&place.open(name), "SELECT * FROM pragma_schema_version, pragma_data_version");
    assert_ne!(marks("one.db"), marks("two.db"));
}

#[test]
fn a_dump_is_read_by_debians_shell() {
    let place = place();
    place.run(&["import", "a.parquet", "feed.db", "--table", "t", "--key", "id", "--index", "name"]).done();
    let schema = "SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'";
    assert_eq!(lines(&place.open("feed.db"), schema), ["sqlite_stat1"]);
    let script =
        "sqlite3 feed.db .dump > dump.sql && { echo '.dbconfig defensive off'; cat dump.sql; } | sqlite3 -bail copy.db";
    let output = std::process::Command::new("bash").args(["-c", script]).current_dir(place.folder()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("sqlite_stat4"), "{said}");
    let statistics = "SELECT idx, stat FROM sqlite_stat1 ORDER BY idx";
    assert_eq!(lines(&place.open("copy.db"), statistics), lines(&place.open("feed.db"), statistics), "{said}");
}

/// Samples that another program made are left to it.
#[test]
fn statistics_of_other_tables_are_kept() {
    let place = place();
    place
        .open("feed.db")
        .execute_batch("CREATE TABLE u(x); CREATE INDEX i ON u(x); INSERT INTO u VALUES (1); ANALYZE")
        .unwrap();
    import(&place, "a.parquet").done();
    assert_eq!(lines(&place.open("feed.db"), "SELECT tbl FROM sqlite_stat4 WHERE tbl = 'u'"), ["u"]);
}

/// A column, a table and a value that would colour the terminal, set its title and turn text around.
const EVIL: &str = "a\u{1b}[31m\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}";

#[cfg(target_os = "linux")]
#[test]
fn escape_sequences_reach_no_terminal() {
    let place = Place::new();
    let names: Vec<&str> = vec![EVIL; 3];
    place.parquet(
        "evil.parquet",
        vec![
            (EVIL, std::sync::Arc::new(arrow_array::StringArray::from(names)) as arrow_array::ArrayRef),
            ("v\u{1b}[1m", vectors_of(&[Some(vec![1.0, 0.0]), Some(vec![0.0, 1.0]), Some(vec![1.0, 1.0])])),
        ],
    );
    place.parquet("bad.parquet", vec![("v\u{1b}[1m", vectors_of(&[Some(vec![1.0]), None]))]);
    let table = "t\u{1b}[4m";
    let vector = "[1, 0]";
    let commands: [&[&str]; 11] = [
        &["import", "evil.parquet", "feed.db", "--table", table],
        &["import", "evil.parquet", "feed.db", "--table", table, "--json"],
        &["import", "bad.parquet", "feed.db", "--table", table, "--on-bad-row", "skip"],
        &["import", "bad.parquet", "feed.db", "--table", table],
        &["import", "evil.parquet", "feed.db", "--table", table],
        &["query", "feed.db", "--vector", vector],
        &["query", "feed.db", "--vector", vector, "--csv"],
        &["query", "feed.db", "--vector", vector, "--json"],
        &["query", "feed.db", "--vector", vector, "--explain"],
        &["info", "feed.db"],
        &["recall", "feed.db", "--target", "0.5"],
    ];
    for command in commands {
        // On a pipe: text is escaped all the same, and data stay data.
        let said = place.run(command);
        let is_data = command.contains(&"--csv") || command.contains(&"--explain");
        for control in ['\u{1b}', '\u{202e}'] {
            assert_eq!(said.out.contains(control), is_data, "{said:?}");
            assert!(!said.err.contains(control), "{said:?}");
        }
        // `script` runs it on a terminal.
        let quoted: Vec<String> = command.iter().map(|word| format!("'{word}'")).collect();
        let line = format!("{} {}", env!("CARGO_BIN_EXE_vecrank"), quoted.join(" "));
        let mut script = std::process::Command::new("script");
        let output = script.args(["-qec", &line, "/dev/null"]).current_dir(place.folder()).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let traces = ["a\\x1b[31m", "v\\x1b[1m", "t\\x1b[4m", "\\u001b", "a [31m"];
        assert!(traces.iter().any(|trace| shown.contains(trace)), "{command:?}: {shown:?}");
        for sequence in ["\u{1b}[31m", "\u{1b}[1m", "\u{1b}[4m", "\u{1b}]", "\u{9b}", "\u{202e}"] {
            assert!(!shown.contains(sequence), "{command:?}: {shown:?}");
        }
    }
}
