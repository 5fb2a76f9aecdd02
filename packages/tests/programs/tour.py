"""The tour (packages/tests/tour.py) through a driver of Python: tour.py DRIVER FEED."""
import asyncio
import contextlib
import json
import sys

import vecrank

LIKES = ("A00018", "A00982", "A01153")
FILTER = "AND category IN ('Hiking boots', 'Backpacks') AND retail_price < 130 AND in_stock > 0"
NEW_ID = "B00001"

closing = contextlib.ExitStack()


def plain(module, file):
    connection = module.Connection(file) if module.__name__ == "apsw" else module.connect(file, isolation_level=None)
    vecrank.load(connection)
    return lambda sql, *values: list(connection.execute(sql, values))


def driver_sqlite3(file):
    import sqlite3

    return plain(sqlite3, file)


def driver_auto(file):
    vecrank.auto()
    return driver_sqlite3(file)


def driver_apsw(file):
    import apsw

    return plain(apsw, file)


def driver_pysqlite3(file):
    import pysqlite3

    return plain(pysqlite3, file)


def driver_aiosqlite(file):
    import aiosqlite

    run = asyncio.new_event_loop().run_until_complete
    connection = run(aiosqlite.connect(file, isolation_level=None))
    closing.callback(lambda: run(connection.close()))
    run(vecrank.load(connection))
    return lambda sql, *values: run(connection.execute_fetchall(sql, values))


def driver_sqlalchemy(file):
    import sqlalchemy

    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    engine.connect().close()  # The pool has a connection from before load().
    vecrank.load(engine)
    vecrank.load(engine)

    def execute(sql, *values):
        with engine.begin() as connection:
            result = connection.exec_driver_sql(sql, values)
            return result.fetchall() if result.returns_rows else []

    return execute


def driver_sqlalchemy_connection(file):
    import sqlalchemy

    connection = sqlalchemy.create_engine(f"sqlite:///{file}").connect()
    vecrank.load(connection)

    def execute(sql, *values):
        result = connection.exec_driver_sql(sql, values)
        return result.fetchall() if result.returns_rows else []

    return execute


def driver_sqlalchemy_async(file):
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    vecrank.load(engine)

    async def execute(sql, values):
        async with engine.begin() as connection:
            await vecrank.load(connection)
            result = await connection.exec_driver_sql(sql, values)
            return result.fetchall() if result.returns_rows else []

    run = asyncio.new_event_loop().run_until_complete
    return lambda sql, *values: run(execute(sql, values))


def driver_django(file):
    import django
    from django.conf import settings

    settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": file}})
    django.setup()
    from django.db import connection

    vecrank.load(connection)  # before it is open, as in AppConfig.ready()

    def execute(sql, *values):
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), values)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()  # The next statement has a new connection, as the next request would.
        return rows

    return execute


def main(driver, file):
    execute = globals()[f"driver_{driver}"](file)

    def page(taste, filters="", offset=0):
        sql = f"SELECT article_id FROM articles WHERE embedding MATCH ? {filters} ORDER BY distance LIMIT 8 OFFSET {offset}"
        return [row[0] for row in execute(sql, taste)]

    blobs = execute("SELECT embedding FROM articles WHERE article_id IN (?, ?, ?)", *LIKES)
    vectors = [vecrank.from_vector(blob) for (blob,) in blobs]
    taste = vecrank.vector(sum(numbers) / len(vectors) for numbers in zip(*vectors))
    found = {
        "version": execute("SELECT vecrank_version()")[0][0],
        "page1": page(taste),
        "page2": page(taste, offset=8),
        "filtered": page(taste, FILTER),
    }
    columns = "article_id, main_name, description, category, brand, retail_price, in_stock, embedding"
    execute(f"INSERT INTO articles({columns}) VALUES (?, 'Taste', '', 'Tents', 'Own', 1.0, 1, ?)", NEW_ID, taste)
    found["inserted"] = page(taste)[0]
    execute("UPDATE articles SET in_stock = 7 WHERE article_id = ?", NEW_ID)
    found["updated"] = execute("SELECT in_stock FROM articles WHERE article_id = ?", NEW_ID)[0][0]
    execute("DELETE FROM articles WHERE article_id = ?", NEW_ID)
    found["deleted"] = page(taste)[0]
    try:
        page(vecrank.vector([1, 2, 3]))
    except Exception as error:
        found["error"] = str(error)
    print(json.dumps(found))


with closing:
    main(*sys.argv[1:])
