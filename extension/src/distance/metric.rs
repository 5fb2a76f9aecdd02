//! The element type of a vector column (`Element`) and the metric that ranks it (`Metric`).

use crate::error::{Error, Result};

/// The order of a vector column. Smaller is nearer, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// 1 - cosine similarity, 0..=2.
    Cosine,
    /// Euclidean distance (the root).
    L2,
    /// The negative inner product.
    Dot,
    /// The number of bits that differ; the metric of BIT, and of BIT alone.
    Hamming,
}

impl Metric {
    pub const ALL: [Metric; 4] = [Metric::Cosine, Metric::L2, Metric::Dot, Metric::Hamming];

    /// The name in SQL: `metric = 'cosine'`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::L2 => "l2",
            Metric::Dot => "dot",
            Metric::Hamming => "hamming",
        }
    }

    /// The similarity of two vectors of so many dimensions at a distance; l2 has none.
    ///
    /// A cosine distance is a multiple of 2^-53 from 0 to 2, and so the difference is exact: what differs in the one
    /// differs in the other, and ranks the other way round. So do the few shares of bits. Under dot zero has no sign.
    pub fn similarity(self, distance: f64, dims: usize) -> Option<f64> {
        match self {
            Metric::Cosine => Some(1.0 - distance),
            Metric::L2 => None,
            Metric::Dot => Some(0.0 - distance),
            Metric::Hamming => Some(1.0 - distance / dims as f64),
        }
    }

    pub fn parse(name: &str) -> Result<Metric> {
        Metric::ALL
            .into_iter()
            .find(|metric| metric.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| Error::invalid(format!("metric: expected 'cosine', 'l2', 'dot' or 'hamming', got '{name}'")))
    }
}

/// The stored type of a vector's components, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    F32,
    F16,
    I8,
    /// Eight to a byte, the first in the lowest bit. As a number a bit is 0 or 1.
    Bit,
}

impl Element {
    pub const ALL: [Element; 4] = [Element::F32, Element::F16, Element::I8, Element::Bit];

    /// The type name in CREATE VIRTUAL TABLE: `FLOAT[256]`.
    pub fn name(self) -> &'static str {
        match self {
            Element::F32 => "FLOAT",
            Element::F16 => "FLOAT16",
            Element::I8 => "INT8",
            Element::Bit => "BIT",
        }
    }

    /// Bits per component.
    fn bits(self) -> usize {
        match self {
            Element::F32 => 32,
            Element::F16 => 16,
            Element::I8 => 8,
            Element::Bit => 1,
        }
    }

    /// Bytes of a vector of so many dimensions; of BIT a multiple of 8.
    pub fn bytes(self, dims: usize) -> usize {
        (dims * self.bits()).div_ceil(8)
    }

    /// Dimensions of a vector of so many bytes; None if they hold no whole number of components.
    pub fn dims(self, bytes: usize) -> Option<usize> {
        (8 * bytes).is_multiple_of(self.bits()).then(|| 8 * bytes / self.bits())
    }

    /// Whether a column of this element may have the metric: bits are ranked by hamming, and numbers by the others.
    pub fn takes(self, metric: Metric) -> bool {
        (self == Element::Bit) == (metric == Metric::Hamming)
    }

    /// The metric of a column that names none.
    pub fn default_metric(self) -> Metric {
        if self == Element::Bit { Metric::Hamming } else { Metric::Cosine }
    }

    pub fn parse(name: &str) -> Option<Element> {
        Element::ALL.into_iter().find(|element| element.name().eq_ignore_ascii_case(name))
    }
}
