//! Linking the nodes that a transaction added, one by one.

use super::generation::Chain;
use super::overlay::{Base, Overlay};
use super::store::Handle;
use super::vector_column::VectorColumn;
use crate::distance::decode;
use crate::error::{Error, Result};
use crate::format::header::Header;
use crate::format::node::NodeId;
use crate::hnsw::{EntrySample, GraphStore, insert, is_sampled};
use crate::sqlite::Parameter;

impl VectorColumn {
    /// The nodes that were added since the last sync.
    fn pending(&self, header: &Header) -> Result<Vec<NodeId>> {
        let sql = format!("SELECT id FROM {} WHERE id >= ?1 AND id < ?2 ORDER BY id", self.nodes.sql_name());
        let mut ids = Vec::new();
        self.db.prepare_shadow(&sql)?.query(
            &[Parameter::Integer(i64::from(header.synced_id)), Parameter::Integer(i64::from(header.next_id))],
            |row| {
                ids.push(row.column_i64(0) as NodeId);
                Ok(())
            },
        )?;
        if ids.len() != header.pending as usize {
            let reason = format!("{} pending nodes counted, {} there", header.pending, ids.len());
            return Err(Error::corrupt(self.place.graph_row(), reason));
        }
        Ok(ids)
    }

    /// A node's vector as the centre of a graph that begins with it.
    fn placed(&mut self, id: NodeId) -> Result<Vec<f32>> {
        let (mut buffer, mut handle) = (Vec::new(), Handle::default());
        let node = self
            .nodes
            .reader(&mut handle)
            .node(id, &mut buffer)
            .map(|node| (node.inverse_norm(), node.vector().to_vec()));
        let (inverse_norm, vector) = node?;
        let components = decode(&vector, self.space.params.element);
        let mut placed = vec![0f32; components.len()];
        self.space.place(&components, inverse_norm, &mut placed);
        Ok(placed)
    }

    /// Links each pending node by itself.
    pub(super) fn insert_pending(&mut self, mut header: Header) -> Result<()> {
        let ids = self.pending(&header)?;
        self.load_entry()?;
        self.growth += 1;
        let mut entry_changed = self.entry.centre().is_empty();
        if let Some(&first) = ids.first().filter(|_| entry_changed) {
            let centre = self.placed(first)?;
            self.entry = EntrySample::about(&self.space, &centre);
            self.space.set_centre(self.entry.centre());
        }
        let mut entry = self.entry.clone();
        let mut rotated = vec![0f32; self.space.padded()];
        let (mut buffer, mut handle) = (Vec::new(), Handle::default());
        let cache = self.cache_to_link();
        let rows = cache.as_ref().and_then(|cache| cache.read());
        let base =
            Base { table: &mut self.nodes, handle: &mut handle, cache: rows.as_deref(), dirty: self.warm.dirty() };
        let mut store = Overlay::new(base, self.space.layout);
        for id in ids {
            store.check_interrupt()?;
            let graph = VectorColumn::state(&self.space, &entry, &header);
            insert::insert(graph, &mut store, id).map_err(|error| store.name_table(error))?;
            header.linked += 1;
            header.pending -= 1;
            if header.linked.is_power_of_two() {
                let linked = header.linked;
                entry.retain(&self.space, |id| is_sampled(id, linked));
                entry_changed = true;
            }
            if is_sampled(id, header.linked) {
                self.space.rotate(store.node(id, &mut buffer)?.vector(), &mut rotated);
                entry.push(&self.space, id, &rotated);
                entry_changed = true;
            }
            store.relieve()?;
        }
        let (written, missed) = store.flush()?;
        drop(rows);
        drop(cache);
        written.into_iter().for_each(|id| self.warm.wrote(id));
        header.synced_id = header.next_id;
        let next_id = header.next_id;
        let chain = Chain::of(&header.generation).number(u64::from(header.linked)).number(u64::MAX - 2);
        self.write_header(header, chain)?;
        if entry_changed {
            self.write_entry(entry)?;
        }
        self.keep_linked(missed, next_id)
    }
}
