//! Vector columns: the Arrow types that can hold vectors, the length of each vector, and the bytes to store.

use crate::failure::{Failure, Result};
use arrow_array::builder::{Float32Builder, LargeListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, Float32Array, LargeBinaryArray, LargeListArray, LargeStringArray};
use arrow_buffer::OffsetBuffer;
use arrow_cast::cast;
use arrow_schema::{DataType, Field};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use vecrank::internals::distance::{Element, Metric, decode_into, f32_to_f16, signs};

/// Fixed-size binary up to this size may be UUIDs or hashes, so it is not chosen automatically.
const LARGEST_HASH: i32 = 64;

/// How likely a column is to hold vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VectorLikelihood {
    /// It cannot.
    No,
    /// It can, if the user names it.
    Named,
    /// A list of lists of floating-point numbers, one list per row: chosen automatically if there is nothing better.
    Nested,
    /// Fixed-size binary that is too long for a hash: chosen automatically if there is no list of floats.
    Binary,
    /// A list of floating-point numbers: chosen automatically.
    Floats,
}

/// Judges a column by its type. `element`: what the vectors are stored as; binary is packed bits for BIT, else f32.
pub fn likelihood(data_type: &DataType, element: Element) -> VectorLikelihood {
    let is_bit = element == Element::Bit;
    if let Some(inner) = item(data_type) {
        return match inner {
            inner if inner.is_floating() => VectorLikelihood::Floats,
            inner if inner.is_integer() || inner.is_null() => VectorLikelihood::Named,
            inner if item(inner).is_some_and(DataType::is_floating) => VectorLikelihood::Nested,
            inner if item(inner).is_some_and(DataType::is_integer) => VectorLikelihood::Named,
            _ => VectorLikelihood::No,
        };
    }
    match data_type {
        DataType::FixedSizeBinary(size) if (size % 4 == 0 || is_bit) && *size > LARGEST_HASH => {
            VectorLikelihood::Binary
        }
        DataType::FixedSizeBinary(size) if (size % 4 == 0 || is_bit) && *size > 0 => VectorLikelihood::Named,
        DataType::FixedSizeBinary(_) => VectorLikelihood::No,
        DataType::Dictionary(_, value) => likelihood(value, element).min(VectorLikelihood::Named),
        kind if kind.is_string() || kind.is_binary() || kind.is_null() => VectorLikelihood::Named,
        _ => VectorLikelihood::No,
    }
}

/// The type of a list's items.
fn item(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(inner)
        | DataType::LargeList(inner)
        | DataType::FixedSizeList(inner, _)
        | DataType::ListView(inner)
        | DataType::LargeListView(inner) => Some(inner.data_type()),
        _ => None,
    }
}

/// True for a type whose values are all NULL or empty lists.
pub fn holds_nothing(data_type: &DataType) -> bool {
    item(data_type).unwrap_or(data_type).is_null()
}

/// Describes a type of sparse vectors, which store only the components that are not zero.
pub fn sparse(data_type: &DataType) -> Option<&'static str> {
    match data_type {
        DataType::Map(..) => Some("sparse vectors (a map)"),
        DataType::Struct(fields) if fields.find("indices").is_some() && fields.find("values").is_some() => {
            Some("sparse vectors (a struct of indices and values)")
        }
        _ => None,
    }
}

/// Dimensions that the type itself fixes.
pub fn fixed_dims(data_type: &DataType, element: Element) -> Option<usize> {
    match data_type {
        _ if item(data_type).and_then(item).is_some() => fixed_dims(item(data_type)?, element),
        DataType::FixedSizeList(_, size) => usize::try_from(*size).ok(),
        DataType::FixedSizeBinary(size) => {
            let size = usize::try_from(*size).ok()?;
            Some(if element == Element::Bit { 8 * size } else { size / 4 })
        }
        _ => None,
    }
}

/// The type of a vector column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorType {
    pub dims: usize,
    pub element: Element,
    pub metric: Metric,
}

/// One batch of a vector column.
#[derive(Debug)]
pub enum Vectors {
    Lists {
        lists: LargeListArray,
        values: Float32Array,
        /// Rows that do not hold exactly one vector.
        unusable: BTreeMap<usize, Unusable>,
        /// The components cannot be negative, so they have no signs.
        is_unsigned: bool,
    },
    /// Vectors of this element.
    Bytes(LargeBinaryArray, Element),
}

