"""Files that pyarrow writes and reads."""
import decimal
import functools
import uuid
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from animal import Animal, embeddings, vectors, with_vectors

NAN, INF = float("nan"), float("inf")
UNITS = ["s", "ms", "us", "ns"]
ZONES = [None, "UTC", "Europe/Berlin", "+05:30", "America/St_Johns"]
REPEATED = ["a", "b", "a", None, "ccc", "a"] * 50


def of_table(name: str, table: pa.Table, options: tuple[str, ...] = (), says: str = "", **how) -> Animal:
    """The table, written as told."""
    write = functools.partial(pq.write_table, table, **how)
    return Animal(f"pyarrow-{name}", write, pq.read_table, options, says)


def scalars() -> dict[str, pa.Array]:
    """Every kind of column that is not nested, with its extremes and its nulls."""
    columns = {"null": pa.nulls(3), "bool": pa.array([True, False, None])}
    for bits in (8, 16, 32, 64):
        half = 2 ** (bits - 1)
        columns[f"int{bits}"] = pa.array([-half, half - 1, None], f"int{bits}")
        # Within INTEGER, which the statistics prove.
        columns[f"uint{bits}"] = pa.array([0, 2 ** min(bits, 63) - 1, None], f"uint{bits}")
    columns["f16"] = pa.array(np.array([0.1, -65504, NAN], np.float16))
    columns["f32"] = pa.array(np.array([0.1, -INF, 1e-45], np.float32))
    columns["f64"] = pa.array([5e-324, INF, None])
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        columns[str(kind)] = pa.array(["", "ä\0b\n\"'", None], kind)
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(2)):
        columns[str(kind)] = pa.array([b"\0\xff", b"ab", None], kind)
    columns["uuid"] = pa.array([uuid.UUID(int=7).bytes, uuid.UUID(int=8).bytes, None], pa.uuid())
    columns["json"] = pa.array(['{"a": 1}', "[]", None], pa.json_())
    columns["bool8"] = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8()))
    return columns


def dictionaries() -> dict[str, pa.Array]:
    values = {
        "text": pa.array(["a", None, "b", "a"]),
        "number": pa.array([7, 7, None, -1]),
        "binary": pa.array([b"a", None, b"b", b"a"]),
        "decimal": pa.array([decimal.Decimal("1.50"), None, None, decimal.Decimal("-0.01")], pa.decimal128(9, 2)),
        "date": pa.array([date(2025, 3, 1), None, date(1, 1, 1), date(2025, 3, 1)]),
    }
    columns = {name: array.dictionary_encode() for name, array in values.items()}
    indexes = pa.array([1, None, 0, 2], pa.int8())
    columns["ordered"] = pa.DictionaryArray.from_arrays(indexes, pa.array(["x", "y", "z"]), ordered=True)
    columns["list"] = pa.ListArray.from_arrays(pa.array([0, 1, 2, 4, 4]), columns["text"])
    columns["struct"] = pa.StructArray.from_arrays([columns["text"]], ["word"])
    return columns


def decimals() -> dict[str, pa.Array]:
    columns = {}
    for bits, precision, kind in ((32, 9, pa.decimal32), (64, 18, pa.decimal64), (128, 38, pa.decimal128), (256, 76, pa.decimal256)):
        most = 10**precision - 1
        for scale in (0, 2, precision):
            values = [most, -most, 0, 1, -1, None]
            with decimal.localcontext(prec=80):
                scaled = [None if value is None else decimal.Decimal(value).scaleb(-scale) for value in values]
            columns[f"d{bits}.{scale}"] = pa.array(scaled, kind(precision, scale))
    return columns


