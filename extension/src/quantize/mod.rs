//! RaBitQ codes of residuals (Gao & Long, SIGMOD 2024), estimated 32 at a time by FastScan (André et al., VLDB 2015).
//!
//! Everything here happens in rotated space: vectors padded to a multiple of 64 and turned by a `Rotation`. The code of
//! a BIT vector is the vector itself, not turned, and its estimate is the exact distance.

mod code;
mod fastscan;
mod lookup;
mod rotation;
pub mod split_mix;

pub use code::{Coder, Encoded, Factors};
pub use fastscan::{Estimate, Estimator, FactorKind, UNIT_FACTORS, estimator};
pub use lookup::Lookup;
pub use rotation::{Rotation, padded_dims};

use crate::distance::Element;

/// Bits per dimension of the codes of a column with `dims` dimensions. The error of a 1-bit code grows with 1/sqrt(d),
/// so short vectors need more bits.
pub fn bits_for(element: Element, dims: usize) -> u8 {
    match dims {
        _ if element == Element::Bit => 1,
        0..=96 => 4,
        97..=191 => 2,
        _ => 1,
    }
}
