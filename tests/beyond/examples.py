"""Runs the programs of examples/beyond as a reader would."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "beyond"
LONG = os.environ.get("VECRANK_LONG") == "1"


def missing(what: str) -> None:
    """A skip, or under CI a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing under CI: {what}")
    pytest.skip(what)


def need(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            missing(f"no {tool}")


def example(name: str, *options: object) -> str:
    """What a program says. A failure shows all of it."""
    command = [sys.executable, EXAMPLES / name, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=None if LONG else 600)
    assert done.returncode == 0, f"{name}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    print(done.stdout)
    return done.stdout
