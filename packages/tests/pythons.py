"""Fixtures of the Python packages: empty virtual environments, and folders of other people's packages kept between runs."""
import os
import shutil
import sys
from pathlib import Path

import pytest

from conftest import ROOT, TARGET, run


def absent(what: str) -> None:
    """A skip, which under CI is a failure."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{what} is missing")


def pip(python: Path, *arguments) -> None:
    """Installs into an environment with the pip of the tests: to copy a pip into each takes seconds."""
    options = ("--python", python, "install", "--quiet", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", *options, *arguments, cwd=ROOT)


@pytest.fixture(scope="session")
def wheel(package):
    """The wheel of a package, built from the tree."""

    def build(name: str) -> Path:
        (file,) = package(name).glob("*.whl")
        return file

    return build


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """Makes an empty virtual environment of a Python, installs wheels without an index, and returns its interpreter."""
    made = {}

    def install(python: str, *names: str) -> Path:
        key = (python, *names)
        if key not in made:
            folder = tmp_path_factory.mktemp("venv")
            run(python, "-m", "venv", "--without-pip", folder, cwd=folder)
            made[key] = folder / "bin" / "python"
            # A plugin's wheel needs its host, which is not in this environment: see `kept`.
            dependencies = ("--no-deps",) if len(names) > 1 else ()
            pip(made[key], "--no-index", *dependencies, *map(wheel, names))
        return made[key]

    return install


@pytest.fixture(scope="session")
def debian(installed) -> Path:
    if not Path("/usr/bin/python3").exists():
        absent("/usr/bin/python3")
    return installed("/usr/bin/python3", "python")


@pytest.fixture(scope="session")
def kept(debian):
    """A folder for PYTHONPATH with what a requirements file lists, for Debian's Python. It is made anew if the list changes."""

    def install(name: str) -> str:
        requirements = ROOT / "packages" / "tests" / "requirements" / f"{name}.txt"
        folder = TARGET / "package-tests" / name
        stamp = requirements.read_text("utf8") + run(debian, "--version", cwd=ROOT)
        if not (folder / "stamp").exists() or (folder / "stamp").read_text("utf8") != stamp:
            shutil.rmtree(folder, ignore_errors=True)
            pip(debian, "--target", folder, "-r", requirements)
            (folder / "stamp").write_text(stamp, "utf8")
        return str(folder)

    return install
