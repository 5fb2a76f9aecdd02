"""The crate, linked by a Cargo project in a folder of its own with the SQLite of rusqlite."""
import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from conftest import ROOT, TARGET, need, run
from tour import check

SOURCES = Path(__file__).parent / "rust"
EXAMPLE = ROOT / "examples" / "rust" / "page.rs"
# The project stays in one place, so that Cargo compiles again only what has changed.
HOME = TARGET / "package-hosts" / "rust"


@pytest.fixture(scope="session")
def programs(package, tour) -> Path:
    """The folder with the programs, compiled unoptimised."""
    shutil.rmtree(HOME / "project", ignore_errors=True)
    project = HOME / "project"
    shutil.copytree(SOURCES, project)
    shutil.copy(EXAMPLE, project)
    shutil.copy(ROOT / "Cargo.lock", project)
    (unpacked,) = (path for path in package("rust").iterdir() if path.is_dir())
    shutil.copytree(unpacked, project / "crate")
    # An archive knows no commit; the tour compares versions.
    (commit,) = re.findall(r"commit (\w+)", tour["version"]) or [""]
    run(need("cargo"), "build", "--quiet", cwd=project, CARGO_TARGET_DIR=str(HOME / "target"), VECRANK_COMMIT=commit)
    return HOME / "target" / "debug"


def test_the_tour(programs, feed_file, tour):
    check(json.loads(run(programs / "tour", feed_file, cwd=feed_file.parent)), tour)


def test_the_example_prints_the_first_page(programs, feed_file, tour):
    lines = run(programs / "page", feed_file, cwd=feed_file.parent).splitlines()
    assert [line.split()[0] for line in lines] == tour["page1"]


def test_the_published_file_holds_what_the_crate_needs(package):
    (file,) = package("rust").glob("*.crate")
    with tarfile.open(file) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"Cargo.toml", "build.rs", "README.md", "DESIGN.md", "FORMAT.md", "src/lib.rs"} <= names
    assert {name.split("/")[0] for name in names if "/" in name} == {"src"}
