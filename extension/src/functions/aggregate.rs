//! Weighted sums of vectors, for `vec_sum` and `vec_avg`, which are window functions too.
//!
//! A sliding frame subtracts the rows that leave it, so a plain f64 sum would accumulate the rounding errors of every
//! row that was ever in it. Each sum keeps track of its rounding error (Neumaier 1974): a frame gives what a fresh sum
//! gives.

use super::argument::{self, in_argument, of_function};
use super::arithmetic::narrow;
use super::parse;
use super::scalar::give;
use crate::error::{Error, Result};
use crate::sqlite::{Aggregate, Context, Values};

/// A sum and the rounding error that it has made so far.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, term: f64) {
        let total = self.total + term;
        self.lost +=
            if self.total.abs() >= term.abs() { (self.total - total) + term } else { (term - total) + self.total };
        self.total = total;
    }

    fn value(self) -> f64 {
        self.total + self.lost
    }
}

/// The state of one group or frame.
#[derive(Debug, Default)]
struct WeightedSum {
    sums: Vec<Sum>,
    weights: Sum,
    /// Sum of the weights' magnitudes, which decides whether a total weight counts as zero.
    magnitudes: Sum,
    rows: u64,
}

impl WeightedSum {
    fn add_row(&mut self, arguments: Values<'_>) -> Result<()> {
        let Some((vector, weight)) = row(arguments)? else { return Ok(()) };
        let is_double = self.rows > 0 && vector.len() == 2 * self.sums.len();
        self.add(&vector, weight).map_err(|error| match error {
            Error::Invalid(message) if is_double => match arguments.at(0) {
                Ok(value) => Error::Invalid(format!("{message}{}", argument::hint_of_f64(value))),
                Err(error) => error,
            },
            error => error,
        })
    }

    fn remove_row(&mut self, arguments: Values<'_>) -> Result<()> {
        row(arguments)?.map_or(Ok(()), |(vector, weight)| self.remove(&vector, weight))
    }

    /// Adds a row.
    ///
    /// # Errors
    /// If the vector has other dimensions than the rows before it.
    fn add(&mut self, vector: &[f32], weight: f64) -> Result<()> {
        if self.rows == 0 {
            *self = WeightedSum { sums: vec![Sum::default(); vector.len()], ..WeightedSum::default() };
        }
        if self.sums.len() != vector.len() {
            return Err(Error::invalid(format!(
                "expected {}, as in the rows before, got {}",
                parse::counted(self.sums.len(), "dimension"),
                vector.len()
            )));
        }
        self.rows += 1;
        self.accumulate(vector, weight, weight.abs());
        Ok(())
    }

    /// Removes a row that was added.
    fn remove(&mut self, vector: &[f32], weight: f64) -> Result<()> {
        if self.rows == 0 || self.sums.len() != vector.len() {
            return Err(Error::internal("a row left a window frame that it never entered"));
        }
        self.rows -= 1;
        self.accumulate(vector, -weight, -weight.abs());
        Ok(())
    }

    fn accumulate(&mut self, vector: &[f32], weight: f64, magnitude: f64) {
        for (sum, &x) in self.sums.iter_mut().zip(vector) {
            sum.add(weight * f64::from(x));
        }
        self.weights.add(weight);
        self.magnitudes.add(magnitude);
    }

    /// The weighted sum, or None without rows.
    fn sum(&self) -> Result<Option<Vec<f32>>> {
        if self.rows == 0 {
            return Ok(None);
        }
        narrow(self.sums.iter().map(|sum| sum.value())).map(Some)
    }

    /// The weighted mean, or None without rows or if the weights add up to zero.
    fn mean(&self) -> Result<Option<Vec<f32>>> {
        let weight = self.weights.value();
        // Weights that cancel in decimal (0.1 + 0.2 - 0.3) do so in binary only to within rounding.
        if self.rows == 0 || weight.abs() <= self.magnitudes.value() * 1e-14 {
            return Ok(None);
        }
        narrow(self.sums.iter().map(|sum| sum.value() / weight)).map(Some)
    }
}

/// A row's vector and weight; None if either is NULL: the row does not count.
fn row(arguments: Values<'_>) -> Result<Option<(Vec<f32>, f64)>> {
    let weight = match arguments.get(1) {
        Some(weight) => in_argument(arguments, 1, argument::number(weight))?,
        None => Some(1.0),
    };
    let vector = in_argument(arguments, 0, argument::vector_from_value(arguments.at(0)?))?;
    Ok(vector.zip(weight))
}

/// `vec_sum(v [, weight])`.
#[derive(Default)]
pub(super) struct VecSum(WeightedSum);

impl Aggregate for VecSum {
    fn step(&mut self, arguments: Values<'_>) -> Result<()> {
        of_function("vec_sum", self.0.add_row(arguments))
    }

    fn inverse(&mut self, arguments: Values<'_>) -> Result<()> {
        of_function("vec_sum", self.0.remove_row(arguments))
    }

