//! The entry sample: HNSW's upper levels collapsed into one flat list of codes, scanned at the start of a search.

use super::{ColumnSpec, Query};
use crate::distance::Metric;
use crate::format::entry::{EntryBlob, EntryGroup, GROUP_HEAD, set_lane};
use crate::format::f32_at;
use crate::format::node::{LANES, NodeId};
use crate::quantize::{Encoded, Estimate, Factors};

/// The most samples. Scanning them takes about as long as reading a few rows.
const MAX_SAMPLES: u64 = 4096;
/// One node in so many is sampled.
const STRIDE: u64 = 32;
/// Small graphs are sampled more densely, down to every node.
const MIN_SAMPLES: u64 = 64;

/// Whether `id` belongs to the sample of a graph of `linked` nodes. The rule is a hash, so it needs no random state;
/// the rate changes only where `linked` passes a power of two.
pub fn is_sampled(id: NodeId, linked: u32) -> bool {
    if linked == 0 {
        return false;
    }
    let bound = 2u64 << linked.ilog2();
    let wanted = (bound / STRIDE).clamp(MIN_SAMPLES.min(bound), MAX_SAMPLES);
    u64::from(id.0.wrapping_mul(0x9e37_79b1).rotate_left(15).wrapping_mul(0x85eb_ca77)) < (wanted << 32) / bound
}

/// The decoded sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntrySample {
    blob: EntryBlob,
    /// The centre of the codes, p components in the graph's space: its origin; under `dot` the graph's centre.
    origin: Vec<f32>,
}

impl EntrySample {
    pub fn from_blob(spec: &ColumnSpec, blob: EntryBlob) -> EntrySample {
        EntrySample { origin: origin(spec, &blob.centre), blob }
    }

    /// An empty sample of a graph with this centre.
    pub fn with_centre(spec: &ColumnSpec, centre: &[f32]) -> EntrySample {
        EntrySample::from_blob(spec, EntryBlob { centre: centre.to_vec(), ..EntryBlob::default() })
    }

    /// The centre of the graph; empty for an empty graph.
    pub fn centre(&self) -> &[f32] {
        &self.blob.centre
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

    /// Returns the sampled nodes in the order of the samples.
    pub fn ids(&self, spec: &ColumnSpec) -> Vec<NodeId> {
        let lanes = self.groups(spec).flat_map(|group| (0..LANES).map(move |lane| group.id(lane)));
        lanes.take(self.blob.count).collect()
    }

    fn groups(&self, spec: &ColumnSpec) -> impl Iterator<Item = EntryGroup<'_>> {
        self.blob.groups.chunks_exact(GROUP_HEAD + spec.coder.group_bytes()).map(EntryGroup::new)
    }