/// What the bytes of a binary column are: packed bits for BIT, and numbers for all others.
fn binary_element(element: Element) -> Element {
    if element == Element::Bit { Element::Bit } else { Element::F32 }
}

/// Why a row has no usable vector.
#[derive(Debug, Clone, PartialEq)]
pub enum Unusable {
    Null,
    Length {
        expected: usize,
        got: usize,
    },
    NullComponent {
        component: usize,
    },
    NotFinite {
        component: usize,
        value: f32,
    },
    Zero,
    BeyondF16 {
        component: usize,
        value: f32,
    },
    NotWhole {
        component: usize,
        value: f32,
    },
    NotBit {
        component: usize,
        value: f32,
    },
    NotEight(usize),
    /// The start of the text.
    NotJson(String),
    SeveralVectors(i64),
    OddBytes(usize),
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
                write!(f, "component {component}: expected -65504 to 65504 (element f16), got {value:?}")
            }
            Unusable::NotWhole { component, value } => {
                write!(f, "component {component}: expected a whole number from -128 to 127 (element i8), got {value:?}")
            }
            Unusable::NotBit { component, value } => write!(
                f,
                "component {component}: expected 0 or 1 (element bit, of unsigned numbers), got {value:?}; packed bits are a \
                 binary column"
            ),
            Unusable::NotEight(dims) => write!(f, "expected a multiple of 8 dimensions (element bit), got {dims}"),
            Unusable::NotJson(start) => write!(f, "expected a JSON array of numbers, got {start:?}"),
            Unusable::SeveralVectors(count) => write!(f, "expected one vector, got {count}"),
            Unusable::OddBytes(bytes) => write!(f, "expected 4 bytes per component (float32), got {bytes} bytes"),
        }
    }
}

impl Vectors {
    /// Casts a column to lists of f32, or to binary. The components of f32 lists are not copied. `element`: what the
    /// vectors will be stored as.
    pub fn new(column: &ArrayRef, element: Element) -> Result<Vectors> {
        let kind = match column.data_type() {
            DataType::Dictionary(_, value) => value.as_ref(),
            other => other,
        };
        if kind.is_binary() || matches!(kind, DataType::FixedSizeBinary(_)) {
            let bytes = cast(column, &DataType::LargeBinary)?.as_binary::<i64>().clone();
            return Ok(Vectors::Bytes(bytes, binary_element(element)));
        }
        let list = |inner: DataType| DataType::LargeList(Arc::new(Field::new_list_field(inner, true)));
        let (lists, unusable) = if kind.is_string() {
            of_json(cast(column, &DataType::LargeUtf8)?.as_string::<i64>())
        } else if item(kind).and_then(item).is_some() {
            one_of_each(cast(column, &list(list(DataType::Float32)))?.as_list::<i64>())?
        } else {
            (cast(column, &list(DataType::Float32))?.as_list::<i64>().clone(), BTreeMap::new())
        };
        let values = lists.values().as_primitive::<Float32Type>().clone();
        let inner = item(kind).map(|inner| item(inner).unwrap_or(inner));
        let is_unsigned = inner.is_some_and(DataType::is_unsigned_integer);
        Ok(Vectors::Lists { lists, values, unusable, is_unsigned })
    }

    /// Length of the row's vector.
    pub fn length(&self, row: usize) -> std::result::Result<usize, Unusable> {
        match self {
            Vectors::Lists { unusable, .. } if unusable.contains_key(&row) => {
                Err(unusable.get(&row).cloned().unwrap_or(Unusable::Null))
            }
            Vectors::Lists { lists, .. } if lists.is_null(row) => Err(Unusable::Null),
            Vectors::Lists { lists, .. } => usize::try_from(lists.value_length(row)).map_err(|_| Unusable::Null),
            Vectors::Bytes(bytes, _) if bytes.is_null(row) => Err(Unusable::Null),
            Vectors::Bytes(bytes, element) => {
                let length = bytes.value(row).len();
                element.dims(length).ok_or(Unusable::OddBytes(length))
            }
        }
    }

