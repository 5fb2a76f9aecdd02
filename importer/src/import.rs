//! `vecrank import`.

use crate::args::ImportArgs;
use crate::database;
use crate::existing;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::load::{Outcome, load};
use crate::mirror::{self, Changes};
use crate::options::{Mode, Options};
use crate::parquet::{Input, Source, expand};
use crate::plan::{Kind, Plan, describe};
use crate::publish::publish;
use crate::report::{Progress, Unit, human_bytes, plural};
use crate::screen::{escaped, json_text, stdout};
use crate::sql::{quote, quote_if_needed};
use crate::target::{Existing, Target, dropped_with};
use rusqlite::Connection;
use serde_json::json;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Page cache while a file is changed in place, in KiB. Without WAL, a transaction that fits into the cache does not
/// block readers before its commit.
const CACHE_KIB: i64 = 256 * 1024;

const PAGE_SIZE_IGNORED: &str = "--page-size has no effect on a file that keeps its tables";

/// True if all rows were imported, false if some were left out.
pub fn run(args: &ImportArgs) -> Result<bool> {
    import(args).map_err(|failure| failure.in_file(&args.database))
}

fn import(args: &ImportArgs) -> Result<bool> {
    let started = Instant::now();
    let sources = expand(&args.inputs)?;
    check_database_path(&args.database)?;
    let options = Options::new(args, table_name(args, &sources)?)?;
    let mut progress = Progress::default();

    let target = Target::new(&args.database)?;
    let open = |source| Input::open(source, target.folder(), &options.shape);
    let mut inputs = sources.iter().map(open).collect::<Result<Vec<_>>>()?;
    let mut plan = Plan::new(options, &mut inputs)?;
    interrupt::check()?;
    let old = target.old(&plan.options.table, plan.options.mode)?;
    if let (Some(connection), Mode::Replace) = (old.connection(), plan.options.mode) {
        for name in dropped_with(connection, &plan.options.table)? {
            progress.warn(format_args!("{name} on the rows of the old table is not made again (see --index)"));
        }
    }
    let adds = matches!(old, Existing::Changed { exists: true, .. }) && plan.options.mode != Mode::Replace;
    if !adds {
        old.connection().map_or(Ok(()), |connection| existing::take_dims(&mut plan, connection))?;
        plan.needs_table.take().map_or(Ok(()), Err)?;
    }
    let mut changes = None;
    let (plan, outcome, path) = match old {
        Existing::Changed { connection, .. } if adds => {
            let mut plan = existing::adopt(plan, &connection).map_err(|failure| failure.at(args.database.display()))?;
            let outcome = if plan.options.mode == Mode::Mirror {
                plan.sink = Some(mirror::SINK);
                let done = mirror(&connection, &plan, &inputs, target.folder(), &mut progress)?;
                changes = Some(done.1);
                done.0
            } else {
                add(&connection, &plan, &inputs, &mut progress)?
            };
            (plan, outcome, target.into_path())
        }
        Existing::Changed { connection, exists } => {
            let outcome = change(&connection, exists, &plan, &inputs, &mut progress)?;
            (plan, outcome, target.into_path())
        }
        old => {
            let (draft, outcome) = build(&target, &old, &plan, &inputs, &mut progress)?;
            let _watch = interrupt::watch(&draft);
            (plan, outcome, publish(target, draft, old, &mut progress)?)
        }
    };
    progress.finish();
    if plan.options.mode == Mode::Mirror {
        changes.get_or_insert(Changes { inserted: outcome.rows, ..Changes::default() });
    }
    let phases = progress.phases().collect();
    let summary = Summary { plan: &plan, outcome: &outcome, changes, path: &path, took: started.elapsed(), phases };
    summary.print(args)?;
    Ok(outcome.skipped == 0)
}

