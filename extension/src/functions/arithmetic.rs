//! Arithmetic on checked vectors: arguments and results are finite.

use crate::distance;
use crate::error::{Error, Result};

/// Errors if a pair has unequal dimensions.
pub(super) fn same_dims(a: &[f32], b: &[f32]) -> Result<()> {
    if a.len() == b.len() {
        return Ok(());
    }
    Err(Error::invalid(format!("expected two vectors of the same dimensions, got {} and {}", a.len(), b.len())))
}

/// To f32, or an error that names the component, if that is beyond the range of f32.
pub(super) fn narrow(values: impl ExactSizeIterator<Item = f64>) -> Result<Vec<f32>> {
    let mut vector = Vec::with_capacity(values.len());
    for (i, value) in values.enumerate() {
        let component = value as f32;
        if !component.is_finite() {
            return Err(Error::invalid(format!("component {i} of the result is beyond the range of f32: {value:.3e}")));
        }
        vector.push(component);
    }
    Ok(vector)
}

/// The vector over its length, so that its norm is 1; None for a zero vector.
pub(super) fn unit(vector: &[f32]) -> Result<Option<Vec<f32>>> {
    let norm = distance::norm(vector);
    if norm == 0.0 {
        return Ok(None);
    }
    narrow(vector.iter().map(|&x| f64::from(x) / norm)).map(Some)
}

pub(super) fn scale(vector: &[f32], factor: f64) -> Result<Vec<f32>> {
    narrow(vector.iter().map(|&x| f64::from(x) * factor))
}

pub(super) fn add(a: &[f32], b: &[f32]) -> Result<Vec<f32>> {
    same_dims(a, b)?;
    narrow(a.iter().zip(b).map(|(&x, &y)| f64::from(x) + f64::from(y)))
}

pub(super) fn sub(a: &[f32], b: &[f32]) -> Result<Vec<f32>> {
    same_dims(a, b)?;
    narrow(a.iter().zip(b).map(|(&x, &y)| f64::from(x) - f64::from(y)))
}

/// The first `count` dimensions. Not made unit again: `vec_unit(vec_head(v, n))` does that.
pub(super) fn head(vector: &[f32], count: i64) -> Result<&[f32]> {
    usize::try_from(count)
        .ok()
        .filter(|&n| n > 0)
        .and_then(|n| vector.get(..n))
        .ok_or_else(|| Error::invalid(format!("expected 1 to {} dimensions to keep, got {count}", vector.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        let component = || any::<f32>().prop_filter("finite", |x| x.is_finite());
        (1usize..40)
            .prop_flat_map(move |n| (prop::collection::vec(component(), n), prop::collection::vec(component(), n)))
    }

    #[test]
    fn unequal_pairs_are_refused() {
        let message = "expected two vectors of the same dimensions, got 2 and 1";
        assert_eq!(add(&[1.0, 2.0], &[1.0]).unwrap_err().to_string(), message);
        assert_eq!(sub(&[1.0, 2.0], &[1.0]).unwrap_err().to_string(), message);
    }

    #[test]
    fn overflow_names_the_component() {
        let message = "component 1 of the result is beyond the range of f32: 6.000e38";
        assert_eq!(add(&[0.0, 3e38], &[0.0, 3e38]).unwrap_err().to_string(), message);
        assert!(sub(&[-3e38], &[3e38]).is_err());
        assert!(scale(&[1e38], 10.0).is_err());
        assert!(scale(&[1.0], f64::MAX).is_err());
    }

    #[test]
    fn unit_works_at_every_scale() {
        assert_eq!(unit(&[0.0, -0.0]).unwrap(), None);
        assert_eq!(unit(&[3.0, -4.0]).unwrap().unwrap(), [0.6, -0.8]);
        for scale in [f32::from_bits(1), 1e-40, 1e-20, 1e20, 3e38] {
            let vector = unit(&[scale, -scale]).unwrap().unwrap();
            assert_eq!(vector, [0.5f32.sqrt(), -0.5f32.sqrt()], "{scale}");
        }
    }

    #[test]
    fn head_takes_from_one_to_all_components() {
        assert_eq!(head(&[1.0, 2.0, 3.0], 1).unwrap(), [1.0]);
        assert_eq!(head(&[1.0, 2.0, 3.0], 3).unwrap(), [1.0, 2.0, 3.0]);
        for count in [0, -1, 4, i64::MIN, i64::MAX] {
            assert_eq!(
                head(&[1.0, 2.0, 3.0], count).unwrap_err().to_string(),
                format!("expected 1 to 3 dimensions to keep, got {count}")
            );
        }
    }

    proptest! {
        /// f32 arithmetic through f64 rounds once: the results are those of plain f32.
        #[test]
        fn arithmetic_rounds_as_f32_does((a, b) in pair(), factor in -1e3f32..1e3) {
            let plain = |f: fn(f32, f32) -> f32| a.iter().zip(&b).map(|(&x, &y)| f(x, y)).collect::<Vec<f32>>();
            let same = |got: Result<Vec<f32>>, plain: Vec<f32>| match got {
                Ok(vector) => vector == plain,
                Err(_) => plain.iter().any(|x| x.is_infinite()),
            };
            prop_assert!(same(add(&a, &b), plain(|x, y| x + y)));
            prop_assert!(same(sub(&a, &b), plain(|x, y| x - y)));
            prop_assert!(same(scale(&a, f64::from(factor)), a.iter().map(|x| x * factor).collect()));
        }

        #[test]
        fn unit_returns_a_vector_of_norm_one((a, _) in pair()) {
            if let Some(vector) = unit(&a).unwrap() {
                prop_assert!((distance::norm(&vector) - 1.0).abs() < 1e-6);
            }
        }
    }
}
