//! `vecrank recall`.

use crate::args::RecallArgs;
use crate::database::{self, Table, VectorColumn};
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::output::aligned;
use crate::report::{Progress, Unit};
use crate::sql::{literal, quote, quote_if_needed};
use rusqlite::types::Value;
use rusqlite::{Connection, Statement, params};
use serde_json::json;
use std::io::Write;
use std::time::{Duration, Instant};

/// The values of ef_search that are tried.
const LADDER: [i64; 8] = [8, 16, 32, 64, 128, 256, 512, 1024];

/// Distances that differ by no more than this are a tie: either row is right.
const TIE: f64 = 1e-9;

/// A row of the table that serves as a query, and how far its true nearest rows are.
struct Query {
    rowid: i64,
    vector: Vec<u8>,
    /// Ascending, without the row itself.
    exact: Vec<f64>,
}

/// What one value of ef_search gives.
struct Rung {
    ef_search: i64,
    recall: f64,
    mean: Duration,
    /// 99 of 100 queries take no longer.
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
    let rungs = measure(&connection, &table, vector, args, &mut progress).map_err(in_file)?;
    progress.finish();
    report(args, &table, vector, &rungs)
}

fn measure(
    connection: &Connection,
    table: &Table,
    vector: &VectorColumn,
    args: &RecallArgs,
    progress: &mut Progress,
) -> Result<Vec<Rung>> {
    let mut queries = sample(connection, table, vector, args.sample)?;
    if queries.is_empty() {
        return Err(Failure::new(format!("table {} has no vectors", table.name)));
    }
    let mut search = connection.prepare(&format!(
        "SELECT rowid, distance FROM {} WHERE {} MATCH ?1 AND ef_search = ?2 ORDER BY distance LIMIT ?3",
        quote(&table.name),
        quote(&vector.name)
    ))?;
    progress.count("Comparing every row", Unit::Queries, queries.len() as u64);
    for query in &mut queries {
        query.exact = nearest(&mut search, query, Value::Text("exact".to_owned()), args.k)?;
        progress.advance(1);
    }
    progress.count("Searching", Unit::Queries, (LADDER.len() * queries.len()) as u64);
    LADDER.iter().map(|&ef_search| climb(&mut search, &queries, ef_search, args.k, progress)).collect()
}

/// Rows spread evenly over the table.
fn sample(connection: &Connection, table: &Table, vector: &VectorColumn, count: u32) -> Result<Vec<Query>> {
    let (column, name) = (quote(&vector.name), quote(&table.name));
    let rowids = connection
        .prepare(&format!("SELECT rowid FROM {name} WHERE {column} IS NOT NULL ORDER BY rowid"))?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut one = connection.prepare(&format!("SELECT {column} FROM {name} WHERE rowid = ?1"))?;
    let wanted = (count as usize).min(rowids.len());
    let spread = (0..wanted).filter_map(|i| rowids.get(i * rowids.len() / wanted));
    let queries = spread.map(|&rowid| {
        let vector = one.query_row([rowid], |row| row.get(0))?;
        Ok(Query { rowid, vector, exact: Vec::new() })
    });
    queries.collect()
}

/// Distances of the k nearest rows but the query's own.
fn nearest(search: &mut Statement<'_>, query: &Query, ef_search: Value, k: u32) -> Result<Vec<f64>> {
    let rows = search.query_map(params![query.vector, ef_search, i64::from(k) + 1], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, f64>(1)?))
    })?;
    let mut distances = Vec::with_capacity(k as usize + 1);
    for row in rows {
        let (rowid, distance) = row?;
        if rowid != query.rowid {
            distances.push(distance);
        }
    }
    distances.truncate(k as usize);
    Ok(distances)
}

fn climb(search: &mut Statement<'_>, queries: &[Query], ef_search: i64, k: u32, progress: &Progress) -> Result<Rung> {
    let mut times = Vec::with_capacity(queries.len());
    let (mut found, mut wanted) = (0, 0);
    for query in queries {
        interrupt::check()?;
        let started = Instant::now();
        let distances = nearest(search, query, Value::Integer(ef_search), k)?;
        times.push(started.elapsed());
        let farthest = query.exact.last().copied().unwrap_or(f64::NEG_INFINITY);
        found += distances.iter().filter(|&&distance| distance <= farthest + TIE).count();
        wanted += query.exact.len();
        progress.advance(1);
    }
    times.sort();
    let slowest = times.get((times.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default();
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len().max(1)).unwrap_or(u32::MAX);
    Ok(Rung { ef_search, recall: if wanted == 0 { 1.0 } else { found as f64 / wanted as f64 }, mean, slowest })
}

fn report(args: &RecallArgs, table: &Table, vector: &VectorColumn, rungs: &[Rung]) -> Result<()> {
    let enough = args.target.map(|target| rungs.iter().find(|rung| rung.recall >= target));
    let mut out = std::io::stdout().lock();
    if args.json {
        let ladder = rungs.iter().map(|rung| {
            json!({ "ef_search": rung.ef_search, "recall": rung.recall,
                    "mean_ms": milliseconds(rung.mean), "p99_ms": milliseconds(rung.slowest) })
        });
        let summary = json!({ "table": table.name, "column": vector.name, "k": args.k, "sample": args.sample,
            "ladder": ladder.collect::<Vec<_>>(), "target": args.target,
            "ef_search": enough.flatten().map(|rung| rung.ef_search) });
        writeln!(out, "{summary}")?;
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
                writeln!(
                    out,
                    "\nef_search {} reaches {target}. To make it the table's default:\nINSERT INTO {}({}, k) VALUES ({}, {});",
                    rung.ef_search,
                    quote_if_needed(&table.name),
                    quote_if_needed(&table.name),
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
