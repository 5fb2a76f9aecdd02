//! The next random operation: its SQL, and its effect on the model.

use vecrank_tests::data::Numbers;

use crate::model::{BAD_N, Conflict, Outcome, Row, Set, Table, Write, json};
use crate::operations::{Control, World};

pub struct Step {
    pub sql: String,
    pub effect: Effect,
}

pub enum Effect {
    Write(Vec<Write>, Conflict),
    Delete(Vec<i64>),
    Rename(&'static str),
    /// DROP and CREATE.
    Recreate,
    /// A write that changes no row.
    Nothing,
    Read,
    Transaction(Control),
    Reopen,
    VacuumInto,
}

impl Effect {
    pub fn apply(self, table: &mut Table) -> Outcome {
        match self {
            Effect::Write(writes, conflict) => return table.write(writes, conflict),
            Effect::Delete(ids) => ids.iter().for_each(|id| drop(table.rows.remove(id))),
            Effect::Rename(name) => table.name = name,
            Effect::Recreate => *table = Table::new(table.needs_e, table.dims),
            Effect::Nothing | Effect::Read | Effect::Transaction(_) | Effect::Reopen | Effect::VacuumInto => {}
        }
        Outcome::Done
    }
}

const CONFLICTS: [Conflict; 8] = [
    Conflict::Abort,
    Conflict::Abort,
    Conflict::Fail,
    Conflict::Ignore,
    Conflict::Replace,
    Conflict::Replace,
    Conflict::Replace,
    Conflict::Rollback,
];

/// Ids that are used repeatedly.
const IDS: usize = 60;

fn id(numbers: &mut Numbers) -> i64 {
    match numbers.below(20) {
        0 => -(numbers.below(5) as i64),
        1 => (1 << 40) + numbers.below(3) as i64,
        _ => 1 + numbers.below(IDS) as i64,
    }
}

fn key(numbers: &mut Numbers) -> Option<String> {
    let number = numbers.below(IDS);
    match numbers.below(6) {
        0 | 1 => None,
        2 => Some(format!("K{number}")),
        _ => Some(format!("k{number}")),
    }
}

/// A row with at most one error.
fn row(world: &World, numbers: &mut Numbers) -> Row {
    let [e_dims, f_dims] = world.dims();
    let mut row = Row {
        key: key(numbers),
        n: Some(numbers.below(13) as i64),
        e: Some(world.vector(e_dims, numbers)),
        f: Some(world.vector(f_dims, numbers)).filter(|_| numbers.below(3) > 0),
    };
    match numbers.below(24) {
        0 => row.n = Some(BAD_N),
        1 => row.e = Some(world.vector(e_dims - 1, numbers)),
        2 => row.f = Some(world.vector(f_dims + 1, numbers)),
        3 | 4 => row.e = None,
        5 => row.n = None,
        6 if !world.is_keyed => (row.e, row.f) = (None, None),
        _ => {}
    }
    row
}

fn literal(value: Option<String>) -> String {
    value.map_or("NULL".into(), |text| format!("'{text}'"))
}

fn values((id, row): &(Option<i64>, Row)) -> String {
    let integer = |value: Option<i64>| value.map_or("NULL".into(), |value| value.to_string());
    let of = |vector: &Option<Vec<i8>>| literal(vector.as_deref().map(json));
    format!("({}, {}, {}, {}, {})", integer(*id), literal(row.key.clone()), integer(row.n), of(&row.e), of(&row.f))
}

impl Step {
    fn new(sql: String, effect: Effect) -> Step {
        Step { sql, effect }
    }

