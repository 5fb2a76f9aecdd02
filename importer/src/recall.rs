//! `vecrank recall`.

use crate::args::RecallArgs;
use crate::columns::Shape;
use crate::database::{self, Table, VectorColumn};
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::output::aligned;
use crate::parquet::{Input, Source};
use crate::report::{Progress, Unit};
use crate::screen::{escaped, json_text, stdout};
use crate::sql::{literal, quote, quote_if_needed};
use crate::vectors::{Scratch, VectorLikelihood, VectorType, Vectors, likelihood};
use rusqlite::types::Value;
use rusqlite::{Connection, Statement, params};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use vecrank::internals::distance::{Element, Metric, decode};

/// The values of ef_search that are tried.
const LADDER: [i64; 8] = [8, 16, 32, 64, 128, 256, 512, 1024];

/// Default number of rows of the table that serve as queries.
const SAMPLE: u32 = 200;

/// A vector that is looked for, and its true nearest rows.
struct Query {
    /// The name for error messages.
    name: String,
    /// Set for a row of the table, which does not count as one of its nearest.
    rowid: Option<i64>,
    vector: Value,
    exact: Vec<Hit>,
}

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Hit {
    rowid: i64,
    distance: f64,
}

/// The measurement of one value of ef_search.
struct Rung {
    ef_search: i64,
    recall: f64,
    mean: Duration,
    /// The 99th percentile.
    slowest: Duration,
}

pub fn run(args: &RecallArgs) -> Result<()> {
    if args.target.is_some_and(|target| !(0.0..=1.0).contains(&target)) {
        return Err(Failure::new("--target: expected a share from 0 to 1, such as 0.95"));
    }
    let connection = database::open_readable(&args.database)?;
    let in_file = |failure: Failure| failure.at(args.database.display());
    let table = database::table(&connection, args.table.as_deref()).map_err(in_file)?;
    let vector = table.vector(args.embedding.as_deref()).map_err(in_file)?;
    let _watch = interrupt::watch(&connection);
    let mut progress = Progress::default();
    let queries = match &args.queries {
        Some(path) => held_out(path, vector, args.sample)?,
        None => sample(&connection, &table, vector, args.sample.unwrap_or(SAMPLE)).map_err(in_file)?,
    };
    let count = queries.len();
    let rungs = measure(&connection, (&table, vector), queries, args, &mut progress).map_err(in_file)?;
    progress.finish();
    report(args, (&table, vector), count, &rungs)
}

fn measure(
    connection: &Connection,
    (table, vector): (&Table, &VectorColumn),
    mut queries: Vec<Query>,
    args: &RecallArgs,
    progress: &mut Progress,
) -> Result<Vec<Rung>> {
    let mut search = connection.prepare(&format!(
        "SELECT {}, distance FROM {} WHERE {} MATCH ?1 AND ef_search = ?2 ORDER BY distance LIMIT ?3",
        table.rowid()?,
        quote(&table.name),
        quote(&vector.name)
    ))?;
    progress.count("Comparing every row", Unit::Queries, queries.len() as u64);
    for query in &mut queries {
        interrupt::check()?;
        let exact = nearest(&mut search, query, Value::Text("exact".to_owned()), args.k);
        query.exact = exact.map_err(|failure| failure.at(&query.name))?;
        progress.advance(1);
    }
    progress.count("Searching", Unit::Queries, (LADDER.len() * queries.len()) as u64);
    LADDER.iter().map(|&ef_search| climb(&mut search, &queries, ef_search, args.k, progress)).collect()
}

/// Rows spread evenly over the table.
fn sample(connection: &Connection, table: &Table, vector: &VectorColumn, count: u32) -> Result<Vec<Query>> {
    let (column, name, rowid) = (quote(&vector.name), quote(&table.name), table.rowid()?);
    let rowids = connection
        .prepare(&format!("SELECT {rowid} FROM {name} WHERE {column} IS NOT NULL ORDER BY {rowid}"))?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    if rowids.is_empty() {
        return Err(Failure::new(format!("table {} has no vectors", table.name)));
    }
    let mut one = connection.prepare(&format!("SELECT {column} FROM {name} WHERE {rowid} = ?1"))?;
    let queries = spread(rowids, count as usize).map(|rowid| {
        // An index over a table gives JSON text where the table has it.
        let vector: Value = one.query_row([rowid], |row| row.get(0))?;
        Ok(Query { name: format!("row {rowid}"), rowid: Some(rowid), vector, exact: Vec::new() })
    });
    queries.collect()
}

