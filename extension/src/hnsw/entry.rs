//! The entry sample: HNSW's upper levels collapsed into one flat list of codes, scanned at the start of a search.

use super::{Query, Space};
use crate::distance::Metric;
use crate::format::entry::EntryBlob;
use crate::format::node::{FREE, LANES, NodeId};
use crate::quantize::{Encoded, Estimate, Factors};

/// Most samples; a scan of these takes about as long as a handful of row reads.
const MAX_SAMPLES: u64 = 4096;
/// One node in so many is sampled.
const STRIDE: u64 = 32;
/// Small graphs are sampled more densely, down to every node.
const MIN_SAMPLES: u64 = 64;

/// Whether `id` belongs to the sample of a graph of `linked` nodes. A hash rule, so that it needs no random state; the
/// rate changes only where `linked` passes a power of two.
pub fn is_sampled(id: NodeId, linked: u32) -> bool {
    if linked == 0 {
        return false;
    }
    let bound = 2u64 << linked.ilog2();
    let wanted = (bound / STRIDE).clamp(MIN_SAMPLES.min(bound), MAX_SAMPLES);
    u64::from(id.wrapping_mul(0x9e37_79b1).rotate_left(15).wrapping_mul(0x85eb_ca77)) < (wanted << 32) / bound
}

/// The decoded sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntrySample {
    blob: EntryBlob,
}

impl EntrySample {
    pub fn from_blob(blob: EntryBlob) -> EntrySample {
        EntrySample { blob }
    }

    pub fn blob(&self) -> &EntryBlob {
        &self.blob
    }

    pub fn len(&self) -> usize {
        self.blob.count
    }

    pub fn is_empty(&self) -> bool {
        self.blob.count == 0
    }

    pub fn ids(&self) -> &[NodeId] {
        &self.blob.ids[..self.blob.count]
    }

    /// A sample of the given nodes (ids and rotated vectors of p components) about their mean.
    pub fn build(space: &Space, ids: &[NodeId], rotated: &[f32]) -> EntrySample {
        let padded = space.padded();
        let mut mean = vec![0f64; padded];
        for vector in rotated.chunks_exact(padded) {
            mean.iter_mut().zip(vector).for_each(|(m, &x)| *m += f64::from(x));
        }
        let scale = 1.0 / ids.len().max(1) as f64;
        let mean = mean.iter().map(|m| (m * scale) as f32).collect();
        let mut sample = EntrySample { blob: EntryBlob { mean, ..EntryBlob::default() } };
        for (&id, vector) in ids.iter().zip(rotated.chunks_exact(padded)) {
            sample.push(space, id, vector);
        }
        sample
    }

    /// Adds a node, encoded about the mean that stands.
    pub fn push(&mut self, space: &Space, id: NodeId, rotated: &[f32]) {
        let blob = &mut self.blob;
        if blob.mean.is_empty() {
            blob.mean = rotated.to_vec();
        }
        let mut encoded = Encoded::default();
        space.coder.encode(&blob.mean, rotated, &mut encoded);
        self.append(space, id, &encoded);
    }

    fn append(&mut self, space: &Space, id: NodeId, encoded: &Encoded) {
        let blob = &mut self.blob;
        let (group, lane) = (blob.count / LANES, blob.count % LANES);
        let group_bytes = space.coder.group_bytes();
        if lane == 0 {
            blob.ids.resize((group + 1) * LANES, FREE);
            blob.f1.resize((group + 1) * LANES, 0.0);
            blob.f0.resize((group + 1) * LANES, 0.0);
            blob.codes.resize((group + 1) * group_bytes, 0);
        }
        blob.ids[blob.count] = id;
        blob.f1[blob.count] = encoded.factors.f1;
        blob.f0[blob.count] = encoded.factors.f0;
        space.coder.put_lane(&mut blob.codes[group * group_bytes..], lane, &encoded.planes);
        blob.count += 1;
    }

