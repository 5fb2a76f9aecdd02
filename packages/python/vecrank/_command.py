"""The `vecrank` command: the binary that the wheel carries."""
import os
import sys
from typing import NoReturn

from ._library import COMMAND


def main() -> NoReturn:
    """Becomes the binary, so that signals, pipes and the exit code are its own."""
    os.execv(COMMAND, ["vecrank", *sys.argv[1:]])
