//! The node row: everything that one hop of a search needs.
//!
//! Little-endian, R = degree (whole lanes of 32), d = dimensions, p = d padded to a multiple of 64:
//!
//! ```text
//! 0   u8   version (3)
//! 1   u8   flags: 1 tombstone, 2 pending (no links yet), 4 queued in an odd round of the sweep, 8 free id
//! 2   u16  links in use, 0..=R
//! 4   f32  1 / norm of the own vector; 0 under hamming
//! 8   i64  rowid; in a tombstone u32 the next one, 0xFFFFFFFF = none, and u32 where the sweep was when it was queued
//! 16  own vector, the bytes as given: f32 | f16 | i8 | bits [d]
//! ..  u32  neighbour ids [R], 0xFFFFFFFF = free
//! ..  factors F1[R], F0[R] and, under dot, N[R]: f16 under cosine, f32 under l2 and dot; none under hamming
//! ..  codes: R/32 groups of B planes of p/8 blocks of 32 bytes; byte j of block i holds
//!     dimensions 8i..8i+7 of lane j, bit t = dimension 8i+t
//! ```
//!
//! A pending row ends after the own vector and the id (u32) of the pending node written before it, 0xFFFFFFFF = none.
//! Until COMMIT queues it, a tombstone names the one that the same transaction made before it.
//! The row of a free id has 8 bytes: version, flags, 0 (u16), and the free id to be used after it.

use std::fmt;

use super::{BLOB_VERSION, array_at, f32_at, u16_at, u32_at};
use crate::error::{Error, Result};

/// The rowid of a row of the user's: any integer, and no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The dense number of a node: the id of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The id in a free lane of a neighbour list. No node has it.
    pub const FREE: NodeId = NodeId(u32::MAX);

    /// The index of the node in a list of all nodes.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<i64> for NodeId {
    type Error = Error;

    fn try_from(id: i64) -> Result<NodeId> {
        let node = u32::try_from(id).ok().map(NodeId).filter(|&id| id != NodeId::FREE);
        node.ok_or_else(|| Error::internal(format!("{id} is no id of a node")))
    }
}

/// A row, and the node of its vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowNode {
    pub rowid: RowId,
    pub node: NodeId,
}
/// Neighbours whose codes are estimated together.
pub const LANES: usize = 32;

const FLAGS_OFFSET: usize = 1;
const DEGREE_OFFSET: usize = 2;
const INVERSE_NORM_OFFSET: usize = 4;
pub const ROWID_OFFSET: usize = 8;
/// Where the own vector starts.
pub const VECTOR_OFFSET: usize = 16;

const TOMBSTONE: u8 = 1;
const PENDING: u8 = 2;
const ODD_ROUND: u8 = 4;
const FREE: u8 = 8;
const KNOWN: u8 = TOMBSTONE | PENDING | ODD_ROUND;

const NEXT_FREE_OFFSET: usize = 4;
/// Bytes of the row of a free id.
pub const FREE_ROW_BYTES: usize = NEXT_FREE_OFFSET + 4;

/// The layout of the node rows of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeLayout {
    pub vector_bytes: usize,
    /// R: lanes for neighbours, a multiple of 32.
    pub degree: usize,
    /// Bytes of one factor, 2 (f16) or 4 (f32).
    pub factor_bytes: usize,
    /// Factors per neighbour: 0, 2 or 3.
    pub factor_count: usize,
    /// Bytes of the codes of one group of 32.
    pub group_bytes: usize,
}

impl NodeLayout {
    pub fn ids_offset(&self) -> usize {
        VECTOR_OFFSET + self.vector_bytes
    }

    pub fn factors_offset(&self) -> usize {
        self.ids_offset() + 4 * self.degree
    }

    pub fn codes_offset(&self) -> usize {
        self.factors_offset() + self.factor_count * self.factor_bytes * self.degree
    }

    /// Bytes of a linked row.
    pub fn row_bytes(&self) -> usize {
        self.codes_offset() + self.degree / LANES * self.group_bytes
    }

    /// Bytes of a pending row.
    pub fn pending_bytes(&self) -> usize {
        self.ids_offset() + 4
    }

    /// Offset of factor `kind` (0 F1, 1 F0, 2 N) of a lane.
    pub fn factor_offset(&self, kind: usize, lane: usize) -> usize {
        self.factors_offset() + (kind * self.degree + lane) * self.factor_bytes
    }

    /// A row of one vector without links, which names no other pending node. `row` is cleared first.
    pub fn write_pending(&self, row: &mut Vec<u8>, rowid: RowId, inverse_norm: f32, vector: &[u8]) {
        row.clear();
        row.extend_from_slice(&[BLOB_VERSION, PENDING, 0, 0]);
        row.extend_from_slice(&inverse_norm.to_le_bytes());
        row.extend_from_slice(&rowid.0.to_le_bytes());
        row.extend_from_slice(vector);
        row.extend_from_slice(&NodeId::FREE.0.to_le_bytes());
    }

