"""Packs what was compiled: an archive per target, and the packages of each language and system."""
import hashlib
import shutil
import sys
from pathlib import Path

import sbom
import source
from archives import files_below, tar_gz, zipped
from debian import debian_package
from plan import ROOT, Failed, Release, Target, run

LICENSES = ("LICENSE-APACHE", "LICENSE-MIT")
# Python packages that carry no library.
PURE = ("datasette", "sqlite-utils")


def pack(release: Release, packed: list[Target]) -> None:
    """Fills the release's folder anew."""
    shutil.rmtree(release.out, ignore_errors=True)
    release.out.mkdir(parents=True)
    (release.out / "archives").mkdir()
    for target in packed:
        archive(release, target)
    wheels(release, packed)
    for package in ("npm", "java", "go"):
        carried(release, packed, package)
    for target in packed:
        if "deb" in target.names:
            debian_package(release, target)
    source.archive(release)
    sbom.write(release, packed, release.out / "sbom")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(release.out)}\n" for path in files_below(release.out)]
    (release.out / "SHA256SUMS").write_text("".join(sums), "utf8")


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def archive(release: Release, target: Target) -> None:
    """The library, the command, and the header where the library is static."""
    name = f"vecrank-{release.version}-{target.triple}"
    staged = fresh(release.work / "staged" / name)
    for path in (release.library(target), release.command(target)):
        if path.exists():
            shutil.copy(path, staged)
    for document in (*LICENSES, "CHANGELOG.md", "README.md"):
        shutil.copy(ROOT / document, staged)
    if target.builder == "static":
        write_header(release, staged / "include")
    archives = release.out / "archives"
    if "windows" in target.triple:
        zipped(staged, archives / f"{name}.zip", release.epoch)
    else:
        tar_gz(staged, archives / f"{name}.tar.gz", release.epoch)


def write_header(release: Release, folder: Path) -> None:
    folder.mkdir()
    header = (ROOT / "packages" / "c" / "include" / "vecrank.h").read_text("utf8")
    (folder / "vecrank.h").write_text(header.replace("@VERSION@", release.version), "utf8")


def wheels(release: Release, packed: list[Target]) -> None:
    out = release.out / "pypi"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", out]
    for target in packed:
        if "wheel" in target.names:
            of_target = {
                "VECRANK_WHEEL": target.names["wheel"],
                "VECRANK_LIBRARY": str(release.library(target)),
                "VECRANK_COMMAND": str(release.command(target)),
            }
            run(*build, cwd=ROOT / "packages" / "python", env=release.environment | of_target)
    for package in PURE:
        run(*build, cwd=ROOT / "packages" / package, env=release.environment)


def carried(release: Release, packed: list[Target], package: str) -> None:
    """A package that carries the libraries of all platforms, by its own build.sh. The module of Go becomes an archive."""
    natives = fresh(release.work / "staged" / package)
    for target in packed:
        if package in target.names:
            (natives / target.names[package]).mkdir()
            shutil.copy(release.library(target), natives / target.names[package])
    folder = {"npm": "node"}.get(package, package)
    out = release.out / package
    if package == "go":
        out = release.work / "staged" / f"vecrank-go-{release.version}"
    fresh(out)
    builder = ROOT / "packages" / folder / "build.sh"
    run("bash", builder, out, cwd=ROOT, env=release.environment | {"VECRANK_NATIVES": str(natives)})
    if package == "go":
        zipped(out, release.out / "archives" / f"{out.name}.zip", release.epoch)


def missing_tools() -> None:
    """What the packages' own builds need."""
    for tool in ("cargo", "dpkg-deb", "mvn", "node", "npm"):
        if shutil.which(tool) is None:
            raise Failed(f"{tool} is missing: packing a release needs it")
