//! The model of a table, as simple as possible: a map of rows, and a sort as the search.

use std::collections::BTreeMap;

/// The clause `INSERT OR ...`. Abort is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    Abort,
    Fail,
    Ignore,
    Replace,
    Rollback,
}

impl Conflict {
    pub fn sql(self) -> &'static str {
        match self {
            Conflict::Abort => "",
            Conflict::Fail => "OR FAIL",
            Conflict::Ignore => "OR IGNORE",
            Conflict::Replace => "OR REPLACE",
            Conflict::Rollback => "OR ROLLBACK",
        }
    }
}

/// The outcome of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// An error with this primary result code.
    Refused(i32),
    /// The same, and the transaction is rolled back.
    RolledBack(i32),
}

const ERROR: i32 = 1;
const CONSTRAINT: i32 = 19;

/// Vectors have few, whole components, so that ties are common and distances exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub key: Option<String>,
    pub n: Option<i64>,
    pub e: Option<Vec<i8>>,
    pub f: Option<Vec<i8>>,
}

/// The value violates CHECK (n <> 13).
pub const BAD_N: i64 = 13;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    pub rows: BTreeMap<i64, Row>,
    /// The column e is NOT NULL.
    pub needs_e: bool,
    /// The dimensions of e and f.
    pub dims: [usize; 2],
}

enum Refusal {
    /// These rows have the same key.
    Taken(Vec<i64>),
    Constraint,
    Error,
}

/// A row to be written.
#[derive(Debug, Clone)]
pub enum Write {
    /// The id; None for the next free one.
    Insert(Option<i64>, Row),
    /// The current row of an id, with changed values.
    Update(i64, Vec<Set>),
}

/// A value that UPDATE sets.
#[derive(Debug, Clone)]
pub enum Set {
    Id(i64),
    /// The old value plus this number.
    Shift(i64),
    Key(Option<String>),
    N(i64),
    NextN,
    NoN,
    E(Option<Vec<i8>>),
    NoF,
}

/// A write: the row that is removed, and the new one.
struct Made {
    from: Option<i64>,
    id: i64,
    row: Row,
}

impl Table {
    pub fn new(needs_e: bool, dims: [usize; 2]) -> Table {
        Table { name: "t", rows: BTreeMap::new(), needs_e, dims }
    }

    /// Runs a statement that writes these rows in sequence.
    pub fn write(&mut self, writes: Vec<Write>, conflict: Conflict) -> Outcome {
        let before = self.rows.clone();
        for write in writes {
            // None: an UPDATE of a row that the same statement has replaced.
            let Some(made) = self.make(write) else { continue };
            let code = match (self.refusal(&made), conflict) {
                (None, _) => {
                    self.put(made);
                    continue;
                }
                (Some(Refusal::Taken(rows)), Conflict::Replace) => {
                    rows.iter().for_each(|id| drop(self.rows.remove(id)));
                    self.put(made);
                    continue;
                }
                (Some(Refusal::Error), _) => ERROR,
                (Some(_), Conflict::Ignore) => continue,
                (Some(_), Conflict::Fail) => return Outcome::Refused(CONSTRAINT),
                (Some(_), Conflict::Rollback) => return Outcome::RolledBack(CONSTRAINT),
                (Some(_), _) => CONSTRAINT,
            };
            self.rows = before;
            return Outcome::Refused(code);
        }
        Outcome::Done
    }

    fn make(&self, write: Write) -> Option<Made> {
        let (from, sets) = match write {
            Write::Insert(id, row) => {
                // Chosen before a row that has the same key is replaced, as SQLite does.
                let next = || self.rows.last_key_value().map_or(1, |(id, _)| id + 1);
                return Some(Made { from: None, id: id.unwrap_or_else(next), row });
            }
            Write::Update(from, sets) => (from, sets),
        };
        let (mut id, mut row) = (from, self.rows.get(&from)?.clone());
        for set in sets {
            match set {
                Set::Id(new) => id = new,
                Set::Shift(shift) => id += shift,
                Set::Key(key) => row.key = key,
                Set::N(n) => row.n = Some(n),
                Set::NextN => row.n = row.n.map(|n| n + 1),
                Set::NoN => row.n = None,
                Set::E(e) => row.e = e,
                Set::NoF => row.f = None,
            }
        }
        Some(Made { from: Some(from), id, row })
    }

    fn put(&mut self, made: Made) {
        if let Some(from) = made.from {
            self.rows.remove(&from);
        }
        self.rows.insert(made.id, made.row);
    }

    fn refusal(&self, made: &Made) -> Option<Refusal> {
        let Made { from, id, row } = made;
        if self.needs_e && row.e.is_none() {
            return Some(Refusal::Constraint);
        }
        let is_wrong = |vector: &Option<Vec<i8>>, dims| vector.as_ref().is_some_and(|vector| vector.len() != dims);
        if is_wrong(&row.e, self.dims[0]) || is_wrong(&row.f, self.dims[1]) {
            return Some(Refusal::Error);
        }
        if row.n == Some(BAD_N) {
            return Some(Refusal::Constraint);
        }
        let has_key = |other: &Row| match (&other.key, &row.key) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        };
        let others = self.rows.iter().filter(|(other, _)| Some(**other) != *from);
        let taken: Vec<i64> =
            others.filter(|(other, row)| *other == id || has_key(row)).map(|(other, _)| *other).collect();
        (!taken.is_empty()).then_some(Refusal::Taken(taken))
    }

    /// The rows as `SELECT id, key, n, vec_json(e), vec_json(f)` returns them.
    pub fn lines(&self) -> Vec<String> {
        let text = |value: Option<String>| value.unwrap_or("NULL".into());
        let line = |(id, row): (&i64, &Row)| {
            let (n, e, f) = (row.n.map(|n| n.to_string()), row.e.as_deref().map(json), row.f.as_deref().map(json));
            format!("{id}|{}|{}|{}|{}", text(row.key.clone()), text(n), text(e), text(f))
        };
        self.rows.iter().map(line).collect()
    }

    /// The ids nearest to `query` by Euclidean distance (of bits, how many differ) among the rows that `keep` accepts, ties
    /// by id.
    pub fn nearest(
        &self,
        of: impl Fn(&Row) -> Option<&Vec<i8>>,
        query: &[i8],
        keep: impl Fn(&Row) -> bool,
    ) -> Vec<i64> {
        let distance = |vector: &[i8]| -> i64 {
            vector.iter().zip(query).map(|(a, b)| (i64::from(*a) - i64::from(*b)).pow(2)).sum()
        };
        let rows = self.rows.iter().filter(|(_, row)| keep(row));
        let mut found: Vec<(i64, i64)> =
            rows.filter_map(|(id, row)| of(row).map(|vector| (distance(vector), *id))).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }
}

pub fn json(vector: &[i8]) -> String {
    format!("[{}]", vector.iter().map(|x| x.to_string()).collect::<Vec<_>>().join(","))
}
