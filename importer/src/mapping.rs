//! From Arrow columns to SQL values: which type a column is declared with, and how a batch of it is converted.
//!
//! Conversion goes a batch at a time through arrow's own casts and formatters; what is left for each row is one bind.

use crate::args::{DecimalArg, TimestampArg, TypeArg};
use crate::failure::Failure;
use crate::nested;
use crate::typed;
use arrow_array::builder::LargeStringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, LargeBinaryArray, LargeStringArray, UInt64Array};
use arrow_buffer::NullBuffer;
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, TimeUnit};
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
    /// The type in the file.
    pub from: DataType,
    /// The Arrow type that the column is cast to first.
    target: DataType,
    rule: Rule,
    choices: Choices,
    /// --type, where it is not what the column would be anyway.
    asked: Option<TypeArg>,
}

/// Why a column, or a row of a batch of it, cannot be converted.
#[derive(Debug)]
pub struct Fault {
    /// Counted from the start of the batch; None for the whole column.
    pub row: Option<usize>,
    pub text: String,
}

impl Fault {
    pub fn of_row(row: usize, text: impl Into<String>) -> Fault {
        Fault { row: Some(row), text: text.into() }
    }

    /// The fault of a list's value as that of the row that has the list.
    pub fn in_row(self, row_of: impl FnOnce(usize) -> usize) -> Fault {
        Fault { row: self.row.map(row_of), ..self }
    }
}

impl From<ArrowError> for Fault {
    fn from(error: ArrowError) -> Fault {
        Fault { row: None, text: error.to_string() }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault { row: None, text: failure.to_string() }
    }
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
        units_a_second: i64,
    },
    /// REAL by way of the digits: the nearest there is.
    Decimal,
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

    /// What follows the date in the text of moments: 0 for each digit.
    pub fn time_form(&self) -> Option<String> {
        match (&self.target, self.rule) {
            (DataType::Timestamp(unit, zone), Rule::Formatted { .. }) if self.asked.is_none() => {
                let digits = units_a_second(*unit).ilog10() as usize;
                let point = if digits > 0 { "." } else { "" };
                let zone = if zone.is_some() { "Z" } else { "" };
                Some(format!("T00:00:00{point}{}{zone}", "0".repeat(digits)))
            }
            _ => None,
        }
    }

    /// The column is known to fit INTEGER.
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
            Rule::Seconds { units_a_second } => {
                let ticks = column.as_primitive::<Int64Type>();
                Cells::Real(ticks.unary(|ticks| seconds(ticks, units_a_second)))
            }
            Rule::Decimal => Cells::Real(format(&column, None)?.iter().map(|text| text?.parse().ok()).collect()),
            Rule::Text => Cells::Text(column.as_string::<i64>().clone()),
            Rule::Blob => Cells::Blob(column.as_binary::<i64>().clone()),
            Rule::Formatted { pattern } => Cells::Text(format(&column, pattern)?),
            Rule::Json => Cells::Text(nested::json(&column, self.choices)?),
        };
        match self.asked {
            Some(to) => typed::convert(cells, to),
            None => Ok(cells),
        }
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
            // Very large and very small numbers with an exponent.
            Cells::Real(array) => format!("{:?}", array.value(row)),
            Cells::Text(array) => format!("'{}'", array.value(row)),
            Cells::Blob(array) => format!("a BLOB of {} bytes", array.value(row).len()),
        }
    }

    /// Rows in the batch; none are known of a column that holds nothing.
    pub fn rows(&self) -> usize {
        match self {
            Cells::Null => 0,
            Cells::Integer(array) => array.len(),
            Cells::Unsigned(array) => array.len(),
            Cells::Real(array) => array.len(),
            Cells::Text(array) => array.len(),
            Cells::Blob(array) => array.len(),
        }
    }

    /// The first row whose number is beyond the largest INTEGER, if any.
    pub fn first_beyond_integer(&self) -> Option<usize> {
        let Cells::Unsigned(array) = self else { return None };
        (0..array.len()).find(|&row| array.is_valid(row) && i64::try_from(array.value(row)).is_err())
    }
}

/// A cast in which no value may get lost: arrow's own makes NULL of what the new type cannot hold.
pub fn exact_cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, Fault> {
    let new = cast(column, to)?;
    if new.logical_null_count() > column.logical_null_count() {
        let (before, after) = (column.logical_nulls(), new.logical_nulls());
        let is_null = |nulls: &Option<NullBuffer>, row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        if let Some(row) = (0..column.len()).find(|&row| is_null(&after, row) && !is_null(&before, row)) {
            let options = FormatOptions::new().with_display_error(true);
            let value = ArrayFormatter::try_new(column.as_ref(), &options)?.value(row).to_string();
            return Err(Fault::of_row(row, format!("{value} is not in the range of {to}")));
        }
    }
    Ok(new)
}

/// The type with encodings taken off (dictionaries, runs, views of lists), zones turned to UTC and map keys to text.
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

/// The type, or one within it, that is no value of SQL or of JSON. Parquet's intervals are one: their months, days and
/// milliseconds have no common measure, and the library that reads them drops the months.
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

fn units_a_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The nearest f64: beyond the whole numbers that f64 holds, the whole seconds and the rest apart.
fn seconds(ticks: i64, units_a_second: i64) -> f64 {
    let part = |ticks: i64| ticks as f64 / units_a_second as f64;
    if ticks.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS {
        return part(ticks);
    }
    (ticks / units_a_second) as f64 + part(ticks % units_a_second)
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

pub fn format(column: &ArrayRef, pattern: Option<&str>) -> Result<LargeStringArray, Fault> {
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
        if write!(text, "{}", formatter.value(row)).is_err() {
            text.write_str(end_of_day(column, row).ok_or_else(|| out_of_range(column, row))?).unwrap_or_default();
        }
        text.append_value("");
    }
    Ok(text.finish())
}

/// The time of day 24:00, which some writers have and the formatter has not.
fn end_of_day(column: &ArrayRef, row: usize) -> Option<&'static str> {
    let (unit, text) = match column.data_type() {
        DataType::Time32(TimeUnit::Second) => (TimeUnit::Second, "24:00:00"),
        DataType::Time32(unit) => (*unit, "24:00:00.000"),
        DataType::Time64(TimeUnit::Microsecond) => (TimeUnit::Microsecond, "24:00:00.000000"),
        DataType::Time64(unit) => (*unit, "24:00:00.000000000"),
        _ => return None,
    };
    (ticks(column, row)? == 86_400 * units_a_second(unit)).then_some(text)
}

/// The number behind a date, time or duration.
fn ticks(column: &ArrayRef, row: usize) -> Option<i64> {
    let is_short = matches!(column.data_type(), DataType::Date32 | DataType::Time32(_));
    let bits = if is_short { DataType::Int32 } else { DataType::Int64 };
    let ticks = cast(&column.slice(row, 1), &bits).and_then(|ticks| cast(&ticks, &DataType::Int64)).ok()?;
    Some(ticks.as_primitive::<Int64Type>().value(0))
}

/// For a moment that no calendar has.
fn out_of_range(column: &ArrayRef, row: usize) -> Fault {
    let kind = column.data_type();
    let ticks = ticks(column, row).map_or_else(String::new, |ticks| format!(" {ticks}"));
    let advice = match kind {
        DataType::Date32 | DataType::Timestamp(..) => "; --timestamps unix stores such values as numbers",
        _ => "",
    };
    Fault::of_row(row, format!("{kind}{ticks} is out of range{advice}"))
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