    fn value(&self, context: &Context<'_>) -> Result<()> {
        give_any(context, of_function("vec_sum", self.0.sum())?)
    }
}

/// `vec_avg(v [, weight])`.
#[derive(Default)]
pub(super) struct VecAvg(WeightedSum);

impl Aggregate for VecAvg {
    fn step(&mut self, arguments: Values<'_>) -> Result<()> {
        of_function("vec_avg", self.0.add_row(arguments))
    }

    fn inverse(&mut self, arguments: Values<'_>) -> Result<()> {
        of_function("vec_avg", self.0.remove_row(arguments))
    }

    fn value(&self, context: &Context<'_>) -> Result<()> {
        give_any(context, of_function("vec_avg", self.0.mean())?)
    }
}

fn give_any(context: &Context<'_>, vector: Option<Vec<f32>>) -> Result<()> {
    match vector {
        Some(vector) => give(context, &vector),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(rows: &[(&[f32], f64)]) -> WeightedSum {
        let mut state = WeightedSum::default();
        for (vector, weight) in rows {
            state.add(vector, *weight).unwrap();
        }
        state
    }

    #[test]
    fn an_aggregate_of_no_rows_is_null() {
        assert_eq!(WeightedSum::default().sum().unwrap(), None);
        assert_eq!(WeightedSum::default().mean().unwrap(), None);
    }

    #[test]
    fn sums_and_means_are_exact() {
        let state = of(&[(&[1.0, 0.0], 3.0), (&[0.0, 4.0], 1.0)]);
        assert_eq!(state.sum().unwrap().unwrap(), [3.0, 4.0]);
        assert_eq!(state.mean().unwrap().unwrap(), [0.75, 1.0]);
    }

    #[test]
    fn weights_that_cancel_have_a_sum_and_no_mean() {
        let state = of(&[(&[1.0, 0.0], 0.1), (&[1.0, 0.0], 0.2), (&[0.0, 1.0], -0.3)]);
        assert_eq!(state.sum().unwrap().unwrap(), [0.3, -0.3]);
        assert_eq!(state.mean().unwrap(), None);
        assert_eq!(of(&[(&[1.0], 0.0)]).mean().unwrap(), None);
        assert_eq!(of(&[(&[1.0], 0.0)]).sum().unwrap().unwrap(), [0.0]);
    }

    #[test]
    fn small_weights_do_not_count_as_zero() {
        assert_eq!(of(&[(&[2.0], 1e-30)]).mean().unwrap().unwrap(), [2.0]);
        assert_eq!(of(&[(&[2.0], 1.0), (&[2.0], -0.999_999)]).mean().unwrap().unwrap(), [2.0]);
    }

    #[test]
    fn a_sum_beyond_f32_is_an_error_but_its_mean_is_not() {
        let state = of(&[(&[3e38], 1.0), (&[3e38], 1.0)]);
        assert!(state.sum().is_err());
        assert_eq!(state.mean().unwrap().unwrap(), [3e38]);
    }

    #[test]
    fn rows_of_other_dimensions_are_refused_until_the_frame_is_empty() {
        let mut state = of(&[(&[1.0, 2.0], 1.0)]);
        let message = "expected 2 dimensions, as in the rows before, got 1";
        assert_eq!(state.add(&[1.0], 1.0).unwrap_err().to_string(), message);
        state.remove(&[1.0, 2.0], 1.0).unwrap();
        assert_eq!(state.sum().unwrap(), None);
        state.add(&[5.0], 1.0).unwrap();
        assert_eq!(state.sum().unwrap().unwrap(), [5.0]);
    }

    #[test]
    fn a_removed_row_leaves_no_rounding_error() {
        let mut state = of(&[(&[1e-3], 1.0), (&[1e30], 1.0)]);
        state.remove(&[1e30], 1.0).unwrap();
        assert_eq!(state.sum().unwrap().unwrap(), [1e-3]);
        assert_eq!(state.mean().unwrap().unwrap(), [1e-3]);
    }

    proptest! {
        /// A frame that slid over the rows gives what a fresh sum over the rows in the frame gives.
        #[test]
        fn a_sliding_window_equals_a_fresh_sum(
            rows in prop::collection::vec((prop::array::uniform3(-1e20f32..1e20), -10.0f64..10.0), 4..40),
            width in 1usize..4,
        ) {
            let mut sliding = WeightedSum::default();
            for (i, (vector, weight)) in rows.iter().enumerate() {
                sliding.add(vector, *weight).unwrap();
                if let Some((old, old_weight)) = i.checked_sub(width).and_then(|j| rows.get(j)) {
                    sliding.remove(old, *old_weight).unwrap();
                }
                let mut fresh = WeightedSum::default();
                for (vector, weight) in &rows[(i + 1).saturating_sub(width)..=i] {
                    fresh.add(vector, *weight).unwrap();
                }
                prop_assert_eq!(sliding.sum().unwrap(), fresh.sum().unwrap());
            }
        }
    }
}
