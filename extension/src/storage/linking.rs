//! Links the nodes that a transaction added, one by one.

use super::generation::GenerationHasher;
use super::store::BlobHandle;
use super::vector_column::VectorColumn;
use super::write_buffer::{RowSource, WriteBuffer};
use crate::distance::decode;
use crate::error::{Error, Result};
use crate::format::header::Header;
use crate::format::node::NodeId;
use crate::hnsw::{EntrySample, GraphStore, insert, is_sampled};
use crate::sqlite::Parameter;

impl VectorColumn {
    /// Returns the nodes that were added since the last sync.
    fn pending(&self, header: &Header) -> Result<Vec<NodeId>> {
        let sql = format!("SELECT id FROM {} WHERE id >= ?1 AND id < ?2 ORDER BY id", self.nodes.sql_name());
        let mut ids = Vec::new();
        self.db.prepare_shadow(&sql)?.query(
            &[Parameter::Integer(i64::from(header.synced_id)), Parameter::Integer(i64::from(header.next_id))],
            |row| {
                ids.push(NodeId(row.column_i64(0) as u32));
                Ok(())
            },
        )?;
        if ids.len() != header.pending as usize {
            let reason = format!("{} pending nodes counted, {} there", header.pending, ids.len());
            return Err(Error::corrupt(self.name.graph_row(), reason));
        }
        Ok(ids)
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

    /// Links each pending node by itself.
    pub(super) fn insert_pending(&mut self, mut header: Header) -> Result<()> {
        let ids = self.pending(&header)?;
        self.load_entry()?;
        self.link_epoch += 1;
        let mut entry = self.entry.clone();
        let mut entry_changed = entry.centre().is_empty();
        if let Some(&first) = ids.first().filter(|_| entry_changed) {
            let centre = self.first_centre(first)?;
            entry = EntrySample::with_centre(&self.spec, &centre);
            self.spec.set_centre(&centre);
        }
        let mut rotated = vec![0f32; self.spec.padded()];
        let (mut buffer, mut handle) = (Vec::new(), BlobHandle::default());
        let cache = self.node_cache.base_cache();
        let rows = cache.as_ref().and_then(|cache| cache.read());
        let base = RowSource {
            table: &mut self.nodes,
            handle: &mut handle,
            cache: rows.as_deref(),
            dirty: self.node_cache.dirty(),
        };
        let mut store = WriteBuffer::new(base, self.spec.layout);
        for id in ids {
            store.check_interrupt()?;
            let graph = VectorColumn::state(&self.spec, &entry, &header);
            insert::insert(graph, &mut store, id).map_err(|error| store.name_table(error))?;
            header.linked += 1;
            header.pending -= 1;
            if header.linked.is_power_of_two() {
                let linked = header.linked;
                entry.retain(&self.spec, |id| is_sampled(id, linked));
                entry_changed = true;
            }
            if is_sampled(id, header.linked) {
                self.spec.rotate(store.node(id, &mut buffer)?.vector(), &mut rotated);
                entry.push(&self.spec, id, &rotated);
                entry_changed = true;
            }
            store.flush_if_full()?;
        }
        let (written, missed) = store.flush()?;
        drop(rows);
        drop(cache);
        written.into_iter().for_each(|id| self.node_cache.mark_dirty(id));
        header.synced_id = header.next_id;
        let next_id = header.next_id;
        let hasher = GenerationHasher::of(&header.generation).number(u64::from(header.linked)).number(u64::MAX - 2);
        self.write_header(header, hasher)?;
        if entry_changed {
            self.write_entry(entry)?;
        }
        self.keep_linked(missed, next_id)
    }
}
