//! Prepared statements on the shadow tables, kept by their SQL for the next query.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use crate::error::{Error, Result};
use crate::sqlite::{Connection, Statement};

/// Statements kept at most: those of the queries that a host repeats.
const KEPT: usize = 24;

/// The statements of one connected table that no cursor uses at the moment.
pub struct StatementPool {
    db: Connection,
    idle: RefCell<Vec<Kept>>,
}

struct Kept {
    sql: String,
    statement: Statement,
    /// It may, by a trigger, hold virtual tables open, this very one among them.
    is_writing: bool,
}

impl StatementPool {
    pub fn new(db: Connection) -> StatementPool {
        StatementPool { db, idle: RefCell::new(Vec::new()) }
    }

    /// A statement that reads shadow tables.
    pub fn reading(&self, sql: String) -> Result<Pooled<'_>> {
        self.get(sql, false)
    }

    /// A statement that writes the rows table, on which a user may have put triggers that write virtual tables.
    pub fn writing(&self, sql: String) -> Result<Pooled<'_>> {
        self.get(sql, true)
    }

    fn get(&self, sql: String, is_writing: bool) -> Result<Pooled<'_>> {
        let kept = {
            let mut idle = self.idle.try_borrow_mut().map_err(|_| Error::internal("the statement pool is in use"))?;
            idle.iter().rposition(|kept| kept.sql == sql).map(|position| idle.remove(position).statement)
        };
        let statement = match kept {
            Some(statement) => statement,
            None if is_writing => self.db.prepare_kept(&sql)?,
            None => self.db.prepare_shadow(&sql)?,
        };
        Ok(Pooled { pool: self, sql, is_writing, statement: Some(statement) })
    }

    /// Forgets what writes, at the end of a transaction: a table that holds itself open can never be closed.
    pub fn drop_writing(&self) {
        let Ok(mut idle) = self.idle.try_borrow_mut() else { return };
        let (writing, reading) = idle.drain(..).partition::<Vec<Kept>, _>(|kept| kept.is_writing);
        *idle = reading;
        drop(idle);
        // Closes other tables, perhaps: nothing may be borrowed.
        drop(writing);
    }

    /// Forgets all: the shadow tables have other names now.
    pub fn clear(&self) {
        if let Ok(mut idle) = self.idle.try_borrow_mut() {
            idle.clear();
        }
    }
}

/// A statement on loan; it goes back, reset and cleared, when it is dropped.
pub struct Pooled<'p> {
    pool: &'p StatementPool,
    sql: String,
    is_writing: bool,
    /// None only while it is dropped.
    statement: Option<Statement>,
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        let Some(mut statement) = self.statement.take() else { return };
        statement.reset();
        statement.clear();
        if let Ok(mut idle) = self.pool.idle.try_borrow_mut() {
            if idle.len() >= KEPT {
                idle.remove(0);
            }
            idle.push(Kept { sql: std::mem::take(&mut self.sql), statement, is_writing: self.is_writing });
        }
    }
}

impl Deref for Pooled<'_> {
    type Target = Statement;

    fn deref(&self) -> &Statement {
        match &self.statement {
            Some(statement) => statement,
            None => unreachable!("a statement on loan is there until it is dropped"),
        }
    }
}

impl DerefMut for Pooled<'_> {
    fn deref_mut(&mut self) -> &mut Statement {
        match &mut self.statement {
            Some(statement) => statement,
            None => unreachable!("a statement on loan is there until it is dropped"),
        }
    }
}
