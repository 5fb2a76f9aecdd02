//! `vecrank query`.

use crate::args::QueryArgs;
use crate::database::{self, Table, VectorColumn};
use crate::failure::{Failure, Result};
use crate::info::{Entries, json, shown};
use crate::interrupt;
use crate::output::{self, Column, Format};
use crate::screen::{json_lines, stdout};
use crate::sql::{literal, quote_if_needed};
use rusqlite::types::Value;
use rusqlite::{Connection, Statement};
use std::io::{Read, Write};
use vecrank::internals::distance::{Element, decode};

/// The query as checked before the file is opened.
struct FeedQuery<'a> {
    args: &'a QueryArgs,
    /// JSON, from --vector.
    vector: Option<String>,
    /// Column and value, from --like.
    likes: Vec<(&'a str, &'a str)>,
    ef_search: Option<Value>,
}

pub fn run(args: &QueryArgs) -> Result<()> {
    let query = FeedQuery::new(args)?;
    let connection = database::open_readable(&args.database)?;
    let in_file = |failure: Failure| failure.at(args.database.display());
    let table = database::table(&connection, args.table.as_deref()).map_err(in_file)?;
    let _watch = interrupt::watch(&connection);
    query.answer(&connection, &table).map_err(in_file)
}

impl<'a> FeedQuery<'a> {
    fn new(args: &'a QueryArgs) -> Result<FeedQuery<'a>> {
        let likes = args.like.iter().map(|like| {
            like.split_once('=').ok_or_else(|| Failure::new(format!("--like {like}: expected COLUMN=VALUE")))
        });
        let likes = likes.collect::<Result<Vec<_>>>()?;
        let ef_search = match args.ef_search.as_deref() {
            None => None,
            Some("exact") => Some(Value::Text("exact".to_owned())),
            Some(text) => Some(Value::Integer(
                text.parse().map_err(|_| Failure::new(format!("--ef-search {text}: expected a number or exact")))?,
            )),
        };
        let vector = args.vector.as_deref().map(read_vector).transpose()?;
        if vector.is_none() && likes.is_empty() && (ef_search.is_some() || args.embedding.is_some()) {
            return Err(Failure::new("--ef-search and --embedding need a vector: give --vector or --like"));
        }
        Ok(FeedQuery { args, vector, likes, ef_search })
    }

    fn is_ranked(&self) -> bool {
        self.vector.is_some() || !self.likes.is_empty()
    }

    fn answer(&self, connection: &Connection, table: &Table) -> Result<()> {
        let columns = self.columns(table)?;
        let vector = if self.is_ranked() { Some(table.vector(self.args.embedding.as_deref())?) } else { None };
        let sql = self.sql(table, &columns, vector);
        let likes = self.likes.iter().map(|like| Like::new(connection, table, *like)).collect::<Result<Vec<_>>>()?;
        let value = vector.map(|vector| self.vector_value(connection, table, vector, &likes)).transpose()?;
        if self.args.explain {
            let vector_sql = vector.map(|vector| match &value {
                // Bits have no mean in SQL.
                Some(Value::Text(json)) if vector.element == Element::Bit => literal(json),
                _ => self.vector_sql(table, vector, &likes),
            });
            let explanation = self.explain(connection, sql, vector_sql, value)?;
            let search = vector.map(|vector| last_search(connection, table, vector)).transpose()?;
            return if self.args.json { explanation.print_json(search) } else { explanation.print(search) };
        }
        let mut statement = self.prepare(connection, &sql)?;
        bind(&mut statement, "vector", value)?;
        bind(&mut statement, "ef_search", self.ef_search.clone())?;
        let format = match (self.args.json, self.args.csv) {
            (true, _) => Format::Json,
            (_, true) => Format::Csv,
            _ => Format::Table,
        };
        output::print(statement.raw_query(), &columns, format)
    }

    /// The columns to print, each with the element type if it holds vectors.
    fn columns(&self, table: &Table) -> Result<Vec<Column>> {
        let ordinary = |name: &String| Column { name: name.clone(), element: None };
        let mut columns: Vec<Column> = Vec::new();
        for wanted in &self.args.columns {
            let same = |name: &str| name.eq_ignore_ascii_case(wanted);
            let vector = table.vectors.iter().find(|vector| same(&vector.name));
            let column = match (vector, table.columns.iter().find(|name| same(name))) {
                (Some(vector), _) => Column { name: vector.name.clone(), element: Some(vector.element) },
                (None, Some(name)) => ordinary(name),
                (None, None) if same("rowid") || same("distance") => Column { name: wanted.clone(), element: None },
                (None, None) => return Err(no_column(table, wanted)),
            };
            columns.push(column);
        }
        if columns.is_empty() {
            columns = table.columns.iter().map(ordinary).collect();
        }
        if self.is_ranked() && !columns.iter().any(|column| column.name.eq_ignore_ascii_case("distance")) {
            columns.push(Column { name: "distance".to_owned(), element: None });
        }
        if columns.is_empty() {
            columns.push(Column { name: "rowid".to_owned(), element: None });
        }
        Ok(columns)
    }

    fn sql(&self, table: &Table, columns: &[Column], vector: Option<&VectorColumn>) -> String {
        let names: Vec<String> = columns.iter().map(|column| quote_if_needed(&column.name)).collect();
        let mut terms = Vec::new();
        if let Some(vector) = vector {
            terms.push(format!("{} MATCH :vector", quote_if_needed(&vector.name)));
        }
        if self.ef_search.is_some() {
            terms.push("ef_search = :ef_search".to_owned());
        }
        if let Some(filter) = &self.args.filter {
            // The line break ends a comment in the condition.
            terms.push(format!("({filter}\n)"));
        }
        let mut sql = format!("SELECT {} FROM {}", names.join(", "), quote_if_needed(&table.name));
        if !terms.is_empty() {
            sql += &format!("\nWHERE {}", terms.join("\n  AND "));
        }
        if vector.is_some() {
            sql += "\nORDER BY distance";
        }
        format!("{sql}\nLIMIT {} OFFSET {}", self.args.limit, self.args.offset)
    }

    /// A mistake in --where is the user's own SQL; say so.
    fn prepare<'c>(&self, connection: &'c Connection, sql: &str) -> Result<Statement<'c>> {
        connection.prepare(sql).map_err(|error| match (&self.args.filter, error) {
            (Some(filter), rusqlite::Error::SqlInputError { msg, .. }) => {
                Failure::new(format!("--where \"{filter}\": {msg}"))
            }
            (Some(filter), rusqlite::Error::MultipleStatement) => {
                Failure::new(format!("--where \"{filter}\": expected one condition"))
            }
            (_, error) => error.into(),
        })
    }

    /// What MATCH is given: the JSON as it came, the stored bytes of one liked row, or the mean of several.
    fn vector_value(
        &self,
        connection: &Connection,
        table: &Table,
        vector: &VectorColumn,
        likes: &[Like<'_>],
    ) -> Result<Value> {
        if let Some(json) = &self.vector {
            return Ok(Value::Text(json.clone()));
        }
        let mut found: Vec<Vec<u8>> = Vec::new();
        for like in likes {
            let before = found.len();
            let name = quote_if_needed(&vector.name);
            // An index over a table gives JSON text where the table has it.
            let stored = format!("iif(typeof({name}) = 'text', {}({name}), {name})", from_json(vector.element));
            let rows_of = format!("SELECT {stored} FROM {} WHERE {}", quote_if_needed(&table.name), like.sql());
            let mut statement = connection.prepare(&rows_of)?;
            let mut rows = 0;
            for stored in statement.query_map([], |row| row.get::<_, Option<Vec<u8>>>(0))? {
                rows += 1;
                found.extend(stored?);
            }
            if found.len() == before {
                let lacks = if rows == 0 { "no row has" } else { "no row with a vector has" };
                let (column, value) = (like.column, like.value);
                return Err(Failure::new(format!("table {}: {lacks} {column} = '{value}'", table.name)));
            }
        }
        Ok(match found.as_slice() {
            [only] => Value::Blob(only.clone()),
            several => mean(several, vector.element),
        })
    }

    /// The statement, and how SQLite runs it. Runs it.
    fn explain(
        &self,
        connection: &Connection,
        sql: String,
        vector: Option<String>,
        value: Option<Value>,
    ) -> Result<Explanation> {
        let mut plan = Vec::new();
        for (prefix, is_plan) in [("EXPLAIN QUERY PLAN ", true), ("", false)] {
            let mut statement = self.prepare(connection, &format!("{prefix}{sql}"))?;
            bind(&mut statement, "vector", value.clone())?;
            bind(&mut statement, "ef_search", self.ef_search.clone())?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                if is_plan {
                    plan.push(row.get("detail")?);
                }
            }
        }
        let ef_search = self.ef_search.as_ref().map(|ef_search| match ef_search {
            Value::Text(text) => literal(text),
            Value::Integer(number) => number.to_string(),
            _ => String::new(),
        });
        Ok(Explanation { vector, ef_search, sql, plan })
    }

    /// The vector as one would write it in SQL.
    fn vector_sql(&self, table: &Table, vector: &VectorColumn, likes: &[Like<'_>]) -> String {
        if let Some(json) = &self.vector {
            return literal(json);
        }
        let likes: Vec<String> = likes.iter().map(Like::sql).collect();
        let name = quote_if_needed(&vector.name);
        let result = if likes.len() == 1 { name } else { format!("vec_avg({name})") };
        format!("(SELECT {result} FROM {} WHERE {})", quote_if_needed(&table.name), likes.join(" OR "))
    }
}