/// `count` of the items, spread evenly; all if there are fewer.
fn spread<T>(all: Vec<T>, count: usize) -> impl Iterator<Item = T> {
    let (total, wanted) = (all.len(), count.min(all.len()));
    let mut next = 0;
    all.into_iter().enumerate().filter_map(move |(position, item)| {
        let is_wanted = next < wanted && position == next * total / wanted;
        next += usize::from(is_wanted);
        is_wanted.then_some(item)
    })
}

/// The vectors of a Parquet file, all of them unless a sample is asked for.
fn held_out(path: &Path, vector: &VectorColumn, count: Option<u32>) -> Result<Vec<Query>> {
    let input = Input::open(&Source::File(path.to_owned()), &std::env::temp_dir(), &Shape::default())?;
    let column = queries_column(&input, vector)?;
    // Whether a vector of zeros has a direction is for the search to say.
    let (element, metric) = match vector.element {
        Element::Bit => (Element::Bit, Metric::Hamming),
        _ => (Element::F32, Metric::L2),
    };
    let as_came = VectorType { dims: vector.dims, element, metric };
    let (mut queries, mut scratch) = (Vec::new(), Scratch::default());
    for batch in input.batches(&[column])? {
        interrupt::check()?;
        let batch = batch?;
        let vectors = Vectors::new(batch.column(0), element).map_err(|failure| failure.at(&input.name))?;
        for row in 0..batch.num_rows() {
            let name = format!("{}: row {}", input.name, queries.len() + 1);
            let bytes = vectors.encode(row, as_came, &mut scratch);
            let bytes = bytes.map_err(|why| Failure::new(format!("{name}: {why}")))?;
            let value = match vector.element {
                Element::F32 | Element::Bit => Value::Blob(bytes.to_vec()),
                // A query is as exact as it came, whatever the column stores.
                Element::F16 | Element::I8 => Value::Text(json!(decode(bytes, Element::F32)).to_string()),
            };
            queries.push(Query { name, rowid: None, vector: value, exact: Vec::new() });
        }
    }
    if queries.is_empty() {
        return Err(Failure::new(format!("{}: has no rows, expected vectors to look for", input.name)));
    }
    let count = count.map_or(queries.len(), |count| count as usize);
    Ok(spread(queries, count).collect())
}

/// The column of the same name, or the only one that has lists of floats.
fn queries_column(input: &Input, vector: &VectorColumn) -> Result<usize> {
    let fields = input.schema().fields();
    let apt = |position: &usize| likelihood(fields[*position].data_type(), vector.element) == VectorLikelihood::Floats;
    let same = fields.iter().position(|field| field.name() == &vector.name);
    let mut floats = (0..fields.len()).filter(apt);
    match (same, floats.next(), floats.next()) {
        (Some(position), ..) | (None, Some(position), None) => Ok(position),
        _ => Err(Failure::new(format!("{}: no column \"{}\" with the vectors to look for", input.name, vector.name))),
    }
}

/// The k nearest rows but the query's own.
fn nearest(search: &mut Statement<'_>, query: &Query, ef_search: Value, k: u32) -> Result<Vec<Hit>> {
    let limit = i64::from(k) + i64::from(query.rowid.is_some());
    let rows = search.query_map(params![query.vector, ef_search, limit], |row| {
        Ok(Hit { rowid: row.get(0)?, distance: row.get(1)? })
    })?;
    let mut hits = rows.collect::<rusqlite::Result<Vec<Hit>>>()?;
    hits.retain(|hit| Some(hit.rowid) != query.rowid);
    hits.truncate(k as usize);
    Ok(hits)
}

