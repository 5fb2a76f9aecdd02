//! Choosing which candidates a node links to.

/// A candidate for a link: half the squared l2 distance to the node, and who it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate<T> {
    pub distance: f32,
    pub id: T,
}

/// How many links a selection may keep.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub degree: usize,
    /// Of them, links to equal vectors.
    pub twins: usize,
}

impl Limits {
    /// For the links that a node chooses: one twin on either side of it in the ring that equal vectors form.
    pub fn forward(m: usize) -> Limits {
        Limits { degree: m, twins: 2.min(m) }
    }

    /// For a list that has overflowed: half of it may be twins, since they may hang on this node alone.
    pub fn pruned(degree: usize) -> Limits {
        Limits { degree, twins: degree / 2 }
    }
}

/// SELECT-NEIGHBORS-HEURISTIC, Algorithm 4 of Malkov & Yashunin (2016), without fill-up.
///
/// `candidates` come nearest first; `between` gives the distance of two of them. Invariant: every kept candidate is
/// nearer to the node than to any candidate kept before it. Candidates equal to the node (distance 0) would shut out
/// all others, so at most `limits.twins` are kept and they shut out nobody.
pub fn select_neighbours<T: Copy>(
    candidates: &[Candidate<T>],
    limits: Limits,
    mut between: impl FnMut(T, T) -> f32,
    kept: &mut Vec<Candidate<T>>,
) {
    kept.clear();
    let mut twins = 0;
    for &candidate in candidates {
        if kept.len() == limits.degree {
            break;
        }
        if candidate.distance <= 0.0 {
            if twins < limits.twins {
                kept.push(candidate);
                twins += 1;
            }
            continue;
        }
        if kept[twins..].iter().all(|other| between(candidate.id, other.id) > candidate.distance) {
            kept.push(candidate);
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
    fn one_neighbour_a_direction_is_kept() {
        assert_eq!(select(&[1.0, 2.0, 3.0, -1.5, -4.0], 8), [1.0, -1.5]);
        assert_eq!(select(&[1.0, -1.5], 1), [1.0]);
    }

    #[test]
    fn equal_vectors_shut_nobody_out() {
        assert_eq!(select(&[0.0, 0.0, 0.0, 2.0, -3.0], 8), [0.0, 0.0, 2.0, -3.0]);
    }
}
