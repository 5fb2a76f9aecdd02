//! The second store: rows in memory, for tests and benchmarks of the engine alone.

use std::collections::BTreeMap;

use super::{GraphStore, Space};
use crate::error::{Error, Result};
use crate::format::node::{Node, NodeId, NodeLayout};

/// Rows by id.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    layout: NodeLayout,
    rows: BTreeMap<NodeId, Vec<u8>>,
}

impl MemoryStore {
    pub fn new(space: &Space) -> MemoryStore {
        MemoryStore { layout: space.layout, rows: BTreeMap::new() }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl GraphStore for MemoryStore {
    fn node<'a>(&'a mut self, id: NodeId, _buffer: &'a mut Vec<u8>) -> Result<Node<'a>> {
        match self.rows.get(&id) {
            Some(row) => self.layout.read(id, row),
            None => Err(Error::corrupt(format!("node {id}"), "no such row")),
        }
    }

    fn put_node(&mut self, id: NodeId, row: &[u8]) -> Result<()> {
        self.rows.insert(id, row.to_vec());
        Ok(())
    }

    fn remove_node(&mut self, id: NodeId) -> Result<()> {
        self.rows.remove(&id);
        Ok(())
    }

    fn scan(&mut self, visit: &mut dyn FnMut(Node<'_>) -> Result<()>) -> Result<()> {
        self.rows.iter().try_for_each(|(&id, row)| visit(self.layout.read(id, row)?))
    }

    fn check_interrupt(&self) -> Result<()> {
        Ok(())
    }
}
