"""Requests for a page: what may be asked, and the SQL that answers it."""
import json
import math
import sqlite3
import struct
from array import array
from typing import Annotated

from catalogue import Catalogue, Table, encode, mean, quote
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from settings import Settings

MOST_LIKED = 100
MOST_VALUES = 100
MOST_OF_A_GROUP = 1000

# JSON's own types: "1" is no number, and 1.5 no count.
Strict = ConfigDict(extra="forbid", strict=True)
# Whole numbers that SQLite has; larger ones in a filter are REAL.
Whole = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
# JSON can write halves of characters, which UTF-8 has not: encode() refuses them.
Text = Annotated[str, AfterValidator(lambda text: text.encode().decode())]
Value = Text | Whole | float | bool


class Range(BaseModel):
    """Bounds of a column's values; both belong to the range."""

    model_config = Strict
    min: Text | Whole | float | None = None
    max: Text | Whole | float | None = None


class FeedRequest(BaseModel):
    """A page of the feed. Without `liked` and `embedding` rows come in the order of the table."""

    model_config = Strict
    limit: Annotated[int, Field(description="rows of the page")] = 20
    offset: Annotated[int, Field(description="rows before the page")] = 0
    embedding: Annotated[list[int | float] | None, Field(description="the taste, as a vector")] = None
    liked: Annotated[list[Text | Whole] | None, Field(description="keys of rows whose mean is the taste; they are left out")] = None
    filters: Annotated[
        dict[Text, Value | list[Value] | Range], Field(description="by column: a value, a list of values, or a range")
    ] = {}
    group_by: Annotated[Text | None, Field(description="a column of whose values few rows are to come")] = None
    group_limit: Annotated[int | None, Field(description="how many rows of one value; 1 unless given")] = None


class Page(BaseModel):
    """Rows in the order of the feed. `version` changes when the file does: pages of one version have no gaps or repeats."""

    rows: list[dict]
    next_offset: Annotated[int | None, Field(description="the offset of the next page; null after the last")]
    version: str


class Problem(BaseModel):
    """Why there is no answer, in one line."""

    error: str


class Refused(Exception):
    """A request that cannot be answered: one line for its sender."""

    def __init__(self, text: str, status: int = 422):
        super().__init__(text)
        self.status = status


def feed(catalogue: Catalogue, request: FeedRequest, settings: Settings) -> list[dict]:
    table = catalogue.table
    within("limit", request.limit, 1, settings.max_limit)
    within("offset", request.offset, 0, settings.max_offset)
    terms, values = filters(table, request.filters)
    taste = taste_of(catalogue, request)
    if taste is not None:
        terms.insert(0, f"{quote(table.embedding)} MATCH ?")
        values.insert(0, taste)
        # Terms that the search itself tests, so that they come before the group limit.
        for liked in request.liked or []:
            terms.append(f"{key_sql(table)} <> ?")
            values.append(liked)
    terms += group(table, request, values, taste is not None)
    where = f"WHERE {' AND '.join(terms)}" if terms else ""
    order = "distance" if taste is not None else "rowid"
    sql = f"SELECT {columns_sql(table)}, distance FROM {quote(table.name)} {where} ORDER BY {order} LIMIT ? OFFSET ?"
    return rows(catalogue, sql, [*values, request.limit, request.offset], [*table.columns, "distance"])


def item(catalogue: Catalogue, key: str) -> dict:
    table = catalogue.table
    sql = f"SELECT {columns_sql(table)} FROM {quote(table.name)} WHERE {key_sql(table)} = ?"
    found = rows(catalogue, sql, [key], list(table.columns))
    if not found:
        raise Refused(f'no row has {table.key} "{key}"', 404)
    return found[0]


