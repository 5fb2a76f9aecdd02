//! Maps Arrow columns to SQL values: the declared type of a column, and the conversion of a batch.
//!
//! A batch is converted at once by arrow's casts and formatters; per row there is one bind.

use crate::args::{DecimalArg, TimestampArg, TypeArg};
use crate::cells::{Cells, Fault, exact_cast};
use crate::failure::Failure;
use crate::nested;
use crate::texts::{format, time_pattern, timestamp_pattern, units_per_second};
use crate::typed;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use std::sync::Arc;

/// Choices that change how values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choices {
    pub decimal: DecimalArg,
    pub timestamps: TimestampArg,
}

/// How an ordinary column is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// The type in CREATE TABLE; None declares no type, so that SQLite converts nothing.
    pub sql_type: Option<&'static str>,
    /// The type in the file.
    pub from: DataType,
    /// The Arrow type that the column is cast to first.
    target: DataType,
    rule: Rule,
    choices: Choices,
    /// The type from --type.
    asked: Option<TypeArg>,
}

/// What is done with the cast column.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    Null,
    Integer,
    Unsigned,
    Real,
    /// Integers in some unit of time, stored as REAL seconds.
    Seconds {
        units_per_second: i64,
    },
    /// REAL, parsed from the decimal's digits: the nearest value.
    Decimal,
    Text,
    Blob,
    /// Text by arrow's formatter, with this pattern for timestamps and times.
    Formatted {
        pattern: Option<&'static str>,
    },
    Json,
}

/// Arrow's name for UTC that needs no time zone database.
const UTC: &str = "+00:00";

impl Mapping {
    /// Chooses the mapping of a type. Fails for the few Arrow types that SQL has no counterpart for.
    pub fn of(data_type: &DataType, choices: Choices) -> Result<Mapping, Failure> {
        let target = plain(data_type);
        let new = |sql_type, target, rule| {
            Ok(Mapping { sql_type, from: data_type.clone(), target, rule, choices, asked: None })
        };
        let unix = choices.timestamps == TimestampArg::Unix;
        if let Some(other) = without_meaning(&target) {
            return Err(Failure::new(format!(
                "the type {other} has no counterpart in SQL; leave it out with --exclude"
            )));
        }
        match &target {
            DataType::Null => new(None, target, Rule::Null),
            DataType::UInt64 => new(None, target, Rule::Unsigned),
            DataType::Boolean => new(Some("INTEGER"), DataType::Int64, Rule::Integer),
            other if other.is_integer() => new(Some("INTEGER"), DataType::Int64, Rule::Integer),
            other if other.is_floating() => new(Some("REAL"), DataType::Float64, Rule::Real),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                new(Some("TEXT"), DataType::LargeUtf8, Rule::Text)
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                new(Some("BLOB"), DataType::LargeBinary, Rule::Blob)
            }
            other if is_decimal(other) => match choices.decimal {
                DecimalArg::Text => new(Some("TEXT"), target, Rule::Formatted { pattern: None }),
                DecimalArg::Real => new(Some("REAL"), target, Rule::Decimal),
            },
            DataType::Date32 if unix => {
                new(Some("INTEGER"), DataType::Timestamp(TimeUnit::Second, None), Rule::Integer)
            }
            DataType::Timestamp(TimeUnit::Second, _) if unix => new(Some("INTEGER"), DataType::Int64, Rule::Integer),
            DataType::Timestamp(unit, _) if unix => {
                let units_per_second = units_per_second(*unit);
                new(Some("REAL"), DataType::Int64, Rule::Seconds { units_per_second })
            }
            DataType::Timestamp(unit, zone) => {
                let pattern = Some(timestamp_pattern(*unit, zone.is_some()));
                new(Some("TEXT"), target, Rule::Formatted { pattern })
            }
            DataType::Time32(unit) | DataType::Time64(unit) => {
                let pattern = Some(time_pattern(*unit));
                new(Some("TEXT"), target, Rule::Formatted { pattern })
            }
            other if other.is_nested() => new(Some("TEXT"), target, Rule::Json),
            _ => new(Some("TEXT"), target, Rule::Formatted { pattern: None }),
        }
    }

    /// True if the value of a single row may come out as TEXT although the column holds numbers.
    pub fn is_unsigned(&self) -> bool {
        self.rule == Rule::Unsigned && self.asked.is_none()
    }

    /// True if all values are NULL.
    pub fn is_null(&self) -> bool {
        self.rule == Rule::Null
    }

    /// The part of a timestamp's text after the date, with 0 for each digit.
    pub fn time_form(&self) -> Option<String> {
        match (&self.target, self.rule) {
            (DataType::Timestamp(unit, zone), Rule::Formatted { .. }) if self.asked.is_none() => {
                let digits = units_per_second(*unit).ilog10() as usize;
                let point = if digits > 0 { "." } else { "" };
                let zone = if zone.is_some() { "Z" } else { "" };
                Some(format!("T00:00:00{point}{}{zone}", "0".repeat(digits)))
            }
            _ => None,
        }
    }

    /// The mapping of an unsigned column whose values all fit INTEGER.
    pub fn into_integer(self) -> Mapping {
        Mapping { sql_type: Some("INTEGER"), target: DataType::Int64, rule: Rule::Integer, ..self }
    }

    /// Stores the column in another type. Fails where no value could be kept.
    pub fn into_type(self, to: TypeArg) -> Result<Mapping, Failure> {
        let is_possible = match (self.sql_type, to) {
            (Some("TEXT"), _) | (_, TypeArg::Text) => true,
            (Some("BLOB"), to) => to == TypeArg::Blob,
            (_, to) => to != TypeArg::Blob || self.rule == Rule::Null,
        };
        // The nearest floating-point number to a decimal is what is asked for, as by --decimal real.
        let rule = match to {
            TypeArg::Real if is_decimal(&self.target) => Rule::Decimal,
            _ if is_decimal(&self.target) => Rule::Formatted { pattern: None },
            _ => self.rule,
        };
        match is_possible {
            true => Ok(Mapping { sql_type: Some(to.name()), rule, asked: Some(to), ..self }),
            false => Err(Failure::new(format!(
                "--type {}: {} would not keep its value",
                to.name(),
                self.sql_type.unwrap_or("the file's type")
            ))),
        }
    }

    /// One batch of the column. Fails on values that have no text, such as a timestamp in the year 300,000.
    pub fn convert(&self, column: &ArrayRef) -> Result<Cells, Fault> {
        if self.rule == Rule::Null {
            return Ok(Cells::Null);
        }
        let mut column = exact_cast(column, &self.target)?;
        if self.rule == Rule::Integer && column.data_type() != &DataType::Int64 {
            column = exact_cast(&column, &DataType::Int64)?;
        }
        let cells = match self.rule {
            Rule::Null => Cells::Null,
            Rule::Integer => Cells::Integer(column.as_primitive::<Int64Type>().clone()),
            Rule::Unsigned => Cells::Unsigned(column.as_primitive::<UInt64Type>().clone()),
            Rule::Real => Cells::Real(column.as_primitive::<Float64Type>().clone()),
            Rule::Seconds { units_per_second } => {
                let ticks = column.as_primitive::<Int64Type>();
                Cells::Real(ticks.unary(|ticks| seconds(ticks, units_per_second)))
            }
            Rule::Decimal => Cells::Real(format(&column, None)?.iter().map(|text| text?.parse().ok()).collect()),
            Rule::Text => Cells::Text(column.as_string::<i64>().clone()),
            Rule::Blob => Cells::Blob(column.as_binary::<i64>().clone()),
            Rule::Formatted { pattern } => Cells::Text(format(&column, pattern)?),
            Rule::Json => Cells::Text(nested::json(&column, &|times| {
                Mapping::of(times.data_type(), self.choices)?.convert(times)
            })?),
        };
        match self.asked {
            Some(to) => typed::convert(cells, to),
            None => Ok(cells),
        }
    }
}

