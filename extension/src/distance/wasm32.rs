//! Kernels of WebAssembly's 128-bit instructions: eight accumulators of four lanes are the 32 lanes of the specification;
//! multiply and add apart. Half precision stays portable: there is no instruction for the conversion.
//!
//! A module is compiled for the instructions or not; nothing is detected at run time.

use std::arch::wasm32::*;

use super::scalar::LANES;

/// Four stored components as f32, from unaligned bytes.
trait Load {
    const SIZE: usize;
    /// # Safety
    /// `bytes` points at 4 * SIZE readable bytes.
    unsafe fn load(bytes: *const u8) -> v128;
}

struct F32;
struct I8;

impl Load for F32 {
    const SIZE: usize = 4;
    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> v128 {
        // SAFETY: the caller vouches for 16 bytes; the load is unaligned.
        unsafe { v128_load(bytes.cast()) }
    }
}

impl Load for I8 {
    const SIZE: usize = 1;
    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> v128 {
        // SAFETY: the caller vouches for 4 bytes; the load is unaligned.
        let four = unsafe { v128_load32_zero(bytes.cast()) };
        f32x4_convert_i32x4(i32x4_extend_low_i16x8(i16x8_extend_low_i8x16(four)))
    }
}

#[inline(always)]
fn product(a: v128, b: v128) -> v128 {
    f32x4_mul(a, b)
}

#[inline(always)]
fn squared_difference(a: v128, b: v128) -> v128 {
    let difference = f32x4_sub(a, b);
    f32x4_mul(difference, difference)
}

#[inline(always)]
fn sum_lanes<L: Load>(query: &[f32], stored: &[u8], term: fn(v128, v128) -> v128) -> f32 {
    let dims = query.len().min(stored.len() / L::SIZE);
    let whole = dims / LANES * LANES;
    let mut sums = [f32x4_splat(0.0); 8];
    // SAFETY: every load stays inside query[..whole] and stored[..whole * SIZE], or inside the padded tail buffers.
    unsafe {
        let mut add = |query: *const f32, stored: *const u8| {
            for (part, sum) in sums.iter_mut().enumerate() {
                let a = v128_load(query.add(4 * part).cast());
                *sum = f32x4_add(*sum, term(a, L::load(stored.add(4 * part * L::SIZE))));
            }
        };
        for at in (0..whole).step_by(LANES) {
            add(query.as_ptr().add(at), stored.as_ptr().add(at * L::SIZE));
        }
        if whole < dims {
            let mut query_tail = [0f32; LANES];
            let mut stored_tail = [0u8; LANES * 4];
            query_tail[..dims - whole].copy_from_slice(&query[whole..dims]);
            stored_tail[..(dims - whole) * L::SIZE].copy_from_slice(&stored[whole * L::SIZE..dims * L::SIZE]);
            add(query_tail.as_ptr(), stored_tail.as_ptr());
        }
    }
    let sixteen: [v128; 4] = std::array::from_fn(|i| f32x4_add(sums[i], sums[i + 4]));
    let four = f32x4_add(f32x4_add(sixteen[0], sixteen[2]), f32x4_add(sixteen[1], sixteen[3]));
    let two = f32x4_add(four, i32x4_shuffle::<2, 3, 0, 1>(four, four));
    f32x4_extract_lane::<0>(two) + f32x4_extract_lane::<1>(two)
}

macro_rules! kernel {
    ($name:ident, $load:ty, $term:ident) => {
        pub(super) fn $name(query: &[f32], stored: &[u8]) -> f32 {
            sum_lanes::<$load>(query, stored, $term)
        }
    };
}

kernel!(dot_f32, F32, product);
kernel!(dot_i8, I8, product);
kernel!(l2_squared_f32, F32, squared_difference);
kernel!(l2_squared_i8, I8, squared_difference);
