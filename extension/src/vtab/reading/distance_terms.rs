//! Terms on the distance. With them a search skips rows before k counts them, and stops when no further row can pass.

use std::cmp::Ordering;

use crate::filter::predicate::Comparison;
use crate::sqlite::{Content, Value};

/// The terms of a WHERE clause on the distance.
#[derive(Debug, Default)]
pub struct DistanceTerms {
    terms: Vec<(Comparison, Bound)>,
    is_never: bool,
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
    /// Compares a distance with the bound, as SQLite compares a REAL.
    fn compare(self, distance: f64) -> Ordering {
        match self {
            Bound::Above => Ordering::Less,
            Bound::Real(number) => distance.partial_cmp(&number).unwrap_or(Ordering::Less),
            Bound::Integer(number) => compare_with_integer(distance, number),
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
    /// Adds `distance <comparison> value`. `distance` is a REAL column, so a text that is a number is compared as one.
    pub fn push(&mut self, comparison: Comparison, value: Value<'_>) {
        self.add(comparison, value.numeric_content());
    }

    fn add(&mut self, comparison: Comparison, value: Content<'_>) {
        match (comparison, value) {
            (Comparison::IsNotNull, _) | (Comparison::IsNot, Content::Null) => {}
            // No distance is NULL.
            (Comparison::IsNull, _) | (_, Content::Null) => self.is_never = true,
            (_, Content::Integer(number)) => self.terms.push((comparison, Bound::Integer(number))),
            (_, Content::Real(number)) => self.terms.push((comparison, Bound::Real(number))),
            (_, Content::Text(_) | Content::Blob(_)) => self.terms.push((comparison, Bound::Above)),
        }
    }

    /// Whether no row can pass.
    pub fn is_never(&self) -> bool {
        self.is_never
    }

    /// Whether a row of this distance passes all terms.
    pub fn admits(&self, distance: f64) -> bool {
        self.terms.iter().all(|&(comparison, bound)| {
            let order = bound.compare(distance);
            match comparison {
                Comparison::Lt => order.is_lt(),
                Comparison::Le => order.is_le(),
                Comparison::Gt => order.is_gt(),
                Comparison::Ge => order.is_ge(),
                Comparison::Eq | Comparison::Is => order.is_eq(),
                Comparison::Ne | Comparison::IsNot => order.is_ne(),
                _ => true,
            }
        })
    }

    /// Whether no row of this distance or a larger one can pass.
    pub fn end_before(&self, distance: f64) -> bool {
        self.terms.iter().any(|&(comparison, bound)| {
            let order = bound.compare(distance);
            match comparison {
                Comparison::Lt => order.is_ge(),
                Comparison::Le | Comparison::Eq | Comparison::Is => order.is_gt(),
                // No number is greater than a text or a BLOB.
                Comparison::Gt | Comparison::Ge => matches!(bound, Bound::Above),
                _ => false,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(of: &[(Comparison, Content<'_>)]) -> DistanceTerms {
        let mut terms = DistanceTerms::default();
        of.iter().for_each(|&(comparison, value)| terms.add(comparison, value));
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
