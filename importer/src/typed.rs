//! `--type column=TEXT` stores a column in another type, if no value changes.

use crate::args::TypeArg;
use crate::cells::{Cells, Fault};
use arrow_array::{Float64Array, Int64Array, LargeBinaryArray, LargeStringArray};

/// One batch of a column in the type that was asked for.
pub fn convert(cells: Cells, to: TypeArg) -> Result<Cells, Fault> {
    let refused = |cells: &Cells, row: usize| {
        Fault::of_row(row, format!("{} would not keep its value as {} (--type)", cells.show(row), to.name()))
    };
    let unchanged = matches!(
        (&cells, to),
        (Cells::Null, _)
            | (Cells::Integer(_), TypeArg::Integer)
            | (Cells::Real(_), TypeArg::Real)
            | (Cells::Text(_), TypeArg::Text)
            | (Cells::Blob(_), TypeArg::Blob)
    );
    if unchanged {
        return Ok(cells);
    }
    let rows = 0..cells.rows();
    match to {
        TypeArg::Text => {
            let texts = rows.map(|row| each(&cells, row, text).map_err(|()| refused(&cells, row)));
            Ok(Cells::Text(texts.collect::<Result<LargeStringArray, _>>()?))
        }
        TypeArg::Integer => {
            let numbers = rows.map(|row| each(&cells, row, integer).map_err(|()| refused(&cells, row)));
            Ok(Cells::Integer(numbers.collect::<Result<Int64Array, _>>()?))
        }
        TypeArg::Real => {
            let numbers = rows.map(|row| each(&cells, row, real).map_err(|()| refused(&cells, row)));
            Ok(Cells::Real(numbers.collect::<Result<Float64Array, _>>()?))
        }
        TypeArg::Blob => {
            let blobs = rows.map(|row| each(&cells, row, blob).map_err(|()| refused(&cells, row)));
            Ok(Cells::Blob(blobs.collect::<Result<LargeBinaryArray, _>>()?))
        }
    }
}

/// NULL stays NULL in every type. Err(()) if the value would change.
fn each<T>(cells: &Cells, row: usize, value: fn(&Cells, usize) -> Option<T>) -> Result<Option<T>, ()> {
    if cells.is_null(row) { Ok(None) } else { value(cells, row).map(Some).ok_or(()) }
}

fn text(cells: &Cells, row: usize) -> Option<String> {
    match cells {
        Cells::Null => None,
        Cells::Integer(array) => Some(array.value(row).to_string()),
        Cells::Unsigned(array) => Some(array.value(row).to_string()),
        // As JSON and SQLite show it: with a point.
        Cells::Real(array) => array.value(row).is_finite().then(|| format!("{:?}", array.value(row))),
        Cells::Text(array) => Some(array.value(row).to_owned()),
        Cells::Blob(array) => str::from_utf8(array.value(row)).ok().map(str::to_owned),
    }
}

/// Text only if it is what the number is written as.
fn integer(cells: &Cells, row: usize) -> Option<i64> {
    match cells {
        Cells::Integer(array) => Some(array.value(row)),
        Cells::Unsigned(array) => i64::try_from(array.value(row)).ok(),
        Cells::Real(array) => whole(array.value(row)),
        Cells::Text(array) => {
            array.value(row).parse().ok().filter(|number: &i64| number.to_string() == array.value(row))
        }
        Cells::Null | Cells::Blob(_) => None,
    }
}

fn whole(value: f64) -> Option<i64> {
    // i64::MAX is no f64: the first number beyond is.
    let fits = value >= i64::MIN as f64 && value < i64::MAX as f64;
    let is_same = fits && value.fract() == 0.0 && !(value == 0.0 && value.is_sign_negative());
    is_same.then_some(value as i64)
}

/// Text only if the number is written so, but for zeros at the end.
fn real(cells: &Cells, row: usize) -> Option<f64> {
    match cells {
        Cells::Integer(array) => exactly(array.value(row)),
        Cells::Unsigned(array) => i64::try_from(array.value(row)).ok().and_then(exactly),
        Cells::Real(array) => Some(array.value(row)),
        Cells::Text(array) => {
            let text = array.value(row);
            let number: f64 = text.parse().ok()?;
            let without_zeros = |text: &str| match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text.to_owned(),
            };
            (number.is_finite() && without_zeros(&number.to_string()) == without_zeros(text)).then_some(number)
        }
        Cells::Null | Cells::Blob(_) => None,
    }
}

fn exactly(value: i64) -> Option<f64> {
    let real = value as f64;
    (whole(real) == Some(value)).then_some(real)
}

fn blob(cells: &Cells, row: usize) -> Option<Vec<u8>> {
    match cells {
        Cells::Text(array) => Some(array.value(row).as_bytes().to_vec()),
        Cells::Blob(array) => Some(array.value(row).to_vec()),
        Cells::Null | Cells::Integer(_) | Cells::Unsigned(_) | Cells::Real(_) => None,
    }
}

#[cfg(test)]
#[path = "typed_tests.rs"]
mod tests;
