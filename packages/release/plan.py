"""What is released: the version, the commit, and the targets."""
import os
import re
import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Two Mach-O files in one. It is put together from these two targets.
UNIVERSAL = "universal-apple-darwin"
UNIVERSAL_PARTS = ("aarch64-apple-darwin", "x86_64-apple-darwin")


@dataclass(frozen=True)
class Target:
    """A row of targets.toml."""

    triple: str
    builder: str
    command: bool
    suffix: str = ""
    runner: str = ""
    # The platform's name per kind of package.
    names: dict = field(default_factory=dict)

    @property
    def library_name(self) -> str:
        if self.builder == "static":
            return "libvecrank.a"
        if "windows" in self.triple:
            return "vecrank.dll"
        return "libvecrank.dylib" if "apple" in self.triple else "libvecrank.so"

    @property
    def command_name(self) -> str:
        return "vecrank.exe" if "windows" in self.triple else "vecrank"


def targets() -> dict[str, Target]:
    rows = tomllib.loads((HERE / "targets.toml").read_text("utf8"))
    rows[UNIVERSAL] = {"builder": "lipo", "command": False}
    own = ("builder", "command", "suffix", "runner")
    return {
        triple: Target(
            triple,
            **{key: value for key, value in row.items() if key in own},
            names={key: value for key, value in row.items() if key not in own},
        )
        for triple, row in rows.items()
    }


@dataclass(frozen=True)
class Release:
    """One release: what it is made of, and the folders of its parts."""

    version: str
    commit: str
    # The time of the commit, which every file and archive gets.
    epoch: int
    # Compilers' folders, and what they left: one folder per target with the library and the command.
    work: Path
    out: Path

    @property
    def natives(self) -> Path:
        return self.work / "natives"

    def library(self, target: Target) -> Path:
        return self.natives / target.triple / target.library_name

    def command(self, target: Target) -> Path:
        return self.natives / target.triple / target.command_name

    @property
    def environment(self) -> dict:
        return os.environ | {"SOURCE_DATE_EPOCH": str(self.epoch), "VECRANK_VERSION": self.version, "VECRANK_ROOT": str(ROOT)}


def version_of_the_tree() -> str:
    """The one place of the version."""
    return tomllib.loads((ROOT / "Cargo.toml").read_text("utf8"))["workspace"]["package"]["version"]


def format_of_the_tree() -> int:
    """The number of the file format."""
    source = (ROOT / "extension" / "src" / "format" / "mod.rs").read_text("utf8")
    return int(re.search(r"FORMAT_VERSION: u32 = (\d+);", source)[1])


def release(work: Path, out: Path) -> Release:
    said = run("git", "log", "-1", "--format=%H %ct", cwd=ROOT).split()
    return Release(version_of_the_tree(), said[0][:12], int(said[1]), work, out)


def run(*command, cwd: Path, text: bool = True, **options):
    """Runs a command and returns what it prints. A failure shows all that it said."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, **options)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise Failed(f"{' '.join(map(str, command))}: exit {done.returncode}\n{said}")
    return done.stdout.decode() if text else done.stdout


class Failed(Exception):
    """What stops a release, in words for whoever makes it."""
