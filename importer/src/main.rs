//! `vecrank`: loads Parquet files into an SQLite file with a vecrank table, and queries it.

mod agree;
mod args;
mod batches;
mod cells;
mod check;
mod choose;
mod columns;
mod database;
mod divide;
mod existing;
mod export;
mod failure;
mod fold;
mod folder;
mod footer;
mod guard;
mod hints;
mod hive;
mod import;
mod info;
mod interrupt;
mod large_page;
mod load;
mod manifest;
mod manual;
mod mapping;
mod mirror;
mod names;
mod nested;
mod options;
mod output;
mod page;
mod pages;
mod parquet;
mod plan;
mod publish;
mod query;
mod recall;
mod report;
mod screen;
mod serve;
mod shards;
mod special;
mod spool;
mod sql;
mod stamp;
mod summary;
mod target;
mod texts;
mod thrift;
mod typed;
mod vectors;

use args::{Cli, Command};
use clap::Parser;
use failure::{Failure, Result};
use std::process::ExitCode;

/// All done.
const DONE: u8 = 0;
/// Done, but rows were left out.
const SKIPPED: u8 = 1;
/// Nothing was done.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    interrupt::install();
    guard::install();
    // Caught here, a panic has removed the temporary files on its way.
    let result = std::panic::catch_unwind(|| run(&cli.command));
    let code = match result.unwrap_or(Err(Failure::Reported)) {
        Ok(true) => DONE,
        Ok(false) => SKIPPED,
        Err(Failure::PipeClosed) => DONE,
        Err(Failure::Reported) => FAILED,
        Err(failure) => {
            eprintln!("vecrank: {failure}");
            if matches!(failure, Failure::Interrupted) { interrupt::EXIT_CODE } else { FAILED }
        }
    };
    ExitCode::from(code)
}

/// True if nothing was left out.
fn run(command: &Command) -> Result<bool> {
    match command {
        Command::Import(args) => import::run(args),
        Command::Query(args) => query::run(args).map(|()| true),
        Command::Info(args) => info::run(args).map(|()| true),
        Command::Check(args) => check::run(args).map(|()| true),
        Command::Fold(args) => fold::run(args),
        Command::Recall(args) => recall::run(args).map(|()| true),
        Command::Export(args) => export::run(args).map(|()| true),
        Command::Serve(args) => serve::run(args).map(|()| true),
        Command::Completions(args) => manual::completions(args).map(|()| true),
        Command::Man(args) => manual::page(args).map(|()| true),
    }
}