impl Query {
    /// How many of these are among the true nearest rows, or as near as the last of them.
    fn count(&self, hits: &[Hit]) -> usize {
        let Some(last) = self.exact.last() else { return 0 };
        let is_true = |hit: &&Hit| hit.distance <= last.distance || self.exact.iter().any(|row| row.rowid == hit.rowid);
        hits.iter().filter(is_true).count()
    }
}

fn climb(search: &mut Statement<'_>, queries: &[Query], ef_search: i64, k: u32, progress: &Progress) -> Result<Rung> {
    let mut times = Vec::with_capacity(queries.len());
    let (mut found, mut wanted) = (0, 0);
    for query in queries {
        interrupt::check()?;
        let started = Instant::now();
        let hits = nearest(search, query, Value::Integer(ef_search), k)?;
        times.push(started.elapsed());
        found += query.count(&hits);
        wanted += query.exact.len();
        progress.advance(1);
    }
    times.sort();
    let slowest = times.get((times.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default();
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len().max(1)).unwrap_or(u32::MAX);
    Ok(Rung { ef_search, recall: if wanted == 0 { 1.0 } else { found as f64 / wanted as f64 }, mean, slowest })
}

fn report(args: &RecallArgs, (table, vector): (&Table, &VectorColumn), queries: usize, rungs: &[Rung]) -> Result<()> {
    let enough = args.target.map(|target| rungs.iter().find(|rung| rung.recall >= target));
    let mut out = stdout();
    if args.json {
        let ladder = rungs.iter().map(|rung| {
            json!({ "ef_search": rung.ef_search, "recall": rung.recall,
                    "mean_ms": milliseconds(rung.mean), "p99_ms": milliseconds(rung.slowest) })
        });
        let summary = json!({ "table": table.name, "column": vector.name, "k": args.k, "sample": queries,
            "ladder": ladder.collect::<Vec<_>>(), "target": args.target,
            "ef_search": enough.flatten().map(|rung| rung.ef_search) });
        writeln!(out, "{}", json_text(&summary))?;
    } else {
        let names =
            ["ef_search".to_owned(), format!("recall@{}", args.k), "mean ms".to_owned(), "99% below ms".to_owned()];
        let body = rungs.iter().map(|rung| {
            let times = [rung.mean, rung.slowest].map(|time| format!("{:.3}", milliseconds(time)));
            [vec![rung.ef_search.to_string(), format!("{:.4}", rung.recall)], times.to_vec()].concat()
        });
        writeln!(out, "{}", aligned(names.to_vec(), body.collect(), &[true; 4]))?;
    }
    match (args.target, enough.flatten()) {
        (None, _) => Ok(()),
        (Some(target), None) => Err(Failure::new(format!("no ef_search tried reaches a recall of {target}"))),
        (Some(target), Some(rung)) => {
            if !args.json {
                let name = escaped(&quote_if_needed(&table.name)).into_owned();
                writeln!(
                    out,
                    "\nef_search {} reaches {target}. To make it the table's default:\nINSERT INTO {}({}, k) VALUES ({}, {});",
                    rung.ef_search,
                    name,
                    name,
                    literal("ef_search"),
                    rung.ef_search
                )?;
            }
            Ok(())
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_evenly() {
        let sample = |count| spread((0..10).collect(), count).collect::<Vec<i32>>();
        assert_eq!(sample(3), [0, 3, 6]);
        assert_eq!(sample(10), sample(99));
        assert_eq!(sample(99).len(), 10);
        assert_eq!(spread(Vec::<i32>::new(), 5).count(), 0);
    }

    /// Ties with the last of the nearest count, and nothing that is farther by the least bit.
    #[test]
    fn a_hit_is_a_row_as_near_as_the_true_ones() {
        let hit = |rowid, distance| Hit { rowid, distance };
        let exact = vec![hit(1, 1e-12), hit(2, 2e-12)];
        let query = Query { name: String::new(), rowid: None, vector: Value::Null, exact };
        assert_eq!(query.count(&[hit(2, 2e-12), hit(3, 2e-12)]), 2);
        assert_eq!(query.count(&[hit(1, 1e-12), hit(3, 3e-12)]), 1);
        assert_eq!(query.count(&[]), 0);
    }
}
