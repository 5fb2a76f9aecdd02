//! The nodes of one vector column in the rows table: the graph's access to it.

use super::table::RowsTable;
use crate::error::{Error, Result};
use crate::format::node::{NodeId, RowId};
use crate::sqlite::Parameter;
use crate::storage::row_nodes::{Move, Moves, RowNodes, SyncReason};
use crate::storage::shadow::VectorOrdinal;

/// The column of the rows table, or of the map, that has the nodes of one vector column.
pub struct ColumnNodes<'r> {
    rows: &'r RowsTable,
    /// The column's name, quoted.
    node: String,
    /// The rowid's name, quoted.
    key: String,
}

impl RowsTable {
    /// The nodes of a vector column.
    pub fn nodes(&self, ordinal: VectorOrdinal) -> ColumnNodes<'_> {
        let (node, key) = match self.schema.content {
            Some(_) => (ordinal.map_column(), "id".to_string()),
            None => (self.node(ordinal), self.key()),
        };
        ColumnNodes { rows: self, node, key }
    }
}

impl ColumnNodes<'_> {
    fn set_sql(&self) -> Result<String> {
        Ok(format!("UPDATE {} SET {} = ?2 WHERE {} = ?1", self.rows.names()?.nodes, self.node, self.key))
    }

    /// Appends the rows without a node to `order`.
    fn with_rows_without_node(&self, mut order: Vec<RowId>) -> Result<Vec<RowId>> {
        let (rows, node, rowid) = (&self.rows.names()?.nodes, &self.node, &self.key);
        let sql = format!("SELECT {rowid} FROM {rows} WHERE {node} IS NULL ORDER BY {rowid}");
        self.rows.db.prepare_shadow(&sql)?.query(&[], |row| {
            order.push(RowId(row.column_i64(0)));
            Ok(())
        })?;
        Ok(order)
    }

    fn has_row(&self, rowid: RowId) -> Result<bool> {
        let sql = format!("SELECT 1 FROM {} WHERE {} = ?1", self.rows.names()?.nodes, self.key);
        let mut row = self.rows.statements.reading(sql)?;
        Ok(row.query_one(&[Parameter::Integer(rowid.0)], |_| Ok(()))?.is_some())
    }

    fn write(&self, nodes: &mut dyn Iterator<Item = (RowId, Option<NodeId>)>) -> Result<u64> {
        let db = self.rows.db;
        let mut update = db.prepare_shadow(&format!("{} RETURNING {} IS ?2", self.set_sql()?, self.node))?;
        let mut missing = 0;
        for (rowid, node) in nodes {
            let node = node.map_or(Parameter::Null, |node| Parameter::Integer(i64::from(node.0)));
            update.run(&[Parameter::Integer(rowid.0), node])?;
            if db.changes() > 0 {
                continue;
            }
            // Triggers in the temp schema fire even when triggers are off.
            if self.has_row(rowid)? {
                let names = self.rows.names()?;
                return Err(Error::invalid(format!(
                    "{}: a trigger on {} prevented writing the node of row {rowid}",
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
    fn each(&self, work: &mut dyn FnMut(RowId, i64)) -> Result<()> {
        let (rows, node, rowid) = (&self.rows.names()?.nodes, &self.node, &self.key);
        let sql = format!("SELECT {rowid}, {node} FROM {rows} WHERE {node} IS NOT NULL");
        self.rows.db.prepare_shadow(&sql)?.query(&[], |row| {
            work(RowId(row.column_i64(0)), row.column_i64(1));
            Ok(())
        })
    }

    /// Triggers must not fire, because the rows do not change. At COMMIT they could not write virtual tables anyway.
    fn set(&self, nodes: &mut dyn Iterator<Item = (RowId, Option<NodeId>)>) -> Result<u64> {
        let db = self.rows.db;
        if !db.fires_triggers(&self.set_sql()?)? {
            return self.write(nodes);
        }
        if !db.is_alone() {
            let names = self.rows.names()?;
            let (table, nodes) = (names.table(), names.nodes_table());
            return Err(Error::invalid(format!(
                "{table}: nodes cannot be renumbered while another statement is running, because {nodes} has a trigger \
                 on every UPDATE: end the statement, or name the trigger's columns (AFTER UPDATE OF ...)"
            )));
        }
        db.without_triggers(|| self.write(nodes))
    }

    fn may_set(&self, reason: SyncReason) -> Result<bool> {
        let has_no_triggers = || Ok(!self.rows.db.fires_triggers(&self.set_sql()?)?);
        match reason {
            SyncReason::Commit => Ok(has_no_triggers()? || self.rows.db.is_alone()),
            // Turning triggers off would expire the statement that searches.
            SyncReason::Search | SyncReason::Rename => has_no_triggers(),
            SyncReason::Write => Ok(false),
        }
    }

    /// Moves the rows above all old rowids, then down to 1. The user's triggers fire, since they may maintain a
    /// full-text index, and may write virtual tables.
    fn reorder(&self, order: Vec<RowId>) -> Result<Moves> {
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
            || Error::invalid(format!("{table}: a trigger on {table}_rows prevented the renumbering of rows"));
        let mut update =
            db.prepare(&format!("UPDATE {rows} SET {rowid} = ?2 WHERE {rowid} = ?1 RETURNING {rowid} IS ?2"))?;
        for (from, rank) in order.iter().zip(1..) {
            update.run(&[Parameter::Integer(from.0), Parameter::Integer(shift + rank)])?;
            if db.changes() == 0 {
                return Err(if self.has_row(*from)? { kept_back() } else { names.missing_row(&format!("row {from}")) });
            }
        }
        let down =
            format!("UPDATE {rows} SET {rowid} = {rowid} - ?1 WHERE {rowid} > ?1 RETURNING {rowid} BETWEEN 1 AND ?1");
        db.prepare(&down)?.run(&[Parameter::Integer(shift)])?;
        if db.changes() != count {
            return Err(kept_back());
        }
        let mut moves: Moves = order.into_iter().zip(1..).map(|(from, rank)| Move { from, to: RowId(rank) }).collect();
        moves.sort_unstable();
        Ok(moves)
    }
}
