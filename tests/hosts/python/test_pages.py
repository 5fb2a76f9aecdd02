"""The shell commands and programs of README and the book, run as a reader would run them.

The blocks of a page run in their order and in one folder: a copy of the source tree for README, Performance and the
tutorial, else the folder that the tutorial makes. A program that names a file in its first line is saved under that
name, any other is run.
"""
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import apsw
import duckdb
import pytest
import sqlite_vec

from hosts import CLI, LIBRARY, ROOT, TARGET, HostMissing, python_that_loads_extensions
from manual import CATALOGUE, sql_files, statements
from pages import BOOK, PAGES, README, Block, blocks

# Shell commands that are run elsewhere: by the steps quickstart, build, rust and packages of tests/run.sh, by
# tests/run.sh itself, or by a person with hours to measure. Packages, services and images have tests of their own in
# packages/tests, and the programs of examples/beyond in tests/beyond.
ELSEWHERE = (
    *("examples/quickstart.sh", "cargo ", "target/peers/bin/python extension/benches/"),
    *("packages/build.sh ", "docs/playground/build.sh ", "npm install ", "go mod edit ", "cc page.c ", "docker ", "gcloud "),
    *("python3 -m venv ~/feeds/service", "python3 extension/benches/service/", "python3 examples/beyond/"),
)
FOREIGN = ("sql duckdb", "sql sqlite-vec")
PROGRAMS = ("python", "js", "perl", "php", "ruby", "tcl", "r", "lua")
# Programs of examples/, which the tests of the packages run.
EXAMPLES = {
    "js example": "examples/node/page.mjs",
    "html example": "examples/wasm/page.html",
    "rust example": "examples/rust/page.rs",
    "go example": "examples/go/page.go",
    "java example": "examples/java/Page.java",
    "c example": "examples/c/page.c",
}
# Parts of programs and files that the tests run.
QUOTED = {"rust": "tests/hosts/rusqlite/src/main.rs", "xml": "packages/tests/java/pom.xml"}
IN_SOURCES = (README, BOOK / "performance.md", BOOK / "tutorial.md")
MARK = "\x1e"

# Modules that are compiled for the Python of the tests.
COMPILED = re.compile(r"^import (apsw|numpy|pyodbc)", re.MULTILINE)


def missing(reason: str) -> None:
    """A skip, or under CI a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing under CI: {reason}")
    pytest.skip(reason)


def loading_python() -> str:
    try:
        return python_that_loads_extensions()
    except HostMissing as error:
        missing(str(error))


def saved_as(block: Block) -> str | None:
    named = re.match(r"# ([\w./]+\.py)\n", block.text)
    return named and named[1]


def masked(text: str) -> str:
    """Without the seconds and sizes that an import tells, and without blanks at the ends of lines."""
    lines = (re.sub(r"\d+\.\d+", "N", line) if re.match(r"[\w.]+: table ", line) else line for line in text.splitlines())
    return "\n".join(line.rstrip() for line in lines).strip()


def check(block: Block, output: str) -> None:
    assert block.output is None or masked(output) == masked(block.output), block.place


class Terminal:
    """One shell for a page, so that `cd`, variables and background jobs last from block to block."""

    def __init__(self, folder: Path, environment: dict):
        self.folder = folder
        self.errors = (folder / "stderr").open("w+")
        self.shell = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=folder,
            env=environment, start_new_session=True,
        )

    def run(self, block: Block, text: str) -> None:
        file = self.folder / "block.sh"
        file.write_text(text, "utf8")
        # A command that fails ends the block, as it would end a reader's attempt.
        self.shell.stdin.write(f"set -e; trap 'echo {MARK}failed' EXIT; . {shlex.quote(str(file))} </dev/null; echo {MARK}\n")
        self.shell.stdin.flush()
        lines = []
        for line in self.shell.stdout:
            if line.startswith(MARK):
                break
            lines.append(line)
        self.errors.seek(0)
        assert line == MARK + "\n", f"{block.place} failed:\n{''.join(lines)}{self.errors.read()}"
        check(block, "".join(lines))

    def close(self) -> None:
        os.killpg(self.shell.pid, signal.SIGKILL)
        self.shell.wait()
        self.shell.stdin.close()
        self.shell.stdout.close()
        self.errors.close()


def source_tree(folder: Path) -> Path:
    """Links to what a clone holds, so that a reader's files don't end up in it."""
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in (".git", "target"):
            (folder / entry.name).symlink_to(entry)
    (folder / "target").symlink_to(TARGET)
    return folder


def feed_folder(folder: Path, imported: Path) -> Path:
    folder.mkdir()
    shutil.copy(imported, folder / "feed.db")
    (folder / CATALOGUE.name).symlink_to(CATALOGUE)
    shutil.copy(LIBRARY, folder)  # PHP loads no link that leads out of the folder
    return folder


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def command(path: Path, text: str) -> None:
    """A command of its own in front of PATH."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


