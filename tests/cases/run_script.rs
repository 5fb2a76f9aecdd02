//! `tests/run.sh` tells the truth: what failed, was skipped or took too long is in its summary, its last line and its exit
//! code. The commands that it calls are stand-ins here.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// The folder of a run: a `cargo` and a Python with pytest that say and end as they are told.
struct Run(TempDir);

impl Run {
    fn new(cargo: &str, pytest: &str) -> Run {
        let run = Run(tempfile::tempdir().unwrap());
        run.script("bin/cargo", cargo);
        run.script("python-hosts/venv/bin/python", pytest);
        run
    }

    fn script(&self, path: &str, body: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The exit code, and the lines of the summary.
    fn summary(&self, steps: &[&str], is_ci: bool) -> (Option<i32>, Vec<String>) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("run.sh");
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("bash");
        command.arg(script).args(steps).env_remove("CI");
        command.env("CARGO_TARGET_DIR", self.0.path()).env("PATH", format!("{}/bin:{path}", self.0.path().display()));
        if is_ci {
            command.env("CI", "true");
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, summary) = text.split_once("\n==> summary\n").unwrap_or_else(|| panic!("no summary: {text}"));
        // How long a step took is not told twice alike.
        let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines = summary.lines().map(line).map(|line| match line.split_once(" s ") {
            Some((step, tests)) => format!("{}: {tests}", step.rsplit_once(' ').unwrap().0),
            None => line.strip_suffix(" s").map_or(line.clone(), |step| step.rsplit_once(' ').unwrap().0.to_owned()),
        });
        (output.status.code(), lines.filter(|line| !line.is_empty()).collect())
    }
}

const TWO_BINARIES: &str =
    "echo 'test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s'
    echo 'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s'";

#[test]
fn the_last_line_sums_the_tests_of_all_runners() {
    let run = Run::new(TWO_BINARIES, "echo '.....'; echo '20 passed in 75.12s (0:01:15)'");
    let (code, lines) = run.summary(&["fmt", "rust", "hosts", "zoo"], true);
    let expected = [
        "fmt passed",
        "rust passed: 15 passed, 0 failed, 0 skipped",
        "hosts passed: 20 passed, 0 failed, 0 skipped",
        "zoo passed: 20 passed, 0 failed, 0 skipped",
        "55 passed, 0 failed",
    ];
    assert_eq!((code, &lines[..]), (Some(0), &expected.map(String::from)[..]));
}

/// A `cargo install` that leaves an mdBook of the version it was asked for, and notes that it ran.
const INSTALLS_MDBOOK: &str = r#"[ "$1 $2 $3" = "install mdbook --version" ] || exit 1
mkdir -p "$CARGO_TARGET_DIR/tools/bin" && echo x >>"$CARGO_TARGET_DIR/installed"
printf '#!/bin/sh\necho "mdbook v%s"\n' "$4" >"$CARGO_TARGET_DIR/tools/bin/mdbook"
chmod +x "$CARGO_TARGET_DIR/tools/bin/mdbook""#;

#[test]
fn the_book_is_built_by_an_mdbook_that_is_installed_once() {
    let run = Run::new(INSTALLS_MDBOOK, "echo '7 passed in 0.50s'");
    for _ in 0..2 {
        let (code, lines) = run.summary(&["docs"], true);
        let expected = ["docs passed: 7 passed, 0 failed, 0 skipped", "7 passed, 0 failed"];
        assert_eq!((code, &lines[..]), (Some(0), &expected.map(String::from)[..]));
    }
    assert_eq!(std::fs::read_to_string(run.0.path().join("installed")).unwrap(), "x\n");
}

#[test]
fn a_book_that_cannot_be_built_is_a_failure() {
    let run = Run::new("exit 101", "echo '7 passed in 0.50s'");
    let (code, lines) = run.summary(&["docs"], false);
    let expected = ["docs failed", "failed: docs", "0 passed, 1 failed"];
    assert_eq!((code, &lines[..]), (Some(1), &expected.map(String::from)[..]));
}

#[test]
fn failures_are_counted_and_stop_no_other_step() {
    let cargo =
        format!("{TWO_BINARIES}\necho 'test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured'; exit 101");
    let run = Run::new(&cargo, "echo '2 failed, 5 passed, 1 error in 3.21s'; exit 1");
    let (code, lines) = run.summary(&["fmt", "rust", "hosts"], false);
    let expected = [
        "fmt failed",
        "rust failed: 19 passed, 2 failed, 0 skipped",
        "hosts failed: 5 passed, 3 failed, 0 skipped",
        "failed: fmt rust hosts",
        "24 passed, 6 failed",
    ];
    // `fmt` has no tests: that it fails is one failure.
    assert_eq!((code, &lines[..]), (Some(1), &expected.map(String::from)[..]));
}

#[test]
fn a_binary_that_dies_without_a_result_is_a_failure() {
    let run = Run::new(&format!("{TWO_BINARIES}\nexit 101"), "kill -9 $$");
    let (code, lines) = run.summary(&["rust", "hosts"], false);
    let expected =
        ["rust failed: 15 passed, 0 failed, 0 skipped", "hosts failed", "failed: rust hosts", "15 passed, 2 failed"];
    assert_eq!((code, &lines[..]), (Some(1), &expected.map(String::from)[..]));
}

#[test]
fn a_skipped_test_fails_the_run_under_ci_alone() {
    let run = Run::new(
        "echo 'test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured'",
        "echo '3 passed, 2 skipped in 0.10s'",
    );
    let steps = ["rust", "hosts"];
    let (code, lines) = run.summary(&steps, false);
    assert_eq!((code, lines.last().unwrap().as_str()), (Some(0), "7 passed, 0 failed, 3 skipped"));
    let (code, lines) = run.summary(&steps, true);
    assert_eq!((code, lines.last().unwrap().as_str()), (Some(1), "7 passed, 2 failed, 3 skipped"));
}

#[test]
fn an_unknown_step_is_refused_before_anything_runs() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("run.sh");
    let output = Command::new("bash").arg(script).args(["fmt", "rusty"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "unknown step: rusty\n");
}
