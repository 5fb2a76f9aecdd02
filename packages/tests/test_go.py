"""The Go module, used by a module in an empty folder."""
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, need, run
from tour import check

MODULE = "github.com/vecrank/vecrank/packages/go/vecrank"
TOUR = Path(__file__).parent / "go" / "tour.go"
EXAMPLE = ROOT / "examples" / "go" / "page.go"


def go(*arguments, cwd: Path, cgo: str = "1") -> str:
    # go-sqlite3 is C, and compiled once unless the flags change; unoptimised, for it is not measured.
    return run(need("go"), *arguments, cwd=cwd, CGO_ENABLED=cgo, CGO_CFLAGS="-O0")


@pytest.fixture(scope="session")
def module(package) -> Path:
    need("go")
    return package("go")


def program(module: Path, source: Path, folder: Path) -> Path:
    """The executable of a program in an empty folder of its own."""
    home = folder / source.stem
    home.mkdir()
    shutil.copy(source, home)
    (home / "go.mod").write_text(f"module example\n\ngo 1.21\n\nreplace {MODULE} => {module}\n")
    go("mod", "tidy", cwd=home)
    go("vet", ".", cwd=home)
    go("build", "-o", "program", ".", cwd=home)
    return home / "program"


def test_the_tour(module, feed_file, tour, tmp_path):
    check(json.loads(run(program(module, TOUR, tmp_path), feed_file, cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))), tour)
    (library,) = (tmp_path / "cache" / "vecrank").iterdir()
    assert library.stat().st_mode & 0o077 == 0


def test_the_example_prints_the_first_page_without_a_home(module, feed_file, tour, tmp_path):
    """Without a cache folder the library goes into a temporary one."""
    built = program(module, EXAMPLE, tmp_path)
    without = {"HOME": "", "XDG_CACHE_HOME": "", "TMPDIR": str(tmp_path)}
    lines = run(built, feed_file, cwd=tmp_path, **without).splitlines()
    assert [line.split()[0] for line in lines] == tour["page1"]
    assert len(list(tmp_path.glob("vecrank-*/vecrank-*.so"))) == 1


def test_the_tests_of_the_package_pass_and_vet_finds_nothing(module):
    go("vet", "./...", cwd=module)
    go("test", "./...", cwd=module)


def test_a_platform_without_a_library_compiles_and_says_so(module, tmp_path):
    """The file for other platforms compiles in place of the one that embeds the library."""
    copy = Path(shutil.copytree(module, tmp_path / "elsewhere"))
    (embedded,) = set(copy.glob("embedded_*.go")) - {copy / "embedded_elsewhere.go"}
    embedded.unlink()
    other = copy / "embedded_elsewhere.go"
    other.write_text(other.read_text().split("\n", 1)[1])
    (copy / "vecrank_test.go").write_text(
        'package vecrank\n\nimport "testing"\n\nfunc TestRegister(t *testing.T) {\n\tt.Log(Register())\n}\n'
    )
    said = go("test", "-v", "./...", cwd=copy)
    assert "vecrank has no library for linux/amd64: build the package on that platform" in said


def test_a_program_without_cgo_compiles_and_says_what_it_needs(module, feed_file, tmp_path):
    home = program(module, EXAMPLE, tmp_path).parent
    go("build", "-o", "without", ".", cwd=home, cgo="0")
    done = subprocess.run([home / "without", feed_file], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Binary was compiled with 'CGO_ENABLED=0', go-sqlite3 requires cgo to work." in done.stderr