/// A statement, its parameters as one would write them in SQL, and its plan.
struct Explanation {
    vector: Option<String>,
    ef_search: Option<String>,
    sql: String,
    plan: Vec<String>,
}

impl Explanation {
    fn print(&self, search: Option<Entries>) -> Result<()> {
        let mut out = stdout();
        for (name, value) in [("vector", &self.vector), ("ef_search", &self.ef_search)] {
            if let Some(value) = value {
                writeln!(out, "-- :{name} = {value}")?;
            }
        }
        writeln!(out, "{};\n\n{}", self.sql, self.plan.join("\n"))?;
        if let Some(search) = search {
            let width = search.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
            let lines = search.iter().map(|(key, value)| format!("{key:width$}  {}\n", shown(key, value)));
            write!(out, "\n{}", lines.collect::<String>())?;
        }
        Ok(())
    }

    fn print_json(&self, search: Option<Entries>) -> Result<()> {
        let search = search.map(|search| search.iter().map(|(key, value)| (key.clone(), json(value))).collect());
        let search: Option<serde_json::Map<String, serde_json::Value>> = search;
        let Explanation { vector, ef_search, sql, plan } = self;
        let whole = serde_json::json!({
            "vector": vector, "ef_search": ef_search, "sql": sql, "plan": plan, "search": search,
        });
        writeln!(stdout(), "{}", json_lines(&whole))?;
        Ok(())
    }
}

