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
    idle: RefCell<Vec<(String, Statement)>>,
}

impl StatementPool {
    pub fn new(db: Connection) -> StatementPool {
        StatementPool { db, idle: RefCell::new(Vec::new()) }
    }

    /// A statement that reads shadow tables.
    pub fn reading(&self, sql: String) -> Result<Pooled<'_>> {
        self.get(sql, Connection::prepare_shadow)
    }

    /// A statement that writes the rows table, on which a user may have put triggers that write virtual tables.
    pub fn writing(&self, sql: String) -> Result<Pooled<'_>> {
        self.get(sql, Connection::prepare_kept)
    }

    fn get(&self, sql: String, prepare: fn(&Connection, &str) -> Result<Statement>) -> Result<Pooled<'_>> {
        let kept = {
            let mut idle = self.idle.try_borrow_mut().map_err(|_| Error::internal("the statement pool is in use"))?;
            idle.iter().rposition(|(text, _)| *text == sql).map(|position| idle.remove(position).1)
        };
        let statement = match kept {
            Some(statement) => statement,
            None => prepare(&self.db, &sql)?,
        };
        Ok(Pooled { pool: self, sql, statement: Some(statement) })
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
            idle.push((std::mem::take(&mut self.sql), statement));
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
