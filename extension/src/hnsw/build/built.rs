//! The input and the result of a bulk build.

use super::vectors::Vectors;
use crate::error::Result;
use crate::format::node::NodeId;
use crate::hnsw::ColumnSpec;
use crate::hnsw::select::Candidate;

/// Links of every vector, nearest first.
pub type Links = Vec<Vec<Candidate<u32>>>;

/// Called every few tens of milliseconds with the share of the build that is done, 0 to 1, which never falls. An error
/// stops the build.
pub type ProgressCallback<'a> = &'a dyn Fn(f64) -> Result<()>;

/// Options of a build.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The number of threads; the result does not depend on it.
    pub threads: usize,
    /// Node rows per page of the file: so many linked nodes are put side by side.
    pub rows_per_page: usize,
}

/// A graph over vectors 0..n in locality order.
pub struct Built {
    /// The column's specification, with the centre of these vectors.
    pub spec: ColumnSpec,
    /// The centre, d components; empty if there are no vectors.
    pub centre: Vec<f32>,
    /// order[i] is the number, in the order of the input, of the vector of node i.
    pub order: Vec<u32>,
    /// Node i gets the id `first_id` + i.
    pub first_id: NodeId,
    /// In locality order.
    pub vectors: Vectors,
    pub links: Links,
}

impl Built {
    /// The id of node `number`.
    pub fn id_of(&self, number: u32) -> NodeId {
        NodeId(self.first_id.0 + number)
    }

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
