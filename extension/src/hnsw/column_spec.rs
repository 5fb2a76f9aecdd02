//! The specification of one vector column: its parameters, and what is derived from them.

use super::Params;
use crate::distance::{Element, Metric, decode, inverse_norm, norm};
use crate::format::node::NodeLayout;
use crate::quantize::{Coder, Estimator, FactorKind, Rotation, bits_for, estimator, padded_dims};

/// Norms outside this range are normalised in f64 before they are used as f32.
const SAFE_NORM: std::ops::RangeInclusive<f32> = 1e-12..=1e12;

#[derive(Debug, Clone)]
pub struct ColumnSpec {
    pub params: Params,
    /// Bits per dimension in the codes.
    pub bits: u8,
    pub layout: NodeLayout,
    /// The centre, d components, which is subtracted from every vector before it is encoded or linked; empty for the
    /// origin. Distances do not change, and small ones keep their digits far from the origin. Not under `dot`: products
    /// would change. Nor under hamming, where bits stay bits.
    centre: Vec<f32>,
    pub rotation: Rotation,
    pub coder: Coder,
    pub estimator: Estimator,
    /// As `estimator`, for the f32 factors of the entry sample.
    pub entry_estimator: Estimator,
}

impl ColumnSpec {
    /// `seed` of the rotation and `bits` of the codes are those of the header.
    pub fn new(params: Params, seed: u64, bits: u8) -> ColumnSpec {
        let padded = padded_dims(params.dims);
        let coder = Coder::new(padded, bits, params.metric);
        let layout = layout(&params, bits);
        let kind = if layout.factor_bytes == 2 { FactorKind::F16 } else { FactorKind::F32 };
        ColumnSpec {
            rotation: match params.metric {
                Metric::Hamming => Rotation::identity(params.dims),
                _ => Rotation::new(params.dims, seed),
            },
            bits,
            layout,
            centre: Vec::new(),
            coder,
            estimator: estimator(kind),
            entry_estimator: estimator(FactorKind::F32),
            params,
        }
    }

    /// A specification with the bits that suit the dimensions.
    pub fn with_seed(params: Params, seed: u64) -> ColumnSpec {
        let bits = bits_for(params.element, params.dims);
        ColumnSpec::new(params, seed, bits)
    }

    pub fn padded(&self) -> usize {
        self.rotation.padded()
    }

    /// Sets the centre that is stored with the graph.
    pub fn set_centre(&mut self, centre: &[f32]) {
        self.centre.clear();
        if matches!(self.params.metric, Metric::Cosine | Metric::L2) {
            self.centre.extend_from_slice(centre);
        }
    }

    /// Transforms a stored vector into the graph's space: of unit length under cosine, relative to the centre, rotated;
    /// under hamming its zeros and ones.
    pub fn rotate(&self, stored: &[u8], out: &mut [f32]) {
        self.rotate_components(&decode(stored, self.params.element), out);
    }

    /// As `rotate`, for components.
    pub fn rotate_components(&self, components: &[f32], out: &mut [f32]) {
        let factor = if self.params.metric == Metric::Cosine { inverse_norm(components) } else { 1.0 };
        self.normalise_and_centre(components, factor, out);
        self.rotation.turn(out);
    }

    /// As `rotate_components`, without the rotation. `factor`: 1 / norm of the components; only cosine uses it.
    pub fn normalise_and_centre(&self, components: &[f32], factor: f32, out: &mut [f32]) {
        let (own, padding) = out.split_at_mut(components.len());
        own.copy_from_slice(components);
        padding.fill(0.0);
        if self.params.metric == Metric::Cosine && SAFE_NORM.contains(&factor) {
            own.iter_mut().for_each(|x| *x *= factor);
        } else if self.params.metric == Metric::Cosine {
            let length = norm(components);
            own.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
        }
        self.subtract_centre(out);
    }

    /// Completes `normalise_and_centre` of a vector for which no centre was known yet: subtracts the centre and
    /// rotates.
    pub fn centre_and_rotate(&self, vector: &mut [f32]) {
        self.subtract_centre(vector);
        self.rotation.turn(vector);
    }

    fn subtract_centre(&self, vector: &mut [f32]) {
        vector.iter_mut().zip(&self.centre).for_each(|(x, centre)| *x -= centre);
    }

    /// Returns 1 / norm of a stored vector, as its row keeps it; 0 under hamming, which asks for no norm.
    pub fn inverse_norm(&self, stored: &[u8]) -> f32 {
        if self.params.metric == Metric::Hamming {
            return 0.0;
        }
        inverse_norm(&decode(stored, self.params.element))
    }
}

/// The layout of a column's node rows.
pub fn layout(params: &Params, bits: u8) -> NodeLayout {
    let (factor_bytes, factor_count) = match params.metric {
        Metric::Cosine => (2, 2), // factors of unit vectors fit f16
        Metric::L2 => (4, 2),
        Metric::Dot => (4, 3), // and the neighbour's squared norm, for insertion
        Metric::Hamming => (4, 0),
    };
    NodeLayout {
        vector_bytes: params.vector_bytes(),
        degree: params.degree(),
        factor_bytes,
        factor_count,
        group_bytes: Coder::new(padded_dims(params.dims), bits, params.metric).group_bytes(),
    }
}

/// Bytes of a linked node row of a column with these parameters, for choosing a page size.
pub fn node_row_bytes(dims: usize, element: Element, metric: Metric, m: usize) -> usize {
    let params = Params { m, ..Params::new(dims, element, metric) };
    layout(&params, bits_for(element, dims)).row_bytes()
}
