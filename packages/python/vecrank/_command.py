"""The `vecrank` command: the binary that the wheel carries."""
import os
import subprocess
import sys
from typing import NoReturn

from ._library import COMMAND

MISSING = "vecrank: the wheel of this platform comes without the command; build it from the sources with cargo"


def main() -> NoReturn:
    """Becomes the binary, so that signals, pipes and the exit code are its own."""
    if not COMMAND.exists():
        sys.exit(MISSING)
    if sys.platform == "win32":  # where exec starts a second process and ends the first
        sys.exit(subprocess.call([str(COMMAND), *sys.argv[1:]]))
    os.execv(COMMAND, ["vecrank", *sys.argv[1:]])