/// The type without encodings (dictionaries, runs, views of lists), with UTC for every zone.
pub fn plain(data_type: &DataType) -> DataType {
    let field = |field: &FieldRef| -> FieldRef {
        Arc::new(Field::new(field.name(), plain(field.data_type()), field.is_nullable()))
    };
    match data_type {
        DataType::Dictionary(_, value) => plain(value),
        DataType::RunEndEncoded(_, values) => plain(values.data_type()),
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some(UTC.into())),
        DataType::Date64 => DataType::Date32,
        DataType::Float16 => DataType::Float32,
        DataType::List(inner) => DataType::List(field(inner)),
        DataType::LargeList(inner) => DataType::LargeList(field(inner)),
        DataType::ListView(inner) => DataType::List(field(inner)),
        DataType::LargeListView(inner) => DataType::LargeList(field(inner)),
        DataType::FixedSizeList(inner, size) => DataType::FixedSizeList(field(inner), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
        other => other.clone(),
    }
}

/// A type, this one or one inside it, that has no counterpart in SQL or JSON. Parquet's intervals have none: months,
/// days and milliseconds have no common unit, and the library drops the months.
fn without_meaning(data_type: &DataType) -> Option<&DataType> {
    let inside = |fields: &Fields| fields.iter().any(|field| without_meaning(field.data_type()).is_some());
    let has = match data_type {
        DataType::Union(..) | DataType::Interval(_) => true,
        DataType::List(inner)
        | DataType::LargeList(inner)
        | DataType::FixedSizeList(inner, _)
        | DataType::Map(inner, _) => without_meaning(inner.data_type()).is_some(),
        DataType::Struct(fields) => inside(fields),
        _ => false,
    };
    has.then_some(data_type)
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..)
    )
}

/// The nearest f64. Ticks that f64 does not hold exactly are split into whole seconds and the rest.
fn seconds(ticks: i64, units_per_second: i64) -> f64 {
    let part = |ticks: i64| ticks as f64 / units_per_second as f64;
    if ticks.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS {
        return part(ticks);
    }
    (ticks / units_per_second) as f64 + part(ticks % units_per_second)
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
