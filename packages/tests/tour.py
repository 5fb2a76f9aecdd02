"""The tour that a program of every package takes, and what it must print.

The program gets the path of a copy of the imported sample catalogue, loads vecrank with the package, and prints one
JSON object with the keys of `expected`:

- version: what `vecrank_version()` says.
- page1, page2: the ids of rows 1 to 8 and 9 to 16 nearest the taste. The taste is the mean of the vectors of LIKES: the
  program reads them, turns them into floats with the package, computes the mean, and binds it with the package.
- filtered: the ids of the first 8 under FILTER.
- inserted: the nearest id to the taste after an INSERT of NEW_ID with the taste as its vector.
- updated: the in_stock of that row after UPDATE articles SET in_stock = 7.
- deleted: the nearest id after its DELETE.
- error: the message for a taste of three floats.
"""
from pathlib import Path

import apsw
import numpy as np

LIKES = ("A00018", "A00982", "A01153")
FILTER = "category IN ('Hiking boots', 'Backpacks') AND retail_price < 130 AND in_stock > 0"
NEW_ID = "B00001"
PAGE = "SELECT article_id FROM articles WHERE embedding MATCH ? {} ORDER BY distance LIMIT 8 OFFSET {}"


def expected(library: Path, database: Path) -> dict:
    """What the tour prints, computed through apsw without any package. Leaves the database as it was."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    connection.enable_load_extension(True)
    connection.load_extension(str(library))

    def column(sql: str, *values) -> list:
        return [row[0] for row in connection.execute(sql, values)]

    vectors = column("SELECT embedding FROM articles WHERE article_id IN (?, ?, ?)", *LIKES)
    taste = np.mean([np.frombuffer(vector, "<f4") for vector in vectors], axis=0, dtype="f4").astype("<f4").tobytes()
    page1 = column(PAGE.format("", 0), taste)
    return {
        "version": column("SELECT vecrank_version()")[0],
        "page1": page1,
        "page2": column(PAGE.format("", 8), taste),
        "filtered": column(PAGE.format("AND " + FILTER, 0), taste),
        "inserted": NEW_ID,
        "updated": 7,
        "deleted": page1[0],
        "error": "articles.embedding: expected 256 dimensions (1024 bytes of FLOAT), got 3",
    }


def check(printed: dict, wanted: dict) -> None:
    """Compares key by key. A host may put words of its own around the message of an error."""
    error = printed.pop("error")
    wanted = dict(wanted)
    message = wanted.pop("error")
    assert printed == wanted
    assert message in error
