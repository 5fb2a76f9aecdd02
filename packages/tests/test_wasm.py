"""The npm package for browsers: in Node.js, and in Chromium."""
import gzip
import json
import os
import re
import shutil
import sys
import tarfile
from pathlib import Path

import apsw
import numpy as np
import pytest

from browsers import opened_page, serve
from conftest import LIBRARY, ROOT, need, run
from test_node import modules, runtime  # noqa: F401 (the fixture with TypeScript)
from tour import check

SOURCES = Path(__file__).parent / "wasm"
EXAMPLE = ROOT / "examples" / "wasm" / "page.html"
HOSTS = ROOT / "tests" / "hosts" / "python"
# The cases of tests/hosts that run in the module. Its files are in memory: what needs two connections to a file, or a
# file that cannot be written, is left out.
CONTRACT = ("test_hosts.py", "test_manual.py", "test_feed.py", "test_table.py", "test_errors.py", "test_read_only.py", "test_documented.py")
LEFT_OUT = (
    "test_table.py::test_reopened_file_and_a_second_connection",
    "test_read_only.py::test_feeds_from_read_only_files",
    "test_read_only.py::test_feeds_from_a_write_protected_file",
    "test_read_only.py::test_a_write_to_a_read_only_file_is_refused",
)
MOST_BYTES = 2_000_000
# The tables whose searches are compared bit for bit: vector column, numpy's type, what is inserted, metric.
TABLES = (
    ("FLOAT[100]", "<f4", "?", "cosine"),
    ("FLOAT[64]", "<f4", "?", "l2"),
    ("FLOAT16[200]", "<f2", "vec_f16(?)", "dot"),
    ("INT8[96]", "i1", "vec_int8(?)", "l2"),
    ("BIT[256]", "<f4", "vec_bit(?)", "hamming"),
)


