//! A query vector prepared for a search: exact keys of expanded nodes, estimated keys of their neighbours.

use super::ColumnSpec;
use crate::distance::{ExactQuery, Metric};
use crate::format::f32_at;
use crate::format::node::{LANES, Node};
use crate::quantize::{Estimate, Lookup, UNIT_FACTORS};

/// What a search ranks by.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ranking {
    /// The column's metric.
    Metric,
    /// Squared l2 in a `dot` column, by which its graph is linked.
    Linking { query_squared: f32 },
}

/// The query's components, tables and rotated form.
#[derive(Debug, Clone)]
pub struct Query {
    pub exact: ExactQuery,
    pub lookup: Lookup,
    /// In the graph's space: rotated, of unit length under cosine.
    pub rotated: Vec<f32>,
    ranking: Ranking,
}

impl Query {
    /// `components`: dims finite components, not all zero under cosine, zeros and ones under hamming.
    pub fn new(spec: &ColumnSpec, components: &[f32]) -> Query {
        let mut rotated = vec![0.0; spec.padded()];
        spec.rotate_components(components, &mut rotated);
        Query {
            exact: ExactQuery::new(components, spec.params.metric, spec.params.element),
            lookup: match spec.params.metric {
                Metric::Hamming => Lookup::of_bits(&rotated),
                _ => Lookup::new(&rotated, spec.bits),
            },
            rotated,
            ranking: Ranking::Metric,
        }
    }

    /// A query for the neighbours of a vector that will be linked. It ranks by the geometry of the graph.
    pub fn for_linking(spec: &ColumnSpec, components: &[f32]) -> Query {
        let mut query = Query::new(spec, components);
        if spec.params.metric == Metric::Dot {
            query.ranking = Ranking::Linking { query_squared: query.rotated.iter().map(|x| x * x).sum() };
        }
        query
    }

    /// Returns the exact key of a node.
    #[inline]
    pub fn key(&self, node: &Node<'_>) -> f64 {
        let key = self.exact.key(node.vector(), node.inverse_norm());
        match self.ranking {
            Ranking::Metric => key,
            Ranking::Linking { query_squared } => {
                let norm = 1.0 / f64::from(node.inverse_norm());
                f64::from(query_squared) + norm * norm + 2.0 * key
            }
        }
    }

    /// Estimates the keys of lanes 32 g .. 32 g + 32 of a node whose exact key is `key`.
    #[inline]
    pub fn estimate(&self, spec: &ColumnSpec, node: &Node<'_>, key: f64, group: usize, out: &mut [f32; LANES]) {
        let layout = &spec.layout;
        let codes = &node.codes[group * layout.group_bytes..(group + 1) * layout.group_bytes];
        if spec.params.metric == Metric::Hamming {
            let (f1, f0) = (&UNIT_FACTORS.0, &UNIT_FACTORS.1);
            return spec.estimator.run(&self.lookup, &Estimate { base: 0.0, f1, f0, codes }, out);
        }
        let (width, degree) = (layout.factor_bytes, layout.degree);
        let factors = |kind: usize| {
            let start = (kind * degree + group * LANES) * width;
            &node.factors[start..start + LANES * width]
        };
        let base = match self.ranking {
            Ranking::Metric => key as f32,
            Ranking::Linking { .. } => self.exact.key(node.vector(), node.inverse_norm()) as f32,
        };
        spec.estimator.run(&self.lookup, &Estimate { base, f1: factors(0), f0: factors(1), codes }, out);
        if let Ranking::Linking { query_squared } = self.ranking {
            let norms = factors(2);
            for (lane, key) in out.iter_mut().enumerate() {
                *key = query_squared + f32_at(norms, 4 * lane) + 2.0 * *key;
            }
        }
    }
}
