//! Brings the graphs up to date with the rows before COMMIT, and before a search in the same transaction. Drops what
//! memory holds of writes that were undone.

use super::transaction::Phase;
use crate::error::{Error, Result};
use crate::storage::row_nodes::SyncReason;
use crate::storage::vector_column::VectorColumn;
use crate::vtab::core::TableCore;
use crate::vtab::declaration::content::SyncMode;
use crate::vtab::declaration::schema::VectorRef;

/// What linking has come to.
struct Linked {
    /// What is wrong with a row of the content.
    wrong: Option<String>,
    /// Whether nothing is left to be done at COMMIT.
    is_whole: bool,
}

impl TableCore {
    /// Links pending nodes for a search.
    pub fn sync(&self) -> Result<()> {
        let is_within = self.nesting.is_under_way();
        self.bring_up_to_date(if is_within { SyncReason::Write } else { SyncReason::Search })
    }

    /// Brings the graph up to date before the table gets another name.
    pub fn sync_for_rename(&self) -> Result<()> {
        self.bring_up_to_date(SyncReason::Rename)
    }

    /// xSync. The table may have been dropped, and another one created under its name through another object. Then this
    /// object has nothing to do.
    pub fn finish(&self) -> Result<()> {
        if !self.transaction.is_dirty() {
            return Ok(());
        }
        match self.bring_up_to_date(SyncReason::Commit) {
            // Only a table that cannot be read may be gone. After an interrupt SQLite has undone the creation or
            // renaming of this table, and COMMIT must report that.
            Err(Error::Corrupt { .. }) if !self.is_there()? => {
                self.transaction.note_synced();
                Ok(())
            }
            result => result,
        }
    }

    fn bring_up_to_date(&self, reason: SyncReason) -> Result<()> {
        match self.transaction.phase() {
            Phase::Writing { .. } => {}
            Phase::Idle if !self.has_inherited()? => return Ok(()),
            // SQLite does not report a rollback to an object that has only read.
            Phase::Poisoned { .. } if !self.transaction.has_begun() && !self.has_inherited()? => return Ok(()),
            Phase::Idle => {}
            Phase::Poisoned { .. } => {
                return Err(Error::invalid(format!(
                    "{}: a statement failed half-way: this transaction must be rolled back",
                    self.names()?.table()
                )));
            }
        }
        let before = self.db.total_changes();
        let result = self.keeping_last_rowid(|| self.link(reason));
        // SQLite undoes nothing of a SELECT that fails. If it has rolled back everything, it is in autocommit again.
        if result.is_err() && self.db.total_changes() != before {
            self.poison();
        }
        match result? {
            Linked { wrong: None, is_whole: true } => self.transaction.note_synced(),
            // A search needs no more; COMMIT does the rest.
            Linked { wrong: None, is_whole: false } => self.transaction.count_write(),
            // The graph is right but for those rows: the transaction may go on, and set them right.
            Linked { wrong: Some(wrong), .. } => return Err(Error::Invalid(wrong)),
        }
        Ok(())
    }

    /// Builds a new index, or one that `rebuild` has made empty, from the rows of its content.
    pub fn build_from_content(&self) -> Result<()> {
        self.note_all_rows()?;
        let wrong = self.keeping_last_rowid(|| {
            let wrong = self.fold()?;
            if wrong.is_none() {
                self.link_nodes(SyncReason::Commit)?;
            }
            Ok(wrong)
        })?;
        wrong.map_or(Ok(()), |wrong| Err(Error::Invalid(wrong)))?;
        self.transaction.note_synced();
        Ok(())
    }

    /// Whether the transaction has written nodes through an earlier object for the same table: SQLite uses a new object
    /// after a schema change. The graph of a committed table is always up to date.
    fn has_inherited(&self) -> Result<bool> {
        if self.db.is_autocommit() {
            return Ok(false);
        }
        if self.content(SyncMode::Commit).is_some() && self.has_log()? {
            return Ok(true);
        }
        let mut vectors = self.vectors()?;
        let mut stale = vectors.iter_mut().map(VectorColumn::is_stale);
        stale.try_fold(false, |any, stale| Ok(any || stale?))
    }

    /// Links what is pending, after a fold where the mode asks for it.
    fn link(&self, reason: SyncReason) -> Result<Linked> {
        let mut wrong = None;
        if self.content(SyncMode::Commit).is_some() {
            match self.fold() {
                // A content table that the transaction dropped or remade is the error of the next search.
                Err(Error::Invalid(_)) if reason == SyncReason::Commit && self.check_triggers().is_err() => {}
                folded => wrong = folded?,
            }
        }
        let is_whole = self.link_nodes(reason)?;
        Ok(Linked { wrong, is_whole })
    }

    /// Returns whether nothing is left to be done at COMMIT.
    fn link_nodes(&self, reason: SyncReason) -> Result<bool> {
        let has_deleted = self.transaction.phase() == Phase::Writing { has_deleted: true };
        let is_empty = reason != SyncReason::Write && has_deleted && self.rows.is_empty()?;
        let mut is_whole = true;
        for (vector, VectorRef { ordinal, .. }) in self.vectors()?.iter_mut().zip(self.schema.vectors()) {
            vector.refresh()?;
            if is_empty {
                vector.clear()?;
            } else {
                is_whole &= vector.sync(&self.rows.nodes(ordinal), reason)?;
            }
        }
        Ok(is_whole)
    }

    /// Notes that a statement could not be undone. The transaction must not be committed, unless SQLite has undone all
    /// of it.
    pub fn poison(&self) {
        if !self.db.is_autocommit() {
            self.transaction.poison();
        }
    }

    /// xRollbackTo.
    pub fn roll_back_to(&self, savepoint: i32) {
        self.forget();
        self.transaction.roll_back_to(savepoint);
    }

    /// Drops what memory holds of shadow rows, because some may be undone.
    pub fn forget(&self) {
        match self.vectors() {
            Ok(mut vectors) => vectors.iter_mut().for_each(VectorColumn::forget),
            // A statement on a shadow table failed and was undone together with others.
            Err(_) => self.transaction.require_reset(),
        }
        self.transaction.count_write();
    }

    /// xCommit and xRollback.
    pub fn end_transaction(&self, is_committed: bool) {
        self.rows.statements.drop_holding();
        match self.vectors() {
            Ok(mut vectors) => vectors.iter_mut().for_each(|vector| vector.end_transaction(is_committed)),
            Err(_) => self.transaction.require_reset(),
        }
        self.transaction.end(is_committed);
    }
}
