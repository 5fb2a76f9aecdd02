//! What the graph of a vector column needs of the table that has its rows.

use crate::error::Result;
use crate::format::node::{NodeId, RowId};

/// Rowids before and after the rows were moved, sorted.
pub type Moves = Vec<Move>;

/// The rowids of a row before and after a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    pub from: RowId,
    pub to: RowId,
}

/// Why pending nodes are linked now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SyncReason {
    Commit,
    /// At COMMIT SQLite may not ask for the table under its new name.
    Rename,
    Search,
    /// A trigger searches while a row is written, whose node ids must not change meanwhile.
    Write,
}

/// The node that each row has in one vector column.
pub trait RowNodes {
    /// Calls `work` with the rowid and the node of each row that has one. The node is as the file has it: a damaged one may
    /// hold any number.
    fn each(&self, work: &mut dyn FnMut(RowId, i64)) -> Result<()>;

    /// Sets the nodes of rows. For the user the rows do not change. Returns how many of the rows are not there.
    fn set(&self, nodes: &mut dyn Iterator<Item = (RowId, Option<NodeId>)>) -> Result<u64>;

    /// Whether `set` may be called without the user's asking.
    fn may_set(&self, reason: SyncReason) -> Result<bool>;

    /// Gives rows the rowids from 1 on: first those of `order`, then those without a node.
    fn reorder(&self, order: Vec<RowId>) -> Result<Moves>;
}
