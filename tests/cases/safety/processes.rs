//! Processes: a writer that is killed at any moment, and readers beside a writer. The test starts its own program again
//! for each of them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use vecrank_tests::data::Numbers;
use vecrank_tests::{Host, library, long_or};

use crate::history::{History, json, sql};

/// Environment variables: the task of a child process, and its file.
const ROLE: &str = "VECRANK_TEST_ROLE";
const FILE: &str = "VECRANK_TEST_FILE";
/// The number of rows that never change.
const BASE: &str = "VECRANK_TEST_BASE";
/// The seed of a reader, and the least numbers of pages and states that it reads.
const SEED: &str = "VECRANK_TEST_SEED";
const PAGES: &str = "VECRANK_TEST_PAGES";
const STATES: &str = "VECRANK_TEST_STATES";

fn start(role: &str, file: &Path, more: &[(&str, u64)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["processes::child_process_entry_point", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(FILE, file).env("VECRANK_LIBRARY", library());
    command.envs(more.iter().map(|(name, value)| (*name, value.to_string())));
    command.stdout(Stdio::piped()).spawn().expect("the test's own program starts")
}

fn number(variable: &str) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// Does nothing unless another test has started this process.
#[test]
fn child_process_entry_point() {
    let Some(file) = std::env::var_os(FILE).map(PathBuf::from) else { return };
    match std::env::var(ROLE).as_deref() {
        Ok("writer") => write_on(&file),
        Ok("reader") => read_on(&file),
        role => panic!("{role:?}"),
    }
}

fn connect(file: &Path) -> Host {
    let host = Host::bundled(file);
    host.load(library()).unwrap();
    // A killed process loses no written data; a loss of power has its own test. The timeout is longer than any wait for
    // a lock, even on a busy machine.
    host.run("PRAGMA busy_timeout = 600000; PRAGMA synchronous = OFF");
    host
}

/// Continues the history until it is killed, and reports each committed transaction.
fn write_on(file: &Path) {
    let host = connect(file);
    host.run("PRAGMA wal_autocheckpoint = 50");
    let last = host.ids("SELECT number FROM last")[0].cast_unsigned();
    let mut output = std::io::stdout().lock();
    for number in last + 1.. {
        host.run(&sql(number));
        // No one reads the output any more: the test is over.
        if writeln!(output, "committed {number}").and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

/// Checks that rows and graph are those of one state of the history, `least` or later. Returns its number.
fn check_state(host: &Host, history: &mut History, least: u64, what: &str) {
    let last = host.ids("SELECT number FROM last")[0].cast_unsigned();
    assert!(last >= least, "{what}: transaction {least} was committed, and {last} is there");
    history.advance(last);
    let rows = host.rows("SELECT id, n, vec_json(e) FROM t");
    assert!(rows == history.lines(), "{what}: the rows are not those of transaction {last}");
    let query = [1, -2, 3, 0, 5, -4];
    let nearest = format!("SELECT id FROM t('{}') ORDER BY distance", json(&query));
    assert!(host.ids(&nearest) == history.nearest(&query), "{what}: a search misses rows of transaction {last}");
    host.check_sound("t");
}

fn kill_writers(journal: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let mut history = History::new(0);
    let host = connect(&file);
    host.run(&format!("PRAGMA journal_mode = {journal}"));
    history.create(&host);
    drop(host);
    let mut numbers = Numbers::from_seed(7);
    let kills = long_or(1_000, 100);
    let mut healed = 0;
    for kill in 0..kills {
        let mut writer = start("writer", &file, &[]);
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let mut least = history.last;
        let mut told = |lines: &mut dyn Iterator<Item = std::io::Result<String>>| {
            for line in lines {
                // The test harness writes to the same line.
                let line = line.unwrap_or_default();
                let number = line.rsplit("committed ").next().and_then(|number| number.parse().ok());
                if let Some(number) = number {
                    least = number;
                    return true;
                }
            }
            false
        };
        // It has begun and can be killed at any moment.
        assert!(told(&mut lines), "the writer ends by itself");
        std::thread::sleep(Duration::from_micros(numbers.below(30_000) as u64));
        writer.kill().unwrap();
        while told(&mut lines) {}
        writer.wait().unwrap();
        let host = connect(&file);
        check_state(&host, &mut history, least, &format!("{journal}, kill {kill}"));
        healed += usize::from(host.has_healed("main", "t"));
    }
    eprintln!("{journal}: {kills} kills, {} transactions, {healed} times a graph that was healed", history.last);
    assert!(healed > 0, "no graph was healed");
    // Each writer has reported at least one.
    assert!(history.last >= kills, "{} transactions", history.last);
}

#[test]
fn a_killed_writer_leaves_a_committed_state_with_a_rollback_journal() {
    kill_writers("DELETE");
}

#[test]
fn a_killed_writer_leaves_a_committed_state_with_a_wal() {
    kill_writers("WAL");
}

/// Reads enough pages of enough states. Each page must be that of the state that its transaction sees.
fn read_on(file: &Path) {
    let host = connect(file);
    let mut history = History::new(number(BASE).cast_signed());
    let mut numbers = Numbers::from_seed(number(SEED));
    let (mut pages, mut states) = (0, 0);
    while pages < number(PAGES) || states < number(STATES) {
        let query: Vec<i64> = (0..6).map(|_| numbers.below(21) as i64 - 10).collect();
        let (limit, offset) = (1 + numbers.below(30), numbers.below(40));
        let page = |columns: &str, rest: &str| {
            let query = json(&query);
            host.rows(&format!(
                "SELECT {columns} FROM t WHERE e MATCH '{query}' {rest} ORDER BY distance LIMIT {limit} OFFSET {offset}"
            ))
        };
        host.run("BEGIN");
        let last = host.ids("SELECT number FROM last")[0].cast_unsigned();
        let (found, exact) = (page("id, n, vec_json(e)", ""), page("id", "AND ef_search = 'exact'"));
        host.run("COMMIT");
        states += u64::from(last != history.last);
        history.advance(last);
        let nearest: Vec<i64> = history.nearest(&query);
        let expected: Vec<String> = nearest.iter().skip(offset).take(limit).map(i64::to_string).collect();
        assert_eq!(exact, expected, "transaction {last}, {query:?}");
        // The graph may miss a row, but every returned row is of this state and in order.
        let ids: Vec<i64> = found.iter().filter_map(|line| line.split('|').next()?.parse().ok()).collect();
        let places: Vec<Option<usize>> = ids.iter().map(|id| nearest.iter().position(|near| near == id)).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "transaction {last}, {query:?}: {places:?}");
        for (line, id) in found.iter().zip(&ids) {
            assert_eq!(Some(line), history.line(*id).as_ref(), "transaction {last}");
        }
        pages += 2;
    }
    println!("committed {}", pages * 1_000_000 + states.min(999_999));
}

fn read_beside_a_writer(journal: &str) {
    const READERS: u64 = 8;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    // Enough rows for the graph to be walked.
    let base = 1_500;
    let host = connect(&file);
    host.run(&format!("PRAGMA journal_mode = {journal}"));
    History::new(base).create(&host);
    let mut writer = start("writer", &file, &[]);
    let output = BufReader::new(writer.stdout.take().unwrap());
    let counter = std::thread::spawn(move || output.lines().map_while(Result::ok).count());
    let (least_pages, least_states) = long_or((4_000, 200), (60, 3));
    let told = [(BASE, base.cast_unsigned()), (PAGES, least_pages), (STATES, least_states)];
    let reader = |seed: u64| start("reader", &file, &[&told[..], &[(SEED, seed)]].concat());
    let readers: Vec<Child> = (0..READERS).map(reader).collect();
    let (mut pages, mut states) = (0, 0);
    for reader in readers {
        let output = reader.wait_with_output().unwrap();
        assert!(output.status.success(), "{journal}: a reader failed");
        let text = String::from_utf8_lossy(&output.stdout);
        let told = text.split("committed ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        let told = told.expect("the reader tells what it has read");
        (pages, states) = (pages + told / 1_000_000, states + told % 1_000_000);
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    let commits = counter.join().unwrap();
    eprintln!("{journal}: {pages} pages of {states} states, {commits} commits");
    assert!(pages >= READERS * least_pages && states >= READERS * least_states, "{pages} pages of {states} states");
    check_state(&host, &mut History::new(base), 0, journal);
}

#[test]
fn every_page_read_beside_a_writer_shows_a_committed_state() {
    for journal in ["WAL", "DELETE"] {
        read_beside_a_writer(journal);
    }
}
