//! What an import is going to make: the table's columns and its SQL, chosen from the arguments and the files' schemas
//! before anything is written.

use crate::args::{ElementArg, IfExists, ImportArgs, MetricArg, OnBadRow};
use crate::failure::{Failure, Result};
use crate::mapping::{Choices, Mapping};
use crate::page;
use crate::parquet::Input;
use crate::sql::{literal, quote};
use crate::vectors::{Aptness, Lengths, VectorType, Vectors, aptness, check_dims, fixed_dims};
use arrow_schema::{Field, Schema};
use std::collections::HashMap;
use vecrank::distance::{Element, Metric};
use vecrank::hnsw::Params;

/// Column names that a vecrank table uses for itself, besides its own name.
const RESERVED: [&str; 4] = ["query", "k", "ef_search", "distance"];

/// Vectors looked at to find the dimensions, where the type leaves them open.
const SAMPLE_ROWS: usize = 1000;

/// The options of an import, checked as far as they can be without reading a file.
#[derive(Debug, Clone)]
pub struct Options {
    pub table: String,
    pub embedding: Vec<String>,
    pub key: Option<String>,
    pub index: Vec<String>,
    pub columns: Vec<String>,
    pub exclude: Vec<String>,
    pub metric: Metric,
    pub element: Element,
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
        check_name("table", &table)?;
        if table.to_ascii_lowercase().starts_with("sqlite_") {
            return Err(Failure::new(format!(
                "table name \"{table}\": names that begin with sqlite_ belong to SQLite"
            )));
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
            metric: params.metric,
            element: params.element,
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
    /// The table that the rows are put into, in SQL, if it is not the one of the plan's name.
    pub sink: Option<&'static str>,
}

impl Plan {
    /// Chooses and checks everything. `inputs` is not empty.
    pub fn new(options: Options, inputs: &[Input]) -> Result<Plan> {
        let Some(first) = inputs.first() else { return Err(Failure::new("no input")) };
        let in_first = |failure: Failure| failure.at(&first.name);
        let schema = first.schema();
        check_column_names(schema, &options.table, &options).map_err(in_first)?;
        let vectors = choose_vectors(schema, &options).map_err(in_first)?;
        let mut columns = Vec::new();
        for field in schema.fields().iter().filter(|field| wanted(field, &vectors, &options)) {
            let name = field.name().clone();
            let kind = if vectors.contains(&name) {
                let dims = find_dims(&name, inputs)?;
                Kind::Vector(VectorType { dims, element: options.element, metric: options.metric })
            } else {
                let mapping = mapping_of(field, &options, inputs).map_err(in_first)?;
                Kind::Ordinary { mapping, indexed: options.index.contains(&name) }
            };
            columns.push(Column { name, kind });
        }
        let key = options.key.as_ref().and_then(|key| columns.iter().position(|column| &column.name == key));
        let plan = Plan { options, columns, key, sink: None };
        plan.check_key_and_index()?;
        for input in &inputs[1..] {
            plan.check_same_schema(input, first)?;
        }
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

    fn check_key_and_index(&self) -> Result<()> {
        if let Some(key) = self.key
            && let Kind::Vector(_) = self.columns[key].kind
        {
            return Err(Failure::new(format!("--key {}: a vector column cannot be the key", self.columns[key].name)));
        }
        let is_vector = |name: &String| self.vectors().any(|(vector, _)| vector == name);
        match self.options.index.iter().find(|name| is_vector(name)) {
            Some(name) => Err(Failure::new(format!(
                "--index {name}: a vector column has its own index; --index is for ordinary columns"
            ))),
            None => Ok(()),
        }
    }

    /// Every file must give the same columns the same meaning.
    fn check_same_schema(&self, input: &Input, first: &Input) -> Result<()> {
        for column in &self.columns {
            let differs = |what: String| {
                Failure::new(format!("{}: column \"{}\" {what}, unlike in {}", input.name, column.name, first.name))
            };
            let Ok(field) = input.schema().field_with_name(&column.name) else {
                return Err(differs("is missing".to_owned()));
            };
            let same = match &column.kind {
                Kind::Vector(vector) => {
                    aptness(field.data_type()) != Aptness::No
                        && fixed_dims(field.data_type()).is_none_or(|dims| dims == vector.dims)
                }
                Kind::Ordinary { mapping, .. } => Mapping::of(field.data_type(), self.options.choices)
                    .is_ok_and(|other| other.sql_type == mapping.sql_type || other.is_unsigned()),
            };
            if !same {
                return Err(differs(format!("is of type {}", field.data_type())));
            }
        }
        Ok(())
    }
}

/// True if the column is to be imported.
fn wanted(field: &Field, vectors: &[String], options: &Options) -> bool {
    let name = field.name();
    vectors.contains(name)
        || (!options.exclude.contains(name) && (options.columns.is_empty() || options.columns.contains(name)))
}

fn mapping_of(field: &Field, options: &Options, inputs: &[Input]) -> Result<Mapping> {
    let mapping = Mapping::of(field.data_type(), options.choices)
        .map_err(|failure| failure.at(format_args!("column \"{}\"", field.name())))?;
    if mapping.is_unsigned() && inputs.iter().all(|input| input.fits_integer(field.name())) {
        return Ok(mapping.into_integer());
    }
    Ok(mapping)
}

/// The names given with --embedding, or the one column that looks like vectors.
fn choose_vectors(schema: &Schema, options: &Options) -> Result<Vec<String>> {
    if !options.embedding.is_empty() {
        for name in &options.embedding {
            let field = schema.field_with_name(name).map_err(|_| no_column(name, schema))?;
            if aptness(field.data_type()) == Aptness::No {
                return Err(Failure::new(format!(
                    "--embedding {name}: expected lists of numbers or fixed-size binary of float32, got {}",
                    field.data_type()
                )));
            }
        }
        return Ok(options.embedding.clone());
    }
    let candidates = |aptness_wanted: Aptness| -> Vec<String> {
        let fields = schema.fields().iter().filter(|field| !options.exclude.contains(field.name()));
        fields.filter(|field| aptness(field.data_type()) == aptness_wanted).map(|field| field.name().clone()).collect()
    };
    let mut found = candidates(Aptness::Floats);
    if found.is_empty() {
        found = candidates(Aptness::Binary);
    }
    match found.as_slice() {
        [_] => Ok(found),
        [] => Err(Failure::new(
            "no column has lists of floating-point numbers; name the column with the vectors: --embedding COLUMN",
        )),
        _ => Err(Failure::new(format!(
            "several columns may be vectors: {}; choose with --embedding, or --exclude the others",
            found.join(", ")
        ))),
    }
}

/// Names in the arguments must exist, and names in the file must be possible in the table.
fn check_column_names(schema: &Schema, table: &str, options: &Options) -> Result<()> {
    let named = options.embedding.iter().chain(&options.key).chain(&options.index);
    for name in named.chain(&options.columns).chain(&options.exclude) {
        schema.field_with_name(name).map_err(|_| no_column(name, schema))?;
    }
    let taken = |name: &String| {
        !options.embedding.contains(name)
            && (options.exclude.contains(name) || (!options.columns.is_empty() && !options.columns.contains(name)))
    };
    if let Some(name) = options.key.iter().chain(&options.index).find(|name| taken(name)) {
        return Err(Failure::new(format!("column \"{name}\" is both needed (--key or --index) and left out")));
    }
    // SQLite compares names without regard to ASCII case.
    let mut seen: HashMap<String, &String> = HashMap::new();
    for name in schema.fields().iter().map(|field| field.name()).filter(|name| !taken(name)) {
        check_name("column", name)?;
        let folded = name.to_ascii_lowercase();
        if RESERVED.contains(&folded.as_str()) || folded == table.to_ascii_lowercase() {
            return Err(Failure::new(format!(
                "column \"{name}\": the name is reserved in a vecrank table; leave it out with --exclude{}",
                if folded == table.to_ascii_lowercase() { ", or choose another --table" } else { "" }
            )));
        }
        if let Some(other) = seen.insert(folded, name) {
            return Err(Failure::new(format!(
                "columns \"{other}\" and \"{name}\" have the same name for SQLite; leave one out with --exclude"
            )));
        }
    }
    Ok(())
}

fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.contains('\0') {
        return Err(Failure::new(format!("{what} name {name:?}: SQLite cannot use it")));
    }
    Ok(())
}

fn no_column(name: &str, schema: &Schema) -> Failure {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    Failure::new(format!("no column \"{name}\"; the columns are {}", names.join(", ")))
}

/// Dimensions from the type, else the most frequent length among the first vectors.
fn find_dims(column: &str, inputs: &[Input]) -> Result<usize> {
    let place = |failure: Failure, input: &Input| failure.at(format_args!("{}: column \"{column}\"", input.name));
    for input in inputs {
        let Ok(position) = input.schema().index_of(column) else { continue };
        if let Some(dims) = fixed_dims(input.schema().field(position).data_type()) {
            check_dims(dims).map_err(|failure| place(failure, input))?;
            return Ok(dims);
        }
        let mut lengths = Lengths::default();
        let mut rows = 0;
        for batch in input.batches(&[position])? {
            let batch = batch?;
            let vectors = Vectors::new(batch.column(0)).map_err(|failure| place(failure, input))?;
            lengths.add(&vectors, batch.num_rows());
            rows += batch.num_rows();
            if rows >= SAMPLE_ROWS && !lengths.is_empty() {
                break;
            }
        }
        if let Some(dims) = lengths.most_frequent() {
            check_dims(dims).map_err(|failure| place(failure, input))?;
            return Ok(dims);
        }
    }
    Err(Failure::new(format!("column \"{column}\": no row has a vector, so its dimensions are unknown")))
}

/// The type of a column as messages name it.
pub fn describe(vector: VectorType) -> String {
    format!("{}[{}] {}", vector.element.name(), vector.dims, vector.metric.name())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