    /// Makes a pending row name the one written before it.
    pub fn set_previous(&self, row: &mut [u8], previous: NodeId) {
        let offset = self.ids_offset();
        row[offset..offset + 4].copy_from_slice(&previous.0.to_le_bytes());
    }

    /// Turns a pending row into a linked one with every lane free.
    pub fn make_linked(&self, row: &mut Vec<u8>) {
        row.truncate(self.ids_offset());
        row[FLAGS_OFFSET] &= !PENDING;
        set_degree(row, 0);
        row.resize(self.factors_offset(), 0xff);
        row.resize(self.row_bytes(), 0);
    }

    /// Reads a row. Checks everything that needs no other row.
    #[inline]
    pub fn read<'a>(&self, id: NodeId, row: &'a [u8]) -> Result<Node<'a>> {
        let linked = row.len() == self.row_bytes();
        let flags = row.get(FLAGS_OFFSET).copied().unwrap_or(0);
        let degree = usize::from(u16_at(row, DEGREE_OFFSET));
        let sound = row.first() == Some(&BLOB_VERSION)
            && flags & !KNOWN == 0
            && degree <= self.degree
            && (if flags & PENDING == 0 { linked } else { row.len() == self.pending_bytes() && degree == 0 });
        if !sound {
            return Err(self.explain(id, row));
        }
        let (links, factors, codes) = if linked {
            let (rest, codes) = row.split_at(self.codes_offset());
            let (rest, factors) = rest.split_at(self.factors_offset());
            (&rest[self.ids_offset()..], factors, codes)
        } else {
            (&row[self.ids_offset()..], &row[..0], &row[..0])
        };
        Ok(Node { id, flags, degree, head: row, vector_bytes: self.vector_bytes, links, factors, codes })
    }

    /// Reads what the tree of parents needs, from the head of a linked row and the id in its first lane; None if the head
    /// is no sound one.
    pub fn read_kin(&self, head: &[u8; VECTOR_OFFSET], first: [u8; 4]) -> Option<Kin> {
        let (flags, degree) = (head[FLAGS_OFFSET], u16_at(head, DEGREE_OFFSET));
        let is_sound = head[0] == BLOB_VERSION && flags & !(TOMBSTONE | ODD_ROUND) == 0;
        let parent = (degree > 0).then(|| NodeId(u32::from_le_bytes(first)));
        (is_sound && usize::from(degree) <= self.degree).then_some(Kin { is_live: flags & TOMBSTONE == 0, parent })
    }

    #[cold]
    fn explain(&self, id: NodeId, row: &[u8]) -> Error {
        let context = format!("node {id}");
        let flags = row.get(FLAGS_OFFSET).copied().unwrap_or(0);
        let degree = usize::from(u16_at(row, DEGREE_OFFSET));
        let expected = if flags & PENDING == 0 { self.row_bytes() } else { self.pending_bytes() };
        let reason = if row.first() != Some(&BLOB_VERSION) {
            format!("expected node version {BLOB_VERSION}, got {:?}", row.first())
        } else if free_row(row).is_some() {
            "its id is free".to_string()
        } else if flags & !KNOWN != 0 {
            format!("unknown flags {flags:#04x}")
        } else if row.len() != expected {
            format!("expected {expected} bytes, got {}", row.len())
        } else {
            format!("degree {degree}, at most {}", if flags & PENDING == 0 { self.degree } else { 0 })
        };
        Error::corrupt(context, reason)
    }
}

/// A checked view of a node row.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    pub id: NodeId,
    flags: u8,
    degree: usize,
    head: &'a [u8],
    vector_bytes: usize,
    links: &'a [u8],
    /// F1[R], F0[R] and, under dot, N[R]; none under hamming.
    pub factors: &'a [u8],
    pub codes: &'a [u8],
}

/// What the tree of parents needs of a linked node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kin {
    pub is_live: bool,
    /// The target of the first link.
    pub parent: Option<NodeId>,
}

impl<'a> Node<'a> {
    pub fn kin(&self) -> Kin {
        Kin { is_live: self.flags & (TOMBSTONE | PENDING) == 0, parent: self.neighbours().next() }
    }