/// Builds the new file in the target's folder. It has no journal: a crash loses only this draft.
fn build(
    target: &Target,
    old: &Existing,
    plan: &Plan,
    inputs: &[Input],
    progress: &mut Progress,
) -> Result<(Connection, Outcome)> {
    let connection = database::create(&target.draft())?;
    let _watch = interrupt::watch(&connection);
    connection.pragma_update(None, "page_size", plan.page_size())?;
    if let Existing::Replaced { application_id, user_version, .. } = old {
        connection.pragma_update(None, "application_id", application_id)?;
        connection.pragma_update(None, "user_version", user_version)?;
    }
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    connection.execute_batch("BEGIN")?;
    let outcome = fill(&connection, plan, inputs, progress)?;
    connection.execute_batch("COMMIT")?;
    Ok((connection, outcome))
}

/// Makes the table anew in a file that keeps its other tables, in the open transaction.
fn change(
    connection: &Connection,
    exists: bool,
    plan: &Plan,
    inputs: &[Input],
    progress: &mut Progress,
) -> Result<Outcome> {
    let _watch = interrupt::watch(connection);
    if plan.options.page_size.is_some() {
        progress.warn(PAGE_SIZE_IGNORED);
    }
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    if exists {
        connection.execute_batch(&format!("DROP TABLE {}", quote(&plan.options.table)))?;
    }
    let outcome = fill(connection, plan, inputs, progress)?;
    connection.execute_batch("COMMIT")?;
    let total: i64 =
        connection.query_row("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", [], |row| {
            row.get(0)
        })?;
    progress.follow("Tidying the file", Unit::Bytes, total.unsigned_abs(), journal_bytes(connection));
    // The import is done: a reader that keeps VACUUM from running leaves free pages, which the next import uses.
    let _ = connection.execute_batch("VACUUM");
    Ok(outcome)
}

/// Makes the table equal to the files, in the open transaction. `folder` is where the files' rows are staged.
fn mirror(
    connection: &Connection,
    plan: &Plan,
    inputs: &[Input],
    folder: &Path,
    progress: &mut Progress,
) -> Result<(Outcome, Changes)> {
    let _watch = interrupt::watch(connection);
    if plan.options.page_size.is_some() {
        progress.warn(PAGE_SIZE_IGNORED);
    }
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    mirror::stage(connection, plan, folder)?;
    let outcome = load(connection, plan, inputs, progress)?;
    check_rows(plan, outcome.rows)?;
    let changes = mirror::apply(connection, plan, outcome.rows, progress)?;
    if changes.any() {
        index(connection, plan, changes.inserted + changes.updated, progress)?;
    }
    connection.execute_batch("COMMIT")?;
    Ok((outcome, changes))
}

/// Measures how far VACUUM is: first it copies the database to a temporary file, then it writes as many bytes to the
/// journal, or to the log.
fn journal_bytes(connection: &Connection) -> impl Fn() -> Option<u64> + use<> {
    let path = connection.path().map(str::to_owned);
    move || {
        let path = path.as_deref()?;
        let files = ["-journal", "-wal"].map(|ending| std::fs::metadata(format!("{path}{ending}")));
        files.into_iter().flatten().map(|file| file.len()).max().filter(|&bytes| bytes > 0)
    }
}

/// Adds rows to a table that stays, in the open transaction.
fn add(connection: &Connection, plan: &Plan, inputs: &[Input], progress: &mut Progress) -> Result<Outcome> {
    let _watch = interrupt::watch(connection);
    if plan.options.page_size.is_some() {
        progress.warn(PAGE_SIZE_IGNORED);
    }
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let outcome = insert(connection, plan, inputs, progress)?;
    connection.execute_batch("COMMIT")?;
    Ok(outcome)
}

/// Creates and fills the table with its index, in the open transaction.
fn fill(connection: &Connection, plan: &Plan, inputs: &[Input], progress: &mut Progress) -> Result<Outcome> {
    connection.execute_batch(&plan.create_sql())?;
    let outcome = insert(connection, plan, inputs, progress)?;
    if !plan.has_rowid_key() {
        // Builds the graph as COMMIT would, and lays rows that are near each other on the same pages.
        connection.execute_batch(&plan.command_sql("cluster"))?;
    }
    Ok(outcome)
}

