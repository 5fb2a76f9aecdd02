//! The space of one vector column: its parameters and all that follows from them.

use super::Params;
use crate::distance::{Element, Metric, decode, inverse_norm, norm};
use crate::format::node::NodeLayout;
use crate::quantize::{Coder, Estimator, FactorKind, Rotation, bits_for, estimator, padded_dims};

/// Norms outside this range are normalised in f64 before they are used as f32.
const SAFE_NORM: std::ops::RangeInclusive<f32> = 1e-12..=1e12;

#[derive(Debug, Clone)]
pub struct Space {
    pub params: Params,
    /// Bits a dimension in the codes.
    pub bits: u8,
    pub layout: NodeLayout,
    pub rotation: Rotation,
    pub coder: Coder,
    pub estimator: Estimator,
    /// As `estimator`, for the f32 factors of the entry sample.
    pub entry_estimator: Estimator,
}

impl Space {
    /// `seed` of the rotation, `bits` of the codes: as the header has them.
    pub fn new(params: Params, seed: u64, bits: u8) -> Space {
        let padded = padded_dims(params.dims);
        let coder = Coder::new(padded, bits, params.metric == Metric::L2);
        let layout = layout(&params, bits);
        let kind = if layout.factor_bytes == 2 { FactorKind::F16 } else { FactorKind::F32 };
        Space {
            rotation: Rotation::new(params.dims, seed),
            bits,
            layout,
            coder,
            estimator: estimator(kind),
            entry_estimator: estimator(FactorKind::F32),
            params,
        }
    }

    /// With the bits that suit the dimensions.
    pub fn with_seed(params: Params, seed: u64) -> Space {
        let bits = bits_for(params.dims);
        Space::new(params, seed, bits)
    }

    pub fn padded(&self) -> usize {
        self.rotation.padded()
    }

    /// The vector in the space that the graph lives in: rotated, of unit length under cosine.
    pub fn rotate(&self, stored: &[u8], out: &mut [f32]) {
        self.rotate_components(&decode(stored, self.params.element), out);
    }

    /// As `rotate`, from components.
    pub fn rotate_components(&self, components: &[f32], out: &mut [f32]) {
        if self.params.metric != Metric::Cosine {
            return self.rotation.apply(components, 1.0, out);
        }
        let factor = inverse_norm(components);
        if SAFE_NORM.contains(&factor) {
            return self.rotation.apply(components, factor, out);
        }
        let length = norm(components);
        let unit: Vec<f32> = components.iter().map(|&x| (f64::from(x) / length) as f32).collect();
        self.rotation.apply(&unit, 1.0, out);
    }

    /// 1 / norm of a stored vector, as its row keeps it.
    pub fn inverse_norm(&self, stored: &[u8]) -> f32 {
        inverse_norm(&decode(stored, self.params.element))
    }
}

/// The layout of a column's node rows.
pub fn layout(params: &Params, bits: u8) -> NodeLayout {
    let (factor_bytes, factor_count) = match params.metric {
        Metric::Cosine => (2, 2), // factors of unit vectors fit f16
        Metric::L2 => (4, 2),
        Metric::Dot => (4, 3), // and the neighbour's squared norm, for insertion
    };
    NodeLayout {
        vector_bytes: params.vector_bytes(),
        degree: params.degree(),
        factor_bytes,
        factor_count,
        group_bytes: Coder::new(padded_dims(params.dims), bits, false).group_bytes(),
    }
}

/// Bytes of a linked node row of a column with these parameters, for choosing a page size.
pub fn node_row_bytes(dims: usize, element: Element, metric: Metric, m: usize) -> usize {
    let params = Params { m, ..Params::new(dims, element, metric) };
    layout(&params, bits_for(dims)).row_bytes()
}
