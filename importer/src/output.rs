//! Rows on standard output: an aligned table for people, JSON and CSV for programs.

use crate::failure::{Failure, Result};
use crate::screen::{is_control, json_text, stdout};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use rusqlite::types::ValueRef;
use rusqlite::{Row, Rows};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::Write;
use vecrank::internals::distance::{Element, decode};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Csv,
}

/// A column of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// Set if its BLOBs are vectors.
    pub element: Option<Element>,
}

/// Longest text in a cell of a table on a terminal; what is cut ends in an ellipsis.
const WIDEST_CELL: usize = 48;

/// Prints all rows.
pub fn print(rows: Rows<'_>, columns: &[Column], format: Format) -> Result<()> {
    match format {
        Format::Table => print_table(rows, columns),
        Format::Json => print_json(rows, columns),
        Format::Csv => print_csv(rows, columns),
    }
}

fn print_table(mut rows: Rows<'_>, columns: &[Column]) -> Result<()> {
    let mut out = stdout();
    let widest = if out.is_terminal() { WIDEST_CELL } else { usize::MAX };
    let mut body = Vec::new();
    let mut numeric = vec![true; columns.len()];
    while let Some(row) = rows.next()? {
        let mut cells = Vec::with_capacity(columns.len());
        for (position, (column, numeric)) in columns.iter().zip(&mut numeric).enumerate() {
            let value = row.get_ref(position)?;
            *numeric &= matches!(value, ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Null);
            cells.push(cell_text(value, column, widest));
        }
        body.push(cells);
    }
    let names = columns.iter().map(|column| printable(&column.name, usize::MAX)).collect();
    writeln!(out, "{}", aligned(names, body, &numeric))?;
    Ok(())
}

/// An aligned table. `numeric` columns are aligned to the right.
pub fn aligned(names: Vec<String>, body: Vec<Vec<String>>, numeric: &[bool]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let align = |cells: Vec<String>| -> Vec<Cell> {
        let alignment = |&numeric: &bool| if numeric { CellAlignment::Right } else { CellAlignment::Left };
        cells
            .into_iter()
            .zip(numeric)
            .map(|(text, numeric)| Cell::new(text).set_alignment(alignment(numeric)))
            .collect()
    };
    table.set_header(align(names));
    for row in body {
        table.add_row(align(row));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn cell_text(value: ValueRef<'_>, column: &Column, widest: usize) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) if column.name.eq_ignore_ascii_case("distance") => format!("{number:.6}"),
        ValueRef::Real(number) => real(number),
        ValueRef::Text(text) => printable(&String::from_utf8_lossy(text), widest),
        ValueRef::Blob(bytes) => printable(&blob(bytes, column), widest),
    }
}

/// Control characters would break the table, or the terminal.
fn printable(text: &str, widest: usize) -> String {
    let mut shown: String = text.chars().take(widest).map(|c| if is_control(c) { ' ' } else { c }).collect();
    if text.chars().nth(widest).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// A REAL as SQLite writes it: 5.0 instead of 5, with an exponent if it is very small or large.
fn real(number: f64) -> String {
    format!("{number:?}")
}

fn blob(bytes: &[u8], column: &Column) -> String {
    match column.element {
        Some(element) => json!(decode(bytes, element)).to_string(),
        None => hex(bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn print_json(mut rows: Rows<'_>, columns: &[Column]) -> Result<()> {
    let mut out = stdout();
    let mut before = "[\n";
    while let Some(row) = rows.next()? {
        write!(out, "{before}  {}", json_text(&object(row, columns)?))?;
        before = ",\n";
    }
    writeln!(out, "{}", if before == "[\n" { "[]" } else { "\n]" })?;
    Ok(())
}

/// A row as JSON: vectors as lists, other BLOBs in hexadecimal.
pub fn object(row: &Row<'_>, columns: &[Column]) -> Result<Value> {
    let mut object = Map::new();
    for (position, column) in columns.iter().enumerate() {
        let value = match row.get_ref(position)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => json!(number),
            ValueRef::Real(number) => json!(number),
            ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
            ValueRef::Blob(bytes) => match column.element {
                Some(element) => json!(decode(bytes, element)),
                None => json!(hex(bytes)),
            },
        };
        object.insert(column.name.clone(), value);
    }
    Ok(Value::Object(object))
}

fn print_csv(mut rows: Rows<'_>, columns: &[Column]) -> Result<()> {
    let mut out = csv::Writer::from_writer(stdout());
    out.write_record(columns.iter().map(|column| &column.name)).map_err(csv_failure)?;
    while let Some(row) = rows.next()? {
        let mut record = csv::ByteRecord::new();
        for (position, column) in columns.iter().enumerate() {
            match row.get_ref(position)? {
                ValueRef::Null => record.push_field(b""),
                ValueRef::Integer(number) => record.push_field(number.to_string().as_bytes()),
                ValueRef::Real(number) => record.push_field(real(number).as_bytes()),
                ValueRef::Text(text) => record.push_field(text),
                ValueRef::Blob(bytes) => record.push_field(blob(bytes, column).as_bytes()),
            }
        }
        out.write_byte_record(&record).map_err(csv_failure)?;
    }
    out.flush()?;
    Ok(())
}

fn csv_failure(error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => Failure::new(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_carry_no_control_characters() {
        let body =
            vec![vec!["a\u{1b}[3\u{202e}1m".to_owned(), "1".to_owned()], vec!["größer".to_owned(), "10".to_owned()]];
        let body = body.into_iter().map(|row| row.iter().map(|cell| printable(cell, 48)).collect()).collect();
        let text = aligned(vec!["name".to_owned(), "n".to_owned()], body, &[false, true]);
        assert_eq!(text, "name      n\na [3 1m   1\ngrößer   10");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(printable("abcdef", 4), "abc…");
        assert_eq!(printable("abcd", 4), "abcd");
    }

    #[test]
    fn reals_look_like_reals() {
        assert_eq!(real(5.0), "5.0");
        assert_eq!(real(0.25), "0.25");
        assert_eq!(
            [real(1e-300), real(-2.5e300), real(1e15), real(-0.0)],
            ["1e-300", "-2.5e300", "1000000000000000.0", "-0.0"]
        );
    }
}
