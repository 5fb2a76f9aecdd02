//! A buffer of node rows for a transaction that links nodes. It reads and writes each row once, in the table's order.

use std::collections::{HashMap, HashSet};

use super::node_cache::{MissedRows, Rows};
use super::store::{BlobHandle, NodeTable, Part, Reader};
use crate::error::{Error, Result};
use crate::format::node::{Kin, Node, NodeId, NodeLayout};
use crate::hnsw::GraphStore;
use crate::memory_hints::prefetch;

/// Bytes of rows held before those read are dropped and those written are flushed.
const MOST_BYTES: usize = 64 << 20;

/// The source of rows: the table, and a cache of the rows of the last commit.
pub struct RowSource<'a> {
    pub table: &'a mut NodeTable,
    pub handle: &'a mut BlobHandle,
    pub cache: Option<&'a Rows>,
    /// Rows that this transaction has written before: the cache holds them as they were.
    pub dirty: &'a HashSet<NodeId>,
}

/// A store that keeps written rows in memory until `flush`.
pub struct WriteBuffer<'a> {
    reader: Reader<'a>,
    layout: NodeLayout,
    cache: Option<&'a Rows>,
    dirty: &'a HashSet<NodeId>,
    written: HashMap<NodeId, Vec<u8>>,
    read: HashMap<NodeId, Vec<u8>>,
    bytes: usize,
    /// All rows ever flushed: the cache holds them as they were.
    flushed: HashSet<NodeId>,
}

impl<'a> WriteBuffer<'a> {
    pub fn new(base: RowSource<'a>, layout: NodeLayout) -> WriteBuffer<'a> {
        WriteBuffer {
            reader: base.table.reader(base.handle),
            layout,
            cache: base.cache,
            dirty: base.dirty,
            written: HashMap::new(),
            read: HashMap::new(),
            bytes: 0,
            flushed: HashSet::new(),
        }
    }

    fn cached(&self, id: NodeId) -> Option<&'a [u8]> {
        let row = self.cache?.get(id)?;
        (!self.dirty.contains(&id) && !self.flushed.contains(&id)).then_some(row)
    }

    pub fn name_table(&self, error: Error) -> Error {
        self.reader.name_table(error)
    }

    /// Returns the nodes with the next ids from `first` on, so many that passing them takes `most` rows.
    pub fn rows_from(&mut self, first: NodeId, most: u32) -> Result<Part> {
        self.reader.rows_from(first, most)
    }

    /// Whether there is a linked node of this id.
    pub fn is_linked(&mut self, id: NodeId) -> Result<bool> {
        let linked = self.layout.row_bytes();
        match self.written.get(&id) {
            Some(row) => Ok(row.len() == linked),
            None => Ok(self.reader.row(id)?.is_some_and(|row| row.len() == linked)),
        }
    }

    /// Writes the held rows if they take too much memory. For the time between two insertions, not within one.
    pub fn flush_if_full(&mut self) -> Result<()> {
        if self.bytes > MOST_BYTES {
            self.write()?;
            self.read.clear();
            self.bytes = 0;
        }
        Ok(())
    }

    /// Writes the held rows.
    pub fn write(&mut self) -> Result<()> {
        let mut ids: Vec<NodeId> = self.written.keys().copied().collect();
        ids.sort_unstable();
        for id in &ids {
            self.reader.put_node(*id, &self.written[id])?;
        }
        self.written.clear();
        self.flushed.extend(ids);
        Ok(())
    }

    /// Writes the rows in memory. Returns the nodes whose rows were written, and the rows that were read only.
    pub fn flush(mut self) -> Result<(HashSet<NodeId>, MissedRows)> {
        self.write()?;
        let mut missed = MissedRows::default();
        for (id, row) in &self.read {
            if row.len() == self.layout.row_bytes() && !self.flushed.contains(id) && !self.dirty.contains(id) {
                missed.push(*id, row);
            }
        }
        Ok((self.flushed, missed))
    }
}

impl GraphStore for WriteBuffer<'_> {
    fn node<'b>(&'b mut self, id: NodeId, buffer: &'b mut Vec<u8>) -> Result<Node<'b>> {
        if !self.written.contains_key(&id) {
            if let Some(row) = self.cached(id) {
                return self.layout.read(id, row);
            }
            if !self.read.contains_key(&id) {
                let row = self.reader.node(id, buffer)?.row().to_vec();
                self.bytes += row.len();
                self.read.insert(id, row);
            }
        }
        let row = self.written.get(&id).or_else(|| self.read.get(&id));
        self.layout.read(id, row.map_or(&[], Vec::as_slice))
    }

    fn kin(&mut self, id: NodeId) -> Result<Kin> {
        let is_held = self.written.contains_key(&id) || self.read.contains_key(&id) || self.cached(id).is_some();
        if is_held { self.node(id, &mut Vec::new()).map(|node| node.kin()) } else { self.reader.kin(id) }
    }

    fn prefetch(&self, id: NodeId) {
        if let Some(row) = self.cached(id) {
            prefetch(row);
        }
    }

    fn put_node(&mut self, id: NodeId, row: &[u8]) -> Result<()> {
        self.bytes += row.len();
        self.read.remove(&id);
        self.written.insert(id, row.to_vec());
        Ok(())
    }

    fn remove_node(&mut self, id: NodeId) -> Result<()> {
        self.written.remove(&id);
        self.read.remove(&id);
        self.flushed.insert(id);
        self.reader.remove_node(id)
    }

    fn scan(&mut self, visit: &mut dyn FnMut(Node<'_>) -> Result<()>) -> Result<()> {
        self.write()?;
        self.reader.scan(visit)
    }

    fn check_interrupt(&self) -> Result<()> {
        self.reader.check_interrupt()
    }
}
