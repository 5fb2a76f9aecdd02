//! How the file comes into place: whole or not at all, with nothing left over.

mod support;
use rusqlite::OpenFlags;
use support::*;

fn import(place: &Place, file: &str) -> Said {
    place.run(&["import", file, "feed.db", "--table", "t", "--key", "id"])
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 2000);
    import(&place, "a.parquet").done();
    let first = std::fs::read(place.path("feed.db")).unwrap();
    std::fs::remove_file(place.path("feed.db")).unwrap();
    import(&place, "a.parquet").done();
    assert!(std::fs::read(place.path("feed.db")).unwrap() == first, "from nothing");
    import(&place, "a.parquet").done();
    assert!(std::fs::read(place.path("feed.db")).unwrap() == first, "over an old file");
}

#[cfg(target_os = "linux")]
#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 5000);
    let import = |database: &str, processors: &str| {
        let mut command = std::process::Command::new("taskset");
        command.args(["-c", processors, env!("CARGO_BIN_EXE_vecrank"), "import", "a.parquet", database]);
        let output = command.current_dir(place.folder()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        std::fs::read(place.path(database)).unwrap()
    };
    let (one, all) = (import("one.db", "0"), import("all.db", "0-1023"));
    assert!(one == all);
}

#[test]
fn the_file_is_ready_to_be_served() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 500);
    import(&place, "a.parquet").done();
    let db = place.open("feed.db");
    assert_eq!(lines(&db, "PRAGMA journal_mode"), ["delete"]);
    assert_eq!(lines(&db, "PRAGMA freelist_count"), ["0"]);
    assert_eq!(lines(&db, "PRAGMA integrity_check"), ["ok"]);
    assert_eq!(lines(&db, "PRAGMA page_size"), ["4096"], "the plan's own test has the other sizes");
    assert_eq!(place.names(), ["a.parquet", "feed.db"]);
    let other = place.run(&["import", "a.parquet", "other.db", "--page-size", "8192"]);
    other.done();
    assert_eq!(lines(&place.open("other.db"), "PRAGMA page_size"), ["8192"]);
}

#[test]
fn a_reader_keeps_the_old_file_until_it_opens_the_new_one() {
    let place = Place::new();
    place.catalogue("old.parquet", 1, 3);
    place.catalogue("new.parquet", 10, 4);
    import(&place, "old.parquet").done();
    let reader =
        rusqlite::Connection::open_with_flags(place.path("feed.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(lines(&reader, "SELECT min(id), count(*) FROM t_rows"), ["1|3"]);
    import(&place, "new.parquet").done();
    assert_eq!(lines(&reader, "SELECT min(id), count(*) FROM t_rows"), ["1|3"]);
    assert_eq!(lines(&place.open("feed.db"), "SELECT min(id), count(*) FROM t_rows"), ["10|4"]);
}

#[cfg(unix)]
#[test]
fn the_users_pragmas_and_the_files_rights_outlive_a_replacement() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    import(&place, "a.parquet").done();
    place.open("feed.db").execute_batch("PRAGMA application_id = 77; PRAGMA user_version = 5").unwrap();
    std::fs::set_permissions(place.path("feed.db"), PermissionsExt::from_mode(0o640)).unwrap();
    import(&place, "a.parquet").done();
    let db = place.open("feed.db");
    assert_eq!(lines(&db, "SELECT * FROM pragma_application_id, pragma_user_version"), ["77|5"]);
    let rights = std::fs::metadata(place.path("feed.db")).unwrap().permissions();
    assert_eq!(rights.mode() & 0o777, 0o640);
}

#[test]
fn other_tables_are_kept() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    place.catalogue("b.parquet", 10, 4);
    place.open("feed.db").execute_batch("CREATE TABLE users(name); INSERT INTO users VALUES ('Ada')").unwrap();
    for (file, expected) in [("a.parquet", "1|3"), ("b.parquet", "10|4")] {
        import(&place, file).done();
        let db = place.open("feed.db");
        assert_eq!(lines(&db, "SELECT name FROM users"), ["Ada"]);
        assert_eq!(lines(&db, "SELECT min(id), count(*) FROM t_rows"), [expected]);
        assert_eq!(lines(&db, "PRAGMA integrity_check"), ["ok"]);
    }
    // A second vecrank table in the same file.
    place.run(&["import", "a.parquet", "feed.db"]).done();
    assert_eq!(
        lines(&place.open("feed.db"), "SELECT count(*) FROM t_rows UNION ALL SELECT count(*) FROM a_rows"),
        ["4", "3"]
    );
    assert_eq!(place.names(), ["a.parquet", "b.parquet", "feed.db"]);
}

#[test]
fn indexes_that_go_with_the_old_table_are_named() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    let again = || place.run(&["import", "a.parquet", "feed.db", "--table", "t", "--index", "name"]);
    again().done();
    place.open("feed.db").execute_batch("CREATE INDEX by_both ON t_rows(name, id)").unwrap();
    assert_eq!(
        again().err,
        "vecrank: warning: index by_both on the rows of the old table is not made again (see --index)\n"
    );
    assert_eq!(again().err, "");
}

#[test]
fn a_failed_import_leaves_other_tables_and_the_old_table() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    place.parquet(
        "bad.parquet",
        vec![("id", vectors_of(&[None])), ("v", vectors_of(&[Some(vec![1.0, 0.0]), None]))].split_off(1),
    );
    place.open("feed.db").execute_batch("CREATE TABLE users(name); INSERT INTO users VALUES ('Ada')").unwrap();
    import(&place, "a.parquet").done();
    place.run(&["import", "bad.parquet", "feed.db", "--table", "t"]).failed();
    let db = place.open("feed.db");
    assert_eq!(lines(&db, "SELECT name FROM users"), ["Ada"]);
    assert_eq!(lines(&db, "SELECT min(id), count(*) FROM t_rows"), ["1|3"]);
}

