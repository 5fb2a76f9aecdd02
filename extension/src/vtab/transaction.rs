//! The table's part in transactions.
//!
//! `begin -> [savepoint(n) -> (release(n) | rollback_to(n))]* -> (sync -> commit | rollback)`
//!
//! All writes go to shadow tables inside the statement's own transaction, so SQLite undoes them; what is left to do is
//! to drop decoded copies, and to bring the graph up to date in `sync`, where failing still rolls everything back.

use std::cell::{Cell, RefCell};

use super::table::HnswTable;
use crate::error::{Error, Result};
use crate::sqlite::{Parameter, quote_identifier};
use crate::storage::rebuild::SyncReason;
use crate::storage::shadow::Owner;
use crate::storage::vector_column::VectorColumn;

#[derive(Default)]
pub struct Transaction {
    /// Nodes were written or removed since the graph was last complete.
    has_changed: Cell<bool>,
    /// Rows were deleted.
    has_deleted: Cell<bool>,
    /// The deepest savepoint.
    savepoint: Cell<i32>,
    /// Whether this transaction has written anything through this table.
    has_written: Cell<bool>,
    /// The deepest savepoint that is older than all that was written.
    clean_savepoint: Cell<i32>,
    /// The names that this transaction took from the table, with the savepoint under which it did.
    renamed: RefCell<Vec<(i32, Owner)>>,
    /// Counts the writes of this connection, so that a cursor knows that what it remembers may be stale.
    writes: Cell<u64>,
    /// The deepest savepoint when a `sync` was stopped half-way: what it wrote must be undone.
    broken_at: Cell<Option<i32>>,
    /// SQLite undid something while the vector columns were in use: they must forget it before they are used again.
    has_lapsed: Cell<bool>,
}

impl Transaction {
    pub fn begin(&self) {
        self.has_changed.set(false);
        self.has_deleted.set(false);
        self.has_written.set(false);
        self.savepoint.set(-1);
        self.clean_savepoint.set(-1);
        self.broken_at.set(None);
        if let Ok(mut renamed) = self.renamed.try_borrow_mut() {
            renamed.clear();
        }
    }

    pub fn note_change(&self) {
        self.has_changed.set(true);
        self.count_write();
    }

    pub fn note_delete(&self) {
        self.has_deleted.set(true);
        self.note_change();
    }

    fn count_write(&self) {
        self.has_written.set(true);
        self.writes.set(self.writes.get() + 1);
    }

    pub fn writes(&self) -> u64 {
        self.writes.get()
    }

    /// A statement could not be undone: unless SQLite has undone everything, the transaction may not be committed.
    pub fn note_broken(&self, table: &HnswTable) {
        if !table.db.is_autocommit() {
            self.broken_at.set(Some(self.savepoint.get()));
            self.has_changed.set(true);
        }
    }

