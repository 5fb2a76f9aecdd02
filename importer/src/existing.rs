//! Adding rows to a table that exists: the plan takes over what the table is, and what it cannot change is refused.

use crate::database;
use crate::failure::{Failure, Result};
use crate::plan::{Kind, Mode, Plan, Told};
use crate::sql::literal;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use vecrank::distance::{Element, Metric};

/// Makes the plan fit the table of its name, which is in the file.
pub fn adopt(mut plan: Plan, connection: &Connection) -> Result<Plan> {
    let table = database::table(connection, Some(&plan.options.table))?;
    plan.options.table.clone_from(&table.name);
    let settings = settings(connection, &table.name)?;
    for column in &mut plan.columns {
        let name = &column.name;
        let in_column = |text: String| Failure::new(format!("table {}, column \"{name}\": {text}", table.name));
        let vector = table.vectors.iter().find(|vector| vector.name.eq_ignore_ascii_case(name));
        match (&mut column.kind, vector) {
            (Kind::Vector(planned), Some(vector)) => {
                if planned.dims != vector.dims {
                    return Err(in_column(format!(
                        "expected {} dimensions, the files have {}",
                        vector.dims, planned.dims
                    )));
                }
                let told =
                    settings.get(&vector.name).ok_or_else(|| in_column("hnsw_info does not know it".to_owned()))?;
                check_told(plan.options.told, *told).map_err(in_column)?;
                planned.element = vector.element;
                planned.metric = told.metric.unwrap_or(planned.metric);
            }
            (Kind::Ordinary { indexed, .. }, None)
                if table.columns.iter().any(|known| known.eq_ignore_ascii_case(name)) =>
            {
                if *indexed && !has_index(connection, &table.name, name)? {
                    return Err(in_column(
                        "it has no index in the table, and adding rows cannot give it one (--index)".to_owned(),
                    ));
                }
            }
            (Kind::Vector(_), None) => return Err(in_column("is not a vector column of the table".to_owned())),
            (Kind::Ordinary { .. }, Some(_)) => {
                return Err(in_column("holds vectors in the table; name it with --embedding".to_owned()));
            }
            (Kind::Ordinary { .. }, None) => {
                return Err(in_column("the table has no such column; leave it out with --exclude".to_owned()));
            }
        }
    }
    check_model(&plan, connection, &table)?;
    if matches!(plan.options.mode, Mode::Upsert | Mode::Mirror) {
        check_upsert(&plan, &table)?;
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
    Ok(plan)
}

/// True for a column that no two rows may share.
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

/// What hnsw_info says of each vector column.
fn settings(connection: &Connection, table: &str) -> Result<HashMap<String, Told>> {
    let mut statement = connection.prepare("SELECT key, value FROM hnsw_info(?1)")?;
    let mut rows = statement.query([table])?;
    let mut settings = HashMap::new();
    // With several vector columns the keys start with the column's name and a dot: the first key of each shows it.
    let mut current: Option<(String, String)> = None;
    while let Some(row) = rows.next()? {
        let (key, value): (String, Value) = (row.get(0)?, row.get(1)?);
        if let (Some(prefix), Value::Text(name)) = (key.strip_suffix("column"), &value) {
            settings.insert(name.clone(), Told::default());
            current = Some((prefix.to_owned(), name.clone()));
            continue;
        }
        let Some((prefix, name)) = &current else { continue };
        let (Some(key), Some(told)) = (key.strip_prefix(prefix), settings.get_mut(name)) else { continue };
        match (key, value) {
            ("metric", Value::Text(name)) => told.metric = Some(Metric::parse(&name)?),
            ("element", Value::Text(name)) => told.element = Element::parse(&name),
            ("m", Value::Integer(m)) => told.m = usize::try_from(m).ok(),
            ("ef_construction", Value::Integer(ef)) => told.ef_construction = usize::try_from(ef).ok(),
            _ => {}
        }
    }
    Ok(settings)
}

/// Options may be given again, but not changed.
fn check_told(asked: Told, has: Told) -> std::result::Result<(), String> {
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

/// Vectors of two models cannot be compared.
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

/// A row that is replaced must not lose what the files do not have.
fn check_upsert(plan: &Plan, table: &database::Table) -> Result<()> {
    let columns = table.columns.iter().chain(table.vectors.iter().map(|vector| &vector.name));
    for name in columns {
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
