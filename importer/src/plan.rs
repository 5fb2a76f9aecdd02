//! The table that an import makes: its columns and SQL, chosen from the arguments and the files' schemas before
//! anything is written.

use crate::agree::agree;
use crate::choose::{check_column_names, choose_vectors, find_dims, no_column};
use crate::failure::{Failure, Result};
use crate::mapping::Mapping;
use crate::options::{Mode, Options};
use crate::page;
use crate::parquet::Input;
use crate::sql::{literal, quote};
use crate::vectors::VectorType;
use arrow_schema::{DataType, Field, Schema};

/// The dimensions of vectors that no row has; the existing table tells them.
pub const UNKNOWN_DIMS: usize = 0;

/// A column of the table that is going to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Ordinary { mapping: Mapping, indexed: bool },
    Vector(VectorType),
}

/// The table that is going to be made.
#[derive(Debug)]
pub struct Plan {
    pub options: Options,
    /// In the order of the first file.
    pub columns: Vec<Column>,
    /// Position of the key among `columns`.
    pub key: Option<usize>,
    /// Position of the column by whose values rows are divided among shards.
    pub shard_by: Option<usize>,
    /// Positions of the columns that may not be NULL, the key among them.
    pub required: Vec<usize>,
    /// The error if there is no existing table that can take the rows, or that tells the dimensions.
    pub needs_table: Option<Failure>,
    /// Columns of a table that exists which keep their values in rows that are replaced.
    pub keeps: Vec<String>,
    /// The table that the rows are put into, in SQL, if it is not the one of the plan's name.
    pub sink: Option<&'static str>,
}

impl Plan {
    /// Chooses and checks everything. `inputs` is not empty; they agree afterwards.
    pub fn new(mut options: Options, inputs: &mut [Input]) -> Result<Plan> {
        let embeddings: Vec<String> = inputs.first().map(|first| first.embedding().to_vec()).unwrap_or_default();
        options.embedding = embeddings;
        check_column_names(inputs, &options)?;
        agree(inputs, &options)?;
        let Some(first) = inputs.first() else { return Err(Failure::new("no input")) };
        let in_first = |failure: Failure| failure.at(&first.name);
        let schema = first.schema();
        let mut needs_table = None;
        let may_add = options.mode.keeps_table();
        // A table without rows can be made like the old one.
        let may_take_dims = may_add || options.min_rows == 0;
        let vectors = match choose_vectors(schema, &options) {
            Err(failure) if may_add && options.embedding.is_empty() => {
                needs_table = Some(in_first(failure));
                Vec::new()
            }
            chosen => chosen.map_err(in_first)?,
        };
        let mut columns = Vec::new();
        for field in
            schema.fields().iter().filter(|field| options.wants(field.name()) || vectors.contains(field.name()))
        {
            let name = field.name().clone();
            let kind = if vectors.contains(&name) {
                let dims = match find_dims(&name, inputs, &options)? {
                    Ok(dims) => dims,
                    Err(unknown) if may_take_dims => {
                        needs_table = Some(unknown);
                        UNKNOWN_DIMS
                    }
                    Err(unknown) => return Err(unknown),
                };
                Kind::Vector(VectorType { dims, element: options.element, metric: options.metric })
            } else {
                let mapping = mapping_of(field, &options, inputs).map_err(in_first)?;
                Kind::Ordinary { mapping, indexed: options.index.contains(&name) }
            };
            columns.push(Column { name, kind });
        }
        let position = |name: &String| columns.iter().position(|column| &column.name == name);
        let key = options.key.as_ref().and_then(position);
        let shard_by = options.shards.as_ref().and_then(|division| position(&division.by));
        let required = key.or(shard_by).into_iter().collect();
        let plan = Plan { options, columns, key, shard_by, required, needs_table, keeps: Vec::new(), sink: None };
        plan.check_vector_options()?;
        plan.check_shard_column()?;
        Ok(plan)
    }

    /// The vector columns, in order.
    pub fn vectors(&self) -> impl Iterator<Item = (&str, VectorType)> {
        self.columns.iter().filter_map(|column| match column.kind {
            Kind::Vector(vector_type) => Some((column.name.as_str(), vector_type)),
            Kind::Ordinary { .. } => None,
        })
    }

    pub fn create_sql(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (position, column) in self.columns.iter().enumerate() {
            let name = quote(&column.name);
            parts.push(match &column.kind {
                Kind::Vector(vector) => format!("{name} {}[{}]", vector.element.name(), vector.dims),
                Kind::Ordinary { mapping, indexed } => {
                    let is_key = self.key == Some(position);
                    let words = [
                        Some(name.as_str()),
                        mapping.sql_type,
                        is_key.then_some("NOT NULL PRIMARY KEY"),
                        (*indexed && !is_key).then_some("INDEXED"),
                    ];
                    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
                }
            });
        }
        let options = &self.options;
        parts.push(format!("metric = {}", literal(options.metric.name())));
        parts.push(format!("m = {}", options.m));
        parts.push(format!("ef_construction = {}", options.ef_construction));
        parts.extend(options.model.iter().map(|model| format!("model = {}", literal(model))));
        format!("CREATE VIRTUAL TABLE {} USING hnsw(\n  {}\n)", quote(&options.table), parts.join(",\n  "))
    }

