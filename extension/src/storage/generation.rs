//! The generation: a hash chained over everything that was ever written. Two states that differ have different
//! generations, and the same writes give the same file.

use crate::format::header::Generation;
use crate::quantize::split_mix::{GOLDEN_GAMMA, mix};

/// Computes the next generation from the last one and everything written since.
#[derive(Debug, Clone, Copy)]
pub struct GenerationHasher {
    low: u64,
    high: u64,
}

const MULTIPLIERS: [u64; 2] = [GOLDEN_GAMMA, 0xc2b2_ae3d_27d4_eb4f];

impl GenerationHasher {
    pub fn of(generation: &Generation) -> GenerationHasher {
        let bits = u128::from_le_bytes(*generation);
        GenerationHasher { low: bits as u64, high: (bits >> 64) as u64 }
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, number: u64) -> GenerationHasher {
        self.low = mix(self.low ^ number).wrapping_mul(MULTIPLIERS[0]);
        self.high = mix(self.high.wrapping_add(number)).wrapping_mul(MULTIPLIERS[1]) ^ self.low.rotate_left(32);
        self
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> GenerationHasher {
        let (mut low, mut high) = (self.low, self.high);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            let word = u64::from_le_bytes(*word);
            low = (low ^ word).wrapping_mul(MULTIPLIERS[0]).rotate_left(29);
            high = (high.rotate_left(31) ^ word).wrapping_mul(MULTIPLIERS[1]);
        }
        let tail = rest.iter().fold(bytes.len() as u64, |tail, &byte| tail << 8 | u64::from(byte));
        GenerationHasher { low, high }.number(tail)
    }

    pub fn finish(self) -> Generation {
        let bits = u128::from(mix(self.high)) << 64 | u128::from(mix(self.low));
        bits.to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generation_depends_on_what_was_written_and_in_which_order() {
        let zero = [0; 16];
        let a = GenerationHasher::of(&zero).number(1).number(2).finish();
        assert_eq!(a, GenerationHasher::of(&zero).number(1).number(2).finish());
        assert_ne!(a, GenerationHasher::of(&zero).number(2).number(1).finish());
        assert_ne!(
            GenerationHasher::of(&zero).bytes(&[1, 2, 3]).finish(),
            GenerationHasher::of(&zero).bytes(&[1, 2, 3, 0]).finish()
        );
        assert_ne!(GenerationHasher::of(&zero).finish(), GenerationHasher::of(&a).finish());
    }
}
