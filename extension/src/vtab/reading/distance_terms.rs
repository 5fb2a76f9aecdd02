//! Terms on the distance and on the similarity. With them a search skips rows before k counts them, and stops when no further
//! row can pass.

use std::cmp::Ordering;

use crate::distance::Metric;
use crate::filter::predicate::Comparison;
use crate::sqlite::{Content, Value};

/// The terms of a WHERE clause on the distance and on the similarity.
#[derive(Debug, Default)]
pub struct DistanceTerms {
    terms: Vec<Term>,
    is_never: bool,
}

/// What a term compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    Distance,
    /// Under a metric that has one, of vectors of so many dimensions.
    Similarity(Metric, usize),
}

#[derive(Debug, Clone, Copy)]
struct Term {
    measure: Measure,
    comparison: Comparison,
    bound: Bound,
}

impl Term {
    /// How a row at a distance stands to the bound: by the value that SQL shows.
    fn compare(&self, distance: f64) -> Ordering {
        self.bound.compare(match self.measure {
            Measure::Distance => distance,
            Measure::Similarity(metric, dims) => metric.similarity(distance, dims).unwrap_or(f64::NAN),
        })
    }

    fn admits(&self, distance: f64) -> bool {
        let order = self.compare(distance);
        match self.comparison {
            Comparison::Lt => order.is_lt(),
            Comparison::Le => order.is_le(),
            Comparison::Gt => order.is_gt(),
            Comparison::Ge => order.is_ge(),
            Comparison::Eq | Comparison::Is => order.is_eq(),
            Comparison::Ne | Comparison::IsNot => order.is_ne(),
            _ => true,
        }
    }

    /// Along the sequence distances grow and similarities fall.
    fn ends_before(&self, distance: f64) -> bool {
        let order = self.compare(distance);
        match (self.measure, self.comparison) {
            (Measure::Distance, Comparison::Lt) => order.is_ge(),
            (Measure::Distance, Comparison::Le | Comparison::Eq | Comparison::Is) => order.is_gt(),
            // Nothing is above a text or a BLOB.
            (Measure::Distance, Comparison::Gt | Comparison::Ge) => matches!(self.bound, Bound::Above),
            (Measure::Similarity(..), Comparison::Gt) => order.is_le(),
            (Measure::Similarity(..), Comparison::Ge | Comparison::Eq | Comparison::Is) => order.is_lt(),
            _ => false,
        }
    }
}

/// The right side of a term.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Integer(i64),
    Real(f64),
    /// A BLOB, or a text that is no number: greater than every number.
    Above,
}

impl Bound {
    /// Compares a value with the bound, as SQLite compares a REAL.
    fn compare(self, value: f64) -> Ordering {
        match self {
            Bound::Above => Ordering::Less,
            Bound::Real(number) => value.partial_cmp(&number).unwrap_or(Ordering::Less),
            Bound::Integer(number) => compare_with_integer(value, number),
        }
    }
}

/// Compares without rounding the integer, which may have more digits than an f64.
fn compare_with_integer(distance: f64, number: i64) -> Ordering {
    const PAST_LAST: f64 = 9_223_372_036_854_775_808.0;
    if distance >= PAST_LAST {
        return Ordering::Greater;
    }
    if distance < -PAST_LAST {
        return Ordering::Less;
    }
    let whole = distance as i64;
    whole.cmp(&number).then_with(|| distance.partial_cmp(&(whole as f64)).unwrap_or(Ordering::Less))
}

impl DistanceTerms {
    /// Adds `distance <comparison> value`, or the same of the similarity. Both are REAL columns, so a text that is a
    /// number is compared as one.
    pub fn push(&mut self, measure: Measure, comparison: Comparison, value: Value<'_>) {
        self.add(measure, comparison, value.numeric_content());
    }

    fn add(&mut self, measure: Measure, comparison: Comparison, value: Content<'_>) {
        let bound = match (comparison, value) {
            (Comparison::IsNotNull, _) | (Comparison::IsNot, Content::Null) => return,
            // Neither is NULL.
            (Comparison::IsNull, _) | (_, Content::Null) => {
                self.is_never = true;
                return;
            }
            (_, Content::Integer(number)) => Bound::Integer(number),
            (_, Content::Real(number)) => Bound::Real(number),
            (_, Content::Text(_) | Content::Blob(_)) => Bound::Above,
        };
        self.terms.push(Term { measure, comparison, bound });
    }

    /// Whether no row can pass.
    pub fn is_never(&self) -> bool {
        self.is_never
    }

    /// Whether a row of this distance passes all terms.
    pub fn admits(&self, distance: f64) -> bool {
        self.terms.iter().all(|term| term.admits(distance))
    }

