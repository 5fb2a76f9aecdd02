//! The geometries that the graph is linked by: squared l2 between vectors, which are of unit length under cosine; under
//! `dot` the inner product as well.
//!
//! By inner products alone the short vectors are nobody's neighbours, and by l2 alone a search does not come upon the
//! long ones: linked by both, all are reached and the largest products found. Morozov & Babenko (2018), "Non-metric
//! similarity graphs for maximum inner product search", link by products; Liu, Yan et al. (2020), "Understanding and
//! improving proximity graph based maximum inner product search", add a second graph to theirs.

use super::ColumnSpec;
use crate::distance::{decode, fast_dot};
use crate::format::node::{Node, NodeId};

/// Distances below this share of the half norms are rounding: the vectors are taken for equal.
const EQUAL: f32 = 1e-6;

/// Rounds half a squared distance that is rounding error, given the sum of the half norms, to zero.
#[inline]
pub fn snap(distance: f32, norms: f32) -> f32 {
    if distance <= EQUAL * norms { 0.0 } else { distance }
}

/// Vectors by which a list of links is chosen; `T` says which.
pub trait Geometry<T> {
    /// Whether links are chosen by inner products as well.
    fn ranks_products(&self) -> bool;

    /// Half the squared l2 distance; 0 for vectors that differ by rounding only.
    fn distance(&self, a: T, b: T) -> f32;

    /// The inner product.
    fn product(&self, a: T, b: T) -> f32;
}

/// A vector in the graph's geometry, not rotated, padded with zeros.
#[derive(Debug, Clone, Default)]
pub struct Point {
    pub id: NodeId,
    /// The node that the first link leads to, if there is one: it holds on to this one.
    pub parent: Option<NodeId>,
    components: Vec<f32>,
    pub half_norm: f32,
}

impl Point {
    pub fn new(spec: &ColumnSpec, node: &Node<'_>) -> Point {
        let mut components = vec![0f32; spec.padded()];
        spec.normalise_and_centre(&decode(node.vector(), spec.params.element), node.inverse_norm(), &mut components);
        let half_norm = 0.5 * fast_dot(&components, &components);
        Point { id: node.id, parent: node.neighbours().next(), components, half_norm }
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
