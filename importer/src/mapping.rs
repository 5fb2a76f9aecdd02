//! From Arrow columns to SQL values: which type a column is declared with, and how a batch of it is converted.
//!
//! Conversion goes a batch at a time through arrow's own casts and formatters; what is left for each row is one bind.

use crate::args::{DecimalArg, TimestampArg};
use crate::failure::{Failure, Result};
use arrow_array::builder::LargeStringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, LargeBinaryArray, LargeStringArray, UInt64Array};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_json::writer::{EncoderOptions, make_encoder};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use rusqlite::Statement;
use std::fmt::Write;
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
    /// The Arrow type that the column is cast to first.
    target: DataType,
    rule: Rule,
}

/// What is done with the cast column.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    Null,
    Integer,
    Unsigned,
    Real,
    /// Whole numbers of some unit to REAL seconds.
    Seconds {
        units_a_second: f64,
    },
    Text,
    Blob,
    /// Text by arrow's formatter, with this pattern for timestamps and times.
    Formatted {
        pattern: Option<&'static str>,
    },
    Json,
}

/// One batch of a column, ready to bind row by row.
#[derive(Debug)]
pub enum Cells {
    Null,
    Integer(Int64Array),
    /// Beyond the largest INTEGER it is bound as TEXT.
    Unsigned(UInt64Array),
    Real(Float64Array),
    Text(LargeStringArray),
    Blob(LargeBinaryArray),
}

/// UTC as arrow names it without a time zone database.
const UTC: &str = "+00:00";

impl Mapping {
    /// Chooses by type. Fails for the few Arrow types that have no meaning in SQL.
    pub fn of(data_type: &DataType, choices: Choices) -> Result<Mapping> {
        let target = plain(data_type);
        let new = |sql_type, target, rule| Ok(Mapping { sql_type, target, rule });
        let unix = choices.timestamps == TimestampArg::Unix;
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
                DecimalArg::Real => new(Some("REAL"), DataType::Float64, Rule::Real),
            },
            DataType::Date32 if unix => {
                new(Some("INTEGER"), DataType::Timestamp(TimeUnit::Second, None), Rule::Integer)
            }
            DataType::Timestamp(TimeUnit::Second, _) if unix => new(Some("INTEGER"), DataType::Int64, Rule::Integer),
            DataType::Timestamp(unit, _) if unix => {
                let units_a_second = units_a_second(*unit);
                new(Some("REAL"), DataType::Int64, Rule::Seconds { units_a_second })
            }
            DataType::Timestamp(unit, zone) => {
                let pattern = Some(timestamp_pattern(*unit, zone.is_some()));
                new(Some("TEXT"), target, Rule::Formatted { pattern })
            }
            DataType::Time32(unit) | DataType::Time64(unit) => {
                let pattern = Some(time_pattern(*unit));
                new(Some("TEXT"), target, Rule::Formatted { pattern })
            }
            DataType::Date32 | DataType::Duration(_) | DataType::Interval(_) => {
                new(Some("TEXT"), target, Rule::Formatted { pattern: None })
            }
            other if other.is_nested() && !matches!(other, DataType::Union(..)) => {
                new(Some("TEXT"), target, Rule::Json)
            }
            other => {
                Err(Failure::new(format!("the type {other} has no counterpart in SQL; leave it out with --exclude")))
            }
        }
    }

    /// True if the value of a single row may come out as TEXT although the column holds numbers.
    pub fn is_unsigned(&self) -> bool {
        self.rule == Rule::Unsigned
    }

    /// The column is known to fit INTEGER.
    pub fn into_integer(self) -> Mapping {
        Mapping { sql_type: Some("INTEGER"), target: DataType::Int64, rule: Rule::Integer }
    }

    /// One batch of the column. Fails on values that have no text, such as a timestamp in the year 300,000.
    pub fn convert(&self, column: &ArrayRef) -> Result<Cells> {
        if self.rule == Rule::Null {
            return Ok(Cells::Null);
        }
        let mut column = cast(column, &self.target)?;
        if self.rule == Rule::Integer && column.data_type() != &DataType::Int64 {
            column = cast(&column, &DataType::Int64)?;
        }
        Ok(match self.rule {
            Rule::Null => Cells::Null,
            Rule::Integer => Cells::Integer(column.as_primitive::<Int64Type>().clone()),
            Rule::Unsigned => Cells::Unsigned(column.as_primitive::<UInt64Type>().clone()),
            Rule::Real => Cells::Real(column.as_primitive::<Float64Type>().clone()),
            Rule::Seconds { units_a_second } => {
                let ticks = column.as_primitive::<Int64Type>();
                Cells::Real(ticks.unary(|ticks| ticks as f64 / units_a_second))
            }
            Rule::Text => Cells::Text(column.as_string::<i64>().clone()),
            Rule::Blob => Cells::Blob(column.as_binary::<i64>().clone()),
            Rule::Formatted { pattern } => Cells::Text(format(&column, pattern)?),
            Rule::Json => Cells::Text(json(&column)?),
        })
    }
}

