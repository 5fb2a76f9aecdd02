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
use crate::plan::Plan;
use crate::publish::publish;
use crate::report::{Progress, Unit, plural};
use crate::shards;
use crate::sql::quote;
use crate::summary::{Files, Summary};
use crate::target::{Existing, Target, dropped_with};
use rusqlite::Connection;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Instant;

/// Page cache while a file is changed in place, in KiB. Without WAL, a transaction that fits into the cache does not
/// block readers before its commit.
const CACHE_KIB: i64 = 256 * 1024;

/// Says so where --page-size comes too late.
pub fn warn_of_page_size(plan: &Plan, progress: &Progress) {
    if plan.options.page_size.is_some() {
        progress.warn("--page-size has no effect on a file that keeps its tables");
    }
}

/// True if all rows were imported, false if some were left out.
pub fn run(args: &ImportArgs) -> Result<bool> {
    import(args).map_err(|failure| failure.in_file(&args.database))
}

fn import(args: &ImportArgs) -> Result<bool> {
    let started = Instant::now();
    let sources = expand(&args.inputs)?;
    check_database_path(args)?;
    let options = Options::new(args, table_name(args, &sources)?)?;
    if options.shards.is_some() {
        return shards::import(args, options, &sources, started);
    }
    let mut progress = Progress::default();

    let target = Target::new(&args.database)?;
    let (mut plan, inputs) = plan(options, &sources, target.folder())?;
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
    let phases = progress.phases();
    let (files, took) = (Files::One(&path), started.elapsed());
    Summary { plan: &plan, outcome: &outcome, changes, files, took, phases }.print(args)?;
    Ok(outcome.skipped == 0)
}

/// Opens the files, and chooses what is made of them. `folder` is where standard input is copied to.
pub fn plan(options: Options, sources: &[Source], folder: &Path) -> Result<(Plan, Vec<Input>)> {
    let open = |source| Input::open(source, folder, &options.shape);
    let mut inputs = sources.iter().map(open).collect::<Result<Vec<_>>>()?;
    let plan = Plan::new(options, &mut inputs)?;
    interrupt::check()?;
    Ok((plan, inputs))
}

/// Builds the new file in the target's folder.
fn build(
    target: &Target,
    old: &Existing,
    plan: &Plan,
    inputs: &[Input],
    progress: &mut Progress,
) -> Result<(Connection, Outcome)> {
    let marks = match old {
        Existing::Replaced { application_id, user_version, .. } => Some((*application_id, *user_version)),
        _ => None,
    };
    let connection = begin_draft(&target.draft(), plan, marks)?;
    let _watch = interrupt::watch(&connection);
    let outcome = fill(&connection, plan, inputs, progress)?;
    connection.execute_batch("COMMIT")?;
    Ok((connection, outcome))
}

/// Makes a file that is published later, with its transaction open. It has no journal: a crash loses only this draft.
/// `marks`: the application_id and user_version of the file that it replaces.
pub fn begin_draft(path: &Path, plan: &Plan, marks: Option<(i32, i32)>) -> Result<Connection> {
    let connection = database::create(path)?;
    connection.pragma_update(None, "page_size", plan.page_size())?;
    if let Some((application_id, user_version)) = marks {
        connection.pragma_update(None, "application_id", application_id)?;
        connection.pragma_update(None, "user_version", user_version)?;
    }
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    connection.execute_batch("BEGIN")?;
    Ok(connection)
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
    warn_of_page_size(plan, progress);
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
    warn_of_page_size(plan, progress);
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    mirror::stage(connection, plan, &folder.join("source.db"))?;
    let outcome = load([connection], plan, inputs, progress)?;
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
    warn_of_page_size(plan, progress);
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let outcome = insert(connection, plan, inputs, progress)?;
    connection.execute_batch("COMMIT")?;
    Ok(outcome)
}

/// Creates and fills the table with its index, in the open transaction.
fn fill(connection: &Connection, plan: &Plan, inputs: &[Input], progress: &mut Progress) -> Result<Outcome> {
    connection.execute_batch(&plan.create_sql())?;
    let outcome = insert(connection, plan, inputs, progress)?;
    lay_out(connection, plan)?;
    Ok(outcome)
}

/// Builds the graph as COMMIT would, and lays rows that are near each other on the same pages.
pub fn lay_out(connection: &Connection, plan: &Plan) -> Result<()> {
    if plan.has_rowid_key() { Ok(()) } else { Ok(connection.execute_batch(&plan.command_sql("cluster"))?) }
}

fn insert(connection: &Connection, plan: &Plan, inputs: &[Input], progress: &mut Progress) -> Result<Outcome> {
    let outcome = load([connection], plan, inputs, progress)?;
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
pub fn check_rows(plan: &Plan, rows: u64) -> Result<()> {
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
pub fn index(connection: &Connection, plan: &Plan, rows: u64, progress: &mut Progress) -> Result<()> {
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

/// Refuses `vecrank import a.parquet b.parquet`, which lacks the database, and a manifest that is not called one.
fn check_database_path(args: &ImportArgs) -> Result<()> {
    let path = &args.database;
    let is_called = |wanted: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted));
    if is_called("parquet") || path == Path::new("-") {
        return Err(Failure::new(format!(
            "the last argument is the database to make, got {}; write such as: vecrank import {} feed.db",
            path.display(),
            path.display()
        )));
    }
    if args.shards.is_some() && !is_called("json") {
        return Err(Failure::new(format!(
            "--shards: the last argument is the manifest of the shards, expected a name such as feed.json, got {}",
            path.display()
        )));
    }
    Ok(())
}
