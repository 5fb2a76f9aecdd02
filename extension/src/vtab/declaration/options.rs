//! The options of CREATE VIRTUAL TABLE: `metric = 'cosine', m = 16, image.metric = 'l2', model = 'minilm'`.

use super::schema::{Column, ColumnKind};
use super::tokens::{Token, TokenKind, join};
use crate::distance::Metric;
use crate::error::{Error, Result};
use crate::hnsw::Params;

const NAMES: [&str; 5] = ["metric", "m", "ef_construction", "ef_search", "model"];

/// The options as written, kept until all columns are known.
#[derive(Default)]
pub struct Options {
    entries: Vec<Entry>,
}

struct Entry {
    /// The vector column that the option is for; None for all of them.
    column: Option<String>,
    /// One of NAMES.
    name: &'static str,
    value: String,
}

impl Entry {
    fn label(&self) -> String {
        match &self.column {
            Some(column) => format!("{column}.{}", self.name),
            None => self.name.to_string(),
        }
    }
}

impl Options {
    /// Takes one argument of the form `name = value` or `column.name = value`.
    pub fn take(&mut self, table: &str, tokens: &[Token<'_>]) -> Result<()> {
        let (column, name, value) = match tokens {
            [name, equals, value @ ..] if equals.is_symbol('=') => (None, name, value),
            [column, dot, name, equals, value @ ..]
                if dot.is_symbol('.') && equals.is_symbol('=') && column.is_name() =>
            {
                (Some(column.content()), name, value)
            }
            _ => return Err(Error::invalid(format!("{table}: expected option = value, got {}", join(tokens)))),
        };
        let name = name.content();
        let known = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(&name)).ok_or_else(|| {
            Error::invalid(format!(
                "{table}: unknown option \"{name}\": expected metric, m, ef_construction, ef_search, model, content or sync"
            ))
        })?;
        let entry = Entry { column, name: known, value: value_text(table, known, value)? };
        if self.entries.iter().any(|other| other.label().eq_ignore_ascii_case(&entry.label())) {
            return Err(Error::invalid(format!("{table}: the option {} is given twice", entry.label())));
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Sets the parameters of the vector columns: first by the options for all columns, then by those for one.
    pub fn apply(&self, table: &str, columns: &mut [Column]) -> Result<()> {
        let of_table = |error: Error| Error::invalid(format!("{table}: {error}"));
        for entry in self.entries.iter().filter(|entry| entry.column.is_none()) {
            let mut refused = None;
            let mut is_taken = false;
            for column in columns.iter_mut() {
                let ColumnKind::Vector { params, model, .. } = &mut column.kind else { continue };
                let before = params.metric;
                set(params, model, entry).map_err(of_table)?;
                match params.check_metric() {
                    Ok(()) => is_taken = true,
                    // Beside a BIT column the metric is that of the others, and the other way round.
                    Err(error) => {
                        params.metric = before;
                        refused = Some(error);
                    }
                }
            }
            refused.filter(|_| !is_taken).map_or(Ok(()), |error| Err(of_table(error)))?;
        }
        for entry in &self.entries {
            let Some(name) = &entry.column else { continue };
            let column = columns.iter_mut().find(|column| column.name.eq_ignore_ascii_case(name));
            match column.map(|column| &mut column.kind) {
                Some(ColumnKind::Vector { params, model, .. }) => {
                    set(params, model, entry)
                        .and_then(|()| params.check_metric())
                        .map_err(|error| Error::invalid(format!("{table}.{name}: {error}")))?;
                }
                _ => {
                    let label = entry.label();
                    return Err(Error::invalid(format!(
                        "{table}: the option {label} is for no vector column of the table"
                    )));
                }
            }
        }
        Ok(())
    }
}

fn value_text(table: &str, name: &str, tokens: &[Token<'_>]) -> Result<String> {
    match tokens {
        [value] if name == "model" => label(table, value, value.raw.to_string()),
        [sign, number] if name == "model" && sign.is_symbol('-') => label(table, number, format!("-{}", number.raw)),
        [value] if !matches!(value.kind, TokenKind::Symbol(_)) => Ok(value.content()),
        [sign, number] if sign.is_symbol('-') && number.kind == TokenKind::Number => Ok(format!("-{}", number.raw)),
        [] => Err(Error::invalid(format!("{table}: {name}: expected a value, got nothing"))),
        _ => Err(Error::invalid(format!("{table}: {name}: expected one value, got {}", join(tokens)))),
    }
}

/// The name of an embedding model: a text that is not empty.
fn label(table: &str, value: &Token<'_>, got: String) -> Result<String> {
    let is_text = value.is_name() && !value.is_word("NULL") && got == value.raw;
    let label = value.content();
    if is_text && !label.trim().is_empty() {
        return Ok(label);
    }
    let example = "expected the name of the embedding model, such as 'text-embedding-3-small'";
    Err(Error::invalid(format!("{table}: model: {example}, got {got}")))
}

fn set(params: &mut Params, model: &mut Option<String>, entry: &Entry) -> Result<()> {
    let number = |range: std::ops::RangeInclusive<usize>| match entry.value.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => {
            let (name, value) = (entry.name, &entry.value);
            Err(Error::invalid(format!("{name}: expected {} to {}, got {value}", range.start(), range.end())))
        }
    };
    match entry.name {
        "metric" => params.metric = Metric::parse(&entry.value)?,
        "m" => params.m = number(Params::M_RANGE)?,
        "model" => *model = Some(entry.value.clone()),
        "ef_construction" => params.ef_construction = number(Params::EF_RANGE)?,
        _ => params.ef_search = number(Params::EF_RANGE)?,
    }
    Ok(())
}
