//! The kernels of this CPU, detected once, at run time.

use std::sync::OnceLock;

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
    /// Inner product.
    pub fn dot(&self, element: Element) -> Kernel {
        Kernel(self.dot[element as usize])
    }

    /// Squared Euclidean distance.
    pub fn l2_squared(&self, element: Element) -> Kernel {
        Kernel(self.l2_squared[element as usize])
    }

    /// The sum that the metric is computed from.
    pub fn of(&self, metric: Metric, element: Element) -> Kernel {
        match metric {
            Metric::Cosine | Metric::Dot => self.dot(element),
            Metric::L2 => self.l2_squared(element),
        }
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
            for element in Element::ALL {
                let components: Vec<f32> = match element {
                    Element::I8 => pseudo_random(2, dims).iter().map(|x| (x * 40.0).round()).collect(),
                    _ => pseudo_random(2, dims),
                };
                let stored = encode(&components, element).unwrap();
                for set in available() {
                    for metric in Metric::ALL {
                        let got = set.of(metric, element).sum(&query, &stored);
                        let want = PORTABLE.of(metric, element).sum(&query, &stored);
                        assert_eq!(got.to_bits(), want.to_bits(), "{} {metric:?} {element:?} {dims}", set.name);
                    }
                }
            }
        }
    }
}
