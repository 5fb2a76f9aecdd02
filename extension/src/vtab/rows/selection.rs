//! The columns that a statement on the rows table reads.

use crate::sqlite::quote_identifier;
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
