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
}

impl Metric {
    pub const ALL: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::Dot];

    /// The name in SQL: `metric = 'cosine'`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::L2 => "l2",
            Metric::Dot => "dot",
        }
    }

    /// The similarity of two vectors at a distance; l2 has none.
    ///
    /// A cosine distance is a multiple of 2^-53 from 0 to 2, and so the difference is exact: what differs in the one
    /// differs in the other, and ranks the other way round. Under dot zero has no sign.
    pub fn similarity(self, distance: f64) -> Option<f64> {
        match self {
            Metric::Cosine => Some(1.0 - distance),
            Metric::L2 => None,
            Metric::Dot => Some(0.0 - distance),
        }
    }

    pub fn parse(name: &str) -> Result<Metric> {
        Metric::ALL
            .into_iter()
            .find(|metric| metric.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| Error::invalid(format!("metric: expected 'cosine', 'l2' or 'dot', got '{name}'")))
    }
}

/// The stored type of a vector's components, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    F32,
    F16,
    I8,
}

impl Element {
    pub const ALL: [Element; 3] = [Element::F32, Element::F16, Element::I8];

    /// The type name in CREATE VIRTUAL TABLE: `FLOAT[256]`.
    pub fn name(self) -> &'static str {
        match self {
            Element::F32 => "FLOAT",
            Element::F16 => "FLOAT16",
            Element::I8 => "INT8",
        }
    }

    /// Bytes per component.
    pub fn size(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::F16 => 2,
            Element::I8 => 1,
        }
    }

    pub fn parse(name: &str) -> Option<Element> {
        Element::ALL.into_iter().find(|element| element.name().eq_ignore_ascii_case(name))
    }
}
