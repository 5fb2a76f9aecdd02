//! Statements that read the rows table.

use super::collect_rowids::{self, Collected};
use super::filter::RowsFilter;
use super::selection::Selection;
use super::statement_cache::CachedStatement;
use super::table::RowsTable;
use crate::error::{Error, Result};
use crate::format::node::{NodeId, RowNode};
use crate::sqlite::{ColumnId, Content, OrderTerm, Parameter, Statement, quote_identifier};
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::planning::plan::FoundBy;

impl RowsTable {
    /// A statement that returns the rows that pass a filter: the rowid, then the selected columns.
    pub fn scan(
        &self,
        selection: &Selection,
        filter: &RowsFilter,
        order: Option<OrderTerm>,
    ) -> Result<CachedStatement<'_>> {
        let mut sql = format!("SELECT {} FROM {}", selection.sql(&self.schema), self.names()?.rows);
        if !filter.sql.is_empty() {
            sql = format!("{sql} WHERE {}", filter.sql);
        }
        // Without ORDER BY, a covering index would return the rows in another order.
        let by_rowid = OrderTerm { column: None, is_descending: false };
        if let Some(order) = order.or(filter.sql.is_empty().then_some(by_rowid)) {
            let name = order.column.map_or(self.key(), |column| self.column(column));
            sql = format!("{sql} ORDER BY {name}{}", if order.is_descending { " DESC" } else { "" });
        }
        let mut rows = self.statements.reading(sql)?;
        filter.bind(&mut rows)?;
        Ok(rows)
    }

    /// Reads one column of one row. Does not call `read` if the row does not exist.
    pub fn read_one(&self, rowid: i64, column: ColumnId, read: impl FnOnce(&Statement) -> Result<()>) -> Result<()> {
        self.read_sql(rowid, &self.column(column), read)
    }

    fn read_sql(&self, rowid: i64, column: &str, read: impl FnOnce(&Statement) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {column} FROM {} WHERE {} = ?1", self.names()?.rows, self.key());
        self.statements.reading(sql)?.query_one(&[Parameter::Integer(rowid)], read).map(|_| ())
    }

    /// The statement that reads one column of the row ?1.
    pub fn value_reader(&self, column: ColumnId) -> Result<CachedStatement<'_>> {
        let (column, key) = (self.column(column), self.key());
        self.statements.reading(format!("SELECT {column} FROM {} WHERE {key} = ?1", self.names()?.rows))
    }

    /// The statement that returns each value of `column` once, of the rows that pass a filter and have a vector.
    pub fn distinct_values(
        &self,
        ordinal: VectorOrdinal,
        column: ColumnId,
        filter: &RowsFilter,
    ) -> Result<CachedStatement<'_>> {
        let (value, from) = (self.column(column), &self.names()?.rows);
        // A logged row has a vector, and no node yet.
        let vector = self.schema.vector(ordinal).map_or(String::new(), |vector| self.column(vector.id));
        let sql = format!("SELECT DISTINCT {value} FROM {from} WHERE {vector} IS NOT NULL{}", filter.and_sql());
        let mut values = self.statements.reading(sql)?;
        filter.bind(&mut values)?;
        Ok(values)
    }

    /// A statement that reads the row ?1: the rowid, the selected columns, then the node.
    pub fn row_reader(&self, selection: &Selection, ordinal: VectorOrdinal) -> Result<CachedStatement<'_>> {
        let (columns, node, key) = (selection.sql(&self.schema), self.node(ordinal), self.key());
        self.statements.reading(format!("SELECT {columns}, {node} FROM {} WHERE {key} = ?1", self.names()?.rows))
    }

    /// A statement that finds the row ?1 if its node is ?2.
    pub fn node_test(&self, ordinal: VectorOrdinal) -> Result<CachedStatement<'_>> {
        let (node, key) = (self.node(ordinal), self.key());
        self.statements.reading(format!("SELECT 1 FROM {} WHERE {key} = ?1 AND {node} = ?2", self.names()?.rows))
    }

    /// A statement that finds the row ?1 if it passes a filter. The filter's values are bound.
    pub fn filter_test(&self, filter: &RowsFilter) -> Result<CachedStatement<'_>> {
        let sql = format!("SELECT 1 FROM {} WHERE {} = ?1{}", self.names()?.rows, self.key(), filter.and_sql());
        let mut test = self.statements.reading(sql)?;
        filter.bind(&mut test)?;
        Ok(test)
    }

    /// Whether a row exists.
    pub fn has_row(&self, rowid: i64) -> Result<bool> {
        let mut is_there = false;
        let sql = format!("SELECT 1 FROM {} WHERE {} = ?1", self.names()?.rows, self.key());
        self.statements.reading(sql)?.query_one(&[Parameter::Integer(rowid)], |_| {
            is_there = true;
            Ok(())
        })?;
        Ok(is_there)
    }

    /// Whether no row can have a node.
    pub fn is_empty(&self) -> Result<bool> {
        let mut any = self.statements.reading(format!("SELECT 1 FROM {} LIMIT 1", self.names()?.nodes))?;
        Ok(any.query_one(&[], |_| Ok(()))?.is_none())
    }

    /// The node of a row's vector; None for NULL, and for a row that does not exist.
    pub fn node_of(&self, rowid: i64, ordinal: VectorOrdinal) -> Result<Option<NodeId>> {
        let mut node = None;
        self.read_sql(rowid, &self.node(ordinal), |row| {
            node = self.node_in(row.column_content(0))?;
            Ok(())
        })?;
        Ok(node)
    }

    /// The node in a value of the rows table; None for NULL.
    pub fn node_in(&self, content: Content<'_>) -> Result<Option<NodeId>> {
        match content {
            Content::Null => Ok(None),
            Content::Integer(node) if u32::try_from(node).is_ok() => Ok(u32::try_from(node).ok().map(NodeId)),
            content => {
                let rows = self.names()?.rows_table();
                Err(Error::corrupt(rows, format!("expected the number of a node, got {content:?}")))
            }
        }
    }

    /// The SELECT of the rows with a vector that pass `filter`. Its columns are `r`, the rowid, and `n`, the node.
    pub(super) fn matching_sql(&self, ordinal: VectorOrdinal, filter: &str) -> Result<String> {
        let (node, key, from) = (self.node(ordinal), self.key(), &self.names()?.rows);
        let filter = if filter.is_empty() { String::new() } else { format!(" AND {filter}") };
        Ok(format!("SELECT {key} AS r, {node} AS n FROM {from} WHERE {node} IS NOT NULL{filter}"))
    }

    /// The rowids and nodes of the rows that pass the filter; None if they are more than `limit`.
    pub fn matching(
        &self,
        ordinal: VectorOrdinal,
        filter: &RowsFilter,
        limit: Option<usize>,
    ) -> Result<Option<Vec<RowNode>>> {
        let sql = self.matching_sql(ordinal, &filter.sql)?;
        let mut collect = self.statements.reading(format!("SELECT {}(r, n, ?1) FROM ({sql})", collect_rowids::NAME))?;
        filter.bind(&mut collect)?;
        if let Some(limit) = limit.and_then(|limit| i64::try_from(limit).ok()) {
            collect.bind_i64(1, limit)?;
        }
        match collect_rowids::run(&mut collect)? {
            Collected::Rows(rows) => return Ok(Some(rows)),
            Collected::TooMany => return Ok(None),
            Collected::Wrong => drop(collect),
        }
        // Reads the rows again for the error that names the damaged value.
        let mut rows = self.statements.reading(sql)?;
        filter.bind(&mut rows)?;
        while rows.step()? {
            self.node_in(rows.column_content(1))?;
        }
        Err(Error::internal("a row without a rowid"))
    }

    /// How SQLite finds the rows with a vector that pass `filter`, with the values that `bind` binds.
    pub fn explain(
        &self,
        ordinal: VectorOrdinal,
        filter: &str,
        bind: impl FnOnce(&mut Statement) -> Result<()>,
    ) -> Result<FoundBy> {
        let mut plan =
            self.statements.reading(format!("EXPLAIN QUERY PLAN {}", self.matching_sql(ordinal, filter)?))?;
        bind(&mut plan)?;
        let found = plan.step()?;
        let detail = String::from_utf8_lossy(plan.column_bytes(3));
        Ok(if found { FoundBy::from_detail(&detail) } else { FoundBy::Scan })
    }

    /// Whether the user has created a partial index.
    pub fn has_partial_index(&self) -> Result<bool> {
        let names = self.names()?;
        let (schema, rows) = (quote_identifier(&names.owner.schema), quote_identifier(&names.rows_table()));
        let mut indexes = self.statements.reading(format!("PRAGMA {schema}.index_list({rows})"))?;
        while indexes.step()? {
            if indexes.column_i64(4) != 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Runs the statement of `filter_test` for a row.
pub fn passes(test: &mut Statement, rowid: i64) -> Result<bool> {
    test.bind_i64(1, rowid)?;
    let passes = test.step();
    test.reset();
    passes
}
