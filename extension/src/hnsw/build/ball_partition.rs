//! Ball partitioning: divides the vectors into overlapping leaves of near vectors.
//!
//! This is the ball carving of PiPNN (Rubel, Wen, Dhulipala, Gottesbüren, Jayaram & Łącki, 2026, "PiPNN:
//! Ultra-scalable graph-based nearest neighbor indexing", arXiv 2602.21247): members chosen at random lead, every
//! member goes to its nearest leaders, and a partition that is still too large is divided again.

use super::parallel;
use super::vectors::{Block, Proximity, Vectors};
use crate::hnsw::geometry::Geometry;
use crate::quantize::split_mix::{GOLDEN_GAMMA, mix};

/// Options of `ball_partition`.
#[derive(Debug, Clone, Copy)]
pub struct PartitionOptions<'a> {
    /// The number of leaders that a vector goes to at depth 0, 1, ...; deeper down it is one.
    pub fan_out: &'a [usize],
    /// The most vectors in a leaf.
    pub leaf: usize,
    pub seed: u64,
    pub threads: usize,
}

/// The most leaders of one cut.
const MAX_LEADERS: usize = 192;
/// Vectors assigned to their leaders at a time.
const BLOCK: usize = 1024;
/// Below this depth, or if a cut hardly divides, members are divided by number: they are equal or nearly equal.
const MAX_DEPTH: usize = 16;

struct Partition {
    members: Vec<u32>,
    depth: usize,
    /// The partition that it was cut from was hardly larger.
    stuck: bool,
}

/// Divides `members` into leaves. Leaves that follow each other tend to be near each other.
pub fn ball_partition(proximity: Proximity<'_>, members: Vec<u32>, options: &PartitionOptions<'_>) -> Vec<Vec<u32>> {
    let mut leaves = Vec::new();
    let mut stack = vec![Partition { members, depth: 0, stuck: false }];
    let mut cuts = 0u64;
    while let Some(partition) = stack.pop() {
        if partition.members.len() <= options.leaf {
            if !partition.members.is_empty() {
                leaves.push(partition.members);
            }
        } else if partition.stuck || partition.depth >= MAX_DEPTH {
            // Where every vector goes into one leaf, the leaves must not overlap.
            let overlap = if options.fan_out.is_empty() { 0 } else { options.leaf / 8 };
            leaves.extend(cut_by_number(&partition.members, options.leaf, overlap));
        } else {
            cuts += 1;
            stack.extend(cut(proximity, partition, options, cuts).into_iter().rev());
        }
    }
    leaves
}

/// Divides by number into runs of `leaf` members. The overlap keeps equal vectors linked across the cuts.
fn cut_by_number(members: &[u32], leaf: usize, overlap: usize) -> Vec<Vec<u32>> {
    let mut sorted = members.to_vec();
    sorted.sort_unstable();
    (0..sorted.len().saturating_sub(overlap).max(1))
        .step_by((leaf - overlap).max(1))
        .map(|start| sorted[start..(start + leaf).min(sorted.len())].to_vec())
        .collect()
}

fn cut(proximity: Proximity<'_>, partition: Partition, options: &PartitionOptions<'_>, cuts: u64) -> Vec<Partition> {
    let fan_out = options.fan_out.get(partition.depth).copied().unwrap_or(1);
    let count = partition.members.len();
    let wanted = (2 * count * fan_out).div_ceil(options.leaf).clamp(2, MAX_LEADERS).max(fan_out);
    let leaders = choose_leaders(&partition.members, wanted, options.seed ^ (cuts << 20));
    let leader_vectors = proximity.vectors.block(&leaders);
    let assigned = parallel::map(options.threads, count.div_ceil(BLOCK), |block| {
        let members = &partition.members[block * BLOCK..((block + 1) * BLOCK).min(count)];
        assign(proximity, members, &leaders, &leader_vectors, fan_out)
    });
    let mut children = vec![Vec::new(); leaders.len()];
    for (&member, &leader) in
        partition.members.iter().flat_map(|m| std::iter::repeat_n(m, fan_out)).zip(assigned.iter().flatten())
    {
        children[leader as usize].push(member);
    }
    let order = chain_leaders(proximity.vectors, &leaders);
    let mut partitions: Vec<Partition> = Vec::with_capacity(children.len());
    for leader in order {
        let members = std::mem::take(&mut children[leader]);
        let stuck = members.len() * 10 > count * 9;
        partitions.push(Partition { members, depth: partition.depth + 1, stuck });
    }
    partitions
}

/// Returns for every member the numbers of its `fan_out` nearest leaders, nearest first.
fn assign(
    proximity: Proximity<'_>,
    members: &[u32],
    leaders: &[u32],
    leader_vectors: &Block,
    fan_out: usize,
) -> Vec<u32> {
    let mut products = vec![0f32; members.len() * leaders.len()];
    proximity.vectors.block(members).products(0..members.len(), leader_vectors, 0, &mut products);
    let half_norms: Vec<f32> = leaders.iter().map(|&leader| proximity.vectors.half_norm(leader)).collect();
    let mut out = Vec::with_capacity(members.len() * fan_out);
    let mut best: Vec<(f32, u32)> = Vec::new();
    for row in products.chunks_exact(leaders.len()) {
        best.clear();
        for (leader, (&product, &half_norm)) in row.iter().zip(&half_norms).enumerate() {
            let distance = proximity.leader_distance(product, half_norm);
            if best.len() < fan_out || distance < best[best.len() - 1].0 {
                let at = best.partition_point(|&(other, _)| other <= distance);
                best.insert(at, (distance, leader as u32));
                best.truncate(fan_out);
            }
        }
        out.extend(best.iter().map(|&(_, leader)| leader));
    }
    out
}

/// Returns `wanted` different members, chosen by a hash of the seed.
fn choose_leaders(members: &[u32], wanted: usize, seed: u64) -> Vec<u32> {
    let mut keyed: Vec<(u64, u32)> = members.iter().map(|&m| (hash(seed, m), m)).collect();
    if wanted < keyed.len() {
        keyed.select_nth_unstable(wanted);
        keyed.truncate(wanted);
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, member)| member).collect()
}

/// Orders the leaders so that each is followed by the nearest of the rest: partitions in sequence are then near each
/// other.
fn chain_leaders(vectors: &Vectors, leaders: &[u32]) -> Vec<usize> {
    let mut rest: Vec<usize> = (1..leaders.len()).collect();
    let mut order = vec![0];
    while !rest.is_empty() {
        let last = leaders[order[order.len() - 1]];
        let distance = |&i: &usize| vectors.distance(last, leaders[i]);
        let at = (0..rest.len()).min_by(|&a, &b| distance(&rest[a]).total_cmp(&distance(&rest[b]))).unwrap_or(0);
        order.push(rest.swap_remove(at));
    }
    order
}

/// A well mixed 64-bit number of a seed and a member.
pub fn hash(seed: u64, member: u32) -> u64 {
    mix(seed ^ (u64::from(member) + 1).wrapping_mul(GOLDEN_GAMMA))
}
