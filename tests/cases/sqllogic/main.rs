//! Statements of the kinds in SQLite's own sqllogictest corpus, generated from a seed. Each runs on ordinary tables
//! and, rewritten, on tables with vectors. Results and errors must agree value by value.
//!
//! VECRANK_LONG=1 runs twenty times as many; VECRANK_SEED=7 runs others.

mod conditions;
mod expressions;
mod indexed;
mod letters;
mod pair;
mod random;

use pair::{Pair, Tally};
use vecrank_tests::data::Numbers;
use vecrank_tests::{Host, long_or};

/// One statement of a stream, in the form for ordinary tables.
pub struct Statement {
    pub sql: String,
    /// The result columns by which the rows are ordered; empty for any order.
    pub order: Vec<usize>,
}

impl Statement {
    fn new(sql: impl Into<String>) -> Statement {
        Statement { sql: sql.into(), order: Vec::new() }
    }

    fn ordered(sql: String, order: Vec<usize>) -> Statement {
        Statement { sql, order }
    }

    fn is_query(&self) -> bool {
        self.sql.starts_with("SELECT")
    }
}

/// A folder of the corpus, and the generator of similar statements.
struct Kind {
    name: &'static str,
    /// The number of statements in a run with the bundled SQLite.
    statements: usize,
    stream: fn(&mut Numbers) -> Vec<Statement>,
}

const SELECTS: [Kind; 3] = [
    Kind { name: "select1", statements: 4_000, stream: letters::select1 },
    Kind { name: "select2", statements: 4_000, stream: letters::select2 },
    Kind { name: "select3", statements: 4_000, stream: letters::select3 },
];

const RANDOM: [Kind; 3] = [
    Kind { name: "random/expr", statements: 5_000, stream: random::expr },
    Kind { name: "random/aggregates", statements: 5_000, stream: random::aggregates },
    Kind { name: "random/groupby", statements: 4_000, stream: random::groupby },
];

const INDEX: [Kind; 8] = [
    Kind { name: "index/between", statements: 4_000, stream: indexed::between },
    Kind { name: "index/in", statements: 4_000, stream: indexed::members },
    Kind { name: "index/commute", statements: 4_000, stream: indexed::commute },
    Kind { name: "index/orderby", statements: 3_000, stream: indexed::orderby },
    Kind { name: "index/orderby_nosort", statements: 3_000, stream: indexed::orderby_nosort },
    Kind { name: "index/delete", statements: 3_000, stream: indexed::delete },
    Kind { name: "index/view", statements: 1_500, stream: indexed::view },
    Kind { name: "index/random", statements: 1_500, stream: indexed::random },
];

/// The system's SQLite runs one statement per so many of the bundled one.
const SYSTEM_SHARE: usize = 5;

fn seed() -> u64 {
    std::env::var("VECRANK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// Runs a number of statements of a kind, in streams that begin with empty databases.
fn run(kind: &Kind, statements: usize, host: fn() -> Host) -> Tally {
    let statements = long_or(20 * statements, statements);
    let name = kind.name.bytes().fold(seed(), |sum, byte| sum.wrapping_mul(257).wrapping_add(u64::from(byte)));
    let mut numbers = Numbers::from_seed(name);
    let mut tally = Tally::default();
    while tally.statements < statements {
        let mut pair = Pair::new(host);
        for statement in (kind.stream)(&mut numbers).iter().take(statements - tally.statements) {
            if let Err(difference) = pair.check(statement, &mut tally) {
                panic!("{}, VECRANK_SEED={}, statement {}: {difference}", kind.name, seed(), tally.statements);
            }
        }
    }
    eprintln!("{}: {tally:?}", kind.name);
    // A comparison of two empty results tests nothing.
    assert!(tally.queries * 2 > tally.statements, "{}: {tally:?}", kind.name);
    assert!(tally.with_rows * 10 > tally.queries, "{}: {tally:?}", kind.name);
    tally
}

fn bundled() -> Host {
    Host::bundled(":memory:")
}

fn of_the_machine() -> Host {
    Host::system(":memory:").expect("the machine's library was there a moment ago")
}

#[test]
fn selects_with_expressions_and_subqueries_agree() {
    for kind in &SELECTS {
        run(kind, kind.statements, bundled);
    }
}

#[test]
fn random_expressions_aggregates_and_groups_agree() {
    for kind in &RANDOM {
        run(kind, kind.statements, bundled);
    }
}

#[test]
fn conditions_on_indexed_columns_agree() {
    for kind in &INDEX {
        let tally = run(kind, kind.statements, bundled);
        // Otherwise the kind would test only scans. Few of the random conditions can use an index.
        let is_looked_up = tally.by_index * 25 > tally.explained;
        assert!(is_looked_up || kind.name == "index/random", "{}: too few by index: {tally:?}", kind.name);
        assert!(tally.explained * 50 > tally.queries, "{}: {tally:?}", kind.name);
    }
}

#[test]
fn deletes_and_refused_inserts_leave_the_same_rows() {
    let delete = INDEX.iter().find(|kind| kind.name == "index/delete").expect("the kind");
    let tally = run(delete, 1_000, bundled);
    assert!(tally.refused > 10 && tally.writes > 100, "{tally:?}");
}

#[test]
fn every_kind_agrees_on_the_system_sqlite() {
    if Host::system(":memory:").is_none() {
        return;
    }
    for kind in SELECTS.iter().chain(&RANDOM).chain(&INDEX) {
        run(kind, kind.statements / SYSTEM_SHARE, of_the_machine);
    }
}

#[test]
fn a_run_has_fifty_thousand_statements() {
    let all = SELECTS.iter().chain(&RANDOM).chain(&INDEX);
    assert_eq!(all.map(|kind| kind.statements).sum::<usize>(), 50_000);
}
