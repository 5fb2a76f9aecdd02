//! AVX2 kernels: four accumulators of eight lanes are the 32 lanes of the specification; multiply and add apart.

use std::arch::x86_64::*;

use super::scalar::{LANES, PairRow, near_pairs_portable};

/// Eight stored components as f32, from unaligned bytes.
trait Load {
    const SIZE: usize;
    /// # Safety
    /// `bytes` points at 8 * SIZE readable bytes; AVX2 and F16C are there.
    unsafe fn load(bytes: *const u8) -> __m256;
}

struct F32;
struct F16;
struct I8;

impl Load for F32 {
    const SIZE: usize = 4;
    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> __m256 {
        // SAFETY: the caller vouches for 32 bytes; the load is unaligned.
        unsafe { _mm256_loadu_ps(bytes.cast()) }
    }
}

impl Load for F16 {
    const SIZE: usize = 2;
    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> __m256 {
        // SAFETY: the caller vouches for 16 bytes and F16C.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(bytes.cast())) }
    }
}

impl Load for I8 {
    const SIZE: usize = 1;
    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> __m256 {
        // SAFETY: the caller vouches for 8 bytes and AVX2.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(bytes.cast()))) }
    }
}

/// # Safety
/// AVX2 is there.
#[inline(always)]
unsafe fn product(a: __m256, b: __m256) -> __m256 {
    // SAFETY: the caller vouches for AVX2.
    unsafe { _mm256_mul_ps(a, b) }
}

/// # Safety
/// AVX2 is there.
#[inline(always)]
unsafe fn squared_difference(a: __m256, b: __m256) -> __m256 {
    // SAFETY: the caller vouches for AVX2.
    unsafe {
        let difference = _mm256_sub_ps(a, b);
        _mm256_mul_ps(difference, difference)
    }
}

/// # Safety
/// AVX2 and F16C are there.
#[inline(always)]
unsafe fn sum_lanes<L: Load>(query: &[f32], stored: &[u8], term: unsafe fn(__m256, __m256) -> __m256) -> f32 {
    let dims = query.len().min(stored.len() / L::SIZE);
    let whole = dims / LANES * LANES;
    // SAFETY: every load stays inside query[..whole] and stored[..whole * SIZE], or inside the padded tail buffers.
    unsafe {
        let mut sums = [_mm256_setzero_ps(); 4];
        let mut i = 0;
        while i < whole {
            for (part, sum) in sums.iter_mut().enumerate() {
                let at = i + 8 * part;
                let a = _mm256_loadu_ps(query.as_ptr().add(at));
                let b = L::load(stored.as_ptr().add(at * L::SIZE));
                *sum = _mm256_add_ps(*sum, term(a, b));
            }
            i += LANES;
        }
        if whole < dims {
            let mut query_tail = [0f32; LANES];
            let mut stored_tail = [0u8; LANES * 4];
            query_tail[..dims - whole].copy_from_slice(&query[whole..dims]);
            stored_tail[..(dims - whole) * L::SIZE].copy_from_slice(&stored[whole * L::SIZE..dims * L::SIZE]);
            for (part, sum) in sums.iter_mut().enumerate() {
                let a = _mm256_loadu_ps(query_tail.as_ptr().add(8 * part));
                let b = L::load(stored_tail.as_ptr().add(8 * part * L::SIZE));
                *sum = _mm256_add_ps(*sum, term(a, b));
            }
        }
        let eight = _mm256_add_ps(_mm256_add_ps(sums[0], sums[2]), _mm256_add_ps(sums[1], sums[3]));
        let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
    }
}

macro_rules! kernel {
    ($name:ident, $load:ty, $term:ident) => {
        /// # Safety
        /// The CPU has AVX2 and F16C.
        #[target_feature(enable = "avx2,f16c")]
        pub(super) unsafe fn $name(query: &[f32], stored: &[u8]) -> f32 {
            // SAFETY: the caller vouches for AVX2 and F16C.
            unsafe { sum_lanes::<$load>(query, stored, $term) }
        }
    };
}

kernel!(dot_f32, F32, product);
kernel!(dot_f16, F16, product);
kernel!(dot_i8, I8, product);
kernel!(l2_squared_f32, F32, squared_difference);
kernel!(l2_squared_f16, F16, squared_difference);
kernel!(l2_squared_i8, I8, squared_difference);

macro_rules! bit_kernel {
    ($module:ident, $features:literal) => {
        pub(super) mod $module {
            use crate::distance::bits::{self, BitSets};

            #[target_feature(enable = $features)]
            pub fn differing(a: &[u8], b: &[u8]) -> u32 {
                bits::differing(a, b)
            }

            #[target_feature(enable = $features)]
            pub fn common(sets: BitSets<'_>, out: &mut [f32]) {
                bits::common(sets, out);
            }
        }
    };
}

bit_kernel!(avx2_bits, "avx2,popcnt");
bit_kernel!(avx512_bits, "avx2,popcnt,avx512f,avx512vl,avx512vpopcntdq");

/// `block::fast_dot`.
///
/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn fast_dot(a: &[f32], b: &[f32]) -> f32 {
    let whole = a.len().min(b.len()) / 32 * 32;
    // SAFETY: every load stays inside a[..whole] and b[..whole].
    unsafe {
        let mut sums = [_mm256_setzero_ps(); 4];
        let mut i = 0;
        while i < whole {
            for (part, sum) in sums.iter_mut().enumerate() {
                let x = _mm256_loadu_ps(a.as_ptr().add(i + 8 * part));
                let product = _mm256_mul_ps(x, _mm256_loadu_ps(b.as_ptr().add(i + 8 * part)));
                *sum = _mm256_add_ps(*sum, product);
            }
            i += 32;
        }
        let eight = _mm256_add_ps(_mm256_add_ps(sums[0], sums[2]), _mm256_add_ps(sums[1], sums[3]));
        let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
    }
}

/// `block::near_pairs`, eight at a time.
///
/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn near_pairs(row: &PairRow<'_>, out: &mut Vec<(u32, f32)>) {
    let count = row.products.len().min(row.half_norms.len()).min(row.limits.len());
    let whole = count / 8 * 8;
    // SAFETY: every load stays inside the first `whole` components of its slice.
    unsafe {
        let (half_norm, limit) = (_mm256_set1_ps(row.half_norm), _mm256_set1_ps(row.limit));
        let mut distances = [0f32; 8];
        for j in (0..whole).step_by(8) {
            let norms = _mm256_add_ps(half_norm, _mm256_loadu_ps(row.half_norms.as_ptr().add(j)));
            let distance = _mm256_sub_ps(norms, _mm256_loadu_ps(row.products.as_ptr().add(j)));
            let limits = _mm256_max_ps(limit, _mm256_loadu_ps(row.limits.as_ptr().add(j)));
            let mut near = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(distance, limits));
            if near != 0 {
                _mm256_storeu_ps(distances.as_mut_ptr(), distance);
                while near != 0 {
                    let lane = near.trailing_zeros();
                    out.push((j as u32 + lane, distances[lane as usize]));
                    near &= near - 1;
                }
            }
        }
    }
    near_pairs_portable(row, whole, out);
}
