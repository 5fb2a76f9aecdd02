//! The nearest candidates found so far, for every vector.

/// A candidate of vector v, packed: half the squared distance (never negative, so its bits are in order) above the
/// candidate's number less v's, modulo 2^32. Ties go to the next number up, so that equal vectors form a ring.
pub type Packed = u64;

pub const EMPTY: Packed = Packed::MAX;

#[inline]
pub fn pack(distance: f32, of: u32, candidate: u32) -> Packed {
    u64::from(distance.to_bits()) << 32 | u64::from(candidate.wrapping_sub(of))
}

#[inline]
pub fn distance(packed: Packed) -> f32 {
    f32::from_bits((packed >> 32) as u32)
}

#[inline]
pub fn candidate(packed: Packed, of: u32) -> u32 {
    of.wrapping_add(packed as u32)
}

/// A fixed number of places a vector, sorted, `EMPTY` at the end.
#[derive(Debug)]
pub struct Pools {
    pub size: usize,
    pub places: Vec<Packed>,
}

impl Pools {
    pub fn new(count: usize, size: usize) -> Pools {
        Pools { size, places: vec![EMPTY; count * size] }
    }

    /// Candidates of a vector, nearest first.
    pub fn get(&self, index: usize) -> &[Packed] {
        let pool = &self.places[index * self.size..(index + 1) * self.size];
        &pool[..pool.partition_point(|&packed| packed != EMPTY)]
    }

    /// Gives the memory of the pools from `count` on back.
    pub fn truncate(&mut self, count: usize) {
        self.places.truncate(count * self.size);
        self.places.shrink_to_fit();
    }

    /// The distance that a new candidate must not exceed.
    pub fn limit(&self, index: usize) -> f32 {
        match self.places[(index + 1) * self.size - 1] {
            EMPTY => f32::INFINITY,
            last => distance(last),
        }
    }
}

/// Merges sorted candidates into a sorted pool; each candidate once.
pub fn merge(pool: &mut [Packed], new: &[Packed], scratch: &mut Vec<Packed>) {
    let last = pool[pool.len() - 1];
    if new.first().is_none_or(|&first| first >= last) {
        return;
    }
    scratch.clear();
    let (mut old, mut new) = (pool.iter().copied().peekable(), new.iter().copied().peekable());
    while scratch.len() < pool.len() {
        let next = match (old.peek(), new.peek()) {
            (Some(&a), Some(&b)) if b < a => new.next(),
            (Some(_), _) => old.next(),
            (None, _) => new.next(),
        };
        match next {
            // The same pair has the same distance wherever it is computed, so doubles are side by side.
            Some(packed) if packed == EMPTY || scratch.last() != Some(&packed) => scratch.push(packed),
            Some(_) => {}
            None => break,
        }
    }
    pool[..scratch.len()].copy_from_slice(scratch);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_keeps_the_nearest_once_each() {
        let entry = |distance: f32, id| pack(distance, 10, id);
        let mut pool = vec![entry(0.5, 1), entry(0.7, 2), EMPTY];
        let mut scratch = Vec::new();
        merge(&mut pool, &[entry(0.1, 9), entry(0.5, 1), entry(0.6, 4)], &mut scratch);
        assert_eq!(pool, [entry(0.1, 9), entry(0.5, 1), entry(0.6, 4)]);
        assert_eq!((candidate(pool[0], 10), distance(pool[0])), (9, 0.1));
    }

    #[test]
    fn ties_go_to_the_next_number_up() {
        assert!(pack(0.0, 5, 6) < pack(0.0, 5, 7) && pack(0.0, 5, 7) < pack(0.0, 5, 4));
    }
}
