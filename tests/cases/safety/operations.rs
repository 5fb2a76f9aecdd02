//! Random operations through two connections, compared with the model. A run is defined by its world and its seed. A
//! failed run prints its statements.

use std::path::PathBuf;

use vecrank_tests::data::Numbers;
use vecrank_tests::{Cell, Host, HostError, library, long_or};

use crate::generate::{Effect, Step, next_step};
use crate::model::{Outcome, Table, json};

/// The setting of a run: where the table is, and how it is declared.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// main, aux (an attached file) or temp.
    pub schema: &'static str,
    /// The journal mode; None for a database in memory.
    journal: Option<&'static str>,
    is_system: bool,
    /// `key` is TEXT PRIMARY KEY, and the rowid hidden. Otherwise `id` is INTEGER PRIMARY KEY.
    pub is_keyed: bool,
    /// The vectors are BIT.
    pub is_bits: bool,
    /// The initial rows.
    rows: usize,
}

impl World {
    pub fn rowid(&self) -> &'static str {
        if self.is_keyed { "rowid" } else { "id" }
    }

    pub fn create(&self) -> String {
        let (key, e) = match self.is_keyed {
            true => ("key TEXT COLLATE NOCASE PRIMARY KEY", "NOT NULL"),
            false => ("id INTEGER PRIMARY KEY, key TEXT COLLATE NOCASE UNIQUE", ""),
        };
        let n = "n INTEGER INDEXED CHECK (n <> 13)";
        let [e_dims, f_dims] = self.dims();
        let ([e_type, f_type], metric) = if self.is_bits { (["BIT"; 2], "hamming") } else { (["FLOAT", "INT8"], "l2") };
        let vectors = format!("e {e_type}[{e_dims}] {e}, f {f_type}[{f_dims}], metric = '{metric}'");
        format!("CREATE VIRTUAL TABLE {}.t USING hnsw({key}, {n}, {vectors})", self.schema)
    }

    /// The dimensions of `e` and `f`.
    pub fn dims(&self) -> [usize; 2] {
        if self.is_bits { [8, 16] } else { [4, 3] }
    }

    /// A component, stored or not.
    pub fn component(&self, numbers: &mut Numbers) -> i8 {
        if self.is_bits { numbers.below(2) as i8 } else { numbers.below(7) as i8 - 3 }
    }

    pub fn vector(&self, dims: usize, numbers: &mut Numbers) -> Vec<i8> {
        (0..dims).map(|_| self.component(numbers)).collect()
    }
}

const BUSY: i32 = 5;
/// Another connection has written since the transaction first read.
const BUSY_SNAPSHOT: i32 = 5 | (2 << 8);
const INTERRUPT: i32 = 9;

/// One connection, and the state that it sees.
struct Side {
    host: Host,
    open: Option<Open>,
}

/// A transaction.
struct Open {
    state: Table,
    has_written: bool,
    /// It was opened by BEGIN, so it does not end with its last savepoint.
    has_begun: bool,
    savepoints: Vec<(usize, Table)>,
}

struct Run {
    world: World,
    folder: tempfile::TempDir,
    sides: Vec<Side>,
    committed: Table,
    seed: u64,
    numbers: Numbers,
    done: Vec<String>,
    healed: usize,
}

