//! The bulk builder: the whole graph from the vectors, with blocked matrix products instead of one search per vector.
//!
//! 1. The vectors are put into an order in which near vectors are close together (`order`).
//! 2. Ball partitioning divides them into overlapping leaves, three times and independently (`ball_partition`). All
//!    pairs of a leaf are compared (`leaf`), and every vector keeps the nearest in its list (`candidate_lists`).
//! 3. The HNSW heuristic chooses forward links; the same on nested random subsets adds long ones; reverse links are
//!    added one by one with pruning (`link`). Lanes that are left take candidates that the heuristic excluded (`fill`).
//! 4. The nodes are renumbered so that linked nodes share a page (`pack`).
//!
//! Every step gives the same result on any number of threads.

mod ball_partition;
mod built;
mod candidate_lists;
mod fill;
mod leaf;
mod link;
mod pack;
mod parallel;
mod rows;
mod vectors;

pub use built::{Built, Links, Options, ProgressCallback};
use link::Forward;
pub use rows::{RowWriter, put_lane};
pub use vectors::Vectors;

use super::ColumnSpec;
use super::geometry::Geometry;
use crate::error::Result;
use crate::format::node::NodeId;
use ball_partition::{PartitionOptions, ball_partition, hash};
use candidate_lists::CandidateLists;
use fill::Spares;
use vectors::Proximity;

/// Constants of the builder, chosen by measurement.
mod tuning {
    /// Leaders that a vector goes to at depth 0 and 1 of a partition.
    pub const FAN_OUT: [usize; 2] = [3, 2];
    pub const ROUNDS: u64 = 3;
    /// The most vectors in a leaf.
    pub const LEAF: usize = 1000;
    /// Candidates that a vector takes from one leaf.
    pub const PER_LEAF: usize = 24;
    /// Candidates per vector.
    pub const CANDIDATES: usize = 96;
    /// Each level keeps one in so many of the level below.
    pub const LEVEL_RATE: u64 = 4;
    /// Levels above the ground.
    pub const LEVELS: u32 = 4;
    /// Vectors that share a page's neighbourhood, for the order of the nodes.
    pub const ORDER_LEAF: usize = 8;
    /// Leaves compared between two merges into the candidate lists.
    pub const BATCH: usize = 64;
}

/// Shares of a build's time, measured on 100,000 vectors of 256 dimensions. Level l takes 1 / LEVEL_RATE^l of the time
/// of the ground.
mod shares {
    pub const ORDER: f64 = 0.03;
    pub const NEAREST: f64 = 0.49;
    pub const FORWARD: f64 = 0.07;
    pub const REVERSE: f64 = 0.10;
    pub const FILL: f64 = 0.12;
}