class Foreign:
    """The statements of other vector indexes; each block gives the page that ours gives."""

    def __init__(self, folder: Path):
        # A copy of its own, for the page's commands replace feed.db.
        self.sqlite = apsw.Connection(str(shutil.copy(folder / "feed.db", folder / "other.db")))
        self.sqlite.enable_load_extension(True)
        for library in (sqlite_vec.loadable_path(), LIBRARY):
            self.sqlite.load_extension(str(library))
        self.duck = duckdb.connect()
        (ours,) = (f for f in sql_files() if f.path.stem == "coming_from")
        self.page = [tuple(line.split("|")) for line in ours.expected.read_text("utf8").splitlines()]
        ((self.taste,),) = self.sqlite.execute("SELECT " + ours.parameters["taste"])
        ((self.numbers,),) = self.sqlite.execute("SELECT vec_json(?)", (self.taste,))

    def run(self, block: Block) -> None:
        for statement in statements(block.text):
            if block.kind == "sql duckdb":
                rows = self.duckdb(statement)
            else:
                rows = self.sqlite.execute(statement, {"taste": self.taste}).fetchall()
            if "SELECT article_id, main_name FROM" in statement:
                assert rows == self.page, block.place

    def duckdb(self, statement: str) -> list:
        taste = {"taste": [float(number) for number in self.numbers[1:-1].split(",")]} if "$taste" in statement else None
        return self.duck.execute(statement, taste).fetchall()

    def close(self) -> None:
        self.sqlite.close()


def is_elsewhere(block: Block) -> bool:
    return block.text.startswith(ELSEWHERE)


RUN = [block for block in blocks("sh", *FOREIGN, "python") if block.kind != "python" or saved_as(block)]
WITH_COMMANDS = [page for page in PAGES if any(block.page == page and not is_elsewhere(block) for block in RUN)]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_the_commands_of_a_page_run_as_it_says(page, tmp_path, imported, monkeypatch):
    folder = source_tree(tmp_path / "vecrank") if page in IN_SOURCES else feed_folder(tmp_path / "feeds", imported)
    monkeypatch.chdir(folder)
    # Django comes from the environment of the tests.
    python = f"PYTHONPATH={shlex.quote(sysconfig.get_path('purelib'))} exec {shlex.quote(loading_python())}"
    command(tmp_path / "bin" / "python3", f'{python} "$@"')
    commands = [str(tmp_path / "bin"), *([] if page in IN_SOURCES else [str(CLI.parent)]), os.environ["PATH"]]
    terminal = Terminal(folder, {**os.environ, "PATH": ":".join(commands), "HOME": str(tmp_path)})
    foreign, port = None, str(free_port())
    try:
        for block in (block for block in RUN if block.page == page and not is_elsewhere(block)):
            text = block.text.replace("8000", port)
            if block.kind == "sh":
                terminal.run(block, text)
            elif block.kind == "python":
                file = tmp_path / "feeds" / saved_as(block)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, "utf8")
            else:
                foreign = foreign or Foreign(folder)
                foreign.run(block)
    finally:
        terminal.close()
        if foreign:
            foreign.close()


