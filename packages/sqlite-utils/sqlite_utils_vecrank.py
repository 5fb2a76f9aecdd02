"""Loads vecrank into each connection that sqlite-utils opens, in its command and in `sqlite_utils.Database`."""
import vecrank
from sqlite_utils import hookimpl
from sqlite_utils.utils import sqlite3

if not hasattr(sqlite3.Connection, "enable_load_extension"):
    vecrank.auto()


@hookimpl
def prepare_connection(conn):
    vecrank.load(conn)
