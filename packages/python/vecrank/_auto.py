"""Registers the extension in the SQLite that the sqlite3 module uses, for modules that may not load extensions."""
import ctypes
import sqlite3
import sys
from typing import Any, Optional

from ._errors import LoadError
from ._library import loadable_path
from ._load import is_loaded

APPLE = (
    "Apple's own SQLite hands automatic extensions no API table, so none works there. Use apsw (pip install apsw), or a "
    "Python with an SQLite of its own, such as Homebrew's"
)
OTHER = "Use apsw (pip install apsw)"

_extension: Optional[ctypes.CDLL] = None


def auto() -> None:
    """Makes each sqlite3 connection that this process opens from now on have vecrank.

    For interpreters whose sqlite3 cannot load extensions, such as pyenv's: it registers vecrank with
    `sqlite3_auto_extension` of the library that the module uses. A connection that is open already stays as it is.

    Raises LoadError where that cannot work: the module has a private SQLite whose functions nobody else can call, or
    Apple's. The registration is then taken back.
    """
    global _extension
    _extension = _extension or ctypes.CDLL(loadable_path())
    entry_point = ctypes.cast(_extension.sqlite3_vecrank_init, ctypes.c_void_p)
    sqlite = _library_of_sqlite3()
    sqlite.sqlite3_auto_extension(entry_point)
    try:
        connection = sqlite3.connect(":memory:")
        try:
            loaded, reason = is_loaded(connection), "its sqlite3 module uses another SQLite than the one that was found"
        finally:
            connection.close()
    except sqlite3.Error as error:
        loaded, reason = False, str(error)
    if not loaded:
        sqlite.sqlite3_cancel_auto_extension(entry_point)
        raise LoadError(f"auto: not in this interpreter: {reason}. {way_out(sys.platform)}")


def way_out(platform: str) -> str:
    """What to do where auto() does not work."""
    return APPLE if platform == "darwin" else OTHER


def _library_of_sqlite3() -> Any:
    """The module's own file: a look-up in it searches the libraries that it is linked with, too."""
    import _sqlite3

    # A module that is part of the interpreter has no file; None is the interpreter itself.
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    try:
        library.sqlite3_auto_extension, library.sqlite3_cancel_auto_extension
    except AttributeError:
        raise LoadError(
            f"auto: not in this interpreter: its sqlite3 module has a private SQLite. {way_out(sys.platform)}"
        ) from None
    return library
