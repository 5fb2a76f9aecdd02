//! Heals a graph at COMMIT: the part of a sweep that the deletions of the transaction pay for.

use super::linking::Update;
use crate::error::{Error, Result};
use crate::format::node::{NodeId, set_next_deleted, set_queued, write_free_row};
use crate::hnsw::{GraphStore, Sweep, is_sampled, reattach_children};

/// The most rows that one part of a sweep lists.
const PART: u32 = 1024;
/// The entry sample is drawn anew when the graph has shrunk to one in so many nodes.
const SHRUNK: u32 = 4;
/// Ids between two checks of the host's interrupt flag.
const INTERRUPT_STRIDE: u32 = 1 << 16;

impl Update<'_> {
    /// Mends the tree of parents, and sweeps as many rows as are owed.
    pub(super) fn heal(&mut self) -> Result<()> {
        let deleted = self.deleted()?;
        for &id in &deleted {
            self.store.check_interrupt()?;
            reattach_children(self.spec, &mut self.store, id)?;
            self.store.flush_if_full()?;
        }
        self.queue(&deleted)?;
        // Two rounds free every tombstone.
        let mut left = self.header.owed.min(self.header.linked.saturating_mul(2));
        self.header.owed = 0;
        let (mut sweep, last_round) = (Sweep::new(self.spec), self.header.round.wrapping_add(2));
        while left > 0 && self.header.round != last_round {
            self.store.check_interrupt()?;
            let part = self.store.rows_from(NodeId(self.header.swept), left.min(PART))?;
            for &id in &part.ids {
                sweep.pass(&mut self.store, id)?;
                self.store.flush_if_full()?;
            }
            left -= part.rows.clamp(1, left);
            self.header.swept = part.next.map_or(u32::MAX, |id| id.0);
            if self.remove_unlinked()? {
                // A part of the sweep must not depend on what is still in memory.
                self.store.write()?;
            }
            if part.next.is_none() {
                self.header.swept = 0;
                self.header.round = self.header.round.wrapping_add(1);
            }
            self.store.flush_if_full()?;
        }
        self.sample_more()
    }

    /// Takes the tombstones that were made since the last commit, oldest first.
    fn deleted(&mut self) -> Result<Vec<NodeId>> {
        let (mut deleted, mut buffer) = (Vec::new(), Vec::new());
        let mut id = std::mem::replace(&mut self.header.last_deleted, NodeId::FREE);
        while id != NodeId::FREE {
            let node = self.store.node(id, &mut buffer)?;
            let is_one = node.is_tombstone() && !node.is_pending();
            if !is_one || deleted.len() >= self.header.tombstones as usize {
                let reason = "it is listed as deleted, and is not";
                return Err(Error::corrupt(format!("node {id}"), reason));
            }
            deleted.push(id);
            id = node.other_deleted();
            self.store.flush_if_full()?;
        }
        deleted.reverse();
        Ok(deleted)
    }

    /// Queues tombstones. They leave the queue when the sweep has come round.
    fn queue(&mut self, deleted: &[NodeId]) -> Result<()> {
        let (Some(&first), Some(&last)) = (deleted.first(), deleted.last()) else { return Ok(()) };
        let mut buffer = Vec::new();
        let nexts = deleted.iter().skip(1).copied().chain([NodeId::FREE]);
        for (&id, next) in deleted.iter().zip(nexts) {
            let mut row = self.store.node(id, &mut buffer)?.row().to_vec();
            set_next_deleted(&mut row, next);
            set_queued(&mut row, self.header.round, self.header.swept);
            self.store.put_node(id, &row)?;
            self.store.flush_if_full()?;
        }
        match std::mem::replace(&mut self.header.newest, last) {
            NodeId::FREE => self.header.oldest = first,
            newest => {
                let node = self.store.node(newest, &mut buffer)?;
                if !node.is_tombstone() || node.is_pending() {
                    return Err(Error::corrupt(format!("node {newest}"), "it is queued as deleted, and is not"));
                }
                let mut row = node.row().to_vec();
                set_next_deleted(&mut row, first);
                self.store.put_node(newest, &row)?;
            }
        }
        Ok(())
    }

    /// Removes the tombstones that nothing links to any more. Returns whether there were any.
    fn remove_unlinked(&mut self) -> Result<bool> {
        let (mut buffer, before) = (Vec::new(), self.header.free);
        while self.header.oldest != NodeId::FREE {
            let id = self.header.oldest;
            let node = self.store.node(id, &mut buffer)?;
            if !node.is_tombstone() || node.is_pending() {
                let reason = "it is queued as deleted, and is not";
                return Err(Error::corrupt(format!("node {id}"), reason));
            }
            if !node.is_unlinked(self.header.round, self.header.swept) {
                break;
            }
            self.header.oldest = node.other_deleted();
            self.remove(id)?;
            self.store.check_interrupt()?;
            self.store.flush_if_full()?;
        }
        if self.header.oldest == NodeId::FREE {
            self.header.newest = NodeId::FREE;
        }
        Ok(self.header.free > before)
    }

    fn remove(&mut self, id: NodeId) -> Result<()> {
        self.header.linked = self.header.linked.saturating_sub(1);
        self.header.tombstones = self.header.tombstones.saturating_sub(1);
        if is_sampled(id, self.header.sampled) {
            self.entry.remove(self.spec, id);
            self.entry_changed = true;
        }
        self.free(id)
    }

    /// Leaves of a row its id, for an insertion to use.
    pub(super) fn free(&mut self, id: NodeId) -> Result<()> {
        self.store.put_node(id, &write_free_row(self.header.first_free))?;
        self.header.first_free = id;
        self.header.free += 1;
        Ok(())
    }

    /// Draws the entry sample anew if the graph has shrunk much: otherwise it could become empty.
    fn sample_more(&mut self) -> Result<()> {
        let linked = self.header.linked;
        if linked > self.header.sampled / SHRUNK && !self.entry.is_empty() {
            return Ok(());
        }
        let (before, next_id) = (self.header.sampled, self.header.next_id);
        self.header.sampled = linked;
        let (mut rotated, mut buffer) = (vec![0f32; self.spec.padded()], Vec::new());
        let is_new = |id: NodeId| is_sampled(id, linked) && !is_sampled(id, before);
        for id in (0..next_id).map(NodeId) {
            if id.0.is_multiple_of(INTERRUPT_STRIDE) {
                self.store.check_interrupt()?;
            }
            if !is_new(id) || !self.store.is_linked(id)? {
                continue;
            }
            self.spec.rotate(self.store.node(id, &mut buffer)?.vector(), &mut rotated);
            self.entry.push(self.spec, id, &rotated);
            self.entry_changed = true;
        }
        Ok(())
    }
}
