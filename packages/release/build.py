"""Compiles the extension and the command for one target, and Rust's own library with them.

Debian's rustc comes with the sources of that library, so no prebuilt one is needed for any target.
"""
import json
import os
import shutil
import subprocess
from pathlib import Path

from plan import ROOT, UNIVERSAL_PARTS, Failed, Release, Target, run, targets

RUST_SOURCES = "/usr/lib/rustlib/src/rust"
MINGW = "x86_64-w64-mingw32-"


def build(release: Release, target: Target) -> None:
    folder = release.natives / target.triple
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if target.builder == "lipo":
        join(release, target)
    else:
        compile_with_cargo(release, target)


def join(release: Release, target: Target) -> None:
    parts = [release.library(targets()[triple]) for triple in UNIVERSAL_PARTS]
    run("llvm-lipo", "-create", *parts, "-output", release.library(target), cwd=release.work, env=environment(release, target))


def compile_with_cargo(release: Release, target: Target) -> None:
    cargo = ["cargo-zigbuild", "zigbuild"] if target.builder == "zig" else ["cargo", "build"]
    package = "vecrank-c" if target.builder == "static" else "vecrank"
    packages = ["--package", package, *(["--package", "vecrank-importer"] if target.command else [])]
    options = ["--release", "--locked", "--quiet", "-Zbuild-std=std,panic_unwind", "--target", rust_target(target)]
    done = subprocess.run([*cargo, *options, *packages], cwd=ROOT, env=environment(release, target))
    if done.returncode != 0:
        raise Failed(f"{target.triple} does not build")
    built = release.work / "cargo" / target.triple / "release"
    library = "libvecrank_c.a" if target.builder == "static" else target.library_name
    shutil.copy(built / library, release.library(target))
    if target.command:
        shutil.copy(built / target.command_name, release.command(target))


def rust_target(target: Target) -> str:
    return target.triple + (target.suffix if target.builder == "zig" else "")


def environment(release: Release, target: Target) -> dict:
    """What the compilers are told. No path of this machine may get into what they write."""
    name = target.triple.replace("-", "_")
    tools = release.work.parent / "release-tools" / "bin"
    cargo_home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    registries = sorted((cargo_home / "registry" / "src").glob("*"))
    places = {cargo_home: "/cargo", ROOT: "/vecrank", release.work: "/build", RUST_SOURCES: "/rust"}
    places |= {registry: "/crates" for registry in registries}
    flags = [f"--remap-path-prefix={place}={shown}" for place, shown in places.items()]
    if target.triple.endswith("-musl"):
        flags.append("-Ctarget-feature=-crt-static")
    if target.builder == "lld":
        # The library's name for itself would else be the path that it is built at.
        flags += [f"-Clinker={tools}/ld64.lld", "-Clinker-flavor=ld64.lld", "-Zosx-rpath-install-name"]
    variables = {
        "PATH": f"{tools}:/usr/bin:{os.environ['PATH']}",
        "RUSTC": "/usr/bin/rustc",
        "CARGO": "/usr/bin/cargo",
        # Lets a stable compiler build its own library.
        "RUSTC_BOOTSTRAP": "1",
        "CARGO_TARGET_DIR": str(release.work / "cargo"),
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
        "CARGO_PROFILE_RELEASE_STRIP": "symbols",
        f"CFLAGS_{name}": " ".join(f"-ffile-prefix-map={place}={shown}" for place, shown in places.items()),
        "VECRANK_COMMIT": release.commit,
    }
    if target.builder == "lld":
        machine = target.triple.split("-")[0]
        variables |= {
            "SDKROOT": str(tools.parent / "macos"),
            "MACOSX_DEPLOYMENT_TARGET": target.suffix,
            f"CC_{name}": f"zig cc -target {machine}-macos.{target.suffix}",
            f"AR_{name}": "zig ar",
            # Else the C compiler is told the target in words that zig does not know.
            f"CRATE_CC_NO_DEFAULTS_{name}": "1",
            f"CFLAGS_{name}": f"-O3 {variables[f'CFLAGS_{name}']}",
        }
    if target.builder == "mingw":
        variables |= {
            f"CARGO_TARGET_{name.upper()}_LINKER": f"{MINGW}gcc",
            f"CC_{name}": f"{MINGW}gcc",
            f"AR_{name}": f"{MINGW}ar",
        }
    return release.environment | variables


def unit_tests(release: Release, target: Target) -> Path:
    """The program of the extension's unit tests."""
    if target.runner == "native":
        # As tests/run.sh has compiled them already.
        command, options, variables = ["cargo"], [], None
    else:
        command, options = ["cargo-zigbuild"], ["-Zbuild-std=std,panic_unwind,test", "--target", rust_target(target)]
        variables = environment(release, target)
    command += ["test", "--no-run", "--locked", "--message-format=json", "--package", "vecrank", "--lib"]
    said = run(*command, *options, cwd=ROOT, env=variables)
    messages = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
    return Path(next(message["executable"] for message in messages if message.get("executable")))
