//! Compares the columns of several files that make one table. The files must have the same columns, with the same types
//! or with types that have a common supertype.
//!
//! The comparison ignores how values are stored: the size of offsets, views, dictionaries, runs, names of list items,
//! and time zones (timestamps with a zone are stored in UTC).

use crate::failure::{Failure, Result};
use crate::mapping::plain;
use crate::options::Options;
use crate::parquet::Input;
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use std::sync::Arc;

/// A column of all files, with its type so far and the file that the type comes from.
struct Common {
    name: String,
    data_type: DataType,
    file: String,
}

/// Gives all files the same columns, or reports the first difference.
pub fn agree(inputs: &mut [Input], options: &Options) -> Result<()> {
    let mut common: Vec<Common> = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        let mut found = Vec::new();
        for field in input.schema().fields().iter().filter(|field| options.wants(field.name())) {
            let name = field.name();
            if let Some(why) = input.fault(name) {
                return Err(Failure::new(format!(
                    "{}: column \"{name}\": cannot be read: {why}; leave it out with --exclude",
                    input.name
                )));
            }
            found.push(name.clone());
            if let Some(column) = common.iter().find(|column| is_same_to_sqlite(&column.name, name)) {
                return Err(Failure::new(format!(
                    "{}: column \"{name}\": expected \"{}\", as in {}: they are one name for SQLite; --rename '{name}={}' makes \
                     them one column",
                    input.name, column.name, column.file, column.name
                )));
            }
            match common.iter_mut().find(|column| &column.name == name) {
                // Two columns of one name are refused later, by name.
                Some(column) if number > 0 => column.join(input, field.data_type(), options.union_by_name)?,
                _ if number == 0 || options.union_by_name => common.push(Common {
                    name: name.clone(),
                    data_type: field.data_type().clone(),
                    file: input.name.clone(),
                }),
                _ => return Err(only_in(&input.name, name, field.data_type(), &inputs[0].name)),
            }
        }
        if let Some(lacking) = common.iter().find(|column| !options.union_by_name && !found.contains(&column.name)) {
            return Err(only_in(&lacking.file, &lacking.name, &lacking.data_type, &input.name));
        }
    }
    if inputs.len() > 1 {
        for input in inputs {
            conform(input, &common);
        }
    }
    Ok(())
}

/// True if only the case of ASCII letters tells the names apart.
fn is_same_to_sqlite(name: &str, other: &str) -> bool {
    name != other && name.eq_ignore_ascii_case(other)
}

fn only_in(file: &str, column: &str, data_type: &DataType, other: &str) -> Failure {
    Failure::new(format!(
        "{file}: column \"{column}\" ({data_type}) is not in {other}; --union-by-name makes it NULL there, or leave it out \
         with --exclude"
    ))
}

/// Applies the common columns to a file. It keeps its own type where only the storage differs.
fn conform(input: &mut Input, common: &[Common]) {
    let own = input.schema().clone();
    let fields: Vec<(String, DataType)> = common
        .iter()
        .map(|column| {
            let own = own.field_with_name(&column.name).ok().map(Field::data_type);
            let same = own.filter(|own| normal(own) == normal(&column.data_type));
            (column.name.clone(), same.unwrap_or(&column.data_type).clone())
        })
        .collect();
    input.conform(&fields);
}

impl Common {
    fn join(&mut self, input: &Input, other: &DataType, widen: bool) -> Result<()> {
        let (own, new) = (normal(&self.data_type), normal(other));
        if own == new {
            return Ok(());
        }
        let joined = join(&own, &new, widen).ok_or_else(|| {
            let cure = if join(&own, &new, true).is_some() {
                "--union-by-name widens it"
            } else {
                "no type holds the values of both; leave it out with --exclude"
            };
            Failure::new(format!(
                "{}: column \"{}\": expected {}, as in {}, got {other}; {cure}",
                input.name, self.name, self.data_type, self.file
            ))
        })?;
        if joined != own {
            self.data_type = joined;
            self.file.clone_from(&input.name);
        }
        Ok(())
    }
}