/// What the last search of a vector column took, of `hnsw_stats`.
fn last_search(connection: &Connection, table: &Table, vector: &VectorColumn) -> Result<Entries> {
    let prefix = if table.vectors.len() == 1 { String::new() } else { format!("{}.", vector.name) };
    let mut statement = connection.prepare("SELECT key, value FROM hnsw_stats(?1)")?;
    let entries = statement.query_map([&table.name], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut last = Entries::new();
    for entry in entries {
        let (key, value) = entry?;
        if let Some(key) = key.strip_prefix(&prefix).and_then(|key| key.strip_prefix("last_")) {
            last.push((key.to_owned(), value));
        }
    }
    Ok(last)
}

/// A --like whose column is in the table.
struct Like<'a> {
    column: &'a str,
    value: &'a str,
    /// The column converts nothing, and the value is a number: as a text it would be found nowhere.
    is_number: bool,
}

impl<'a> Like<'a> {
    fn new(connection: &Connection, table: &'a Table, (column, value): (&str, &'a str)) -> Result<Like<'a>> {
        let known = table.columns.iter().find(|name| name.eq_ignore_ascii_case(column));
        let column = known.ok_or_else(|| no_column(table, column))?;
        let is_untyped = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2 AND type = '')",
            [&table.name, column],
            |row| row.get(0),
        )?;
        Ok(Like { column, value, is_number: is_untyped && value.parse::<i64>().is_ok() })
    }

    fn sql(&self) -> String {
        let value = if self.is_number { self.value.to_owned() } else { literal(self.value) };
        format!("{} = {value}", quote_if_needed(self.column))
    }
}

/// JSON, or @FILE with JSON in it. The extension reads the numbers; what is no array is refused here.
fn read_vector(argument: &str) -> Result<String> {
    let text = match argument.strip_prefix('@') {
        None => argument.to_owned(),
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Failure::new(format!("--vector @-: standard input cannot be read: {error}")))?;
            text
        }
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::new(format!("--vector {argument}: cannot be read: {error}")))?,
    };
    let text = text.trim();
    if text.starts_with('[') && text.ends_with(']') {
        return Ok(text.to_owned());
    }
    Err(Failure::new(format!("--vector {argument}: expected JSON such as [0.1, -0.2], or @FILE with such JSON in it")))
}

/// The function that makes the stored bytes of JSON text.
pub fn from_json(element: Element) -> &'static str {
    match element {
        Element::F32 => "vec_parse",
        Element::F16 => "vec_f16",
        Element::I8 => "vec_int8",
        // Of zeros and ones they are the signs.
        Element::Bit => "vec_bit",
    }
}

/// The mean of stored vectors, as JSON: a FLOAT16 or INT8 column takes that too. Of bits those that most have.
pub fn mean(stored: &[Vec<u8>], element: Element) -> Value {
    let mut sums: Vec<f64> = Vec::new();
    for bytes in stored {
        let components = decode(bytes, element);
        sums.resize(components.len().max(sums.len()), 0.0);
        for (sum, component) in sums.iter_mut().zip(components) {
            *sum += f64::from(component);
        }
    }
    let components: Vec<f32> = sums.iter().map(|sum| (sum / stored.len() as f64) as f32).collect();
    match element {
        Element::F32 => Value::Blob(components.iter().flat_map(|component| component.to_le_bytes()).collect()),
        Element::F16 | Element::I8 => Value::Text(serde_json::json!(components).to_string()),
        Element::Bit => {
            let bits: Vec<u8> = components.iter().map(|&share| u8::from(share > 0.5)).collect();
            Value::Text(serde_json::json!(bits).to_string())
        }
    }
}

fn bind(statement: &mut Statement<'_>, name: &str, value: Option<Value>) -> Result<()> {
    if let Some(parameter) = statement.parameter_index(&format!(":{name}"))? {
        statement.raw_bind_parameter(parameter, value)?;
    }
    Ok(())
}

fn no_column(table: &Table, name: &str) -> Failure {
    let vectors = table.vectors.iter().map(|vector| &vector.name);
    let names: Vec<&str> = table.columns.iter().chain(vectors).map(String::as_str).collect();
    Failure::new(format!("table {} has no column \"{name}\"; the columns are {}", table.name, names.join(", ")))
}