fn insert(connection: &Connection, plan: &Plan, inputs: &[Input], progress: &mut Progress) -> Result<Outcome> {
    let outcome = load(connection, plan, inputs, progress)?;
    let rows = if plan.options.mode.keeps_table() {
        database::count_rows(connection, &plan.options.table)?
    } else {
        outcome.rows
    };
    check_rows(plan, rows)?;
    index(connection, plan, outcome.rows, progress)?;
    Ok(outcome)
}

/// Checks the least number of rows: a broken source must not empty a feed.
fn check_rows(plan: &Plan, rows: u64) -> Result<()> {
    let (table, least) = (&plan.options.table, plan.options.min_rows);
    if rows >= least {
        return Ok(());
    }
    Err(Failure::InFile(match rows {
        0 => format!("table {table} would have no row; nothing was changed (--allow-empty takes that)"),
        _ => format!(
            "table {table} would have {}, expected at least {least} (--min-rows); nothing was changed",
            plural(rows, "row")
        ),
    }))
}

/// Runs ANALYZE and starts the progress bar of the index, which COMMIT or `cluster` builds.
fn index(connection: &Connection, plan: &Plan, rows: u64, progress: &mut Progress) -> Result<()> {
    let table = &plan.options.table;
    // Each vector column's index is built in turn, over all rows.
    let built = move || vecrank::internals::storage::share().map(|share| (share * rows as f64) as u64);
    progress.follow("Building the index", Unit::Rows, rows, built);
    // Ordinary filters are planned by these figures. The graph itself is built by COMMIT.
    let had_samples = has_samples(connection)?;
    connection.execute_batch(&format!("ANALYZE {}", quote(&format!("{table}_rows"))))?;
    // An SQLite that is built without them, as Debian's is, cannot read the samples in from a dump.
    if !had_samples && has_samples(connection)? {
        connection.execute_batch("DROP TABLE sqlite_stat4")?;
    }
    interrupt::check()
}

