"""Builds, packs and checks a release. packages/release.sh calls it, in an environment with the pinned tools.

    python packages/release STEP --version VERSION --work FOLDER --out FOLDER [--only TARGET]...

build    compiles the targets
inspect  reads what was compiled: formats, exports, imports, sizes
pack     makes the packages of it
check    reads the packages: versions, and the libraries that they carry
run      makes one feed with each target that can run here, and prints the table of targets
all      these five
cpus     runs the tests of the kernels, and makes the feed, on older and newer CPUs
"""
import argparse
import sys
from dataclasses import replace
from pathlib import Path

import binaries
import check
import emulate
import pack
from build import build
from plan import UNIVERSAL, UNIVERSAL_PARTS, Failed, Release, Target, release, targets, version_of_the_tree



def main() -> None:
    parser = argparse.ArgumentParser(prog="packages/release")
    parser.add_argument("step", choices=(*STEPS, "all"))
    parser.add_argument("--version", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=targets(), metavar="TARGET")
    parser.add_argument("--extension-only", action="store_true", help="without the command, which takes most of the time")
    options = parser.parse_args()
    if options.version != version_of_the_tree():
        raise Failed(f"version {options.version} is not that of Cargo.toml, {version_of_the_tree()}: set it there")
    made = release(options.work.resolve(), options.out.resolve())
    made.natives.mkdir(parents=True, exist_ok=True)
    chosen = chosen_targets(options.only)
    if options.extension_only:
        chosen = [without_command(target) for target in chosen]
    broken = []
    for step in WHOLE if options.step == "all" else (options.step,):
        # What does not build keeps nothing else from being made, and fails the run at its end.
        broken += STEPS[step](made, chosen) or []
        chosen = [target for target in chosen if target.triple not in broken and may_be_joined(target, broken)]
    if broken:
        raise Failed(f"did not build: {', '.join(broken)}")


def chosen_targets(only: list[str] | None) -> list[Target]:
    """Those asked for; the universal library needs both of its parts."""
    chosen = [target for triple, target in targets().items() if not only or triple in only]
    triples = {target.triple for target in chosen}
    return [target for target in chosen if target.triple != UNIVERSAL or triples.issuperset(UNIVERSAL_PARTS)]


def without_command(target: Target) -> Target:
    """The Debian package has the command, so there is none either."""
    return replace(target, command=False, names={kind: name for kind, name in target.names.items() if kind != "deb"})


def may_be_joined(target: Target, broken: list[str]) -> bool:
    return target.triple != UNIVERSAL or not set(UNIVERSAL_PARTS) & set(broken)


def build_all(made: Release, chosen: list[Target]) -> list[str]:
    """The targets that do not build."""
    broken = []
    for target in chosen:
        print(f"building {target.triple}", flush=True)
        try:
            if may_be_joined(target, broken):
                build(made, target)
        except Failed as failure:
            print(failure, flush=True)
            broken.append(target.triple)
    return broken


def pack_all(made: Release, chosen: list[Target]) -> None:
    pack.missing_tools()
    print(f"packing into {made.out}", flush=True)
    pack.pack(made, chosen)


def inspect_all(made: Release, chosen: list[Target]) -> None:
    for target in chosen:
        binaries.check_target(made, target)


def check_all(made: Release, chosen: list[Target]) -> None:
    print(*check.check_packages(made, chosen), sep="\n")


def run_all(made: Release, chosen: list[Target]) -> None:
    ways = emulate.compare(made, chosen)
    print(f"\n{'target':<30} {'library':>9} {'command':>9}  tested")
    for target in chosen:
        library, command = made.library(target), made.command(target)
        sizes = [f"{path.stat().st_size / (1 << 20):.2f} MiB" if path.exists() else "" for path in (library, command)]
        print(f"{target.triple:<30} {sizes[0]:>9} {sizes[1]:>9}  {ways.get(target.triple, 'format, exports, imports')}")


def run_on_cpus(made: Release, chosen: list[Target]) -> None:
    for line in emulate.on_other_cpus(made, chosen):
        print(line, flush=True)


STEPS = {"build": build_all, "inspect": inspect_all, "pack": pack_all, "check": check_all, "run": run_all, "cpus": run_on_cpus}
WHOLE = ("build", "inspect", "pack", "check", "run")

if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"release: {failure}")
