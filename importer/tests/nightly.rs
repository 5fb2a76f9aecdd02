//! The nightly job as others see it: readers while a file is replaced, and what a killed import leaves.

mod support;
use rusqlite::{Connection, OpenFlags};
use std::ops::Range;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::*;

/// Ids of one night's catalogue begin at its number times this.
const NIGHT: i64 = 100_000;

const ROWS: i64 = 1500;

/// Between the readers' looks, so that the imports get on.
const PAUSE: Duration = Duration::from_millis(3);

/// A folder with the catalogues of so many nights, the first of them imported.
fn place(nights: Range<i64>) -> Place {
    let place = Place::new();
    for night in nights.clone() {
        place.catalogue(&file(night), night * NIGHT, ROWS);
    }
    import(&place, nights.start).done();
    place
}

fn file(night: i64) -> String {
    format!("night-{night}.parquet")
}

fn arguments(night: i64) -> [String; 7] {
    ["import", &file(night), "feed.db", "--table", "t", "--key", "id"].map(str::to_owned)
}

fn import(place: &Place, night: i64) -> Said {
    place.run(&arguments(night).each_ref().map(String::as_str))
}

/// The program that serves the pages, with the extension loaded.
fn reader(place: &Place) -> Connection {
    load_everywhere();
    Connection::open_with_flags(place.path("feed.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// The night that a page is of; all its rows must be of one, and it must be full.
fn night_of(ids: &[i64]) -> i64 {
    let night = ids[0] / NIGHT;
    assert!(ids.len() == 20 && ids.iter().all(|id| id / NIGHT == night), "a mixed page: {ids:?}");
    night
}

/// A few pages of a feed, one after the other; each from one night.
fn pages(db: &Connection) -> Vec<i64> {
    let sql = "SELECT id FROM t WHERE v MATCH '[0.3, 0.7]' ORDER BY distance LIMIT 20 OFFSET ?1";
    let mut page = db.prepare(sql).unwrap();
    let mut nights = Vec::new();
    for offset in (0..100).step_by(20) {
        let ids: Vec<i64> = page.query_map([offset], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        nights.push(night_of(&ids));
    }
    nights
}

/// Readers that look again and again until they are told to stop.
#[derive(Default)]
struct Readers {
    done: AtomicBool,
    /// How often each has looked.
    looks: [AtomicU64; 3],
}

impl Readers {
    /// Looks until the work is done, and once more then.
    fn look(&self, number: usize, mut look: impl FnMut()) {
        loop {
            let is_last = self.done.load(Ordering::SeqCst);
            look();
            self.looks[number].fetch_add(1, Ordering::SeqCst);
            if is_last {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until each of the threads has looked twice more, or has failed: one look began after this call.
    fn wait_for(&self, threads: &[std::thread::ScopedJoinHandle<'_, ()>]) {
        let looks = || self.looks.each_ref().map(|looks| looks.load(Ordering::SeqCst));
        let before = looks();
        let has_looked = |number: usize| looks()[number] > before[number] + 1 || threads[number].is_finished();
        wait_until("the readers look", || (0..threads.len()).all(has_looked));
    }
}

#[test]
fn readers_see_one_night_or_the_next_and_never_an_error() {
    let place = place(1..6);
    let readers = Readers::default();
    std::thread::scope(|scope| {
        let holding = scope.spawn(|| {
            let db = reader(&place);
            readers.look(0, || assert_eq!(pages(&db), [1; 5], "an open handle sees the file that it opened"));
        });
        let reopening = scope.spawn(|| {
            let mut last = 1;
            readers.look(1, || {
                let nights = pages(&reader(&place));
                assert_eq!(nights, [nights[0]; 5]);
                assert!(nights[0] >= last, "{} after {last}", nights[0]);
                last = nights[0];
            });
        });
        let processes = scope.spawn(|| {
            let query = ["query", "feed.db", "--vector", "[0.3, 0.7]", "--limit", "20", "--offset", "20"];
            let query = [&query[..], &["--columns", "id", "--csv"]].concat();
            let mut last = 1;
            readers.look(2, || {
                let out = place.run(&query).done();
                let ids = out.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap());
                let night = night_of(&ids.collect::<Vec<i64>>());
                assert!(night >= last, "{night} after {last}");
                last = night;
            });
        });
        let threads = [holding, reopening, processes];
        readers.wait_for(&threads);
        for night in 2..6 {
            import(&place, night).done();
            readers.wait_for(&threads);
        }
        assert_eq!(pages(&reader(&place)), [5; 5], "what is opened after the import sees the new file");
        readers.done.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_file_changed_in_place_makes_readers_wait_and_no_more() {
    let place = place(1..5);
    place.open("feed.db").execute_batch("CREATE TABLE users(name); INSERT INTO users VALUES ('Ada')").unwrap();
    let readers = Readers::default();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let db = reader(&place);
            db.busy_timeout(VERY_LONG).unwrap();
            let mut last = 1;
            readers.look(0, || {
                let nights = pages(&db);
                assert!(nights.is_sorted() && nights[0] >= last, "{nights:?} after {last}");
                last = nights[4];
            });
        });
        let threads = [thread];
        readers.wait_for(&threads);
        for night in 2..5 {
            import(&place, night).done();
            readers.wait_for(&threads);
        }
        readers.done.store(true, Ordering::SeqCst);
    });
    assert_eq!(pages(&reader(&place)), [4; 5]);
    assert_eq!(lines(&place.open("feed.db"), "SELECT name FROM users"), ["Ada"]);
}

/// SplitMix64.
fn chance(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *seed;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Starts an import of the second night, and waits for a random moment of it; the first of many is far from done then, for
/// its input never ends.
fn begin(place: &Place, round: u64, moment: Duration) -> Child {
    let mut arguments = arguments(2);
    if round == 0 {
        arguments[1] = "-".to_owned();
    }
    let mut command = place.command(&arguments.each_ref().map(String::as_str));
    command.stdin(if round == 0 { Stdio::piped() } else { Stdio::null() });
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Before it has its folder it has not taken signals over, and dies of one as any program does.
    wait_until("the import starts", || place.working_folder().is_some() || child.try_wait().unwrap().is_some());
    std::thread::sleep(moment);
    child
}

/// So many kills in a test run, and as many as a change of publication deserves with VECRANK_LONG.
fn kills() -> u64 {
    if std::env::var_os("VECRANK_LONG").is_some() { 200 } else { 25 }
}

/// Kills imports of the second night at random moments: the first night's file is whole each time, or the second's if the
/// import was done; the next import leaves nothing but the database.
fn kill_at_random(place: &Place, times: u64, mut seed: u64) {
    let names = place.names();
    let began = Instant::now();
    import(place, 2).done();
    let whole = began.elapsed();
    let mut whole_files = 0;
    for round in 0..times {
        import(place, 1).done();
        assert_eq!(place.names(), names, "round {round}: litter");
        let before = std::fs::read(place.path("feed.db")).unwrap();
        let mut child = begin(place, round, whole.mul_f64((chance(&mut seed) % 1000) as f64 / 1000.0));
        child.kill().unwrap();
        child.wait().unwrap();
        place.run(&["check", "feed.db"]).done();
        let night = pages(&reader(place))[0];
        assert_eq!(pages(&reader(place)), [night; 5], "round {round}");
        assert_eq!(lines(&place.open("feed.db"), "SELECT count(*) FROM t_rows"), [ROWS.to_string()]);
        if night == 1 {
            whole_files += 1;
            // A journal is rolled back by the first look; then every byte is the old one.
            assert!(std::fs::read(place.path("feed.db")).unwrap() == before, "round {round}");
        }
    }
    // The first was killed before it could be done.
    assert!(whole_files > 0);
    import(place, 1).done();
    assert_eq!(place.names(), names);
}

#[test]
fn an_import_killed_at_any_moment_leaves_the_old_file() {
    kill_at_random(&place(1..3), kills(), 7);
}

#[test]
fn an_import_killed_at_any_moment_leaves_the_other_tables_too() {
    let place = place(1..3);
    place.open("feed.db").execute_batch("CREATE TABLE users(name); INSERT INTO users VALUES ('Ada')").unwrap();
    kill_at_random(&place, kills(), 8);
    assert_eq!(lines(&place.open("feed.db"), "SELECT name FROM users"), ["Ada"]);
}

/// The first moments of an import: it makes its folder, takes the lock of it, and looks for folders of others.
#[test]
fn an_import_killed_as_it_begins_leaves_nothing_that_the_next_one_does_not_remove() {
    let place = Place::new();
    place.catalogue("a.parquet", 1, 3);
    let arguments = ["import", "a.parquet", "feed.db", "--table", "t"];
    let began = Instant::now();
    place.run(&arguments).done();
    let whole = began.elapsed();
    let names = place.names();
    let mut seed = 11;
    for round in 0..kills() {
        let mut children: Vec<_> =
            (0..2).map(|_| place.command(&arguments).stderr(std::process::Stdio::null()).spawn().unwrap()).collect();
        std::thread::sleep(whole.mul_f64((chance(&mut seed) % 1000) as f64 / 1000.0));
        children.iter_mut().for_each(|child| child.kill().unwrap());
        children.iter_mut().for_each(|child| assert!(child.wait().is_ok()));
        place.run(&arguments).done();
        assert_eq!(place.names(), names, "round {round}: litter");
    }
}

/// Ctrl-C at random moments, into every phase of an import.
#[cfg(unix)]
fn interrupt_at_random(place: &Place, times: u64, mut seed: u64) {
    let names = place.names();
    let began = Instant::now();
    import(place, 2).done();
    let whole = began.elapsed();
    let mut stopped = 0;
    for round in 0..times {
        import(place, 1).done();
        let before = std::fs::read(place.path("feed.db")).unwrap();
        let mut child = begin(place, round, whole.mul_f64((chance(&mut seed) % 900) as f64 / 1000.0));
        signal(&mut child, "INT");
        // Its standard input stays open all the while.
        let input = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(input);
        let said = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(0) => assert_eq!(pages(&reader(place)), [2; 5], "round {round}"),
            Some(130) => {
                stopped += 1;
                assert_eq!(said, "vecrank: interrupted\n");
                assert!(std::fs::read(place.path("feed.db")).unwrap() == before, "round {round}");
            }
            code => panic!("round {round}: {code:?} {said}"),
        }
        assert_eq!(place.names(), names, "round {round}: litter");
    }
    // The first was stopped before it could be done.
    assert!(stopped > 0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_at_any_moment_leaves_the_old_file_and_no_litter() {
    interrupt_at_random(&place(1..3), 12, 9);
    let place = place(1..3);
    place.open("feed.db").execute_batch("CREATE TABLE users(name)").unwrap();
    interrupt_at_random(&place, 12, 10);
}

#[cfg(unix)]
#[test]
fn a_writer_that_waits_for_the_import_is_told_that_the_file_was_moved() {
    static WAITS: AtomicBool = AtomicBool::new(false);
    let place = place(1..3);
    let mut writer = place.open("feed.db");
    writer
        .busy_handler(Some(|_| {
            WAITS.store(true, Ordering::SeqCst);
            std::thread::sleep(PAUSE);
            true
        }))
        .unwrap();
    assert_eq!(lines(&writer, "SELECT count(*) FROM t_rows"), [ROWS.to_string()]);
    let mut command = place.command(&arguments(2).each_ref().map(String::as_str));
    let mut import = command.stdout(Stdio::null()).spawn().unwrap();
    let is_frozen = freeze_when(&mut import, || place.has_draft());
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || writer.execute_batch("PRAGMA user_version = 9").unwrap_err());
        wait_until("the writer waits", || WAITS.load(Ordering::SeqCst) || writing.is_finished());
        if is_frozen {
            signal(&mut import, "CONT");
        }
        assert!(import.wait().unwrap().success());
        let error = writing.join().unwrap();
        assert_eq!(error.sqlite_error().unwrap().extended_code, rusqlite::ffi::SQLITE_READONLY_DBMOVED, "{error}");
    });
    assert_eq!(lines(&place.open("feed.db"), "PRAGMA user_version"), ["0"]);
}