impl Run {
    fn new(world: World, seed: u64) -> Run {
        let folder = tempfile::tempdir().unwrap();
        let (numbers, committed) = (Numbers::from_seed(seed), Table::new(world.is_keyed, world.dims()));
        let mut run = Run { world, folder, sides: Vec::new(), committed, seed, numbers, done: Vec::new(), healed: 0 };
        let host = run.connect();
        host.run(&world.create());
        let feed = format!("CREATE TABLE {}.feed(id INTEGER PRIMARY KEY, key TEXT, n INTEGER, e TEXT)", world.schema);
        host.run(&feed);
        host.run(&format!(
            "CREATE TRIGGER {}.fed AFTER INSERT ON feed BEGIN
               INSERT OR REPLACE INTO t({}, key, n, e) VALUES (new.id, new.key, new.n, new.e); END",
            world.schema,
            world.rowid()
        ));
        run.sides.push(Side { host, open: None });
        if world.journal.is_some() && world.schema != "temp" {
            let host = run.connect();
            run.sides.push(Side { host, open: None });
        }
        if world.rows > 0 {
            let rows = Step::load(&world, world.rows, &mut run.numbers);
            run.step(0, rows);
        }
        run
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn connect(&self) -> Host {
        let path = if self.world.journal.is_some() { self.path("t.db") } else { ":memory:".into() };
        let host = if self.world.is_system { Host::system(path) } else { None };
        let host = host.unwrap_or_else(|| {
            Host::bundled(if self.world.journal.is_some() { self.path("t.db") } else { ":memory:".into() })
        });
        host.load(library()).unwrap();
        if self.world.schema == "aux" {
            host.run(&format!("ATTACH '{}' AS aux", self.path("aux.db").display()));
        }
        host.run("PRAGMA synchronous = OFF");
        host.run(&format!("PRAGMA {}.synchronous = OFF", self.world.schema));
        if let Some(journal) = self.world.journal.filter(|_| self.world.schema != "temp") {
            host.run(&format!("PRAGMA {}.journal_mode = {journal}", self.world.schema));
        }
        host
    }

    /// The state that a connection sees.
    fn seen(&self, side: usize) -> &Table {
        self.sides[side].open.as_ref().map_or(&self.committed, |open| &open.state)
    }

    fn others_are_open(&self, side: usize) -> bool {
        self.sides.iter().enumerate().any(|(other, s)| other != side && s.open.is_some())
    }

    #[track_caller]
    fn fail(&self, what: impl std::fmt::Display) -> ! {
        let done = &self.done[self.done.len().saturating_sub(200)..];
        panic!("seed {}, {:?}: {what}\nafter\n{}", self.seed, self.world, done.join("\n"))
    }

    fn step(&mut self, side: usize, step: Step) {
        self.done.push(format!("/* {side} */ {}", step.sql));
        match step.effect {
            Effect::Reopen => return self.reopen(side),
            Effect::VacuumInto => return self.vacuum_into(side),
            _ => {}
        }
        // Sometimes the host interrupts the statement.
        let is_stopped = self.numbers.below(25) == 0 && !self.others_are_open(side);
        let stop_at = if is_stopped { 1 + self.numbers.below(60) as u32 } else { 0 };
        let host = &self.sides[side].host;
        let result = match stop_at {
            0 => host.execute(&step.sql),
            _ => host.stopped_at_call(10, stop_at, || host.execute(&step.sql)).0,
        };
        let shown = result.as_ref().map_or_else(ToString::to_string, |()| "done".into());
        let stopped = if stop_at > 0 { format!(" (stopped at call {stop_at})") } else { String::new() };
        self.done.push(format!("-- {shown}{stopped}"));
        let code = result.as_ref().err().map_or(0, |error| error.code & 0xff);
        let is_stale = result.as_ref().is_err_and(|error| error.code == BUSY_SNAPSHOT);
        if code == BUSY && (self.others_are_open(side) || is_stale) {
            match (&step.effect, &self.sides[side].open) {
                // It began and could not continue.
                (_, None) if !host.is_autocommit() => host.run("ROLLBACK"),
                (Effect::Recreate, Some(_)) => host.run("ROLLBACK TO again; RELEASE again"),
                _ => {}
            }
            return;
        }
        if code == INTERRUPT && stop_at > 0 {
            return self.settle(side, step.effect);
        }
        self.apply(side, step, result);
    }

    /// Updates the model after an interrupted statement. If it wrote, its transaction is rolled back. But SQLite calls
    /// the progress handler once more after a statement has ended, and then the statement is complete.
    fn settle(&mut self, side: usize, effect: Effect) {
        let open = self.sides[side].open.take();
        let host = &self.sides[side].host;
        if !host.is_autocommit() {
            return host.run("ROLLBACK");
        }
        let after = match (effect, open) {
            (Effect::Transaction(Control::Commit | Control::Release(_)), Some(open)) if open.has_written => open.state,
            (effect, None) => {
                let mut after = self.committed.clone();
                effect.apply(&mut after);
                after
            }
            _ => return,
        };
        let rows = host.query(&self.rows_of(self.world.schema, &after)).map(in_lines);
        if rows.is_ok_and(|rows| rows == after.lines()) {
            self.committed = after;
        }
    }

    fn rows_of(&self, schema: &str, table: &Table) -> String {
        let (name, rowid) = (table.name, self.world.rowid());
        format!("SELECT {rowid}, key, n, vec_json(e), vec_json(f) FROM {schema}.{name} ORDER BY {rowid}")
    }

    fn apply(&mut self, side: usize, step: Step, result: Result<(), HostError>) {
        let expected = match step.effect {
            Effect::Transaction(control) => self.control(side, control),
            effect => {
                let mut state = self.seen(side).clone();
                let is_write = !matches!(effect, Effect::Read);
                let outcome = effect.apply(&mut state);
                match outcome {
                    Outcome::RolledBack(code) if self.sides[side].open.is_some() => {
                        self.sides[side].open = None;
                        Outcome::Refused(code)
                    }
                    Outcome::RolledBack(code) => Outcome::Refused(code),
                    outcome => {
                        match &mut self.sides[side].open {
                            Some(open) => {
                                open.state = state;
                                open.has_written |= is_write;
                            }
                            None => self.committed = state,
                        }
                        outcome
                    }
                }
            }
        };
        let got = result.as_ref().map_or_else(|error| Outcome::Refused(error.code & 0xff), |()| Outcome::Done);
        if got != expected {
            self.fail(format!("{result:?} where the model says {expected:?}"));
        }
        let is_open = self.sides[side].open.is_some();
        if self.sides[side].host.is_autocommit() == is_open {
            self.fail(format!("the model's transaction is open: {is_open}"));
        }
    }

    fn control(&mut self, side: usize, control: Control) -> Outcome {
        let seen = self.seen(side).clone();
        let open = &mut self.sides[side].open;
        match (control, open.is_some()) {
            (Control::Begin, true) | (Control::Commit | Control::Rollback, false) => return Outcome::Refused(1),
            (Control::Begin, false) => {
                *open = Some(Open { state: seen, has_written: false, has_begun: true, savepoints: Vec::new() });
            }
            (Control::Commit, true) => self.commit(side),
            (Control::Rollback, true) => *open = None,
            (Control::Savepoint(number), is_open) => {
                if !is_open {
                    let state = seen.clone();
                    *open = Some(Open { state, has_written: false, has_begun: false, savepoints: Vec::new() });
                }
                open.iter_mut().for_each(|open| open.savepoints.push((number, seen.clone())));
            }
            (Control::Release(number) | Control::RollbackTo(number), _) => {
                let Some(open) = open else { return Outcome::Refused(1) };
                let Some(at) = open.savepoints.iter().rposition(|(other, _)| *other == number) else {
                    return Outcome::Refused(1);
                };
                if matches!(control, Control::RollbackTo(_)) {
                    open.state = open.savepoints[at].1.clone();
                    open.savepoints.truncate(at + 1);
                } else {
                    open.savepoints.truncate(at);
                    if at == 0 && !open.has_begun {
                        self.commit(side);
                    }
                }
            }
        }
        Outcome::Done
    }

    fn commit(&mut self, side: usize) {
        if let Some(open) = self.sides[side].open.take().filter(|open| open.has_written) {
            self.committed = open.state;
        }
    }

    /// Closes the connections without COMMIT, as when a program ends.
    fn reopen(&mut self, side: usize) {
        if self.world.journal.is_none() || self.world.schema == "temp" || self.others_are_open(side) {
            return;
        }
        self.sides[side].open = None;
        // A live writer's rollback journal would be taken for that of a crash.
        let idle = Host::bundled(":memory:");
        drop(std::mem::replace(&mut self.sides[side].host, idle));
        self.sides[side].host = self.connect();
    }

    fn vacuum_into(&mut self, side: usize) {
        if self.world.schema == "temp" || self.sides[side].open.is_some() {
            return;
        }
        let copy = self.path("copy.db");
        let sql = format!("VACUUM {} INTO '{}'", self.world.schema, copy.display());
        match self.sides[side].host.execute(&sql) {
            Ok(()) => {
                let host = self.sides[side].host.beside(&copy, library());
                let table = self.seen(side).clone();
                self.check_host(&host, "main", &table);
                host.check_sound(table.name);
                drop(host);
                std::fs::remove_file(&copy).unwrap();
            }
            Err(error) if error.code & 0xff == BUSY && self.others_are_open(side) => {}
            Err(error) => self.fail(error),
        }
    }

    /// Checks that every connection sees the state of the model.
    fn check(&mut self) {
        for side in 0..self.sides.len() {
            let table = self.seen(side).clone();
            if self.sides[side].open.is_none() && self.others_are_open(side) {
                // A writer that is about to commit may lock out others.
                let probe = format!("SELECT count(*) FROM {}.{}", self.world.schema, table.name);
                if self.sides[side].host.execute(&probe).is_err_and(|error| error.code & 0xff == BUSY) {
                    continue;
                }
            }
            let check = format!("INSERT INTO {0}.{1}({1}) VALUES ('integrity-check')", self.world.schema, table.name);
            self.check_host(&self.sides[side].host, self.world.schema, &table);
            self.healed += usize::from(self.sides[side].host.has_healed(self.world.schema, table.name));
            if self.numbers.below(2) == 0 {
                match self.sides[side].host.execute(&check) {
                    Err(error) if error.code & 0xff == BUSY && self.others_are_open(side) => continue,
                    Err(error) if error.code == BUSY_SNAPSHOT => continue,
                    Err(error) => self.fail(error),
                    Ok(()) => {}
                }
                if let Some(open) = &mut self.sides[side].open {
                    // The search may have linked pending nodes.
                    open.has_written = true;
                }
            }
        }
    }

    fn check_host(&self, host: &Host, schema: &str, table: &Table) {
        let (name, rowid) = (format!("{schema}.{}", table.name), self.world.rowid());
        let lines = |sql: &str| match host.query(sql) {
            Ok(rows) => in_lines(rows),
            Err(error) => self.fail(format!("{sql}: {error}")),
        };
        let rows = lines(&self.rows_of(schema, table));
        let expected = table.lines();
        if rows != expected {
            let only = |a: &[String], b: &[String]| {
                a.iter().filter(|line| !b.contains(line)).map(|line| format!("\n  {line}")).collect::<String>()
            };
            let (surplus, missing) = (only(&rows, &expected), only(&expected, &rows));
            self.fail(format!("{name}: rows that should not be there:{surplus}\nmissing rows:{missing}"));
        }
        let mut numbers = self.numbers.clone();
        let [of_e, of_f] = self.world.dims().map(|dims| self.world.vector(dims, &mut numbers));
        let nearest = |column: &str, query: &[i8], rest: &str| {
            let query = json(query);
            lines(&format!("SELECT {rowid} FROM {name} WHERE {column} MATCH '{query}' AND ef_search = 'exact' {rest}"))
        };
        let same = |what: &str, got: Vec<String>, expected: Vec<i64>| {
            let expected: Vec<String> = expected.iter().map(i64::to_string).collect();
            if got != expected {
                self.fail(format!("nearest by {what}: {got:?} where the model has {expected:?}"));
            }
        };
        let e = table.nearest(|row| row.e.as_ref(), &of_e, |_| true);
        same("e", nearest("e", &of_e, "ORDER BY distance"), e.clone());
        let page = e.iter().copied().skip(3).take(5).collect();
        same("e, a page", nearest("e", &of_e, "ORDER BY distance LIMIT 5 OFFSET 3"), page);
        let f = table.nearest(|row| row.f.as_ref(), &of_f, |row| row.n.is_some_and(|n| n < 9));
        same("f", nearest("f", &of_f, "AND n < 9 ORDER BY distance"), f);
    }

    /// Returns how often a graph was found that had been healed.
    fn finish(mut self) -> usize {
        for side in 0..self.sides.len() {
            if self.sides[side].open.take().is_some() {
                self.done.push(format!("/* {side} */ ROLLBACK"));
                self.sides[side].host.run("ROLLBACK");
            }
        }
        self.check();
        let (schema, table) = (self.world.schema, self.committed.name);
        let host = &self.sides[0].host;
        let sql = format!("INSERT INTO {schema}.{table}({table}) VALUES ('integrity-check')");
        if let Err(error) = host.execute(&sql) {
            self.fail(error);
        }
        assert_eq!(host.line(&format!("PRAGMA {schema}.integrity_check")), "ok");
        self.healed
    }
}

fn in_lines(rows: Vec<Vec<Cell>>) -> Vec<String> {
    let text = |cell: Cell| cell.unwrap_or("NULL".into());
    rows.into_iter().map(|row| row.into_iter().map(text).collect::<Vec<_>>().join("|")).collect()
}

#[derive(Debug, Clone, Copy)]
pub enum Control {
    Begin,
    Commit,
    Rollback,
    Savepoint(usize),
    Release(usize),
    RollbackTo(usize),
}

/// Runs `count` operations in a world. Returns how often a graph was found that had been healed.
fn run(world: World, seed: u64, count: usize) -> usize {
    let mut run = Run::new(world, seed);
    // Checks of a large table are expensive.
    let batch = if world.rows > 0 { 60 } else { 25 };
    for step in 0..count {
        let side = run.numbers.below(run.sides.len());
        let table = run.seen(side).clone();
        let next = next_step(&world, &table, &mut run.numbers);
        run.step(side, next);
        if step % batch == batch - 1 {
            run.check();
        }
    }
    run.finish()
}

const fn world(schema: &'static str, journal: Option<&'static str>) -> World {
    World { schema, journal, is_system: false, is_keyed: false, is_bits: false, rows: 0 }
}

const WORLDS: [World; 10] = [
    world("main", Some("WAL")),
    World { is_keyed: true, ..world("main", Some("DELETE")) },
    World { is_system: true, ..world("main", Some("WAL")) },
    World { is_system: true, is_keyed: true, ..world("main", Some("DELETE")) },
    world("aux", Some("TRUNCATE")),
    world("temp", Some("DELETE")),
    World { is_keyed: true, ..world("main", None) },
    // Too many rows for the engine to rank them all.
    World { rows: 1_200, ..world("main", Some("WAL")) },
    World { is_bits: true, is_keyed: true, ..world("main", Some("WAL")) },
    World { is_bits: true, rows: 1_200, ..world("main", Some("DELETE")) },
];

/// Runs one test's share of all operations, over its worlds.
fn run_worlds(worlds: &[World]) {
    let (runs, count) = (long_or(250, 5), 500);
    let mut healed = 0;
    for seed in 0..runs {
        for (number, world) in worlds.iter().enumerate() {
            healed += run(*world, seed * 100 + number as u64, count);
        }
    }
    eprintln!("{healed} times a graph that was healed");
    assert!(healed > 10, "{healed}");
}

#[test]
fn random_operations_agree_with_the_model() {
    run_worlds(&WORLDS[..4]);
}

#[test]
fn random_operations_agree_with_the_model_in_other_settings() {
    run_worlds(&WORLDS[4..]);
}
