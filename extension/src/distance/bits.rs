//! Counts over packed vectors of bits: those that two vectors share, and those that differ. A count does not depend on the
//! order of its sum, so these functions are both the specification and the source of every kernel: each set of kernels
//! compiles them for the instructions of one CPU.

/// The number of bits that differ, over the common length.
#[inline(always)]
pub(super) fn differing(a: &[u8], b: &[u8]) -> u32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let whole = a.iter().zip(b).map(|(&x, &y)| (u64::from_le_bytes(x) ^ u64::from_le_bytes(y)).count_ones());
    let rest = a_rest.iter().zip(b_rest).map(|(x, y)| (x ^ y).count_ones());
    whole.sum::<u32>() + rest.sum::<u32>()
}

/// Two sets of vectors of `words` words each, one after another.
#[derive(Debug, Clone, Copy)]
pub struct BitSets<'a> {
    pub a: &'a [u64],
    pub b: &'a [u64],
    pub words: usize,
}

/// Writes out[i * b_rows + j], the number of bits that a_i and b_j share: the inner product of their zeros and ones.
#[inline(always)]
pub(super) fn common(sets: BitSets<'_>, out: &mut [f32]) {
    let BitSets { a, b, words } = sets;
    let b_rows = b.len() / words;
    for (x, row) in a.chunks_exact(words).zip(out.chunks_exact_mut(b_rows)) {
        for (y, slot) in b.chunks_exact(words).zip(row) {
            *slot = x.iter().zip(y).map(|(x, y)| (x & y).count_ones()).sum::<u32>() as f32;
        }
    }
}
