//! The header blob of a vector column (`<table>_graph.header`): what a search must know before its first row.
//!
//! ```text
//! 0   u32  format version (2)
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
//! 40  u32  synced id: pending nodes have ids at or above it
//! 44  u32  reserved, 0
//! 48  u8   generation [16]
//! ```

use super::{FORMAT_VERSION, array_at, check_version, u32_at, u64_at};
use crate::error::{Error, Result};

const DIMS_OFFSET: usize = 4;
const ELEMENT_OFFSET: usize = 8;
const DEGREE_OFFSET: usize = 12;
const SEED_OFFSET: usize = 16;
const LINKED_OFFSET: usize = 24;
const GENERATION_OFFSET: usize = 48;
pub const HEADER_BYTES: usize = GENERATION_OFFSET + 16;

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
    /// `next_id` when the graph was last complete: pending ids are at or above it.
    pub synced_id: u32,
    pub generation: Generation,
}

/// How many node rows there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Tombstones included.
    pub linked: u32,
    pub tombstones: u32,
    pub pending: u32,
}

impl Header {
    pub fn counts(&self) -> Counts {
        Counts { linked: self.linked, tombstones: self.tombstones, pending: self.pending }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(HEADER_BYTES);
        blob.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        blob.extend_from_slice(&self.dims.to_le_bytes());
        blob.extend_from_slice(&[self.element, self.metric, self.bits, 0]);
        blob.extend_from_slice(&self.degree.to_le_bytes());
        blob.extend_from_slice(&self.seed.to_le_bytes());
        for count in [self.linked, self.tombstones, self.pending, self.next_id, self.synced_id, 0] {
            blob.extend_from_slice(&count.to_le_bytes());
        }
        blob.extend_from_slice(&self.generation);
        blob
    }

    /// `context` names the shadow row in errors.
    pub fn decode(blob: &[u8], context: &str) -> Result<Header> {
        if blob.len() != HEADER_BYTES {
            return Err(Error::corrupt(
                context,
                format!("expected {HEADER_BYTES} bytes of header, got {}", blob.len()),
            ));
        }
        let version = u32_at(blob, 0);
        check_version(context, i64::from(version))?;
        let [element, metric, bits, reserved] = array_at(blob, ELEMENT_OFFSET);
        let count = |i: usize| u32_at(blob, LINKED_OFFSET + 4 * i);
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
            synced_id: count(4),
            generation: array_at(blob, GENERATION_OFFSET),
        };
        let counted = u64::from(header.linked) + u64::from(header.pending);
        if reserved != 0 || count(5) != 0 || !matches!(bits, 1 | 2 | 4) {
            return Err(Error::corrupt(context, format!("bits {bits}, reserved {reserved} and {}", count(5))));
        }
        let counts_hold = header.tombstones <= header.linked && counted <= u64::from(header.next_id);
        if !counts_hold || header.synced_id > header.next_id {
            return Err(Error::corrupt(
                context,
                format!(
                    "{} linked, {} tombstones, {} pending nodes from id {} below id {}",
                    header.linked, header.tombstones, header.pending, header.synced_id, header.next_id
                ),
            ));
        }
        Ok(header)
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
            next_id: 12,
            synced_id: 10,
            generation: [7; 16],
        }
    }

    #[test]
    fn a_header_survives_the_round_trip() {
        assert_eq!(Header::decode(&header().encode(), "t_graph").unwrap(), header());
    }

    #[test]
    fn damage_and_newer_versions_are_named() {
        let error = |blob: &[u8]| Header::decode(blob, "t_graph row 0").unwrap_err().to_string();
        assert_eq!(error(&[1, 2]), "t_graph row 0 is damaged: expected 64 bytes of header, got 2");
        let mut blob = header().encode();
        blob[0] = 3;
        assert_eq!(error(&blob), "t_graph row 0 has format version 3; this vecrank reads 2: upgrade it");
        blob[0] = 1;
        assert_eq!(error(&blob), "t_graph row 0 has format version 1, made by a pre-release vecrank: import again");
        blob[0] = 0;
        assert_eq!(error(&blob), "t_graph row 0 is damaged: there is no version 0");
        blob[0] = 2;
        blob[10] = 3;
        assert_eq!(error(&blob), "t_graph row 0 is damaged: bits 3, reserved 0 and 0");
        let blob = Header { tombstones: 11, ..header() }.encode();
        assert_eq!(
            error(&blob),
            "t_graph row 0 is damaged: 10 linked, 11 tombstones, 2 pending nodes from id 10 below id 12"
        );
    }
}
