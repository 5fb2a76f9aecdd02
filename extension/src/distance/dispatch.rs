//! The kernels of this CPU, detected once, at run time.

use std::sync::OnceLock;

use super::bits::{self, BitSets};
use super::{Element, Metric, scalar};

/// A sum over a query (f32 components) and a stored vector (little-endian bytes) of the same dimensions.
#[derive(Debug, Clone, Copy)]
pub struct Kernel(KernelFn);

/// Some kernels may run only on a CPU with the features of their set.
type KernelFn = unsafe fn(&[f32], &[u8]) -> f32;

impl Kernel {
    /// The sum.
    #[inline]
    pub fn sum(self, query: &[f32], stored: &[u8]) -> f32 {
        // SAFETY: a `Kernel` is taken out of `Kernels` only, and `available` makes a set only if the CPU has its
        // features.
        unsafe { (self.0)(query, stored) }
    }
}

/// Counts over vectors of bits.
#[derive(Debug, Clone, Copy)]
pub struct BitKernel {
    /// What tests and benches call it.
    pub name: &'static str,
    differing: unsafe fn(&[u8], &[u8]) -> u32,
    common: unsafe fn(BitSets<'_>, &mut [f32]),
}

impl BitKernel {
    /// The number of bits that differ.
    #[inline]
    pub fn differing(&self, a: &[u8], b: &[u8]) -> u32 {
        // SAFETY: `available_for_bits` makes a kernel only if the CPU has its features.
        unsafe { (self.differing)(a, b) }
    }

    /// Writes out[i * b_rows + j], the number of bits that a_i and b_j share.
    pub fn common(&self, sets: BitSets<'_>, out: &mut [f32]) {
        // SAFETY: as above.
        unsafe { (self.common)(sets, out) }
    }
}

const PORTABLE_BITS: BitKernel = BitKernel { name: "portable", differing: bits::differing, common: bits::common };

/// Every kernel for bits that this CPU can run, the portable one first. It is NEON's on aarch64, where every target of
/// Rust's standard library has it.
#[doc(hidden)]
pub fn available_for_bits() -> Vec<BitKernel> {
    #[allow(unused_mut)]
    let mut kernels = vec![PORTABLE_BITS];
    #[cfg(target_arch = "x86_64")]
    {
        use super::x86_64::{avx2_bits, avx512_bits};
        let has_avx2 = std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("popcnt");
        if has_avx2 {
            kernels.push(BitKernel { name: "avx2", differing: avx2_bits::differing, common: avx2_bits::common });
        }
        if has_avx2
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512vpopcntdq")
        {
            let (differing, common) = (avx512_bits::differing, avx512_bits::common);
            kernels.push(BitKernel { name: "avx512vpopcntdq", differing, common });
        }
    }
    kernels
}

/// The fastest kernel of this CPU for bits.
pub fn bit_kernel() -> BitKernel {
    static CHOSEN: OnceLock<BitKernel> = OnceLock::new();
    *CHOSEN.get_or_init(|| available_for_bits().pop().unwrap_or(PORTABLE_BITS))
}

/// One set of kernels. All sets give bit-identical results.
#[derive(Debug, Clone, Copy)]
pub struct Kernels {
    /// What `vecrank_version()` says.
    pub name: &'static str,
    /// By element: FLOAT, FLOAT16, INT8.
    dot: [KernelFn; 3],
    l2_squared: [KernelFn; 3],
}

pub(super) const PORTABLE: Kernels = Kernels {
    name: "portable",
    dot: [scalar::dot_f32, scalar::dot_f16, scalar::dot_i8],
    l2_squared: [scalar::l2_squared_f32, scalar::l2_squared_f16, scalar::l2_squared_i8],
};

impl Kernels {
    /// The sum that the metric is computed from; None for bits, which have kernels of their own.
    pub fn of(&self, metric: Metric, element: Element) -> Option<Kernel> {
        let kernels = match metric {
            Metric::Cosine | Metric::Dot => &self.dot,
            Metric::L2 => &self.l2_squared,
            Metric::Hamming => return None,
        };
        kernels.get(element as usize).copied().map(Kernel)
    }
}

#[cfg(target_arch = "x86_64")]
const AVX2: &str = "avx2+f16c";

/// Every set that this CPU can run, the portable one first. For tests and benches.
#[doc(hidden)]
pub fn available() -> Vec<Kernels> {
    #[allow(unused_mut)]
    let mut sets = vec![PORTABLE];
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("f16c") {
        sets.push(Kernels {
            name: AVX2,
            dot: [super::x86_64::dot_f32, super::x86_64::dot_f16, super::x86_64::dot_i8],
            l2_squared: [super::x86_64::l2_squared_f32, super::x86_64::l2_squared_f16, super::x86_64::l2_squared_i8],
        });
    }
    #[cfg(target_arch = "aarch64")]
    sets.push(Kernels {
        name: "neon",
        dot: [super::aarch64::dot_f32, scalar::dot_f16, super::aarch64::dot_i8],
        l2_squared: [super::aarch64::l2_squared_f32, scalar::l2_squared_f16, super::aarch64::l2_squared_i8],
    });
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    sets.push(Kernels {
        name: "simd128",
        dot: [super::wasm32::dot_f32, scalar::dot_f16, super::wasm32::dot_i8],
        l2_squared: [super::wasm32::l2_squared_f32, scalar::l2_squared_f16, super::wasm32::l2_squared_i8],
    });
    sets
}

/// The fastest kernels of this CPU.
pub fn kernels() -> &'static Kernels {
    static CHOSEN: OnceLock<Kernels> = OnceLock::new();
    CHOSEN.get_or_init(|| available().pop().unwrap_or(PORTABLE))
}

