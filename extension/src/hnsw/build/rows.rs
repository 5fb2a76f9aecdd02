//! Encodes links into row bytes: ids, factors and codes of the neighbours, behind the node's own vector.

use super::super::{ColumnSpec, EntrySample};
use super::built::Built;
use super::parallel;
use crate::distance::f32_to_f16;
use crate::format::node::{LANES, NodeId, set_degree, set_neighbour};
use crate::hnsw::entry::is_sampled;
use crate::quantize::{Encoded, Factors};

/// Rows that a thread links at a time.
const CHUNK: usize = 64;

/// Encodes the link part of node rows.
pub struct RowWriter<'a> {
    built: &'a Built,
}

/// Writes one lane of a linked row: the neighbour, its factors and its code.
pub fn put_lane(spec: &ColumnSpec, row: &mut [u8], lane: usize, id: NodeId, encoded: &Encoded, half_norm: f32) {
    let layout = &spec.layout;
    set_neighbour(layout, row, lane, id);
    put_factors(spec, row, lane, encoded.factors, half_norm);
    let codes = layout.codes_offset() + lane / LANES * layout.group_bytes;
    spec.coder.put_lane(&mut row[codes..codes + layout.group_bytes], lane % LANES, &encoded.planes);
}

fn put_factors(spec: &ColumnSpec, row: &mut [u8], lane: usize, factors: Factors, half_norm: f32) {
    let values = [factors.f1, factors.f0, 2.0 * half_norm];
    let layout = &spec.layout;
    for (kind, value) in values.into_iter().take(layout.factor_count).enumerate() {
        let offset = layout.factor_offset(kind, lane);
        match layout.factor_bytes {
            2 => row[offset..offset + 2].copy_from_slice(&f32_to_f16(value).to_le_bytes()),
            _ => row[offset..offset + 4].copy_from_slice(&value.to_le_bytes()),
        }
    }
}

impl<'a> RowWriter<'a> {
    pub fn new(built: &'a Built) -> RowWriter<'a> {
        RowWriter { built }
    }

    /// Turns the pending rows of vectors `first`.. of the build into linked rows. Other threads begin while this one
    /// runs `own`.
    pub fn link_rows<R>(&self, first: u32, rows: &mut [Vec<u8>], threads: usize, own: impl FnOnce() -> R) -> R {
        let link = |chunk: usize, rows: &mut [Vec<u8>]| {
            let mut encoded = Encoded::default();
            for (offset, row) in rows.iter_mut().enumerate() {
                self.link_row(first + (chunk * CHUNK + offset) as u32, row, &mut encoded);
            }
        };
        parallel::for_chunks_beside(threads, rows, CHUNK, link, own)
    }

    fn link_row(&self, id: u32, row: &mut Vec<u8>, encoded: &mut Encoded) {
        let Built { spec, vectors, links, .. } = self.built;
        spec.layout.make_linked(row);
        let list = &links[id as usize];
        for (lane, link) in list.iter().enumerate() {
            vectors.encode(spec, id, link.id, encoded);
            put_lane(spec, row, lane, self.built.id_of(link.id), encoded, vectors.half_norm(link.id));
        }
        set_degree(row, list.len() as u16);
    }

    /// Returns the entry sample of the graph.
    pub fn entry_sample(&self) -> EntrySample {
        let vectors = &self.built.vectors;
        let count = vectors.len() as u32;
        let mut sample = EntrySample::with_centre(&self.built.spec, &self.built.centre);
        let mut rotated = Vec::new();
        for member in (0..count).filter(|&i| is_sampled(self.built.id_of(i), count)) {
            vectors.read(member, &mut rotated);
            sample.push(&self.built.spec, self.built.id_of(member), &rotated);
        }
        sample
    }
}
