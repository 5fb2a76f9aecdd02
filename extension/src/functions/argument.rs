//! Arguments of SQL functions: values to vectors and numbers.
//!
//! A BLOB is read as FLOAT (by `vec_hamming` as bits) unless its subtype says otherwise. sqlite-vec marks its vectors
//! with subtypes, and so do vector columns that are not FLOAT. With both extensions loaded, each recognises the other's
//! vectors. (SQLite drops the subtype when a value is stored, sorted or materialised.)

use std::borrow::Cow;
use std::ops::Deref;
use std::rc::Rc;

use super::{arithmetic, parse};
use crate::distance::{Element, encode};
use crate::error::{Error, Result};
use crate::sqlite::{Content, Context, Kind, Value, Values};

/// Subtype of a vector of f32 (sqlite-vec's).
pub const SUBTYPE_FLOAT: u32 = 223;
/// Subtype of a vector of bits (sqlite-vec's).
pub const SUBTYPE_BIT: u32 = 224;
/// Subtype of a vector of i8 (sqlite-vec's).
pub const SUBTYPE_INT8: u32 = 225;
/// Subtype of a vector of f16 (ours).
pub const SUBTYPE_FLOAT16: u32 = 226;

/// The components of a vector that SQL gave as a BLOB or as JSON text; None for NULL.
///
/// # Errors
/// `Error::Invalid` with what was expected and what came: for another type, a malformed vector, an empty one, a
/// component that is NaN or infinite.
pub fn vector_from_value(value: Value<'_>) -> Result<Option<Vec<f32>>> {
    match value.content() {
        Content::Null => Ok(None),
        Content::Blob(bytes) => parse::decode_blob(bytes, element_of(value)?).map(Some),
        Content::Text(bytes) => parse::parse_text(bytes).map(Some),
        Content::Integer(_) | Content::Real(_) => {
            Err(Error::invalid(format!("expected a vector (a BLOB, or JSON text), got {}", value.kind().name())))
        }
    }
}

fn element_of(value: Value<'_>) -> Result<Element> {
    Ok(marked_element(value)?.unwrap_or(Element::F32))
}

/// The element that a value is marked with; None if it has no mark.
pub fn marked_element(value: Value<'_>) -> Result<Option<Element>> {
    match value.subtype() {
        SUBTYPE_BIT => Ok(Some(Element::Bit)),
        SUBTYPE_INT8 => Ok(Some(Element::I8)),
        SUBTYPE_FLOAT16 => Ok(Some(Element::F16)),
        SUBTYPE_FLOAT => Ok(Some(Element::F32)),
        _ => Ok(None),
    }
}

/// The mark of a vector.
pub(super) fn subtype_of(element: Element) -> u32 {
    match element {
        Element::F32 => SUBTYPE_FLOAT,
        Element::F16 => SUBTYPE_FLOAT16,
        Element::I8 => SUBTYPE_INT8,
        Element::Bit => SUBTYPE_BIT,
    }
}

/// A vector argument: read for this call, or kept from an earlier row.
pub(super) enum Vector {
    Read(Vec<f32>),
    Kept(Rc<Vec<f32>>),
}

impl Deref for Vector {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Vector::Read(vector) => vector,
            Vector::Kept(vector) => vector,
        }
    }
}

/// The vector at `position` of a scalar function's arguments, none of which is NULL. Constant JSON text is parsed once
/// per statement.
pub(super) fn vector(context: &Context<'_>, arguments: Values<'_>, position: usize) -> Result<Vector> {
    let value = arguments.at(position)?;
    let is_text = value.kind() == Kind::Text;
    if is_text && let Some(kept) = context.auxiliary::<Vec<f32>>(position) {
        return Ok(Vector::Kept(kept));
    }
    let read = in_argument(arguments, position, vector_from_value(value))?.unwrap_or_default();
    if !is_text {
        return Ok(Vector::Read(read));
    }
    let kept = Rc::new(read);
    context.set_auxiliary(position, kept.clone());
    Ok(Vector::Kept(kept))
}

/// The packed bits at `position` of a scalar function's arguments: of a BLOB the very bytes, of JSON zeros and ones.
pub(super) fn bits<'v>(context: &Context<'_>, arguments: Values<'v>, position: usize) -> Result<Cow<'v, [u8]>> {
    let value = arguments.at(position)?;
    let Content::Blob(bytes) = value.content() else {
        let components = vector(context, arguments, position)?;
        return in_argument(arguments, position, encode(&components, Element::Bit).map(Cow::Owned));
    };
    let other = marked_element(value)?.filter(|&marked| marked != Element::Bit);
    let checked = match other {
        Some(other) => Err(Error::invalid(format!(
            "expected a vector of BIT, got one of {}: vec_bit(v) takes the signs of a vector",
            other.name()
        ))),
        None if bytes.is_empty() => Err(Error::invalid("expected a vector, got an empty BLOB")),
        None => Ok(Cow::Borrowed(bytes)),
    };
    in_argument(arguments, position, checked)
}

/// Both arguments of a function of two vectors, which have the same dimensions.
pub(super) fn pair(context: &Context<'_>, arguments: Values<'_>) -> Result<(Vector, Vector)> {
    let (a, b) = (vector(context, arguments, 0)?, vector(context, arguments, 1)?);
    let is_double = |long: &Vector, short: &Vector| long.len() == 2 * short.len();
    let double = (is_double(&a, &b).then_some(0)).or(is_double(&b, &a).then_some(1));
    let hint = double.map_or(Ok(String::new()), |position| Ok(hint_of_f64(arguments.at(position)?)))?;
    arithmetic::same_dims(&a, &b).map_err(|error| Error::invalid(format!("{error}{hint}")))?;
    Ok((a, b))
}

/// The hint for a vector with twice the expected dimensions; empty unless it is a BLOB without a mark.
pub(super) fn hint_of_f64(value: Value<'_>) -> String {
    match value.content() {
        Content::Blob(bytes) if value.subtype() == 0 => format!(" ({} bytes: {})", bytes.len(), parse::MAYBE_F64),
        _ => String::new(),
    }
}

/// Adds the argument's number (from 1) to an error, if there are several arguments.
pub(super) fn in_argument<T>(arguments: Values<'_>, position: usize, result: Result<T>) -> Result<T> {
    match result {
        Err(Error::Invalid(message)) if arguments.len() > 1 => {
            Err(Error::Invalid(format!("argument {}: {message}", position + 1)))
        }
        other => other,
    }
}

/// Puts the function's name in front of an error.
pub(super) fn of_function<T>(name: &str, result: Result<T>) -> Result<T> {
    match result {
        Err(Error::Invalid(message)) => Err(Error::Invalid(format!("{name}: {message}"))),
        other => other,
    }
}

/// A number within the range of f32: a factor or a weight. None for NULL; text is refused.
pub(super) fn number(value: Value<'_>) -> Result<Option<f64>> {
    let number = match value.content() {
        Content::Null => return Ok(None),
        Content::Integer(number) => number as f64,
        Content::Real(number) => number,
        Content::Text(_) | Content::Blob(_) => {
            let hint = if value.is_maybe_numpy() { " (a numpy number? use float())" } else { "" };
            return Err(Error::invalid(format!("expected a number, got {}{hint}", value.kind().name())));
        }
    };
    if number.abs() > f64::from(f32::MAX) {
        return Err(Error::invalid(format!("expected a number within the range of f32, got {number:e}")));
    }
    Ok(Some(number))
}
