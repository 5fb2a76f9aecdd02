//! The header blob of a vector column (`<table>_graph.header`): what a search must know before its first row.
//!
//! ```text
//! 0   u32  format version (3)
//! 4   u32  dimensions
//! 8   u8   element: 0 FLOAT, 1 FLOAT16, 2 INT8, 3 BIT
//! 9   u8   metric: 0 cosine, 1 l2, 2 dot, 3 hamming
//! 10  u8   bits per dimension in the codes: 1, 2 or 4
//! 11  u8   reserved, 0
//! 12  u32  degree R
//! 16  u64  rotation seed
//! 24  u32  linked nodes, tombstones included
//! 28  u32  tombstones
//! 32  u32  pending nodes
//! 36  u32  next id: every id in use is below it
//! 40  u32  the pending node written last
//! 44  u32  the tombstone made last by the current transaction
//! 48  u8   generation [16]
//! 64  u32  the free id to be used next
//! 68  u32  free ids below the next id
//! 72  u32  the sweep goes on at this id; 0xFFFFFFFF = it has passed the last row
//! 76  u32  rounds that the sweep has ended
//! 80  u32  rows that the next commit has to sweep, or tombstones to free
//! 84  u32  the most linked nodes since the graph was built: the size that the entry sample is drawn for
//! 88  u32  the oldest tombstone
//! 92  u32  the newest tombstone that a commit has queued
//! ```

use super::node::NodeId;
use super::{FORMAT_VERSION, array_at, check_version, u32_at, u64_at};
use crate::error::{Error, Result};

const DIMS_OFFSET: usize = 4;
const ELEMENT_OFFSET: usize = 8;
const DEGREE_OFFSET: usize = 12;
const SEED_OFFSET: usize = 16;
const LINKED_OFFSET: usize = 24;
const GENERATION_OFFSET: usize = 48;
const FREE_OFFSET: usize = GENERATION_OFFSET + 16;
pub const HEADER_BYTES: usize = FREE_OFFSET + 32;

/// A hash that changes with every transaction that writes the graph; the key of all that is cached.
pub type Generation = [u8; 16];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub dims: u32,
    pub element: u8,
    pub metric: u8,
    pub bits: u8,
    pub degree: u32,
    pub seed: u64,
    /// Nodes in the graph, tombstones included.
    pub linked: u32,
    pub tombstones: u32,
    /// Nodes written but not linked yet.
    pub pending: u32,
    /// Every id in use is below it.
    pub next_id: u32,
    /// The pending node written last, or FREE. Each names the one before it.
    pub last_pending: NodeId,
    /// The tombstone that the current transaction made last, or FREE. Each names the one before it.
    pub last_deleted: NodeId,
    pub generation: Generation,
    /// The free id to be used next, or FREE. The row of each names another.
    pub first_free: NodeId,
    /// Free ids below `next_id`.
    pub free: u32,
    /// The sweep goes on at this id; u32::MAX if it has passed the last row.
    pub swept: u32,
    /// Rounds that the sweep has ended.
    pub round: u32,
    /// Rows that the next commit has to sweep, or tombstones to free.
    pub owed: u32,
    /// The most linked nodes since the graph was built: the size that the entry sample is drawn for.
    pub sampled: u32,
    /// The oldest tombstone, or FREE. Each names the next one.
    pub oldest: NodeId,
    /// The newest tombstone that a commit has queued, or FREE.
    pub newest: NodeId,
}

/// How many node rows there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Tombstones included.
    pub linked: u32,
    pub tombstones: u32,
    pub pending: u32,
    /// Rows that only keep an id.
    pub free: u32,
}

impl Header {
    pub fn counts(&self) -> Counts {
        Counts { linked: self.linked, tombstones: self.tombstones, pending: self.pending, free: self.free }
    }

    /// Turns the header into that of a graph that was just built of `linked` nodes with ids below `next_id`.
    pub fn set_built(&mut self, linked: u32, next_id: u32) {
        (self.linked, self.sampled, self.next_id) = (linked, linked, next_id);
        (self.tombstones, self.pending, self.free) = (0, 0, 0);
        (self.swept, self.round, self.owed) = (0, 0, 0);
        (self.last_pending, self.last_deleted, self.first_free) = (NodeId::FREE, NodeId::FREE, NodeId::FREE);
        (self.oldest, self.newest) = (NodeId::FREE, NodeId::FREE);
    }

    /// Whether rows wait to be linked, or to be freed because they were deleted before they were linked.
    pub fn has_pending(&self) -> bool {
        self.last_pending != NodeId::FREE
    }

    /// Whether the next commit has to heal the graph.
    pub fn is_hurt(&self) -> bool {
        self.owed > 0 || self.last_deleted != NodeId::FREE
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(HEADER_BYTES);
        blob.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        blob.extend_from_slice(&self.dims.to_le_bytes());
        blob.extend_from_slice(&[self.element, self.metric, self.bits, 0]);
        blob.extend_from_slice(&self.degree.to_le_bytes());
        blob.extend_from_slice(&self.seed.to_le_bytes());
        let (last_pending, last_deleted) = (self.last_pending.0, self.last_deleted.0);
        for count in [self.linked, self.tombstones, self.pending, self.next_id, last_pending, last_deleted] {
            blob.extend_from_slice(&count.to_le_bytes());
        }
        blob.extend_from_slice(&self.generation);
        let (first_free, oldest, newest) = (self.first_free.0, self.oldest.0, self.newest.0);
        for count in [first_free, self.free, self.swept, self.round, self.owed, self.sampled, oldest, newest] {
            blob.extend_from_slice(&count.to_le_bytes());
        }
        blob
    }

