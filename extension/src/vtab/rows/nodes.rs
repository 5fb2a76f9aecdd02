//! The nodes of one vector column in the rows table, for the graph.

use super::table::RowsTable;
use crate::error::{Error, Result};
use crate::sqlite::Parameter;
use crate::storage::row_nodes::{Moves, RowNodes, SyncReason};

/// The column of the rows table, or of the map, that has the nodes of one vector column.
pub struct ColumnNodes<'r> {
    rows: &'r RowsTable,
    /// The column's name, quoted.
    node: String,
    /// The rowid's name, quoted.
    key: String,
}

impl RowsTable {
    /// `column`: the number of a vector column.
    pub fn nodes(&self, column: usize) -> ColumnNodes<'_> {
        let (node, key) = match (&self.schema.content, self.schema.vector(column)) {
            (Some(_), Some(vector)) => (format!("n{}", vector.ordinal), "id".to_string()),
            _ => (self.column(column), self.key()),
        };
        ColumnNodes { rows: self, node, key }
    }
}

impl ColumnNodes<'_> {
    fn set_sql(&self) -> Result<String> {
        Ok(format!("UPDATE {} SET {} = ?2 WHERE {} = ?1", self.rows.names()?.nodes, self.node, self.key))
    }

    /// `order`, then the rows without a node.
    fn with_rows_without_node(&self, mut order: Vec<i64>) -> Result<Vec<i64>> {
        let (rows, node, rowid) = (&self.rows.names()?.nodes, &self.node, &self.key);
        let sql = format!("SELECT {rowid} FROM {rows} WHERE {node} IS NULL ORDER BY {rowid}");
        self.rows.db.prepare_shadow(&sql)?.query(&[], |row| {
            order.push(row.column_i64(0));
            Ok(())
        })?;
        Ok(order)
    }

    fn has_row(&self, rowid: i64) -> Result<bool> {
        let sql = format!("SELECT 1 FROM {} WHERE {} = ?1", self.rows.names()?.nodes, self.key);
        let mut row = self.rows.statements.reading(sql)?;
        Ok(row.query_one(&[Parameter::Integer(rowid)], |_| Ok(()))?.is_some())
    }

    fn write(&self, nodes: &mut dyn Iterator<Item = (i64, Option<i64>)>) -> Result<u64> {
        let db = self.rows.db;
        let mut update = db.prepare_shadow(&format!("{} RETURNING {} IS ?2", self.set_sql()?, self.node))?;
        let mut missing = 0;
        for (rowid, node) in nodes {
            update.run(&[Parameter::Integer(rowid), node.map_or(Parameter::Null, Parameter::Integer)])?;
            if db.changes() > 0 {
                continue;
            }
            // Triggers of the temp schema fire all the same.
            if self.has_row(rowid)? {
                let names = self.rows.names()?;
                return Err(Error::invalid(format!(
                    "{}: a trigger on {} keeps row {rowid} from the number of its node",
                    names.table(),
                    names.nodes_table()
                )));
            }
            missing += 1;
        }
        Ok(missing)
    }
}

impl RowNodes for ColumnNodes<'_> {
    fn each(&self, work: &mut dyn FnMut(i64, i64)) -> Result<()> {
        let (rows, node, rowid) = (&self.rows.names()?.nodes, &self.node, &self.key);
        let sql = format!("SELECT {rowid}, {node} FROM {rows} WHERE {node} IS NOT NULL");
        self.rows.db.prepare_shadow(&sql)?.query(&[], |row| {
            work(row.column_i64(0), row.column_i64(1));
            Ok(())
        })
    }

    /// Triggers must not fire, as the rows do not change; at COMMIT they could not write virtual tables either.
    fn set(&self, nodes: &mut dyn Iterator<Item = (i64, Option<i64>)>) -> Result<u64> {
        let db = self.rows.db;
        if !db.fires_triggers(&self.set_sql()?)? {
            return self.write(nodes);
        }
        if !db.is_alone() {
            let names = self.rows.names()?;
            let (table, nodes) = (names.table(), names.nodes_table());
            return Err(Error::invalid(format!(
                "{table}: while nodes get new numbers, triggers on {nodes} for every UPDATE must be off, and another \
                 statement is running: end it, or name the triggers' columns (AFTER UPDATE OF ...)"
            )));
        }
        db.without_triggers(|| self.write(nodes))
    }

    fn may_set(&self, reason: SyncReason) -> Result<bool> {
        let has_no_triggers = || Ok(!self.rows.db.fires_triggers(&self.set_sql()?)?);
        match reason {
            SyncReason::Commit => Ok(has_no_triggers()? || self.rows.db.is_alone()),
            // Turning triggers off would end the statement that searches.
            SyncReason::Search => has_no_triggers(),
            SyncReason::Write => Ok(false),
        }
    }

    /// First above all old rowids, then from 1. The user's triggers may follow the rows (for a full-text index, say) and
    /// may write virtual tables.
    fn reorder(&self, order: Vec<i64>) -> Result<Moves> {
        let (db, names, rowid) = (self.rows.db, self.rows.names()?, &self.key);
        let (table, rows) = (names.table(), &names.rows);
        let order = self.with_rows_without_node(order)?;
        let count = order.len() as i64;
        let mut highest = db.prepare_shadow(&format!("SELECT max({rowid}) FROM {rows}"))?;
        let highest = highest.query_one(&[], |row| Ok(row.column_i64(0)))?;
        let shift = highest.unwrap_or(0).max(count);
        if shift.checked_add(count).is_none() {
            return Err(Error::invalid(format!("{table}: no rowids are free above {shift}")));
        }
        let kept_back =
            || Error::invalid(format!("{table}: a trigger on {table}_rows keeps rows from their new rowids"));
        let mut update =
            db.prepare(&format!("UPDATE {rows} SET {rowid} = ?2 WHERE {rowid} = ?1 RETURNING {rowid} IS ?2"))?;
        for (&from, rank) in order.iter().zip(1..) {
            update.run(&[Parameter::Integer(from), Parameter::Integer(shift + rank)])?;
            if db.changes() == 0 {
                return Err(if self.has_row(from)? { kept_back() } else { names.missing_row(&format!("row {from}")) });
            }
        }
        let down =
            format!("UPDATE {rows} SET {rowid} = {rowid} - ?1 WHERE {rowid} > ?1 RETURNING {rowid} BETWEEN 1 AND ?1");
        db.prepare(&down)?.run(&[Parameter::Integer(shift)])?;
        if db.changes() != count {
            return Err(kept_back());
        }
        let mut moves: Moves = order.into_iter().zip(1..).collect();
        moves.sort_unstable();
        Ok(moves)
    }
}
