"""The Debian package: the extension where the dynamic linker finds it, the command, and what a shell knows of it."""
import gzip
import shutil
from pathlib import Path

import emulate
from plan import ROOT, Release, Target, run

CONTROL = """\
Package: vecrank
Version: {version}
Architecture: {architecture}
Section: database
Priority: optional
Depends: libc6 (>= 2.17)
Suggests: sqlite3 (>= 3.38)
Installed-Size: {size}
Maintainer: vecrank <vecrank@users.noreply.github.com>
Homepage: https://github.com/vecrank/vecrank
Description: vector search and ranked feeds in SQLite
 A loadable extension of SQLite that ranks rows by vector distance: load it
 with ".load vecrank". The command vecrank imports Parquet files, queries
 them, and serves them over HTTP.
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: vecrank
Source: https://github.com/vecrank/vecrank

Files: *
Copyright: the authors of vecrank
License: MIT or Apache-2.0
"""


def debian_package(release: Release, target: Target) -> None:
    architecture = target.names["deb"]
    staged = release.work / "staged" / f"deb-{architecture}"
    shutil.rmtree(staged, ignore_errors=True)
    usr = staged / "usr"
    multiarch = target.triple.replace("-unknown", "")
    # SQLite derives the entry point from the name of the file, without "lib" and without what follows the dot.
    place(release.library(target).read_bytes(), usr / "lib" / multiarch / "vecrank.so")
    place(release.command(target).read_bytes(), usr / "bin" / "vecrank", 0o755)
    command = [*emulate.prefix(target), release.command(target)]
    place(packed(run(*command, "man", cwd=staged)), usr / "share" / "man" / "man1" / "vecrank.1.gz")
    place(run(*command, "completions", "bash", cwd=staged).encode(), usr / "share" / "bash-completion" / "completions" / "vecrank")
    documents = usr / "share" / "doc" / "vecrank"
    place(packed((ROOT / "CHANGELOG.md").read_text("utf8")), documents / "changelog.gz")
    place((COPYRIGHT + license_text()).encode(), documents / "copyright")
    size = sum(path.stat().st_size for path in usr.rglob("*") if path.is_file()) // 1024 + 1
    control = CONTROL.format(version=release.version, architecture=architecture, size=size)
    place(control.encode(), staged / "DEBIAN" / "control")
    for folder in (staged, *(path for path in staged.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    out = release.out / "debian" / f"vecrank_{release.version}_{architecture}.deb"
    out.parent.mkdir(exist_ok=True)
    run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", staged, out, cwd=release.work, env=release.environment)


def place(content: bytes, path: Path, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), 9, mtime=0)


def license_text() -> str:
    """The text of the licences, indented as the format of the file wants it."""
    lines = []
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        lines += ["", f"{name}:", "", *(ROOT / name).read_text("utf8").splitlines()]
    return "".join(f" {line}\n" if line.strip() else " .\n" for line in lines)
