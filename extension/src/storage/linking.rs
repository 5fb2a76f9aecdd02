//! Brings a graph up to date in small steps: heals it, and links the nodes that a transaction added one by one.

use std::collections::HashSet;

use super::generation::GenerationHasher;
use super::store::BlobHandle;
use super::vector_column::VectorColumn;
use super::write_buffer::{RowSource, WriteBuffer};
use crate::distance::decode;
use crate::error::{Error, Result};
use crate::format::header::Header;
use crate::format::node::NodeId;
use crate::hnsw::{ColumnSpec, EntrySample, GraphStore, insert, is_sampled};

/// The graph of a column while it is brought up to date.
pub(super) struct Update<'a> {
    pub spec: &'a ColumnSpec,
    pub store: WriteBuffer<'a>,
    pub header: Header,
    pub entry: EntrySample,
    pub entry_changed: bool,
}

/// What waits to be linked.
#[derive(Default)]
struct Waiting {
    /// In the order in which they were written.
    nodes: Vec<NodeId>,
    /// Deleted before they were linked.
    withdrawn: Vec<NodeId>,
}

impl VectorColumn {
    /// Returns the nodes that were added since the last sync.
    fn waiting(&mut self, header: &Header) -> Result<Waiting> {
        let graph_row = self.name.graph_row();
        let (mut waiting, mut seen, mut next) = (Waiting::default(), HashSet::new(), header.last_pending);
        let (mut buffer, mut handle) = (Vec::new(), BlobHandle::default());
        let mut store = self.nodes.reader(&mut handle);
        while next != NodeId::FREE {
            let node = store.node(next, &mut buffer)?;
            if !node.is_pending() || !seen.insert(next) {
                return Err(Error::corrupt(graph_row, format!("node {next} is listed as pending, and is not")));
            }
            if node.is_tombstone() {
                waiting.withdrawn.push(next)
            } else {
                waiting.nodes.push(next)
            }
            next = node.previous_pending();
        }
        if waiting.nodes.len() != header.pending as usize {
            let reason = format!("{} pending nodes counted, {} there", header.pending, waiting.nodes.len());
            return Err(Error::corrupt(graph_row, reason));
        }
        waiting.nodes.reverse();
        Ok(waiting)
    }

    /// Returns the centre of a graph that begins with this node: its vector.
    fn first_centre(&mut self, id: NodeId) -> Result<Vec<f32>> {
        self.spec.set_centre(&[]);
        let (mut buffer, mut handle) = (Vec::new(), BlobHandle::default());
        let mut store = self.nodes.reader(&mut handle);
        let node = store.node(id, &mut buffer)?;
        let mut centre = vec![0f32; self.spec.params.dims];
        self.spec.normalise_and_centre(
            &decode(node.vector(), self.spec.params.element),
            node.inverse_norm(),
            &mut centre,
        );
        Ok(centre)
    }

    /// Links each pending node by itself; at COMMIT heals what the transaction owes.
    pub(super) fn update_graph(&mut self, header: Header, heals: bool) -> Result<()> {
        let waiting = self.waiting(&header)?;
        self.load_entry()?;
        self.link_epoch += 1;
        let mut entry = self.take_entry();
        let mut entry_changed = entry.centre().is_empty();
        if let Some(&first) = waiting.nodes.first().filter(|_| entry_changed) {
            let centre = self.first_centre(first)?;
            entry = EntrySample::with_centre(&self.spec, &centre);
            self.spec.set_centre(&centre);
        }
        let cache = self.node_cache.base_cache();
        let rows = cache.as_ref().and_then(|cache| cache.read());
        let mut handle = BlobHandle::default();
        let base = RowSource {
            table: &mut self.nodes,
            handle: &mut handle,
            cache: rows.as_deref(),
            dirty: self.node_cache.dirty(),
        };
        let store = WriteBuffer::new(base, self.spec.layout);
        entry_changed &= !waiting.nodes.is_empty();
        let mut update = Update { spec: &self.spec, store, header, entry, entry_changed };
        let freed_before = update.header.free;
        if heals {
            update.heal().map_err(|error| update.store.name_table(error))?;
        }
        let has_freed = update.header.free > freed_before;
        update.link(waiting)?;
        let Update { store, header, entry, entry_changed, .. } = update;
        let (written, missed) = store.flush()?;
        drop(rows);
        drop(cache);
        written.into_iter().for_each(|id| self.node_cache.mark_dirty(id));
        // A suspended search may know the freed nodes.
        self.renumber_epoch += u64::from(has_freed);
        let next_id = header.next_id;
        let hasher = GenerationHasher::of(&header.generation)
            .number(u64::from(header.linked))
            .number(u64::from(header.swept) << 32 | u64::from(header.free))
            .number(u64::MAX - 2);
        self.write_header(header, hasher)?;
        if entry_changed {
            self.write_entry(entry)?
        } else {
            self.put_back(entry)
        }
        self.keep_linked(missed, next_id)
    }
}

impl Update<'_> {
    fn link(&mut self, waiting: Waiting) -> Result<()> {
        let (mut rotated, mut buffer) = (vec![0f32; self.spec.padded()], Vec::new());
        for id in waiting.nodes {
            self.store.check_interrupt()?;
            let graph = VectorColumn::state(self.spec, &self.entry, &self.header);
            insert::insert(graph, &mut self.store, id).map_err(|error| self.store.name_table(error))?;
            self.header.linked += 1;
            self.header.pending -= 1;
            self.sample_fewer();
            if is_sampled(id, self.header.sampled) {
                self.spec.rotate(self.store.node(id, &mut buffer)?.vector(), &mut rotated);
                self.entry.push(self.spec, id, &rotated);
                self.entry_changed = true;
            }
            self.store.flush_if_full()?;
        }
        waiting.withdrawn.into_iter().try_for_each(|id| self.free(id))?;
        self.header.last_pending = NodeId::FREE;
        Ok(())
    }

    /// Thins the entry sample out when the graph has grown past a power of two.
    fn sample_fewer(&mut self) {
        let linked = self.header.linked;
        if linked <= self.header.sampled {
            return;
        }
        self.header.sampled = linked;
        if linked.is_power_of_two() {
            self.entry.retain(self.spec, |id| is_sampled(id, linked));
            self.entry_changed = true;
        }
    }
}
