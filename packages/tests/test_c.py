"""The header and the static library, linked into programs with the machine's SQLite."""
import json
import os
from pathlib import Path

import pytest

from conftest import ROOT, need, run
from tour import check

TOUR = Path(__file__).parent / "c" / "tour.c"
EXAMPLE = ROOT / "examples" / "c" / "page.c"
LIBRARIES = ("-lsqlite3", "-lm", "-lpthread", "-ldl")


@pytest.fixture
def compiled(package, tmp_path):
    compiler = need("cc")
    if not Path("/usr/include/sqlite3.h").exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("sqlite3.h is missing")
    out = package("c")

    def compile_program(source: Path, *options) -> Path:
        program = tmp_path / source.stem
        library = out / "lib" / "libvecrank.a"
        warnings = ("-Wall", "-Wextra", "-Werror")
        run(compiler, *warnings, *options, source, "-I", out / "include", library, *LIBRARIES, "-o", program, cwd=tmp_path)
        return program

    return compile_program


def test_the_tour(compiled, feed_file, tour):
    check(json.loads(run(compiled(TOUR), feed_file, cwd=feed_file.parent)), tour)


def test_the_example_prints_the_first_page(compiled, feed_file, tour):
    lines = run(compiled(EXAMPLE, "-std=c99", "-pedantic"), feed_file, cwd=feed_file.parent).splitlines()
    assert [line.split()[0] for line in lines] == tour["page1"]


def test_pkg_config_describes_what_the_programs_are_linked_with(package):
    description = (package("c") / "lib" / "pkgconfig" / "vecrank.pc").read_text()
    (libraries,) = [line for line in description.splitlines() if line.startswith("Libs:")]
    assert set(LIBRARIES) - {"-lsqlite3"} < set(libraries.split())
    assert "Requires: sqlite3 >= 3.38\n" in description
