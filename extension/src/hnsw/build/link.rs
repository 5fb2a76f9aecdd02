//! From candidates to links: the heuristic forward, then reverse links one by one as HNSW adds them.

use super::super::select::{Candidate, Limits, select_neighbours};
use super::Watch;
use super::carve::hash;
use super::parallel;
use super::pool::{Pools, distance};
use super::vectors::Vectors;
use crate::error::Result;

/// Links of every vector, nearest first.
pub type Links = Vec<Vec<Candidate<u32>>>;

/// Vectors linked at a time by one thread.
const BLOCK: usize = 256;
/// A list shortened by the heuristic is filled up to this share of its places with the nearest that it shut out.
const FILL: (usize, usize) = (3, 4);

/// Members linked between two releases of the pools' memory.
const STRETCH: usize = 64 * BLOCK;

/// Adds to `links` of every member the candidates of its pool that the heuristic keeps, at most `m`. The pools shrink
/// while the links grow: together they are the most memory that a build takes.
pub fn link_forward(
    vectors: &Vectors,
    members: &[u32],
    mut pools: Pools,
    work: Forward<'_>,
    watch: Watch<'_>,
) -> Result<()> {
    let Forward { m, threads, links } = work;
    for first in (0..members.len()).step_by(STRETCH).rev() {
        let stretch = &members[first..(first + STRETCH).min(members.len())];
        watch(1.0 - (first + stretch.len()) as f64 / members.len() as f64)?;
        let kept = parallel::map(threads, stretch.len().div_ceil(BLOCK), |block| {
            let range = block * BLOCK..((block + 1) * BLOCK).min(stretch.len());
            let mut chosen = Vec::new();
            let mut candidates = Vec::new();
            range
                .map(|i| {
                    let own = stretch[i];
                    candidates.clear();
                    let pool = pools.get(first + i);
                    let id = |packed| pools.packing.candidate(packed, own);
                    candidates.extend(pool.map(|p| Candidate { distance: distance(p), id: id(p) }));
                    select_neighbours(&candidates, Limits::forward(m), |a, b| vectors.distance(a, b), &mut chosen);
                    chosen.clone()
                })
                .collect::<Vec<_>>()
        });
        pools.truncate(first);
        for (&member, chosen) in stretch.iter().zip(kept.into_iter().flatten()) {
            let list = &mut links[member as usize];
            for candidate in chosen {
                if !list.iter().any(|c| c.id == candidate.id) {
                    list.push(candidate);
                }
            }
        }
    }
    Ok(())
}

/// What `link_forward` works on.
pub struct Forward<'a> {
    /// Links that a member chooses, at most.
    pub m: usize,
    pub threads: usize,
    pub links: &'a mut Links,
}

/// Adds the reverse of every link, in an order given by a hash; a list that overflows is pruned by the heuristic.
pub fn link_reverse(vectors: &Vectors, links: &mut Links, degree: usize, threads: usize, seed: u64) {
    let incoming = Incoming::of(links);
    parallel::for_chunks(threads, links, BLOCK, |block, lists| {
        let mut kept = Vec::new();
        let mut arrivals: Vec<(u64, Candidate<u32>)> = Vec::new();
        for (offset, list) in lists.iter_mut().enumerate() {
            let own = (block * BLOCK + offset) as u32;
            if list.len() > degree {
                prune(vectors, own, list, degree, &mut kept);
            }
            arrivals.clear();
            arrivals.extend(incoming.get(own).iter().map(|c| (hash(seed, c.id), *c)));
            arrivals.sort_unstable_by_key(|&(key, c)| (key, c.id));
            for &(_, arrival) in &arrivals {
                if list.iter().any(|c| c.id == arrival.id) {
                    continue;
                }
                list.push(arrival);
                if list.len() > degree {
                    prune(vectors, own, list, degree, &mut kept);
                }
            }
            sort(own, list);
        }
    });
}

fn sort(own: u32, list: &mut [Candidate<u32>]) {
    list.sort_unstable_by(|a, b| {
        a.distance.total_cmp(&b.distance).then(a.id.wrapping_sub(own).cmp(&b.id.wrapping_sub(own)))
    });
}

/// Shortens a list by the heuristic.
fn prune(vectors: &Vectors, own: u32, list: &mut Vec<Candidate<u32>>, degree: usize, kept: &mut Vec<Candidate<u32>>) {
    sort(own, list);
    select_neighbours(list, Limits::pruned(degree), |a, b| vectors.distance(a, b), kept);
    let fill = degree * FILL.0 / FILL.1;
    for candidate in list.iter() {
        if kept.len() >= fill {
            break;
        }
        if candidate.distance > 0.0 && !kept.iter().any(|c| c.id == candidate.id) {
            kept.push(*candidate);
        }
    }
    std::mem::swap(list, kept);
}

/// Who links to whom: the links turned round.
struct Incoming {
    offsets: Vec<u32>,
    sources: Vec<Candidate<u32>>,
}

impl Incoming {
    fn of(links: &Links) -> Incoming {
        let mut offsets = vec![0u32; links.len() + 1];
        for link in links.iter().flatten() {
            offsets[link.id as usize + 1] += 1;
        }
        for i in 0..links.len() {
            offsets[i + 1] += offsets[i];
        }
        let total = offsets[links.len()] as usize;
        let mut sources = vec![Candidate { distance: 0.0, id: 0 }; total];
        let mut next = offsets.clone();
        for (own, list) in links.iter().enumerate() {
            for link in list {
                let place = &mut next[link.id as usize];
                sources[*place as usize] = Candidate { distance: link.distance, id: own as u32 };
                *place += 1;
            }
        }
        Incoming { offsets, sources }
    }

    fn get(&self, own: u32) -> &[Candidate<u32>] {
        &self.sources[self.offsets[own as usize] as usize..self.offsets[own as usize + 1] as usize]
    }
}

/// Makes every vector reachable from vector 0: whoever is not gets a link from the nearest neighbour that is.
pub fn connect(vectors: &Vectors, links: &mut Links, degree: usize) {
    let mut reached = vec![false; links.len()];
    let mut stack = Vec::new();
    for start in 0..links.len() as u32 {
        if reached[start as usize] {
            continue;
        }
        if start > 0 {
            let near = links[start as usize].iter().map(|c| c.id).find(|&id| reached[id as usize]).unwrap_or(start - 1);
            let link = Candidate { distance: vectors.distance(near, start), id: start };
            let list = &mut links[near as usize];
            if list.len() >= degree {
                list.pop();
            }
            list.push(link);
        }
        reached[start as usize] = true;
        stack.push(start);
        while let Some(own) = stack.pop() {
            for link in &links[own as usize] {
                if !std::mem::replace(&mut reached[link.id as usize], true) {
                    stack.push(link.id);
                }
            }
        }
    }
}
