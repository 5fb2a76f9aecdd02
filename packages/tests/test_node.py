"""The npm package, installed into an empty project, on the SQLite drivers of Node.js, Bun and Deno."""
import json
import shutil
from pathlib import Path

import pytest

from conftest import ROOT, TARGET, need, run
from tour import check

HOSTS = TARGET / "package-hosts" / "node"
SOURCES = Path(__file__).parent / "node"
EXAMPLE = ROOT / "examples" / "node" / "page.mjs"
# Where each runtime is, under node_modules.
RUNTIMES = {
    "node20": ["node20/bin/node"],
    "node22": ["node22/bin/node"],
    "node24": ["node24/bin/node"],
    "bun": ["@oven/bun-linux-x64/bin/bun"],
    "deno": ["@deno/linux-x64-glibc/deno", "run", "--quiet", "--allow-ffi", "--allow-read", "--allow-write", "--allow-env"],
}
PATHS = [
    ("node20", "better-sqlite3"),
    ("node20", "sqlite3"),
    ("node22", "node:sqlite"),
    ("node22", "sqlite3"),
    ("node24", "node:sqlite"),
    ("node24", "libsql"),
    ("bun", "bun:sqlite"),
    ("deno", "node:sqlite"),
]


def runtime(name: str) -> list:
    program, *options = RUNTIMES[name]
    return [HOSTS / "node_modules" / program, *options]


@pytest.fixture(scope="session")
def modules() -> Path:
    """The runtimes and drivers, kept between runs. Drivers that come without a binary are compiled against the headers of
    the Node.js beside them, unoptimised: they are not measured."""
    npm = need("npm")
    wanted = (SOURCES / "package-lock.json").read_text()
    installed = HOSTS / "installed"
    if not installed.exists() or installed.read_text() != wanted:
        shutil.rmtree(HOSTS, ignore_errors=True)
        HOSTS.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(SOURCES / name, HOSTS)
        run(npm, "ci", "--ignore-scripts", cwd=HOSTS)
        node = HOSTS / "node_modules" / "node20"
        compiled = {"CFLAGS": "-O0", "CXXFLAGS": "-O0", "npm_config_build_from_source": "true", "npm_config_nodedir": str(node)}
        run(npm, "rebuild", "better-sqlite3", "sqlite3", cwd=HOSTS, **compiled, PATH=f"{node}/bin:/usr/bin:/bin")
        installed.write_text(wanted)
    return HOSTS / "node_modules"


@pytest.fixture
def project(package, modules, tmp_path) -> Path:
    """A project that has installed the two files of the package, and beside them the drivers."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}')
    run(need("npm"), "install", "--offline", "--no-audit", *sorted(package("node").glob("*.tgz")), cwd=folder)
    for driver in ("better-sqlite3", "libsql", "sqlite3", "@types"):
        (folder / "node_modules" / driver).symlink_to(modules / driver)
    for source in (*SOURCES.glob("*.?js"), *SOURCES.glob("*.ts"), EXAMPLE):
        shutil.copy(source, folder)
    return folder


@pytest.mark.parametrize("host, driver", PATHS)
def test_the_tour_on_each_driver(host, driver, project, feed_file, tour):
    check(json.loads(run(*runtime(host), "tour.mjs", driver, feed_file, cwd=project)), tour)


def test_the_example_prints_the_first_page(project, feed_file, tour):
    lines = run(*runtime("node20"), EXAMPLE.name, feed_file, cwd=project).splitlines()
    assert [line.split()[0] for line in lines] == tour["page1"]


@pytest.mark.parametrize("host", RUNTIMES)
def test_vectors_are_made_read_and_refused(host, project):
    said = json.loads(run(*runtime(host), "vectors.cjs", cwd=project))
    assert Path(said["path"]).parent == project / "node_modules" / "@vecrank" / "linux-x64"
    assert said["given"] == ["0000803f000000c0"] * 5
    assert said["read"] == [[0.5, 3]] * 3
    array, component = "vecrank.vector: expected an array of numbers, got ", "vecrank.vector: expected a finite 32-bit float as component "
    empty = "vecrank.vector: expected at least one number, got an empty array"
    assert said["refused"] == [
        *[f"{array}{kind}" for kind in ("undefined", "null", "string", "DataView")],
        f"{array}Buffer, which is bytes: bind a stored vector as it is",
        empty,
        empty,
        f"{component}1, got null",
        f"{component}1, got string",
        f"{component}2, got undefined",
        f"{component}0, got NaN",
        f"{component}1, got Infinity",
        f"{component}0, got 1e+39",
    ]
    blob, length = "vecrank.fromVector: expected the BLOB of a vector, got ", "vecrank.fromVector: expected 4 bytes for each number, got "
    assert said["unread"] == [f"{blob}null", f"{blob}string", f"{blob}Array", f"{length}7 bytes", f"{length}0 bytes"]
    assert said["unloaded"] == [
        f"vecrank.load: expected an open connection of a driver that loads extensions, got {kind}: "
        "use better-sqlite3, node:sqlite, sqlite3, libsql or bun:sqlite"
        for kind in ("undefined", "Object", "string")
    ]


@pytest.mark.parametrize("host", ["node22", "node24", "deno"])
def test_node_sqlite_that_forbids_extensions_is_told_how_to_allow_them(host, project):
    (project / "forbidden.mjs").write_text(
        'import { DatabaseSync } from "node:sqlite";\nimport { load } from "vecrank";\n'
        'try { load(new DatabaseSync(":memory:")); } catch (error) { console.log(error.message); }\n'
    )
    assert run(*runtime(host), "forbidden.mjs", cwd=project) == (
        "vecrank.load: node:sqlite forbids extensions here: open with new DatabaseSync(file, { allowExtension: true })\n"
    )


def test_a_platform_package_that_is_left_out_is_named(project):
    shutil.rmtree(project / "node_modules" / "@vecrank")
    code = 'try { require("vecrank").getLoadablePath() } catch (error) { console.log(error.message) }'
    assert run(*runtime("node20"), "-e", code, cwd=project) == (
        "vecrank has no library for linux-x64: expected the package @vecrank/linux-x64, "
        "which npm leaves out with --omit=optional; install it\n"
    )


def test_a_process_of_musl_wants_the_package_for_musl(project):
    code = """const fs = require("node:fs");
        const read = fs.readFileSync;
        const maps = "7f0000000000-7f0000001000 r-xp 00000000 fe:00 1 /lib/ld-musl-x86_64.so.1";
        fs.readFileSync = (path, ...rest) => (path === "/proc/self/maps" ? maps : read(path, ...rest));
        try { require("vecrank").getLoadablePath() } catch (error) { console.log(error.message) }"""
    said = run(*runtime("node20"), "-e", code, cwd=project)
    assert said.startswith("vecrank has no library for linux-x64-musl: expected the package @vecrank/linux-x64-musl, ")


def test_the_types_take_what_the_package_takes(project, modules):
    compiler = modules / "typescript" / "bin" / "tsc"
    options = ("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--types", "node")
    programs = [shutil.copy(project / "types.ts", project / name) for name in ("module.mts", "commonjs.cts")]
    run(*runtime("node20"), compiler, *options, *programs, cwd=project)
