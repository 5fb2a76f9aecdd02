//! Encoding: the code of a residual and the factors that turn a code into an estimate.
//!
//! c is the centre (the expanded node), x the neighbour, r = x - c, u the decoded code: bits b per dimension give
//! u = code - (2^b - 1) / 2. RaBitQ estimates <q - c, r> without bias by |r|^2 / <r, u> * <q - c, u>, so
//!
//! ```text
//! dot      -<q, x>   ~  -<q, c>   + F1 <q, u> + F0    F1 = -|r|^2 / <r, u>     F0 = -<c, r> - F1 <c, u>
//! l2       |q - x|^2 ~  |q - c|^2 + F1 <q, u> + F0    F1 = -2 |r|^2 / <r, u>   F0 = |r|^2 - F1 <c, u>
//! cosine   half of l2: of unit vectors, 1 - <q, x> = |q - x|^2 / 2
//! ```
//! Under l2 and cosine q, c and x may all have been moved: nothing changes but the sums' precision.
//! Under hamming the code is x itself, and the estimate its distance: F1 = 1, F0 = 0, without key(c).
//! A residual that is zero, or whose square is beyond f32, gives zero factors: the neighbour's estimate is the centre's
//! key.

use crate::distance::{Metric, signs};

/// The factors of one neighbour, in key form: key(x) ~ key(c) + f1 <q, u> + f0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Factors {
    pub f1: f32,
    pub f0: f32,
}

/// One encoded residual: `bits` planes of p/8 bytes, and its factors.
#[derive(Debug, Clone, Default)]
pub struct Encoded {
    pub planes: Vec<u8>,
    pub factors: Factors,
}

/// Encodes residuals of p dimensions into codes of `bits` bits.
#[derive(Debug, Clone, Copy)]
pub struct Coder {
    padded: usize,
    bits: u8,
    metric: Metric,
}

impl Coder {
    pub fn new(padded: usize, bits: u8, metric: Metric) -> Coder {
        Coder { padded, bits, metric }
    }

    /// Bytes of the codes of a group of 32.
    pub fn group_bytes(&self) -> usize {
        usize::from(self.bits) * self.padded * 4
    }

    /// Encodes x about c (both rotated, p components) into `out`.
    pub fn encode(&self, centre: &[f32], x: &[f32], out: &mut Encoded) {
        let plane_bytes = self.padded / 8;
        out.planes.clear();
        if self.metric == Metric::Hamming {
            return self.encode_bits(signs(x).unwrap_or_default().into_iter(), out);
        }
        out.planes.resize(usize::from(self.bits) * plane_bytes, 0);
        let sums = match self.bits {
            1 => encode_signs(centre, x, &mut out.planes),
            bits => encode_levels(centre, x, bits, &mut out.planes),
        };
        out.factors = self.factors(&sums);
    }

    /// Encodes packed bits.
    pub fn encode_bits(&self, bits: impl Iterator<Item = u8>, out: &mut Encoded) {
        out.planes.clear();
        out.planes.extend(bits);
        out.planes.resize(self.padded / 8, 0);
        out.factors = Factors { f1: 1.0, f0: 0.0 };
    }

    fn factors(&self, sums: &Sums) -> Factors {
        if sums.rr == 0.0 || sums.ru <= 0.0 {
            return Factors::default();
        }
        let slope = sums.rr / sums.ru;
        let (f1, f0) = match self.metric {
            Metric::L2 => (-2.0 * slope, sums.rr + 2.0 * slope * sums.cu),
            Metric::Cosine => (-slope, 0.5 * sums.rr + slope * sums.cu),
            Metric::Dot => (-slope, slope * sums.cu - sums.cr),
            Metric::Hamming => (1.0, 0.0),
        };
        if f1.is_finite() && f0.is_finite() { Factors { f1, f0 } } else { Factors::default() }
    }

    /// Writes an encoded residual into lane `lane` of a group's codes.
    pub fn put_lane(&self, group: &mut [u8], lane: usize, planes: &[u8]) {
        for (block, &byte) in group.chunks_exact_mut(32).zip(planes) {
            block[lane] = byte;
        }
    }

    /// Reads the planes of lane `lane` back out of a group's codes.
    pub fn get_lane(&self, group: &[u8], lane: usize, planes: &mut Vec<u8>) {
        planes.clear();
        planes.extend(group.chunks_exact(32).map(|block| block[lane]));
    }
}

/// The inner products that the factors are made of.
#[derive(Default)]
struct Sums {
    rr: f32,
    ru: f32,
    cr: f32,
    cu: f32,
}

/// Lanes of the sums: enough for the compiler to keep them in vector registers.
const LANES: usize = 8;

