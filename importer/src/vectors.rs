//! The vector columns: which Arrow columns can be one, how long their vectors are, and the bytes that each row stores.

use crate::failure::{Failure, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, Float32Array, LargeListArray};
use arrow_cast::cast;
use arrow_schema::{DataType, Field};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use vecrank::distance::{Element, Metric, decode_into, f32_to_f16};

/// A fixed-size binary column is taken for vectors by itself only above this size: below it are UUIDs and hashes.
const LARGEST_HASH: i32 = 64;

/// How likely a column is to hold vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aptness {
    /// It cannot.
    No,
    /// It may, if the user says so.
    Named,
    /// Fixed-size binary, too long for a hash: chosen by itself if no list of floats is there.
    Binary,
    /// A list of floating-point numbers: chosen by itself.
    Floats,
}

/// Judges a column by its type.
pub fn aptness(data_type: &DataType) -> Aptness {
    match data_type {
        DataType::FixedSizeBinary(size) if size % 4 == 0 && *size > LARGEST_HASH => Aptness::Binary,
        DataType::FixedSizeBinary(size) if size % 4 == 0 && *size > 0 => Aptness::Named,
        DataType::List(inner)
        | DataType::LargeList(inner)
        | DataType::FixedSizeList(inner, _)
        | DataType::ListView(inner)
        | DataType::LargeListView(inner) => match inner.data_type() {
            inner if inner.is_floating() => Aptness::Floats,
            inner if inner.is_integer() => Aptness::Named,
            _ => Aptness::No,
        },
        _ => Aptness::No,
    }
}

/// Dimensions that the type itself fixes.
pub fn fixed_dims(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::FixedSizeList(_, size) => usize::try_from(*size).ok(),
        DataType::FixedSizeBinary(size) => usize::try_from(*size / 4).ok(),
        _ => None,
    }
}

/// What a vector column is made as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorType {
    pub dims: usize,
    pub element: Element,
    pub metric: Metric,
}

/// One batch of a vector column.
#[derive(Debug)]
pub enum Vectors {
    Lists { lists: LargeListArray, values: Float32Array },
    Bytes(FixedSizeBinaryArray),
}

/// Why a row has no usable vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unusable {
    Null,
    Length { expected: usize, got: usize },
    NullComponent { component: usize },
    NotFinite { component: usize, value: f32 },
    Zero,
    BeyondF16 { component: usize, value: f32 },
    NotWhole { component: usize, value: f32 },
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Null => f.write_str("expected a vector, got NULL"),
            Unusable::Length { expected, got } => write!(f, "expected {expected} dimensions, got {got}"),
            Unusable::NullComponent { component } => write!(f, "component {component}: expected a number, got NULL"),
            Unusable::NotFinite { component, value } => {
                write!(f, "component {component}: expected a finite number, got {value}")
            }
            Unusable::Zero => f.write_str("expected a direction (metric cosine), got a vector of zeros"),
            Unusable::BeyondF16 { component, value } => {
                write!(f, "component {component}: expected -65504 to 65504 (element f16), got {value}")
            }
            Unusable::NotWhole { component, value } => {
                write!(f, "component {component}: expected a whole number from -128 to 127 (element i8), got {value}")
            }
        }
    }
}

impl Vectors {
    /// Casts a column to lists of f32. The components of f32 lists are not copied.
    pub fn new(column: &ArrayRef) -> Result<Vectors> {
        if let Some(bytes) = column.as_fixed_size_binary_opt() {
            return Ok(Vectors::Bytes(bytes.clone()));
        }
        let target = DataType::LargeList(Arc::new(Field::new("element", DataType::Float32, true)));
        let lists = cast(column, &target)?.as_list::<i64>().clone();
        let values = lists.values().as_primitive::<Float32Type>().clone();
        Ok(Vectors::Lists { lists, values })
    }

    /// Length of the row's vector, None if it is NULL.
    pub fn length(&self, row: usize) -> Option<usize> {
        match self {
            Vectors::Lists { lists, .. } if lists.is_null(row) => None,
            Vectors::Lists { lists, .. } => usize::try_from(lists.value_length(row)).ok(),
            Vectors::Bytes(bytes) if bytes.is_null(row) => None,
            Vectors::Bytes(bytes) => usize::try_from(bytes.value_length() / 4).ok(),
        }
    }

