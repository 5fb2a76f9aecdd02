//! The command line of `vecrank export` as typed.

use crate::args::{TypeArg, pair};
use clap::Args;
use std::path::PathBuf;

/// Write the rows of a table to a Parquet or Arrow file
///
/// Rows come in the order of their rowids, of one state of the database. Vectors are written byte for byte: FLOAT, FLOAT16 and
/// INT8 as lists of fixed size, BIT as binary values of fixed size. An existing file is replaced when the new one is complete.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vecrank export feed.db articles.parquet
  vecrank export feed.db new.arrow --columns id,embedding --where \"id > 900\"

What was written is imported with the key and the --element of the table:
  vecrank import articles.parquet copy.db --table articles --key article_id")]
pub struct ExportArgs {
    /// The SQLite file
    #[arg(value_name = "DATABASE")]
    pub database: PathBuf,
    /// The file to write: NAME.parquet, or NAME.arrow for Arrow's IPC file format
    #[arg(value_name = "FILE")]
    pub output: PathBuf,
    /// The table, if the file has several
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Only these columns, in this order; rowid is one too
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Only rows for which this SQL condition holds
    #[arg(long = "where", value_name = "CONDITION")]
    pub filter: Option<String>,
    /// TEXT, INTEGER, REAL or BLOB for a column whose values are of several types
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = pair::<TypeArg>)]
    pub types: Vec<(String, TypeArg)>,
    /// Say what was written as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl ExportArgs {
    /// The WHERE clause; empty if all rows are wanted. The line break ends a comment in the condition.
    pub fn where_clause(&self) -> String {
        self.filter.as_ref().map_or(String::new(), |filter| format!(" WHERE ({filter}\n)"))
    }
}