    /// `context` names the shadow row in errors.
    pub fn decode(blob: &[u8], context: &str) -> Result<Header> {
        let wrong_length = || {
            let reason = format!("expected {HEADER_BYTES} bytes of header, got {}", blob.len());
            Err(Error::corrupt(context, reason))
        };
        if blob.len() < 4 {
            return wrong_length();
        }
        // Versions differ in length.
        check_version(context, i64::from(u32_at(blob, 0)))?;
        if blob.len() != HEADER_BYTES {
            return wrong_length();
        }
        let [element, metric, bits, reserved] = array_at(blob, ELEMENT_OFFSET);
        let count = |i: usize| u32_at(blob, LINKED_OFFSET + 4 * i);
        let later = |i: usize| u32_at(blob, FREE_OFFSET + 4 * i);
        let header = Header {
            dims: u32_at(blob, DIMS_OFFSET),
            element,
            metric,
            bits,
            degree: u32_at(blob, DEGREE_OFFSET),
            seed: u64_at(blob, SEED_OFFSET),
            linked: count(0),
            tombstones: count(1),
            pending: count(2),
            next_id: count(3),
            last_pending: NodeId(count(4)),
            last_deleted: NodeId(count(5)),
            generation: array_at(blob, GENERATION_OFFSET),
            first_free: NodeId(later(0)),
            free: later(1),
            swept: later(2),
            round: later(3),
            owed: later(4),
            sampled: later(5),
            oldest: NodeId(later(6)),
            newest: NodeId(later(7)),
        };
        if reserved != 0 || !matches!(bits, 1 | 2 | 4) {
            return Err(Error::corrupt(context, format!("bits {bits}, reserved {reserved}")));
        }
        header.check_counts(context)?;
        Ok(header)
    }

    fn check_counts(&self, context: &str) -> Result<()> {
        let Header { linked, tombstones, pending, free, next_id, .. } = *self;
        let counted = u64::from(linked) + u64::from(pending) + u64::from(free);
        let ids = [self.last_pending, self.last_deleted, self.first_free, self.oldest, self.newest];
        if let Some(id) = ids.into_iter().find(|&id| id != NodeId::FREE && id.0 >= next_id) {
            return Err(Error::corrupt(context, format!("it names node {id}, but every id is below {next_id}")));
        }
        if tombstones > linked || counted > u64::from(next_id) {
            let reason = format!(
                "{linked} linked, {tombstones} tombstones, {pending} pending nodes and {free} free below id {next_id}"
            );
            return Err(Error::corrupt(context, reason));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            dims: 256,
            element: 0,
            metric: 0,
            bits: 1,
            degree: 32,
            seed: 42,
            linked: 10,
            tombstones: 3,
            pending: 2,
            next_id: 14,
            last_pending: NodeId(11),
            last_deleted: NodeId::FREE,
            generation: [7; 16],
            first_free: NodeId(4),
            free: 1,
            swept: 5,
            round: 2,
            owed: 30,
            sampled: 11,
            oldest: NodeId(3),
            newest: NodeId(9),
        }
    }

    #[test]
    fn a_header_survives_the_round_trip() {
        assert_eq!(Header::decode(&header().encode(), "t_graph").unwrap(), header());
    }

    #[test]
    fn damage_and_newer_versions_are_named() {
        let error = |blob: &[u8]| Header::decode(blob, "t_graph row 0").unwrap_err().to_string();
        assert_eq!(error(&[1, 2]), "t_graph row 0 is damaged: expected 96 bytes of header, got 2");
        let mut blob = header().encode();
        blob[0] = 4;
        assert_eq!(error(&blob), "t_graph row 0 has format version 4; this vecrank reads 3: upgrade it");
        for version in [1, 2] {
            blob[0] = version;
            let message = "made by a pre-release vecrank: import again";
            assert_eq!(error(&blob[..64]), format!("t_graph row 0 has format version {version}, {message}"));
        }
        blob[0] = 0;
        assert_eq!(error(&blob), "t_graph row 0 is damaged: there is no version 0");
        blob[0] = 3;
        blob[10] = 3;
        assert_eq!(error(&blob), "t_graph row 0 is damaged: bits 3, reserved 0");
        let blob = Header { tombstones: 11, ..header() }.encode();
        assert_eq!(
            error(&blob),
            "t_graph row 0 is damaged: 10 linked, 11 tombstones, 2 pending nodes and 1 free below id 14"
        );
        let blob = Header { last_deleted: NodeId(14), ..header() }.encode();
        assert_eq!(error(&blob), "t_graph row 0 is damaged: it names node 14, but every id is below 14");
    }
}
