//! Tells the crate which commit it is built from, for `vecrank_version()`: the variable VECRANK_COMMIT (builds from an
//! archive), else git, else nothing. Only release builds ask git: a debug build need not be made anew at every commit.
//! And keeps the loaded library in memory, see below.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=VECRANK_COMMIT");
    // SQLite unloads an extension with its last connection. A thread that has used it still has destructors of its
    // thread-locals to run, and the host may close that connection in one: the code must stay. (macOS keeps a library
    // with thread-locals by itself. SQLITE_OK_LOAD_PERMANENTLY is no way: sqlite3_auto_extension() takes it for an error.)
    let of_target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if of_target("FAMILY") == "unix" && of_target("VENDOR") != "apple" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    let given = std::env::var("VECRANK_COMMIT").ok().filter(|commit| !commit.is_empty());
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if let Some(commit) = given.or_else(|| if release { commit_of_git() } else { None }) {
        println!("cargo:rustc-env=VECRANK_COMMIT={commit}");
    }
}

fn commit_of_git() -> Option<String> {
    // An unpacked archive may lie inside a repository of something else: the manifest must be a file of this one.
    git(&["ls-files", "--error-unmatch", "Cargo.toml"])?;
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// What a git command prints, run in the crate's folder (where Cargo runs build scripts); None if it fails.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
