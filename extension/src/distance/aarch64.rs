//! NEON kernels: eight accumulators of four lanes are the 32 lanes of the specification; multiply and add apart.
//! Half precision stays portable: the conversion needs an instruction that stable Rust does not offer.

use std::arch::aarch64::*;

use super::scalar::LANES;

/// Four stored components as f32, from unaligned bytes.
trait Load {
    const SIZE: usize;
    /// # Safety
    /// `bytes` points at 4 * SIZE readable bytes.
    unsafe fn load(bytes: *const u8) -> float32x4_t;
}

struct F32;
struct I8;

impl Load for F32 {
    const SIZE: usize = 4;
    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> float32x4_t {
        // SAFETY: the caller vouches for 16 bytes.
        unsafe { vreinterpretq_f32_u8(vld1q_u8(bytes)) }
    }
}

impl Load for I8 {
    const SIZE: usize = 1;
    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> float32x4_t {
        // SAFETY: the caller vouches for 4 bytes.
        unsafe {
            let four = vreinterpret_s8_u32(vset_lane_u32::<0>(bytes.cast::<u32>().read_unaligned(), vdup_n_u32(0)));
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(four))))
        }
    }
}

/// # Safety
/// NEON is there.
#[inline(always)]
unsafe fn product(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    // SAFETY: the caller vouches for NEON.
    unsafe { vmulq_f32(a, b) }
}

/// # Safety
/// NEON is there.
#[inline(always)]
unsafe fn squared_difference(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    // SAFETY: the caller vouches for NEON.
    unsafe {
        let difference = vsubq_f32(a, b);
        vmulq_f32(difference, difference)
    }
}

/// # Safety
/// NEON is there.
#[inline(always)]
unsafe fn sum_lanes<L: Load>(
    query: &[f32],
    stored: &[u8],
    term: unsafe fn(float32x4_t, float32x4_t) -> float32x4_t,
) -> f32 {
    let dims = query.len().min(stored.len() / L::SIZE);
    let whole = dims / LANES * LANES;
    // SAFETY: every load stays inside query[..whole] and stored[..whole * SIZE], or inside the padded tail buffers.
    unsafe {
        let mut sums = [vdupq_n_f32(0.0); 8];
        let mut i = 0;
        while i < whole {
            for (part, sum) in sums.iter_mut().enumerate() {
                let at = i + 4 * part;
                let a = vld1q_f32(query.as_ptr().add(at));
                let b = L::load(stored.as_ptr().add(at * L::SIZE));
                *sum = vaddq_f32(*sum, term(a, b));
            }
            i += LANES;
        }
        if whole < dims {
            let mut query_tail = [0f32; LANES];
            let mut stored_tail = [0u8; LANES * 4];
            query_tail[..dims - whole].copy_from_slice(&query[whole..dims]);
            stored_tail[..(dims - whole) * L::SIZE].copy_from_slice(&stored[whole * L::SIZE..dims * L::SIZE]);
            for (part, sum) in sums.iter_mut().enumerate() {
                let a = vld1q_f32(query_tail.as_ptr().add(4 * part));
                let b = L::load(stored_tail.as_ptr().add(4 * part * L::SIZE));
                *sum = vaddq_f32(*sum, term(a, b));
            }
        }
        let sixteen: [float32x4_t; 4] = std::array::from_fn(|i| vaddq_f32(sums[i], sums[i + 4]));
        let four = vaddq_f32(vaddq_f32(sixteen[0], sixteen[2]), vaddq_f32(sixteen[1], sixteen[3]));
        let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
        vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
    }
}

macro_rules! kernel {
    ($name:ident, $load:ty, $term:ident) => {
        pub(super) fn $name(query: &[f32], stored: &[u8]) -> f32 {
            // SAFETY: every aarch64 target of Rust's standard library has NEON.
            unsafe { sum_lanes::<$load>(query, stored, $term) }
        }
    };
}

kernel!(dot_f32, F32, product);
kernel!(dot_i8, I8, product);
kernel!(l2_squared_f32, F32, squared_difference);
kernel!(l2_squared_i8, I8, squared_difference);
