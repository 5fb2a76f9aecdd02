"""Ranked feeds of hnsw tables in Datasette.

`/feed/articles?_like=18` is Datasette's own page of the table, nearest to row 18 first: `filters_from_request` adds the
MATCH, so that filters, facets, paging, JSON and CSV are Datasette's. `_like` may be repeated; the taste is then the mean.
With the setting `embed`, the name of an SQL function that embeds text, the page has a search box (`_search`).
"""
from urllib.parse import parse_qs, urlencode

import vecrank
from datasette import hookimpl
from datasette.filters import FilterArguments
from datasette.utils import escape_sqlite, path_from_row_pks
from datasette.utils.asgi import BadRequest, NotFound
from datasette.utils.sqlite import sqlite3
from markupsafe import Markup

from .tables import ASKED, RANKED, hide_columns_and_shadow_tables, hnsw_table

hide_columns_and_shadow_tables()

if not hasattr(sqlite3.Connection, "enable_load_extension"):
    vecrank.auto()


@hookimpl
def prepare_connection(conn):
    vecrank.load(conn)


@hookimpl
def asgi_wrapper():
    """Begins what `tables` knows of each request. Those that rank rows show the column `distance`."""

    def wrap(app):
        async def serve(scope, receive, send):
            arguments = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            sorts = arguments.get("_sort", []) + arguments.get("_sort_desc", [])
            RANKED.set("_like" in arguments or "_search" in arguments or "distance" in sorts)
            ASKED.set({})
            await app(scope, receive, send)

        return serve

    return wrap


# Last, so that what it says of the search box overrides what Datasette's own hook for FTS tables says.
@hookimpl(trylast=True)
def filters_from_request(request, database, table, datasette):
    async def filters():
        db = datasette.get_database(database)
        hnsw = await hnsw_table(db, table)
        if hnsw is None:
            return None
        embed = (datasette.plugin_config("datasette-vecrank", database=database, table=table) or {}).get("embed")
        text = request.args.get("_search", "").strip() if embed and not await db.fts_table(table) else ""
        likes = request.args.getlist("_like")
        box = {"supports_search": True} if embed else {}
        if not likes and not text:
            return FilterArguments([], extra_context=box)
        column = request.args.get("_by") or hnsw.vectors[0]
        if column not in hnsw.vectors:
            raise BadRequest(f"_by: expected a vector column of {table} ({', '.join(hnsw.vectors)}), got {column}")
        match = _match(table, hnsw, column, embed, len(likes), text)
        params = {f"like_{i}": key for i, key in enumerate(likes)}
        if text:
            params["like_text"] = text
        # Datasette reads the order after this hook.
        if "_sort" not in request.args and "_sort_desc" not in request.args:
            chosen = request.args.getlist("_col")
            if (chosen and "distance" not in chosen) or "distance" in request.args.getlist("_nocol"):
                raise BadRequest("_col: expected distance among the columns of a page in its order: add &_col=distance")
            request.scope["query_string"] += b"&_sort=distance"
        return FilterArguments([match], params, [await _description(db, table, hnsw, likes, text)], box)

    return filters


@hookimpl
def extra_template_vars(request, view_name):
    """What was searched, into the search box: 1.0 alphas leave it empty."""
    return {"search": request.args.get("_search", "")} if view_name == "table" else {}


def _match(table, hnsw, column, embed, likes, text):
    """`embedding MATCH` the mean of the liked rows' vectors and of the text's."""
    name, key, vector = escape_sqlite(table), escape_sqlite(hnsw.key), escape_sqlite(column)
    sources = []
    if likes:
        keys = ", ".join(f":like_{i}" for i in range(likes))
        sources.append(f"select {vector} as taste from {name} where {key} in ({keys})")
    if text:
        sources.append(f"select {escape_sqlite(embed)}(:like_text)")
    if len(sources) == 1 and likes == 1:
        return f"{vector} match (select taste from ({sources[0]}))"
    return f"{vector} match (select vec_avg(taste) from ({' union all '.join(_named(sources))}))"


def _named(sources):
    """SQLite takes the column's name from the first of a union."""
    first, *others = sources
    return [first if " as taste " in first else f"{first} as taste", *others]


async def _description(db, table, hnsw, likes, text):
    """"nearest to A00018", by the first column of each liked row; never the vector."""
    labels = []
    for key in likes:
        sql = f"select {escape_sqlite(hnsw.label)} from {escape_sqlite(table)} where {escape_sqlite(hnsw.key)} = ?"
        row = (await db.execute(sql, [key])).first()
        if row is None:
            raise NotFound(f"_like: {table} has no row {key}")
        labels.append(str(row[0]))
    if text:
        labels.append(f'"{text}"')
    return f"nearest to {', '.join(labels)}"


@hookimpl
def render_cell(row, value, column, table, database, datasette):
    """A link in the place of each vector, and a distance in few digits."""
    if table is None or not (isinstance(value, bytes) or (column == "distance" and isinstance(value, float))):
        return None

    async def link():
        hnsw = await hnsw_table(datasette.get_database(database), table)
        if hnsw is None:
            return None
        if column == "distance":
            return f"{value:.4f}"
        if column not in hnsw.vectors or hnsw.key not in row.keys():
            return None
        arguments = {"_like": row[hnsw.key]}
        if column != hnsw.vectors[0]:
            arguments["_by"] = column
        href = f"{datasette.urls.table(database, table)}?{urlencode(arguments)}"
        return Markup('<a href="{}">more like this</a>').format(href)

    return link
