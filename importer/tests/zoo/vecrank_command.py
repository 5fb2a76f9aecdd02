"""The command under test."""
import os
import subprocess
from pathlib import Path

VECRANK = Path(os.environ.get("VECRANK_TARGET", "target")).resolve() / "release" / "vecrank"


def vecrank(*arguments: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([VECRANK, *arguments], cwd=folder, capture_output=True, text=True, timeout=600)