# Interpreters, and a program that says whether they have their module for SQLite.
PROBES = {
    "perl": ("perl", "use DBD::SQLite"),
    "php": ("php", "<?php new SQLite3(':memory:');"),
    "ruby": ("ruby", "require 'sqlite3'"),
    "tcl": ("tclsh", "if {[catch {package require sqlite3}]} {exit 1}"),
    "r": ("Rscript", "library(RSQLite)"),
    "lua": ("luajit", 'require("luasql.sqlite3")'),
}


def interpreter(block: Block, folder: Path) -> tuple[list[str], dict]:
    """How a program is run: its command, and what it needs of the environment."""
    if block.kind == "python":
        python = sys.executable if COMPILED.search(block.text) else loading_python()
        return [python], {"PYTHONPATH": sysconfig.get_path("purelib")} if python != sys.executable else {}
    if block.kind == "js":
        modules = TARGET / "node-hosts" / "node_modules"
        if shutil.which("node") is None or not modules.exists():
            missing(f"no Node with {modules}: tests/run.sh prepare installs it")
        (folder / "node_modules").symlink_to(modules)
        return ["node"], {}
    name, code = PROBES[block.kind]
    probe = folder / "probe"
    probe.write_text(code, "utf8")
    if shutil.which(name) is None or subprocess.run([name, probe], capture_output=True, check=False).returncode:
        missing(f"no {name} with SQLite: tests/run.sh prepare installs it")
    return [name, *(["-d", f"sqlite3.extension_dir={folder}"] if name == "php" else [])], {}


@pytest.mark.parametrize("block", [b for b in blocks(*PROGRAMS) if not saved_as(b)], ids=lambda block: block.place)
def test_a_program_prints_what_the_page_says(block, tmp_path, imported):
    folder = feed_folder(tmp_path / "feeds", imported)
    file = folder / ("program.mjs" if block.kind == "js" else "program")
    file.write_text(block.text, "utf8")
    program, needed = interpreter(block, folder)
    run = subprocess.run(
        [*program, file], cwd=folder, env={**os.environ, **needed}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"{block.place}\n{run.stdout}{run.stderr}"
    assert block.output is not None, f"{block.place}: no output is shown"
    check(block, run.stdout)


def test_every_block_is_of_a_kind_that_is_run():
    kinds = {"sql", "sh", "text", "sql pgvector", *FOREIGN, *PROGRAMS, *EXAMPLES, *QUOTED}
    assert [block.place for block in blocks() if block.kind not in kinds] == []


@pytest.mark.parametrize("kind, file", QUOTED.items(), ids=QUOTED)
def test_quoted_lines_are_those_of_the_file_that_is_tested(kind, file):
    source = (ROOT / file).read_text("utf8")
    quoted = blocks(kind)
    assert quoted and [block.place for block in quoted if block.text not in source] == []


@pytest.mark.parametrize("kind, file", EXAMPLES.items(), ids=EXAMPLES)
def test_an_example_is_the_program_that_the_tests_of_the_packages_run(kind, file):
    assert [block.text for block in blocks(kind)] == [(ROOT / file).read_text("utf8")]


def test_commands_that_are_run_elsewhere_are_there():
    """Their programs exist and take the options that the page gives them."""
    for line in (line for block in blocks("sh") if is_elsewhere(block) for line in block.text.splitlines()):
        words = shlex.split(line, comments=True)
        files = [word for word in words if word.startswith(("examples/", "extension/", "packages/", "tests/"))]
        assert [file for file in files if not (ROOT / file).exists()] == []
        script = next((file for file in files if file.endswith(".py")), None)
        if script:
            help_text = subprocess.run([sys.executable, ROOT / script, "--help"], capture_output=True, text=True, check=True).stdout
            options = {word for word in words if word.startswith("--")}
            assert {option for option in options if not re.search(rf"{option}\b", help_text)} == set(), line
