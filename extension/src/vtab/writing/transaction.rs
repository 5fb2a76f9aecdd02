//! The table's part in transactions: what COMMIT has to do for it, and what a rollback takes from it.
//!
//! `begin -> [savepoint(n) -> (release(n) | rollback_to(n))]* -> (sync -> commit | rollback)`
//!
//! All writes go to shadow tables inside the statement's own transaction, so SQLite undoes them. What is left is to drop
//! decoded copies, and to bring the graph up to date in `sync`, where failing still rolls everything back (`sync.rs`).

use std::cell::{Cell, RefCell};

use crate::error::{Error, Result};
use crate::storage::shadow::Owner;

/// SQLite numbers savepoints from 0.
const NO_SAVEPOINT: i32 = -1;

/// Where the table is between BEGIN and COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// The graph is as the rows are.
    #[default]
    Idle,
    /// Nodes were written or removed since the graph was last brought up to date.
    Writing { has_deleted: bool },
    /// A statement was left half done. Only undoing the savepoint `since`, or an older one, makes that good.
    Poisoned { since: i32 },
}

pub struct Transaction {
    phase: Cell<Phase>,
    /// SQLite will tell of the end: after xBegin, and after xCreate, which it follows by no xBegin.
    has_begun: Cell<bool>,
    /// The deepest savepoint.
    savepoint: Cell<i32>,
    /// The deepest savepoint that is older than all that was written; None if nothing was.
    first_write: Cell<Option<i32>>,
    /// The names before each rename, with the savepoint under which it was made.
    renamed: RefCell<Vec<(i32, Owner)>>,
    /// Counts the writes of this object, undone ones and rollbacks too: what was read under another count may be stale.
    writes: Cell<u64>,
    /// Something was undone while the vector columns were in use: they must forget what they hold before the next use.
    needs_reset: Cell<bool>,
}

impl Default for Transaction {
    fn default() -> Transaction {
        Transaction {
            phase: Cell::default(),
            has_begun: Cell::default(),
            savepoint: Cell::new(NO_SAVEPOINT),
            first_write: Cell::default(),
            renamed: RefCell::default(),
            writes: Cell::default(),
            needs_reset: Cell::default(),
        }
    }
}

impl Transaction {
    /// xBegin.
    pub fn begin(&self) {
        debug_assert!(!self.has_begun.get(), "xBegin within a transaction");
        self.reset(true);
    }

    /// xCommit and xRollback.
    pub fn end(&self, is_committed: bool) {
        debug_assert!(!is_committed || !self.is_dirty(), "xCommit without xSync");
        self.reset(false);
        self.writes.set(self.writes.get() + 1);
    }

    fn reset(&self, has_begun: bool) {
        self.phase.set(Phase::Idle);
        self.has_begun.set(has_begun);
        self.savepoint.set(NO_SAVEPOINT);
        self.first_write.set(None);
        if let Ok(mut renamed) = self.renamed.try_borrow_mut() {
            renamed.clear();
        }
    }

    /// xSavepoint.
    pub fn savepoint(&self, savepoint: i32) {
        self.has_begun.set(true);
        self.savepoint.set(savepoint);
        // A savepoint of that number may have been open before, over less than what is written by now.
        self.first_write.set(self.first_write.get().map(|depth| depth.min(savepoint - 1)));
    }

    /// xRelease.
    pub fn release(&self, savepoint: i32) {
        self.has_begun.set(true);
        self.savepoint.set(savepoint - 1);
        self.first_write.set(self.first_write.get().map(|depth| depth.min(savepoint - 1)));
        if let Ok(mut renamed) = self.renamed.try_borrow_mut() {
            for (depth, _) in renamed.iter_mut() {
                *depth = (*depth).min(savepoint - 1);
            }
        }
    }

    /// xRollbackTo. It may have undone the last `sync` as well, or all that this table wrote.
    pub fn roll_back_to(&self, savepoint: i32) {
        self.has_begun.set(true);
        let is_clean = self.first_write.get().is_none_or(|depth| depth >= savepoint);
        self.phase.set(match self.phase.get() {
            Phase::Poisoned { since } if since < savepoint => Phase::Poisoned { since },
            _ if is_clean => Phase::Idle,
            _ => Phase::Writing { has_deleted: true },
        });
        if is_clean {
            self.first_write.set(None);
        }
    }

    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether nodes wait to be linked, or an error waits to be undone.
    pub fn is_dirty(&self) -> bool {
        self.phase.get() != Phase::Idle
    }

