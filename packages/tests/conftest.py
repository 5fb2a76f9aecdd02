"""Fixtures: each package built once, the imported sample catalogue, and what the tour must print."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tour import expected

pytest_plugins = ["pythons"]
# Not a skip: under CI a skipped test fails the run.
collect_ignore = [] if os.environ.get("VECRANK_LONG") == "1" else ["test_service_image.py", "test_wasm.py", "test_playground.py"]

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("VECRANK_TARGET", ROOT / "target")).resolve()
LIBRARY = TARGET / "release" / "libvecrank.so"
COMMAND = TARGET / "release" / "vecrank"


def run(*command, cwd: Path, **environment) -> str:
    """Runs a command, and returns its standard output. A failure shows all that it said."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def need(tool: str) -> str:
    """The path of a program; a skip where it is missing, which under CI is a failure."""
    path = shutil.which(tool)
    if path is None and os.environ.get("CI") == "true":
        pytest.fail(f"{tool} is missing under CI")
    if path is None:
        pytest.skip(f"{tool} is missing")
    return path


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """Builds a package by name, once per run, and returns the folder that it was built into."""
    built = {}

    def build(name: str) -> Path:
        if name not in built:
            out = tmp_path_factory.mktemp(name)
            run(ROOT / "packages" / "build.sh", name, out, cwd=ROOT, CARGO_TARGET_DIR=str(TARGET))
            built[name] = out
        return built[name]

    return build


@pytest.fixture(scope="session")
def imported(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("catalogue") / "feed.db"
    catalogue = ROOT / "examples" / "catalogue" / "catalogue.parquet"
    options = ("--table", "articles", "--key", "article_id", "--index", "category")
    run(COMMAND, "import", catalogue, file, *options, cwd=file.parent)
    return file


@pytest.fixture
def feed_file(imported, tmp_path) -> Path:
    """A copy of the imported catalogue, for one test."""
    return Path(shutil.copy(imported, tmp_path / "feed.db"))


@pytest.fixture(scope="session")
def tour(imported) -> dict:
    return expected(LIBRARY, imported)