def moments() -> dict[str, pa.Array]:
    columns = {"date32": pa.array([-719_162, 2_932_896, -1, 0, 20_148, None], pa.int32()).cast(pa.date32())}
    columns["far date"] = pa.array([-800_000, 3_000_000, 0, 0, 0, None], pa.int32()).cast(pa.date32())
    columns["date64"] = pa.array([-86_400_000, 86_400_000, 0, 0, 0, None], pa.int64()).cast(pa.date64())
    for unit, ticks in zip(UNITS, (1, 10**3, 10**6, 10**9)):
        values = [-62_135_596_800 * ticks, 253_402_300_799 * ticks, -1, 1, 1_740_787_200 * ticks + ticks // 8, None]
        if unit == "ns":
            values[:2] = [-(2**63) + 1, 2**63 - 1]
        for zone in ZONES:
            columns[f"{unit} {zone}"] = pa.array(values, pa.timestamp(unit, zone))
        day = 86_400 * ticks
        kind = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
        columns[f"time {unit}"] = pa.array([0, day - 1, 1, ticks, day // 2, None], kind)
        columns[f"duration {unit}"] = pa.array([0, -1, 90_061 * ticks + 1, ticks, 10**12, None], pa.duration(unit))
    return columns


def nested() -> dict[str, pa.Array]:
    """Lists, structs and maps in each other, with a null at every level."""
    point = pa.struct([("x", pa.int32()), ("label", pa.string())])
    numbers = [[1, None, 3], [], None, [None]]
    deep = [[[1], None, []], None, [], [[None, 2]]]
    points = [{"x": 1, "label": "ä\"\\\n"}, {"x": None, "label": None}, None, {"x": -5, "label": ""}]
    maps = [[("a", 1), ("b", None)], [], None, [("c", 3)]]
    columns = {str(kind): pa.array(numbers, kind) for kind in (
        pa.list_(pa.int64()), pa.large_list(pa.int16()), pa.list_view(pa.int32()), pa.large_list_view(pa.uint64()))}
    columns["fixed"] = pa.array([["a", None], None, ["c", "d"], [None, None]], pa.list_(pa.string(), 2))
    columns["deep"] = pa.array(deep, pa.list_(pa.large_list(pa.int8())))
    columns["fixed of lists"] = pa.array([[[1], None], None, [[], [None]], [None, None]], pa.list_(pa.list_(pa.int8()), 2))
    columns["struct"] = pa.array(points, point)
    columns["lists of structs"] = pa.array([[points[0], None], [], None, [points[3]]], pa.list_(point))
    columns["struct of all"] = pa.array(
        [{"n": n, "p": p, "m": m} for n, p, m in zip(numbers, points, maps)][:3] + [None],
        pa.struct([("n", pa.list_(pa.int8())), ("p", point), ("m", pa.map_(pa.string(), pa.int32()))]))
    columns["map"] = pa.array(maps, pa.map_(pa.string(), pa.int32()))
    columns["map by number"] = pa.array([[(7, "x"), (-7, None)], [], None, []], pa.map_(pa.int64(), pa.string()))
    columns["map of maps"] = pa.array(
        [[("a", [("b", [1])])], [("a", None)], None, []], pa.map_(pa.string(), pa.map_(pa.string(), pa.list_(pa.int8()))))
    columns["list of maps"] = pa.array([[maps[0], None], [[]], None, []], pa.list_(pa.map_(pa.string(), pa.int32())))
    return columns


def nested_scalars(of: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Each column once as the members of lists and once as that of a struct."""
    columns = {}
    for name, array in of.items():
        ends = pa.array([0, *range(1, len(array) + 1)])
        columns[f"list {name}"] = pa.ListArray.from_arrays(ends, array)
        columns[f"struct {name}"] = pa.StructArray.from_arrays([array], ["member"])
    return columns


def embedding_types():
    rows = vectors(5)
    values = {16: rows.astype(np.float16), 32: rows, 64: rows.astype(np.float64)}
    for bits, value in values.items():
        item = pa.from_numpy_dtype(value.dtype)
        kinds = {"list": pa.list_(item), "large": pa.large_list(item), "fixed": pa.list_(item, 4),
                 "view": pa.list_view(item), "large-view": pa.large_list_view(item),
                 "required": pa.list_(pa.field("item", item, nullable=False))}
        for name, kind in kinds.items():
            table = pa.table({"id": range(5), "embedding": pa.array(value.tolist(), kind)})
            for element in ("f32", "f16"):
                yield of_table(f"embedding-{name}-f{bits}-as-{element}", table, ("--element", element))
    binary = pa.array([row.tobytes() for row in rows], pa.binary(16))
    yield of_table("embedding-binary", pa.table({"id": range(5), "embedding": binary}), ("--embedding", "embedding"))
    nulls = pa.array([None, [1, 2, 3, 4], None, [5, 6, 7, 8], [NAN, 0, 0, 0], [1, None, 1, 1], [0, 0, 0, 0], [1, 2, 3]], pa.list_(pa.float32()))
    yield of_table("embedding-nulls", pa.table({"id": range(8), "embedding": nulls}), ("--on-bad-row", "null"),
                   "(vecrank: warning: {file}: row [135678], column \"embedding\": .*\n){{6}}")


def layouts():
    """One table, written in every way that pyarrow knows."""
    many = with_vectors({"word": pa.array(REPEATED), "n": pa.array([None if i % 7 == 0 else i * i for i in range(300)]),
                         "tags": pa.array([[str(i)] * (i % 3) for i in range(300)])})
    for version in ("1.0", "2.0"):
        for codec in ("none", "snappy", "gzip", "brotli", "lz4", "lz4_raw", "zstd"):
            for dictionary in (True, False):
                name = f"{codec}-v{version}-{'dictionary' if dictionary else 'plain'}"
                yield of_table(name, many, compression=codec, data_page_version=version, use_dictionary=dictionary,
                               row_group_size=110, data_page_size=500, write_batch_size=20)
    for encoding in ("DELTA_BINARY_PACKED", "PLAIN", "BYTE_STREAM_SPLIT"):
        yield of_table(encoding, many, use_dictionary=False, column_encoding={"n": encoding})
    for encoding in ("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"):
        yield of_table(encoding, many, use_dictionary=False, column_encoding={"word": encoding})
    yield of_table("split-floats", many, use_dictionary=False, use_byte_stream_split=["n", "embedding.list.element"])
    yield of_table("page-index", many, write_page_index=True, data_page_size=300, row_group_size=100)
    yield of_table("checksums", many, write_page_checksum=True, data_page_size=300)
    yield of_table("format-1.0", many, version="1.0", store_schema=False, use_compliant_nested_type=False)
    yield of_table("no-statistics", many, write_statistics=False, store_schema=False)
    yield of_table("sorted", many, sorting_columns=[pq.SortingColumn(0)])


def row_groups(counts, table: pa.Table):
    """A writer of row groups with so many rows each."""

    def write(path):
        with pq.ParquetWriter(path, table.schema) as writer:
            start = 0
            for count in counts:
                writer.write_table(table.slice(start, count), row_group_size=max(count, 1))
                start += count

    return write


def empties():
    fixed = pa.table({"id": pa.array([], pa.int64()), "embedding": pa.array([], pa.list_(pa.float32(), 4))})
    some = with_vectors({"n": pa.array(range(20_000))})
    gaps = some.slice(0, 6)
    for name, counts, table in (("no-row-groups", [], fixed), ("no-rows", [0], fixed),
                                ("empty-row-groups", [0, 2, 0, 0, 4, 0], gaps), ("10000-row-groups", [2] * 10_000, some)):
        options = () if any(counts) else ("--allow-empty",)
        yield Animal(f"pyarrow-{name}", row_groups(counts, table), pq.read_table, options=options)


def names():
    odd = ["a.b", "a", 'quo"te', "select", " ", "Größe", "x'; DROP TABLE zoo", "%s", "rowid_", "{}"]
    yield of_table("odd-names", with_vectors({name: pa.array([i, None]) for i, name in enumerate(odd)}))
    yield of_table("struct-with-dots", with_vectors({"a": pa.array([{"b.c": 1}, {"b.c": 2}]), "a.b": pa.array([3, 4])}))


def animals():
    yield of_table("scalars", with_vectors(scalars()))
    yield of_table("scalars-nested", with_vectors(nested_scalars(scalars())), ("--embedding", "embedding"))
    large = with_vectors({"n": pa.array([2**64 - 1, 2**63, 5, None], pa.uint64())})
    yield of_table("uint64", large, says='vecrank: warning: {file}: row 1, column "n": 18446744073709551615 is beyond '
                   "SQLite's INTEGER; such values are stored as TEXT\n")
    for dictionary in (True, False):
        yield of_table(f"dictionaries-{dictionary}", with_vectors(dictionaries()), use_dictionary=dictionary)
    for integers in (True, False):
        yield of_table(f"decimals-{integers}", with_vectors(decimals()), store_decimal_as_integer=integers)
    yield of_table("decimals-real", with_vectors(decimals()), ("--decimal", "real"))
    yield of_table("decimals-nested", with_vectors(nested_scalars(decimals())))
    for unix in (False, True):
        options = ("--timestamps", "unix") if unix else ()
        yield of_table(f"moments-{unix}", with_vectors(moments()), options)
        yield of_table(f"moments-nested-{unix}", with_vectors(nested_scalars(moments())), options)
    at = moments()["us None"]
    ends = pa.array(range(len(at) + 1))
    far = with_vectors({"at": at, "n": pa.nulls(len(at)), "list": pa.ListArray.from_arrays(ends, at), "near": moments()["ns None"]})
    for schema in (False, True):
        write = functools.partial(pq.write_table, far, use_deprecated_int96_timestamps=True, store_schema=schema)
        yield Animal(f"pyarrow-int96-{schema}", write, functools.partial(pq.read_table, coerce_int96_timestamp_unit="us"))
    yield of_table("nested", with_vectors(nested()))
    yield of_table("nested-v2", with_vectors(nested()), data_page_version="2.0", store_schema=False)
    yield of_table("all-null", with_vectors({name: pa.nulls(3, array.type) for name, array in
                                             (scalars() | decimals() | moments() | nested()).items() if name not in ("uuid", "json", "bool8")}))
    yield from embedding_types()
    yield from layouts()
    yield from empties()
    yield from names()
