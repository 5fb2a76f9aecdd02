"""Loads the extension into connections of Django."""
from typing import Any

from django.db.backends.signals import connection_created

from ._load import load_driver


def load_django(connection: Any) -> None:
    if connection.vendor != "sqlite":
        raise TypeError(f"load: expected a connection to SQLite, got {connection.vendor} ({connection.alias!r})")
    alias = connection.alias

    # Django opens a connection per thread and request, all known by their alias.
    def load_new(sender: Any, connection: Any, **_: Any) -> None:
        if connection.alias == alias:
            load_driver(connection.connection)

    connection_created.connect(load_new, weak=False, dispatch_uid=f"vecrank:{alias}")
    if connection.connection is not None:
        load_driver(connection.connection)
