//! The scalar functions.

use super::argument::{self, SUBTYPE_FLOAT, SUBTYPE_INT8, bits, in_argument, vector};
use super::{arithmetic, parse, version};
use crate::distance::{self, Element};
use crate::error::{Error, Result};
use crate::sqlite::{Content, Context, Kind, ScalarFunction, Value, Values};

/// The subtype that SQLite's own JSON functions take for JSON, and not for a text to be quoted.
const SUBTYPE_JSON: u32 = b'J' as u32;

/// The name, the number of arguments, and the function that SQL calls.
type Scalar = (&'static str, u8, ScalarFunction);

macro_rules! scalar {
    ($name:literal, $arguments:literal, $body:expr) => {
        ($name, $arguments, |context, arguments| run($name, context, arguments, $body))
    };
}

pub(super) const SCALARS: &[Scalar] = &[
    scalar!("vec_cosine", 2, cosine),
    scalar!("vec_l2", 2, |context, arguments| measure(context, arguments, distance::l2)),
    scalar!("vec_l1", 2, |context, arguments| measure(context, arguments, distance::l1)),
    scalar!("vec_dot", 2, |context, arguments| measure(context, arguments, distance::dot)),
    scalar!("vec_hamming", 2, hamming),
    scalar!("vec_parse", 1, |context, arguments| give(context, &vector(context, arguments, 0)?)),
    scalar!("vec_f16", 1, |context, arguments| mark(context, arguments, Element::F16)),
    scalar!("vec_int8", 1, |context, arguments| mark(context, arguments, Element::I8)),
    scalar!("vec_bit", 1, signs),
    scalar!("vec_json", 1, json),
    scalar!("vec_dims", 1, dims),
    scalar!("vec_norm", 1, norm),
    scalar!("vec_unit", 1, unit),
    scalar!("vec_scale", 2, scale),
    scalar!("vec_add", 2, |context, arguments| combine(context, arguments, arithmetic::add, i8::wrapping_add)),
    scalar!("vec_sub", 2, |context, arguments| combine(context, arguments, arithmetic::sub, i8::wrapping_sub)),
    scalar!("vec_head", 2, head),
    scalar!("vecrank_version", 0, version_text),
];

/// The common part of all scalar functions: a NULL argument returns NULL, and errors begin with the function's name.
fn run(name: &str, context: &Context<'_>, arguments: Values<'_>, body: ScalarFunction) -> Result<()> {
    if arguments.iter().any(Value::is_null) {
        return Ok(());
    }
    argument::of_function(name, body(context, arguments))
}

/// Makes a vector the result.
pub(super) fn give(context: &Context<'_>, vector: &[f32]) -> Result<()> {
    context.blob(&distance::encode(vector, Element::F32)?);
    Ok(())
}

/// A vector of another element than f32, marked as such: of JSON the components, of a BLOB the very bytes.
fn mark(context: &Context<'_>, arguments: Values<'_>, element: Element) -> Result<()> {
    let value = arguments.at(0)?;
    match value.content() {
        Content::Blob(bytes) => {
            if let Some(other) = argument::marked_element(value)?.filter(|other| *other != element) {
                let (expected, got) = (element.name(), other.name());
                return Err(Error::invalid(format!("expected a vector of {expected}, got one of {got}")));
            }
            parse::decode_blob(bytes, element)?;
            context.blob(bytes);
        }
        _ => context.blob(&distance::encode(&vector(context, arguments, 0)?, element)?),
    }
    context.subtype(argument::subtype_of(element));
    Ok(())
}

fn cosine(context: &Context<'_>, arguments: Values<'_>) -> Result<()> {
    let (a, b) = argument::pair(context, arguments)?;
    if let Some(distance) = distance::cosine(&a, &b) {
        context.f64(distance);
    }
    Ok(())
}

fn measure(context: &Context<'_>, arguments: Values<'_>, measure: fn(&[f32], &[f32]) -> f64) -> Result<()> {
    let (a, b) = argument::pair(context, arguments)?;
    context.f64(measure(&a, &b));
    Ok(())
}

fn hamming(context: &Context<'_>, arguments: Values<'_>) -> Result<()> {
    let (a, b) = (bits(context, arguments, 0)?, bits(context, arguments, 1)?);
    if a.len() != b.len() {
        let (a, b) = (8 * a.len(), 8 * b.len());
        return Err(Error::invalid(format!("expected two vectors of the same dimensions, got {a} and {b}")));
    }
    context.i64(i64::from(distance::hamming(&a, &b)));
    Ok(())
}

/// The signs of a vector as packed bits; of packed bits that are marked as such the very bytes.
fn signs(context: &Context<'_>, arguments: Values<'_>) -> Result<()> {
    let value = arguments.at(0)?;
    if value.kind() == Kind::Blob && argument::marked_element(value)? == Some(Element::Bit) {
        return mark(context, arguments, Element::Bit);
    }
    context.blob(&distance::signs(&vector(context, arguments, 0)?)?);
    context.subtype(argument::subtype_of(Element::Bit));
    Ok(())
}

fn json(context: &Context<'_>, arguments: Values<'_>) -> Result<()> {
    context.text(&parse::to_json(&vector(context, arguments, 0)?));
    context.subtype(SUBTYPE_JSON);
    Ok(())
}

fn dims(context: &Context<'_>, arguments: Values<'_>) -> Result<()> {
    context.i64(vector(context, arguments, 0)?.len() as i64);
    Ok(())
}

fn norm(context: &Context<'_>, arguments: Values<'_>) -> Result<()> {
    context.f64(distance::norm(&vector(context, arguments, 0)?));
    Ok(())
}

fn unit(context: &Context<'_>, arguments: Values<'_>) -> Result<()> {
    match arithmetic::unit(&vector(context, arguments, 0)?)? {
        Some(unit) => give(context, &unit),
        None => Ok(()),
    }
}

fn scale(context: &Context<'_>, arguments: Values<'_>) -> Result<()> {
    let vector = vector(context, arguments, 0)?;
    let factor = in_argument(arguments, 1, argument::number(arguments.at(1)?))?.unwrap_or(f64::NAN);
    give(context, &arithmetic::scale(&vector, factor)?)
}

fn head(context: &Context<'_>, arguments: Values<'_>) -> Result<()> {
    let vector = vector(context, arguments, 0)?;
    let count = arguments.at(1)?;
    match count.whole() {
        Some(count) => give(context, arithmetic::head(&vector, count)?),
        None => Err(Error::invalid(format!("argument 2: expected a whole number, got {}", count.shown()))),
    }
}

/// `vec_add` and `vec_sub` mean what they mean in sqlite-vec: a vector of f32, marked as such, or, of two vectors that
/// sqlite-vec made of i8, a vector of i8 with wrap-around.
fn combine(
    context: &Context<'_>,
    arguments: Values<'_>,
    floats: fn(&[f32], &[f32]) -> Result<Vec<f32>>,
    integers: fn(i8, i8) -> i8,
) -> Result<()> {
    let (a, b) = (arguments.at(0)?, arguments.at(1)?);
    let same = !a.bytes().is_empty() && a.bytes().len() == b.bytes().len();
    if same && is_int8(a) && is_int8(b) {
        let pairs = a.bytes().iter().zip(b.bytes());
        let bytes: Vec<u8> = pairs.map(|(x, y)| integers(x.cast_signed(), y.cast_signed()).cast_unsigned()).collect();
        context.blob(&bytes);
        context.subtype(SUBTYPE_INT8);
        return Ok(());
    }
    let (a, b) = argument::pair(context, arguments)?;
    give(context, &floats(&a, &b)?)?;
    context.subtype(SUBTYPE_FLOAT);
    Ok(())
}

fn is_int8(value: Value<'_>) -> bool {
    value.kind() == Kind::Blob && value.subtype() == SUBTYPE_INT8
}

fn version_text(context: &Context<'_>, _arguments: Values<'_>) -> Result<()> {
    context.text(&version::version());
    Ok(())
}
