//! The path of the built library, which is built if it is missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The library without extra features. The variable VECRANK_LIBRARY names another one to test.
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| match std::env::var_os("VECRANK_LIBRARY") {
        Some(path) => PathBuf::from(path),
        None => build(&[], &target_folder()),
    })
}

/// The library built with features of the crate `vecrank`.
pub fn library_with(features: &[&str]) -> PathBuf {
    build(features, &target_folder().join(format!("with-{}", features.join("-"))))
}

/// The Cargo target folder of the running test.
pub fn target_folder() -> PathBuf {
    let profile = profile_folder();
    profile.parent().expect("the profile's folder lies in the target folder").to_owned()
}

/// `<target>/debug` or `<target>/release`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    let deps = test.parent().expect("a test lies in a folder");
    deps.parent().expect("a test lies in <target>/<profile>/deps").to_owned()
}

fn build(features: &[&str], target: &Path) -> PathBuf {
    let is_release = profile_folder().ends_with("release");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "-p", "vecrank", "--lib", "--manifest-path"]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml"));
    cargo.arg("--target-dir").arg(target).arg("--features").arg(features.join(","));
    if is_release {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "cargo could not build the library");
    let name = format!("{}vecrank{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    target.join(if is_release { "release" } else { "debug" }).join(name)
}
