//! The columns to write, and the Arrow type of each. In SQLite the values have types and a column only prefers one, so the
//! values that the rows hold decide.

use super::args::ExportArgs;
use crate::args::TypeArg;
use crate::database::Table;
use crate::failure::{Failure, Result};
use crate::query::from_json;
use crate::sql::quote;
use arrow_schema::{DataType, Field};
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::Arc;
use vecrank::internals::distance::Element;

/// The type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Real,
    Text,
    Blob,
    Vector(Element, usize),
}

#[derive(Debug)]
pub struct Column {
    pub name: String,
    /// The expression that is selected.
    pub sql: String,
    pub kind: Kind,
}

impl Kind {
    fn of_type(wanted: TypeArg) -> Kind {
        match wanted {
            TypeArg::Integer => Kind::Integer,
            TypeArg::Real => Kind::Real,
            TypeArg::Text => Kind::Text,
            TypeArg::Blob => Kind::Blob,
        }
    }

    /// The component type of a vector that is written as a list.
    pub fn component(element: Element) -> DataType {
        match element {
            Element::F32 => DataType::Float32,
            Element::F16 => DataType::Float16,
            Element::I8 => DataType::Int8,
            Element::Bit => DataType::UInt8,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Kind::Integer => DataType::Int64,
            Kind::Real => DataType::Float64,
            Kind::Text => DataType::Utf8,
            Kind::Blob => DataType::Binary,
            Kind::Vector(Element::Bit, dims) => DataType::FixedSizeBinary((dims / 8) as i32),
            Kind::Vector(element, dims) => DataType::FixedSizeList(component_field(element), dims as i32),
        }
    }
}

/// The name that Parquet gives the components of a list.
pub fn component_field(element: Element) -> Arc<Field> {
    Arc::new(Field::new("element", Kind::component(element), false))
}

impl Column {
    pub fn field(&self) -> Field {
        Field::new(&self.name, self.kind.data_type(), true)
    }
}

/// Chooses the columns and their types.
pub fn choose(connection: &Connection, table: &Table, args: &ExportArgs) -> Result<Vec<Column>> {
    let names = wanted(table, args)?;
    for (name, _) in &args.types {
        if !names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)) {
            return Err(Failure::new(format!("--type {name}: it is no column that is written")));
        }
    }
    let is_vector = |name: &String| table.vectors.iter().any(|vector| vector.name == *name);
    let ordinary: Vec<&String> = names.iter().filter(|name| !is_vector(name)).collect();
    let held = types_held(connection, table, args, &ordinary)?;
    names.iter().map(|name| column(table, args, name, &held)).collect()
}

/// The names of the columns, as the table spells them.
fn wanted(table: &Table, args: &ExportArgs) -> Result<Vec<String>> {
    let all: Vec<&String> = table.columns.iter().chain(table.vectors.iter().map(|vector| &vector.name)).collect();
    if args.columns.is_empty() {
        return Ok(all.into_iter().cloned().collect());
    }
    let mut names: Vec<String> = Vec::new();
    for wanted in &args.columns {
        let known = all.iter().find(|name| name.eq_ignore_ascii_case(wanted)).map(|name| (*name).clone());
        let is_rowid = wanted.eq_ignore_ascii_case("rowid");
        let Some(name) = known.or_else(|| is_rowid.then(|| "rowid".to_owned())) else {
            let all = all.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Failure::new(format!("no column {wanted}; there is {all}")));
        };
        if names.contains(&name) {
            return Err(Failure::new(format!("--columns: {name} is named twice")));
        }
        names.push(name);
    }
    Ok(names)
}

/// The types of the values of each column, as SQLite names them in lower case, without that of NULL.
fn types_held(
    connection: &Connection,
    table: &Table,
    args: &ExportArgs,
    names: &[&String],
) -> Result<HashMap<String, Vec<String>>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let asked = names.iter().map(|name| format!("group_concat(DISTINCT nullif(typeof({}), 'null'))", quote(name)));
    let asked = asked.collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {asked} FROM {}{}", quote(&table.name), args.where_clause());
    let lists = connection.query_row(&sql, [], |row| {
        (0..names.len()).map(|index| row.get::<_, Option<String>>(index)).collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let split = |list: Option<String>| {
        let mut types: Vec<String> = list.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
        types.sort_unstable();
        types
    };
    Ok(names.iter().map(|name| (*name).clone()).zip(lists.into_iter().map(split)).collect())
}

fn column(table: &Table, args: &ExportArgs, name: &str, held: &HashMap<String, Vec<String>>) -> Result<Column> {
    let quoted = quote(name);
    let asked = args.types.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)).map(|(_, wanted)| *wanted);
    if let Some(vector) = table.vectors.iter().find(|vector| vector.name == name) {
        if let Some(wanted) = asked {
            return Err(Failure::new(format!("--type {name}={}: a vector column has its own type", wanted.name())));
        }
        // In an index over a table a vector may be JSON.
        let sql =
            format!("CASE typeof({quoted}) WHEN 'text' THEN {}({quoted}) ELSE {quoted} END", from_json(vector.element));
        return Ok(Column { name: name.to_owned(), sql, kind: Kind::Vector(vector.element, vector.dims) });
    }
    let types = held.get(name).map_or(&[][..], Vec::as_slice);
    let types: Vec<&str> = types.iter().map(String::as_str).collect();
    let kind = match (asked, types.as_slice()) {
        (Some(wanted), types) if can_hold(wanted, types) => Kind::of_type(wanted),
        (Some(wanted), types) => {
            let (wanted, held) = (wanted.name(), listed(types));
            return Err(Failure::new(format!("--type {name}={wanted}: {}.{name} holds {held} values", table.name)));
        }
        (None, [] | ["text"]) => Kind::Text,
        (None, ["integer"]) => Kind::Integer,
        (None, ["real"]) => Kind::Real,
        (None, ["blob"]) => Kind::Blob,
        (None, types) => {
            let (table, held) = (&table.name, listed(types));
            let cure = if types == ["integer", "real"] { "REAL" } else { "TEXT" };
            return Err(Failure::new(format!(
                "{table}.{name}: holds {held} values, and a column of the file has one type: give --type {name}={cure}, or leave it out of --columns"
            )));
        }
    };
    let sql = match asked {
        Some(wanted) => format!("CAST({quoted} AS {})", wanted.name()),
        None => quoted,
    };
    Ok(Column { name: name.to_owned(), sql, kind })
}

/// Whether values of these types can be written as that type without loss. (Numbers may become text.)
fn can_hold(wanted: TypeArg, types: &[&str]) -> bool {
    let allowed: &[&str] = match wanted {
        TypeArg::Integer => &["integer"],
        TypeArg::Real => &["integer", "real"],
        TypeArg::Text => &["integer", "real", "text"],
        TypeArg::Blob => &["blob", "text"],
    };
    types.iter().all(|held| allowed.contains(held))
}

fn listed(types: &[&str]) -> String {
    types.iter().map(|held| held.to_ascii_uppercase()).collect::<Vec<_>>().join(" and ")
}
