//! The command line as typed. Each subcommand's own file turns its part into checked values before any file is touched.

use crate::export::args::ExportArgs;
use crate::serve::ServeArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// Loads Parquet files with embeddings into an SQLite file, and ranks its rows by vector distance
///
/// An embedding is a vector: a list of numbers that represents a text, an image or an article. Similar things have near
/// vectors. A vector column holds one vector per row, and its index finds the nearest rows without comparing every row.
#[derive(Debug, Parser)]
#[command(
    name = "vecrank",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  vecrank import products.parquet feed.db --key article_id
  vecrank query feed.db --like article_id=A0000042 --limit 20
  vecrank info feed.db

Results go to standard output, progress and warnings to standard error.
Exit code: 0 done, 1 done with rows skipped, 2 failed, 130 stopped by Ctrl-C."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Import(ImportArgs),
    Query(QueryArgs),
    Info(InfoArgs),
    Check(CheckArgs),
    Recall(RecallArgs),
    Fold(FoldArgs),
    Export(ExportArgs),
    Serve(ServeArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Make a table with a vector index from Parquet files
///
/// Reads the files, makes an SQLite table whose rows can be ranked by vector distance, and replaces the old file in one
/// step: a program that reads it sees all of the old file or all of the new one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vecrank import products.parquet feed.db
  vecrank import 'part-*.parquet' feed.db --table articles \\
      --key article_id --index category,retail_price
  vecrank import products.parquet feed.db --element f16 \\
      --embedding text_vector --embedding image_vector
  zcat products.parquet.gz | vecrank import - feed.db --table articles
  vecrank import products.parquet feed.db --key article_id --mirror \\
      --min-rows 1000 --model text-embedding-3-small
  vecrank import products.parquet feed.json --key article_id --shards 8

How Parquet becomes SQL:
  integers, booleans          INTEGER (unsigned beyond 2^63 - 1: TEXT, with a
                              warning)
  floating-point numbers      REAL (NaN: NULL)
  text, dictionaries of text  TEXT
  decimals                    TEXT, exactly (--decimal real: REAL)
  dates, times, timestamps    TEXT such as 2025-03-01 and 2025-03-01T07:30:00Z,
                              in UTC (Z) where the column has a zone
                              (--timestamps unix: seconds since 1970, but for
                              times of day)
  durations                   TEXT such as PT90.5S
  binary                      BLOB
  lists, structs, maps        TEXT with JSON: dates and so on as above, binary
                              in hexadecimal, decimals as numbers
  lists of floating-point numbers, fixed-size binary of little-endian float32
                              a vector column, if chosen
  binary of any length with little-endian float32, text with a JSON array,
  lists of integers, arrays of shape (1, n), a field of a struct
                              a vector column, if named by --embedding
  intervals, unions           none: leave them out with --exclude")]
pub struct ImportArgs {
    /// Parquet files with the same columns: paths, patterns such as 'part-*.parquet', or - for standard input
    #[arg(required = true, value_name = "PARQUET")]
    pub inputs: Vec<String>,
    /// The SQLite file; if it exists, the table in it is made anew (but see --append) and its other tables are kept
    #[arg(value_name = "DATABASE")]
    pub database: PathBuf,
    /// Name of the table [default: the name of the one Parquet file, without its ending]
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Column with the vectors; may be given several times [default: the one column that has lists of floats].
    /// payload.vector is a field of a struct, 'vector=emb_*' one column made of emb_0, emb_1 and so on
    #[arg(long, value_name = "COLUMN")]
    pub embedding: Vec<String>,
    /// Give a column another name in the table; the other options take the new name. May be given several times
    #[arg(long, value_name = "OLD=NEW", value_parser = pair::<String>)]
    pub rename: Vec<(String, String)>,
    /// Store a column as TEXT, INTEGER, REAL or BLOB; refused if a value would change. May be given several times
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = pair::<TypeArg>)]
    pub types: Vec<(String, TypeArg)>,
    /// Make TEXT columns of folders such as date=2024-01-01 in the files' paths
    #[arg(long)]
    pub hive: bool,
    /// Allow files with different columns: those that a file lacks are NULL, and numbers and timestamps get a type that
    /// holds the values of all files. Without this option all files must have the same columns with the same types
    #[arg(long)]
    pub union_by_name: bool,
    /// How two vectors are compared [default: cosine; of bits hamming]
    #[arg(long, value_name = "METRIC", value_enum)]
    pub metric: Option<MetricArg>,
    /// Column that identifies a row: becomes the PRIMARY KEY, so its values must be unique
    #[arg(long, value_name = "COLUMN")]
    pub key: Option<String>,
    /// Divide the rows among this many files of one table each. DATABASE is then their manifest, a JSON file such as
    /// feed.json that names the files beside it
    #[arg(long, value_name = "N")]
    pub shards: Option<u32>,
    /// Column by whose values the rows are divided [default: the --key]
    #[arg(long, value_name = "COLUMN", requires = "shards")]
    pub shard_by: Option<String>,
    /// Columns that queries filter by (WHERE): each gets an ordinary index
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub index: Vec<String>,
    /// How vectors are stored: 4, 2 or 1 bytes per component, or one bit [default: f32]
    #[arg(long, value_name = "TYPE", value_enum)]
    pub element: Option<ElementArg>,
    /// Dimensions of the vectors [default: those of the files]. A table without rows needs it, unless the files' type
    /// or the old table has them
    #[arg(long, value_name = "N")]
    pub dims: Option<usize>,
    /// Links per row in the vector index: more links make a larger file, and searches find more of the true nearest
    /// rows [default: 16]
    #[arg(long, value_name = "2..64")]
    pub m: Option<usize>,
    /// Neighbours compared when a row is linked: more make better links and a slower INSERT [default: 200]
    #[arg(long, value_name = "N")]
    pub ef_construction: Option<usize>,
    /// What to do with a row whose vector is missing or unusable, or whose key is missing or repeated
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = OnBadRow::Fail)]
    pub on_bad_row: OnBadRow,
    /// Import these columns only (the vectors are always imported)
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', conflicts_with = "exclude")]
    pub columns: Vec<String>,
    /// Import all columns but these
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Store decimals as exact text, or as floating-point numbers
    #[arg(long, value_name = "AS", value_enum, default_value_t = DecimalArg::Text)]
    pub decimal: DecimalArg,
    /// Store dates and timestamps as ISO 8601 text, or as seconds since 1970-01-01 UTC
    #[arg(long, value_name = "AS", value_enum, default_value_t = TimestampArg::Iso)]
    pub timestamps: TimestampArg,
    /// Make the table anew if it exists, which is the default
    #[arg(long, conflicts_with_all = ["append", "upsert", "mirror", "if_exists"])]
    pub replace: bool,
    /// Add the rows to the table if it exists, instead of making it anew
    #[arg(long)]
    pub append: bool,
    /// As --append, but a row replaces the row of the table that has the same --key
    #[arg(long, conflicts_with = "append", requires = "key")]
    pub upsert: bool,
    /// Make the table equal to the files, by --key: add new rows, change those that differ, and delete those that the
    /// files no longer have, in one transaction
    #[arg(long, conflicts_with_all = ["append", "upsert"], requires = "key")]
    pub mirror: bool,
    /// What to do if the table exists already
    #[arg(long, value_name = "ACTION", value_enum, default_value_t = IfExists::Replace, conflicts_with_all = ["append", "upsert", "mirror"])]
    pub if_exists: IfExists,
    /// Fail, and leave the database as it is, if the table would have fewer rows [default: 1]
    #[arg(long, value_name = "N")]
    pub min_rows: Option<u64>,
    /// Make a table without rows if the files have none
    #[arg(long, conflicts_with = "min_rows")]
    pub allow_empty: bool,
    /// Name of the embedding model: stored with the table, shown by `vecrank info`, and checked when rows are added
    #[arg(long, value_name = "LABEL")]
    pub model: Option<String>,
    /// Bytes per database page: a power of two, 512..65536 [default: the size that wastes least]
    #[arg(long, value_name = "BYTES")]
    pub page_size: Option<u32>,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Print the rows nearest to a vector
