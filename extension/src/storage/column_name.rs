//! The name of a vector column, and those of its shadow tables, for SQL and for messages.

use super::shadow::{GRAPH, VectorOrdinal};
use crate::error::{Error, Result};
use crate::format::node::{Node, RowId};
use crate::sqlite::quote_identifier;

/// The names that lead to a vector column.
#[derive(Debug, Clone)]
pub struct ColumnName {
    pub schema: String,
    /// The virtual table.
    pub table: String,
    pub ordinal: VectorOrdinal,
    pub column: String,
}

impl ColumnName {
    /// Name of the node table.
    pub fn node_table(&self) -> String {
        self.shadow_name(&self.ordinal.nodes_suffix())
    }

    /// `table_suffix`, bare.
    pub(super) fn shadow_name(&self, suffix: &str) -> String {
        format!("{}_{suffix}", self.table)
    }

    /// `"schema"."table_suffix"`.
    pub(super) fn sql(&self, suffix: &str) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.shadow_name(suffix)))
    }

    /// The column's row of the graph table, as messages name it.
    pub(super) fn graph_row(&self) -> String {
        format!("{} row {}", self.shadow_name(GRAPH), self.ordinal.0)
    }

    /// Fails if a live node does not belong to the row: a damaged rows table may give a row the node of another.
    pub(super) fn check_owner(&self, node: &Node<'_>, rowid: RowId) -> Result<()> {
        if node.rowid() == rowid && !node.is_tombstone() {
            return Ok(());
        }
        let owner = if node.is_tombstone() { "a deleted row".to_string() } else { format!("row {}", node.rowid()) };
        let context = format!("{} node {}", self.node_table(), node.id);
        Err(Error::corrupt(context, format!("it is that of {owner}, not of row {rowid}")))
    }

    /// `table.column`, as messages name it.
    pub fn label(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }
}
