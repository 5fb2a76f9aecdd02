//! One batch of a column as SQL values, and the error for a value that cannot be converted.

use crate::failure::Failure;
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, LargeBinaryArray, LargeStringArray, UInt64Array};
use arrow_buffer::NullBuffer;
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType};
use rusqlite::Statement;

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

    /// Turns the index of a list's value into that of the row with the list.
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

/// One batch of a column, ready to bind row by row.
#[derive(Debug)]
pub enum Cells {
    Null,
    Integer(Int64Array),
    /// Values above the largest INTEGER are bound as TEXT.
    Unsigned(UInt64Array),
    Real(Float64Array),
    Text(LargeStringArray),
    Blob(LargeBinaryArray),
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

    /// The row's value for an error message.
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

    /// Rows in the batch; 0 for a column of NULLs, which keeps no count.
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

/// Casts a column, and fails where arrow's cast would turn a value into NULL.
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