    /// Whether no row of this distance or a larger one can pass.
    pub fn end_before(&self, distance: f64) -> bool {
        self.terms.iter().any(|term| term.ends_before(distance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(of: &[(Comparison, Content<'_>)]) -> DistanceTerms {
        terms_on(Measure::Distance, of)
    }

    fn terms_on(measure: Measure, of: &[(Comparison, Content<'_>)]) -> DistanceTerms {
        let mut terms = DistanceTerms::default();
        of.iter().for_each(|&(comparison, value)| terms.add(measure, comparison, value));
        terms
    }

    #[test]
    fn terms_admit_what_sql_admits_and_end_the_search() {
        let half = Content::Real(0.5);
        for (comparison, admits, ends) in [
            (Comparison::Lt, [true, false, false], [false, true, true]),
            (Comparison::Le, [true, true, false], [false, false, true]),
            (Comparison::Gt, [false, false, true], [false; 3]),
            (Comparison::Ge, [false, true, true], [false; 3]),
            (Comparison::Eq, [false, true, false], [false, false, true]),
            (Comparison::Is, [false, true, false], [false, false, true]),
            (Comparison::Ne, [true, false, true], [false; 3]),
            (Comparison::IsNot, [true, false, true], [false; 3]),
        ] {
            let terms = terms(&[(comparison, half)]);
            assert_eq!([0.0, 0.5, 1.0].map(|distance| terms.admits(distance)), admits, "{comparison:?}");
            assert_eq!([0.0, 0.5, 1.0].map(|distance| terms.end_before(distance)), ends, "{comparison:?}");
            assert!(!terms.is_never());
        }
        let both = terms(&[(Comparison::Gt, Content::Integer(0)), (Comparison::Le, half)]);
        assert_eq!([0.0, 0.1, 0.5, 0.6].map(|distance| both.admits(distance)), [false, true, true, false]);
    }

    #[test]
    fn a_similarity_falls_as_the_distance_grows() {
        for (comparison, admits, ends) in [
            (Comparison::Lt, [false, false, true], [false; 3]),
            (Comparison::Le, [false, true, true], [false; 3]),
            (Comparison::Gt, [true, false, false], [false, true, true]),
            (Comparison::Ge, [true, true, false], [false, false, true]),
            (Comparison::Eq, [false, true, false], [false, false, true]),
            (Comparison::Is, [false, true, false], [false, false, true]),
            (Comparison::Ne, [true, false, true], [false; 3]),
            (Comparison::IsNot, [true, false, true], [false; 3]),
        ] {
            for (metric, bound) in [(Metric::Cosine, 0.75), (Metric::Dot, -0.25), (Metric::Hamming, 1.0 - 0.25 / 8.0)] {
                let terms = terms_on(Measure::Similarity(metric, 8), &[(comparison, Content::Real(bound))]);
                assert_eq!([0.0, 0.25, 1.0].map(|distance| terms.admits(distance)), admits, "{comparison:?}");
                assert_eq!([0.0, 0.25, 1.0].map(|distance| terms.end_before(distance)), ends, "{comparison:?}");
            }
        }
        let text = terms_on(Measure::Similarity(Metric::Dot, 8), &[(Comparison::Ge, Content::Text(b"x"))]);
        assert!(text.end_before(0.0) && !text.admits(0.0));
    }

    /// 1 - bound, rounded, would be another distance than that of the bound.
    #[test]
    fn the_similarity_that_is_shown_decides() {
        let mut seed = 1_u64;
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let distance = (seed >> 11) as f64 / 2_f64.powi(53);
            for (metric, distance) in
                [(Metric::Cosine, distance), (Metric::Dot, distance), (Metric::Hamming, (seed >> 50) as f64)]
            {
                let shown = metric.similarity(distance, 16_384).unwrap();
                for bound in [shown, shown.next_up(), shown.next_down()] {
                    let with = |comparison| {
                        terms_on(Measure::Similarity(metric, 16_384), &[(comparison, Content::Real(bound))])
                    };
                    assert_eq!(with(Comparison::Ge).admits(distance), shown >= bound, "{distance} {bound}");
                    assert_eq!(with(Comparison::Eq).admits(distance), shown == bound, "{distance} {bound}");
                    assert_eq!(with(Comparison::Ge).end_before(distance), shown < bound, "{distance} {bound}");
                }
            }
        }
    }

    #[test]
    fn a_comparison_with_null_admits_no_row() {
        for comparison in Comparison::ALL
            .into_iter()
            .filter(|&comparison| crate::vtab::planning::planner::can_bound_distance(comparison))
        {
            let is_true = matches!(comparison, Comparison::IsNot | Comparison::IsNotNull);
            assert_eq!(terms(&[(comparison, Content::Null)]).is_never(), !is_true, "{comparison:?}");
        }
        assert!(terms(&[(Comparison::IsNull, Content::Integer(1))]).is_never());
    }

    #[test]
    fn texts_and_blobs_are_above_every_number() {
        for value in [Content::Text(b"x"), Content::Blob(b"")] {
            for (comparison, admits, ends) in [
                (Comparison::Lt, true, false),
                (Comparison::Ne, true, false),
                (Comparison::Ge, false, true),
                (Comparison::Gt, false, true),
                (Comparison::Eq, false, false),
            ] {
                let terms = terms(&[(comparison, value)]);
                assert_eq!([terms.admits(1e300), terms.end_before(1e300)], [admits, ends], "{comparison:?} {value:?}");
            }
        }
    }

    #[test]
    fn integers_are_compared_digit_by_digit() {
        let two_53 = 9_007_199_254_740_992.0;
        for (distance, number, order) in [
            (two_53, (1 << 53) + 1, Ordering::Less),
            (two_53, 1 << 53, Ordering::Equal),
            (two_53 + 2.0, (1 << 53) + 1, Ordering::Greater),
            (-0.5, 0, Ordering::Less),
            (0.5, 0, Ordering::Greater),
            (-0.0, 0, Ordering::Equal),
            (9_223_372_036_854_775_808.0, i64::MAX, Ordering::Greater),
            (-9_223_372_036_854_775_808.0, i64::MIN, Ordering::Equal),
            (f64::INFINITY, i64::MAX, Ordering::Greater),
            (f64::NEG_INFINITY, i64::MIN, Ordering::Less),
        ] {
            assert_eq!(Bound::Integer(number).compare(distance), order, "{distance} {number}");
        }
    }
}