    /// The bytes of the row.
    pub fn row(&self) -> &'a [u8] {
        self.head
    }

    pub fn is_tombstone(&self) -> bool {
        self.flags & TOMBSTONE != 0
    }

    pub fn is_pending(&self) -> bool {
        self.flags & PENDING != 0
    }

    /// Whether the sweep, now at `swept` in its round `round`, has passed every node since this tombstone was queued. A
    /// tombstone stays in the queue for less than two rounds.
    pub fn is_unlinked(&self, round: u32, swept: u32) -> bool {
        let was_odd = self.flags & ODD_ROUND != 0;
        was_odd != is_odd(round) && u32_at(self.head, ROWID_OFFSET + 4) <= swept
    }

    /// The pending node written before this one, or FREE.
    pub fn previous_pending(&self) -> NodeId {
        NodeId(u32_at(self.links, 0))
    }

    /// The tombstone queued after this one, or FREE; until COMMIT the one that the transaction made before it.
    pub fn other_deleted(&self) -> NodeId {
        NodeId(u32_at(self.head, ROWID_OFFSET))
    }

    /// Links in use; their lanes are 0..degree.
    pub fn degree(&self) -> usize {
        self.degree
    }

    pub fn inverse_norm(&self) -> f32 {
        f32_at(self.head, INVERSE_NORM_OFFSET)
    }

    pub fn rowid(&self) -> RowId {
        RowId(i64::from_le_bytes(array_at(self.head, ROWID_OFFSET)))
    }

    /// The own vector, as it was given.
    pub fn vector(&self) -> &'a [u8] {
        &self.head[VECTOR_OFFSET..VECTOR_OFFSET + self.vector_bytes]
    }

    /// The id in a lane below `degree`.
    #[inline]
    pub fn neighbour(&self, lane: usize) -> NodeId {
        NodeId(u32_at(self.links, 4 * lane))
    }

    /// The ids in lanes 32 g .. 32 g + 32; those from `degree` on mean nothing.
    #[inline]
    pub fn neighbours_of(&self, group: usize, out: &mut [NodeId; LANES]) {
        for (id, bytes) in out.iter_mut().zip(self.links[4 * group * LANES..].as_chunks::<4>().0) {
            *id = NodeId(u32::from_le_bytes(*bytes));
        }
    }

    pub fn neighbours(&self) -> impl Iterator<Item = NodeId> + use<'a> {
        let links = self.links;
        (0..self.degree).map(move |lane| NodeId(u32_at(links, 4 * lane)))
    }
}

/// Whether a row, however damaged, is marked deleted: its rowid then is none.
pub fn is_marked_deleted(row: &[u8]) -> bool {
    row.get(FLAGS_OFFSET).is_some_and(|flags| flags & TOMBSTONE != 0)
}

/// Marks a row deleted: it still routes, but belongs to no rowid. It names the tombstone made before it.
pub fn set_tombstone(row: &mut [u8], previous: NodeId) {
    row[FLAGS_OFFSET] |= TOMBSTONE;
    set_rowid(row, RowId(i64::from(previous.0)));
}

/// Makes a tombstone name the one that is queued after it.
pub fn set_next_deleted(row: &mut [u8], next: NodeId) {
    row[ROWID_OFFSET..ROWID_OFFSET + 4].copy_from_slice(&next.0.to_le_bytes());
}

/// Notes where the sweep is when a tombstone is queued.
pub fn set_queued(row: &mut [u8], round: u32, swept: u32) {
    row[FLAGS_OFFSET] |= if is_odd(round) { ODD_ROUND } else { 0 };
    row[ROWID_OFFSET + 4..VECTOR_OFFSET].copy_from_slice(&swept.to_le_bytes());
}

fn is_odd(round: u32) -> bool {
    round % 2 == 1
}

/// The row of a free id.
pub fn write_free_row(next: NodeId) -> [u8; FREE_ROW_BYTES] {
    let mut row = [BLOB_VERSION, FREE, 0, 0, 0, 0, 0, 0];
    row[NEXT_FREE_OFFSET..].copy_from_slice(&next.0.to_le_bytes());
    row
}

/// The free id after this one, or FREE; None if it is not the row of a free id.
pub fn free_row(row: &[u8]) -> Option<NodeId> {
    let is_free = row.len() == FREE_ROW_BYTES && row[..NEXT_FREE_OFFSET] == [BLOB_VERSION, FREE, 0, 0];
    is_free.then(|| NodeId(u32_at(row, NEXT_FREE_OFFSET)))
}

pub fn set_rowid(row: &mut [u8], rowid: RowId) {
    row[ROWID_OFFSET..VECTOR_OFFSET].copy_from_slice(&rowid.0.to_le_bytes());
}

/// Writes the count of links in use, at most R.
pub fn set_degree(row: &mut [u8], degree: u16) {
    row[DEGREE_OFFSET..INVERSE_NORM_OFFSET].copy_from_slice(&degree.to_le_bytes());
}

