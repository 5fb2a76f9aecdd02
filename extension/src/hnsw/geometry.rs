//! The geometries by which the graph is linked: squared l2 (of unit vectors under cosine), and under `dot` the inner
//! product as well.
//!
//! By inner products alone short vectors are nobody's neighbours. Under l2 alone long vectors, the likely answers, have
//! no near neighbours. Linked by both, all vectors are reachable and the largest products are found. Morozov & Babenko
//! (2018), "Non-metric similarity graphs for maximum inner product search", link by products; Liu, Yan et al. (2020),
//! "Understanding and improving proximity graph based maximum inner product search", add a second graph to theirs.

use super::ColumnSpec;
use crate::distance::{decode, fast_dot};
use crate::format::node::{Node, NodeId};

/// Distances below this share of the half norms are rounding errors: the vectors count as equal.
const EQUAL: f32 = 1e-6;

/// Returns half a squared distance, or zero if it is no more than the rounding error of the sum of the half norms.
#[inline]
pub fn snap(distance: f32, norms: f32) -> f32 {
    if distance <= EQUAL * norms { 0.0 } else { distance }
}

/// The distances by which links are chosen; `T` identifies a vector.
pub trait Geometry<T> {
    /// Whether links are chosen by inner product as well.
    fn ranks_products(&self) -> bool;

    /// Half the squared l2 distance; 0 for vectors that differ by rounding only.
    fn distance(&self, a: T, b: T) -> f32;

    /// The inner product.
    fn product(&self, a: T, b: T) -> f32;
}

/// A vector in the graph's geometry, not rotated, padded with zeros.
#[derive(Debug, Clone)]
pub struct Point {
    pub id: NodeId,
    /// The target of the first link, if there is one: the parent, which keeps its link to this node.
    pub parent: Option<NodeId>,
    /// Whether the node belongs to a row; a tombstone does not.
    pub is_live: bool,
    components: Vec<f32>,
    pub half_norm: f32,
}

impl Point {
    pub fn new(spec: &ColumnSpec, node: &Node<'_>) -> Point {
        let mut components = vec![0f32; spec.padded()];
        spec.normalise_and_centre(&decode(node.vector(), spec.params.element), node.inverse_norm(), &mut components);
        let half_norm = 0.5 * fast_dot(&components, &components);
        Point { id: node.id, parent: node.neighbours().next(), is_live: !node.is_tombstone(), components, half_norm }
    }

    /// Half the squared l2 distance; 0 for vectors that differ by rounding only.
    pub fn distance(&self, other: &Point) -> f32 {
        let norms = self.half_norm + other.half_norm;
        snap(norms - self.product(other), norms)
    }

    /// The inner product.
    pub fn product(&self, other: &Point) -> f32 {
        fast_dot(&self.components, &other.components)
    }
}