impl Cells {
    /// True if the row has SQL NULL.
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Cells::Null => true,
            Cells::Integer(array) => array.is_null(row),
            Cells::Unsigned(array) => array.is_null(row),
            Cells::Real(array) => array.is_null(row) || array.value(row).is_nan(),
            Cells::Text(array) => array.is_null(row),
            Cells::Blob(array) => array.is_null(row),
        }
    }

    /// Binds the row's value to parameter `parameter` (1-based).
    pub fn bind(&self, row: usize, statement: &mut Statement<'_>, parameter: usize) -> rusqlite::Result<()> {
        if self.is_null(row) {
            return statement.raw_bind_parameter(parameter, rusqlite::types::Null);
        }
        match self {
            Cells::Null => statement.raw_bind_parameter(parameter, rusqlite::types::Null),
            Cells::Integer(array) => statement.raw_bind_parameter(parameter, array.value(row)),
            Cells::Unsigned(array) => match i64::try_from(array.value(row)) {
                Ok(value) => statement.raw_bind_parameter(parameter, value),
                Err(_) => statement.raw_bind_parameter(parameter, array.value(row).to_string()),
            },
            Cells::Real(array) => statement.raw_bind_parameter(parameter, array.value(row)),
            Cells::Text(array) => statement.raw_bind_parameter(parameter, array.value(row)),
            Cells::Blob(array) => statement.raw_bind_parameter(parameter, array.value(row)),
        }
    }

    /// The row's value as a message shows it.
    pub fn show(&self, row: usize) -> String {
        if self.is_null(row) {
            return "NULL".to_owned();
        }
        match self {
            Cells::Null => "NULL".to_owned(),
            Cells::Integer(array) => array.value(row).to_string(),
            Cells::Unsigned(array) => array.value(row).to_string(),
            Cells::Real(array) => array.value(row).to_string(),
            Cells::Text(array) => format!("'{}'", array.value(row)),
            Cells::Blob(array) => format!("a BLOB of {} bytes", array.value(row).len()),
        }
    }

    /// The first row whose number is beyond the largest INTEGER, if any.
    pub fn first_beyond_integer(&self) -> Option<usize> {
        let Cells::Unsigned(array) = self else { return None };
        (0..array.len()).find(|&row| array.is_valid(row) && i64::try_from(array.value(row)).is_err())
    }
}

/// The type with encodings taken off (dictionaries, runs, views of lists), zones turned to UTC and map keys to text.
fn plain(data_type: &DataType) -> DataType {
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
        DataType::Map(entries, sorted) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => DataType::Map(map_entries(entries, pair), *sorted),
            _ => data_type.clone(),
        },
        other => other.clone(),
    }
}

/// Entries of a map whose keys are text: JSON has no other.
fn map_entries(entries: &FieldRef, pair: &Fields) -> FieldRef {
    let key = Field::new(pair[0].name(), DataType::Utf8, false);
    let value = Field::new(pair[1].name(), plain(pair[1].data_type()), pair[1].is_nullable());
    Arc::new(Field::new(entries.name(), DataType::Struct(vec![key, value].into()), entries.is_nullable()))
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..)
    )
}

fn units_a_second(unit: TimeUnit) -> f64 {
    match unit {
        TimeUnit::Second => 1.0,
        TimeUnit::Millisecond => 1e3,
        TimeUnit::Microsecond => 1e6,
        TimeUnit::Nanosecond => 1e9,
    }
}

/// All values of a column have the same number of digits, so that their order as text is their order in time.
fn timestamp_pattern(unit: TimeUnit, has_zone: bool) -> &'static str {
    match (unit, has_zone) {
        (TimeUnit::Second, false) => "%Y-%m-%dT%H:%M:%S",
        (TimeUnit::Second, true) => "%Y-%m-%dT%H:%M:%SZ",
        (TimeUnit::Millisecond, false) => "%Y-%m-%dT%H:%M:%S%.3f",
        (TimeUnit::Millisecond, true) => "%Y-%m-%dT%H:%M:%S%.3fZ",
        (TimeUnit::Microsecond, false) => "%Y-%m-%dT%H:%M:%S%.6f",
        (TimeUnit::Microsecond, true) => "%Y-%m-%dT%H:%M:%S%.6fZ",
        (TimeUnit::Nanosecond, false) => "%Y-%m-%dT%H:%M:%S%.9f",
        (TimeUnit::Nanosecond, true) => "%Y-%m-%dT%H:%M:%S%.9fZ",
    }
}

fn time_pattern(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "%H:%M:%S",
        TimeUnit::Millisecond => "%H:%M:%S%.3f",
        TimeUnit::Microsecond => "%H:%M:%S%.6f",
        TimeUnit::Nanosecond => "%H:%M:%S%.9f",
    }
}

fn format(column: &ArrayRef, pattern: Option<&str>) -> Result<LargeStringArray> {
    let options = FormatOptions::new()
        .with_display_error(false)
        .with_timestamp_format(pattern)
        .with_timestamp_tz_format(pattern)
        .with_time_format(pattern);
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    let mut text = LargeStringBuilder::with_capacity(column.len(), column.len() * 24);
    for row in 0..column.len() {
        if column.is_null(row) {
            text.append_null();
            continue;
        }
        write!(text, "{}", formatter.value(row))
            .map_err(|_| Failure::new(format!("a value of type {} is out of range", column.data_type())))?;
        text.append_value("");
    }
    Ok(text.finish())
}

fn json(column: &ArrayRef) -> Result<LargeStringArray> {
    let field: FieldRef = Arc::new(Field::new("", column.data_type().clone(), true));
    let options = EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_timestamp_tz_format("%Y-%m-%dT%H:%M:%S%.fZ".to_owned());
    let mut encoder = make_encoder(&field, column.as_ref(), &options)?;
    let mut text = LargeStringBuilder::with_capacity(column.len(), column.len() * 64);
    let mut value = Vec::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            text.append_null();
            continue;
        }
        value.clear();
        encoder.encode(row, &mut value);
        text.append_value(str::from_utf8(&value).map_err(|_| Failure::new("a nested value is not valid UTF-8"))?);
    }
    Ok(text.finish())
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
