//! The selection of neighbours: which candidates a node links to.

use super::geometry::Geometry;

/// The share of a pruned list's lanes that is filled up with the nearest candidates that the heuristic excluded.
pub const FILL: (usize, usize) = (3, 4);

/// A candidate for a link: its key (half the squared l2 distance to the node, or the negative product) and its
/// identity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate<T> {
    pub distance: f32,
    pub id: T,
}

/// How many links a selection may keep.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub degree: usize,
    /// The most links to equal vectors; None if the key does not tell that vectors are equal.
    pub duplicates: Option<usize>,
}

impl Limits {
    /// Limits for the links that a node chooses. Equal vectors form a ring, so it has one duplicate on either side.
    pub fn forward(m: usize) -> Limits {
        Limits { degree: m, duplicates: Some(2.min(m)) }
    }

    /// Limits for links chosen by inner product.
    pub fn products(degree: usize) -> Limits {
        Limits { degree, duplicates: None }
    }

    /// Limits for a list that overflowed. Half of it may be duplicates, since they may be reachable through this node
    /// only.
    fn pruned(degree: usize) -> Limits {
        Limits { degree, duplicates: Some(degree / 2) }
    }
}

/// SELECT-NEIGHBORS-HEURISTIC, Algorithm 4 of Malkov & Yashunin (2016), without fill-up.
///
/// `candidates` come nearest first; `between` gives the distance of two of them. Invariant: every kept candidate is
/// nearer to the node than to any candidate kept before it. Candidates equal to the node (distance 0) would exclude
/// all others. So at most `limits.duplicates` are kept, and they exclude nobody.
pub fn select_neighbours<T: Copy>(
    candidates: &[Candidate<T>],
    limits: Limits,
    mut between: impl FnMut(T, T) -> f32,
    kept: &mut Vec<Candidate<T>>,
) {
    kept.clear();
    let mut duplicates = 0;
    for &candidate in candidates {
        if kept.len() == limits.degree {
            break;
        }
        if let Some(most) = limits.duplicates.filter(|_| candidate.distance <= 0.0) {
            if duplicates < most {
                kept.push(candidate);
                duplicates += 1;
            }
            continue;
        }
        if kept[duplicates..].iter().all(|other| between(candidate.id, other.id) > candidate.distance) {
            kept.push(candidate);
        }
    }
}

/// Returns the candidates by their inner products with `own`, largest first. Their keys are the negative products.
pub fn by_product<T: Copy>(own: T, candidates: &[Candidate<T>], geometry: &impl Geometry<T>) -> Vec<Candidate<T>> {
    let product = |c: &Candidate<T>| Candidate { distance: -geometry.product(own, c.id), id: c.id };
    let mut sorted: Vec<_> = candidates.iter().map(product).collect();
    sorted.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    sorted
}

/// Prunes the list of `own`, nearest first, to at most `degree` links. If products rank too, links chosen by distance
/// take up to half of the lanes and links chosen by product the rest.
pub fn prune<T: Copy + PartialEq>(
    own: T,
    list: &[Candidate<T>],
    degree: usize,
    geometry: &impl Geometry<T>,
    kept: &mut Vec<Candidate<T>>,
) {
    let by_distance = |a, b| geometry.distance(a, b);
    let fill = degree * FILL.0 / FILL.1;
    if !geometry.ranks_products() {
        select_neighbours(list, Limits::pruned(degree), by_distance, kept);
        return add(list.iter().filter(|candidate| candidate.distance > 0.0), fill, kept);
    }
    select_neighbours(list, Limits::pruned(degree / 2), by_distance, kept);
    let products = by_product(own, list, geometry);
    let mut chosen = Vec::new();
    select_neighbours(&products, Limits::products(degree), |a, b| -geometry.product(a, b), &mut chosen);
    let as_listed = |candidate: &Candidate<T>| list.iter().find(|listed| listed.id == candidate.id);
    add(chosen.iter().filter_map(as_listed), degree, kept);
    add(products.iter().filter_map(as_listed).filter(|candidate| candidate.distance > 0.0), fill, kept);
}

/// Adds candidates that `kept` does not have, until it has `most`.
pub fn add<'c, T: Copy + PartialEq + 'c>(
    candidates: impl Iterator<Item = &'c Candidate<T>>,
    most: usize,
    kept: &mut Vec<Candidate<T>>,
) {
    for candidate in candidates {
        if kept.len() >= most {
            break;
        }
        if !kept.iter().any(|c| c.id == candidate.id) {
            kept.push(*candidate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on a line, the node at 0.
    fn select(points: &[f32], degree: usize) -> Vec<f32> {
        let mut candidates: Vec<_> = points.iter().map(|&x| Candidate { distance: x * x / 2.0, id: x }).collect();
        candidates.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        let mut kept = Vec::new();
        select_neighbours(&candidates, Limits::forward(degree), |a, b| (a - b) * (a - b) / 2.0, &mut kept);
        kept.iter().map(|c| c.id).collect()
    }

    #[test]
    fn one_neighbour_per_direction_is_kept() {
        assert_eq!(select(&[1.0, 2.0, 3.0, -1.5, -4.0], 8), [1.0, -1.5]);
        assert_eq!(select(&[1.0, -1.5], 1), [1.0]);
    }

    struct Plane {
        points: Vec<[f32; 2]>,
        ranks_products: bool,
    }

    impl Geometry<usize> for Plane {
        fn ranks_products(&self) -> bool {
            self.ranks_products
        }

        fn distance(&self, a: usize, b: usize) -> f32 {
            let ([ax, ay], [bx, by]) = (self.points[a], self.points[b]);
            ((ax - bx).powi(2) + (ay - by).powi(2)) / 2.0
        }

        fn product(&self, a: usize, b: usize) -> f32 {
            let ([ax, ay], [bx, by]) = (self.points[a], self.points[b]);
            ax * bx + ay * by
        }
    }

    /// The numbers of the points that stay in the list of (1, 0), which has room for four.
    fn pruned(ranks_products: bool) -> Vec<usize> {
        let points = vec![[1.0, 0.0], [1.1, 0.0], [0.9, 0.0], [1.0, 0.3], [1.0, -0.4], [9.0, 8.0], [9.0, -9.5]];
        let plane = Plane { points, ranks_products };
        let mut list: Vec<_> = (1..7).map(|id| Candidate { distance: plane.distance(0, id), id }).collect();
        list.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        let mut kept = Vec::new();
        prune(0, &list, 4, &plane, &mut kept);
        assert!(kept.iter().all(|candidate| list.contains(candidate)));
        kept.iter().map(|candidate| candidate.id).collect()
    }

    #[test]
    fn a_list_is_pruned_by_distance_and_under_dot_by_product_too() {
        let mut near = pruned(false);
        near.sort_unstable();
        assert_eq!(near, [1, 2, 3, 4]);
        let both = pruned(true);
        assert!(both[..2].iter().all(|id| [1, 2].contains(id)), "{both:?}");
        assert_eq!(both[2..], [5, 6]);
    }

    #[test]
    fn duplicates_never_exclude_other_candidates() {
        assert_eq!(select(&[0.0, 0.0, 0.0, 2.0, -3.0], 8), [0.0, 0.0, 2.0, -3.0]);
    }
}
