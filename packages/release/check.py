"""Checks the packages of a release: each says its version, and carries the very libraries that were compiled."""
import io
import re
import tarfile
import zipfile
from pathlib import Path

from archives import files_below
from plan import Failed, Release, Target, run

# The files of a wheel besides the command, compressed.
LARGEST_WHEEL = 4 * (1 << 20)
LIBRARY = re.compile(r"vecrank\w*\.(so|dylib|dll|a)$")
COMMAND = re.compile(r"/vecrank(\.exe)?$")
# Where a version stands: in files of these names, after these words.
VERSIONS = {
    r"\.dist-info/METADATA$": r"^Version: (.+)$",
    r"^package/package\.json$": r'"(?:version|@vecrank/[\w-]+)": "(.+?)"',
    r"/pom\.properties$": r"^version=(.+)$",
    r"\.pom$": r"<artifactId>vecrank</artifactId>\s*<version>(.+?)<",
    r"/version\.go$": r'^const Version = "(.+)"$',
    r"static-source/(vecrank/)?Cargo\.toml$": r'(?s)\A.*?^version = "(.+?)"$',
    r"/vecrank\.h$": r'^#define VECRANK_VERSION "(.+)"$',
    r"^control$": r"^Version: (.+)$",
    r"\.cdx\.json$": r'"bom-ref": "vecrank@(.+?)"',
}


def check_packages(release: Release, packed: list[Target]) -> list[str]:
    """A line per package. What disagrees is a failure."""
    wrong, seen = [], []
    libraries = {release.library(target).read_bytes(): target for target in packed}
    carried = {target.triple: 0 for target in packed}
    for path in files_below(release.out):
        if path.name == "SHA256SUMS":
            continue
        files = members(path)
        versions = {path.name.find(release.version) > 0 and release.version, *said_versions(files)}
        if versions != {release.version}:
            wrong.append(f"{path.name} says the versions {sorted(map(str, versions))}, expected {release.version}")
        own = [content for name, content in files.items() if LIBRARY.search(name)]
        for content in own:
            if content not in libraries:
                wrong.append(f"{path.name} carries a library of no target of this release")
            else:
                carried[libraries[content].triple] += 1
        if path.suffix == ".whl":
            wrong += too_large(path)
        seen.append(f"{path.relative_to(release.out)} {path.stat().st_size / (1 << 20):.2f} MiB, libraries: {len(own)}")
    for target in packed:
        expected = 1 + len(target.names)
        if carried[target.triple] != expected:
            wrong.append(f"{target.triple} is in {carried[target.triple]} packages, expected {expected}")
    if wrong:
        raise Failed("\n".join(wrong))
    return seen


def members(path: Path) -> dict[str, bytes]:
    """The files in an archive by name, or the file itself."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    if path.suffix == ".deb":
        data = run("dpkg-deb", "--field", path, cwd=path.parent).encode()
        return {"control": data} | in_tar(path, "dpkg-deb", "--fsys-tarfile", path)
    if path.name.endswith((".tar.gz", ".tgz")):
        return in_tar(path, "gzip", "-dc", path)
    return {path.name: path.read_bytes()}


def in_tar(path: Path, *command) -> dict[str, bytes]:
    packed = run(*command, cwd=path.parent, text=False)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}


def said_versions(files: dict[str, bytes]) -> set[str]:
    found = set()
    for name, content in files.items():
        for names, words in VERSIONS.items():
            if re.search(names, name):
                found |= set(re.findall(words, content.decode(), re.MULTILINE))
    return found


def too_large(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as wheel:
        size = sum(entry.compress_size for entry in wheel.infolist() if not COMMAND.search(entry.filename))
    return [f"{path.name} has {size} bytes without the command, at most {LARGEST_WHEEL} are allowed"] if size > LARGEST_WHEEL else []
