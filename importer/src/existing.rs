//! Fits the plan to an existing table that gets more rows, and refuses what would have to change in the table.

use crate::args::TypeArg;
use crate::database::{self, VectorColumn};
use crate::failure::{Failure, Result};
use crate::mapping::Mapping;
use crate::options::{ExplicitOptions, Mode};
use crate::plan::{Kind, Plan, UNKNOWN_DIMS};
use crate::sql::{literal, quote};
use crate::vectors::{VectorType, holds_nothing};
use arrow_schema::DataType;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use vecrank::internals::distance::{Element, Metric};

/// The table that gets the rows, with the properties of its columns.
struct TargetTable<'a> {
    connection: &'a Connection,
    table: &'a database::Table,
    /// By the names of the vector columns.
    settings: HashMap<String, ExplicitOptions>,
    /// Declared types, by the names of all columns in lower case.
    declared: HashMap<String, String>,
}

impl TargetTable<'_> {
    fn fault(&self, column: &str, text: &str) -> Failure {
        Failure::new(format!("table {}, column \"{column}\": {text}", self.table.name))
    }

    fn adopt_vector(&self, planned: &mut VectorType, vector: &VectorColumn, asked: ExplicitOptions) -> Result<()> {
        let in_column = |text: String| self.fault(&vector.name, &text);
        let made = self.settings.get(&vector.name).ok_or_else(|| in_column("hnsw_info does not know it".to_owned()))?;
        check_explicit(asked, *made).map_err(in_column)?;
        if vector.element == Element::Bit && planned.element != Element::Bit && planned.dims != UNKNOWN_DIMS {
            return Err(in_column(
                "it holds bits in the table: --element bit stores bits, or the signs of numbers".to_owned(),
            ));
        }
        if planned.dims != vector.dims && planned.dims != UNKNOWN_DIMS {
            return Err(in_column(format!("expected {} dimensions, the files have {}", vector.dims, planned.dims)));
        }
        planned.dims = vector.dims;
        planned.element = vector.element;
        planned.metric = made.metric.unwrap_or(planned.metric);
        Ok(())
    }

    /// Checks that the table stores a column's values unchanged. Returns the type to convert them to, if that is
    /// needed.
    fn check_ordinary(&self, name: &str, mapping: &Mapping, indexed: bool) -> Result<Option<TypeArg>> {
        let in_column = |text: String| self.fault(name, &text);
        if !self.table.columns.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(in_column("the table has no such column; leave it out with --exclude".to_owned()));
        }
        if indexed && !has_index(self.connection, &self.table.name, name)? {
            return Err(in_column(
                "it has no index in the table, and adding rows cannot give it one (--index)".to_owned(),
            ));
        }
        let declared = self.declared.get(&name.to_ascii_lowercase()).map_or("", String::as_str);
        check_type(mapping, declared, name).map_err(in_column)?;
        check_moments(mapping, self.connection, &self.table.name, name)?.map_err(in_column)?;
        let may_change = mapping.is_unsigned() && affinity(declared) != Affinity::Blob;
        Ok(may_change.then_some(TypeArg::Integer))
    }
}

