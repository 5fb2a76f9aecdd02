"""Where the wheel carries the extension and the command."""
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NAMES = {"darwin": "libvecrank.dylib", "win32": "vecrank.dll"}
LIBRARY = FOLDER / NAMES.get(sys.platform, "libvecrank.so")
# Wheels of some platforms come without it.
COMMAND = FOLDER / "bin" / ("vecrank.exe" if sys.platform == "win32" else "vecrank")


def loadable_path() -> str:
    """The path of the extension, for a driver that `load` does not know."""
    return str(LIBRARY)