///
/// The vector is given with --vector, or taken from rows of the table with --like; several --like are blended into one.
/// Without either, rows come in the order of the table and without a distance.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vecrank query feed.db --like article_id=A0000042 --limit 20
  vecrank query feed.db --like article_id=A0000042 --like article_id=A0000007 \\
      --where \"retail_price < 50\" --offset 20
  vecrank query feed.db --vector @taste.json --columns article_id,price --csv")]
pub struct QueryArgs {
    /// The SQLite file
    #[arg(value_name = "DATABASE")]
    pub database: PathBuf,
    /// The table, if the file has several
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// The vector column, if the table has several
    #[arg(long, value_name = "COLUMN")]
    pub embedding: Option<String>,
    /// The vector as JSON, '[0.1, -0.2, ...]', or @FILE to read the JSON from a file (@- from standard input)
    #[arg(long, value_name = "JSON|@FILE", conflicts_with = "like", allow_hyphen_values = true)]
    pub vector: Option<String>,
    /// Rank by the vectors of the rows where COLUMN has this value; may be given several times
    #[arg(long, value_name = "COLUMN=VALUE")]
    pub like: Vec<String>,
    /// SQL condition that rows must meet, such as "retail_price < 50 AND in_stock"
    #[arg(long = "where", value_name = "SQL")]
    pub filter: Option<String>,
    /// Rows to print
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: u32,
    /// Rows to skip: --limit 20 --offset 20 is the second page of 20
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: u32,
    /// Columns to print [default: all but the vectors]
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// How far the search looks ahead, in rows: a larger value is slower and misses fewer of the true nearest rows;
    /// `exact` compares every row [default: that of the table, see `vecrank info`]
    #[arg(long, value_name = "N|exact")]
    pub ef_search: Option<String>,
    /// Print a JSON array of objects
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print comma-separated values with a header line
    #[arg(long)]
    pub csv: bool,
    /// Print the SQL statement, how SQLite runs it, and what the search read, instead of rows
    #[arg(long, conflicts_with = "csv")]
    pub explain: bool,
}

