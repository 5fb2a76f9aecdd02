//! What an import is going to make: the table's columns and its SQL, chosen from the arguments and the files' schemas
//! before anything is written.

use crate::agree::agree;
use crate::args::{ElementArg, IfExists, ImportArgs, MetricArg, OnBadRow, TypeArg};
use crate::choose::{check_column_names, check_table_name, choose_vectors, find_dims, no_column};
use crate::columns::Shape;
use crate::failure::{Failure, Result};
use crate::mapping::{Choices, Mapping};
use crate::page;
use crate::parquet::Input;
use crate::sql::{literal, quote};
use crate::vectors::{VectorType, check_dims};
use arrow_schema::{DataType, Field, Schema};
use vecrank::distance::{Element, Metric};
use vecrank::hnsw::Params;

/// The options of an import, checked as far as they can be without reading a file.
#[derive(Debug, Clone)]
pub struct Options {
    pub table: String,
    pub embedding: Vec<String>,
    pub key: Option<String>,
    pub index: Vec<String>,
    pub columns: Vec<String>,
    pub exclude: Vec<String>,
    pub shape: Shape,
    pub types: Vec<(String, TypeArg)>,
    pub union_by_name: bool,
    pub metric: Metric,
    pub element: Element,
    /// --dims.
    pub dims: Option<usize>,
    pub m: usize,
    pub ef_construction: usize,
    pub choices: Choices,
    pub on_bad_row: OnBadRow,
    pub page_size: Option<u32>,
    pub mode: Mode,
    /// Fewer rows than this the table must not have.
    pub min_rows: u64,
    /// Label of the embedding model.
    pub model: Option<String>,
    /// What was said of the index, for a table that exists and has its own.
    pub told: Told,
}

/// What becomes of a table that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Replace,
    /// It stays as it is, and the import fails.
    Fail,
    Append,
    Upsert,
    /// It becomes what the files say, by the rows that differ.
    Mirror,
}

impl Mode {
    /// As the command line calls it.
    pub fn option(self) -> &'static str {
        match self {
            Mode::Replace => "--replace",
            Mode::Fail => "--if-exists fail",
            Mode::Append => "--append",
            Mode::Upsert => "--upsert",
            Mode::Mirror => "--mirror",
        }
    }

    /// True if the rows of a table that exists stay, or some of them.
    pub fn keeps_table(self) -> bool {
        matches!(self, Mode::Append | Mode::Upsert | Mode::Mirror)
    }
}
/// Of vectors of which no row has one; the table that takes the rows knows them.
pub const UNKNOWN_DIMS: usize = 0;

/// Options that can be left to their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    pub metric: Option<Metric>,
    pub element: Option<Element>,
    pub m: Option<usize>,
    pub ef_construction: Option<usize>,
}

impl Options {
    pub fn new(args: &ImportArgs, table: String) -> Result<Options> {
        let told = Told {
            metric: args.metric.map(MetricArg::metric),
            element: args.element.map(ElementArg::element),
            m: args.m,
            ef_construction: args.ef_construction,
        };
        let element = told.element.unwrap_or(Element::F32);
        let mut params = Params::new(1, element, told.metric.unwrap_or(Metric::Cosine));
        params.m = told.m.unwrap_or(params.m);
        params.ef_construction = told.ef_construction.unwrap_or(params.ef_construction);
        params.validate()?;
        if let Some(size) = args.page_size
            && !(size.is_power_of_two() && (512..=65_536).contains(&size))
        {
            return Err(Failure::new(format!("--page-size: expected a power of two from 512 to 65536, got {size}")));
        }
        args.dims.map_or(Ok(()), check_dims).map_err(|failure| failure.at("--dims"))?;
        check_table_name(&table)?;
        if let Some((name, to)) = repeated(&args.types) {
            return Err(Failure::new(format!("--type {name}={}: the column has a --type already", to.name())));
        }
        if args.model.as_deref() == Some("") {
            return Err(Failure::new("--model: expected a name such as text-embedding-3-small, got an empty text"));
        }
        // A row whose new version is bad has its key in the files, and must not be deleted for want of it.
        if args.mirror && args.on_bad_row == OnBadRow::Skip {
            return Err(Failure::new(
                "--mirror: a row that is skipped would be deleted; use --on-bad-row fail or null",
            ));
        }
        Ok(Options {
            table,
            embedding: args.embedding.clone(),
            key: args.key.clone(),
            index: args.index.clone(),
            columns: args.columns.clone(),
            exclude: args.exclude.clone(),
            shape: Shape { renames: args.rename.clone(), embedding: args.embedding.clone(), hive: args.hive },
            types: args.types.clone(),
            union_by_name: args.union_by_name,
            metric: params.metric,
            element: params.element,
            dims: args.dims,
            m: params.m,
            ef_construction: params.ef_construction,
            choices: Choices { decimal: args.decimal, timestamps: args.timestamps },
            on_bad_row: args.on_bad_row,
            page_size: args.page_size,
            min_rows: if args.allow_empty { 0 } else { args.min_rows.unwrap_or(1) },
            model: args.model.clone(),
            mode: match (args.append, args.upsert, args.if_exists) {
                _ if args.mirror => Mode::Mirror,
                (true, ..) => Mode::Append,
                (_, true, _) => Mode::Upsert,
                (.., IfExists::Fail) => Mode::Fail,
                (.., IfExists::Replace) => Mode::Replace,
            },
            told,
        })
    }

    /// --type of a column.
    pub fn asked_type(&self, column: &str) -> Option<TypeArg> {
        self.types.iter().find(|(name, _)| name == column).map(|(_, to)| *to)
    }
}

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
    /// Positions of the columns that may not be NULL, the key among them.
    pub required: Vec<usize>,
    /// Why no table can be made of the files alone, though one that exists can take their rows or give the dimensions.
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
            schema.fields().iter().filter(|field| is_wanted(field.name(), &options) || vectors.contains(field.name()))
        {
            let name = field.name().clone();
            let kind = if vectors.contains(&name) {
                let dims = match find_dims(&name, inputs, options.dims)? {
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
        let key = options.key.as_ref().and_then(|key| columns.iter().position(|column| &column.name == key));
        let required = key.into_iter().collect();
        let plan = Plan { options, columns, key, required, needs_table, keeps: Vec::new(), sink: None };
        plan.check_vector_options()?;
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

    /// Inserts a row, or where columns of the table keep their values changes the others of the row with the key.
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
        let places = vec!["?"; names.len()].join(", ");
        let insert = if self.options.mode == Mode::Upsert { "INSERT OR REPLACE" } else { "INSERT" };
        let table = self.sink.map_or_else(|| quote(&self.options.table), str::to_owned);
        format!("{insert} INTO {table} ({}) VALUES ({places})", names.join(", "))
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
        self.vectors().map(|(_, v)| vecrank::hnsw::node_row_bytes(v.dims, v.element, v.metric, m)).collect()
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

    /// Options that are for ordinary columns alone.
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

/// The first entry with a name that came before.
fn repeated<T>(pairs: &[(String, T)]) -> Option<&(String, T)> {
    let mut later = pairs.iter().enumerate();
    later.find_map(|(at, pair)| pairs[..at].iter().any(|(name, _)| name == &pair.0).then_some(pair))
}

/// True if the column is to be imported.
pub fn is_wanted(name: &String, options: &Options) -> bool {
    options.embedding.contains(name)
        || (!options.exclude.contains(name) && (options.columns.is_empty() || options.columns.contains(name)))
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
