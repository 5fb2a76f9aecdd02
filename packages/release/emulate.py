"""Runs what was compiled, under emulators where this machine cannot: the same feed must come, bit for bit.

A small host of SQLite's own sources (host.c) is compiled for each target that can run here. With the library of that
target it writes to a copy of one file (base.sql) and prints pages of it (feed.sql). All must print the same, and leave
the same file.
"""
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import build
from plan import HERE, ROOT, Failed, Release, Target, format_of_the_tree, run

CROSS = {"qemu-aarch64": "/usr/aarch64-linux-gnu", "qemu-riscv64": "/usr/riscv64-linux-gnu"}
# CPUs of each architecture, from the oldest that has what the target demands to one with more.
CPUS = {
    "native": ("qemu-x86_64", ("Nehalem", "Haswell", "Skylake-Server")),
    "qemu-aarch64": ("qemu-aarch64", ("cortex-a53", "neoverse-n1")),
}

# The modules that have code for one kind of CPU.
KERNELS = ("distance::", "quantize::")


@dataclass(frozen=True)
class Feed:
    """What the host printed, and the hash of the file that it left."""

    said: str
    file: str


def prefix(target: Target) -> list[str]:
    """The words before a program of the target on the command line."""
    if target.runner in CROSS:
        return [target.runner, "-L", CROSS[target.runner]]
    return ["wine"] if target.runner == "wine" else []


def environment(release: Release, target: Target) -> dict:
    """Wine keeps its drives in a folder of ours, and asks for no window."""
    wine = {"WINEPREFIX": str(release.work / "wine"), "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml="}
    return build.environment(release, target) | (wine if target.runner == "wine" else {})


def host(release: Release, target: Target) -> Path:
    """The program that loads the library, compiled once per target."""
    program = release.work / "hosts" / target.triple / ("host.exe" if target.runner == "wine" else "host")
    if not program.exists() or program.stat().st_mtime < (HERE / "host.c").stat().st_mtime:
        program.parent.mkdir(parents=True, exist_ok=True)
        sources = sqlite_sources()
        options = ["-O0", "-fno-sanitize=undefined", "-I", sources, HERE / "host.c", sources / "sqlite3.c", "-o", program]
        if target.runner == "wine":
            compiler = [f"{build.MINGW}gcc"]
            stand_in = ["-shared", HERE / "bcryptprimitives.c", "-o", program.with_name("bcryptprimitives.dll")]
            run(*compiler, *stand_in, cwd=program.parent, env=environment(release, target))
        else:
            zig_target = target.triple.replace("-unknown", "").replace("riscv64gc", "riscv64") + target.suffix
            compiler = ["zig", "cc", "-target", zig_target, "-dynamic"]
            options += ["-lm", "-lpthread", "-ldl"]
        run(*compiler, *options, cwd=program.parent, env=environment(release, target))
    return program


def sqlite_sources() -> Path:
    """SQLite as the importer compiles it."""
    said = json.loads(run("cargo", "metadata", "--format-version=1", "--locked", cwd=ROOT))
    manifest = next(package["manifest_path"] for package in said["packages"] if package["name"] == "libsqlite3-sys")
    return Path(manifest).parent / "sqlite3"


def feed(release: Release, target: Target, cpu: tuple = ()) -> Feed:
    """Makes the feed with the library of a target; `cpu` are words for an emulator of this very CPU."""
    folder = release.work / "feeds" / target.triple
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    program = host(release, target)
    # Beside the database, since a path from the root is another for Windows.
    library = Path(shutil.copy(release.library(target), folder)).name

    def run_script(name: str) -> str:
        (folder / name).write_text("".join((HERE / part).read_text("utf8") for part in ("rows.sql", name)), "utf8")
        command = [*(cpu or prefix(target)), program, "feed.db", f"./{library}", name]
        return run(*command, cwd=folder, env=environment(release, target)).replace("\r", "")

    base = base_file(release)
    if not base.exists():
        run_script("base.sql")
        shutil.move(folder / "feed.db", base)
    shutil.copy(base, folder / "feed.db")
    said = run_script("feed.sql")
    if said.splitlines()[:2] != [str(format_of_the_tree()), f"{release.version} (commit {release.commit}"]:
        raise Failed(f"{target.triple}: its library says format and version {said.splitlines()[:2]}")
    return Feed(said, hashlib.sha256((folder / "feed.db").read_bytes()).hexdigest())


def base_file(release: Release) -> Path:
    """What base.sql makes with the first target that is run."""
    return release.work / "feeds" / "base.db"


def compare(release: Release, packed: list[Target]) -> dict[str, str]:
    """How each target was run."""
    said = {}
    first = None
    base_file(release).unlink(missing_ok=True)
    for target in packed:
        if target.runner:
            made = feed(release, target)
            first = first or made
            require_same(first, made, target.triple)
            said[target.triple] = "the feed" if target.runner in ("native", "musl") else f"the feed under {target.runner}"
    return said


def require_same(first: Feed, made: Feed, where: str) -> None:
    if made.said != first.said:
        pairs = zip(first.said.splitlines(), made.said.splitlines())
        number, lines = next(((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1]), (0, ("", "")))
        raise Failed(f"{where}: another feed in line {number}: {lines[1]!r}, expected {lines[0]!r}")
    if made.file != first.file:
        raise Failed(f"{where}: the same pages, but another file")


def on_other_cpus(release: Release, packed: list[Target]) -> Iterator[str]:
    """The tests of the kernels and the same feed, on CPUs with fewer and more instructions."""
    first = None
    base_file(release).unlink(missing_ok=True)
    for target in packed:
        if target.runner not in CPUS:
            continue
        emulator, models = CPUS[target.runner]
        tests = build.unit_tests(release, target)
        for model in models:
            cpu = (emulator, "-cpu", model, *(["-L", CROSS[emulator]] if emulator in CROSS else []))
            said = run(*cpu, tests, *KERNELS, cwd=ROOT / "extension")
            passed = re.search(r"(\d+) passed; 0 failed", said)
            made = feed(release, target, cpu)
            first = first or made
            require_same(first, made, f"{target.triple} on {model}")
            yield f"{target.triple} on {model}: {passed[1]} tests of the kernels passed, the same feed"
