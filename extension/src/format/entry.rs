//! The entry blob of a vector column (`<table>_graph.entry`): the centre of the graph, and the codes of a sample of
//! nodes.
//!
//! ```text
//! 0   u8   version (3)
//! 1   u8   kind: 0, a flat list
//! 2   u8   reserved [2], 0
//! 4   u32  count
//! 8   f32  centre [d], not rotated; under cosine of vectors of unit length; unused under hamming
//! ..  ceil(count / 32) groups of: u32 id[32] | f32 F1[32] | f32 F0[32] | codes of one plane-set (see `node`)
//! ```
//! A free lane of the last group has id 0xFFFFFFFF.

use super::node::{LANES, NodeId};
use super::{BLOB_VERSION, f32_at, u32_at};
use crate::error::{Error, Result};

const KIND_OFFSET: usize = 1;
const FLAT: u8 = 0;
const CENTRE_OFFSET: usize = 8;
/// Bytes of a group before its codes.
pub const GROUP_HEAD: usize = 3 * 4 * LANES;
const F1_OFFSET: usize = 4 * LANES;
const F0_OFFSET: usize = 8 * LANES;

/// The checked sample; the groups stay as they lie in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntryBlob {
    /// Samples in use.
    pub count: usize,
    /// Centre of the graph, d components.
    pub centre: Vec<f32>,
    /// Whole groups.
    pub groups: Vec<u8>,
}

/// One group of 32 samples.
#[derive(Debug, Clone, Copy)]
pub struct EntryGroup<'a> {
    bytes: &'a [u8],
}

impl<'a> EntryGroup<'a> {
    /// `bytes`: one whole group.
    pub fn new(bytes: &'a [u8]) -> EntryGroup<'a> {
        EntryGroup { bytes }
    }

    #[inline]
    pub fn id(&self, lane: usize) -> NodeId {
        NodeId(u32_at(self.bytes, 4 * lane))
    }

    /// 32 factors, little-endian f32.
    #[inline]
    pub fn f1(&self) -> &'a [u8] {
        &self.bytes[F1_OFFSET..F0_OFFSET]
    }

    #[inline]
    pub fn f0(&self) -> &'a [u8] {
        &self.bytes[F0_OFFSET..GROUP_HEAD]
    }

    #[inline]
    pub fn codes(&self) -> &'a [u8] {
        &self.bytes[GROUP_HEAD..]
    }
}

/// Writes id and factors of a lane of a group.
pub fn set_lane(group: &mut [u8], lane: usize, id: NodeId, factors: (f32, f32)) {
    let words = [(0, id.0.to_le_bytes()), (F1_OFFSET, factors.0.to_le_bytes()), (F0_OFFSET, factors.1.to_le_bytes())];
    for (offset, word) in words {
        group[offset + 4 * lane..offset + 4 * lane + 4].copy_from_slice(&word);
    }
}

impl EntryBlob {
    pub fn encode(&self) -> Vec<u8> {
        let mut blob = vec![BLOB_VERSION, FLAT, 0, 0];
        blob.extend_from_slice(&(self.count as u32).to_le_bytes());
        blob.extend(self.centre.iter().flat_map(|x| x.to_le_bytes()));
        blob.extend_from_slice(&self.groups);
        blob
    }

    /// `dims`: d. `group_bytes`: bytes of a group's codes. `next_id`: every id must be below it. `context` names the
    /// row.
    pub fn decode(blob: &[u8], dims: usize, group_bytes: usize, next_id: u32, context: &str) -> Result<EntryBlob> {
        if blob.is_empty() {
            return Ok(EntryBlob::default());
        }
        let count = u32_at(blob, 4) as usize;
        let groups_offset = CENTRE_OFFSET + 4 * dims;
        let stride = GROUP_HEAD + group_bytes;
        let expected = groups_offset as u64 + count.div_ceil(LANES) as u64 * stride as u64;
        if blob[0] != BLOB_VERSION || blob.len() as u64 != expected {
            return Err(Error::corrupt(
                context,
                format!(
                    "entry version {} with {count} samples: expected version {BLOB_VERSION}, {expected} bytes, got {}",
                    blob[0],
                    blob.len()
                ),
            ));
        }
        if blob[KIND_OFFSET] != FLAT {
            return Err(Error::Unsupported(format!(
                "{context} has an entry sample of kind {}; this vecrank reads kind {FLAT}: upgrade it",
                blob[KIND_OFFSET]
            )));
        }
        if let Some(reserved) = blob[2..4].iter().find(|&&byte| byte != 0) {
            return Err(Error::corrupt(context, format!("entry with the reserved byte {reserved}: expected 0")));
        }
        let centre: Vec<f32> = (CENTRE_OFFSET..groups_offset).step_by(4).map(|offset| f32_at(blob, offset)).collect();
        if let Some(x) = centre.iter().find(|x| !x.is_finite()) {
            return Err(Error::corrupt(context, format!("a centre with the component {x}: expected finite numbers")));
        }
        let entry = EntryBlob { count, centre, groups: blob[groups_offset..].to_vec() };
        let ids = entry.groups.chunks_exact(stride).flat_map(|group| (0..LANES).map(|lane| u32_at(group, 4 * lane)));
        match ids.take(count).find(|&id| id >= next_id) {
            Some(id) => Err(Error::corrupt(context, format!("entry sample {id}, every id is below {next_id}"))),
            None => Ok(entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> EntryBlob {
        let mut groups = vec![9; 2 * (GROUP_HEAD + 256)];
        for (group, bytes) in groups.chunks_exact_mut(GROUP_HEAD + 256).enumerate() {
            for lane in 0..LANES {
                let id = (LANES * group + lane) as u32;
                set_lane(bytes, lane, NodeId(if id < 33 { id } else { u32::MAX }), (1.0, 2.0));
            }
        }
        EntryBlob { count: 33, centre: vec![0.5; 64], groups }
    }

    #[test]
    fn an_entry_blob_survives_the_round_trip() {
        assert_eq!(EntryBlob::decode(&entry().encode(), 64, 256, 33, "t_graph").unwrap(), entry());
        assert_eq!(EntryBlob::decode(&[], 64, 256, 0, "t_graph").unwrap(), EntryBlob::default());
    }

    #[test]
    fn damage_is_named() {
        let blob = entry().encode();
        let error =
            |blob: &[u8], next_id| EntryBlob::decode(blob, 64, 256, next_id, "t_graph").unwrap_err().to_string();
        assert_eq!(error(&blob, 20), "t_graph is damaged: entry sample 20, every id is below 20");
        assert_eq!(
            error(&blob[..99], 33),
            "t_graph is damaged: entry version 3 with 33 samples: expected version 3, 1544 bytes, got 99"
        );
        let patched = |offset: usize, bytes: &[u8]| {
            let mut blob = blob.clone();
            blob[offset..offset + bytes.len()].copy_from_slice(bytes);
            error(&blob, 33)
        };
        assert_eq!(patched(1, &[1]), "t_graph has an entry sample of kind 1; this vecrank reads kind 0: upgrade it");
        assert_eq!(patched(3, &[7]), "t_graph is damaged: entry with the reserved byte 7: expected 0");
        assert_eq!(
            patched(12, &f32::NAN.to_le_bytes()),
            "t_graph is damaged: a centre with the component NaN: expected finite numbers"
        );
    }
}