    /// The statement that inserts a row. If columns of the table keep their values, it updates the others by the key.
    pub fn row_sql(&self) -> String {
        if let Some(key) = self.key.filter(|_| !self.keeps.is_empty() && self.sink.is_none()) {
            let set =
                self.columns.iter().enumerate().map(|(at, column)| format!("{} = ?{}", quote(&column.name), at + 1));
            let set = set.collect::<Vec<_>>().join(", ");
            let (table, key_name) = (quote(&self.options.table), quote(&self.columns[key].name));
            return format!("UPDATE {table} SET {set} WHERE {key_name} = ?{}", key + 1);
        }
        self.insert_sql()
    }

    pub fn insert_sql(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| quote(&column.name)).collect();
        let parameters = vec!["?"; names.len()].join(", ");
        let insert = if self.options.mode == Mode::Upsert { "INSERT OR REPLACE" } else { "INSERT" };
        let table = self.sink.map_or_else(|| quote(&self.options.table), str::to_owned);
        format!("{insert} INTO {table} ({}) VALUES ({parameters})", names.join(", "))
    }

    pub fn command_sql(&self, command: &str) -> String {
        let table = quote(&self.options.table);
        format!("INSERT INTO {table}({table}) VALUES ({})", literal(command))
    }

    /// Whether the key is the rowid, so that the rows' order is the user's.
    pub fn has_rowid_key(&self) -> bool {
        let key = self.key.and_then(|key| self.columns.get(key));
        key.is_some_and(
            |key| matches!(&key.kind, Kind::Ordinary { mapping, .. } if mapping.sql_type == Some("INTEGER")),
        )
    }

    /// Bytes of one row of each vector column's node table.
    fn node_rows(&self) -> Vec<usize> {
        let m = self.options.m;
        self.vectors().map(|(_, v)| vecrank::internals::hnsw::node_row_bytes(v.dims, v.element, v.metric, m)).collect()
    }

    /// The page size that was asked for, or the one that wastes least.
    pub fn page_size(&self) -> u32 {
        self.options.page_size.unwrap_or_else(|| page::best_size(&self.node_rows()))
    }

    /// Top-level columns of an input that the plan needs, each with its position among `columns`.
    pub fn projection(&self, schema: &Schema) -> Result<Vec<usize>> {
        self.columns
            .iter()
            .map(|column| schema.index_of(&column.name).map_err(|_| no_column(&column.name, schema)))
            .collect()
    }

    /// How a column is converted from the type that a file has it in.
    pub fn mapping(&self, column: &str, data_type: &DataType) -> Result<Mapping> {
        let mapping = Mapping::of(data_type, self.options.choices)?;
        match self.options.asked_type(column) {
            Some(to) => mapping.into_type(to),
            None => Ok(mapping),
        }
    }

    /// Refuses columns whose values have no one text: their shard would not be known to other programs.
    fn check_shard_column(&self) -> Result<()> {
        let why = match self.shard_by.and_then(|position| self.columns.get(position)).map(|column| &column.kind) {
            Some(Kind::Vector(_)) => "vectors",
            Some(Kind::Ordinary { mapping, .. }) if mapping.sql_type == Some("REAL") => "REAL numbers",
            _ => return Ok(()),
        };
        let by = self.options.shards.as_ref().map_or("", |division| &division.by);
        Err(Failure::new(format!("--shard-by {by}: expected a column of TEXT, INTEGER or BLOB, got one of {why}")))
    }

    /// Refuses options that are for ordinary columns on vector columns.
    pub fn check_vector_options(&self) -> Result<()> {
        if let Some(key) = self.key
            && let Kind::Vector(_) = self.columns[key].kind
        {
            return Err(Failure::new(format!("--key {}: a vector column cannot be the key", self.columns[key].name)));
        }
        let is_vector = |name: &String| self.vectors().any(|(vector, _)| vector == name);
        if let Some(name) = self.options.index.iter().find(|name| is_vector(name)) {
            return Err(Failure::new(format!(
                "--index {name}: a vector column has its own index; --index is for ordinary columns"
            )));
        }
        match self.options.types.iter().find(|(name, _)| is_vector(name)) {
            Some((name, to)) => Err(Failure::new(format!(
                "--type {name}={}: the column holds vectors; --element says how they are stored",
                to.name()
            ))),
            None => Ok(()),
        }
    }
}

fn mapping_of(field: &Field, options: &Options, inputs: &[Input]) -> Result<Mapping> {
    let in_column = |failure: Failure| failure.at(format_args!("column \"{}\"", field.name()));
    let mut mapping = Mapping::of(field.data_type(), options.choices).map_err(in_column)?;
    if mapping.is_unsigned() && inputs.iter().all(|input| input.fits_integer(field.name())) {
        mapping = mapping.into_integer();
    }
    match options.asked_type(field.name()) {
        Some(to) => mapping.into_type(to).map_err(in_column),
        None => Ok(mapping),
    }
}

/// The type of a column as messages name it.
pub fn describe(vector: VectorType) -> String {
    format!("{}[{}] {}", vector.element.name(), vector.dims, vector.metric.name())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
