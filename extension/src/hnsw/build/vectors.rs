//! The vectors of a bulk build: rotated, in memory, by number.

use super::super::Space;
use super::super::geometry::snap;
use crate::distance::fast_dot;

/// Vectors of p components in the graph's space, and half their squared norms.
#[derive(Debug, Clone, Default)]
pub struct Vectors {
    pub padded: usize,
    data: Vec<f32>,
    half_norms: Vec<f32>,
    /// Under `dot` no inner product is more than this.
    most: Option<f32>,
}

impl Vectors {
    /// With room for `count` vectors, or none yet if there is no such room: a damaged file may count any number.
    pub fn with_capacity(space: &Space, count: usize) -> Vectors {
        let mut vectors = Vectors { padded: space.padded(), ..Vectors::default() };
        let _ = vectors.data.try_reserve_exact(count.saturating_mul(vectors.padded));
        vectors
    }

    /// Appends a stored vector (bytes of the column's element type).
    pub fn push(&mut self, space: &Space, stored: &[u8]) {
        let start = self.data.len();
        self.data.resize(start + self.padded, 0.0);
        space.rotate(stored, &mut self.data[start..]);
        let rotated = &self.data[start..];
        self.half_norms.push(0.5 * fast_dot(rotated, rotated));
    }

    /// Vectors are near under `dot` when their inner product is large.
    pub fn rank_by_product(&mut self) {
        let most = self.half_norms.iter().fold(0f32, |most, &x| most.max(x));
        self.most = Some(2.0 * most * (1.0 + 1e-5));
    }

    pub fn is_by_product(&self) -> bool {
        self.most.is_some()
    }

    /// What stands for the half norm in half distances.
    #[inline]
    pub fn weight(&self, index: u32) -> f32 {
        self.most.map_or_else(|| self.half_norm(index), |most| w() * self.half_norm(index) + (1.0 - w()) * 0.5 * most)
    }

    pub fn len(&self) -> usize {
        self.half_norms.len()
    }

    pub fn is_empty(&self) -> bool {
        self.half_norms.is_empty()
    }

    #[inline]
    pub fn get(&self, index: u32) -> &[f32] {
        let start = index as usize * self.padded;
        &self.data[start..start + self.padded]
    }

    #[inline]
    pub fn half_norm(&self, index: u32) -> f32 {
        self.half_norms[index as usize]
    }

    /// Half the squared l2 distance; 0 for vectors that differ by rounding only.
    #[inline]
    pub fn distance(&self, a: u32, b: u32) -> f32 {
        let dot = fast_dot(self.get(a), self.get(b));
        if let Some(most) = self.most {
            return self.weight(a) + self.weight(b) - dot;
        }
        let norms = self.half_norm(a) + self.half_norm(b);
        snap(norms - dot, norms)
    }

    /// Copies the given vectors, one after another.
    pub fn gather(&self, members: &[u32], out: &mut Vec<f32>) {
        out.clear();
        members.iter().for_each(|&member| out.extend_from_slice(self.get(member)));
    }

    /// Puts vector `order[i]` at place i, in place.
    pub fn permute(&mut self, order: &[u32]) {
        let mut placed = vec![false; order.len()];
        let mut held = vec![0f32; self.padded];
        for start in 0..order.len() {
            if placed[start] {
                continue;
            }
            held.copy_from_slice(self.get(start as u32));
            let held_norm = self.half_norms[start];
            let mut place = start;
            loop {
                placed[place] = true;
                let from = order[place] as usize;
                let target = place * self.padded;
                if from == start {
                    self.data[target..target + self.padded].copy_from_slice(&held);
                    self.half_norms[place] = held_norm;
                    break;
                }
                self.data.copy_within(from * self.padded..(from + 1) * self.padded, target);
                self.half_norms[place] = self.half_norms[from];
                place = from;
            }
        }
    }
}

fn w() -> f32 {
    static W: std::sync::OnceLock<f32> = std::sync::OnceLock::new();
    *W.get_or_init(|| std::env::var("W").ok().and_then(|w| w.parse().ok()).unwrap_or(0.0))
}
