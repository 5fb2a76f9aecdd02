"""Files that DuckDB writes and reads. It knows no fixed-size lists in Parquet, and writes enums as strings."""
import dataclasses

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from animal import Animal

EMBEDDING = "[(i % 89 - 44) / 8 + 0.0625, i % 7, 1, -i % 5]"
# Of DuckDB's own list of a value of each type (smallest, largest, NULL). What it stores as another type than it reads, what
# has no counterpart in SQL, and infinite moments: refused.py has those, `moments` and `uuid` the finite and storable ones.
LEFT_OUT = {"interval", "bignum", "hugeint", "uhugeint", "bit", "time_tz", "geometry", "union", "empty_struct",
            "date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp_tz", "timestamp_tz_ns",
            "date_array", "timestamp_array", "timestamptz_array", "tuple", "ubigint", "uuid"}


def of_sql(name: str, sql: str, how: str = "", options: tuple[str, ...] = (), says: str = "") -> Animal:
    def write(path):
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet{how})")

    def read(path):
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            table = connection.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table()
        # DuckDB reads all timestamps but those of nanoseconds as microseconds: the file's own unit says how many digits.
        units = {field.name: field.type for field in pq.read_schema(path) if pa.types.is_timestamp(field.type)}
        return table.cast(pa.schema([field.with_type(units.get(field.name, field.type)) for field in table.schema]))

    return Animal(f"duckdb-{name}", write, read, options, says)


def numbered(columns: str, rows: int, kind: str = "FLOAT[]") -> str:
    return f"SELECT i AS id, {columns}, {EMBEDDING}::{kind} AS embedding FROM range({rows}) t(i)"


def all_types() -> str:
    left_out = ", ".join(f'"{name}"' for name in sorted(LEFT_OUT))
    return f"""SELECT row_number() OVER () - 1 AS id, * EXCLUDE ({left_out}), [1, 2, 3, 4.5]::FLOAT[4] AS embedding
               FROM test_all_types()"""


def moments() -> str:
    parts = "TIMESTAMP '2025-03-01 07:30:00.125' + INTERVAL (i) DAY"
    return numbered(f"""CASE WHEN i <> 1 THEN {parts} END AS us, ({parts})::TIMESTAMP_S AS s, ({parts})::TIMESTAMP_MS AS ms,
        ({parts})::TIMESTAMP_NS AS ns, ({parts})::TIMESTAMPTZ AS zone, ({parts})::DATE AS date, ({parts})::TIME AS time,
        [{parts}, NULL] AS list, {{'at': ({parts})::TIMESTAMPTZ, 'day': ({parts})::DATE}} AS struct""", 4)


def animals():
    yield of_sql("all-types", all_types(), options=("--embedding", "embedding"))
    yield of_sql("moments", moments())
    yield of_sql("moments-unix", moments(), options=("--timestamps", "unix"))
    yield of_sql("decimals-real", numbered("(i * 1.01)::DECIMAL(38, 10) AS d, (i / 3)::DECIMAL(4, 1) AS e", 9),
                 options=("--decimal", "real"))
    yield of_sql("nested", numbered("""[{'a': i, 'b': [NULL, 'x']}, NULL] AS structs, MAP {'k': [i], 'l': NULL} AS map,
        {'m': MAP {i: i}, 'n': NULL::INTEGER[]} AS struct, CASE WHEN i = 1 THEN NULL ELSE [[i], []] END AS lists""", 3))
    for kind in ("FLOAT[]", "FLOAT[4]", "DOUBLE[]", "DOUBLE[4]"):
        yield of_sql(f"embedding-{kind}", numbered("i * 2 AS n", 5, kind))
    columns = "CASE WHEN i % 3 > 0 THEN 'word ' || i % 5 END AS word, i * i AS n, range(i % 4) AS tags"
    for codec in ("uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4", "lz4_raw"):
        for version in ("V1", "V2"):
            how = f", COMPRESSION {codec}, PARQUET_VERSION {version}, ROW_GROUP_SIZE 2048"
            yield of_sql(f"{codec}-{version}", numbered(columns, 5000), how)
    # Stored as binary, which DuckDB reads as text.
    yield dataclasses.replace(of_sql("uuid", numbered("uuid() AS uuid", 3)), read=pq.read_table)
    yield of_sql("bloom", numbered("i % 10 AS n", 3000), ", DICTIONARY_SIZE_LIMIT 100, BLOOM_FILTER_FALSE_POSITIVE_RATIO 0.01")