/// Fits the plan to the existing table of its name.
pub fn adopt(mut plan: Plan, connection: &Connection) -> Result<Plan> {
    let table = database::table(connection, Some(&plan.options.table))?;
    plan.options.table.clone_from(&table.name);
    let settings = settings(connection, &table.name)?;
    let declared = declared_types(connection, &table.name)?;
    let existing = TargetTable { connection, table: &table, settings, declared };
    let mut asked = Vec::new();
    for column in &mut plan.columns {
        let name = &column.name;
        let vector = table.vectors.iter().find(|vector| vector.name.eq_ignore_ascii_case(name));
        if let (Kind::Ordinary { mapping, .. }, Some(_)) = (&column.kind, vector)
            && holds_nothing(&mapping.from)
        {
            let (element, metric) = (plan.options.element, plan.options.metric);
            column.kind = Kind::Vector(VectorType { dims: UNKNOWN_DIMS, element, metric });
        }
        match (&mut column.kind, vector) {
            (Kind::Vector(planned), Some(vector)) => existing.adopt_vector(planned, vector, plan.options.explicit)?,
            (Kind::Ordinary { indexed, mapping }, None) => {
                let to = existing.check_ordinary(name, mapping, *indexed)?;
                asked.extend(to.map(|to| (name.clone(), to)));
            }
            (Kind::Vector(_), None) => return Err(existing.fault(name, "is not a vector column of the table")),
            (Kind::Ordinary { .. }, Some(_)) => {
                return Err(existing.fault(name, "holds vectors in the table; name it with --embedding"));
            }
        }
    }
    plan.options.types.extend(asked);
    check_model(&plan, connection, &table)?;
    if matches!(plan.options.mode, Mode::Upsert | Mode::Mirror) {
        check_upsert(&plan, &table)?;
        let lacking = table.vectors.iter().map(|vector| &vector.name);
        let lacking = lacking.filter(|name| !plan.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)));
        plan.keeps = lacking.cloned().collect();
    } else if plan.vectors().next().is_none() {
        return Err(plan.needs_table.take().unwrap_or_else(|| Failure::new("no column has vectors")));
    }
    if let Some(key) = plan.key.and_then(|key| plan.columns.get(key))
        && !is_key(connection, &table.name, &key.name)?
    {
        let so = match plan.options.mode {
            mode @ (Mode::Upsert | Mode::Mirror) => format!("so {} cannot find rows by it", mode.option()),
            _ => "and adding rows cannot make it one".to_owned(),
        };
        let (table, key) = (&table.name, &key.name);
        return Err(Failure::new(format!("table {table}, column \"{key}\": it is not a key of the table, {so}")));
    }
    require_key(&mut plan, connection, &table)?;
    plan.check_vector_options()?;
    Ok(plan)
}

/// Takes dimensions that the files do not tell from the table that is replaced.
pub fn take_dims(plan: &mut Plan, connection: &Connection) -> Result<()> {
    let tables = database::tables(connection)?;
    let Some(old) = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&plan.options.table)) else {
        return Ok(());
    };
    for column in &mut plan.columns {
        let known = old.vectors.iter().find(|vector| vector.name.eq_ignore_ascii_case(&column.name));
        if let (Kind::Vector(planned), Some(known)) = (&mut column.kind, known)
            && planned.dims == UNKNOWN_DIMS
        {
            planned.dims = known.dims;
        }
    }
    let is_known = plan.vectors().all(|(_, vector)| vector.dims != UNKNOWN_DIMS) && plan.vectors().next().is_some();
    plan.needs_table.take_if(|_| is_known);
    Ok(())
}

/// Checks that the files have the table's key: SQLite would invent a rowid.
fn require_key(plan: &mut Plan, connection: &Connection, table: &database::Table) -> Result<()> {
    let Some(key) = primary_key(connection, table)? else { return Ok(()) };
    let Some(position) = plan.columns.iter().position(|column| column.name.eq_ignore_ascii_case(&key)) else {
        return Err(Failure::new(format!(
            "table {}, column \"{key}\": expected a key, got NULL: the files have no such column (see --rename)",
            table.name
        )));
    };
    plan.key.get_or_insert(position);
    if !plan.required.contains(&position) {
        plan.required.push(position);
    }
    Ok(())
}

/// The column that was declared as the PRIMARY KEY.
fn primary_key(connection: &Connection, table: &database::Table) -> Result<Option<String>> {
    let rows = literal(&format!("{}_rows", table.name));
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).optional();
    let rowid = text(&format!("SELECT name FROM pragma_table_info({rows}) WHERE pk = 1"))?;
    if let Some(rowid) = rowid.filter(|rowid| table.columns.iter().any(|column| column.eq_ignore_ascii_case(rowid))) {
        return Ok(Some(rowid));
    }
    let sql = text(&format!("SELECT sql FROM sqlite_schema WHERE name = {} COLLATE NOCASE", literal(&table.name)))?;
    let words = sql.unwrap_or_default().to_ascii_uppercase().split_whitespace().collect::<Vec<_>>().join(" ");
    if !words.contains("PRIMARY KEY") {
        return Ok(None);
    }
    let mut unique = Vec::new();
    for column in &table.columns {
        if is_key(connection, &table.name, column)? {
            unique.push(column.clone());
        }
    }
    Ok(unique.pop().filter(|_| unique.is_empty()))
}

