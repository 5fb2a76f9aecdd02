//! A request for a page, as far as it can be checked without the table.

use rusqlite::types::Value as SqlValue;
use serde_json::{Map, Value};

/// Most keys in `liked`, most values of a column in `filters`, and the largest `group_limit`.
pub const MOST_LIKED: usize = 100;
const MOST_VALUES: usize = 100;
const MOST_OF_A_GROUP: i64 = 1000;

const FIELDS: [&str; 7] = ["limit", "offset", "embedding", "liked", "filters", "group_by", "group_limit"];
const WHOLE_NUMBER: &str = "a whole number";

#[derive(Debug, PartialEq)]
pub struct FeedRequest {
    pub limit: i64,
    pub offset: i64,
    pub taste: Option<Taste>,
    pub filters: Vec<(String, Filter)>,
    pub group_by: Option<String>,
    pub group_limit: i64,
}

/// The vector that rows are ranked by.
#[derive(Debug, PartialEq)]
pub enum Taste {
    Embedding(Vec<f64>),
    /// The mean of the vectors of rows with these keys.
    Liked(Vec<SqlValue>),
}

#[derive(Debug, PartialEq)]
pub enum Filter {
    Value(SqlValue),
    OneOf(Vec<SqlValue>),
    /// Bounds that belong to the range.
    Range(Option<SqlValue>, Option<SqlValue>),
}

/// Why a request is refused: one line that names the field.
pub type Checked<T> = Result<T, String>;

impl FeedRequest {
    pub fn parse(body: &[u8]) -> Checked<FeedRequest> {
        let body: Value = serde_json::from_slice(body).map_err(|error| format!("body: expected JSON: {error}"))?;
        let Value::Object(fields) = body else { return Err("body: expected a JSON object".to_owned()) };
        if let Some(unknown) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(format!("body: no field \"{unknown}\"; the fields are {}", FIELDS.join(", ")));
        }
        let number = |name: &str| {
            given(&fields, name).map(|value| value.as_i64().ok_or_else(|| expected(name, WHOLE_NUMBER))).transpose()
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let group_by = given(&fields, "group_by")
            .map(|value| text(value).ok_or_else(|| expected("group_by", "the name of a column")))
            .transpose()?;
        let group_limit = number("group_limit")?;
        if group_by.is_none() && group_limit.is_some() {
            return Err("group_limit: give group_by too".to_owned());
        }
        let taste = taste(&fields)?;
        if group_by.is_some() && taste.is_none() {
            return Err("group_by: give liked or embedding too".to_owned());
        }
        let group_limit = group_limit.unwrap_or(1);
        within("group_limit", group_limit, 1, MOST_OF_A_GROUP)?;
        Ok(FeedRequest {
            limit: number("limit")?.unwrap_or(20),
            offset: number("offset")?.unwrap_or(0),
            taste,
            filters: filters(&fields)?,
            group_by,
            group_limit,
        })
    }
}

/// A field that is there and not null.
fn given<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn expected(name: &str, what: &str) -> String {
    format!("{name}: expected {what}")
}

pub fn within(name: &str, number: i64, least: i64, most: i64) -> Checked<()> {
    if (least..=most).contains(&number) {
        return Ok(());
    }
    Err(format!("{name}: expected {least} to {most}, got {number}"))
}

fn count_within(name: &str, count: usize, most: usize) -> Checked<()> {
    let as_number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    within(name, as_number(count), 1, as_number(most))
}

fn taste(fields: &Map<String, Value>) -> Checked<Option<Taste>> {
    match (given(fields, "liked"), given(fields, "embedding")) {
        (Some(_), Some(_)) => Err("embedding: give liked or embedding, not both".to_owned()),
        (Some(liked), None) => {
            let keys = liked.as_array().and_then(|keys| keys.iter().map(key).collect::<Option<Vec<_>>>());
            let keys = keys.ok_or_else(|| expected("liked", "a list of keys: texts or whole numbers"))?;
            count_within("liked: ids", keys.len(), MOST_LIKED)?;
            Ok(Some(Taste::Liked(keys)))
        }
        (None, Some(embedding)) => {
            let numbers = embedding.as_array().and_then(|numbers| numbers.iter().map(Value::as_f64).collect());
            Ok(Some(Taste::Embedding(numbers.ok_or_else(|| expected("embedding", "a list of numbers"))?)))
        }
        (None, None) => Ok(None),
    }
}

