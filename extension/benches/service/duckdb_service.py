"""The feed service on DuckDB VSS, as far as it goes: POST /feed with liked ids, limit and offset. Written like examples/service."""
import argparse
import pathlib
import queue

import anyio.to_thread
import duckdb
import duckdb_extension_vss
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

COLUMNS = "article_id, main_name, description, category, brand, retail_price, in_stock, rating, listed_on"
# The vector is a text in the statement: a bound list costs some twenty milliseconds more.
DISTANCE = "array_cosine_distance(embedding, '[{}]'::FLOAT[256])"


def connect(file: str, **options) -> duckdb.DuckDBPyConnection:
    db = duckdb.connect(file, config={"allow_unsigned_extensions": "true"}, **options)
    folder = pathlib.Path(duckdb_extension_vss.__file__).parent
    db.execute(f"LOAD '{next(folder.rglob('vss.duckdb_extension'))}'")
    return db


def build(parquet: str, file: str) -> None:
    """Makes the file with its index. Persistence is DuckDB's experimental one; the options are as its manual has them."""
    db = connect(file)
    db.execute("SET hnsw_enable_experimental_persistence = true")
    db.execute(f"CREATE TABLE articles AS SELECT {COLUMNS}, embedding::FLOAT[256] AS embedding FROM read_parquet(?)", [parquet])
    db.execute("CREATE UNIQUE INDEX articles_key ON articles(article_id)")
    db.execute("CREATE INDEX articles_near ON articles USING HNSW (embedding) WITH (metric = 'cosine')")
    db.close()


class FeedRequest(BaseModel):
    limit: int = 20
    offset: int = 0
    liked: list[str]


def service(file: str, connections: int) -> FastAPI:
    db = connect(file, read_only=True)
    db.execute("SET threads = 1")  # one thread per request: more make eight requests at once slower
    names = [*COLUMNS.split(", "), "distance"]
    cursors = queue.LifoQueue()
    for _ in range(connections):
        cursors.put(db.cursor())
    app = FastAPI()

    @app.on_event("startup")
    async def threads():
        anyio.to_thread.current_default_thread_limiter().total_tokens = connections

    @app.post("/feed")
    def page(request: FeedRequest) -> dict:
        cursor = cursors.get()
        try:
            (key,) = request.liked
            (taste,) = cursor.execute("SELECT embedding FROM articles WHERE article_id = ?", [key]).fetchone()
            # A WHERE would keep the index from being used, and so would an OFFSET; the liked row is left out here.
            distance = DISTANCE.format(",".join(map(repr, taste)))
            sql = f"SELECT {COLUMNS}, {distance} AS distance FROM articles ORDER BY distance LIMIT {{}}"
            found = cursor.execute(sql.format(request.offset + request.limit + 1)).fetchall()
        finally:
            cursors.put(cursor)
        rows = [{**dict(zip(names, row)), "listed_on": str(row[8])} for row in found if row[0] != key]
        return {"rows": rows[request.offset : request.offset + request.limit]}

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--build", metavar="PARQUET", help="make the file and end")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--connections", type=int, default=1, help="searches at once; with 4 the process crashes under load")
    arguments = parser.parse_args()
    if arguments.build:
        build(arguments.build, arguments.file)
    else:
        uvicorn.run(service(arguments.file, arguments.connections), port=arguments.port, log_level="error", access_log=False)
