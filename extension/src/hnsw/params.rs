//! The parameters of one vector column's graph, fixed at CREATE (but for the stored default of `ef_search`).

use crate::distance::{Element, Metric};
use crate::error::{Error, Result};

/// Dimensions a vector column may have: 1..=MAX_DIMS.
pub const MAX_DIMS: usize = 16_384;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    pub dims: usize,
    pub element: Element,
    pub metric: Metric,
    /// HNSW's M, 2..=64: forward links per node.
    pub m: usize,
    /// Beam width of an insertion.
    pub ef_construction: usize,
    /// Stored default of the search window.
    pub ef_search: usize,
}

impl Params {
    pub const DEFAULT_M: usize = 16;
    pub const DEFAULT_EF_CONSTRUCTION: usize = 200;
    pub const DEFAULT_EF_SEARCH: usize = 64;
    pub const M_RANGE: std::ops::RangeInclusive<usize> = 2..=64;
    /// Bounds of both `ef_construction` and `ef_search`.
    pub const EF_RANGE: std::ops::RangeInclusive<usize> = 1..=10_000;

    /// Parameters with every default; `dims` in 1..=MAX_DIMS.
    pub fn new(dims: usize, element: Element, metric: Metric) -> Params {
        Params {
            dims,
            element,
            metric,
            m: Self::DEFAULT_M,
            ef_construction: Self::DEFAULT_EF_CONSTRUCTION,
            ef_search: Self::DEFAULT_EF_SEARCH,
        }
    }

    /// Fails with the option, its range and its value.
    pub fn validate(&self) -> Result<()> {
        check("dimensions", self.dims, &(1..=MAX_DIMS))?;
        self.check_metric()?;
        check("m", self.m, &Self::M_RANGE)?;
        check("ef_construction", self.ef_construction, &Self::EF_RANGE)?;
        check("ef_search", self.ef_search, &Self::EF_RANGE)
    }

    /// Fails if the element does not take the metric.
    pub fn check_metric(&self) -> Result<()> {
        let (element, metric) = (self.element.name(), self.metric.name());
        match self.element {
            _ if self.element.takes(self.metric) => Ok(()),
            Element::Bit => Err(Error::invalid(format!("metric: expected 'hamming', the one of BIT, got '{metric}'"))),
            _ => Err(Error::invalid(format!(
                "metric: expected 'cosine', 'l2' or 'dot' for {element}, got '{metric}', which is for BIT"
            ))),
        }
    }

    /// Links that a node may have at the ground level: 2 m, rounded up to a multiple of 32.
    pub fn degree(&self) -> usize {
        (2 * self.m).div_ceil(32) * 32
    }

    /// Bytes of one stored vector.
    pub fn vector_bytes(&self) -> usize {
        self.element.bytes(self.dims)
    }
}

fn check(name: &str, value: usize, range: &std::ops::RangeInclusive<usize>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{name}: expected {} to {}, got {value}", range.start(), range.end())))
}