    pub fn has_begun(&self) -> bool {
        self.has_begun.get()
    }

    /// Nodes were written.
    pub fn note_change(&self) {
        self.enter(false);
    }

    /// A row was deleted.
    pub fn note_delete(&self) {
        self.enter(true);
    }

    fn enter(&self, is_delete: bool) {
        self.phase.set(match self.phase.get() {
            Phase::Idle => Phase::Writing { has_deleted: is_delete },
            Phase::Writing { has_deleted } => Phase::Writing { has_deleted: has_deleted || is_delete },
            poisoned => poisoned,
        });
        self.count_write();
    }

    /// The graph is up to date.
    pub fn note_synced(&self) {
        self.phase.set(Phase::Idle);
        self.count_write();
    }

    /// A statement was left half done.
    pub fn poison(&self) {
        self.phase.set(Phase::Poisoned { since: self.savepoint.get() });
    }

    pub fn count_write(&self) {
        self.note_write();
        self.writes.set(self.writes.get() + 1);
    }

    fn note_write(&self) {
        self.first_write.set(self.first_write.get().or(Some(self.savepoint.get())));
    }

    pub fn writes(&self) -> u64 {
        self.writes.get()
    }

    pub fn note_rename(&self, old: Owner) -> Result<()> {
        let mut renamed = self.renamed.try_borrow_mut().map_err(|_| Error::internal("a rename inside a rename"))?;
        renamed.push((self.savepoint.get(), old));
        self.note_write();
        Ok(())
    }

    /// The name before the transaction, if it was changed.
    pub fn first_name(&self) -> Option<Owner> {
        let mut renamed = self.renamed.try_borrow_mut().ok()?;
        renamed.drain(..).next().map(|(_, owner)| owner)
    }

    /// The name before what ROLLBACK TO undoes.
    pub fn rolled_back_name(&self, savepoint: i32) -> Option<Owner> {
        let mut renamed = self.renamed.try_borrow_mut().ok()?;
        self.savepoint.set(savepoint);
        let kept = renamed.iter().take_while(|(depth, _)| *depth < savepoint).count();
        renamed.drain(kept..).next().map(|(_, owner)| owner)
    }

    /// The vector columns could not be told that something was undone.
    pub fn require_reset(&self) {
        self.needs_reset.set(true);
    }

    /// Whether the vector columns must forget what they hold; says so once.
    pub fn takes_reset(&self) -> bool {
        self.needs_reset.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolling_back_all_that_was_written_leaves_nothing_to_link() {
        let transaction = Transaction::default();
        transaction.begin();
        transaction.savepoint(0);
        transaction.note_change();
        transaction.savepoint(1);
        transaction.note_delete();
        transaction.roll_back_to(1);
        assert_eq!(transaction.phase(), Phase::Writing { has_deleted: true }, "the first write is still there");
        transaction.roll_back_to(0);
        assert_eq!(transaction.phase(), Phase::Idle);
    }

    #[test]
    fn a_savepoint_of_the_same_number_does_not_cover_earlier_writes() {
        let transaction = Transaction::default();
        transaction.begin();
        transaction.savepoint(0);
        transaction.note_change();
        transaction.release(0);
        transaction.savepoint(0);
        transaction.roll_back_to(0);
        assert!(transaction.is_dirty());
    }

    #[test]
    fn only_a_rollback_past_the_failure_ends_poison() {
        let transaction = Transaction::default();
        transaction.begin();
        transaction.savepoint(0);
        transaction.note_change();
        transaction.poison();
        transaction.savepoint(1);
        transaction.roll_back_to(1);
        transaction.note_change();
        assert_eq!(transaction.phase(), Phase::Poisoned { since: 0 });
        transaction.roll_back_to(0);
        assert_eq!(transaction.phase(), Phase::Idle);
        transaction.poison();
        transaction.end(false);
        assert_eq!(transaction.phase(), Phase::Idle);
    }
}
