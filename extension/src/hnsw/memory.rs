//! The second store: rows in memory, for tests and benchmarks of the engine alone.

use super::{ColumnSpec, GraphStore};
use crate::error::{Error, Result};
use crate::format::node::{Node, NodeId, NodeLayout};

/// Rows by id; an empty row does not exist.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    layout: NodeLayout,
    rows: Vec<Vec<u8>>,
}

impl MemoryStore {
    pub fn new(spec: &ColumnSpec) -> MemoryStore {
        MemoryStore { layout: spec.layout, rows: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.rows.iter().filter(|row| !row.is_empty()).count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl GraphStore for MemoryStore {
    fn node<'a>(&'a mut self, id: NodeId, _buffer: &'a mut Vec<u8>) -> Result<Node<'a>> {
        match self.rows.get(id.index()) {
            Some(row) if !row.is_empty() => self.layout.read(id, row),
            _ => Err(Error::corrupt(format!("node {id}"), "no such row")),
        }
    }

    fn put_node(&mut self, id: NodeId, row: &[u8]) -> Result<()> {
        if self.rows.len() <= id.index() {
            self.rows.resize(id.index() + 1, Vec::new());
        }
        self.rows[id.index()] = row.to_vec();
        Ok(())
    }

    fn remove_node(&mut self, id: NodeId) -> Result<()> {
        if let Some(row) = self.rows.get_mut(id.index()) {
            row.clear();
        }
        Ok(())
    }

    fn scan(&mut self, visit: &mut dyn FnMut(Node<'_>) -> Result<()>) -> Result<()> {
        let there = (0..).zip(&self.rows).filter(|(_, row)| !row.is_empty());
        for (id, row) in there {
            visit(self.layout.read(NodeId(id), row)?)?;
        }
        Ok(())
    }

    fn check_interrupt(&self) -> Result<()> {
        Ok(())
    }
}
