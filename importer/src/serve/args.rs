//! The command line of `vecrank serve` as typed.

use clap::Args;
use std::path::PathBuf;

/// Answer HTTP requests for pages of a table
///
/// POST /feed answers with the rows nearest to a vector or to liked rows, as JSON, and / with a web page that shows them.
/// The file is only read. When another file is put in its place (as `vecrank import` does), it is served from the next
/// request on. SIGTERM or Ctrl-C ends the service after the requests that have begun.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vecrank serve feed.db
  vecrank serve feed.db --host 0.0.0.0 --port 80 --connections 8
  curl -d '{\"liked\": [\"A00018\"], \"limit\": 3}' http://127.0.0.1:8000/feed

Paths: POST /feed, GET /items/KEY, /catalogue, /health, /metrics (Prometheus),
/openapi.json, and / for the web page.")]
pub struct ServeArgs {
    /// The SQLite file
    #[arg(value_name = "DATABASE")]
    pub database: PathBuf,
    /// The table, if the file has several
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// The vector column, if the table has several
    #[arg(long, value_name = "COLUMN")]
    pub embedding: Option<String>,
    /// Address to listen on: 0.0.0.0 for all of the machine's
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: String,
    /// Port to listen on; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    pub port: u16,
    /// Connections to the file, each of which answers one request at a time [default: two per CPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub connections: Option<u16>,
    /// Most rows of a page
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_limit: u32,
    /// Most rows before a page
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub max_offset: u32,
}
