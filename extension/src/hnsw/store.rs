//! The engine's interface to the storage of node rows.

use crate::error::Result;
use crate::format::node::{Kin, Node, NodeId};

/// The rows of one graph.
pub trait GraphStore {
    /// Reads and checks the row of `id`: one row read. The store may use `buffer`.
    fn node<'a>(&'a mut self, id: NodeId, buffer: &'a mut Vec<u8>) -> Result<Node<'a>>;

    /// Reads of the row of `id` only what the tree of parents needs.
    fn kin(&mut self, id: NodeId) -> Result<Kin> {
        self.node(id, &mut Vec::new()).map(|node| node.kin())
    }

    /// A hint that the row of `id` will probably be read next.
    fn prefetch(&self, _id: NodeId) {}

    /// Writes the row of `id`, new or not.
    fn put_node(&mut self, id: NodeId, row: &[u8]) -> Result<()>;

    /// Removes the row of `id`.
    fn remove_node(&mut self, id: NodeId) -> Result<()>;

    /// Visits every row in the order of the ids, pending rows and tombstones included.
    fn scan(&mut self, visit: &mut dyn FnMut(Node<'_>) -> Result<()>) -> Result<()>;

    /// Fails with `Error::Interrupted` when the host wants the statement to stop.
    fn check_interrupt(&self) -> Result<()>;
}