    /// Whether sample `index` has the code and factors of this vector.
    pub fn holds(&self, space: &Space, index: usize, rotated: &[f32]) -> bool {
        let group_bytes = space.coder.group_bytes();
        let (mut encoded, mut planes) = (Encoded::default(), Vec::new());
        space.coder.encode(&self.blob.mean, rotated, &mut encoded);
        let group = &self.blob.codes[index / LANES * group_bytes..(index / LANES + 1) * group_bytes];
        space.coder.get_lane(group, index % LANES, &mut planes);
        let factors = Factors { f1: self.blob.f1[index], f0: self.blob.f0[index] };
        planes == encoded.planes && factors == encoded.factors
    }

    /// Drops the samples that `keep` does not hold to.
    pub fn retain(&mut self, space: &Space, keep: impl Fn(NodeId) -> bool) {
        let group_bytes = space.coder.group_bytes();
        let old = std::mem::take(&mut self.blob);
        self.blob.mean.clone_from(&old.mean);
        let mut planes = Vec::new();
        for (i, &id) in old.ids[..old.count].iter().enumerate().filter(|&(_, &id)| keep(id)) {
            let group = &old.codes[i / LANES * group_bytes..(i / LANES + 1) * group_bytes];
            space.coder.get_lane(group, i % LANES, &mut planes);
            let factors = Factors { f1: old.f1[i], f0: old.f0[i] };
            self.append(space, id, &Encoded { planes: std::mem::take(&mut planes), factors });
        }
    }

    /// The `count` samples with the least estimated keys, nearest first; of equal ones the newest.
    pub fn nearest(&self, space: &Space, query: &Query, count: usize) -> Vec<(f32, NodeId)> {
        self.nearest_of(space, query, count, |_| true)
    }

    /// As `nearest`, of the samples that `keep` holds to.
    pub fn nearest_of(
        &self,
        space: &Space,
        query: &Query,
        count: usize,
        keep: impl Fn(NodeId) -> bool,
    ) -> Vec<(f32, NodeId)> {
        let blob = &self.blob;
        let base: f32 = match space.params.metric {
            Metric::L2 => query.rotated.iter().zip(&blob.mean).map(|(q, m)| (q - m) * (q - m)).sum(),
            Metric::Cosine | Metric::Dot => -query.rotated.iter().zip(&blob.mean).map(|(q, m)| q * m).sum::<f32>(),
        };
        let base = if space.params.metric == Metric::Cosine { base + 1.0 } else { base };
        let group_bytes = space.coder.group_bytes();
        let mut best: Vec<(f32, NodeId)> = Vec::with_capacity(count + 1);
        let mut keys = [0f32; LANES];
        let (mut f1, mut f0) = ([0u8; 4 * LANES], [0u8; 4 * LANES]);
        for (group, codes) in blob.codes.chunks_exact(group_bytes).enumerate() {
            let lanes = group * LANES..((group + 1) * LANES).min(blob.count);
            for (lane, i) in (group * LANES..(group + 1) * LANES).enumerate() {
                f1[4 * lane..4 * lane + 4].copy_from_slice(&blob.f1[i].to_le_bytes());
                f0[4 * lane..4 * lane + 4].copy_from_slice(&blob.f0[i].to_le_bytes());
            }
            (space.entry_estimator)(&query.lookup, &Estimate { base, f1: &f1, f0: &f0, codes }, &mut keys);
            for (&key, &id) in keys.iter().zip(&blob.ids[lanes]) {
                if (best.len() < count || key <= best[best.len() - 1].0) && keep(id) {
                    let at = best.partition_point(|&(k, i)| k < key || (k == key && i > id));
                    best.insert(at, (key, id));
                    best.truncate(count);
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_rule_keeps_its_rates() {
        let count = |n: u32| (0..n).filter(|&id| is_sampled(id, n)).count();
        assert_eq!(count(1), 1);
        assert_eq!(count(31), 31);
        assert!((20..=100).contains(&count(1000)), "{}", count(1000));
        for linked in [100_000, 131_071, 131_072, 262_143, 1_000_000] {
            assert!((1800..=4200).contains(&count(linked)), "{linked}: {}", count(linked));
        }
    }
}
