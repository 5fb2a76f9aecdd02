//! Distances between vectors, and the types that name them.
//!
//! `scalar.rs` is the specification: every kernel sums in 32 lanes (component i goes to lane i mod 32), rounds every
//! product and every sum to f32 (no fused multiply-add), and folds the lanes in halves. The SIMD kernels do the same,
//! so that one file gives the same distances, bit for bit, and so the same pages, on every machine. Bits are counted
//! (`bits.rs`).

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod bits;
mod block;
mod check;
mod dispatch;
mod element;
mod exact;
mod metric;
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm32;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use bits::BitSets;
pub use block::{fast_dot, inner_products, near_pairs};
pub use check::{check_finite, check_vector};
#[cfg(target_arch = "x86_64")]
pub use dispatch::has_avx512;
pub use dispatch::{BitKernel, Kernel, Kernels, bit_kernel, cpu_features};
#[doc(hidden)]
pub use dispatch::{available, available_for_bits};
pub use element::{decode, decode_into, encode, f16_to_f32, f32_to_f16, signs};
pub use exact::{ExactQuery, cosine, dot, hamming, inverse_norm, l1, l2, norm};
pub use metric::{Element, Metric};
pub use scalar::PairRow;
