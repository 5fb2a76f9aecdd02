"""Loads the extension into engines and connections of SQLAlchemy."""
from collections.abc import Awaitable
from typing import Any, Optional

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ._load import KNOWN, load_driver
from ._load import load as load_any

LOADED = "vecrank.loaded"


def load_sqlalchemy(connection: Any) -> Optional[Awaitable[None]]:
    if isinstance(connection, AsyncConnection):
        return connection.run_sync(_load_connection)
    if isinstance(connection, AsyncEngine):
        connection = connection.sync_engine
    if not isinstance(connection, (Engine, Connection)):
        raise TypeError(f"load: expected a connection of {KNOWN}, got {type(connection).__name__}")
    if connection.dialect.name != "sqlite":
        raise TypeError(f"load: expected an engine or a connection to SQLite, got one to {connection.dialect.name}")
    if isinstance(connection, Connection):
        _load_connection(connection)
    elif not event.contains(connection, "checkout", _at_checkout):
        # At "checkout", not at "connect": the pool may hold connections already.
        event.listen(connection, "checkout", _at_checkout)
    return None


def _load_connection(connection: Connection) -> None:
    _load_pooled(connection.connection.dbapi_connection)


def _at_checkout(dbapi_connection: Any, record: Any, _proxy: Any) -> None:
    if LOADED not in record.info:
        _load_pooled(dbapi_connection)
        record.info[LOADED] = True


def _load_pooled(dbapi_connection: Any) -> None:
    if hasattr(dbapi_connection, "run_async"):  # SQLAlchemy's cover of aiosqlite
        dbapi_connection.run_async(load_any)
    else:
        load_driver(dbapi_connection)
