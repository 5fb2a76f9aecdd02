"""The archive for linking vecrank statically: its sources, and those of the crates that it needs. Cargo builds it offline."""
import shutil
from pathlib import Path

from archives import tar_gz
from plan import ROOT, Release, run

MANIFEST = """\
# Builds libvecrank_c.a: cargo build --release --offline
[package]
name = "vecrank-c"
version = "{version}"
edition = "2024"
rust-version = "{rust}"
license = "MIT OR Apache-2.0"
publish = false

[lib]
crate-type = ["staticlib"]

[dependencies]
vecrank = {{ path = "vecrank" }}
"""
README = """\
# vecrank {version}, for linking into a program

    cargo build --release --offline

makes `target/release/libvecrank_c.a`. It needs Rust {rust} or newer and nothing from a network. Include `include/vecrank.h`, link the
library and SQLite 3.38 or newer (`-lvecrank_c -lsqlite3 -lm -lpthread -ldl`), and call `vecrank_auto_extension()` once before the first
connection is opened.
"""


def archive(release: Release) -> None:
    folder = release.work / "staged" / f"vecrank-{release.version}-static-source"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "src").mkdir(parents=True)
    shutil.copy(ROOT / "packages" / "c" / "src" / "lib.rs", folder / "src")
    crate = unpacked_crate(release)
    shutil.copytree(crate, folder / "vecrank")
    rust = next(line for line in (ROOT / "Cargo.toml").read_text("utf8").splitlines() if line.startswith("rust-version")).split('"')[1]
    (folder / "Cargo.toml").write_text(MANIFEST.format(version=release.version, rust=rust), "utf8")
    (folder / "README.md").write_text(README.format(version=release.version, rust=rust), "utf8")
    for name in ("LICENSE-APACHE", "LICENSE-MIT", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    header = (ROOT / "packages" / "c" / "include" / "vecrank.h").read_text("utf8")
    (folder / "include").mkdir()
    (folder / "include" / "vecrank.h").write_text(header.replace("@VERSION@", release.version), "utf8")
    # The versions of the workspace; cargo leaves out what is not needed.
    shutil.copy(ROOT / "Cargo.lock", folder)
    settings = run("cargo", "vendor", "--versioned-dirs", "vendor", cwd=folder)
    # Such a build knows its commit by this file alone.
    (folder / ".cargo").mkdir()
    commit = f'\n[env]\nVECRANK_COMMIT = "{release.commit}"\n'
    (folder / ".cargo" / "config.toml").write_text(settings + commit, "utf8")
    tar_gz(folder, release.out / "archives" / f"{folder.name}.tar.gz", release.epoch)


def unpacked_crate(release: Release) -> Path:
    """The crate `vecrank` as it is published."""
    target = release.work / "crate"
    environment = release.environment | {"CARGO_TARGET_DIR": str(target)}
    run("cargo", "package", "--quiet", "--package", "vecrank", "--no-verify", "--allow-dirty", cwd=ROOT, env=environment)
    name = f"vecrank-{release.version}"
    shutil.rmtree(release.work / name, ignore_errors=True)
    shutil.unpack_archive(target / "package" / f"{name}.crate", release.work, "gztar")
    for generated in ("Cargo.lock", ".cargo_vcs_info.json"):
        (release.work / name / generated).unlink(missing_ok=True)
    return release.work / name