fn has_samples(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat4')";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// The name from --table, or that of the only file.
fn table_name(args: &ImportArgs, sources: &[Source]) -> Result<String> {
    match (&args.table, sources) {
        (Some(name), _) => Ok(name.clone()),
        (None, [Source::File(path)]) => match path.file_stem().and_then(OsStr::to_str) {
            Some(stem) => Ok(stem.to_owned()),
            None => Err(Failure::new(format!("{}: no table name can be made of this: give --table", path.display()))),
        },
        (None, [Source::StandardInput]) => Err(Failure::new("standard input has no name: give --table")),
        (None, _) => Err(Failure::new("several files: give the table a name with --table")),
    }
}

/// Refuses `vecrank import a.parquet b.parquet`, which lacks the database.
fn check_database_path(path: &Path) -> Result<()> {
    let extension = path.extension().unwrap_or_default();
    if extension.eq_ignore_ascii_case("parquet") || path == Path::new("-") {
        return Err(Failure::new(format!(
            "the last argument is the database to make, got {}; write such as: vecrank import {} feed.db",
            path.display(),
            path.display()
        )));
    }
    Ok(())
}

/// To the millisecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The summary on standard output.
struct Summary<'a> {
    plan: &'a Plan,
    outcome: &'a Outcome,
    /// Of --mirror.
    changes: Option<Changes>,
    path: &'a PathBuf,
    took: Duration,
    phases: Vec<(&'static str, Duration)>,
}

impl Summary<'_> {
    fn print(&self, args: &ImportArgs) -> Result<()> {
        let mut out = stdout();
        if args.json {
            writeln!(out, "{}", json_text(&self.json(args)))?;
        } else {
            write!(out, "{}", self.text(args))?;
        }
        Ok(())
    }

    fn file_bytes(&self) -> u64 {
        std::fs::metadata(self.path).map_or(0, |metadata| metadata.len())
    }

    fn text(&self, args: &ImportArgs) -> String {
        let mut counts = plural(self.outcome.rows, "row");
        if matches!(self.plan.options.mode, Mode::Append | Mode::Upsert) {
            counts += " added";
        }
        if let Some(changes) = &self.changes {
            let Changes { inserted, updated, deleted } = changes;
            counts += &format!(", {inserted} inserted, {updated} updated, {deleted} deleted");
        }
        if self.outcome.skipped > 0 {
            counts += &format!(", {} skipped", self.outcome.skipped);
        }
        if self.outcome.without_vector > 0 {
            counts += &format!(", {} left out", plural(self.outcome.without_vector, "vector"));
        }
        let phases =
            self.phases.iter().map(|(phase, took)| format!("{} {:.1}", phase.to_lowercase(), took.as_secs_f64()));
        let vectors = self.plan.vectors().map(|(name, vector)| format!("{} {}", escaped(name), describe(vector)));
        let kept = self.plan.keeps.iter().map(|name| format!("{} kept", escaped(name)));
        let vectors: Vec<String> = vectors.chain(kept).collect();
        format!(
            "{}: table {}, {counts}, {}, {:.1} s ({}), {}\n\n{}\n",
            escaped(&args.database.to_string_lossy()),
            escaped(&self.plan.options.table),
            vectors.join(", "),
            self.took.as_secs_f64(),
            phases.collect::<Vec<_>>().join(", "),
            human_bytes(self.file_bytes()),
            self.example(|name| escaped(&quote_if_needed(name)).into_owned())
        )
    }

    fn json(&self, args: &ImportArgs) -> serde_json::Value {
        let vectors = self.plan.vectors().map(|(name, vector)| {
            json!({ "column": name, "type": vector.element.name(), "dims": vector.dims, "metric": vector.metric.name() })
        });
        let phases = self.phases.iter().map(|&(phase, took)| json!({ "phase": phase, "seconds": seconds(took) }));
        let mut summary = json!({
            "database": args.database.to_string_lossy(),
            "table": self.plan.options.table,
            "rows": self.outcome.rows,
            "skipped": self.outcome.skipped,
            "without_vector": self.outcome.without_vector,
            "vectors": vectors.collect::<Vec<_>>(),
            "seconds": seconds(self.took),
            "phases": phases.collect::<Vec<_>>(),
            "bytes": self.file_bytes(),
            "sql": self.example(quote_if_needed),
        });
        if let Some(changes) = &self.changes {
            summary["inserted"] = json!(changes.inserted);
            summary["updated"] = json!(changes.updated);
            summary["deleted"] = json!(changes.deleted);
        }
        summary
    }

    /// A statement to paste: the rows nearest to the first row.
    fn example(&self, name: impl Fn(&str) -> String) -> String {
        let vectors = self.plan.vectors().map(|(name, _)| name);
        let Some(vector) = vectors.chain(self.plan.keeps.iter().map(String::as_str)).next() else {
            return String::new();
        };
        let vector = name(vector);
        let table = name(&self.plan.options.table);
        let key = self.plan.key.and_then(|key| self.plan.columns.get(key));
        let others = self.plan.columns.iter().filter(|column| matches!(column.kind, Kind::Ordinary { .. }));
        let mut shown: Vec<String> = key.into_iter().map(|column| name(&column.name)).collect();
        for column in others.map(|column| name(&column.name)) {
            if shown.len() < 3 && !shown.contains(&column) {
                shown.push(column);
            }
        }
        shown.push("distance".to_owned());
        format!(
            "SELECT {} FROM {table}\nWHERE {vector} MATCH (SELECT {vector} FROM {table} WHERE {vector} IS NOT NULL LIMIT 1)\n\
             ORDER BY distance LIMIT 10;",
            shown.join(", ")
        )
    }
}
