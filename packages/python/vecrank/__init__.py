"""vecrank: vector search and ranked feeds in SQLite.

    import sqlite3, vecrank

    db = sqlite3.connect("feed.db")
    vecrank.load(db)
    page = db.execute(
        "SELECT article_id FROM articles WHERE embedding MATCH ? ORDER BY distance LIMIT 20 OFFSET 40",
        (vecrank.vector(taste),),
    )

Where the interpreter's sqlite3 cannot load extensions, call `auto()` before connecting. `python -m vecrank doctor` says
what works in an interpreter, and what to do where something doesn't.
"""
from ._auto import auto
from ._errors import LoadError
from ._library import loadable_path
from ._load import load
from ._vectors import from_vector, vector

__all__ = ["LoadError", "auto", "from_vector", "load", "loadable_path", "vector"]
