//! The table's part in a transaction, from BEGIN to COMMIT or ROLLBACK.
//!
//! `begin -> [savepoint(n) -> (release(n) | rollback_to(n))]* -> (sync -> commit | rollback)`
//!
//! All writes go to shadow tables inside the statement's own transaction, so SQLite undoes them. The table drops
//! decoded copies, and brings the graph up to date in `sync` (`sync.rs`), where an error still rolls everything back.

use std::cell::{Cell, RefCell};

use crate::error::{Error, Result};
use crate::storage::shadow::Owner;

/// SQLite numbers savepoints from 0.
const NO_SAVEPOINT: i32 = -1;

/// The state of the table between BEGIN and COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// The graph agrees with the rows.
    #[default]
    Idle,
    /// Nodes were written or removed since the graph was last brought up to date.
    Writing { has_deleted: bool },
    /// A statement stopped half-way and was not undone. Only a rollback to the savepoint `since`, or to an older one,
    /// ends this phase.
    Poisoned { since: i32 },
}

/// The current transaction, as one table sees it.
pub struct Transaction {
    phase: Cell<Phase>,
    /// SQLite will call xCommit or xRollback: it does after xBegin, and after xCreate, which no xBegin follows.
    has_begun: Cell<bool>,
    /// The deepest savepoint.
    savepoint: Cell<i32>,
    /// The deepest savepoint that is older than all writes; None without writes.
    first_write: Cell<Option<i32>>,
    /// The names before each rename, with the savepoint depth.
    renamed: RefCell<Vec<(i32, Owner)>>,
    /// The number of writes and rollbacks of this object. Data that was read under another number may be stale.
    writes: Cell<u64>,
    /// Writes were undone while the vector columns were in use. They must drop what they hold before their next use.
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
        // An earlier savepoint of that number may have been older than some of the writes.
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

    /// xRollbackTo. It may have undone the last `sync`, or all writes of this table.
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

    /// The current phase.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether COMMIT has to bring the graph up to date, or must fail.
    pub fn is_dirty(&self) -> bool {
        self.phase.get() != Phase::Idle
    }

    /// Whether SQLite will call xCommit or xRollback.
    pub fn has_begun(&self) -> bool {
        self.has_begun.get()
    }

    /// Notes that nodes were written.
    pub fn note_change(&self) {
        self.enter(false);
    }

    /// Notes that a row was deleted.
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

    /// Notes that the graph is up to date.
    pub fn note_synced(&self) {
        self.phase.set(Phase::Idle);
        self.count_write();
    }

    /// Notes that a statement stopped half-way and was not undone.
    pub fn poison(&self) {
        self.phase.set(Phase::Poisoned { since: self.savepoint.get() });
    }

    /// Counts a write, so that data read before it counts as stale.
    pub fn count_write(&self) {
        self.note_write();
        self.writes.set(self.writes.get() + 1);
    }

    fn note_write(&self) {
        self.first_write.set(self.first_write.get().or(Some(self.savepoint.get())));
    }

    /// The number of writes and rollbacks so far.
    pub fn writes(&self) -> u64 {
        self.writes.get()
    }

    /// Notes a rename; `old` is the name before it.
    pub fn note_rename(&self, old: Owner) -> Result<()> {
        let mut renamed = self.renamed.try_borrow_mut().map_err(|_| Error::internal("a rename inside a rename"))?;
        renamed.push((self.savepoint.get(), old));
        self.note_write();
        Ok(())
    }

    /// Takes the name before the transaction; None if it was not changed.
    pub fn first_name(&self) -> Option<Owner> {
        let mut renamed = self.renamed.try_borrow_mut().ok()?;
        renamed.drain(..).next().map(|(_, owner)| owner)
    }

    /// Takes the name before the renames that ROLLBACK TO undoes; None if there are none.
    pub fn rolled_back_name(&self, savepoint: i32) -> Option<Owner> {
        let mut renamed = self.renamed.try_borrow_mut().ok()?;
        self.savepoint.set(savepoint);
        let kept = renamed.iter().take_while(|(depth, _)| *depth < savepoint).count();
        renamed.drain(kept..).next().map(|(_, owner)| owner)
    }

    /// Requires the vector columns to drop what they hold: they were in use when writes were undone.
    pub fn require_reset(&self) {
        self.needs_reset.set(true);
    }

    /// Takes the requirement: returns true once after `require_reset`.
    pub fn takes_reset(&self) -> bool {
        self.needs_reset.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolling_back_every_write_leaves_nothing_to_link() {
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