fn key(value: &Value) -> Option<SqlValue> {
    match value {
        Value::String(text) => Some(SqlValue::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(SqlValue::Integer),
        _ => None,
    }
}

fn filters(fields: &Map<String, Value>) -> Checked<Vec<(String, Filter)>> {
    let Some(value) = given(fields, "filters") else { return Ok(Vec::new()) };
    let columns = value.as_object().ok_or_else(|| expected("filters", "an object with columns"))?;
    columns.iter().map(|(column, wanted)| Ok((column.clone(), filter(column, wanted)?))).collect()
}

fn filter(column: &str, wanted: &Value) -> Checked<Filter> {
    let wrong = || expected(&format!("filters.{column}"), "a value, a list of values, or {\"min\": ..., \"max\": ...}");
    match wanted {
        Value::Array(values) => {
            count_within(&format!("filters.{column}: values"), values.len(), MOST_VALUES)?;
            let values = values.iter().map(scalar).collect::<Option<Vec<_>>>();
            values.map(Filter::OneOf).ok_or_else(wrong)
        }
        Value::Object(bounds) if bounds.keys().all(|name| name == "min" || name == "max") => {
            let bound = |name| given(bounds, name).map(|value| scalar(value).ok_or_else(wrong)).transpose();
            match (bound("min")?, bound("max")?) {
                (None, None) => Err(expected(&format!("filters.{column}"), "min, max or both")),
                (least, most) => Ok(Filter::Range(least, most)),
            }
        }
        value => scalar(value).map(Filter::Value).ok_or_else(wrong),
    }
}

fn scalar(value: &Value) -> Option<SqlValue> {
    match value {
        Value::String(text) => Some(SqlValue::Text(text.clone())),
        Value::Bool(is_true) => Some(SqlValue::Integer(i64::from(*is_true))),
        Value::Number(number) => number.as_i64().map(SqlValue::Integer).or(number.as_f64().map(SqlValue::Real)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        FeedRequest::parse(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_request_has_defaults() {
        let expected =
            FeedRequest { limit: 20, offset: 0, taste: None, filters: Vec::new(), group_by: None, group_limit: 1 };
        assert_eq!(FeedRequest::parse(b"{}").unwrap(), expected);
        assert_eq!(FeedRequest::parse(b"{\"limit\": 20, \"liked\": null}").unwrap(), expected);
    }

    #[test]
    fn filters_are_values_lists_and_ranges() {
        let body = "{\"filters\": {\"a\": true, \"b\": [1, 2.5, \"x\"], \"c\": {\"min\": 3}}}";
        let filters = FeedRequest::parse(body.as_bytes()).unwrap().filters;
        let (one, real, text) = (SqlValue::Integer(1), SqlValue::Real(2.5), SqlValue::Text("x".into()));
        assert_eq!(
            filters,
            [
                ("a".to_owned(), Filter::Value(one.clone())),
                ("b".to_owned(), Filter::OneOf(vec![one, real, text])),
                ("c".to_owned(), Filter::Range(Some(SqlValue::Integer(3)), None)),
            ]
        );
    }

    #[test]
    fn errors_of_a_request_name_the_field() {
        assert_eq!(refused("[]"), "body: expected a JSON object");
        assert!(refused("{").starts_with("body: expected JSON: "));
        assert!(refused("{\"embedding\": [NaN]}").starts_with("body: expected JSON: "));
        assert_eq!(refused("{\"limit\": 1.5}"), "limit: expected a whole number");
        assert_eq!(refused("{\"embedding\": [\"1\"]}"), "embedding: expected a list of numbers");
        assert_eq!(refused("{\"liked\": [1.5]}"), "liked: expected a list of keys: texts or whole numbers");
        assert_eq!(refused("{\"filters\": []}"), "filters: expected an object with columns");
        assert_eq!(refused("{\"group_by\": 1}"), "group_by: expected the name of a column");
        assert_eq!(
            refused("{\"filters\": {\"a\": {\"like\": 1}}}"),
            "filters.a: expected a value, a list of values, or {\"min\": ..., \"max\": ...}"
        );
    }
}
