//! The SQL that answers a request, and its rows as JSON.

use super::catalogue::Catalogue;
use super::connections::Settings;
use super::request::{FeedRequest, Filter, Taste, within};
use crate::failure::Failure;
use crate::output::{self, Column};
use crate::query::{from_json, mean};
use crate::sql::quote;
use rusqlite::types::Value as SqlValue;
use rusqlite::{OptionalExtension, params_from_iter};
use serde_json::{Value, json};
use vecrank::internals::distance::Element;

/// The reason for an error response.
pub enum Problem {
    /// The request is wrong.
    Refused(String),
    Missing(String),
    /// The service or its file has failed.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Problem {
    fn from(error: E) -> Problem {
        Problem::Failed(error.into())
    }
}

type Answer<T> = Result<T, Problem>;

/// Terms of WHERE, and the values of their parameters.
#[derive(Default)]
struct Terms {
    sql: Vec<String>,
    values: Vec<SqlValue>,
}

impl Terms {
    fn push(&mut self, sql: String, value: SqlValue) {
        self.sql.push(sql);
        self.values.push(value);
    }
}

pub fn page(catalogue: &Catalogue, request: FeedRequest, settings: &Settings) -> Answer<Vec<Value>> {
    let refused = Problem::Refused;
    within("limit", request.limit, 1, i64::from(settings.max_limit)).map_err(refused)?;
    within("offset", request.offset, 0, i64::from(settings.max_offset)).map_err(refused)?;
    let mut terms = Terms::default();
    let is_ranked = request.taste.is_some();
    if let Some(taste) = request.taste {
        let value = taste_value(catalogue, &taste)?;
        terms.push(format!("{} MATCH ?", quote(&catalogue.vector.name)), value);
        // Terms that the search itself tests, so that they come before the group limit.
        if let Taste::Liked(keys) = taste {
            keys.into_iter().for_each(|key| terms.push(format!("{} <> ?", key_sql(catalogue)), key));
        }
    }
    for (name, wanted) in request.filters {
        let column = quote(known_column(catalogue, "filters", &name)?);
        match wanted {
            Filter::Value(value) => terms.push(format!("{column} = ?"), value),
            Filter::OneOf(values) => {
                terms.sql.push(format!("{column} IN ({})", vec!["?"; values.len()].join(", ")));
                terms.values.extend(values);
            }
            Filter::Range(least, most) => {
                least.into_iter().for_each(|bound| terms.push(format!("{column} >= ?"), bound));
                most.into_iter().for_each(|bound| terms.push(format!("{column} <= ?"), bound));
            }
        }
    }
    if let Some(name) = request.group_by {
        let column = known_column(catalogue, "group_by", &name)?.clone();
        terms.push("group_by = ?".to_owned(), SqlValue::Text(column));
        terms.push("group_limit = ?".to_owned(), SqlValue::Integer(request.group_limit));
    }
    let terms_sql = if terms.sql.is_empty() { String::new() } else { format!("WHERE {}", terms.sql.join(" AND ")) };
    let order = if is_ranked { "distance" } else { catalogue.rowid };
    let select = select(catalogue, ", distance");
    let sql = format!("{select} {terms_sql} ORDER BY {order} LIMIT {} OFFSET {}", request.limit, request.offset);
    let mut columns = columns(catalogue);
    columns.push(Column { name: "distance".to_owned(), element: None });
    rows(catalogue, &sql, terms.values, &columns)
}

/// The columns of one row.
pub fn item(catalogue: &Catalogue, key: &str) -> Answer<Value> {
    let sql = format!("{} WHERE {} = ?", select(catalogue, ""), key_sql(catalogue));
    let found = rows(catalogue, &sql, vec![SqlValue::Text(key.to_owned())], &columns(catalogue))?;
    let missing = || Problem::Missing(format!("no row has {} \"{key}\"", catalogue.key));
    found.into_iter().next().ok_or_else(missing)
}

fn columns(catalogue: &Catalogue) -> Vec<Column> {
    catalogue.table.columns.iter().map(|name| Column { name: name.clone(), element: None }).collect()
}

fn select(catalogue: &Catalogue, more: &str) -> String {
    let names: Vec<String> = catalogue.table.columns.iter().map(|name| quote(name)).collect();
    let names = if names.is_empty() { catalogue.rowid.to_owned() } else { names.join(", ") };
    format!("SELECT {names}{more} FROM {}", quote(&catalogue.table.name))
}

fn key_sql(catalogue: &Catalogue) -> String {
    if catalogue.key == catalogue.rowid { catalogue.rowid.to_owned() } else { quote(&catalogue.key) }
}

