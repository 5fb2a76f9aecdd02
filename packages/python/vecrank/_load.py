"""Loads the extension into connections of every driver that can load one."""
import inspect
from collections.abc import Awaitable
from typing import Any, Optional

from ._errors import LoadError
from ._library import loadable_path

KNOWN = (
    "sqlite3, apsw, pysqlite3 or aiosqlite, an engine or a connection of SQLAlchemy, or a connection of Django"
)
CLOSED_MODULE = (
    "{module} was built without extension loading in this interpreter. Call vecrank.auto() before connecting, or use apsw "
    "(pip install apsw); `python -m vecrank doctor` says what works"
)


def load(connection: Any) -> Optional[Awaitable[None]]:
    """Loads vecrank into a connection; loading it twice does no harm.

    - sqlite3, apsw, pysqlite3 and other drivers with their methods: the connection itself. Loading of further extensions
      is switched off afterwards.
    - aiosqlite, and async connections of SQLAlchemy: returns an awaitable, `await vecrank.load(db)`.
    - An engine of SQLAlchemy, async or not: each connection that it gives out. A connection of SQLAlchemy: that one.
    - A connection of Django, such as `django.db.connection`: that one if it is open, and each later one of its alias. Call
      it in `AppConfig.ready()`.

    Raises LoadError if the driver cannot load extensions, and TypeError for what is no connection.
    """
    packages = {kind.__module__.split(".")[0] for kind in type(connection).__mro__}
    if "sqlalchemy" in packages:
        from ._sqlalchemy import load_sqlalchemy

        return load_sqlalchemy(connection)
    if "django" in packages:
        from ._django import load_django

        load_django(connection)
        return None
    if inspect.iscoroutinefunction(getattr(connection, "load_extension", None)):
        return _load_awaited(connection)
    load_driver(connection)
    return None


def load_driver(connection: Any) -> None:
    """Loads the extension into a connection of a driver with the methods of sqlite3."""
    if not hasattr(connection, "execute"):
        raise TypeError(f"load: expected a connection of {KNOWN}, got {type(connection).__name__}")
    if not hasattr(connection, "enable_load_extension"):
        if is_loaded(connection):  # by auto()
            return
        raise LoadError(f"load: {CLOSED_MODULE.format(module=type(connection).__module__)}")
    connection.enable_load_extension(True)
    try:
        connection.load_extension(loadable_path())
    finally:
        connection.enable_load_extension(False)


def is_loaded(connection: Any) -> bool:
    """Whether a connection has the extension."""
    functions = connection.execute("SELECT count(*) FROM pragma_module_list WHERE name = 'hnsw'")
    return next(iter(functions))[0] == 1


async def _load_awaited(connection: Any) -> None:
    try:
        await connection.enable_load_extension(True)
    except AttributeError:
        async with connection.execute("SELECT count(*) FROM pragma_module_list WHERE name = 'hnsw'") as found:
            if (await found.fetchone())[0] == 1:
                return
        raise LoadError(f"load: {CLOSED_MODULE.format(module='sqlite3')}") from None
    try:
        await connection.load_extension(loadable_path())
    finally:
        await connection.enable_load_extension(False)
