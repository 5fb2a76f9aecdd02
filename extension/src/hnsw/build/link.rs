//! Turns candidates into links: the heuristic chooses forward links; reverse links are added one by one, as in HNSW.

use std::collections::VecDeque;

use super::super::geometry::Geometry;
use super::super::select::{Candidate, Limits, prune, select_neighbours};
use super::ball_partition::hash;
use super::built::{Links, ProgressCallback};
use super::candidate_lists::{CandidateLists, distance};
use super::fill::{SPARES, Spares};
use super::parallel;
use super::vectors::{Proximity, Vectors};
use crate::error::Result;

/// Vectors linked at a time by one thread.
pub const BLOCK: usize = 256;

/// Members linked between two releases of the candidate lists' memory.
const STRETCH: usize = 64 * BLOCK;

/// Adds to the links of every member the candidates of its list that the heuristic keeps, at most `m`. The lists shrink
/// while the links grow, because this is where a build takes the most memory.
pub fn link_forward(
    proximity: Proximity<'_>,
    members: &[u32],
    mut lists: CandidateLists,
    work: Forward<'_>,
    progress: ProgressCallback<'_>,
) -> Result<()> {
    let Forward { m, threads, links, mut spares } = work;
    let has_spares = spares.is_some();
    let limits = if proximity.is_by_product() { Limits::products(m) } else { Limits::forward(m) };
    for first in (0..members.len()).step_by(STRETCH).rev() {
        let stretch = &members[first..(first + STRETCH).min(members.len())];
        progress(1.0 - (first + stretch.len()) as f64 / members.len() as f64)?;
        let kept = parallel::map(threads, stretch.len().div_ceil(BLOCK), |block| {
            let range = block * BLOCK..((block + 1) * BLOCK).min(stretch.len());
            let mut chosen = Vec::new();
            let mut candidates = Vec::new();
            range
                .map(|i| {
                    let own = stretch[i];
                    candidates.clear();
                    let list = lists.get(first + i);
                    let id = |packed| lists.packing.candidate(packed, own);
                    candidates.extend(list.map(|p| Candidate { distance: distance(p), id: id(p) }));
                    select_neighbours(&candidates, limits, |a, b| proximity.distance(a, b), &mut chosen);
                    (chosen.clone(), if has_spares { spares_of(&candidates, &chosen) } else { Vec::new() })
                })
                .collect::<Vec<_>>()
        });
        lists.truncate(first);
        for (&member, (chosen, spare)) in stretch.iter().zip(kept.into_iter().flatten()) {
            if let Some(spares) = &mut spares {
                spares.set(member, &spare);
            }
            let list = &mut links[member as usize];
            for Candidate { distance, id } in chosen {
                if !list.iter().any(|c| c.id == id) {
                    let distance =
                        if proximity.is_by_product() { proximity.vectors.distance(member, id) } else { distance };
                    list.push(Candidate { distance, id });
                }
            }
        }
    }
    Ok(())
}

/// Arguments of `link_forward`.
pub struct Forward<'a> {
    /// The most links that a member chooses.
    pub m: usize,
    pub threads: usize,
    pub links: &'a mut Links,
    /// Gets the candidates that a member did not choose, to fill its list.
    pub spares: Option<&'a mut Spares>,
}

/// The nearest candidates that were not chosen, without equal vectors.
fn spares_of(candidates: &[Candidate<u32>], chosen: &[Candidate<u32>]) -> Vec<u32> {
    let is_spare = |c: &&Candidate<u32>| c.distance > 0.0 && !chosen.iter().any(|link| link.id == c.id);
    candidates.iter().filter(is_spare).take(SPARES).map(|c| c.id).collect()
}

/// Adds the reverse of every link, in an order given by a hash; a list that overflows is pruned by the heuristic.
pub fn link_reverse(vectors: &Vectors, links: &mut Links, degree: usize, threads: usize, seed: u64) {
    let incoming = Incoming::of(links);
    parallel::for_chunks(threads, links, BLOCK, |block, lists| {
        let mut kept = Vec::new();
        let mut reverse_links: Vec<(u64, Candidate<u32>)> = Vec::new();
        for (offset, list) in lists.iter_mut().enumerate() {
            let own = (block * BLOCK + offset) as u32;
            if list.len() > degree {
                shorten(vectors, own, list, degree, &mut kept);
            }
            reverse_links.clear();
            reverse_links.extend(incoming.get(own).iter().map(|c| (hash(seed, c.id), *c)));
            reverse_links.sort_unstable_by_key(|&(key, c)| (key, c.id));
            for &(_, reverse_link) in &reverse_links {
                if list.iter().any(|c| c.id == reverse_link.id) {
                    continue;
                }
                list.push(reverse_link);
                if list.len() > degree {
                    shorten(vectors, own, list, degree, &mut kept);
                }
            }
            sort(own, list);
        }
    });
}

