//! Fills lists that have room with links that the heuristic excluded. A row is read whole, and all its lanes are
//! estimated at once, so a lane without a link costs as much as one with a link.
//!
//! The candidates are the spares: the nearest of a vector's candidates that were not chosen. A spare becomes a link if, seen
//! from the vector, the angle between it and every link of the list is wide enough. Bisection finds the widest angle at
//! which the list gets full: Gou, Gao et al. (2025), "SymphonyQG: towards symphonious
//! integration of quantization and graph for approximate nearest neighbor search".

use super::super::geometry::Geometry;
use super::super::select::Candidate;
use super::built::Links;
use super::link::{BLOCK, sort};
use super::parallel;
use super::vectors::Vectors;

/// The number of spares per vector.
pub const SPARES: usize = 40;
/// The share of the lanes that is filled. Later insertions add links to the others, without pruning.
const FILL: (usize, usize) = (7, 8);
/// The range of the bisection for the largest cosine of two links, and its steps.
const COSINES: (f32, f32) = (0.5, 1.01);
const STEPS: usize = 8;

/// The spares of every vector, nearest first: their numbers plus one, 0 where there are fewer. Memory of zeros is not
/// touched until it is set: by then that of the candidate lists is being released.
pub struct Spares {
    slots: Vec<u32>,
}

impl Spares {
    /// Room for the spares of `count` vectors.
    pub fn new(count: usize) -> Spares {
        Spares { slots: vec![0; count * SPARES] }
    }

    /// Sets the spares of a vector.
    pub fn set(&mut self, own: u32, ids: &[u32]) {
        let start = own as usize * SPARES;
        for (slot, id) in self.slots[start..start + SPARES].iter_mut().zip(ids) {
            *slot = id + 1;
        }
    }

    fn get(&self, own: u32) -> impl Iterator<Item = u32> {
        let start = own as usize * SPARES;
        self.slots[start..start + SPARES].iter().map_while(|slot| slot.checked_sub(1))
    }
}

/// Fills every list up to seven eighths of `degree`, as far as there are spares.
pub fn fill(vectors: &Vectors, links: &mut Links, spares: &Spares, degree: usize, threads: usize) {
    let degree = degree * FILL.0 / FILL.1;
    parallel::for_chunks(threads, links, BLOCK, |block, lists| {
        let mut cosines = Cosines::default();
        for (offset, list) in lists.iter_mut().enumerate().filter(|(_, list)| list.len() < degree) {
            let own = (block * BLOCK + offset) as u32;
            let kept = list.len();
            let is_new = |id: &u32| !list.iter().any(|link| link.id == *id);
            let distance = |id: u32| Candidate { distance: vectors.distance(own, id), id };
            let new: Vec<_> = spares.get(own).filter(is_new).map(distance).collect();
            if new.is_empty() {
                continue;
            }
            list.extend(new);
            cosines.compute(vectors, list, kept);
            let chosen = cosines.choose(kept, degree);
            *list = chosen.into_iter().map(|i| list[i]).collect();
            sort(own, list);
        }
    });
}

/// The cosines of the angles between candidates and all entries of a list, seen from the list's owner.
#[derive(Default)]
struct Cosines {
    entries: usize,
    /// By candidate and entry.
    values: Vec<f32>,
}

impl Cosines {
    /// The entries from `kept` on are the candidates.
    fn compute(&mut self, vectors: &Vectors, list: &[Candidate<u32>], kept: usize) {
        let members: Vec<u32> = list.iter().map(|entry| entry.id).collect();
        self.entries = list.len();
        self.values.clear();
        self.values.resize((list.len() - kept) * list.len(), 0.0);
        let block = vectors.block(&members);
        block.products(kept..list.len(), &block, 0, &mut self.values);
        for (candidate, row) in list[kept..].iter().zip(self.values.chunks_exact_mut(list.len())) {
            for (entry, value) in list.iter().zip(row) {
                let between = vectors.half_norm(candidate.id) + vectors.half_norm(entry.id) - *value;
                let scale = 2.0 * (candidate.distance * entry.distance).sqrt();
                *value = (candidate.distance + entry.distance - between) / scale.max(f32::MIN_POSITIVE);
            }
        }
    }

    /// Returns the first `kept` entries and the candidates that fill the list up to `degree`.
    fn choose(&self, kept: usize, degree: usize) -> Vec<usize> {
        let (mut few, mut enough) = COSINES;
        let mut chosen = Vec::with_capacity(degree);
        for _ in 0..STEPS {
            let middle = 0.5 * (few + enough);
            self.below(middle, kept, degree, &mut chosen);
            if chosen.len() < degree { few = middle } else { enough = middle }
        }
        self.below(enough, kept, degree, &mut chosen);
        chosen
    }

    /// Chooses the candidates, nearest first, whose cosine with every entry chosen before is below `most`.
    fn below(&self, most: f32, kept: usize, degree: usize, chosen: &mut Vec<usize>) {
        chosen.clear();
        chosen.extend(0..kept);
        for (candidate, cosines) in (kept..).zip(self.values.chunks_exact(self.entries)) {
            if chosen.len() == degree {
                break;
            }
            if chosen.iter().all(|&entry| cosines[entry] < most) {
                chosen.push(candidate);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::{Element, Metric};
    use crate::hnsw::{ColumnSpec, Params};

    /// The node at the origin links to (1, 0); its spares are the others.
    fn filled(points: &[[f32; 2]], degree: usize) -> Vec<u32> {
        let spec = ColumnSpec::with_seed(Params::new(2, Element::F32, Metric::L2), 1);
        let mut vectors = Vectors::with_capacity(&spec, points.len() + 2);
        for point in [[0.0, 0.0], [1.0, 0.0]].iter().chain(points) {
            vectors.push(&spec, &point.map(f32::to_le_bytes).concat());
        }
        vectors.centre_and_rotate(&spec, 1);
        let count = vectors.len() as u32;
        let mut links: Links = vec![Vec::new(); vectors.len()];
        links[0].push(Candidate { distance: 0.5, id: 1 });
        let mut spares = Spares::new(vectors.len());
        spares.set(0, &(2..count).collect::<Vec<_>>());
        fill(&vectors, &mut links, &spares, degree, 2);
        assert!(links[1..].iter().all(Vec::is_empty), "they have no spares");
        links[0].iter().map(|link| link.id).collect()
    }

    #[test]
    fn links_at_the_widest_angles_are_chosen() {
        // Beside the link, above it, opposite to it.
        let points = [[1.1, 0.1], [0.1, 1.2], [-1.3, 0.0]];
        assert_eq!(filled(&points, 4), [1, 3, 4]);
    }

    #[test]
    fn a_list_is_filled_even_with_candidates_that_stand_side_by_side() {
        let points = [[1.1, 0.0], [1.2, 0.0], [1.3, 0.0]];
        assert_eq!(filled(&points, 4), [1, 2, 3]);
        assert_eq!(filled(&points, 8), [1, 2, 3, 4], "there are no more");
    }
}
