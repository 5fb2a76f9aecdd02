//! The checks of a vector on its way in.

use super::Metric;
use crate::error::{Error, Result};

/// Fails if a component is NaN or infinite.
pub fn check_finite(components: &[f32]) -> Result<()> {
    match components.iter().enumerate().find(|(_, component)| !component.is_finite()) {
        Some((index, component)) => {
            Err(Error::invalid(format!("component {index}: expected a finite number, got {component}")))
        }
        None => Ok(()),
    }
}

/// Fails if a component is no bit.
pub fn check_bits(components: &[f32]) -> Result<()> {
    match components.iter().enumerate().find(|&(_, &component)| component != 0.0 && component != 1.0) {
        Some((index, component)) => Err(Error::invalid(format!(
            "component {index}: expected 0 or 1 for BIT, got {component}: vec_bit(v) takes the signs of a vector; subtract 0.5 from a mean of bits first"
        ))),
        None => Ok(()),
    }
}

/// Fails if a column of this metric cannot hold the vector, or cannot be searched with it.
pub fn check_vector(components: &[f32], metric: Metric) -> Result<()> {
    check_finite(components)?;
    if metric == Metric::Hamming {
        return check_bits(components);
    }
    if metric == Metric::Cosine && components.iter().all(|component| *component == 0.0) {
        return Err(Error::invalid("expected a vector with a direction, since the metric is cosine, got all zeros"));
    }
    Ok(())
}
