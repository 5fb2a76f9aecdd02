//! The FastScan kernel: looks up the codes of 32 neighbours in a query's tables and estimates their keys.
//!
//! `scalar` is the specification. Sums are integers and the last steps are single multiplications and additions in one
//! order, so all versions give bit-identical estimates.

use super::Lookup;

/// How the factors of a group are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorKind {
    /// Half precision: inner product of unit vectors.
    F16,
    F32,
}

/// A group of 32 neighbours in the layout of a row, and the key of its centre.
#[derive(Debug, Clone, Copy)]
pub struct Estimate<'a> {
    /// key(c).
    pub base: f32,
    /// 32 factors, little-endian.
    pub f1: &'a [u8],
    pub f0: &'a [u8],
    /// Planes of blocks of 32 bytes.
    pub codes: &'a [u8],
}

/// Writes base + f1 * (delta * A + bias) + f0 for 32 lanes.
#[derive(Debug, Clone, Copy)]
pub struct Estimator(EstimatorFn);

/// Some estimators may run only on a CPU with the features that they were compiled for.
type EstimatorFn = unsafe fn(&Lookup, &Estimate<'_>, &mut [f32; 32]);

/// Factors that leave <q, u> as it is: 32 times 1 and 32 times 0.
pub const UNIT_FACTORS: ([u8; 128], [u8; 128]) = {
    let mut ones = [0u8; 128];
    let mut lane = 0;
    while lane < 32 {
        let one = 1f32.to_le_bytes();
        (ones[4 * lane + 2], ones[4 * lane + 3]) = (one[2], one[3]);
        lane += 1;
    }
    (ones, [0; 128])
};

impl Estimator {
    /// Estimates the keys of a group.
    #[inline]
    pub fn run(self, lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        // SAFETY: only `estimator` makes one, of a function whose CPU features it has detected.
        unsafe { (self.0)(lookup, group, out) }
    }
}

/// The fastest estimator of this CPU for factors of `kind`.
pub fn estimator(kind: FactorKind) -> Estimator {
    Estimator(fastest(kind))
}

fn fastest(kind: FactorKind) -> EstimatorFn {
    #[cfg(target_arch = "x86_64")]
    if avx512::is_there() {
        return match kind {
            FactorKind::F16 => avx512::estimate_f16,
            FactorKind::F32 => avx512::estimate_f32,
        };
    }
    #[cfg(target_arch = "x86_64")]
    if avx2::is_there() {
        return match kind {
            FactorKind::F16 => avx2::estimate_f16,
            FactorKind::F32 => avx2::estimate_f32,
        };
    }
    #[cfg(target_arch = "aarch64")]
    return match kind {
        FactorKind::F16 => neon::estimate_f16,
        FactorKind::F32 => neon::estimate_f32,
    };
    #[cfg(not(target_arch = "aarch64"))]
    match kind {
        FactorKind::F16 => scalar::estimate_f16,
        FactorKind::F32 => scalar::estimate_f32,
    }
}

/// Blocks whose u16 sums cannot overflow: two bytes of at most 255 per block.
const BLOCKS_PER_CHUNK: usize = 128;

mod scalar {
    use super::{Estimate, Lookup};
    use crate::distance::f16_to_f32;
    use crate::format::{f32_at, u16_at};

    pub(super) fn estimate_f16(lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        finish(lookup, group, &sums(lookup, group.codes), |factors, lane| f16_to_f32(u16_at(factors, 2 * lane)), out);
    }

    pub(super) fn estimate_f32(lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        finish(lookup, group, &sums(lookup, group.codes), |factors, lane| f32_at(factors, 4 * lane), out);
    }

    /// A of every lane: plane b weighs 2^b.
    fn sums(lookup: &Lookup, codes: &[u8]) -> [u32; 32] {
        let mut sums = [0u32; 32];
        let plane_bytes = lookup.tables.len(); // p/8 blocks of 32 bytes = p/4 tables of 16
        for (plane, blocks) in codes.chunks_exact(plane_bytes).enumerate() {
            for (block, tables) in blocks.chunks_exact(32).zip(lookup.tables.chunks_exact(32)) {
                for (sum, &byte) in sums.iter_mut().zip(block) {
                    let (low, high) = (usize::from(byte & 15), usize::from(byte >> 4));
                    *sum += (u32::from(tables[low]) + u32::from(tables[16 + high])) << plane;
                }
            }
        }
        sums
    }

    pub(super) fn finish(
        lookup: &Lookup,
        group: &Estimate<'_>,
        sums: &[u32; 32],
        factor: impl Fn(&[u8], usize) -> f32,
        out: &mut [f32; 32],
    ) {
        for (lane, (o, &sum)) in out.iter_mut().zip(sums).enumerate() {
            let qu = lookup.delta * sum as f32 + lookup.bias;
            *o = group.base + factor(group.f1, lane) * qu + factor(group.f0, lane);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{BLOCKS_PER_CHUNK, Estimate, Lookup};

    pub(super) fn is_there() -> bool {
        std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("f16c")
    }

    /// # Safety
    /// The CPU has AVX2 and F16C.
    pub(super) unsafe fn estimate_f16(lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        assert!(group.f1.len() >= 64 && group.f0.len() >= 64);
        // SAFETY: the caller vouches for AVX2 and F16C; the factors have 32 x 2 bytes.
        unsafe { estimate::<true>(lookup, group, out) }
    }

    /// # Safety
    /// The CPU has AVX2 and F16C.
    pub(super) unsafe fn estimate_f32(lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        assert!(group.f1.len() >= 128 && group.f0.len() >= 128);
        // SAFETY: the caller vouches for AVX2 and F16C; the factors have 32 x 4 bytes.
        unsafe { estimate::<false>(lookup, group, out) }
    }

    /// # Safety
    /// `factors` has 32 factors; AVX2 and F16C are there.
    #[inline(always)]
    unsafe fn factors<const HALF: bool>(factors: &[u8], eight: usize) -> __m256 {
        // SAFETY: eight < 4, so the load ends at or before factor 32.
        unsafe {
            if HALF {
                _mm256_cvtph_ps(_mm_loadu_si128(factors.as_ptr().add(16 * eight).cast()))
            } else {
                _mm256_loadu_ps(factors.as_ptr().add(32 * eight).cast())
            }
        }
    }

    /// # Safety
    /// AVX2 and F16C are there, and both factor slices have 32 factors.
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn estimate<const HALF: bool>(lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        // SAFETY: the features are enabled here.
        unsafe { estimate_with::<HALF>(lookup, group, out, accumulate) }
    }

    /// # Safety
    /// As `estimate`; `accumulate` has the features that it needs.
    #[inline(always)]
    pub(super) unsafe fn estimate_with<const HALF: bool>(
        lookup: &Lookup,
        group: &Estimate<'_>,
        out: &mut [f32; 32],
        accumulate: unsafe fn(&[u8], &[u8]) -> [__m256i; 2],
    ) {
        let plane_bytes = lookup.tables.len();
        // SAFETY: every load below stays in the slices that its chunk came from; stores go to out[..32].
        unsafe {
            let mut sums = [_mm256_setzero_si256(); 4];
            for (plane, blocks) in group.codes.chunks_exact(plane_bytes).enumerate() {
                let weight = _mm_cvtsi32_si128(plane as i32);
                for (codes, tables) in
                    blocks.chunks(32 * BLOCKS_PER_CHUNK).zip(lookup.tables.chunks(32 * BLOCKS_PER_CHUNK))
                {
                    let sixteen = accumulate(codes, tables);
                    for (part, half) in sixteen.into_iter().enumerate() {
                        let low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(half));
                        let high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256::<1>(half));
                        sums[2 * part] = _mm256_add_epi32(sums[2 * part], _mm256_sll_epi32(low, weight));
                        sums[2 * part + 1] = _mm256_add_epi32(sums[2 * part + 1], _mm256_sll_epi32(high, weight));
                    }
                }
            }
            let (delta, bias) = (_mm256_set1_ps(lookup.delta), _mm256_set1_ps(lookup.bias));
            let base = _mm256_set1_ps(group.base);
            for (eight, &sum) in sums.iter().enumerate() {
                let qu = _mm256_add_ps(_mm256_mul_ps(delta, _mm256_cvtepi32_ps(sum)), bias);
                let steered = _mm256_mul_ps(factors::<HALF>(group.f1, eight), qu);
                let key = _mm256_add_ps(_mm256_add_ps(base, steered), factors::<HALF>(group.f0, eight));
                _mm256_storeu_ps(out.as_mut_ptr().add(8 * eight), key);
            }
        }
    }

    /// Sums of lanes 0..16 and 16..32 as u16.
    ///
    /// # Safety
    /// AVX2 is there; both slices have the same length, a multiple of 32.
    #[inline(always)]
    pub(super) unsafe fn accumulate(codes: &[u8], tables: &[u8]) -> [__m256i; 2] {
        let blocks = codes.len().min(tables.len()) / 32;
        // SAFETY: block i reads bytes 32 i .. 32 i + 32 of both slices, i < blocks.
        unsafe {
            let nibble = _mm256_set1_epi8(0x0f);
            let (mut even_a, mut odd_a) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            let (mut even_b, mut odd_b) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for i in 0..blocks {
                let block = _mm256_loadu_si256(codes.as_ptr().add(32 * i).cast());
                let low_table = _mm256_broadcastsi128_si256(_mm_loadu_si128(tables.as_ptr().add(32 * i).cast()));
                let high_table = _mm256_broadcastsi128_si256(_mm_loadu_si128(tables.as_ptr().add(32 * i + 16).cast()));
                let low = _mm256_shuffle_epi8(low_table, _mm256_and_si256(block, nibble));
                let high = _mm256_shuffle_epi8(high_table, _mm256_and_si256(_mm256_srli_epi16::<4>(block), nibble));
                even_a = _mm256_add_epi16(even_a, low);
                odd_a = _mm256_add_epi16(odd_a, _mm256_srli_epi16::<8>(low));
                even_b = _mm256_add_epi16(even_b, high);
                odd_b = _mm256_add_epi16(odd_b, _mm256_srli_epi16::<8>(high));
            }
            lanes([_mm256_add_epi16(even_a, even_b), _mm256_add_epi16(odd_a, odd_b)])
        }
    }

    /// From sums of 16-bit words and of their odd bytes to sums of bytes, lanes 0..16 and 16..32.
    ///
    /// # Safety
    /// AVX2 is there.
    #[inline(always)]
    pub(super) unsafe fn lanes([words, odd]: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: the caller vouches for AVX2.
        unsafe {
            // words = even byte + 256 * odd byte, modulo 2^16: taking the odd sum off leaves the even sum.
            let even = _mm256_sub_epi16(words, _mm256_slli_epi16::<8>(odd));
            let first = _mm256_unpacklo_epi16(even, odd); // lanes 0..8 and 16..24
            let second = _mm256_unpackhi_epi16(even, odd); // lanes 8..16 and 24..32
            [_mm256_permute2x128_si256::<0x20>(first, second), _mm256_permute2x128_si256::<0x31>(first, second)]
        }
    }
}

/// The estimate of AVX2, with two blocks per step.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{Estimate, Lookup, avx2};

    pub(super) fn is_there() -> bool {
        crate::distance::has_avx512()
    }

    /// # Safety
    /// `is_there` holds.
    pub(super) unsafe fn estimate_f16(lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        assert!(group.f1.len() >= 64 && group.f0.len() >= 64);
        // SAFETY: the caller vouches for the features; the factors have 32 x 2 bytes.
        unsafe { estimate::<true>(lookup, group, out) }
    }

    /// # Safety
    /// `is_there` holds.
    pub(super) unsafe fn estimate_f32(lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        assert!(group.f1.len() >= 128 && group.f0.len() >= 128);
        // SAFETY: the caller vouches for the features; the factors have 32 x 4 bytes.
        unsafe { estimate::<false>(lookup, group, out) }
    }

    /// # Safety
    /// The features are there, and both factor slices have 32 factors.
    #[target_feature(enable = "avx2,f16c,avx512f,avx512bw")]
    unsafe fn estimate<const HALF: bool>(lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        // SAFETY: the features are enabled here.
        unsafe { avx2::estimate_with::<HALF>(lookup, group, out, accumulate) }
    }

    /// # Safety
    /// AVX-512 F and BW are there; both slices have the same length, a multiple of 64 (p is one of 64).
    #[inline(always)]
    unsafe fn accumulate(codes: &[u8], tables: &[u8]) -> [__m256i; 2] {
        let pairs = codes.len().min(tables.len()) / 64;
        // SAFETY: pair i reads bytes 64 i .. 64 i + 64 of both slices, i < pairs.
        unsafe {
            let nibble = _mm512_set1_epi8(0x0f);
            let (mut words, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
            for i in 0..pairs {
                let block = _mm512_loadu_si512(codes.as_ptr().add(64 * i).cast());
                let four = _mm512_loadu_si512(tables.as_ptr().add(64 * i).cast());
                let low_table = _mm512_shuffle_i64x2::<0b10_10_00_00>(four, four);
                let high_table = _mm512_shuffle_i64x2::<0b11_11_01_01>(four, four);
                let low = _mm512_shuffle_epi8(low_table, _mm512_and_si512(block, nibble));
                let high = _mm512_shuffle_epi8(high_table, _mm512_and_si512(_mm512_srli_epi16::<4>(block), nibble));
                words = _mm512_add_epi16(words, _mm512_add_epi16(low, high));
                odd = _mm512_add_epi16(odd, _mm512_srli_epi16::<8>(low));
                odd = _mm512_add_epi16(odd, _mm512_srli_epi16::<8>(high));
            }
            let fold =
                |sums: __m512i| _mm256_add_epi16(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64::<1>(sums));
            avx2::lanes([fold(words), fold(odd)])
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::*;

    use super::{BLOCKS_PER_CHUNK, Estimate, Lookup, scalar};
    use crate::distance::f16_to_f32;
    use crate::format::{f32_at, u16_at};

    pub(super) fn estimate_f16(lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        let sums = sums(lookup, group.codes);
        scalar::finish(lookup, group, &sums, |factors, lane| f16_to_f32(u16_at(factors, 2 * lane)), out);
    }

    pub(super) fn estimate_f32(lookup: &Lookup, group: &Estimate<'_>, out: &mut [f32; 32]) {
        scalar::finish(lookup, group, &sums(lookup, group.codes), |factors, lane| f32_at(factors, 4 * lane), out);
    }

    fn sums(lookup: &Lookup, codes: &[u8]) -> [u32; 32] {
        let mut sums = [0u32; 32];
        for (plane, blocks) in codes.chunks_exact(lookup.tables.len()).enumerate() {
            let chunk = 32 * BLOCKS_PER_CHUNK;
            for (codes, tables) in blocks.chunks(chunk).zip(lookup.tables.chunks(chunk)) {
                // SAFETY: NEON is on every aarch64 target of Rust's standard library.
                let sixteen = unsafe { accumulate(codes, tables) };
                for (sum, part) in sums.iter_mut().zip(sixteen) {
                    *sum += u32::from(part) << plane;
                }
            }
        }
        sums
    }

    /// # Safety
    /// NEON is there.
    unsafe fn accumulate(codes: &[u8], tables: &[u8]) -> [u16; 32] {
        let blocks = codes.len().min(tables.len()) / 32;
        let mut out = [0u16; 32];
        // SAFETY: block i reads bytes 32 i .. 32 i + 32 of both slices, i < blocks; stores go to out[..32].
        unsafe {
            let mut sums = [vdupq_n_u16(0); 4];
            let nibble = vdupq_n_u8(0x0f);
            for i in 0..blocks {
                let low_table = vld1q_u8(tables.as_ptr().add(32 * i));
                let high_table = vld1q_u8(tables.as_ptr().add(32 * i + 16));
                for half in 0..2 {
                    let block = vld1q_u8(codes.as_ptr().add(32 * i + 16 * half));
                    let low = vqtbl1q_u8(low_table, vandq_u8(block, nibble));
                    let high = vqtbl1q_u8(high_table, vshrq_n_u8::<4>(block));
                    let (a, b) = (&mut sums[2 * half..2 * half + 2]).split_at_mut(1);
                    a[0] = vaddw_u8(vaddw_u8(a[0], vget_low_u8(low)), vget_low_u8(high));
                    b[0] = vaddw_u8(vaddw_u8(b[0], vget_high_u8(low)), vget_high_u8(high));
                }
            }
            for (i, sum) in sums.into_iter().enumerate() {
                vst1q_u16(out.as_mut_ptr().add(8 * i), sum);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::Metric;
    use crate::quantize::{Coder, Encoded, Rotation};

    fn vector(seed: u64, dims: usize) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        };
        let raw: Vec<f32> = (0..dims).map(|_| next()).collect();
        let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / norm).collect()
    }

    fn inner(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    struct Fixture {
        lookup: Lookup,
        query: Vec<f32>,
        centre: Vec<f32>,
        neighbours: Vec<Vec<f32>>,
        codes: Vec<u8>,
        f1: Vec<f32>,
        f0: Vec<f32>,
    }

    fn fixture(dims: usize, bits: u8, metric: Metric) -> Fixture {
        let rotation = Rotation::new(dims, 5);
        let rotated = |seed| {
            let mut out = vec![0.0; rotation.padded()];
            rotation.apply(&vector(seed, dims), 1.0, &mut out);
            out
        };
        let (query, centre) = (rotated(1), rotated(2));
        let coder = Coder::new(rotation.padded(), bits, metric);
        let neighbours: Vec<_> = (10..42).map(rotated).collect();
        let mut codes = vec![0; coder.group_bytes()];
        let (mut f1, mut f0) = (Vec::new(), Vec::new());
        let mut encoded = Encoded::default();
        for (lane, x) in neighbours.iter().enumerate() {
            coder.encode(&centre, x, &mut encoded);
            coder.put_lane(&mut codes, lane, &encoded.planes);
            f1.push(encoded.factors.f1);
            f0.push(encoded.factors.f0);
        }
        Fixture { lookup: Lookup::new(&query, bits), query, centre, neighbours, codes, f1, f0 }
    }

    fn bytes(factors: &[f32]) -> Vec<u8> {
        factors.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes many minutes")]
    fn estimates_are_near_the_truth_and_more_bits_are_nearer() {
        for metric in [Metric::Dot, Metric::L2, Metric::Cosine] {
            let mut errors = Vec::new();
            for bits in [1, 2, 4] {
                let f = fixture(256, bits, metric);
                let key = |x: &[f32]| -> f32 {
                    let squared: f32 = f.query.iter().zip(x).map(|(a, b)| (a - b) * (a - b)).sum();
                    match metric {
                        Metric::Dot => -inner(&f.query, x),
                        Metric::L2 => squared,
                        Metric::Cosine => 0.5 * squared,
                        Metric::Hamming => f32::NAN,
                    }
                };
                let (f1, f0) = (bytes(&f.f1), bytes(&f.f0));
                let group = Estimate { base: key(&f.centre), f1: &f1, f0: &f0, codes: &f.codes };
                let mut out = [0f32; 32];
                estimator(FactorKind::F32).run(&f.lookup, &group, &mut out);
                let error: f32 = out.iter().zip(&f.neighbours).map(|(e, x)| (e - key(x)).abs()).sum::<f32>() / 32.0;
                errors.push(error);
            }
            assert!(errors[0] < 0.2 && errors[1] < 0.6 * errors[0] && errors[2] < 0.5 * errors[1], "{errors:?}");
        }
    }

    #[test]
    fn the_estimate_of_bits_is_their_distance() {
        for dims in [8, 64, 72, 256, 1024, 16_384].into_iter().filter(|dims| !cfg!(miri) || *dims <= 72) {
            let padded = crate::quantize::padded_dims(dims);
            let bits = |seed: u64| -> Vec<f32> {
                let signs = vector(seed, dims).into_iter().map(|x| f32::from(u8::from(x > 0.0)));
                signs.chain(std::iter::repeat_n(0.0, padded - dims)).collect()
            };
            let (query, coder) = (bits(1), Coder::new(padded, 1, Metric::Hamming));
            let mut codes = vec![0; coder.group_bytes()];
            let mut encoded = Encoded::default();
            for lane in 0..32 {
                coder.encode(&[], &bits(10 + lane as u64), &mut encoded);
                coder.put_lane(&mut codes, lane, &encoded.planes);
            }
            let group = Estimate { base: 0.0, f1: &UNIT_FACTORS.0, f0: &UNIT_FACTORS.1, codes: &codes };
            let mut keys = [0f32; 32];
            estimator(FactorKind::F32).run(&Lookup::of_bits(&query), &group, &mut keys);
            for (lane, key) in keys.into_iter().enumerate() {
                let pairs = query.iter().zip(bits(10 + lane as u64));
                assert_eq!(key, pairs.filter(|&(&x, y)| x != y).count() as f32, "{dims} dims, lane {lane}");
            }
        }
    }

    #[test]
    fn every_estimator_equals_the_specification_bit_for_bit() {
        for dims in [3, 64, 100, 256, 1536, 3072].into_iter().filter(|dims| !cfg!(miri) || *dims <= 100) {
            for bits in [1, 2, 4] {
                let f = fixture(dims, bits, Metric::Dot);
                let halves: [Vec<u8>; 2] = [&f.f1, &f.f0]
                    .map(|list| list.iter().flat_map(|&x| crate::distance::f32_to_f16(x).to_le_bytes()).collect());
                let singles = [bytes(&f.f1), bytes(&f.f0)];
                let mut pairs = [([0f32; 32], [0f32; 32]); 2];
                let half = Estimate { base: 0.25, f1: &halves[0], f0: &halves[1], codes: &f.codes };
                estimator(FactorKind::F16).run(&f.lookup, &half, &mut pairs[0].0);
                scalar::estimate_f16(&f.lookup, &half, &mut pairs[0].1);
                let single = Estimate { base: 0.25, f1: &singles[0], f0: &singles[1], codes: &f.codes };
                estimator(FactorKind::F32).run(&f.lookup, &single, &mut pairs[1].0);
                scalar::estimate_f32(&f.lookup, &single, &mut pairs[1].1);
                for (got, want) in pairs {
                    assert_eq!(got.map(f32::to_bits), want.map(f32::to_bits), "{dims} dims, {bits} bits");
                }
            }
        }
    }
}