/// Describe the vector tables of a file
///
/// Prints the columns, the number of rows, the settings of the index and the bytes of each part. `vecrank recall`
/// measures what the settings achieve.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vecrank info feed.db")]
pub struct InfoArgs {
    /// The SQLite file
    #[arg(value_name = "DATABASE")]
    pub database: PathBuf,
    /// Only this table
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Print a JSON array with one object per table
    #[arg(long)]
    pub json: bool,
}

/// Bring indexes over tables up to date with their logs
///
/// An index over a table of the user's, with sync = 'log', keeps the rows that have changed in a log, which each search
/// reads. This folds the log into the graph, as the command 'fold' does in SQL. Rows with a wrong vector stay in the log;
/// the exit code is 1 then.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vecrank fold shop.db --table products_near")]
pub struct FoldArgs {
    /// The SQLite file
    #[arg(value_name = "DATABASE")]
    pub database: PathBuf,
    /// Only this index
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Print a JSON array with one object per index
    #[arg(long)]
    pub json: bool,
}

/// Look for damage in a file
///
/// Runs SQLite's integrity check, which covers the ordinary tables and, for each vector table, that rows and index
/// agree. Prints what is wrong and ends with exit code 2 if anything is. Nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vecrank check feed.db && cp feed.db /srv/feed.db")]
pub struct CheckArgs {
    /// The SQLite file
    #[arg(value_name = "DATABASE")]
    pub database: PathBuf,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Measure how many of the true nearest rows a search finds, and how fast
///
/// Takes rows of the table as queries (or vectors that are not in it: --queries), finds their true nearest rows by
/// comparing every row, and then searches with a ladder of ef_search values (how far a search looks ahead). Recall is
/// the share of the true nearest that were found; a row that serves as a query is not one of its own nearest.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vecrank recall feed.db
  vecrank recall feed.db --k 100 --sample 50 --target 0.95
  vecrank recall feed.db --queries held_out.parquet")]
pub struct RecallArgs {
    /// The SQLite file
    #[arg(value_name = "DATABASE")]
    pub database: PathBuf,
    /// The table, if the file has several
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// The vector column, if the table has several
    #[arg(long, value_name = "COLUMN")]
    pub embedding: Option<String>,
    /// Use the vectors of this Parquet file as queries, instead of rows of the table
    #[arg(long, value_name = "PARQUET")]
    pub queries: Option<PathBuf>,
    /// Queries to run [default: 200 rows of the table, or all of --queries]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub sample: Option<u32>,
    /// Nearest rows to compare
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub k: u32,
    /// Print the ef_search that reaches this recall; exit code 2 if none does
    #[arg(long, value_name = "0..1")]
    pub target: Option<f64>,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Print a script that completes the command's options in a shell
///
/// The shell reads it when it starts; afterwards the Tab key completes subcommands and options.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vecrank completions bash > ~/.local/share/bash-completion/completions/vecrank")]
pub struct CompletionsArgs {
    /// The shell that will read the script
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Print the manual page, or that of a subcommand
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vecrank man > vecrank.1
  vecrank man import | man -l -")]
pub struct ManArgs {
    /// Such as import
    #[arg(value_name = "SUBCOMMAND")]
    pub subcommand: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MetricArg {
    /// By the angle between them, whatever their length: 0 (same direction) to 2 (opposite)
    Cosine,
    /// By the straight-line (Euclidean) distance
    L2,
    /// By the inner product: the larger, the nearer
    Dot,
    /// By the number of bits that differ: for --element bit, and its default
    Hamming,
}

impl MetricArg {
    pub fn metric(self) -> vecrank::internals::distance::Metric {
        match self {
            MetricArg::Cosine => vecrank::internals::distance::Metric::Cosine,
            MetricArg::L2 => vecrank::internals::distance::Metric::L2,
            MetricArg::Dot => vecrank::internals::distance::Metric::Dot,
            MetricArg::Hamming => vecrank::internals::distance::Metric::Hamming,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ElementArg {
    /// 32-bit floating point, as it came
    F32,
    /// 16-bit floating point: about three decimal digits
    F16,
    /// Whole numbers from -128 to 127; under cosine each vector is scaled to them, under l2 and dot they must be such
    I8,
    /// Bits, ranked by how many differ: those of a binary column, else the signs of the numbers, 1 where they are greater
    /// than 0
    Bit,
}

impl ElementArg {
    pub fn element(self) -> vecrank::internals::distance::Element {
        match self {
            ElementArg::F32 => vecrank::internals::distance::Element::F32,
            ElementArg::F16 => vecrank::internals::distance::Element::F16,
            ElementArg::I8 => vecrank::internals::distance::Element::I8,
            ElementArg::Bit => vecrank::internals::distance::Element::Bit,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnBadRow {
    /// Stop at the first one and leave the database as it was
    Fail,
    /// Leave such rows out, report them, and end with exit code 1
    Skip,
    /// Keep the row without a vector; one with a missing or repeated key is left out
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IfExists {
    /// Make it anew
    Replace,
    /// Stop, and leave it as it is
    Fail,
}

/// A type in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeArg {
    Text,
    Integer,
    Real,
    Blob,
}

impl TypeArg {
    pub fn name(self) -> &'static str {
        match self {
            TypeArg::Text => "TEXT",
            TypeArg::Integer => "INTEGER",
            TypeArg::Real => "REAL",
            TypeArg::Blob => "BLOB",
        }
    }
}

impl FromStr for TypeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<TypeArg, String> {
        let types = [TypeArg::Text, TypeArg::Integer, TypeArg::Real, TypeArg::Blob];
        let found = types.into_iter().find(|known| known.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("expected TEXT, INTEGER, REAL or BLOB, got {text}"))
    }
}

/// Splits at the last equals sign: a column's name may have one.
pub fn pair<T: FromStr<Err: Display>>(text: &str) -> Result<(String, T), String> {
    let (column, value) = text.rsplit_once('=').ok_or("expected a column, an equals sign and a value")?;
    if column.is_empty() {
        return Err("expected a column before the equals sign".to_owned());
    }
    Ok((column.to_owned(), value.parse().map_err(|error: T::Err| error.to_string())?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DecimalArg {
    Text,
    Real,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TimestampArg {
    Iso,
    Unix,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_last_path_is_the_database() {
        let cli = Cli::try_parse_from(["vecrank", "import", "a.parquet", "b.parquet", "feed.db"]).unwrap();
        let Command::Import(args) = cli.command else { panic!("not an import") };
        assert_eq!(args.inputs, ["a.parquet", "b.parquet"]);
        assert_eq!(args.database, PathBuf::from("feed.db"));
    }

    #[test]
    fn lists_are_split_at_commas() {
        let cli = Cli::try_parse_from(["vecrank", "import", "a.parquet", "feed.db", "--index", "a,b c"]).unwrap();
        let Command::Import(args) = cli.command else { panic!("not an import") };
        assert_eq!(args.index, ["a", "b c"]);
    }
}