#[test]
fn a_table_of_another_kind_is_not_replaced() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    place.open("feed.db").execute_batch("CREATE TABLE T(x); CREATE VIEW seen AS SELECT 1").unwrap();
    let refusal = |table: &str| place.run(&["import", "a.parquet", "feed.db", "--table", table]).failed();
    assert!(refusal("t").ends_with(
        "feed.db: it has a table \"t\" that vecrank did not make; choose another name with --table, or drop it first"
    ));
    assert!(refusal("seen").contains("it has a view \"seen\" that vecrank did not make"));
}

#[test]
fn a_file_in_wal_mode_is_replaced_without_its_log() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    place.catalogue("b.parquet", 10, 4);
    import(&place, "a.parquet").done();
    place.open("feed.db").execute_batch("PRAGMA journal_mode = WAL; PRAGMA user_version = 3").unwrap();
    import(&place, "b.parquet").done();
    assert_eq!(place.names(), ["a.parquet", "b.parquet", "feed.db"]);
    let db = place.open("feed.db");
    assert_eq!(lines(&db, "SELECT min(id), count(*) FROM t_rows"), ["10|4"]);
    assert_eq!(lines(&db, "SELECT * FROM pragma_journal_mode, pragma_user_version"), ["delete|3"]);
}

#[test]
fn a_file_in_wal_mode_that_is_being_read_is_changed_in_place() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    place.catalogue("b.parquet", 10, 4);
    import(&place, "a.parquet").done();
    let reader = place.open("feed.db");
    reader.execute_batch("PRAGMA journal_mode = WAL; BEGIN").unwrap();
    assert_eq!(lines(&reader, "SELECT min(id), count(*) FROM t_rows"), ["1|3"]);
    import(&place, "b.parquet").done();
    assert_eq!(lines(&reader, "SELECT min(id), count(*) FROM t_rows"), ["1|3"], "its snapshot");
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(
        lines(&reader, "SELECT min(id), count(*) FROM t_rows"),
        ["10|4"],
        "the same connection sees the new rows"
    );
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_stays_one() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    std::fs::create_dir(place.path("data")).unwrap();
    std::fs::write(place.path("data/real.db"), "").unwrap();
    std::os::unix::fs::symlink("data/real.db", place.path("feed.db")).unwrap();
    import(&place, "a.parquet").done();
    assert!(std::fs::symlink_metadata(place.path("feed.db")).unwrap().is_symlink());
    assert_eq!(lines(&place.open("data/real.db"), "SELECT count(*) FROM t_rows"), ["3"]);
    // The file that it names need not be there yet.
    std::fs::remove_file(place.path("data/real.db")).unwrap();
    std::os::unix::fs::symlink("feed.db", place.path("second.db")).unwrap();
    place.run(&["import", "a.parquet", "second.db", "--table", "t"]).done();
    assert_eq!(lines(&place.open("data/real.db"), "SELECT count(*) FROM t_rows"), ["3"]);
    assert_eq!(place.names(), ["a.parquet", "data", "feed.db", "second.db"]);
    assert_eq!(std::fs::read_dir(place.path("data")).unwrap().count(), 1);
}

/// Starts an import that takes long, and waits until it builds the new file.
#[cfg(unix)]
fn start(place: &Place) -> std::process::Child {
    use std::process::Stdio;
    let mut command = place.command(&["import", "big.parquet", "feed.db", "--table", "t", "--key", "id"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the import starts", || place.has_draft());
    child
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_the_old_file_and_no_litter() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    place.catalogue("big.parquet", 1, 200_000);
    import(&place, "a.parquet").done();
    let before = std::fs::read(place.path("feed.db")).unwrap();
    let mut child = start(&place);
    signal(&mut child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(std::fs::read(place.path("feed.db")).unwrap() == before);
    assert_eq!(place.names(), ["a.parquet", "big.parquet", "feed.db"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_is_heard_while_standard_input_is_waited_for() {
    use std::process::Stdio;
    let place = Place::new();
    let mut command = place.command(&["import", "-", "feed.db", "--table", "t"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the import starts", || place.working_folder().is_some());
    signal(&mut child, "INT");
    // Its standard input stays open all the while.
    let input = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(input);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(130), &b"vecrank: interrupted\n"[..]));
    assert_eq!(place.names(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn the_next_import_removes_what_a_killed_one_left() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    place.catalogue("big.parquet", 1, 200_000);
    import(&place, "a.parquet").done();
    let before = std::fs::read(place.path("feed.db")).unwrap();
    let mut child = start(&place);
    assert!(freeze_when(&mut child, || true), "it was done too soon");
    // A second import beside a running one waits for it, in vain here, and leaves its folder alone.
    assert!(import(&place, "a.parquet").failed().contains("another program is writing to the file"));
    assert!(place.has_draft(), "{:?}", place.names());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(std::fs::read(place.path("feed.db")).unwrap() == before);
    import(&place, "a.parquet").done();
    assert_eq!(place.names(), ["a.parquet", "big.parquet", "feed.db"]);
}

#[test]
fn a_file_that_another_program_is_writing_to_is_left_alone() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    import(&place, "a.parquet").done();
    let writer = place.open("feed.db");
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let line = import(&place, "a.parquet").failed();
    assert!(line.ends_with("feed.db: another program is writing to the file; try again when it is done"), "{line}");
}
