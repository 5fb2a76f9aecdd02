//! The text of `vecrank_version()`.

use crate::distance;

/// The release version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that this was built from, if the build knew it (release builds from a git work tree do).
pub const COMMIT: Option<&str> = option_env!("VECRANK_COMMIT");

/// Such as `0.1.0 (commit 1a2b3c4d5e6f, avx2+f16c)`: version, commit or `unknown`, CPU features in use.
pub fn version() -> String {
    format!("{VERSION} (commit {}, {})", COMMIT.unwrap_or("unknown"), distance::cpu_features())
}
