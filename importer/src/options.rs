//! The options of an import, checked as far as they can be without reading a file.

use crate::args::{ElementArg, IfExists, ImportArgs, MetricArg, OnBadRow, TypeArg};
use crate::columns::Shape;
use crate::failure::{Failure, Result};
use crate::mapping::Choices;
use crate::names::check_table_name;
use crate::vectors::check_dims;
use vecrank::internals::distance::{Element, Metric};
use vecrank::internals::hnsw::Params;

/// What the arguments of an import say.
#[derive(Debug, Clone)]
pub struct Options {
    pub table: String,
    pub embedding: Vec<String>,
    pub key: Option<String>,
    /// --shards.
    pub shards: Option<Division>,
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
    /// Least number of rows that the table must have.
    pub min_rows: u64,
    /// Label of the embedding model.
    pub model: Option<String>,
    /// The index options that were given, to compare with those of an existing table.
    pub explicit: ExplicitOptions,
}

/// How rows are divided among files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    pub shards: usize,
    /// The column by whose values they are.
    pub by: String,
}

impl Division {
    /// Each shard is an open file while rows are read.
    const MOST: u32 = 256;

    fn new(args: &ImportArgs) -> Result<Option<Division>> {
        let Some(shards) = args.shards else { return Ok(None) };
        if !(1..=Division::MOST).contains(&shards) {
            return Err(Failure::new(format!("--shards: expected 1 to {}, got {shards}", Division::MOST)));
        }
        match (&args.shard_by, &args.key) {
            (None, None) => {
                Err(Failure::new("--shards needs --key or --shard-by, the column by which rows are divided"))
            }
            // A row would be put beside the one that it replaces, and two rows of one key into two files.
            (Some(by), Some(key)) if by != key => {
                Err(Failure::new(format!("--shard-by {by}: expected the --key, {key}, if there is one")))
            }
            (Some(by), _) | (None, Some(by)) => Ok(Some(Division { shards: shards as usize, by: by.clone() })),
        }
    }
}

/// What happens to an existing table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Replace,
    /// The table stays as it is, and the import fails.
    Fail,
    Append,
    Upsert,
    /// The table becomes equal to the files; only rows that differ are written.
    Mirror,
}

impl Mode {
    /// The option of the command line.
    pub fn option(self) -> &'static str {
        match self {
            Mode::Replace => "--replace",
            Mode::Fail => "--if-exists fail",
            Mode::Append => "--append",
            Mode::Upsert => "--upsert",
            Mode::Mirror => "--mirror",
        }
    }

    /// True if an existing table keeps its rows, or some of them.
    pub fn keeps_table(self) -> bool {
        matches!(self, Mode::Append | Mode::Upsert | Mode::Mirror)
    }
}

/// Index options, None where the default was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExplicitOptions {
    pub metric: Option<Metric>,
    pub element: Option<Element>,
    pub m: Option<usize>,
    pub ef_construction: Option<usize>,
}

impl Options {
    pub fn new(args: &ImportArgs, table: String) -> Result<Options> {
        let explicit = ExplicitOptions {
            metric: args.metric.map(MetricArg::metric),
            element: args.element.map(ElementArg::element),
            m: args.m,
            ef_construction: args.ef_construction,
        };
        let element = explicit.element.unwrap_or(Element::F32);
        let mut params = Params::new(1, element, explicit.metric.unwrap_or(element.default_metric()));
        params.m = explicit.m.unwrap_or(params.m);
        params.ef_construction = explicit.ef_construction.unwrap_or(params.ef_construction);
        params.validate()?;
        if let Some(size) = args.page_size
            && !(size.is_power_of_two() && (512..=65_536).contains(&size))
        {
            return Err(Failure::new(format!("--page-size: expected a power of two from 512 to 65536, got {size}")));
        }
        args.dims.map_or(Ok(()), |dims| check_dims(dims, element)).map_err(|failure| failure.at("--dims"))?;
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
            shards: Division::new(args)?,
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
            explicit,
        })
    }

    /// --type of a column.
    pub fn asked_type(&self, column: &str) -> Option<TypeArg> {
        self.types.iter().find(|(name, _)| name == column).map(|(_, to)| *to)
    }

    /// True if the column is to be imported.
    pub fn wants(&self, name: &String) -> bool {
        self.embedding.contains(name)
            || (!self.exclude.contains(name) && (self.columns.is_empty() || self.columns.contains(name)))
    }
}

/// The first entry with a name that came before.
fn repeated<T>(pairs: &[(String, T)]) -> Option<&(String, T)> {
    let mut later = pairs.iter().enumerate();
    later.find_map(|(at, pair)| pairs[..at].iter().any(|(name, _)| name == &pair.0).then_some(pair))
}
