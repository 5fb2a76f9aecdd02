"""A stream of transactions on the feed, each determined by its number alone: what any state of the file must be is known.

    workload.py LIBRARY FILE SEED     writes until it is killed, and prints the number and time of each commit
"""
import random
import sys
import time

import apsw

FEED = "SELECT article_id, main_name, distance FROM articles WHERE embedding MATCH ? ORDER BY distance LIMIT 20 OFFSET ?"


def connect(library, file) -> apsw.Connection:
    db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI)
    db.enable_load_extension(True)
    db.load_extension(str(library))
    db.set_busy_timeout(60_000)
    return db


def statements(seed: int, number: int) -> list[tuple[str, tuple]]:
    """What transaction `number` does: new rows, changed columns, moved vectors, and deletes."""
    dice = random.Random(f"{seed} {number}")
    article = lambda: f"A{dice.randrange(1, 5001):05}"
    kinds = (
        lambda step: (
            "INSERT INTO articles(article_id, main_name, embedding) SELECT ?, 'new', embedding FROM articles WHERE article_id = ?",
            (f"N{number}.{step}", article()),
        ),
        lambda step: ("UPDATE articles SET retail_price = ? WHERE article_id = ?", (dice.randrange(9999) / 100, article())),
        lambda step: (
            "UPDATE articles SET embedding = coalesce((SELECT embedding FROM articles WHERE article_id = ?), embedding)"
            " WHERE article_id = ?",
            (article(), article()),
        ),
        lambda step: ("DELETE FROM articles WHERE article_id = ?", (article(),)),
    )
    work = [dice.choice(kinds)(step) for step in range(dice.randrange(1, 6))]
    return [*work, ("INSERT INTO commits VALUES (?)", (number,))]


def begin(db: apsw.Connection) -> None:
    db.execute("CREATE TABLE IF NOT EXISTS commits(number INTEGER PRIMARY KEY); INSERT OR IGNORE INTO commits VALUES (0)")


def last_commit(db: apsw.Connection) -> int:
    return db.execute("SELECT max(number) FROM commits").fetchone()[0]


def commit(db: apsw.Connection, seed: int, number: int) -> None:
    db.execute("BEGIN IMMEDIATE")
    for sql, values in statements(seed, number):
        db.execute(sql, values)
    db.execute("COMMIT")


def content(db: apsw.Connection) -> dict[str, list]:
    """Every row of every ordinary table, those of the index among them."""
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")]
    return {name: sorted(db.execute(f'SELECT * FROM "{name}"'), key=repr) for name in tables}


def pages(db: apsw.Connection) -> list:
    taste = db.execute("SELECT vec_avg(embedding) FROM articles WHERE article_id LIKE 'A000%'").fetchone()[0]
    return [db.execute(FEED, (taste, offset)).fetchall() for offset in (0, 20, 400)]


def main(library: str, file: str, seed: int) -> None:
    db = connect(library, file)
    for number in range(last_commit(db) + 1, sys.maxsize):
        commit(db, seed, number)
        print(number, time.time(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
