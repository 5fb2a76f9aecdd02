"""Files that polars writes and reads: lists with large offsets, strings as views, categoricals as dictionaries."""
import functools
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import polars as pl
import pyarrow as pa

from animal import Animal, vectors

BERLIN = "Europe/Berlin"


def with_vectors(columns: dict[str, pl.Series], embedding: pl.DataType = pl.List(pl.Float32)) -> pl.DataFrame:
    rows = len(next(iter(columns.values())))
    return pl.DataFrame({"id": range(rows), **columns, "embedding": pl.Series(vectors(rows).tolist(), dtype=embedding)})


def read(path) -> pa.Table:
    return pl.read_parquet(path).to_arrow()


def of_frame(name: str, frame: pl.DataFrame, options: tuple[str, ...] = (), says: str = "", **how) -> Animal:
    def write(path):
        frame.write_parquet(path, **how)

    return Animal(f"polars-{name}", write, read, options, says)


def scalars() -> dict[str, pl.Series]:
    kinds = {"i8": pl.Int8, "i16": pl.Int16, "i32": pl.Int32, "i64": pl.Int64, "u8": pl.UInt8, "u16": pl.UInt16,
             "u32": pl.UInt32, "u64": pl.UInt64, "f32": pl.Float32, "f64": pl.Float64}
    columns = {name: pl.Series([1, 0, None, 100], dtype=kind) for name, kind in kinds.items()}
    columns["null"] = pl.Series([None] * 4)
    columns["bool"] = pl.Series([True, False, None, True])
    columns["text"] = pl.Series(["", "ä" * 40, None, "x"])
    columns["binary"] = pl.Series([b"", b"\0" * 40, None, b"\xff"])
    columns["categorical"] = pl.Series(["a", "b", None, "a"], dtype=pl.Categorical)
    columns["enum"] = pl.Series(["a", "b", None, "a"], dtype=pl.Enum(["b", "a", "unused"]))
    columns["decimal"] = pl.Series([Decimal("1.50"), Decimal("-0.01"), None, Decimal("123456789012345.67")], dtype=pl.Decimal(38, 2))
    return columns


def moments() -> dict[str, pl.Series]:
    at = [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_000), None, datetime(1969, 12, 31, 23, 59, 59, 1000)]
    columns = {"date": pl.Series([date(1, 1, 1), date(9999, 12, 31), None, date(1969, 12, 31)])}
    columns["time"] = pl.Series([time(0), time(23, 59, 59, 999_999), None, time(12, 30)])
    for unit in ("ms", "us"):
        columns[unit] = pl.Series(at, dtype=pl.Datetime(unit))
    columns["ns"] = pl.Series([-1, 2**63 - 1, None, 0]).cast(pl.Datetime("ns"))
    for unit in ("ms", "us", "ns"):
        columns[f"zone {unit}"] = pl.Series([-1, 1, None, 10**15]).cast(pl.Datetime(unit, BERLIN))
        columns[f"duration {unit}"] = pl.Series([timedelta(days=-1), timedelta(milliseconds=1500), None, timedelta(0)], dtype=pl.Duration(unit))
    return columns


def nested() -> dict[str, pl.Series]:
    point = pl.Struct({"x": pl.Int32, "tags": pl.List(pl.Categorical)})
    points = [{"x": 1, "tags": ["a", None]}, {"x": None, "tags": []}, None, {"x": 2, "tags": None}]
    return {
        "list": pl.Series([[1, None], [], None, [3]], dtype=pl.List(pl.Int64)),
        "lists": pl.Series([[[1], None], [], None, [[None], []]], dtype=pl.List(pl.List(pl.Int8))),
        "array": pl.Series([["a", "b"], None, ["c", None], [None, None]], dtype=pl.Array(pl.String, 2)),
        "arrays": pl.Series([[[1, 2], [3, 4]], None, [None, [5, None]], [[6, 7], [8, 9]]], dtype=pl.Array(pl.Array(pl.Int8, 2), 2)),
        "struct": pl.Series(points, dtype=point),
        "structs": pl.Series([[points[0], None], [], None, [points[3]]], dtype=pl.List(point)),
        "moments": pl.Series([[datetime(2025, 3, 1)], [None], None, []], dtype=pl.List(pl.Datetime("us", BERLIN))),
        "floats in structs": pl.Series([{"f": 0.1}, {"f": float("nan")}, None, {"f": float("inf")}], dtype=pl.Struct({"f": pl.Float32})),
    }


def animals():
    yield of_frame("scalars", with_vectors(scalars()))
    yield of_frame("moments", with_vectors(moments()))
    yield of_frame("moments-unix", with_vectors(moments()), ("--timestamps", "unix"))
    yield of_frame("nested", with_vectors(nested()))
    some = {"n": pl.Series(range(6)), "word": pl.Series(["a", None, "b"] * 2)}
    for name, item in (("f16", pl.Float16), ("f32", pl.Float32), ("f64", pl.Float64)):
        yield of_frame(f"list-{name}", with_vectors(some, pl.List(item)))
        yield of_frame(f"array-{name}", with_vectors(some, pl.Array(item, 4)))
    many = with_vectors({"n": pl.Series(range(3000)), "word": pl.Series(["a", None, "b"] * 1000, dtype=pl.Categorical)})
    for codec in ("uncompressed", "snappy", "gzip", "brotli", "lz4", "zstd"):
        yield of_frame(codec, many, compression=codec, row_group_size=1100, data_page_size=2000)
    yield of_frame("no-rows", with_vectors({"n": pl.Series([1])}, pl.Array(pl.Float32, 4)).clear(), ("--allow-empty",))

    wide = with_vectors({"i128": pl.Series([0, -(2**126), None, 2**100], dtype=pl.Int128), "span": pl.Series([timedelta(1)] * 4)})
    meant = wide.with_columns(pl.col("i128").cast(pl.String)).to_arrow()
    yield Animal("polars-int128", wide.write_parquet, lambda path: meant)
    yield Animal("polars-int128-excluded", wide.write_parquet, lambda path: meant.drop_columns(["i128"]), ("--exclude", "i128"))

    def sink(path):
        many.lazy().sink_parquet(path, row_group_size=512)

    yield Animal("polars-sink", sink, functools.partial(read))