fn known_column<'a>(catalogue: &'a Catalogue, field: &str, name: &str) -> Answer<&'a String> {
    let (table, columns) = (&catalogue.table.name, catalogue.table.columns.join(", "));
    let unknown = || Problem::Refused(format!("{field}: {table} has no column \"{name}\"; the columns are {columns}"));
    catalogue.column(name).ok_or_else(unknown)
}

fn rows(catalogue: &Catalogue, sql: &str, values: Vec<SqlValue>, columns: &[Column]) -> Answer<Vec<Value>> {
    let mut statement = catalogue.connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(output::object(row, columns)?);
    }
    Ok(found)
}

/// The right side of MATCH: the bytes of a FLOAT column, JSON for others.
fn taste_value(catalogue: &Catalogue, taste: &Taste) -> Answer<SqlValue> {
    let is_cosine = catalogue.metric == "cosine";
    match taste {
        Taste::Liked(keys) => {
            let vectors = keys.iter().map(|key| stored_vector(catalogue, key)).collect::<Answer<Vec<_>>>()?;
            let value = match vectors.as_slice() {
                [only] => SqlValue::Blob(only.clone()),
                several => mean(several, catalogue.vector.element),
            };
            if vectors.len() > 1 && is_cosine && is_zero(&value) {
                return Err(Problem::Refused("liked: the vectors of these rows cancel each other out".to_owned()));
            }
            Ok(value)
        }
        Taste::Embedding(numbers) => {
            let dims = catalogue.vector.dims;
            if numbers.len() != dims {
                return Err(Problem::Refused(format!("embedding: expected {dims} numbers, got {}", numbers.len())));
            }
            let vector: Vec<f32> = numbers.iter().map(|&number| number as f32).collect();
            if let Some(index) = vector.iter().position(|number| !number.is_finite()) {
                let text = format!("embedding: number {} is not a finite 32-bit float", index + 1);
                return Err(Problem::Refused(text));
            }
            if is_cosine && vector.iter().all(|&number| number == 0.0) {
                return Err(Problem::Refused("embedding: expected a direction, got only zeros".to_owned()));
            }
            if catalogue.vector.element == Element::Bit && vector.iter().any(|&number| number != 0.0 && number != 1.0) {
                let text = "embedding: expected zeros and ones, for the column is of BIT";
                return Err(Problem::Refused(text.to_owned()));
            }
            Ok(match catalogue.vector.element {
                Element::F32 => SqlValue::Blob(vector.iter().flat_map(|number| number.to_le_bytes()).collect()),
                _ => SqlValue::Text(json!(vector).to_string()),
            })
        }
    }
}

/// Whether a vector has only zeros, in bytes or as JSON.
fn is_zero(vector: &SqlValue) -> bool {
    match vector {
        SqlValue::Blob(bytes) => bytes.chunks(4).all(|number| matches!(number, [0, 0, 0, 0 | 0x80])),
        SqlValue::Text(json) => !json.contains(|c: char| ('1'..='9').contains(&c)),
        _ => false,
    }
}

/// The vector of a liked row, as its column stores it. In a user's own table under an index it may be JSON text, and may be
/// wrong.
fn stored_vector(catalogue: &Catalogue, key: &SqlValue) -> Answer<Vec<u8>> {
    let (vector, table) = (quote(&catalogue.vector.name), quote(&catalogue.table.name));
    let shown = match key {
        SqlValue::Integer(number) => number.to_string(),
        SqlValue::Text(text) => text.clone(),
        _ => String::new(),
    };
    let sql = format!("SELECT {vector} FROM {table} WHERE {} = ?", key_sql(catalogue));
    let found =
        catalogue.connection.prepare_cached(&sql)?.query_row([key], |row| row.get::<_, SqlValue>(0)).optional()?;
    let Some(stored) = found.filter(|stored| *stored != SqlValue::Null) else {
        return Err(Problem::Refused(format!("liked: no row with a vector has {} \"{shown}\"", catalogue.key)));
    };
    // The search checks its query vector, and ends before it begins.
    let check = format!("SELECT 1 FROM {table} WHERE {vector} MATCH ? AND k = 0");
    match catalogue.connection.prepare_cached(&check)?.query_row([&stored], |_| Ok(())).optional() {
        Ok(_) => {}
        Err(rusqlite::Error::SqliteFailure(ffi, Some(reason))) if ffi.extended_code == rusqlite::ffi::SQLITE_ERROR => {
            return Err(Problem::Refused(format!(
                "liked: the vector of {} \"{shown}\" is wrong: {reason}",
                catalogue.key
            )));
        }
        Err(error) => return Err(error.into()),
    }
    match stored {
        SqlValue::Blob(bytes) => Ok(bytes),
        json => {
            let parse = format!("SELECT {}(?)", from_json(catalogue.vector.element));
            Ok(catalogue.connection.prepare_cached(&parse)?.query_row([&json], |row| row.get(0))?)
        }
    }
}
