//! Reads rows in the order of the index of an INDEXED column, which holds that column and the nodes.

use std::ops::Range;

use super::collect_rowids::{self, Collected};
use super::filter::{IndexRange, RowsFilter};
use super::table::RowsTable;
use crate::error::Result;
use crate::format::node::{NodeId, RowNode};
use crate::sqlite::{ColumnId, quote_identifier};
use crate::storage::shadow::VectorOrdinal;

impl RowsTable {
    /// The rowids and the nodes of a vector column, in the order of the index on `column`. None if an entry is no rowid
    /// and node.
    pub fn in_index_order(&self, ordinal: VectorOrdinal, column: ColumnId) -> Result<Option<Vec<RowNode>>> {
        // Without a limit SQLite might drop the order, because only an aggregate reads the rows.
        let sorted =
            format!("{} ORDER BY {} LIMIT -1", self.matching_sql(ordinal, "")?, self.index_columns(column, "")?);
        let sql = format!("SELECT {}(r, n, NULL) FROM ({sorted})", collect_rowids::NAME);
        match collect_rowids::run(&mut *self.statements.reading(sql)?)? {
            Collected::Rows(rows) => Ok(Some(rows)),
            Collected::TooMany | Collected::Wrong => Ok(None),
        }
    }

    /// The nodes of the first and the last row in a range of the index on `column`; None if the range is empty.
    pub fn ends_of(
        &self,
        ordinal: VectorOrdinal,
        column: ColumnId,
        range: &IndexRange,
        filter: &RowsFilter,
    ) -> Result<Option<[NodeId; 2]>> {
        let (mut ends, matching) = ([None; 2], self.matching_sql(ordinal, &range.sql)?);
        for (end, direction) in ends.iter_mut().zip(["", " DESC"]) {
            let by = self.index_columns(column, direction)?;
            let mut first = self.statements.reading(format!("{matching} ORDER BY {by} LIMIT 1"))?;
            filter.bind_some(&mut first, Range::clone(&range.values))?;
            *end = if first.step()? { self.node_in(first.column_content(1))? } else { None };
        }
        Ok(if let [Some(first), Some(last)] = ends { Some([first, last]) } else { None })
    }

    /// The columns of the index on a column, each followed by `direction`. The table's name stands before each: a
    /// result column of the same name would take precedence.
    fn index_columns(&self, column: ColumnId, direction: &str) -> Result<String> {
        let rows = quote_identifier(&self.names()?.rows_table());
        let nodes = self.schema.vectors().map(|vector| vector.id);
        let terms = std::iter::once(column).chain(nodes).map(|id| format!("{rows}.{}{direction}", self.column(id)));
        Ok(terms.collect::<Vec<_>>().join(", "))
    }
}
