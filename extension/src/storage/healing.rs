//! Heals a graph at COMMIT: the part of a sweep that the deletions of the transaction pay for.

use super::linking::Update;
use crate::error::{Error, Result};
use crate::format::node::{NodeId, set_next_deleted, set_queued, write_free_row};
use crate::hnsw::{GraphStore, Sweep, is_sampled};

/// The sweep has passed the last row. The round ends when all tombstones of the round before are freed: a flag tells the
/// tombstones of one round from those of the next, and no others.
const ROUND_OVER: u32 = u32::MAX;
/// The most rows that one part of a sweep lists.
const PART: u32 = 1024;
/// The entry sample is drawn anew when the graph has shrunk to one in so many nodes.
const SHRUNK: u32 = 4;
/// Ids between two checks of the host's interrupt flag.
const INTERRUPT_STRIDE: u32 = 1 << 16;

impl Update<'_> {
    /// Sweeps as many rows as are owed. Freeing a node counts as sweeping one row.
    pub(super) fn heal(&mut self) -> Result<()> {
        let deleted = self.deleted()?;
        self.queue(&deleted)?;
        // Two rounds free every tombstone.
        let (linked, tombstones) = (self.header.linked, self.header.tombstones);
        let mut left = self.header.owed.min(linked.saturating_mul(2).saturating_add(tombstones));
        self.header.owed = 0;
        let (mut sweep, last_round) = (Sweep::new(self.spec), self.header.round.wrapping_add(2));
        while left > 0 && self.header.round != last_round {
            self.store.check_interrupt()?;
            let freed = self.remove_unlinked(left)?;
            left -= freed;
            if left == 0 {
                break;
            }
            if self.header.swept == ROUND_OVER {
                self.header.swept = 0;
                self.header.round = self.header.round.wrapping_add(1);
            }
            if freed > 0 {
                // A part of the sweep must not depend on what is still in memory.
                self.store.write()?;
            }
            let part = self.store.rows_from(NodeId(self.header.swept), left.min(PART))?;
            for &id in &part.ids {
                sweep.pass(&mut self.store, id)?;
                self.store.flush_if_full()?;
            }
            left -= part.rows.clamp(1, left);
            self.header.swept = part.next.map_or(ROUND_OVER, |id| id.0);
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

    /// Removes tombstones that nothing links to any more. Returns how many, `most` at most.
    fn remove_unlinked(&mut self, most: u32) -> Result<u32> {
        let (mut buffer, mut removed) = (Vec::new(), 0);
        while removed < most && self.header.oldest != NodeId::FREE {
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
            removed += 1;
            self.store.check_interrupt()?;
            self.store.flush_if_full()?;
        }
        if self.header.oldest == NodeId::FREE {
            self.header.newest = NodeId::FREE;
        }
        Ok(removed)
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
