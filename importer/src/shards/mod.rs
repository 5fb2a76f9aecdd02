//! `vecrank import --shards` divides the rows among several files.
//!
//! A manifest names the files. Each import makes files with new names beside it and then replaces the manifest, so the
//! files that a reader finds in it are those of one import. Files that a manifest has named are never changed by an
//! import, and stay until the next but one.

mod set;

use crate::args::ImportArgs;
use crate::database;
use crate::existing;
use crate::failure::{Failure, Result};
use crate::import;
use crate::interrupt;
use crate::load::{Outcome, load};
use crate::mirror::{self, Changes};
use crate::options::{Mode, Options};
use crate::parquet::{Input, Source};
use crate::plan::Plan;
use crate::publish::{copy, finish, remove_if_there};
use crate::report::Progress;
use crate::summary::{Files, Summary};
use rusqlite::Connection;
use set::{BuiltShard, ShardSet};
use std::time::Instant;

/// What an import made of a set's shards.
struct Built {
    plan: Plan,
    outcome: Outcome,
    /// Of --mirror.
    changes: Option<Changes>,
    shards: Vec<BuiltShard>,
}

/// Imports into the set of files that the manifest names. True if no row was left out.
pub fn import(args: &ImportArgs, options: Options, sources: &[Source], started: Instant) -> Result<bool> {
    let mut progress = Progress::default();
    let set = ShardSet::open(&args.database)?;
    let (plan, inputs) = import::plan(options, sources, set.folder())?;
    set.check(&plan.options)?;
    let adds = set.exists() && plan.options.mode.keeps_table();
    let built = if adds { change } else { build }(&set, plan, &inputs, &mut progress)?;
    let Built { plan, outcome, mut changes, shards } = built;
    if plan.options.mode == Mode::Mirror {
        changes.get_or_insert(Changes { inserted: outcome.rows, ..Changes::default() });
    }
    interrupt::check()?;
    let manifest = set.publish(&plan.options, &shards)?;
    progress.finish();
    let phases = progress.phases();
    let (files, took) = (Files::Shards(&manifest.shards), started.elapsed());
    Summary { plan: &plan, outcome: &outcome, changes, files, took, phases }.print(args)?;
    Ok(outcome.skipped == 0)
}

/// Builds all shards anew.
fn build(set: &ShardSet, mut plan: Plan, inputs: &[Input], progress: &mut Progress) -> Result<Built> {
    let replaced = set.replaced(&plan.options.table)?;
    replaced.as_ref().map_or(Ok(()), |old| existing::take_dims(&mut plan, old))?;
    plan.needs_table.take().map_or(Ok(()), Err)?;
    let marks = replaced.as_ref().map(|old| {
        let mark = |pragma: &str| old.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
        Ok::<_, Failure>((mark("application_id")?, mark("user_version")?))
    });
    let marks = marks.transpose()?;
    let count = plan.options.shards.as_ref().map_or(0, |division| division.shards);
    let draft = |number| {
        let draft = import::begin_draft(&set.draft(number), &plan, marks)?;
        draft.execute_batch(&plan.create_sql())?;
        Ok(draft)
    };
    let drafts = (0..count).map(draft).collect::<Result<Vec<Connection>>>()?;
    let outcome = load(&drafts, &plan, inputs, progress)?;
    import::check_rows(&plan, outcome.rows)?;
    for (number, (draft, &rows)) in drafts.into_iter().zip(&outcome.put).enumerate() {
        let _watch = interrupt::watch(&draft);
        import::index(&draft, &plan, rows, progress)?;
        import::lay_out(&draft, &plan)?;
        draft.execute_batch("COMMIT")?;
        finish(draft, &set.finished(number), &set.old_file(number), progress)?;
        remove_if_there(&set.draft(number))?;
    }
    let shards = outcome.put.iter().map(|&rows| BuiltShard { rows, is_new: true }).collect();
    Ok(Built { plan, outcome, changes: None, shards })
}

/// Changes copies of the old shards. The old ones are locked meanwhile: what others wrote to them would be lost.
fn change(set: &ShardSet, plan: Plan, inputs: &[Input], progress: &mut Progress) -> Result<Built> {
    import::warn_of_page_size(&plan, progress);
    let locked = set.lock_old()?;
    let mut copies = Vec::new();
    for number in 0..locked.len() {
        let mut copied = database::create(&set.finished(number))?;
        // SQLite copies from no connection that has the lock.
        copy(&database::open_readable(&set.old_file(number))?, &mut copied, "Copying the shards", progress)?;
        copied.execute_batch("PRAGMA synchronous = OFF; BEGIN IMMEDIATE")?;
        copies.push(copied);
    }
    let Some(first) = copies.first() else { return Err(Failure::new("the manifest names no shard")) };
    let mut plan = existing::adopt(plan, first).map_err(|failure| failure.at(set.path().display()))?;
    let is_mirror = plan.options.mode == Mode::Mirror;
    if is_mirror {
        plan.sink = Some(mirror::SINK);
        copies.iter().enumerate().try_for_each(|(number, copy)| mirror::stage(copy, &plan, &set.draft(number)))?;
    }
    let outcome = load(&copies, &plan, inputs, progress)?;
    let counts = copies.iter().map(|copy| database::count_rows(copy, &plan.options.table));
    let rows = if is_mirror { outcome.rows } else { counts.sum::<Result<u64>>()? };
    import::check_rows(&plan, rows)?;
    let mut all = Changes::default();
    let mut shards = Vec::new();
    for (number, (copy, &put)) in copies.into_iter().zip(&outcome.put).enumerate() {
        let _watch = interrupt::watch(&copy);
        let changes = if is_mirror { Some(mirror::apply(&copy, &plan, put, progress)?) } else { None };
        all += changes.unwrap_or_default();
        let written = changes.map_or(put, |changes| changes.inserted + changes.updated);
        let is_new = changes.map_or(put > 0, Changes::any);
        if is_new {
            import::index(&copy, &plan, written, progress)?;
        }
        copy.execute_batch("COMMIT")?;
        shards.push(BuiltShard { rows: database::count_rows(&copy, &plan.options.table)?, is_new });
        copy.close().map_err(|(_, error)| error)?;
        set.settle(number, progress)?;
    }
    Ok(Built { plan, outcome, changes: is_mirror.then_some(all), shards })
}