    pub fn note_rename(&self, old: Owner) -> Result<()> {
        let mut renamed = self.renamed.try_borrow_mut().map_err(|_| Error::internal("a rename inside a rename"))?;
        renamed.push((self.savepoint.get(), old));
        self.has_written.set(true);
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

    pub fn savepoint(&self, savepoint: i32) {
        self.savepoint.set(savepoint);
        // A savepoint of that number may have been open before, over less than what is written by now.
        let clean = if self.has_written.get() { self.clean_savepoint.get().min(savepoint - 1) } else { savepoint };
        self.clean_savepoint.set(clean);
    }

    pub fn release(&self, savepoint: i32) {
        self.savepoint.set(savepoint - 1);
        if let Ok(mut renamed) = self.renamed.try_borrow_mut() {
            for (depth, _) in renamed.iter_mut() {
                *depth = (*depth).min(savepoint - 1);
            }
        }
    }

    /// Brings the graphs up to date. Before a search in the same transaction it is called too.
    pub fn sync(&self, table: &HnswTable) -> Result<()> {
        let is_within = table.nesting.is_under_way();
        self.bring_up(table, if is_within { SyncReason::Write } else { SyncReason::Search })
    }

    fn bring_up(&self, table: &HnswTable, reason: SyncReason) -> Result<()> {
        if !self.has_changed.get() && !self.has_inherited(table)? {
            return Ok(());
        }
        if self.broken_at.get().is_some() {
            return Err(Error::invalid(format!(
                "{}: a statement failed half-way: this transaction must be rolled back",
                table.names()?.table()
            )));
        }
        let before = table.db.total_changes();
        let result = table.keeping_last_rowid(|| self.link(table, reason));
        // SQLite undoes nothing of a SELECT that fails; where it has rolled back everything, it is in autocommit again.
        if result.is_err() && table.db.total_changes() != before && !table.db.is_autocommit() {
            self.broken_at.set(Some(self.savepoint.get()));
        }
        result?;
        self.has_changed.set(false);
        self.has_deleted.set(false);
        self.count_write();
        Ok(())
    }

    /// Whether the transaction wrote nodes through an earlier object for the same table: SQLite makes a new one when the
    /// schema changes. Committed tables have nothing to be brought up to date.
    fn has_inherited(&self, table: &HnswTable) -> Result<bool> {
        if table.db.is_autocommit() {
            return Ok(false);
        }
        let mut vectors = table.vectors()?;
        let mut stale = vectors.iter_mut().map(VectorColumn::is_stale);
        stale.try_fold(false, |any, stale| Ok(any || stale?))
    }

    /// `sync` for COMMIT. The table may have been dropped by now, and another be there under its name, through another
    /// object: then nothing is left to do for this one.
    pub fn finish(&self, table: &HnswTable) -> Result<()> {
        if !self.has_changed.get() {
            return Ok(());
        }
        match self.bring_up(table, SyncReason::Commit) {
            // Only what cannot be read may be gone: after an interrupt SQLite has undone the very table's making or
            // renaming, and COMMIT must say so.
            Err(Error::Corrupt { .. }) if !table.is_there()? => Ok(()),
            result => result,
        }
    }

    fn link(&self, table: &HnswTable, reason: SyncReason) -> Result<()> {
        let is_empty = reason != SyncReason::Write && self.has_deleted.get() && table.is_empty()?;
        for vector in table.vectors()?.iter_mut() {
            vector.refresh()?;
            if is_empty { vector.clear() } else { vector.sync(reason) }?;
        }
        Ok(())
    }

    /// Drops what memory holds of shadow rows that ROLLBACK TO undid. It may have undone the last `sync` as well; or
    /// all that this table wrote, and then its very name may be one that never was.
    pub fn roll_back(&self, table: &HnswTable, savepoint: i32) {
        self.forget(table);
        self.broken_at.set(self.broken_at.get().filter(|depth| *depth < savepoint));
        let may_remain = savepoint > self.clean_savepoint.get();
        self.has_written.set(may_remain);
        self.has_changed.set(may_remain);
        self.has_deleted.set(may_remain);
    }

    /// Drops what memory holds of the shadow rows, for some may be undone.
    pub fn forget(&self, table: &HnswTable) {
        match table.vectors() {
            Ok(mut vectors) => vectors.iter_mut().for_each(VectorColumn::forget),
            // A statement on a shadow table failed, and with it more than itself.
            Err(_) => self.has_lapsed.set(true),
        }
        self.count_write();
    }

    /// Whether the vector columns must forget what they hold; says so once.
    pub fn has_lapsed(&self) -> bool {
        self.has_lapsed.take()
    }

    pub fn end(&self, table: &HnswTable, committed: bool) {
        self.begin();
        table.statements.drop_holding();
        match table.vectors() {
            Ok(mut vectors) => vectors.iter_mut().for_each(|vector| vector.end_transaction(committed)),
            Err(_) => self.has_lapsed.set(true),
        }
        self.count_write();
    }
}

impl HnswTable {
    /// Whether the schema has this very table.
    fn is_there(&self) -> Result<bool> {
        let owner = &self.names()?.owner;
        let sql = format!("SELECT 1 FROM {}.sqlite_master WHERE name = ?1", quote_identifier(&owner.schema));
        let name = owner.shadow_name("config");
        let is_there = self.db.query_one(&sql, &[Parameter::Text(&name)], |_| Ok(()))?.is_some();
        Ok(is_there && self.config_problems()?.is_empty())
    }

    fn is_empty(&self) -> Result<bool> {
        let names = self.names()?;
        let mut any = self.statements.reading(format!("SELECT 1 FROM {} LIMIT 1", names.rows))?;
        Ok(any.query_one(&[], |_| Ok(()))?.is_none())
    }
}