/// Builds the graph of `vectors`, with a centre of its own.
pub fn build(
    spec: &ColumnSpec,
    mut vectors: Vectors,
    options: Options,
    progress: ProgressCallback<'_>,
) -> Result<Built> {
    let threads = options.threads;
    let (mut spec, centre) = (spec.clone(), vectors.centre(spec.params.dims));
    spec.set_centre(&centre);
    vectors.centre_and_rotate(&spec, threads);
    let count = vectors.len() as u32;
    let order = locality_order(&vectors, threads);
    let mut done = shares::ORDER;
    progress(done)?;
    vectors.permute(&order);
    let mut links: Links = vec![Vec::new(); vectors.len()];
    // Under `dot` a list holds links by distance and links by product.
    let mut spares = (!vectors.ranks_products()).then(|| Spares::new(vectors.len()));
    for level in 0..=tuning::LEVELS {
        let rate = tuning::LEVEL_RATE.pow(level);
        let members: Vec<u32> = (0..count).filter(|&id| hash(7, id).is_multiple_of(rate)).collect();
        if level > 0 && members.len() <= 2 * spec.params.m {
            break;
        }
        let ways = if vectors.ranks_products() { 2 } else { 1 };
        for proximity in [vectors.by_distance(), vectors.by_product()].into_iter().take(ways) {
            let [nearest_share, forward_share] =
                [shares::NEAREST, shares::FORWARD].map(|share| share / (rate * ways as u64) as f64);
            let progress_nearest = |part| progress(done + part * nearest_share);
            let lists = nearest(proximity, &members, threads, u64::from(level), &progress_nearest)?;
            done += nearest_share;
            let spares = spares.as_mut().filter(|_| level == 0);
            let forward = Forward { m: spec.params.m, threads, links: &mut links, spares };
            link::link_forward(proximity, &members, lists, forward, &|part| progress(done + part * forward_share))?;
            done += forward_share;
        }
    }
    link::link_reverse(&vectors, &mut links, spec.params.degree(), threads, 11);
    progress(done + shares::REVERSE)?;
    if let Some(spares) = spares {
        fill::fill(&vectors, &mut links, &spares, spec.params.degree(), threads);
    }
    progress(done + shares::REVERSE + shares::FILL)?;
    link::connect(&vectors, &mut links, spec.params.degree());
    let mut built = Built { spec, centre, order, first_id: NodeId(0), vectors, links };
    let packed = pack::pack(&built.links, options.rows_per_page.max(1));
    built.renumber(&packed);
    Ok(built)
}

/// Orders the vectors by the leaves of a fine ball partition.
fn locality_order(vectors: &Vectors, threads: usize) -> Vec<u32> {
    let options = PartitionOptions { fan_out: &[], leaf: tuning::ORDER_LEAF, seed: 1, threads };
    ball_partition(vectors.by_distance(), (0..vectors.len() as u32).collect(), &options).concat()
}

/// Returns the candidate lists of `members`, in their order.
fn nearest(
    proximity: Proximity<'_>,
    members: &[u32],
    threads: usize,
    level: u64,
    progress: ProgressCallback<'_>,
) -> Result<CandidateLists> {
    let mut lists =
        CandidateLists::new(candidate_lists::Packing::of(proximity.vectors.len()), members.len(), tuning::CANDIDATES);
    let mut list_of = vec![0u32; proximity.vectors.len()];
    members.iter().enumerate().for_each(|(i, &member)| list_of[member as usize] = i as u32);
    for round in 0..tuning::ROUNDS {
        let options =
            PartitionOptions { fan_out: &tuning::FAN_OUT, leaf: tuning::LEAF, seed: 100 + 10 * level + round, threads };
        let leaves = ball_partition(proximity, members.to_vec(), &options);
        let batches = leaves.len().div_ceil(tuning::BATCH).max(1) as f64;
        for (number, batch) in leaves.chunks(tuning::BATCH).enumerate() {
            progress((round as f64 + number as f64 / batches) / tuning::ROUNDS as f64)?;
            let found = parallel::map(threads, batch.len(), |i| {
                let limits = batch[i].iter().map(|&member| lists.limit(list_of[member as usize] as usize)).collect();
                leaf::nearest_in_leaf(proximity, &batch[i], limits, tuning::PER_LEAF)
            });
            merge(&mut lists, &list_of, batch, &found, threads);
        }
    }
    Ok(lists)
}

/// Lists that one thread merges at a time.
const MERGE_BLOCK: usize = 4096;

/// Merges what the leaves of a batch found into the candidate lists.
fn merge(
    lists: &mut CandidateLists,
    list_of: &[u32],
    batch: &[Vec<u32>],
    found: &[Vec<Vec<candidate_lists::Packed>>],
    threads: usize,
) {
    let mut additions: Vec<(u32, &[candidate_lists::Packed])> = Vec::new();
    for (members, lists) in batch.iter().zip(found) {
        additions.extend(members.iter().zip(lists).map(|(&m, list)| (list_of[m as usize], list.as_slice())));
    }
    additions.sort_by_key(|&(list, _)| list);
    lists.merge(threads, MERGE_BLOCK, &additions);
}
