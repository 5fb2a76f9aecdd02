//! The columns that a statement on the rows table reads.

use crate::sqlite::ColumnId;
use crate::vtab::declaration::schema::TableSchema;
use crate::vtab::planning::plan::ColumnSet;

/// The declared columns that a statement on the rows table reads, after the rowid at position 0.
pub struct Selection {
    columns: Vec<ColumnId>,
}

impl Selection {
    /// The declared columns in `used`.
    pub fn new(schema: &TableSchema, used: ColumnSet) -> Selection {
        Selection { columns: schema.ids().filter(|column| used.contains(*column)).collect() }
    }

    /// The columns as SQL: `"rowid", "a", "b"`.
    pub fn sql(&self, schema: &TableSchema) -> String {
        let columns = self.columns.iter().map(|column| schema.column_sql(*column));
        std::iter::once(schema.rowid_sql()).chain(columns).collect::<Vec<_>>().join(", ")
    }

    /// The same without one column.
    pub fn without(mut self, column: ColumnId) -> Selection {
        self.columns.retain(|kept| *kept != column);
        self
    }

    /// The columns, without the rowid.
    pub fn columns(&self) -> &[ColumnId] {
        &self.columns
    }

    /// The position of a column in a result row; None if it is not read.
    pub fn position(&self, column: ColumnId) -> Option<usize> {
        self.columns.iter().position(|selected| *selected == column).map(|position| position + 1)
    }
}
