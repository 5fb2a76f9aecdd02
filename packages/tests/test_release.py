"""A release packed from this machine's own library: what every package says and carries, and what is refused."""
import os
import platform
import shutil
import subprocess
import tomllib
from pathlib import Path

import apsw
import pytest

from conftest import COMMAND, LIBRARY, ROOT, TARGET, need, run
from pythons import absent

PROGRAM = ROOT / "packages" / "release"
REQUIREMENTS = PROGRAM / "requirements.txt"
TOOLS = TARGET / "package-hosts" / "release"
TRIPLE = f"{platform.machine()}-unknown-linux-gnu"
SOURCE_VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text("utf8"))["workspace"]["package"]["version"]


@pytest.fixture(scope="session")
def tools() -> Path:
    """A Python with what packs a release, kept between runs."""
    wanted = REQUIREMENTS.read_text("utf8")
    installed = TOOLS / "installed"
    if not installed.exists() or installed.read_text("utf8") != wanted:
        if not Path("/usr/bin/python3").exists():
            absent("/usr/bin/python3")
        run("/usr/bin/python3", "-m", "venv", "--clear", TOOLS, cwd=ROOT)
        run(TOOLS / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS, cwd=ROOT)
        installed.write_text(wanted, "utf8")
    return TOOLS / "bin" / "python"


@pytest.fixture(scope="session")
def step(tools):
    """Runs a step of the release program on a folder, and returns the finished process."""

    def run_step(name: str, work: Path, version: str = SOURCE_VERSION) -> subprocess.CompletedProcess:
        folders = ("--work", work / "build", "--out", work / "dist", "--only", TRIPLE)
        command = [tools, PROGRAM, name, "--version", version, *folders]
        maven = {"MAVEN_OPTS": f"-Dmaven.repo.local={TARGET / 'package-hosts' / 'maven'}"}
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | maven)

    return run_step


@pytest.fixture(scope="session")
def packed(step, tmp_path_factory) -> Path:
    """The packages of the host's own library, and of a command that calls the host's: compressing that would take minutes."""
    for tool in ("mvn", "npm", "dpkg-deb", "strip"):
        need(tool)
    work = tmp_path_factory.mktemp("release")
    natives = work / "build" / "natives" / TRIPLE
    natives.mkdir(parents=True)
    run("strip", "-o", natives / LIBRARY.name, LIBRARY, cwd=work)
    (natives / COMMAND.name).write_text(f'#!/bin/sh\nexec "{COMMAND}" "$@"\n', "utf8")
    (natives / COMMAND.name).chmod(0o755)
    done = step("pack", work)
    assert done.returncode == 0, done.stdout + done.stderr
    return work


@pytest.fixture
def damaged(packed, tmp_path) -> Path:
    """A copy of the packages, to damage."""
    return Path(shutil.copytree(packed, tmp_path / "copy"))


def test_every_package_says_the_version_and_carries_the_library(packed, step):
    done = step("check", packed)
    assert done.returncode == 0, done.stderr
    listed = {line.split()[0].split("/")[0] for line in done.stdout.splitlines()}
    assert listed == {"archives", "debian", "java", "npm", "pypi", "sbom"}


def test_the_library_and_the_documents_say_the_version_and_the_format():
    connection = apsw.Connection(":memory:")
    connection.enable_load_extension(True)
    connection.load_extension(str(LIBRARY))
    connection.execute("CREATE VIRTUAL TABLE t USING hnsw(v FLOAT[2])")
    (said,) = connection.execute("SELECT vecrank_version()").fetchone()
    (number,) = connection.execute("SELECT value FROM hnsw_info('t') WHERE key = 'format_version'").fetchone()
    assert said.startswith(f"{SOURCE_VERSION} (commit ")
    assert run(COMMAND, "--version", cwd=ROOT).split()[1].startswith(SOURCE_VERSION)
    assert (ROOT / "extension" / "FORMAT.md").read_text("utf8").startswith(f"# The file format, version {number}\n")
    assert (ROOT / "tests" / "fixtures" / f"format-{number}.db").exists()
    assert f"file format {number}" in (ROOT / "CHANGELOG.md").read_text("utf8")


def test_another_version_is_refused(step, tmp_path):
    done = step("pack", tmp_path, version="9.9.9")
    assert done.returncode == 1
    assert done.stderr == f"release: version 9.9.9 is not that of Cargo.toml, {SOURCE_VERSION}: set it there\n"


