"""What Datasette should know of hnsw tables: their keys, their vectors, and what to hide."""
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Optional

from datasette.database import Database

# Whether the request under way ranks rows.
RANKED: ContextVar[bool] = ContextVar("ranked", default=False)
# The tables that the request under way has asked about, by database and name: each cell asks.
ASKED: ContextVar[Optional[dict]] = ContextVar("asked", default=None)


@dataclass(frozen=True)
class HnswTable:
    key: str
    label: str
    vectors: tuple[str, ...]
    hidden: frozenset[str]


async def hnsw_table(db: Database, table: str) -> Optional[HnswTable]:
    """The description of an hnsw table; None for any other."""
    asked, key = ASKED.get(), (db.name, table)
    if asked is not None and key in asked:
        return asked[key]
    described = await db.execute_fn(lambda connection: _describe(connection, table))
    if asked is not None:
        asked[key] = described
    return described


def _describe(connection, table):
    virtual = "select 1 from sqlite_master where type = 'table' and name = ? and sql like 'create virtual table%using hnsw%'"
    if connection.execute(virtual, [table]).fetchone() is None:
        return None
    # The rows of the config table that hold the vector columns' names: see FORMAT.md.
    config = '"{}_config"'.format(table.replace('"', '""'))
    vectors = connection.execute(f"select value from {config} where key glob 'vector.*.name' order by key").fetchall()
    columns = connection.execute("select name, pk, hidden from pragma_table_xinfo(?)", [table]).fetchall()
    names = tuple(name for (name,) in vectors)
    ordinary = [name for name, _, hidden in columns if not hidden and name not in names]
    keys = [name for name, pk, _ in columns if pk]
    key = keys[0] if len(keys) == 1 else "rowid"
    hidden = frozenset(name for name, _, hidden in columns if hidden)
    return HnswTable(key, ordinary[0] if ordinary else key, names, hidden)


def hide_columns_and_shadow_tables() -> None:
    """Wraps the two methods by which Datasette learns of columns and hidden tables; it has no hook for either."""
    table_columns, hidden_table_names = Database.table_columns, Database.hidden_table_names

    async def visible_columns(self, table):
        columns = await table_columns(self, table)
        hnsw = await hnsw_table(self, table)
        if hnsw is None:
            return columns
        shown = {"distance"} if RANKED.get() else set()
        return [column for column in columns if column not in hnsw.hidden - shown]

    async def hidden_names(self):
        hidden = await hidden_table_names(self)
        shadows = await self.execute("select name from pragma_table_list where schema = 'main' and type = 'shadow'")
        return hidden + [name for (name,) in shadows.rows if name not in hidden]

    Database.table_columns = visible_columns
    Database.hidden_table_names = hidden_names
