//! Cache of prepared statements on the shadow tables, by their SQL.

use std::cell::{RefCell, RefMut};
use std::ops::{Deref, DerefMut};

use crate::error::{Error, Result};
use crate::sqlite::{Connection, Parameter, Statement};

/// The most statements that are kept: enough for the queries that a host repeats.
const CAPACITY: usize = 24;

/// The statements of one connected table that no cursor uses at the moment.
pub struct StatementCache {
    db: Connection,
    idle: RefCell<Vec<IdleStatement>>,
}

struct IdleStatement {
    sql: String,
    statement: Statement,
    /// It holds virtual tables open (see `write`).
    is_holding: bool,
}

impl StatementCache {
    /// An empty cache.
    pub fn new(db: Connection) -> StatementCache {
        StatementCache { db, idle: RefCell::new(Vec::new()) }
    }

    /// Returns a statement on shadow tables that fires no trigger of the user's, cached or prepared.
    pub fn reading(&self, sql: String) -> Result<CachedStatement<'_>> {
        self.get(sql, false)
    }

    /// Runs a statement that writes the rows table. A user's triggers on it may write virtual tables. The statement
    /// then holds those tables open, and if this table is one of them it could never be closed. So such a statement is
    /// dropped at the end of the transaction.
    pub fn write(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<()> {
        let is_known = self.idle()?.iter().any(|kept| kept.is_holding && kept.sql == sql);
        if !is_known {
            match self.get(sql.to_string(), false).and_then(|mut statement| statement.run(parameters)) {
                // A trigger, perhaps newer than the statement, writes a virtual table; or a table is missing.
                Err(Error::Corrupt { .. }) => {}
                result => return result,
            }
        }
        let mut statement = self.get(sql.to_string(), true)?;
        let result = statement.run(parameters);
        if result.is_err() {
            // The error may have ended the transaction.
            statement.statement = None;
        }
        result
    }

    fn get(&self, sql: String, is_holding: bool) -> Result<CachedStatement<'_>> {
        let kept = {
            let mut idle = self.idle()?;
            let position = idle.iter().rposition(|kept| kept.is_holding == is_holding && kept.sql == sql);
            position.map(|position| idle.remove(position).statement)
        };
        let statement = match kept {
            Some(statement) => statement,
            None if is_holding => self.db.prepare_kept(&sql)?,
            None => self.db.prepare_shadow(&sql)?,
        };
        Ok(CachedStatement { cache: self, sql, is_holding, statement: Some(statement) })
    }

    fn idle(&self) -> Result<RefMut<'_, Vec<IdleStatement>>> {
        self.idle.try_borrow_mut().map_err(|_| Error::internal("the statement cache is in use"))
    }

    /// Drops the statements that hold virtual tables open. Called at the end of a transaction.
    pub fn drop_holding(&self) {
        let Ok(mut idle) = self.idle() else { return };
        let (holding, others) = idle.drain(..).partition::<Vec<IdleStatement>, _>(|kept| kept.is_holding);
        *idle = others;
        drop(idle);
        // This may close other tables, so nothing may be borrowed here.
        drop(holding);
    }

    /// Drops all statements, for instance because the shadow tables were renamed.
    pub fn clear(&self) {
        if let Ok(mut idle) = self.idle.try_borrow_mut() {
            idle.clear();
        }
    }
}

/// A statement in use. Dropping it resets it and returns it to the cache.
pub struct CachedStatement<'c> {
    cache: &'c StatementCache,
    sql: String,
    is_holding: bool,
    /// None only while this is dropped, or if the statement must not return to the cache.
    statement: Option<Statement>,
}

/// The statement in a slot, prepared on first use.
pub fn prepared<'s, 't>(
    slot: &'s mut Option<CachedStatement<'t>>,
    prepare: impl FnOnce() -> Result<CachedStatement<'t>>,
) -> Result<&'s mut CachedStatement<'t>> {
    if slot.is_none() {
        *slot = Some(prepare()?);
    }
    slot.as_mut().ok_or_else(|| Error::internal("a statement that was not prepared"))
}

impl Drop for CachedStatement<'_> {
    fn drop(&mut self) {
        let Some(mut statement) = self.statement.take() else { return };
        statement.reset();
        statement.clear();
        if let Ok(mut idle) = self.cache.idle.try_borrow_mut() {
            if idle.len() >= CAPACITY {
                idle.remove(0);
            }
            idle.push(IdleStatement { sql: std::mem::take(&mut self.sql), statement, is_holding: self.is_holding });
        }
    }
}

impl Deref for CachedStatement<'_> {
    type Target = Statement;

    fn deref(&self) -> &Statement {
        match &self.statement {
            Some(statement) => statement,
            None => unreachable!("a statement is present until it is dropped"),
        }
    }
}

impl DerefMut for CachedStatement<'_> {
    fn deref_mut(&mut self) -> &mut Statement {
        match &mut self.statement {
            Some(statement) => statement,
            None => unreachable!("a statement is present until it is dropped"),
        }
    }
}