def test_a_package_of_another_version_is_found(damaged, step):
    (pom,) = (damaged / "dist" / "java").rglob("*.pom")
    pom.write_text(pom.read_text("utf8").replace(SOURCE_VERSION, "0.0.9", 1), "utf8")
    done = step("check", damaged)
    assert done.returncode == 1
    assert done.stderr == f"release: {pom.name} says the versions ['0.0.9', '{SOURCE_VERSION}'], expected {SOURCE_VERSION}\n"


def test_a_package_with_another_library_is_found(damaged, step):
    library = damaged / "build" / "natives" / TRIPLE / LIBRARY.name
    library.write_bytes(library.read_bytes() + b"\n")
    done = step("check", damaged)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len([line for line in lines if line.endswith("carries a library of no target of this release")]) == 6
    assert lines[-1] == f"{TRIPLE} is in 0 packages, expected 6"


def test_a_missing_package_is_found(damaged, step):
    (wheel,) = (damaged / "dist" / "pypi").glob("vecrank-*.whl")
    wheel.unlink()
    done = step("check", damaged)
    assert (done.returncode, done.stderr) == (1, f"release: {TRIPLE} is in 5 packages, expected 6\n")


def test_a_library_of_this_machine_alone_is_refused(packed, step):
    """The host's own build needs the glibc of the host, and is not the small one that goes out."""
    done = step("inspect", packed)
    assert done.returncode == 1
    assert f"release: {TRIPLE}: " in done.stderr and "it needs GLIBC_2." in done.stderr


def test_the_checksums_are_those_of_the_files(packed):
    run(need("sha256sum"), "--check", "--strict", "--quiet", "SHA256SUMS", cwd=packed / "dist")
    listed = {line.split("  ")[1] for line in (packed / "dist" / "SHA256SUMS").read_text("utf8").splitlines()}
    assert listed == {str(path.relative_to(packed / "dist")) for path in (packed / "dist").rglob("*") if path.is_file()} - {"SHA256SUMS"}


def test_the_same_files_make_the_same_packages(packed, step, tmp_path):
    again = tmp_path / "elsewhere"
    shutil.copytree(packed / "build" / "natives", again / "build" / "natives")
    done = step("pack", again)
    assert done.returncode == 0, done.stderr
    assert (again / "dist" / "SHA256SUMS").read_text("utf8") == (packed / "dist" / "SHA256SUMS").read_text("utf8")


def test_the_debian_package_gives_the_shell_the_extension_by_its_name(packed, feed_file, tmp_path):
    (file,) = (packed / "dist" / "debian").glob("*.deb")
    run(need("dpkg-deb"), "--extract", file, tmp_path, cwd=tmp_path)
    (library,) = tmp_path.glob("usr/lib/*/vecrank.so")
    printed = run(
        need("sqlite3"), feed_file, ".load vecrank", "SELECT count(*) FROM articles", cwd=tmp_path, LD_LIBRARY_PATH=str(library.parent)
    )
    assert int(printed) > 0
    assert run(tmp_path / "usr" / "bin" / "vecrank", "--version", cwd=tmp_path) == run(COMMAND, "--version", cwd=tmp_path)
    assert (tmp_path / "usr" / "share" / "man" / "man1" / "vecrank.1.gz").exists()


def test_the_source_archive_builds_offline(packed, tmp_path):
    (file,) = (packed / "dist" / "archives").glob("*-static-source.tar.gz")
    shutil.unpack_archive(file, tmp_path)
    (folder,) = tmp_path.iterdir()
    # Type checking reads every source; the release script compiles it.
    run("cargo", "check", "--offline", "--locked", "--quiet", cwd=folder, CARGO_TARGET_DIR=str(TARGET / "static-source"))


@pytest.mark.parametrize("where", ["crates", "npm", "pypi"])
def test_publishing_is_tried_without_sending_anything(where, packed, tools):
    run(ROOT / "packages" / "publish.sh", where, "--dry-run", cwd=ROOT, VECRANK_DIST=str(packed / "dist"), CARGO_TARGET_DIR=str(TARGET))


def test_publishing_elsewhere_is_refused():
    done = subprocess.run([ROOT / "packages" / "publish.sh", "ftp"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: packages/publish.sh crates|npm|pypi|github [--dry-run]\n")


def test_a_tree_with_changes_is_refused(tmp_path):
    """A release has a commit that says what is in it."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        absent("Linux on x86-64")
    run("git", "clone", "--quiet", "--shared", ROOT, tmp_path / "clone", cwd=tmp_path)
    (tmp_path / "clone" / "README.md").write_text("changed", "utf8")
    shutil.copy(ROOT / "packages" / "release.sh", tmp_path / "clone" / "packages")
    done = subprocess.run([tmp_path / "clone" / "packages" / "release.sh", SOURCE_VERSION], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "release: the tree is not clean: commit or remove what git status shows\n")
