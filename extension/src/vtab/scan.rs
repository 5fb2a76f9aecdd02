//! A walk over the rows table: ordinary scans and look-ups.

use super::plan::{ColumnSet, ScanPlan};
use super::pool::Pooled;
use super::rows_filter::RowsFilter;
use super::schema::TableSchema;
use super::table::HnswTable;
use crate::error::{Error, Result};
use crate::format::node::NodeId;
use crate::sqlite::{Content, Context, Parameter, Statement, Values, quote_identifier};

/// The declared columns that a statement on the rows table reads, after the rowid at position 0.
pub struct Selection {
    columns: Vec<usize>,
}

impl Selection {
    pub fn new(schema: &TableSchema, used: ColumnSet) -> Selection {
        Selection { columns: (0..schema.columns.len()).filter(|column| used.contains(*column)).collect() }
    }

    /// `"rowid", "a", "b"`
    pub fn sql(&self, schema: &TableSchema) -> String {
        let names = self.columns.iter().filter_map(|column| schema.columns.get(*column));
        let names = names.map(|column| quote_identifier(&column.name));
        std::iter::once(quote_identifier(schema.rowid_name())).chain(names).collect::<Vec<_>>().join(", ")
    }

    pub fn without(mut self, column: usize) -> Selection {
        self.columns.retain(|kept| *kept != column);
        self
    }

    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    pub fn position(&self, column: usize) -> Option<usize> {
        self.columns.iter().position(|selected| *selected == column).map(|position| position + 1)
    }
}

pub struct Scan<'t> {
    table: &'t HnswTable,
    /// None if no row can pass the filter.
    rows: Option<Pooled<'t>>,
    selection: Selection,
    rowid: i64,
    /// `Transaction::writes` when the row was read: its nodes are good for as long as that stands.
    writes: u64,
}

impl<'t> Scan<'t> {
    pub fn start(table: &'t HnswTable, plan: &ScanPlan, arguments: Values<'_>) -> Result<Scan<'t>> {
        let schema = &table.schema;
        let filter = RowsFilter::new(schema, &plan.filters, arguments)?;
        let selection = Selection::new(schema, plan.columns);
        let mut scan = Scan { table, rows: None, selection, rowid: 0, writes: 0 };
        if filter.is_never {
            return Ok(scan);
        }
        let mut sql = format!("SELECT {} FROM {}", scan.selection.sql(schema), table.names()?.rows);
        if !filter.sql.is_empty() {
            sql = format!("{sql} WHERE {}", filter.sql);
        }
        // A covering index would give another order.
        let order = plan.order.or(filter.sql.is_empty().then_some((None, false)));
        if let Some((column, is_descending)) = order {
            let name = column.and_then(|column| schema.columns.get(column)).map(|column| column.name.as_str());
            let name = quote_identifier(name.unwrap_or(schema.rowid_name()));
            sql = format!("{sql} ORDER BY {name}{}", if is_descending { " DESC" } else { "" });
        }
        let mut rows = table.statements.reading(sql)?;
        filter.bind(&mut rows)?;
        scan.rows = Some(rows);
        scan.next()?;
        Ok(scan)
    }

    pub fn next(&mut self) -> Result<()> {
        let Some(rows) = &mut self.rows else { return Ok(()) };
        if rows.step()? {
            self.rowid = rows.column_i64(0);
            self.writes = self.table.transaction.writes();
        } else {
            self.rows = None;
        }
        Ok(())
    }

    pub fn is_at_end(&self) -> bool {
        self.rows.is_none()
    }

    pub fn rowid(&self) -> i64 {
        self.rowid
    }

    pub fn ordinary(&mut self, context: &Context<'_>, column: usize) -> Result<()> {
        match (&self.rows, self.selection.position(column)) {
            (Some(rows), Some(position)) => {
                context.value(rows.column_value(position));
                Ok(())
            }
            _ => self.table.read_one(self.rowid, column, |row| {
                context.value(row.column_value(0));
                Ok(())
            }),
        }
    }

    /// The node of a vector column; None for NULL.
    pub fn node(&mut self, column: usize) -> Result<Option<NodeId>> {
        match (&self.rows, self.selection.position(column)) {
            (Some(rows), Some(position)) if self.writes == self.table.transaction.writes() => {
                self.table.node_at(rows, position)
            }
            _ => self.table.node_of(self.rowid, column),
        }
    }
}

impl HnswTable {
    /// Reads one column of one row by a statement of its own. `read` is not called if there is no such row.
    pub(super) fn read_one(
        &self,
        rowid: i64,
        column: usize,
        read: impl FnOnce(&Statement) -> Result<()>,
    ) -> Result<()> {
        let name = self.schema.columns.get(column).ok_or_else(|| Error::internal(format!("no column {column}")))?;
        let (column, key) = (quote_identifier(&name.name), quote_identifier(self.schema.rowid_name()));
        let sql = format!("SELECT {column} FROM {} WHERE {key} = ?1", self.names()?.rows);
        self.statements.reading(sql)?.query_one(&[Parameter::Integer(rowid)], read).map(|_| ())
    }

    /// The node of a row's vector; None for NULL, and for a row that is not there.
    pub(super) fn node_of(&self, rowid: i64, column: usize) -> Result<Option<NodeId>> {
        let mut node = None;
        self.read_one(rowid, column, |row| {
            node = self.node_at(row, 0)?;
            Ok(())
        })?;
        Ok(node)
    }

    /// The node in a column of the rows table.
    pub(super) fn node_at(&self, row: &Statement, position: usize) -> Result<Option<NodeId>> {
        self.node_in(row.column_content(position))
    }

    /// The node that stands in the rows table.
    pub(super) fn node_in(&self, content: Content<'_>) -> Result<Option<NodeId>> {
        match content {
            Content::Null => Ok(None),
            Content::Integer(node) if u32::try_from(node).is_ok() => Ok(u32::try_from(node).ok().map(NodeId)),
            content => {
                let rows = self.names()?.owner.shadow_name("rows");
                Err(Error::corrupt(rows, format!("expected the number of a node, got {content:?}")))
            }
        }
    }
}
