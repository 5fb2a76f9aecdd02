//! The entry blob of a vector column (`<table>_graph.entry`): the codes of a sample of nodes about their mean.
//!
//! ```text
//! 0   u8   version (1)
//! 1   u8   reserved [3], 0
//! 4   u32  count
//! 8   f32  mean [p], in rotated space
//! ..  ceil(count / 32) groups of: u32 id[32] | f32 F1[32] | f32 F0[32] | codes of one plane-set (see `node`)
//! ```
//! A free lane of the last group has id 0xFFFFFFFF. Later versions may put a graph of the sample behind the groups.

use super::node::{LANES, NodeId};
use super::{f32_at, u32_at};
use crate::error::{Error, Result};

pub const ENTRY_VERSION: u8 = 1;
const MEAN_OFFSET: usize = 8;
/// Bytes of a group before its codes.
const GROUP_HEAD: usize = 3 * 4 * LANES;

/// The decoded sample: structure of arrays, whole groups of 32.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntryBlob {
    /// Samples in use.
    pub count: usize,
    /// Centre of the codes, in rotated space.
    pub mean: Vec<f32>,
    /// Padded to whole groups with 0xFFFFFFFF.
    pub ids: Vec<NodeId>,
    pub f1: Vec<f32>,
    pub f0: Vec<f32>,
    pub codes: Vec<u8>,
}

impl EntryBlob {
    pub fn encode(&self) -> Vec<u8> {
        let groups = self.count.div_ceil(LANES);
        let group_bytes = self.codes.len().checked_div(groups).unwrap_or(0);
        let mut blob = vec![ENTRY_VERSION, 0, 0, 0];
        blob.extend_from_slice(&(self.count as u32).to_le_bytes());
        blob.extend(self.mean.iter().flat_map(|x| x.to_le_bytes()));
        for group in 0..groups {
            let lanes = group * LANES..(group + 1) * LANES;
            blob.extend(self.ids[lanes.clone()].iter().flat_map(|x| x.to_le_bytes()));
            blob.extend(self.f1[lanes.clone()].iter().flat_map(|x| x.to_le_bytes()));
            blob.extend(self.f0[lanes].iter().flat_map(|x| x.to_le_bytes()));
            blob.extend_from_slice(&self.codes[group * group_bytes..(group + 1) * group_bytes]);
        }
        blob
    }

    /// `padded`: p. `group_bytes`: bytes of a group's codes. `next_id`: every id must be below it. `place` names the row.
    pub fn decode(blob: &[u8], padded: usize, group_bytes: usize, next_id: u32, place: &str) -> Result<EntryBlob> {
        if blob.is_empty() {
            return Ok(EntryBlob::default());
        }
        let count = u32_at(blob, 4) as usize;
        let groups_offset = MEAN_OFFSET + 4 * padded;
        let stride = GROUP_HEAD + group_bytes;
        let expected = groups_offset as u64 + count.div_ceil(LANES) as u64 * stride as u64;
        if blob[0] != ENTRY_VERSION || blob.len() as u64 != expected {
            return Err(Error::corrupt(
                place,
                format!(
                    "entry version {} with {count} samples: expected version {ENTRY_VERSION}, {expected} bytes, got {}",
                    blob[0],
                    blob.len()
                ),
            ));
        }
        let mut entry = EntryBlob { count, mean: floats(&blob[MEAN_OFFSET..groups_offset]), ..EntryBlob::default() };
        for group in blob[groups_offset..].chunks_exact(stride) {
            entry.ids.extend((0..LANES).map(|lane| u32_at(group, 4 * lane)));
            entry.f1.extend(floats(&group[4 * LANES..8 * LANES]));
            entry.f0.extend(floats(&group[8 * LANES..GROUP_HEAD]));
            entry.codes.extend_from_slice(&group[GROUP_HEAD..]);
        }
        match entry.ids[..count].iter().find(|&&id| id >= next_id) {
            Some(id) => Err(Error::corrupt(place, format!("entry sample {id}, every id is below {next_id}"))),
            None => Ok(entry),
        }
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    (0..bytes.len() / 4).map(|i| f32_at(bytes, 4 * i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> EntryBlob {
        EntryBlob {
            count: 33,
            mean: vec![0.5; 64],
            ids: (0..33).chain(std::iter::repeat_n(u32::MAX, 31)).collect(),
            f1: vec![1.0; 64],
            f0: vec![2.0; 64],
            codes: vec![9; 2 * 256],
        }
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
            "t_graph is damaged: entry version 1 with 33 samples: expected version 1, 1544 bytes, got 99"
        );
    }
}