/// A type that holds the values of both types exactly, if there is one. A column of NULLs joins any type.
fn join(a: &DataType, b: &DataType, widen: bool) -> Option<DataType> {
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (DataType::Null, other) | (other, DataType::Null) => Some(other.clone()),
        (DataType::List(a), DataType::List(b)) => {
            Some(DataType::List(item(join(a.data_type(), b.data_type(), widen)?)))
        }
        (DataType::Struct(a), DataType::Struct(b)) if a.len() == b.len() => {
            let fields = a.iter().zip(b).map(|(a, b)| {
                let joined = join(a.data_type(), b.data_type(), widen)?;
                (a.name() == b.name()).then(|| Field::new(a.name(), joined, true))
            });
            Some(DataType::Struct(fields.collect::<Option<Vec<_>>>()?.into()))
        }
        (DataType::Timestamp(a, zone), DataType::Timestamp(b, other)) if widen && zone == other => {
            Some(DataType::Timestamp(finer(*a, *b), zone.clone()))
        }
        _ if widen => wider_number(a, b),
        _ => None,
    }
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    [Nanosecond, Microsecond, Millisecond].into_iter().find(|unit| a == *unit || b == *unit).unwrap_or(Second)
}

/// Width in bits of an integer type, and whether it is signed.
fn whole(data_type: &DataType) -> Option<(usize, bool)> {
    let bits = data_type.primitive_width()? * 8;
    data_type.is_integer().then_some((bits, data_type.is_signed_integer()))
}

/// Width in bits of the integers that a floating-point type holds exactly.
fn mantissa(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Float32 => Some(24),
        DataType::Float64 => Some(53),
        _ => None,
    }
}

fn wider_number(a: &DataType, b: &DataType) -> Option<DataType> {
    if let (Some((a_bits, a_signed)), Some((b_bits, b_signed))) = (whole(a), whole(b)) {
        // One bit more for the sign that the other has not.
        let signed = a_signed || b_signed;
        let needed = |bits: usize, has_sign: bool| bits + usize::from(signed && !has_sign);
        let bits = needed(a_bits, a_signed).max(needed(b_bits, b_signed));
        return Some(match (signed, bits) {
            (true, ..=16) => DataType::Int16,
            (true, ..=32) => DataType::Int32,
            (true, ..=64) => DataType::Int64,
            (false, ..=16) => DataType::UInt16,
            (false, ..=32) => DataType::UInt32,
            (false, ..=64) => DataType::UInt64,
            _ => return None,
        });
    }
    let floats = mantissa(a).max(mantissa(b));
    let bits = whole(a).or(whole(b)).map(|(bits, _)| bits);
    match (a, b) {
        (DataType::Float32 | DataType::Float64, DataType::Float32 | DataType::Float64) => Some(DataType::Float64),
        _ if floats.is_some() && bits.is_some() => match bits {
            Some(..=16) if floats == Some(24) => Some(DataType::Float32),
            Some(..=32) => Some(DataType::Float64),
            _ => None,
        },
        _ => wider_decimal(decimal(a)?, decimal(b)?),
    }
}

/// Precision and scale of a decimal type.
fn decimal(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => Some((*digits, *scale)),
        _ => None,
    }
}

fn wider_decimal(a: (u8, i8), b: (u8, i8)) -> Option<DataType> {
    let scale = a.1.max(b.1);
    let before = |(digits, scale): (u8, i8)| i16::from(digits) - i16::from(scale);
    let digits = u8::try_from(before(a).max(before(b)) + i16::from(scale)).ok()?;
    match digits {
        0..=38 => Some(DataType::Decimal128(digits, scale)),
        39..=76 => Some(DataType::Decimal256(digits, scale)),
        _ => None,
    }
}

fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(data_type, true))
}

/// The type without the details of its storage.
fn normal(data_type: &DataType) -> DataType {
    let field = |field: &FieldRef| Field::new(field.name(), normal(field.data_type()), true);
    match plain(data_type) {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::List(inner) | DataType::LargeList(inner) | DataType::FixedSizeList(inner, _) => {
            DataType::List(item(normal(inner.data_type())))
        }
        DataType::Decimal32(digits, scale) | DataType::Decimal64(digits, scale) => DataType::Decimal128(digits, scale),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        DataType::Map(entries, _) => {
            DataType::Map(Arc::new(Field::new("entries", normal(entries.data_type()), false)), false)
        }
        other => other,
    }
}

#[cfg(test)]
#[path = "agree_tests.rs"]
mod tests;
