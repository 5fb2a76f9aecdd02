//! Dates, times, decimals and the like as text.

use crate::cells::Fault;
use arrow_array::builder::LargeStringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, LargeStringArray};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use std::fmt::Write;

pub fn units_per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// All values of a column have the same number of digits, so that their order as text is their order in time.
pub fn timestamp_pattern(unit: TimeUnit, has_zone: bool) -> &'static str {
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

/// As for timestamps.
pub fn time_pattern(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "%H:%M:%S",
        TimeUnit::Millisecond => "%H:%M:%S%.3f",
        TimeUnit::Microsecond => "%H:%M:%S%.6f",
        TimeUnit::Nanosecond => "%H:%M:%S%.9f",
    }
}

/// The text of each value by arrow's formatter, with this pattern for timestamps and times.
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
    (ticks(column, row)? == 86_400 * units_per_second(unit)).then_some(text)
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