/// Copies one lane (id, factors, code) of a linked row into a lane of another.
pub fn copy_lane(layout: &NodeLayout, from: &[u8], from_lane: usize, to: &mut [u8], to_lane: usize) {
    let mut copy = |from_offset: usize, to_offset: usize, bytes: usize| {
        to[to_offset..to_offset + bytes].copy_from_slice(&from[from_offset..from_offset + bytes]);
    };
    copy(layout.ids_offset() + 4 * from_lane, layout.ids_offset() + 4 * to_lane, 4);
    for kind in 0..layout.factor_count {
        copy(layout.factor_offset(kind, from_lane), layout.factor_offset(kind, to_lane), layout.factor_bytes);
    }
    let code = |lane: usize| layout.codes_offset() + lane / LANES * layout.group_bytes + lane % LANES;
    for block in 0..layout.group_bytes / LANES {
        copy(code(from_lane) + block * LANES, code(to_lane) + block * LANES, 1);
    }
}

/// Writes the id in a lane of a linked row.
pub fn set_neighbour(layout: &NodeLayout, row: &mut [u8], lane: usize, id: NodeId) {
    let offset = layout.ids_offset() + 4 * lane;
    row[offset..offset + 4].copy_from_slice(&id.0.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: NodeLayout =
        NodeLayout { vector_bytes: 1024, degree: 32, factor_bytes: 2, factor_count: 2, group_bytes: 1024 };

    #[test]
    fn a_float_256_row_has_2320_bytes() {
        assert_eq!(LAYOUT.row_bytes(), 2320);
    }

    #[test]
    fn a_row_survives_the_round_trip() {
        let mut row = Vec::new();
        LAYOUT.write_pending(&mut row, RowId(-7), 0.5, &[3; 1024]);
        let node = LAYOUT.read(NodeId(9), &row).unwrap();
        assert!(node.is_pending() && !node.is_tombstone());
        assert_eq!((node.rowid(), node.inverse_norm(), node.vector()), (RowId(-7), 0.5, &[3u8; 1024][..]));
        assert_eq!(node.previous_pending(), NodeId::FREE);
        LAYOUT.set_previous(&mut row, NodeId(8));
        assert_eq!(LAYOUT.read(NodeId(9), &row).unwrap().previous_pending(), NodeId(8));
        LAYOUT.make_linked(&mut row);
        set_degree(&mut row, 2);
        set_neighbour(&LAYOUT, &mut row, 0, NodeId(4));
        set_neighbour(&LAYOUT, &mut row, 1, NodeId(70_000));
        set_tombstone(&mut row, NodeId(6));
        let node = LAYOUT.read(NodeId(9), &row).unwrap();
        assert!(node.is_tombstone() && !node.is_pending());
        assert_eq!(node.other_deleted(), NodeId(6));
        set_next_deleted(&mut row, NodeId(5));
        for (round, swept) in [(7, 500), (8, 500)] {
            let mut row = row.clone();
            set_queued(&mut row, round, swept);
            let node = LAYOUT.read(NodeId(9), &row).unwrap();
            assert_eq!((node.is_tombstone(), node.other_deleted()), (true, NodeId(5)));
            let at = [(round, u32::MAX), (round + 1, 499), (round + 1, 500)];
            assert_eq!(at.map(|(round, swept)| node.is_unlinked(round, swept)), [false, false, true]);
        }
        let node = LAYOUT.read(NodeId(9), &row).unwrap();
        assert_eq!(node.neighbours().collect::<Vec<_>>(), [4, 70_000].map(NodeId));
        assert_eq!(node.codes.len(), 1024);
    }

    #[test]
    fn a_free_row_names_the_next() {
        let row = write_free_row(NodeId(70_000));
        assert_eq!(free_row(&row), Some(NodeId(70_000)));
        assert_eq!(LAYOUT.read(NodeId(5), &row).unwrap_err().to_string(), "node 5 is damaged: its id is free");
        let mut linked = Vec::new();
        LAYOUT.write_pending(&mut linked, RowId(1), 1.0, &[0; 1024]);
        assert_eq!((free_row(&linked), free_row(&row[..7]), free_row(&[])), (None, None, None));
    }

    #[test]
    fn damage_is_named() {
        let mut row = Vec::new();
        LAYOUT.write_pending(&mut row, RowId(1), 1.0, &[0; 1024]);
        LAYOUT.make_linked(&mut row);
        let error = |row: &[u8]| LAYOUT.read(NodeId(5), row).unwrap_err().to_string();
        assert_eq!(error(&[]), "node 5 is damaged: expected node version 3, got None");
        assert_eq!(error(&row[..100]), "node 5 is damaged: expected 2320 bytes, got 100");
        row[2] = 33;
        assert_eq!(error(&row), "node 5 is damaged: degree 33, at most 32");
        row[1] = 0x80;
        assert_eq!(error(&row), "node 5 is damaged: unknown flags 0x80");
        row[0] = 9;
        assert_eq!(error(&row), "node 5 is damaged: expected node version 3, got Some(9)");
    }
}
