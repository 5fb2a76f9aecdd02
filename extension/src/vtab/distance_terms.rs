//! Terms on the distance: they let a search leave rows out before k counts them, and stop when nothing can follow.

use crate::filter::predicate::Comparison;
use crate::sqlite::{Content, Value};

/// What the WHERE clause asks of the distance.
#[derive(Debug, Default)]
pub struct DistanceTerms {
    terms: Vec<(Comparison, f64)>,
    is_never: bool,
}

impl DistanceTerms {
    /// Whether such a term can be one of them.
    pub fn takes(comparison: Comparison) -> bool {
        !matches!(comparison, Comparison::Like | Comparison::Glob | Comparison::In)
    }

    /// Adds `distance <comparison> value`. SQLite tests the term again: of a value that is no number as f64 has them,
    /// every row may come.
    pub fn push(&mut self, comparison: Comparison, value: Value<'_>) {
        self.add(comparison, value.content());
    }

    fn add(&mut self, comparison: Comparison, value: Content<'_>) {
        match (comparison, value) {
            (Comparison::IsNotNull, _) | (Comparison::IsNot, Content::Null) => {}
            // No distance is NULL.
            (Comparison::IsNull, _) | (_, Content::Null) => self.is_never = true,
            // Larger ones are rounded.
            (_, Content::Integer(number)) if number.unsigned_abs() >= 1 << 53 => {}
            (_, Content::Integer(number)) => self.terms.push((comparison, number as f64)),
            (_, Content::Real(number)) => self.terms.push((comparison, number)),
            (_, Content::Text(_) | Content::Blob(_)) => {}
        }
    }

    /// No row can come.
    pub fn is_never(&self) -> bool {
        self.is_never
    }

    pub fn admits(&self, distance: f64) -> bool {
        self.terms.iter().all(|&(comparison, number)| match comparison {
            Comparison::Lt => distance < number,
            Comparison::Le => distance <= number,
            Comparison::Gt => distance > number,
            Comparison::Ge => distance >= number,
            Comparison::Eq | Comparison::Is => distance == number,
            Comparison::Ne | Comparison::IsNot => distance != number,
            _ => true,
        })
    }

    /// No row of this distance or a larger one is admitted.
    pub fn end_before(&self, distance: f64) -> bool {
        self.terms.iter().any(|&(comparison, number)| match comparison {
            Comparison::Lt => distance >= number,
            Comparison::Le | Comparison::Eq | Comparison::Is => distance > number,
            _ => false,
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
    fn a_term_admits_what_sql_admits_and_says_where_it_ends() {
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
    fn null_is_never_and_what_is_no_number_is_left_to_sqlite() {
        for comparison in Comparison::ALL.into_iter().filter(|&comparison| DistanceTerms::takes(comparison)) {
            let is_true = matches!(comparison, Comparison::IsNot | Comparison::IsNotNull);
            assert_eq!(terms(&[(comparison, Content::Null)]).is_never(), !is_true, "{comparison:?}");
        }
        for value in [Content::Text(b"0.1"), Content::Blob(b"x"), Content::Integer(i64::MIN), Content::Integer(1 << 53)]
        {
            let terms = terms(&[(Comparison::Lt, value), (Comparison::Gt, value)]);
            assert!(terms.admits(0.3) && !terms.end_before(0.3) && !terms.is_never(), "{value:?}");
        }
        assert!(terms(&[(Comparison::IsNull, Content::Integer(1))]).is_never());
    }
}
