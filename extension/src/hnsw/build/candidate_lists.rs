//! Lists of the nearest candidates found so far, one per vector.

use super::parallel;

/// A packed candidate of vector v. The high bits are half the squared distance, which is never negative, so bits order
/// as numbers do. The low bits are the candidate's number minus v's, modulo the ring: ties go to the next number up, so
/// that equal vectors form a ring.
pub type Packed = u64;

pub const EMPTY: Packed = Packed::MAX;

/// How candidates are packed. For up to 2^24 vectors a candidate takes six bytes: the distance with a shorter mantissa,
/// and 24 bits of the number. Besides the vectors, the lists take most of the memory of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// The size of the ring, minus one.
    ring: u32,
    /// Bits of the distance that are dropped.
    dropped: u32,
    /// Bytes that hold a candidate.
    bytes: usize,
}

const NARROW: Packing = Packing { ring: 0xff_ffff, dropped: 0x7f, bytes: 6 };
const WIDE: Packing = Packing { ring: u32::MAX, dropped: 0, bytes: 8 };

impl Packing {
    /// The packing for vectors 0..count.
    pub fn of(count: usize) -> Packing {
        if count <= 1 << 24 { NARROW } else { WIDE }
    }

    #[inline]
    pub fn pack(self, distance: f32, of: u32, candidate: u32) -> Packed {
        let number = candidate.wrapping_sub(of) & self.ring;
        u64::from(distance.to_bits() & !self.dropped) << 32 | u64::from(number)
    }

    #[inline]
    pub fn candidate(self, packed: Packed, of: u32) -> u32 {
        of.wrapping_add(packed as u32) & self.ring
    }

    /// Returns the largest distance that is packed as this one.
    #[inline]
    pub fn limit(self, packed: Packed) -> f32 {
        f32::from_bits((packed >> 32) as u32 | self.dropped)
    }
}

/// Writes a candidate into its slot, which has as many bytes as the packing takes.
#[inline]
fn write(packed: Packed, slot: &mut [u8]) {
    if let Ok(slot) = <&mut [u8; 6]>::try_from(&mut *slot) {
        let narrow = if packed == EMPTY { packed } else { packed >> 39 << 24 | packed & 0xff_ffff };
        let [a, b, c, d, e, f, ..] = narrow.to_le_bytes();
        *slot = [a, b, c, d, e, f];
    } else if let Ok(slot) = <&mut [u8; 8]>::try_from(slot) {
        *slot = packed.to_le_bytes();
    }
}

/// The candidate in a slot.
#[inline]
fn read(slot: &[u8]) -> Packed {
    match *slot {
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => EMPTY,
        [a, b, c, d, e, f] => {
            let narrow = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
            narrow >> 24 << 39 | narrow & 0xff_ffff
        }
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => EMPTY,
    }
}

/// Half the squared distance.
#[inline]
pub fn distance(packed: Packed) -> f32 {
    f32::from_bits((packed >> 32) as u32)
}

/// A fixed number of candidates per vector, sorted, `EMPTY` at the end.
#[derive(Debug)]
pub struct CandidateLists {
    pub packing: Packing,
    size: usize,
    slots: Vec<u8>,
}

impl CandidateLists {
    /// `count` lists of `size` slots.
    pub fn new(packing: Packing, count: usize, size: usize) -> CandidateLists {
        CandidateLists { packing, size, slots: vec![0xff; count * size * packing.bytes] }
    }

    /// Bytes of one list.
    fn list_bytes(&self) -> usize {
        self.size * self.packing.bytes
    }

    /// Candidates of a vector, nearest first.
    pub fn get(&self, index: usize) -> impl Iterator<Item = Packed> {
        let list = &self.slots[index * self.list_bytes()..(index + 1) * self.list_bytes()];
        list.chunks_exact(self.packing.bytes).map(read).take_while(|&packed| packed != EMPTY)
    }

    /// Frees the memory of the lists from `count` on.
    pub fn truncate(&mut self, count: usize) {
        self.slots.truncate(count * self.list_bytes());
        self.slots.shrink_to_fit();
    }

    /// Returns the distance that a new candidate must not exceed.
    pub fn limit(&self, index: usize) -> f32 {
        let end = (index + 1) * self.list_bytes();
        match read(&self.slots[end - self.packing.bytes..end]) {
            EMPTY => f32::INFINITY,
            last => self.packing.limit(last),
        }
    }