/// One bit: u = +-1/2 by the sign of r.
fn encode_signs(centre: &[f32], x: &[f32], plane: &mut [u8]) -> Sums {
    let (mut rr, mut ru, mut cr, mut cu) = ([0f32; LANES], [0f32; LANES], [0f32; LANES], [0f32; LANES]);
    for ((c, x), byte) in centre.chunks_exact(LANES).zip(x.chunks_exact(LANES)).zip(plane) {
        let mut bits = 0u8;
        for i in 0..LANES {
            let r = x[i] - c[i];
            rr[i] += r * r;
            cr[i] += c[i] * r;
            ru[i] += r.abs();
            let sign = (r.to_bits() & 0x8000_0000) ^ c[i].to_bits();
            cu[i] += f32::from_bits(sign);
            bits |= u8::from(r.to_bits() >> 31 == 0) << i;
        }
        *byte = bits;
    }
    let sum = |lanes: [f32; LANES]| lanes.iter().sum::<f32>();
    Sums { rr: sum(rr), ru: 0.5 * sum(ru), cr: sum(cr), cu: 0.5 * sum(cu) }
}

/// Several bits: levels of equal width, at the scale whose code has the least angle to r.
fn encode_levels(centre: &[f32], x: &[f32], bits: u8, planes: &mut [u8]) -> Sums {
    let residual: Vec<f32> = centre.iter().zip(x).map(|(c, x)| x - c).collect();
    let largest = residual.iter().fold(0f32, |m, r| m.max(r.abs()));
    if largest == 0.0 {
        return Sums::default();
    }
    let half = f32::from(1u8 << (bits - 1));
    // The value is not negative, so the cast rounds down as floor() does; floor() is a call on CPUs without an
    // instruction.
    let level = |r: f32, scale: f32| (r * scale + half).clamp(0.0, 2.0 * half - 1.0) as i32 as f32;
    let mut best = (-1.0, 0.0);
    // From the scale at which the largest component just fits to five times that: beyond, nearly every one is clamped.
    for step in 0..40 {
        let scale = half / largest * (1.0 + 0.1 * step as f32);
        let (mut ru, mut uu) = (0f32, 0f32);
        for &r in &residual {
            let u = level(r, scale) - (half - 0.5);
            ru += r * u;
            uu += u * u;
        }
        let cosine = ru / uu.sqrt();
        if cosine > best.0 {
            best = (cosine, scale);
        }
    }
    let mut sums = Sums::default();
    let plane_bytes = residual.len() / 8;
    for (i, (&r, &c)) in residual.iter().zip(centre).enumerate() {
        let code = level(r, best.1);
        let u = code - (half - 0.5);
        sums.rr += r * r;
        sums.ru += r * u;
        sums.cr += c * r;
        sums.cu += c * u;
        for plane in 0..usize::from(bits) {
            planes[plane * plane_bytes + i / 8] |= ((code as u8) >> plane & 1) << (i % 8);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_residual_gives_zero_factors() {
        for bits in [1, 2, 4] {
            let vector: Vec<f32> = (0..64).map(|i| i as f32).collect();
            let mut out = Encoded::default();
            Coder::new(64, bits, Metric::Cosine).encode(&vector, &vector, &mut out);
            assert_eq!(out.factors, Factors::default());
        }
    }

    #[test]
    fn factors_are_finite_at_every_scale() {
        for scale in [1e-30, 1e15, 1e25, 1e38] {
            for (bits, metric) in [(1, Metric::L2), (2, Metric::Dot), (4, Metric::L2), (4, Metric::Cosine)] {
                let centre: Vec<f32> = (0..64).map(|i| ((i * 7 % 13) as f32 - 6.0) / 10.0 * scale).collect();
                let x: Vec<f32> = (0..64).map(|i| ((i * 5 % 11) as f32 - 5.0) / 10.0 * scale).collect();
                let mut out = Encoded::default();
                Coder::new(64, bits, metric).encode(&centre, &x, &mut out);
                assert!(out.factors.f1.is_finite() && out.factors.f0.is_finite(), "{scale}, {bits} bits: {out:?}");
            }
        }
    }

    #[test]
    fn a_lane_survives_the_round_trip() {
        let coder = Coder::new(64, 2, Metric::Dot);
        let mut group = vec![0; coder.group_bytes()];
        let planes: Vec<u8> = (0..16).map(|i| i * 15 + 1).collect();
        coder.put_lane(&mut group, 31, &planes);
        let mut out = Vec::new();
        coder.get_lane(&group, 31, &mut out);
        assert_eq!(out, planes);
        coder.get_lane(&group, 30, &mut out);
        assert_eq!(out, [0; 16]);
    }
}
