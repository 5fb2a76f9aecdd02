//! What a bulk build takes and what it gives.

use super::vectors::Vectors;
use crate::error::Result;
use crate::hnsw::ColumnSpec;
use crate::hnsw::select::Candidate;

/// Links of every vector, nearest first.
pub type Links = Vec<Vec<Candidate<u32>>>;

/// Told between steps of at most some tens of milliseconds which share of the build is done, 0 to 1, never less than
/// before; an error stops the build.
pub type Watch<'a> = &'a dyn Fn(f64) -> Result<()>;

/// What a build is made for.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many threads work; the result does not depend on it.
    pub threads: usize,
    /// Node rows that fit a page of the file: so many linked nodes are put side by side.
    pub rows_per_page: usize,
}

/// A graph over vectors 0..n in locality order.
pub struct Built {
    /// That of the column, about the centre of these vectors.
    pub spec: ColumnSpec,
    /// The centre, d components; none of no vectors.
    pub centre: Vec<f32>,
    /// order[i]: the number, as the vectors came, of the vector that is node i.
    pub order: Vec<u32>,
    /// Node i gets the id `first_id` + i.
    pub first_id: u32,
    /// In locality order.
    pub vectors: Vectors,
    pub links: Links,
}

impl Built {
    /// Renumbers the nodes: node i becomes what node `order[i]` was.
    pub(super) fn renumber(&mut self, order: &[u32]) {
        let mut new_id = vec![0u32; order.len()];
        for (new, &old) in (0..).zip(order) {
            new_id[old as usize] = new;
        }
        self.vectors.permute(order);
        self.order = order.iter().map(|&old| self.order[old as usize]).collect();
        let mut links = std::mem::take(&mut self.links);
        self.links = order.iter().map(|&old| std::mem::take(&mut links[old as usize])).collect();
        for link in self.links.iter_mut().flatten() {
            link.id = new_id[link.id as usize];
        }
    }
}