/// Whether this CPU has the features beyond AVX2 that the estimator of node rows uses.
#[cfg(target_arch = "x86_64")]
pub fn has_avx512() -> bool {
    kernels().name == AVX2
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
}

/// The CPU features in use, as `vecrank_version()` names them.
pub fn cpu_features() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        return "avx2+f16c+avx512bw";
    }
    kernels().name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::encode;

    fn pseudo_random(seed: u64, count: usize) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / 8_388_608.0 - 1.0) * 3.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn every_kernel_equals_the_specification_bit_for_bit() {
        // Miri takes a thousand times as long.
        let all = (0..=67).chain([96, 100, 256, 384, 511, 768, 1536]);
        for dims in all.filter(|dims| !cfg!(miri) || [0, 1, 7, 31, 32, 35, 64, 67].contains(dims)) {
            let query = pseudo_random(1, dims);
            for element in [Element::F32, Element::F16, Element::I8] {
                let components: Vec<f32> = match element {
                    Element::I8 => pseudo_random(2, dims).iter().map(|x| (x * 40.0).round()).collect(),
                    _ => pseudo_random(2, dims),
                };
                let stored = encode(&components, element).unwrap();
                for set in available() {
                    for metric in [Metric::Dot, Metric::L2] {
                        let got = set.of(metric, element).unwrap().sum(&query, &stored);
                        let want = PORTABLE.of(metric, element).unwrap().sum(&query, &stored);
                        assert_eq!(got.to_bits(), want.to_bits(), "{} {metric:?} {element:?} {dims}", set.name);
                    }
                }
            }
        }
    }

    #[test]
    fn bits_have_kernels_of_their_own() {
        for set in available() {
            for element in Element::ALL {
                assert!(set.of(Metric::Hamming, element).is_none());
                assert_eq!(set.of(Metric::L2, element).is_none(), element == Element::Bit);
            }
        }
    }

    #[test]
    fn every_kernel_for_bits_counts_as_one_bit_at_a_time() {
        let noise = |seed: u64, count: usize| -> Vec<u8> {
            pseudo_random(seed, count).iter().map(|x| (x.to_bits() >> 7) as u8).collect()
        };
        for bytes in (0..=70).chain([96, 128, 257, 2048]).filter(|bytes| !cfg!(miri) || *bytes <= 40) {
            let (a, b) = (noise(3, bytes), noise(4, bytes));
            let count = |op: fn(u8, u8) -> u8| -> u32 {
                let pairs = a.iter().zip(&b).map(|(&x, &y)| op(x, y));
                pairs.map(|byte| (0..8).map(|bit| u32::from(byte >> bit & 1)).sum::<u32>()).sum()
            };
            for kernel in available_for_bits() {
                assert_eq!(kernel.differing(&a, &b), count(|x, y| x ^ y), "{} {bytes}", kernel.name);
            }
        }
        for words in (1..=9).chain([16, 255]).filter(|words| !cfg!(miri) || *words <= 4) {
            let packed = |seed: u64, rows: usize| -> Vec<u64> {
                let bytes = noise(seed, 8 * words * rows);
                bytes.as_chunks::<8>().0.iter().map(|&word| u64::from_le_bytes(word)).collect()
            };
            let (a, b) = (packed(5, 3), packed(6, 5));
            for kernel in available_for_bits() {
                let mut out = [0f32; 15];
                kernel.common(BitSets { a: &a, b: &b, words }, &mut out);
                for (at, got) in out.into_iter().enumerate() {
                    let (x, y) = (&a[at / 5 * words..], &b[at % 5 * words..]);
                    let want: u32 = x.iter().zip(y).take(words).map(|(x, y)| (x & y).count_ones()).sum();
                    assert_eq!(got, want as f32, "{} {words} words, {at}", kernel.name);
                }
            }
        }
    }
}
