//! The columns that a statement on the rows table reads.

use crate::vtab::declaration::schema::TableSchema;
use crate::vtab::planning::plan::ColumnSet;

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
        let columns = self.columns.iter().map(|column| schema.column_sql(*column));
        std::iter::once(schema.rowid_sql()).chain(columns).collect::<Vec<_>>().join(", ")
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
