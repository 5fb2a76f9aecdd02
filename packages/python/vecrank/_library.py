"""Where the wheel carries the extension and the command."""
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LIBRARY = FOLDER / ("libvecrank.dylib" if sys.platform == "darwin" else "libvecrank.so")
COMMAND = FOLDER / "bin" / "vecrank"


def loadable_path() -> str:
    """The path of the extension, for a driver that `load` does not know."""
    return str(LIBRARY)