/// Sorts a list, nearest first.
pub fn sort(own: u32, list: &mut [Candidate<u32>]) {
    list.sort_unstable_by(|a, b| {
        a.distance.total_cmp(&b.distance).then(a.id.wrapping_sub(own).cmp(&b.id.wrapping_sub(own)))
    });
}

/// Prunes a list by the heuristic.
fn shorten(vectors: &Vectors, own: u32, list: &mut Vec<Candidate<u32>>, degree: usize, kept: &mut Vec<Candidate<u32>>) {
    sort(own, list);
    prune(own, list, degree, vectors, kept);
    std::mem::swap(list, kept);
}

/// The reverse of all links: for every vector those that link to it.
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
                let slot = &mut next[link.id as usize];
                sources[*slot as usize] = Candidate { distance: link.distance, id: own as u32 };
                *slot += 1;
            }
        }
        Incoming { offsets, sources }
    }

    fn get(&self, own: u32) -> &[Candidate<u32>] {
        &self.sources[self.offsets[own as usize] as usize..self.offsets[own as usize + 1] as usize]
    }
}

/// The turn in which each vector was first reached; `NEVER` until then.
type Turns = Vec<u32>;

const NEVER: u32 = u32::MAX;

/// Makes every vector reachable from vector 0: each that is not gets a link from a near vector that is. Then moves the
/// link to the parent, which insertion needs, to the front: the nearest vector that was reached earlier and links back.
pub fn connect(vectors: &Vectors, links: &mut Links, degree: usize) {
    let mut turns = vec![NEVER; links.len()];
    // Breadth first, so that the way from a node over its parents is short.
    let (mut queue, mut turn) = (VecDeque::new(), 0);
    for start in 0..links.len() as u32 {
        if turns[start as usize] != NEVER {
            continue;
        }
        if start > 0 {
            attach(vectors, links, degree, start, &turns);
        }
        queue.push_back(start);
        turns[start as usize] = turn;
        while let Some(own) = queue.pop_front() {
            for link in &links[own as usize] {
                if turns[link.id as usize] == NEVER {
                    turn += 1;
                    turns[link.id as usize] = turn;
                    queue.push_back(link.id);
                }
            }
        }
        turn += 1;
    }
    for own in 0..links.len() {
        let is_parent = |link: &Candidate<u32>| {
            turns[link.id as usize] < turns[own] && links[link.id as usize].iter().any(|back| back.id as usize == own)
        };
        if let Some(lane) = links[own].iter().position(is_parent) {
            links[own].swap(0, lane);
        }
    }
}

/// Gives `start`, which is unreachable, a link from a reachable vector, if possible one with room. If its list is full,
/// `start` inherits the evicted link, so its target stays reachable.
fn attach(vectors: &Vectors, links: &mut Links, degree: usize, start: u32, turns: &Turns) {
    let mut own = links[start as usize].iter().map(|c| c.id).filter(|&id| turns[id as usize] != NEVER).peekable();
    let nearest = own.peek().copied().unwrap_or(start - 1);
    let near = own.find(|&id| links[id as usize].len() < degree).unwrap_or(nearest);
    let link = Candidate { distance: vectors.distance(near, start), id: start };
    if links[near as usize].len() < degree {
        return links[near as usize].push(link);
    }
    let Some(last) = links[near as usize].last_mut() else { return };
    let cut = std::mem::replace(last, link).id;
    let list = &mut links[start as usize];
    if list.iter().any(|c| c.id == cut) {
        return;
    }
    // A target that is cut here was reached already, or is attached in a later turn.
    list.truncate(degree - 1);
    list.push(Candidate { distance: vectors.distance(start, cut), id: cut });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::{Element, Metric};
    use crate::hnsw::{ColumnSpec, Params};

    #[test]
    fn unreachable_vectors_are_attached_and_all_others_stay_reachable() {
        let spec = ColumnSpec::with_seed(Params::new(2, Element::F32, Metric::L2), 1);
        let mut vectors = Vectors::with_capacity(&spec, 9);
        for i in 0..9u8 {
            vectors.push(&spec, &[f32::from(i), 0.0].map(f32::to_le_bytes).concat());
        }
        vectors.centre_and_rotate(&spec, 1);
        let lists: [&[u32]; 9] = [&[1, 2], &[0, 2], &[1, 0], &[0, 2], &[1, 2], &[3, 2], &[7, 8], &[6, 8], &[6, 7]];
        let list = |ids: &[u32]| ids.iter().map(|&id| Candidate { distance: 1.0, id }).collect();
        let mut links: Links = lists.into_iter().map(list).collect();
        connect(&vectors, &mut links, 2);
        let (mut reached, mut stack) = ([false; 9], vec![0u32]);
        while let Some(own) = stack.pop() {
            if !std::mem::replace(&mut reached[own as usize], true) {
                stack.extend(links[own as usize].iter().map(|link| link.id));
            }
        }
        assert_eq!(reached, [true; 9], "{links:?}");
        assert!(links.iter().all(|list| list.len() <= 2));
    }
}