def within(name: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise Refused(f"{name}: expected {least} to {most}, got {number}")


def key_sql(table: Table) -> str:
    return table.key if table.key == "rowid" else quote(table.key)


def columns_sql(table: Table) -> str:
    return ", ".join(quote(name) for name in table.columns)


def known_column(table: Table, field: str, name: str) -> str:
    column = table.column(name)
    if column is None:
        raise Refused(f'{field}: {table.name} has no column "{name}"; the columns are {", ".join(table.columns)}')
    return column


def filters(table: Table, asked: dict) -> tuple[list[str], list]:
    terms, values = [], []
    for name, wanted in asked.items():
        column = quote(known_column(table, "filters", name))
        if isinstance(wanted, Range):
            bounds = [(">=", wanted.min), ("<=", wanted.max)]
            bounds = [(operator, bound) for operator, bound in bounds if bound is not None]
            if not bounds:
                raise Refused(f"filters.{name}: expected min, max or both")
            terms += [f"{column} {operator} ?" for operator, _ in bounds]
            values += [bound for _, bound in bounds]
        elif isinstance(wanted, list):
            within(f"filters.{name}: values", len(wanted), 1, MOST_VALUES)
            terms.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values += wanted
        else:
            terms.append(f"{column} = ?")
            values.append(wanted)
    return terms, values


def group(table: Table, request: FeedRequest, values: list, is_ranked: bool) -> list[str]:
    if request.group_by is None:
        if request.group_limit is not None:
            raise Refused("group_limit: give group_by too")
        return []
    column = known_column(table, "group_by", request.group_by)
    if not is_ranked:
        raise Refused("group_by: give liked or embedding too")
    limit = 1 if request.group_limit is None else request.group_limit
    within("group_limit", limit, 1, MOST_OF_A_GROUP)
    values += [column, limit]
    return ["group_by = ?", "group_limit = ?"]


def taste_of(catalogue: Catalogue, request: FeedRequest) -> bytes | str | None:
    """What MATCH takes: the bytes of a FLOAT column, JSON for others."""
    table = catalogue.table
    if request.liked is not None and request.embedding is not None:
        raise Refused("embedding: give liked or embedding, not both")
    if request.liked is not None:
        vectors = stored_vectors(catalogue, request.liked)
        if len(vectors) == 1:
            return vectors[0]
        taste = mean(vectors, table.element)
        if table.metric == "cosine" and not any(taste):
            raise Refused("liked: the vectors of these rows cancel each other out")
    elif request.embedding is not None:
        taste = request.embedding
        if len(taste) != table.dims:
            raise Refused(f"embedding: expected {table.dims} numbers, got {len(taste)}")
        wrong = next((place for place, number in enumerate(taste, 1) if not fits(number)), None)
        if wrong is not None:
            raise Refused(f"embedding: number {wrong} is not a finite 32-bit float")
        if table.element == "BIT" and not set(taste) <= {0, 1}:
            raise Refused("embedding: expected zeros and ones, for the column is of BIT")
        if table.metric == "cosine" and not any(taste):
            raise Refused("embedding: expected a direction, got only zeros")
    else:
        return None
    return struct.pack(f"<{len(taste)}f", *taste) if table.element == "FLOAT" else json.dumps(list(array("f", taste)))


def fits(number: float) -> bool:
    try:
        return math.isfinite(struct.unpack("<f", struct.pack("<f", number))[0])
    except (OverflowError, struct.error):
        return False


def stored_vectors(catalogue: Catalogue, liked: list) -> list[bytes]:
    table = catalogue.table
    within("liked: ids", len(liked), 1, MOST_LIKED)
    sql = f"SELECT {quote(table.embedding)} FROM {quote(table.name)} WHERE {key_sql(table)} = ?"
    found = []
    for key in liked:
        row = catalogue.db.execute(sql, (key,)).fetchone()
        if row is None or row[0] is None:
            raise Refused(f'liked: no row with a vector has {table.key} "{key}"')
        try:  # in a table with an index over it a vector may be wrong; with k = 0 the search checks it and ends
            catalogue.db.execute(f"SELECT 1 FROM {quote(table.name)} WHERE {quote(table.embedding)} MATCH ? AND k = 0", row)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            raise Refused(f'liked: the vector of {table.key} "{key}" is wrong: {error}') from None
        found.append(row[0])
    # A table with an index over it may have JSON.
    return [encode(json.loads(vector), table.element) if isinstance(vector, str) else vector for vector in found]


def rows(catalogue: Catalogue, sql: str, values: list, names: list[str]) -> list[dict]:
    return [dict(zip(names, map(plain, row))) for row in catalogue.db.execute(sql, values)]


def plain(value):
    """A value of SQLite as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
