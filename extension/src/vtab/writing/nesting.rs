//! Nested writes: a user's triggers on a rows table may write hnsw tables, including the one that is being written.

use std::cell::Cell;

use crate::error::{Error, Result};
use crate::vtab::rows::table::Names;

/// The deepest nesting of writes. Each takes its share of the thread's stack.
const MOST_NESTED: usize = 16;

thread_local! {
    /// The writes in progress, of all tables: triggers may form a circle through several.
    static UNDER_WAY: Cell<usize> = const { Cell::new(0) };
}

/// The writes in progress of one table.
#[derive(Default)]
pub struct Nesting {
    depth: Cell<usize>,
    /// Whether a write within the outermost one has begun.
    is_nested: Cell<bool>,
}

impl Nesting {
    /// Whether a write of the table is in progress.
    pub fn is_under_way(&self) -> bool {
        self.depth.get() > 0
    }
}

/// Counts a write until it is dropped.
struct Counted<'n> {
    nesting: &'n Nesting,
}

impl<'n> Counted<'n> {
    fn start(nesting: &'n Nesting) -> Counted<'n> {
        UNDER_WAY.set(UNDER_WAY.get() + 1);
        nesting.is_nested.set(nesting.is_under_way());
        nesting.depth.set(nesting.depth.get() + 1);
        Counted { nesting }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        UNDER_WAY.set(UNDER_WAY.get().saturating_sub(1));
        self.nesting.depth.set(self.nesting.depth.get().saturating_sub(1));
    }
}

impl Nesting {
    /// Runs a write of the table. Refuses one that is nested too deeply.
    pub fn run<T>(&self, names: &Names, write: impl FnOnce() -> Result<T>) -> Result<T> {
        if UNDER_WAY.get() >= MOST_NESTED {
            let message = "triggers on rows tables write hnsw tables in a circle, or more than";
            return Err(Error::invalid(format!("{}: {message} {MOST_NESTED} deep", names.table())));
        }
        let counted = Counted::start(self);
        let result = write();
        drop(counted);
        result.map_err(|error| if self.is_nested.get() { not_damaged(error, names) } else { error })
    }

    /// The error of a read. During a write of the same table it may find a row whose node is not written yet.
    pub fn read_error(&self, error: Error, names: &Names) -> Error {
        if self.is_under_way() { not_damaged(error, names) } else { error }
    }
}

fn not_damaged(error: Error, names: &Names) -> Error {
    match error {
        Error::Corrupt { .. } => Error::invalid(format!(
            "{}: a trigger on {} writes or searches the table while a row is half written ({error})",
            names.table(),
            names.rows_table(),
        )),
        error => error,
    }
}
