//! Prepared statements on the shadow tables, kept by their SQL for the next query.

use std::cell::{RefCell, RefMut};
use std::ops::{Deref, DerefMut};

use crate::error::{Error, Result};
use crate::sqlite::{Connection, Parameter, Statement};

/// Statements kept at most: those of the queries that a host repeats.
const CAPACITY: usize = 24;

/// The statements of one connected table that no cursor uses at the reason.
pub struct StatementCache {
    db: Connection,
    idle: RefCell<Vec<IdleStatement>>,
}

struct IdleStatement {
    sql: String,
    statement: Statement,
    is_holding: bool,
}

impl StatementCache {
    pub fn new(db: Connection) -> StatementCache {
        StatementCache { db, idle: RefCell::new(Vec::new()) }
    }

    /// A statement on shadow tables that fires no trigger of the user's.
    pub fn reading(&self, sql: String) -> Result<CachedStatement<'_>> {
        self.get(sql, false)
    }

    /// Runs a statement that writes the rows table, on which a user may have put triggers that write virtual tables. It
    /// then holds those tables open, this very one perhaps, which could never be closed: it is kept no longer than the
    /// transaction.
    pub fn write(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<()> {
        let is_known = self.idle()?.iter().any(|kept| kept.is_holding && kept.sql == sql);
        if !is_known {
            match self.get(sql.to_string(), false).and_then(|mut statement| statement.run(parameters)) {
                // It reaches a virtual table, by a trigger that may be newer than the statement; or a table is missing.
                Err(Error::Corrupt { .. }) => {}
                result => return result,
            }
        }
        let mut statement = self.get(sql.to_string(), true)?;
        let result = statement.run(parameters);
        if result.is_err() {
            // The transaction may have ended with it.
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
        Ok(CachedStatement { pool: self, sql, is_holding, statement: Some(statement) })
    }

    fn idle(&self) -> Result<RefMut<'_, Vec<IdleStatement>>> {
        self.idle.try_borrow_mut().map_err(|_| Error::internal("the statement pool is in use"))
    }

    /// Forgets the statements that hold virtual tables open: at the end of a transaction.
    pub fn drop_holding(&self) {
        let Ok(mut idle) = self.idle() else { return };
        let (holding, others) = idle.drain(..).partition::<Vec<IdleStatement>, _>(|kept| kept.is_holding);
        *idle = others;
        drop(idle);
        // It may close other tables: nothing may be borrowed.
        drop(holding);
    }

    /// Forgets all: the shadow tables have other names now.
    pub fn clear(&self) {
        if let Ok(mut idle) = self.idle.try_borrow_mut() {
            idle.clear();
        }
    }
}

/// A statement on loan; it goes back, reset and cleared, when it is dropped.
pub struct CachedStatement<'p> {
    pool: &'p StatementCache,
    sql: String,
    is_holding: bool,
    /// None only while it is dropped, or to have it dropped.
    statement: Option<Statement>,
}

impl Drop for CachedStatement<'_> {
    fn drop(&mut self) {
        let Some(mut statement) = self.statement.take() else { return };
        statement.reset();
        statement.clear();
        if let Ok(mut idle) = self.pool.idle.try_borrow_mut() {
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
            None => unreachable!("a statement on loan is there until it is dropped"),
        }
    }
}

impl DerefMut for CachedStatement<'_> {
    fn deref_mut(&mut self) -> &mut Statement {
        match &mut self.statement {
            Some(statement) => statement,
            None => unreachable!("a statement on loan is there until it is dropped"),
        }
    }
}