    /// The initial rows, with ids from 1000.
    pub fn load(world: &World, count: usize, numbers: &mut Numbers) -> Step {
        let [e_dims, f_dims] = world.dims();
        let mut row = |number: usize| {
            let row = Row {
                key: None,
                n: Some(numbers.below(13) as i64),
                e: Some(world.vector(e_dims, numbers)),
                f: Some(world.vector(f_dims, numbers)),
            };
            (Some(1_000 + number as i64), row)
        };
        let rows = (0..count).map(&mut row).collect();
        insert(world, "t", rows, Conflict::Abort)
    }
}

fn insert(world: &World, table: &str, rows: Vec<(Option<i64>, Row)>, conflict: Conflict) -> Step {
    let (schema, rowid) = (world.schema, world.rowid());
    let values = rows.iter().map(values).collect::<Vec<_>>().join(", ");
    let sql = format!("INSERT {} INTO {schema}.{table}({rowid}, key, n, e, f) VALUES {values}", conflict.sql());
    Step::new(sql, Effect::Write(rows.into_iter().map(|(id, row)| Write::Insert(id, row)).collect(), conflict))
}

pub fn next_step(world: &World, table: &Table, numbers: &mut Numbers) -> Step {
    let conflict = CONFLICTS[numbers.below(CONFLICTS.len())];
    match numbers.below(100) {
        draw @ 0..=26 => {
            let count = if draw < 20 { 1 } else { 2 + numbers.below(5) };
            let mut new = |_| (Some(id(numbers)).filter(|_| numbers.below(4) > 0), row(world, numbers));
            let rows = (0..count).map(&mut new).collect();
            insert(world, table.name, rows, conflict)
        }
        27..=30 => insert_from_itself(world, table, conflict, numbers),
        31..=33 => feed(world, numbers),
        34..=53 => update(world, table, conflict, numbers),
        54..=61 => delete(world, table, numbers),
        62..=86 => transaction(world, numbers),
        87..=95 => maintenance(world, table, numbers),
        96 | 97 => Step::new("/* reopen */".into(), Effect::Reopen),
        _ => Step::new("/* vacuum into */".into(), Effect::VacuumInto),
    }
}

/// The rows with ids in a random range, and the WHERE that finds them.
fn range<'t>(world: &World, table: &'t Table, numbers: &mut Numbers) -> (String, Vec<(i64, &'t Row)>) {
    let first = match table.rows.len() {
        0 => 1,
        // An existing row.
        count => *table.rows.keys().nth(numbers.below(count)).unwrap_or(&1),
    };
    let last = first + [0, 0, 3, 8][numbers.below(4)];
    let rows = table.rows.range(first..=last).map(|(id, row)| (*id, row)).collect();
    (format!("WHERE {} BETWEEN {first} AND {last}", world.rowid()), rows)
}

fn insert_from_itself(world: &World, table: &Table, conflict: Conflict, numbers: &mut Numbers) -> Step {
    let (filter, rows) = range(world, table, numbers);
    let shift = [1, 7, 100][numbers.below(3)];
    let (schema, name, rowid) = (world.schema, table.name, world.rowid());
    let sql = format!(
        "INSERT {} INTO {schema}.{name}({rowid}, key, n, e, f)
         SELECT {rowid} + {shift}, key, n + 1, e, NULL FROM {schema}.{name} {filter} ORDER BY {rowid}",
        conflict.sql()
    );
    let write = |(id, row): (i64, &Row)| {
        Write::Insert(Some(id + shift), Row { n: row.n.map(|n| n + 1), f: None, ..row.clone() })
    };
    Step::new(sql, Effect::Write(rows.into_iter().map(write).collect(), conflict))
}

/// A write through a trigger.
fn feed(world: &World, numbers: &mut Numbers) -> Step {
    let first = 1 + numbers.below(IDS) as i64;
    let mut new = |number: i64| (Some(first + number), Row { f: None, ..row(world, numbers) });
    let new: Vec<(Option<i64>, Row)> = (0..3).map(&mut new).collect();
    let (schema, rows) = (world.schema, new.iter().map(values).collect::<Vec<_>>().join(", "));
    let writes = new.into_iter().map(|(id, row)| Write::Insert(id, row)).collect();
    let sql = format!(
        "DELETE FROM {schema}.feed; INSERT INTO {schema}.feed(id, key, n, e)
         SELECT column1, column2, column3, column4 FROM (VALUES {rows})"
    );
    Step::new(sql, Effect::Write(writes, Conflict::Replace))
}

fn update(world: &World, table: &Table, conflict: Conflict, numbers: &mut Numbers) -> Step {
    let (filter, rows) = range(world, table, numbers);
    let (new, target, number) = (world.vector(world.dims()[0], numbers), id(numbers), numbers.below(15) as i64);
    let (key, shift) = (key(numbers), [1, -1, 5][numbers.below(3)]);
    let rowid = world.rowid();
    let e = literal(Some(json(&new)));
    let (set, sets): (String, Vec<Set>) = match numbers.below(9) {
        0 => (format!("n = {number}"), vec![Set::N(number)]),
        1 => ("n = n + 1".into(), vec![Set::NextN]),
        2 => (format!("e = {e}"), vec![Set::E(Some(new))]),
        3 => (format!("e = {e}, n = {number}, f = NULL"), vec![Set::E(Some(new)), Set::N(number), Set::NoF]),
        4 => ("e = NULL".into(), vec![Set::E(None)]),
        5 => (format!("{rowid} = {rowid} + {shift}"), vec![Set::Shift(shift)]),
        6 => (format!("{rowid} = {target}, e = {e}"), vec![Set::Id(target), Set::E(Some(new))]),
        7 => (format!("key = {}", literal(key.clone())), vec![Set::Key(key)]),
        _ => ("e = e, f = f".into(), Vec::new()),
    };
    let sql = format!("UPDATE {} {}.{} SET {set} {filter}", conflict.sql(), world.schema, table.name);
    let write = |(from, row): (i64, &Row)| {
        // Values that depend on the row are computed before any row changes.
        let sets = sets.iter().map(|set| match set {
            Set::NextN => row.n.map_or(Set::NoN, |n| Set::N(n + 1)),
            Set::Shift(shift) => Set::Id(from + shift),
            set => set.clone(),
        });
        Write::Update(from, sets.collect())
    };
    Step::new(sql, Effect::Write(rows.into_iter().map(write).collect(), conflict))
}

fn delete(world: &World, table: &Table, numbers: &mut Numbers) -> Step {
    let name = format!("{}.{}", world.schema, table.name);
    let ids = |keep: &dyn Fn(&Row) -> bool| {
        table.rows.iter().filter(|(_, row)| keep(row)).map(|(id, _)| *id).collect::<Vec<i64>>()
    };
    match numbers.below(12) {
        0 if table.rows.len() < 500 => Step::new(format!("DELETE FROM {name}"), Effect::Delete(ids(&|_| true))),
        1 | 2 => {
            let n = numbers.below(13) as i64;
            let (n, least) = if table.rows.len() < 500 { (n, 9) } else { (n, 0) };
            let filter = format!("WHERE n = {n} AND {} % 10 >= {least}", world.rowid());
            let ids = ids(&|row| row.n == Some(n)).into_iter().filter(|id| id % 10 >= least).collect();
            Step::new(format!("DELETE FROM {name} {filter}"), Effect::Delete(ids))
        }
        _ => {
            let (filter, rows) = range(world, table, numbers);
            let ids = rows.into_iter().map(|(id, _)| id).collect();
            Step::new(format!("DELETE FROM {name} {filter}"), Effect::Delete(ids))
        }
    }
}

fn transaction(world: &World, numbers: &mut Numbers) -> Step {
    let number = numbers.below(4);
    // A transaction keeps seeing its first snapshot.
    let look = format!("SELECT count(*) FROM {}.sqlite_master", world.schema);
    let (sql, control) = match numbers.below(24) {
        0..=4 => (format!("BEGIN; {look}"), Control::Begin),
        5..=10 => ("COMMIT".into(), Control::Commit),
        11 | 12 => ("ROLLBACK".into(), Control::Rollback),
        13..=16 => (format!("SAVEPOINT s{number}; {look}"), Control::Savepoint(number)),
        17..=20 => (format!("ROLLBACK TO s{number}"), Control::RollbackTo(number)),
        _ => (format!("RELEASE s{number}"), Control::Release(number)),
    };
    Step::new(sql, Effect::Transaction(control))
}

fn maintenance(world: &World, table: &Table, numbers: &mut Numbers) -> Step {
    let (schema, name) = (world.schema, table.name);
    let command = |command: &str| format!("INSERT INTO {schema}.{name}({name}) VALUES ('{command}')");
    let other = if name == "t" { "u" } else { "t" };
    match numbers.below(14) {
        0 => Step::new(command("optimize"), Effect::Nothing),
        1 => Step::new(command("rebuild"), Effect::Nothing),
        2 => Step::new(command("integrity-check"), Effect::Nothing),
        3 => {
            let ef = 1 + numbers.below(100);
            let sql = format!("INSERT INTO {schema}.{name}({name}, k) VALUES ('ef_search', {ef})");
            Step::new(sql, Effect::Nothing)
        }
        4 | 5 => Step::new(format!("ALTER TABLE {schema}.{name} RENAME TO {other}"), Effect::Rename(other)),
        6 if name == "t" && table.rows.len() < 500 => {
            let sql = format!("SAVEPOINT again; DROP TABLE {schema}.t; {}; RELEASE again", world.create());
            Step::new(sql, Effect::Recreate)
        }
        7 => {
            let sql = format!("CREATE TABLE IF NOT EXISTS {schema}.other(x); DROP TABLE {schema}.other");
            Step::new(sql, Effect::Nothing)
        }
        _ => {
            // A search while nodes may be pending.
            let query = json(&world.vector(world.dims()[0], numbers));
            let sql = format!("SELECT {} FROM {schema}.{name} WHERE e MATCH '{query}' LIMIT 7", world.rowid());
            Step::new(sql, Effect::Read)
        }
    }
}