@pytest.fixture(scope="module")
def files(package, tmp_path_factory) -> Path:
    """The package, unpacked."""
    folder = tmp_path_factory.mktemp("unpacked")
    (packed,) = package("wasm").glob("vecrank-wasm-*.tgz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


@pytest.fixture(scope="module")
def project(files, tmp_path_factory) -> Path:
    """A project that has the package, and the programs of these tests."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "vecrank-wasm").symlink_to(files)
    for source in (*SOURCES.glob("*.mjs"), *SOURCES.glob("*.ts")):
        shutil.copy(source, folder)
    return folder


def test_the_module_is_small_and_the_package_whole(files):
    module = (files / "vecrank_wasm_bg.wasm").read_bytes()
    compressed = len(gzip.compress(module, 9))
    print(f"module: {len(module):,} bytes, {compressed:,} with gzip")
    assert compressed <= MOST_BYTES
    manifest = json.loads((files / "package.json").read_text())
    version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    assert manifest["version"] == version
    named = {target for entry in manifest["exports"].values() for target in (entry.values() if isinstance(entry, dict) else [entry])}
    assert [name for name in (*named, "worker.js", "README.md", "LICENSE-MIT", "LICENSE-APACHE") if not (files / name).exists()] == []


def test_the_tour(project, feed_file, tour):
    printed = json.loads(run(need("node"), "tour.mjs", feed_file, cwd=project))
    assert printed.pop("changed") == 1
    # The CPU features in use are those of WebAssembly.
    printed["version"], native = (re.sub(r", [\w+]+\)$", ")", text) for text in (printed["version"], tour["version"]))
    check(printed, tour | {"version": native})


def test_the_contract_cases_of_the_hosts(project):
    left_out = [f"--deselect={case}" for case in LEFT_OUT]
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={HOSTS}", *left_out, *CONTRACT)
    need("node")
    said = run(*command, cwd=HOSTS, VECRANK_WASM=str(project), VECRANK_TARGET=str(LIBRARY.parents[1]))
    summary = said.strip().splitlines()[-1]
    print(summary)
    assert re.fullmatch(rf"\d{{3,}} passed, {len(LEFT_OUT) + 2} deselected.*", summary), summary


def test_values_go_in_and_come_out(project):
    said = json.loads(run(need("node"), "values.mjs", cwd=project))
    refused = said.pop("refused")
    assert said == {
        "early": "string",
        "given": [
            "integer 7", "real 0.0", "real 2.5", "real 9007199254740992.0", "integer 9007199254740993", "text 'it''s'", "text ''",
            "integer 1", "null NULL", "blob X'0000803F000000C0'", "blob X'00FF'", "blob X'090807'",
        ],
        "views": "X'0000003F00004040'",
        "out": [1, -9007199254740991, "9007199254740992n", 0.5, "é", [0, 255], None],
        "named": [[1, 2], [1, 2]],
        "vector": [0.5, 3],
        "nothing": True,
        "columns": {"columns": ["a", "b"], "rows": []},
        "changed": {"changes": 2},
        "copies": [[{"n": 11}, {"n": 12}]] * 3 + [[{"n": 2}]],
        "damaged": "file is not a database",
        "noFile": "expected the file as an ArrayBuffer or Uint8Array, got String",
    }
    values, value = "expected an array or an object of values, got ", "expected a number, BigInt, string, boolean, null, Float32Array, Uint8Array or ArrayBuffer, got "
    assert refused == [
        f"$b: {value}undefined",
        "expected 2 values, got 1",
        "expected 2 values, got none",
        f"{values}number: write [value] for one",
        f"{values}Float32Array: write [value] for one",
        f"value 1: {value}undefined",
        f"value 1: {value}Date",
        "value 1: expected a BigInt of 64 bits",
        "expected one statement, got several: exec() runs a script",
        'near "SELEC": syntax error (1)',
        "no such table: nowhere (1)",
        "UNIQUE constraint failed: numbers.n (2067)",
        "not authorized (1)",
        "fromVector: expected the BLOB of a vector, got Array",
        "fromVector: expected 4 bytes for each number, got 3 bytes",
        "Database: call Database.open() or Database.openKept()",
        "the database is closed",
        "the database is closed",
    ]


def test_the_types_take_what_the_package_takes(project, modules):
    compiler = modules / "typescript" / "bin" / "tsc"
    options = ("--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "--types", "")
    shutil.copy(project / "types.ts", project / "types.mts")
    run(*runtime("node20"), compiler, *options, "types.mts", cwd=project)


def statements() -> list[str]:
    """Statements that return the bits of distances of every kind, dimension and metric, and of searches."""
    made = []
    for dims in (*range(1, 68), 96, 100, 256, 384, 511, 768, 1536):
        noise = np.random.default_rng(dims).normal(size=(2, dims))
        for kind, marked in (("<f4", "{}"), ("<f2", "vec_f16({})"), ("i1", "vec_int8({})")):
            x, y = (marked.format(f"x'{row.astype(kind).tobytes().hex()}'") for row in (40 * noise).clip(-127, 127))
            made.append(f"SELECT vec_dot({x}, {y}), vec_l2({x}, {y}), vec_cosine({x}, {y}), vec_l1({x}, {y})")
        a, b = (f"x'{row.astype('<f4').tobytes().hex()}'" for row in noise)
        made += [f"SELECT vec_hamming(vec_bit({a}), vec_bit({b}))"] if dims % 8 == 0 else []
    return made


def searches() -> list[str]:
    """The pages of tables of every element, and what it took: estimates that differ by a bit read other rows."""
    made = []
    for at in range(len(TABLES)):
        made += [
            f"SELECT id, distance FROM t{at} WHERE v MATCH (SELECT v FROM t{at} WHERE id = {wanted}) ORDER BY distance LIMIT 300"
            for wanted in (1, 500, 1999)
        ]
        made.append(f"SELECT key, value FROM hnsw_stats('t{at}') WHERE key NOT LIKE '%page%'")
    return made


def make_tables(connection: apsw.Connection) -> None:
    random = np.random.default_rng(5)
    for at, (column, kind, inserted, metric) in enumerate(TABLES):
        connection.execute(f"CREATE VIRTUAL TABLE t{at} USING hnsw(id INTEGER PRIMARY KEY, v {column}, metric = '{metric}')")
        dims = int(re.search(r"\d+(?=\])", column)[0])
        centres = random.normal(size=(20, dims))
        with connection:
            for key in range(2000):
                vector = centres[key % 20] + 0.4 * random.normal(size=dims)
                vector = (30 * vector).round().clip(-127, 127) if kind == "i1" else vector
                connection.execute(f"INSERT INTO t{at} VALUES (?, {inserted})", (key, vector.astype(kind).tobytes()))


def test_distances_and_searches_have_the_bits_of_the_native_library(project, tmp_path):
    file = tmp_path / "tables.db"

    def native() -> apsw.Connection:
        connection = apsw.Connection(str(file))
        connection.enable_load_extension(True)
        connection.load_extension(str(LIBRARY))
        return connection

    make_tables(native())
    asked = [*statements(), *searches()]
    connection = native()
    wanted = [[list(row) for row in connection.execute(sql)] for sql in asked]
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    printed = run(need("node"), "bits.mjs", file, tmp_path / "asked.json", cwd=project)
    got = json.loads(printed)
    for sql, mine, theirs in zip(asked, got, wanted, strict=True):
        assert mine == theirs, sql[:200]


def test_an_index_that_is_built_in_the_module_is_sound(project, tmp_path):
    """One thread, 32 bits: what is built and written here is read by the native library."""
    file = tmp_path / "built.db"
    run(need("node"), "build.mjs", file, cwd=project)
    connection = apsw.Connection(str(file))
    connection.enable_load_extension(True)
    connection.load_extension(str(LIBRARY))
    for table in ("bulk", "single"):
        connection.execute(f"INSERT INTO {table}({table}) VALUES ('integrity-check')")
        found = connection.execute(f"SELECT id FROM {table} WHERE v MATCH (SELECT v FROM {table} WHERE id = 77) ORDER BY distance LIMIT 10")
        exact = connection.execute(
            f"SELECT id FROM {table} WHERE v MATCH (SELECT v FROM {table} WHERE id = 77) AND ef_search = 'exact' ORDER BY distance LIMIT 10"
        )
        assert len(set(found) & set(exact)) >= 9


@pytest.fixture(scope="module")
def site(files, imported, tmp_path_factory):
    """The address of a web server with the example, the package and the catalogue."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(EXAMPLE, folder)
    for name in ("kept.html", "remove.js"):
        shutil.copy(SOURCES / name, folder)
    shutil.copy(imported, folder / "feed.db")
    (folder / "vecrank-wasm").symlink_to(files)
    with serve(folder) as address:
        yield address


def test_the_example_shows_the_first_page(site, tour):
    with opened_page() as page:
        page.goto(f"{site}/page.html")
        page.wait_for_function("document.querySelectorAll('li').length === 8")
        assert [text.split()[0] for text in page.locator("li").all_text_contents()] == tour["page1"]


def test_what_is_written_is_kept_in_the_browser(site):
    with opened_page() as page:
        for visit, expected in (("first", ["5000", "5001"]), ("second", ["5001", "5002"]), ("removed", ["true", "0"])):
            page.goto(f"{site}/kept.html?{visit}")
            page.wait_for_function("document.title !== ''")
            assert page.title() == " ".join(expected), visit


def test_a_statement_that_takes_too_long_is_stopped(site):
    with opened_page() as page:
        page.goto(f"{site}/kept.html?endless")
        page.wait_for_function("document.title !== ''")
        assert page.title() == "the worker was stopped; the worker was stopped; no such table: nowhere"
