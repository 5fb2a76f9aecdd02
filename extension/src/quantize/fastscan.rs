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
    #[cfg(any(target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128")))]
    return match kind {
        FactorKind::F16 => sixteen_bytes::estimate_f16,
        FactorKind::F32 => sixteen_bytes::estimate_f32,
    };
    #[cfg(not(any(target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128"))))]
    match kind {
        FactorKind::F16 => scalar::estimate_f16,
        FactorKind::F32 => scalar::estimate_f32,
    }
}

/// Blocks whose u16 sums cannot overflow: two bytes of at most 255 per block.
const BLOCKS_PER_CHUNK: usize = 128;

// With 16-byte registers only its last steps are used, and the rest by the tests.
#[cfg_attr(any(target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128")), allow(dead_code))]
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

/// The estimate of CPUs with 16-byte registers: `accumulate` sums the codes of a chunk, the rest is the specification's.
#[cfg(any(target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128")))]
mod sixteen_bytes {
    #[cfg(target_arch = "aarch64")]
    use super::neon::accumulate;
    #[cfg(target_arch = "wasm32")]
    use super::simd128::accumulate;
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
                for (sum, part) in sums.iter_mut().zip(accumulate(codes, tables)) {
                    *sum += u32::from(part) << plane;
                }
            }
        }
        sums
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::*;

    /// Sums of the 32 lanes.
    pub(super) fn accumulate(codes: &[u8], tables: &[u8]) -> [u16; 32] {
        let blocks = codes.len().min(tables.len()) / 32;
        let mut out = [0u16; 32];
        // SAFETY: every aarch64 target of Rust's standard library has NEON. Block i reads bytes 32 i .. 32 i + 32 of both
        // slices, i < blocks; stores go to out[..32].
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

/// WebAssembly's 128-bit instructions, which a module is compiled for or not.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128 {
    use std::arch::wasm32::*;

    /// Sums of the 32 lanes.
    pub(super) fn accumulate(codes: &[u8], tables: &[u8]) -> [u16; 32] {
        let mut sums = [u16x8_splat(0); 4];
        let nibble = u8x16_splat(0x0f);
        for (block, pair) in codes.chunks_exact(32).zip(tables.chunks_exact(32)) {
            let (low_table, high_table) = (load(&pair[..16]), load(&pair[16..]));
            for (half, sums) in block.chunks_exact(16).zip(sums.chunks_exact_mut(2)) {
                let codes = load(half);
                let low = u8x16_swizzle(low_table, v128_and(codes, nibble));
                let high = u8x16_swizzle(high_table, u8x16_shr(codes, 4));
                let first = u16x8_add(u16x8_extend_low_u8x16(low), u16x8_extend_low_u8x16(high));
                let second = u16x8_add(u16x8_extend_high_u8x16(low), u16x8_extend_high_u8x16(high));
                (sums[0], sums[1]) = (u16x8_add(sums[0], first), u16x8_add(sums[1], second));
            }
        }
        let mut out = [0u16; 32];
        for (eight, &sum) in out.chunks_exact_mut(8).zip(&sums) {
            // SAFETY: the store writes 16 bytes, which are the eight numbers.
            unsafe { v128_store(eight.as_mut_ptr().cast(), sum) };
        }
        out
    }

    #[inline(always)]
    fn load(bytes: &[u8]) -> v128 {
        let sixteen = &bytes[..16];
        // SAFETY: sixteen bytes are there; the load is unaligned.
        unsafe { v128_load(sixteen.as_ptr().cast()) }
    }
}

#[cfg(test)]
mod tests;
