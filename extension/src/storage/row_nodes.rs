//! What the graph of a vector column needs of the table that has its rows.

use crate::error::Result;

/// Rowids before and after the rows were moved, sorted.
pub type Moves = Vec<(i64, i64)>;

/// Why pending nodes are linked now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SyncReason {
    Commit,
    Search,
    /// A trigger searches while a row is written, whose node ids must not change meanwhile.
    Write,
}

/// The node that each row has in one vector column. Numbers of nodes are as the file has them: a damaged one may hold any.
pub trait RowNodes {
    /// Calls `work` with the rowid and the node of each row that has one.
    fn each(&self, work: &mut dyn FnMut(i64, i64)) -> Result<()>;

    /// Sets the nodes of rows. For the user the rows do not change. Returns how many of the rows are not there.
    fn set(&self, nodes: &mut dyn Iterator<Item = (i64, Option<i64>)>) -> Result<u64>;

    /// Whether `set` may be called without the user's asking.
    fn may_set(&self, reason: SyncReason) -> Result<bool>;

    /// Gives rows the rowids from 1 on: first those of `order`, then those without a node.
    fn reorder(&self, order: Vec<i64>) -> Result<Moves>;
}