/// The declared type of each column, by its name in lower case.
fn declared_types(connection: &Connection, table: &str) -> Result<HashMap<String, String>> {
    let mut statement = connection.prepare("SELECT lower(name), type FROM pragma_table_xinfo(?1)")?;
    let types = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(types.collect::<rusqlite::Result<_>>()?)
}

/// The affinity of a column: what SQLite converts its values to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

/// Follows "Determination Of Column Affinity" in SQLite's documentation.
fn affinity(declared: &str) -> Affinity {
    let name = declared.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(&["INT"]) {
        Affinity::Integer
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if has(&["BLOB"]) || name.is_empty() {
        Affinity::Blob
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// Checks that the column's affinity changes no value: SQLite turns '01234' into 1234 without an error.
fn check_type(mapping: &Mapping, declared: &str, name: &str) -> std::result::Result<(), String> {
    let is_kept = match (mapping.sql_type, affinity(declared)) {
        _ if mapping.is_null() => true,
        (_, Affinity::Blob)
        | (Some("TEXT"), Affinity::Text)
        | (Some("INTEGER"), Affinity::Integer | Affinity::Numeric)
        | (Some("REAL"), Affinity::Real | Affinity::Numeric) => true,
        (Some("INTEGER"), Affinity::Real) => is_small(&mapping.from),
        (None, affinity) => matches!(affinity, Affinity::Integer | Affinity::Numeric),
        _ => false,
    };
    if is_kept {
        return Ok(());
    }
    let cure = match affinity(declared) {
        Affinity::Integer => format!("--type '{name}=INTEGER' converts those that are the same in it"),
        Affinity::Real => format!("--type '{name}=REAL' converts those that are the same in it"),
        Affinity::Text => format!("--type '{name}=TEXT' converts them"),
        Affinity::Blob | Affinity::Numeric => "leave it out with --exclude".to_owned(),
    };
    Err(format!("{} in the files, {declared} in the table, which would change values; {cure}", mapping.from))
}

/// True for integer types whose values a REAL holds exactly.
fn is_small(data_type: &DataType) -> bool {
    use DataType::{Boolean, Int8, Int16, Int32, UInt8, UInt16, UInt32};
    matches!(data_type, Boolean | Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32)
}

/// Checks that timestamps are written as those in the table: otherwise the order of the texts is not the order in time.
fn check_moments(
    mapping: &Mapping,
    connection: &Connection,
    table: &str,
    column: &str,
) -> Result<std::result::Result<(), String>> {
    let Some(form) = mapping.time_form() else { return Ok(Ok(())) };
    let (rows, column) = (quote(&format!("{table}_rows")), quote(column));
    let sql = format!("SELECT {column} FROM {rows} WHERE {column} IS NOT NULL LIMIT 1");
    let Some(value) = connection.query_row(&sql, [], |row| row.get::<_, Value>(0)).optional()? else {
        return Ok(Ok(()));
    };
    let Value::Text(text) = value else { return Ok(Ok(())) };
    let time: String = text.find('T').map_or("", |at| &text[at..]).replace(|c: char| c.is_ascii_digit(), "0");
    if time == form {
        return Ok(Ok(()));
    }
    Ok(Err(format!(
        "{} in the files, texts such as '{text}' in the table, so the order of the texts would not be that of time; leave \
         it out with --exclude",
        mapping.from
    )))
}

/// True for a column whose values are unique.
fn is_key(connection: &Connection, table: &str, column: &str) -> Result<bool> {
    let rows = literal(&format!("{table}_rows"));
    let sql = format!(
        "SELECT (SELECT group_concat(name) FROM pragma_table_info({rows}) WHERE pk > 0) IS ?1 COLLATE NOCASE
             OR EXISTS (SELECT 1 FROM pragma_index_list({rows}) l WHERE l.\"unique\" AND NOT l.partial
                AND (SELECT group_concat(name) FROM pragma_index_info(l.name)) = ?1 COLLATE NOCASE)"
    );
    Ok(connection.query_row(&sql, [column], |row| row.get(0))?)
}

/// True for a column that an index begins with, or that is the rowid.
fn has_index(connection: &Connection, table: &str, column: &str) -> Result<bool> {
    let rows = literal(&format!("{table}_rows"));
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM pragma_table_info({rows}) WHERE pk = 1 AND name = ?1 COLLATE NOCASE)
             OR EXISTS (SELECT 1 FROM pragma_index_list({rows}) l, pragma_index_info(l.name) i
                WHERE i.seqno = 0 AND i.name = ?1 COLLATE NOCASE)"
    );
    Ok(connection.query_row(&sql, [column], |row| row.get(0))?)
}

/// The index settings of each vector column, from hnsw_info.
fn settings(connection: &Connection, table: &str) -> Result<HashMap<String, ExplicitOptions>> {
    let mut statement = connection.prepare("SELECT key, value FROM hnsw_info(?1)")?;
    let mut rows = statement.query([table])?;
    let mut settings = HashMap::new();
    // With several vector columns the keys start with the column's name and a dot: the first key of each shows it.
    let mut current: Option<(String, String)> = None;
    while let Some(row) = rows.next()? {
        let (key, value): (String, Value) = (row.get(0)?, row.get(1)?);
        if let (Some(prefix), Value::Text(name)) = (key.strip_suffix("column"), &value) {
            settings.insert(name.clone(), ExplicitOptions::default());
            current = Some((prefix.to_owned(), name.clone()));
            continue;
        }
        let Some((prefix, name)) = &current else { continue };
        let (Some(key), Some(made)) = (key.strip_prefix(prefix), settings.get_mut(name)) else { continue };
        match (key, value) {
            ("metric", Value::Text(name)) => made.metric = Some(Metric::parse(&name)?),
            ("element", Value::Text(name)) => made.element = Element::parse(&name),
            ("m", Value::Integer(m)) => made.m = usize::try_from(m).ok(),
            ("ef_construction", Value::Integer(ef)) => made.ef_construction = usize::try_from(ef).ok(),
            _ => {}
        }
    }
    Ok(settings)
}

/// Checks that explicit options agree with the table.
fn check_explicit(asked: ExplicitOptions, has: ExplicitOptions) -> std::result::Result<(), String> {
    fn unlike<T: PartialEq>(asked: Option<T>, has: Option<T>) -> bool {
        asked.is_some() && asked != has
    }
    let option = match () {
        () if unlike(asked.metric, has.metric) => "--metric",
        () if unlike(asked.element, has.element) => "--element",
        () if unlike(asked.m, has.m) => "--m",
        () if unlike(asked.ef_construction, has.ef_construction) => "--ef-construction",
        () => return Ok(()),
    };
    Err(format!("{option} is not what the table was made with, and adding rows cannot change it"))
}

/// Checks --model against the table's label: vectors of two models cannot be compared.
fn check_model(plan: &Plan, connection: &Connection, table: &database::Table) -> Result<()> {
    let Some(asked) = &plan.options.model else { return Ok(()) };
    for (vector, _) in plan.vectors() {
        let key = if table.vectors.len() == 1 { "model".to_owned() } else { format!("{vector}.model") };
        let sql = "SELECT value FROM hnsw_info(?1) WHERE key = ?2 COLLATE NOCASE";
        let has: Option<String> = connection.query_row(sql, [&table.name, &key], |row| row.get(0)).optional()?;
        if has.as_ref() != Some(asked) {
            let has = has.map_or_else(|| "it has no label of a model".to_owned(), |has| format!("it is of \"{has}\""));
            return Err(Failure::new(format!(
                "table {}, column \"{vector}\": {has}, got --model \"{asked}\"; vectors of two models cannot be compared",
                table.name
            )));
        }
    }
    Ok(())
}

/// Checks that the files have all ordinary columns: a replaced row would lose the others. Vectors are kept.
fn check_upsert(plan: &Plan, table: &database::Table) -> Result<()> {
    for name in &table.columns {
        if !plan.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)) {
            return Err(Failure::new(format!(
                "table {}, column \"{name}\": the files lack it, so {} would lose its values",
                table.name,
                plan.options.mode.option()
            )));
        }
    }
    Ok(())
}