    /// Merges sorted candidates into the lists, each candidate once. `additions`: numbers of lists in order, with their
    /// new candidates. One thread works on `block` lists at a time.
    pub fn merge(&mut self, threads: usize, block: usize, additions: &[(u32, &[Packed])]) {
        let (packing, size, list_bytes) = (self.packing, self.size, self.list_bytes());
        parallel::for_chunks(threads, &mut self.slots, block * list_bytes, |number, slots| {
            let first = (number * block) as u32;
            let start = additions.partition_point(|&(list, _)| list < first);
            let (mut own, mut scratch) = (Vec::with_capacity(size), Vec::with_capacity(size));
            for &(list, new) in &additions[start..] {
                let offset = (list - first) as usize * list_bytes;
                let Some(slots) = slots.get_mut(offset..offset + list_bytes) else { break };
                let last = read(&slots[list_bytes - packing.bytes..]);
                if new.first().is_none_or(|&first| first >= last) {
                    continue;
                }
                own.clear();
                own.extend(slots.chunks_exact(packing.bytes).map(read));
                merge(&mut own, new, &mut scratch);
                for (slot, &packed) in slots.chunks_exact_mut(packing.bytes).zip(&own) {
                    write(packed, slot);
                }
            }
        });
    }
}

/// Merges sorted candidates into a sorted list; each candidate once.
fn merge(list: &mut [Packed], new: &[Packed], scratch: &mut Vec<Packed>) {
    scratch.clear();
    let (mut old, mut new) = (list.iter().copied().peekable(), new.iter().copied().peekable());
    while scratch.len() < list.len() {
        let next = match (old.peek(), new.peek()) {
            (Some(&a), Some(&b)) if b < a => new.next(),
            (Some(_), _) => old.next(),
            (None, _) => new.next(),
        };
        match next {
            // A pair has the same distance wherever it is computed, so duplicates are adjacent.
            Some(packed) if packed == EMPTY || scratch.last() != Some(&packed) => scratch.push(packed),
            Some(_) => {}
            None => break,
        }
    }
    list[..scratch.len()].copy_from_slice(scratch);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_the_nearest_candidates_once_each() {
        for packing in [NARROW, WIDE] {
            let entry = |distance: f32, id| packing.pack(distance, 10, id);
            let mut lists = CandidateLists::new(packing, 2, 3);
            assert_eq!((lists.limit(0), lists.get(0).count()), (f32::INFINITY, 0));
            let (first, second) = ([entry(0.5, 1), entry(0.75, 2)], [entry(0.125, 9), entry(0.5, 1), entry(0.625, 4)]);
            lists.merge(2, 1, &[(0, &first), (1, &second), (1, &[])]);
            assert_eq!(lists.get(0).collect::<Vec<_>>(), first);
            lists.merge(1, 4, &[(0, &second), (1, &first)]);
            assert_eq!(lists.get(0).collect::<Vec<_>>(), second);
            assert_eq!(lists.get(1).collect::<Vec<_>>(), second);
            assert_eq!(lists.limit(0), packing.limit(second[2]));
            assert!((0.625..0.625_01).contains(&lists.limit(0)));
            let nearest = lists.get(0).next().unwrap();
            assert_eq!((packing.candidate(nearest, 10), distance(nearest)), (9, 0.125));
            lists.truncate(1);
            assert_eq!(lists.slots.len(), lists.list_bytes());
        }
    }

    #[test]
    fn equal_distances_order_by_the_next_number_up() {
        for packing in [NARROW, WIDE] {
            let pack = |of, candidate| packing.pack(0.0, of, candidate);
            assert!(pack(5, 6) < pack(5, 7) && pack(5, 7) < pack(5, 4));
            for (of, candidate) in [(0, 0xff_ffff), (0xff_ffff, 0), (77, 76), (0x80_0000, 12)] {
                assert_eq!(packing.candidate(pack(of, candidate), of), candidate);
                let mut slot = vec![0; packing.bytes];
                write(pack(of, candidate), &mut slot);
                assert_eq!(read(&slot), pack(of, candidate));
            }
        }
        assert_eq!((Packing::of(1 << 24), Packing::of((1 << 24) + 1)), (NARROW, WIDE));
    }

    #[test]
    fn a_narrow_distance_is_never_more_than_the_true_one_and_its_limit_never_less() {
        for distance_bits in (0x2000_0000u32..0x7f00_0000).step_by(99_991) {
            let exact = f32::from_bits(distance_bits);
            let packed = NARROW.pack(exact, 1, 2);
            assert!(distance(packed) <= exact && exact <= NARROW.limit(packed));
            assert!(NARROW.limit(packed) - distance(packed) <= exact / 65_000.0);
        }
    }
}
