//! A scan of the rows table, or a look-up in it.

use crate::error::Result;
use crate::format::node::NodeId;
use crate::sqlite::{ColumnId, Context, Kind, Values};
use crate::vtab::core::TableCore;
use crate::vtab::declaration::schema::VectorRef;
use crate::vtab::planning::plan::ScanPlan;
use crate::vtab::rows::filter::RowsFilter;
use crate::vtab::rows::selection::Selection;
use crate::vtab::rows::statement_cache::CachedStatement;

/// A scan that a cursor runs.
pub struct Scan<'t> {
    core: &'t TableCore,
    /// None if no row can pass the filter.
    rows: Option<CachedStatement<'t>>,
    selection: Selection,
    rowid: i64,
    /// `Transaction::writes` when the row was read. Its nodes are valid while that is unchanged.
    writes: u64,
}

impl<'t> Scan<'t> {
    /// Begins the scan, on its first row.
    pub fn start(core: &'t TableCore, plan: &ScanPlan, arguments: Values<'_>) -> Result<Scan<'t>> {
        let schema = &core.schema;
        let filter = RowsFilter::new(schema, &plan.filters, arguments)?;
        let selection = Selection::new(schema, plan.columns);
        let mut scan = Scan { core, rows: None, selection, rowid: 0, writes: 0 };
        if filter.is_never {
            return Ok(scan);
        }
        let rows = core.rows.scan(&scan.selection, &filter, plan.order)?;
        scan.rows = Some(rows);
        scan.next()?;
        Ok(scan)
    }

    /// Moves to the next row.
    pub fn next(&mut self) -> Result<()> {
        let Some(rows) = &mut self.rows else { return Ok(()) };
        if rows.step()? {
            self.rowid = rows.column_i64(0);
            self.writes = self.core.transaction.writes();
        } else {
            self.rows = None;
        }
        Ok(())
    }

    /// Whether there is no further row.
    pub fn is_at_end(&self) -> bool {
        self.rows.is_none()
    }

    /// The rowid of the current row.
    pub fn rowid(&self) -> i64 {
        self.rowid
    }

    /// Sets the result to an ordinary column of the current row, and returns its kind.
    pub fn ordinary(&mut self, context: &Context<'_>, column: ColumnId) -> Result<Option<Kind>> {
        match (&self.rows, self.selection.position(column)) {
            (Some(rows), Some(position)) => {
                context.value(rows.column_value(position));
                Ok(Some(rows.column_kind(position)))
            }
            _ => give_one(self.core, self.rowid, column, context),
        }
    }

    /// The node of a vector column in the current row; None for NULL.
    pub fn node(&mut self, vector: VectorRef<'_>) -> Result<Option<NodeId>> {
        match (&self.rows, self.selection.position(vector.id)) {
            (Some(rows), Some(position)) if self.writes == self.core.transaction.writes() => {
                self.core.rows.node_in(rows.column_content(position))
            }
            _ => self.core.rows.node_of(self.rowid, vector.ordinal),
        }
    }
}

/// Sets the result to a column of one row, and returns its kind; None if there is no such row.
pub fn give_one(core: &TableCore, rowid: i64, column: ColumnId, context: &Context<'_>) -> Result<Option<Kind>> {
    let mut kind = None;
    core.rows.read_one(rowid, column, |row| {
        kind = Some(row.column_kind(0));
        context.value(row.column_value(0));
        Ok(())
    })?;
    Ok(kind)
}