    /// The bytes to store for a row, made in `out` if they are not those of the column itself.
    pub fn encode<'a>(
        &'a self,
        row: usize,
        to: VectorType,
        out: &'a mut Scratch,
    ) -> std::result::Result<&'a [u8], Unusable> {
        let length = self.length(row)?;
        if length != to.dims {
            return Err(Unusable::Length { expected: to.dims, got: length });
        }
        match self {
            Vectors::Lists { lists, values, is_unsigned, .. } => {
                let start = usize::try_from(lists.value_offsets()[row]).unwrap_or(usize::MAX);
                if values.null_count() > 0
                    && let Some(component) = (0..length).find(|i| values.is_null(start + i))
                {
                    return Err(Unusable::NullComponent { component });
                }
                let components = &values.values()[start..start + length];
                let no_bit = |x: &f32| to.element == Element::Bit && *is_unsigned && *x > 1.0;
                if let Some(component) = components.iter().position(no_bit) {
                    return Err(Unusable::NotBit { component, value: components[component] });
                }
                if to.element == Element::F32 && cfg!(target_endian = "little") {
                    check(components, to.metric)?;
                    return Ok(&values.values().inner().as_slice()[4 * start..4 * (start + length)]);
                }
                encode(components, to, &mut out.bytes)?;
            }
            Vectors::Bytes(array, Element::Bit) => return Ok(array.value(row)),
            Vectors::Bytes(array, _) => {
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

/// Vectors written as JSON arrays.
fn of_json(texts: &LargeStringArray) -> (LargeListArray, BTreeMap<usize, Unusable>) {
    const SHOWN: usize = 30;
    let mut lists = LargeListBuilder::new(Float32Builder::new());
    let mut unusable = BTreeMap::new();
    for (row, text) in texts.iter().enumerate() {
        let numbers = text.map(serde_json::from_str::<Vec<Option<f64>>>);
        if let (Some(Err(_)), Some(text)) = (&numbers, text) {
            unusable.insert(row, Unusable::NotJson(text.chars().take(SHOWN).collect()));
        }
        let numbers = numbers.and_then(std::result::Result::ok);
        lists
            .append_option(numbers.map(|numbers| numbers.into_iter().map(|number| number.map(|number| number as f32))));
    }
    (lists.finish(), unusable)
}

/// Arrays of shape (1, n): the one inner list of each row.
fn one_of_each(outer: &LargeListArray) -> Result<(LargeListArray, BTreeMap<usize, Unusable>)> {
    let inner = outer.values().as_list::<i64>();
    let mut unusable = BTreeMap::new();
    let mut present = Vec::with_capacity(outer.len());
    for row in 0..outer.len() {
        let (count, first) = (outer.value_length(row), outer.value_offsets()[row]);
        let is_one = usize::try_from(first).is_ok_and(|first| count != 1 || inner.is_valid(first));
        present.push(outer.is_valid(row) && is_one);
        if count > 1 && outer.is_valid(row) {
            unusable.insert(row, Unusable::SeveralVectors(count));
        }
    }
    let ends = inner.value_offsets();
    let end = |outer: &i64| usize::try_from(*outer).ok().and_then(|at| ends.get(at)).copied().unwrap_or_default();
    let offsets = OffsetBuffer::new(outer.value_offsets().iter().map(end).collect());
    let field = Arc::new(Field::new_list_field(DataType::Float32, true));
    Ok((LargeListArray::try_new(field, offsets, inner.values().clone(), Some(present.into()))?, unusable))
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
        Element::Bit => match signs(components) {
            Ok(bits) => *out = bits,
            Err(_) => return Err(Unusable::NotEight(components.len())),
        },
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
        for length in (0..rows).filter_map(|row| vectors.length(row).ok()).filter(|&length| length > 0) {
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
pub fn check_dims(dims: usize, element: Element) -> Result<()> {
    let most = vecrank::internals::hnsw::MAX_DIMS;
    if element == Element::Bit && !dims.is_multiple_of(8) {
        return Err(Failure::new(format!("expected vectors of a multiple of 8 dimensions (element bit), got {dims}")));
    }
    if (1..=most).contains(&dims) {
        return Ok(());
    }
    Err(Failure::new(format!("expected vectors of 1 to {most} dimensions, got {dims}")))
}

#[cfg(test)]
#[path = "vectors_tests.rs"]
mod tests;