    /// The bytes to store for a row, made in `out` if they are not those of the column itself.
    pub fn encode<'a>(
        &'a self,
        row: usize,
        to: VectorType,
        out: &'a mut Scratch,
    ) -> std::result::Result<&'a [u8], Unusable> {
        let length = self.length(row).ok_or(Unusable::Null)?;
        if length != to.dims {
            return Err(Unusable::Length { expected: to.dims, got: length });
        }
        match self {
            Vectors::Lists { lists, values } => {
                let start = usize::try_from(lists.value_offsets()[row]).unwrap_or(usize::MAX);
                if values.null_count() > 0
                    && let Some(component) = (0..length).find(|i| values.is_null(start + i))
                {
                    return Err(Unusable::NullComponent { component });
                }
                let components = &values.values()[start..start + length];
                if to.element == Element::F32 && cfg!(target_endian = "little") {
                    check(components, to.metric)?;
                    return Ok(&values.values().inner().as_slice()[4 * start..4 * (start + length)]);
                }
                encode(components, to, &mut out.bytes)?;
            }
            Vectors::Bytes(array) => {
                decode_into(array.value(row), Element::F32, &mut out.components);
                if to.element == Element::F32 {
                    check(&out.components, to.metric)?;
                    return Ok(array.value(row));
                }
                encode(&out.components, to, &mut out.bytes)?;
            }
        }
        Ok(&out.bytes)
    }
}

/// Buffers that are used for row after row.
#[derive(Debug, Default)]
pub struct Scratch {
    components: Vec<f32>,
    bytes: Vec<u8>,
}

/// NaN, infinity, and zero under cosine are no vectors.
fn check(components: &[f32], metric: Metric) -> std::result::Result<(), Unusable> {
    // The largest magnitude as bits answers both questions in one pass that vectorises.
    let largest = components.iter().fold(0, |largest, x| u32::max(largest, x.to_bits() & 0x7fff_ffff));
    if largest >= f32::INFINITY.to_bits() {
        let component = components.iter().position(|x| !x.is_finite()).unwrap_or(0);
        return Err(Unusable::NotFinite { component, value: components[component] });
    }
    if largest == 0 && metric == Metric::Cosine {
        return Err(Unusable::Zero);
    }
    Ok(())
}

fn encode(components: &[f32], to: VectorType, out: &mut Vec<u8>) -> std::result::Result<(), Unusable> {
    check(components, to.metric)?;
    out.clear();
    match to.element {
        Element::F32 => out.extend(components.iter().flat_map(|x| x.to_le_bytes())),
        Element::F16 => encode_f16(components, to.metric, out)?,
        Element::I8 => encode_i8(components, to.metric, out)?,
    }
    Ok(())
}

fn encode_f16(components: &[f32], metric: Metric, out: &mut Vec<u8>) -> std::result::Result<(), Unusable> {
    const MAGNITUDE: u16 = 0x7fff;
    const INFINITE: u16 = 0x7c00;
    let mut any = 0;
    for (component, &value) in components.iter().enumerate() {
        let half = f32_to_f16(value);
        if half & MAGNITUDE == INFINITE {
            return Err(Unusable::BeyondF16 { component, value });
        }
        any |= half & MAGNITUDE;
        out.extend_from_slice(&half.to_le_bytes());
    }
    // Components too small for f16 round to zero.
    if any == 0 && metric == Metric::Cosine { Err(Unusable::Zero) } else { Ok(()) }
}

/// Whole numbers in range are kept. Under cosine anything else is scaled so that its largest component is 127: only the
/// direction counts. Under l2 and dot scaling would change the distances, so it is refused.
fn encode_i8(components: &[f32], metric: Metric, out: &mut Vec<u8>) -> std::result::Result<(), Unusable> {
    let fits = |x: f32| x.fract() == 0.0 && (-128.0..=127.0).contains(&x);
    match components.iter().position(|&x| !fits(x)) {
        None => out.extend(components.iter().map(|&x| (x as i8).cast_unsigned())),
        Some(_) if metric == Metric::Cosine => {
            let largest = components.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
            let scaled = |x: f32| ((f64::from(x) / f64::from(largest)) * 127.0).round() as i8;
            out.extend(components.iter().map(|&x| scaled(x).cast_unsigned()));
        }
        Some(component) => return Err(Unusable::NotWhole { component, value: components[component] }),
    }
    Ok(())
}

/// Counts lengths of vectors, to find the dimensions of a column whose type does not fix them.
#[derive(Debug, Default)]
pub struct Lengths {
    counts: BTreeMap<usize, usize>,
}

impl Lengths {
    pub fn add(&mut self, vectors: &Vectors, rows: usize) {
        for length in (0..rows).filter_map(|row| vectors.length(row)).filter(|&length| length > 0) {
            *self.counts.entry(length).or_default() += 1;
        }
    }

    /// The most frequent length, the larger of equally frequent ones; None before any vector was seen.
    pub fn most_frequent(&self) -> Option<usize> {
        self.counts.iter().max_by_key(|&(length, count)| (*count, *length)).map(|(length, _)| *length)
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

/// Dimensions a column may have.
pub fn check_dims(dims: usize) -> Result<()> {
    let most = vecrank::hnsw::params::MAX_DIMS;
    if (1..=most).contains(&dims) {
        return Ok(());
    }
    Err(Failure::new(format!("expected vectors of 1 to {most} dimensions, got {dims}")))
}

#[cfg(test)]
#[path = "vectors_tests.rs"]
mod tests;