    fn group(&self, spec: &ColumnSpec, index: usize) -> EntryGroup<'_> {
        let stride = GROUP_HEAD + spec.coder.group_bytes();
        EntryGroup::new(&self.blob.groups[index / LANES * stride..(index / LANES + 1) * stride])
    }

    /// Adds a node.
    pub fn push(&mut self, spec: &ColumnSpec, id: NodeId, rotated: &[f32]) {
        self.origin.resize(spec.padded(), 0.0);
        let mut encoded = Encoded::default();
        spec.coder.encode(&self.origin, rotated, &mut encoded);
        self.append(spec, id, &encoded);
    }

    fn append(&mut self, spec: &ColumnSpec, id: NodeId, encoded: &Encoded) {
        let blob = &mut self.blob;
        let (index, lane) = (blob.count / LANES, blob.count % LANES);
        let stride = GROUP_HEAD + spec.coder.group_bytes();
        if lane == 0 {
            blob.groups.resize((index + 1) * stride, 0);
            let group = &mut blob.groups[index * stride..];
            (0..LANES).for_each(|lane| set_lane(group, lane, NodeId::FREE, (0.0, 0.0)));
        }
        blob.count += 1;
        let last = blob.count - 1;
        self.put(spec, last, id, encoded);
    }

    /// Returns code and factors of sample `index`.
    fn encoded(&self, spec: &ColumnSpec, index: usize) -> Encoded {
        let (group, lane) = (self.group(spec, index), index % LANES);
        let mut planes = Vec::new();
        spec.coder.get_lane(group.codes(), lane, &mut planes);
        let factors = Factors { f1: f32_at(group.f1(), 4 * lane), f0: f32_at(group.f0(), 4 * lane) };
        Encoded { planes, factors }
    }

    /// Whether sample `index` has the code and factors of this vector.
    pub fn holds(&self, spec: &ColumnSpec, index: usize, rotated: &[f32]) -> bool {
        let mut expected = Encoded::default();
        spec.coder.encode(&self.origin, rotated, &mut expected);
        let got = self.encoded(spec, index);
        got.planes == expected.planes && got.factors == expected.factors
    }

    /// Removes the sample of a node: the last one takes its place.
    pub fn remove(&mut self, spec: &ColumnSpec, id: NodeId) {
        let ids = self.ids(spec);
        let (Some(index), Some(last)) = (ids.iter().position(|&other| other == id), ids.len().checked_sub(1)) else {
            return;
        };
        let moved = self.encoded(spec, last);
        let free = Encoded { planes: vec![0; spec.coder.group_bytes() / LANES], ..Encoded::default() };
        self.put(spec, index, ids[last], &moved);
        self.put(spec, last, NodeId::FREE, &free);
        self.blob.count = last;
        let stride = GROUP_HEAD + spec.coder.group_bytes();
        self.blob.groups.truncate(last.div_ceil(LANES) * stride);
    }

    /// Writes the sample `index`, whose group is there.
    fn put(&mut self, spec: &ColumnSpec, index: usize, id: NodeId, encoded: &Encoded) {
        let stride = GROUP_HEAD + spec.coder.group_bytes();
        let (group, lane) = (&mut self.blob.groups[index / LANES * stride..][..stride], index % LANES);
        set_lane(group, lane, id, (encoded.factors.f1, encoded.factors.f0));
        spec.coder.put_lane(&mut group[GROUP_HEAD..], lane, &encoded.planes);
    }

    /// Keeps the samples for which `keep` is true.
    pub fn retain(&mut self, spec: &ColumnSpec, keep: impl Fn(NodeId) -> bool) {
        let old = std::mem::take(self);
        self.blob.centre.clone_from(&old.blob.centre);
        self.origin.clone_from(&old.origin);
        for (index, id) in old.ids(spec).into_iter().enumerate().filter(|&(_, id)| keep(id)) {
            self.append(spec, id, &old.encoded(spec, index));
        }
    }

    /// Returns the `count` samples with the least estimated keys, nearest first; among equal keys the newest.
    pub fn nearest(&self, spec: &ColumnSpec, query: &Query, count: usize) -> Vec<(f32, NodeId)> {
        self.nearest_of(spec, query, count, |_| true)
    }

    /// As `nearest`, among the samples for which `keep` is true.
    pub fn nearest_of(
        &self,
        spec: &ColumnSpec,
        query: &Query,
        count: usize,
        keep: impl Fn(NodeId) -> bool,
    ) -> Vec<(f32, NodeId)> {
        let base = self.base(spec, query);
        let mut best: Vec<(f32, NodeId)> = Vec::with_capacity(count + 1);
        let mut worst = f32::INFINITY;
        let mut keys = [0f32; LANES];
        let mut left = self.blob.count;
        for group in self.groups(spec) {
            let estimate = Estimate { base, f1: group.f1(), f0: group.f0(), codes: group.codes() };
            spec.entry_estimator.run(&query.lookup, &estimate, &mut keys);
            let lanes = left.min(LANES);
            left -= lanes;
            // Nearly all groups end here: no sample is near enough.
            if !keys.iter().any(|&key| key <= worst) {
                continue;
            }
            for (lane, &key) in keys[..lanes].iter().enumerate() {
                let id = group.id(lane);
                if (best.len() < count || key <= worst) && keep(id) {
                    let at = best.partition_point(|&(k, i)| k < key || (k == key && i > id));
                    best.insert(at, (key, id));
                    best.truncate(count);
                    if best.len() == count {
                        worst = best[count - 1].0;
                    }
                }
            }
        }
        best
    }

    /// The key of the origin.
    fn base(&self, spec: &ColumnSpec, query: &Query) -> f32 {
        let squared = || query.rotated.iter().map(|q| q * q).sum::<f32>();
        match spec.params.metric {
            Metric::L2 => squared(),
            Metric::Hamming => 0.0,
            Metric::Cosine => 0.5 * squared(),
            Metric::Dot => -query.rotated.iter().zip(&self.origin).map(|(q, o)| q * o).sum::<f32>(),
        }
    }
}

fn origin(spec: &ColumnSpec, centre: &[f32]) -> Vec<f32> {
    let mut origin = vec![0.0; spec.padded()];
    if spec.params.metric == Metric::Dot {
        spec.rotate_components(centre, &mut origin);
    }
    origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_rule_keeps_its_rates() {
        let count = |n: u32| (0..n).filter(|&id| is_sampled(NodeId(id), n)).count();
        assert_eq!(count(1), 1);
        assert_eq!(count(31), 31);
        assert!((20..=100).contains(&count(1000)), "{}", count(1000));
        for linked in [100_000, 131_071, 131_072, 262_143, 1_000_000] {
            assert!((1800..=4200).contains(&count(linked)), "{linked}: {}", count(linked));
        }
    }
}
