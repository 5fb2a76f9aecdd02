"""`python -m vecrank doctor`: what works in this interpreter, and what to do where something does not."""
import importlib
import platform
import subprocess
import sys
from functools import partial
from typing import Any, Callable

from ._auto import auto, way_out
from ._errors import LoadError
from ._library import COMMAND, loadable_path
from ._load import is_loaded, load_driver

Check = Callable[[], str]


def main() -> int:
    """Prints a line per way; the exit code is 0 if one of them works."""
    print(f"vecrank: {loadable_path()}")
    print(f"Python {platform.python_version()}: {sys.executable}")
    # auto() comes last: a connection that is opened after it has the extension by itself.
    works = [_line(f"load(), {name}", partial(_load, name)) for name in ("sqlite3", "apsw", "pysqlite3")]
    works.append(_line("auto(), sqlite3", _auto))
    _line("command", _command)
    if not works[0]:
        print(f"\nHere load() cannot serve sqlite3. {_advice(*works[1:])}")
    return 0 if any(works) else 1


def _line(name: str, check: Check) -> bool:
    try:
        print(f"{name + ':':<18} works, {check()}")
        return True
    except ModuleNotFoundError as error:
        print(f"{name + ':':<18} {error.name} is not installed")
    except Exception as error:
        print(f"{name + ':':<18} {error}")
    return False


def _advice(apsw: bool, pysqlite3: bool, automatic: bool) -> str:
    if automatic:
        return "Call vecrank.auto() before the first sqlite3.connect()."
    for installed, name in ((apsw, "apsw"), (pysqlite3, "pysqlite3")):
        if installed:
            return f"Use {name} instead of sqlite3."
    return f"{way_out(sys.platform)}."


def _memory(name: str) -> Any:
    driver = importlib.import_module(name)
    return driver.Connection(":memory:") if name == "apsw" else driver.connect(":memory:")


def _version(connection: Any) -> str:
    """Of SQLite, asked of a connection that has the extension."""
    if not is_loaded(connection):
        raise LoadError("the extension did not load")
    version = next(iter(connection.execute("SELECT sqlite_version()")))[0]
    connection.close()
    return f"SQLite {version}"


def _load(name: str) -> str:
    connection = _memory(name)
    if not hasattr(connection, "enable_load_extension"):
        raise LoadError("no, the module was built without extension loading")
    load_driver(connection)
    return _version(connection)


def _auto() -> str:
    auto()
    return _version(_memory("sqlite3"))


def _command() -> str:
    if not COMMAND.exists():
        raise LoadError("not in the wheel of this platform")
    done = subprocess.run([str(COMMAND), "--version"], capture_output=True, text=True)
    if done.returncode:
        raise LoadError(done.stderr.strip())
    return done.stdout.strip()
