"""Files that cannot be imported, and what is said of them."""
import random
from datetime import timedelta

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption

from animal import Animal, with_vectors
from by_pyarrow import of_table

# Files with some bytes changed; some make the library panic: those of 382 at opening, of 3359 at decoding.
DAMAGES = [*range(60), 382, 3359]

NOT_READABLE = "{file}: not a readable Parquet file: [^\n]+"
GOOD = with_vectors({"n": pa.array(range(300)), "word": pa.array(["a", None, "b"] * 100)})


class Keys(encryption.KmsClient):
    """Wraps keys by leaving them as they are: nobody here is to be kept out."""

    def __init__(self, config):
        super().__init__()

    def wrap_key(self, key, name):
        return key.hex()

    def unwrap_key(self, wrapped, name):
        return bytes.fromhex(wrapped)


def encrypted(plaintext_footer: bool):
    def write(path):
        config = encryption.EncryptionConfiguration(
            footer_key="footer", column_keys={"column": ["n", "embedding.list.element"]}, plaintext_footer=plaintext_footer)
        factory = encryption.CryptoFactory(Keys)
        properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), config)
        with pq.ParquetWriter(path, GOOD.schema, encryption_properties=properties) as writer:
            writer.write_table(GOOD)

    return write


def good_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(GOOD, sink, row_group_size=100, data_page_size=500)
    return sink.getvalue().to_pybytes()


def of_bytes(name: str, content: bytes, says: str = NOT_READABLE) -> Animal:
    return Animal(name, lambda path: path.write_bytes(content), None, says=says)


def of_refused(name: str, columns: dict, says: str, options: tuple[str, ...] = ()) -> Animal:
    return of_table(name, with_vectors(columns), options, says)


def damaged(seed: int) -> Animal:
    chance = random.Random(seed)
    content = bytearray(good_bytes())
    # Every other time in the last quarter, where the footer is.
    start = 0 if seed % 2 else len(content) * 3 // 4
    for _ in range(chance.choice([1, 1, 4, 32])):
        content[chance.randrange(start, len(content))] = chance.randrange(256)
    return of_bytes(f"damaged-{seed}", bytes(content))


def duckdb_interval(path):
    with duckdb.connect() as connection:
        connection.execute(f"""COPY (SELECT i AS id, INTERVAL (i) MONTH AS span, [1, i]::FLOAT[] AS embedding FROM range(3) t(i))
                               TO '{path}' (FORMAT parquet)""")


def duckdb_infinity(path):
    with duckdb.connect() as connection:
        connection.execute(f"""COPY (SELECT 1 AS id, TIMESTAMP 'infinity' AS at, [1, 2]::FLOAT[] AS embedding)
                               TO '{path}' (FORMAT parquet)""")


def animals():
    good = good_bytes()
    yield of_bytes("empty", b"")
    yield of_bytes("text", b"id,word\n1,one\n2,two\n" * 100)
    yield of_bytes("short-text", b"id")
    yield of_bytes("magic-alone", b"PAR1")
    yield of_bytes("magic-twice", b"PAR1PAR1")
    yield of_bytes("long-footer", good[:-8] + b"\xff\xff\xff\x7fPAR1")
    yield of_bytes("zeros", bytes(10_000))
    yield of_bytes("doubled-end", good + b"\n")
    for share in (1, 10, 25, 50, 75, 90, 99):
        yield of_bytes(f"truncated-to-{share}%", good[:len(good) * share // 100])
    yield of_bytes("truncated-by-1", good[:-1])
    yield of_bytes("without-its-start", good[len(good) // 2:], r"{file}: not a readable Parquet file: row group \d is not inside the file")
    yield Animal("encrypted-footer", encrypted(False), None, says="{file}: not a readable Parquet file: it is encrypted")
    yield Animal("encrypted-columns", encrypted(True), None, says="{file}: [^\n]*encrypted[^\n]*")
    yield of_table("no-vectors", pa.table({"id": [1], "n": [2]}), says=
                   "{file}: no column has lists of floating-point numbers; name the column with the vectors: --embedding COLUMN")
    yield of_table("no-rows-no-dims", GOOD.slice(0, 0), says='column "embedding": no row has a vector, so its dimensions are unknown; --dims N gives them')
    yield of_refused("same-names", {"a": pa.array([1]), "A": pa.array([2])},
                     '{file}: columns "a" and "A" have the same name for SQLite; give one another by --rename, or leave one out with --exclude')
    yield of_refused("reserved", {"distance": pa.array([1.0])},
                     '{file}: column "distance": the name is reserved in a vecrank table; give it another by --rename \'distance=...\' or leave it out with --exclude')
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3]), GOOD["embedding"][:1]], ["id", "a", "a", "embedding"])
    yield of_table("same-name-twice", twice, says='{file}: columns "a" and "a" have the same name; --rename \'a=...\' gives the first of '
                   "them another, --exclude leaves both out")
    bad = pa.array([b"ok", b"\xff"], pa.binary()).view(pa.string())
    yield of_refused("bad-text", {"n": pa.array([1, 2]), "word": bad},
                     '{file}: column "word": the file calls it text, but a value is not valid UTF-8; leave it out with --exclude')
    for name, sparse, kind in (("struct", pa.array([{"indices": [1], "values": [0.5]}]), "a struct of indices and values"),
                               ("map", pa.array([[(1, 0.5)]], pa.map_(pa.int32(), pa.float32())), "a map")):
        yield of_refused(f"sparse-{name}", {"s": sparse}, "{file}: --embedding s: expected all components of a vector, got sparse "
                         rf"vectors \({kind}\)", ("--embedding", "s"))
    small = pa.table({"id": [1], "v": pa.array([bytes(16)], pa.binary(16))})
    yield of_table("small-binary", small, says="{file}: no column has lists of floating-point numbers; name the column with the vectors: "
                   r'--embedding COLUMN; these may have some, and are taken for vectors only by name: "v" \(FixedSizeBinary\(16\)\)')
    yield of_refused("two-vectors-in-a-row", {"v": pa.array([[[1.0], [2.0]]])}, '{file}: row 1, column "v": expected one vector, got 2',
                     ("--embedding", "v"))
    yield of_refused("not-json", {"v": pa.array(["[1, 2]", "1;2"])}, '{file}: row 2, column "v": expected a JSON array of numbers, got "1;2"; '
                     r"nothing was imported \(--on-bad-row skip leaves such rows out\)", ("--embedding", "v"))
    yield of_refused("leading-zero", {"zip": pa.array(["7", "01234"])}, '{file}: row 2, column "zip": \'01234\' would not keep its value as '
                     r"INTEGER \(--type\)", ("--type", "zip=INTEGER"))
    yield of_refused("missing-component", {"e0": pa.array([1.0]), "e2": pa.array([1.0])},
                     r'{file}: --embedding v=e\*: expected the component 1, got column "e2"', ("--embedding", "v=e*"))
    yield of_refused("two-lists-of-floats", {"v": pa.array([[1.0]])},
                     "{file}: several columns may be vectors: v, embedding; choose with --embedding, or --exclude the others")
    unix = "; --timestamps unix stores such values as numbers"
    far = pa.array([0, 2**62], pa.timestamp("ms"))
    yield of_refused("no-calendar", {"at": far}, rf'{{file}}: row 2, column "at": Timestamp\(ms\) {2**62} is out of range{unix}')
    for name, column in (("list", pa.ListArray.from_arrays(pa.array([0, 0, 2]), far)), ("struct", pa.StructArray.from_arrays([far], ["a"])),
                         ("map", pa.MapArray.from_arrays(pa.array([0, 1, 2]), pa.array(["k", "l"]), far))):
        yield of_refused(f"no-calendar-in-a-{name}", {"at": column},
                         rf'{{file}}: row 2, column "at": Timestamp\(ms\) {2**62} is out of range{unix}')
    yield of_refused("2,100-columns", {f"c{i}": pa.array([i]) for i in range(2100)}, "[^\n]*column[^\n]*")
    yield Animal("duckdb-interval", duckdb_interval, None, says=
                 '{file}: column "span": the type Interval[^\n]* has no counterpart in SQL; leave it out with --exclude')
    yield Animal("duckdb-infinity", duckdb_infinity, None, says=
                 rf'{{file}}: row 1, column "at": Timestamp\(µs\) {2**63 - 1} is out of range{unix}')
    frame = pl.DataFrame({"id": [1], "span": [timedelta(1)], "embedding": [[float("nan")]]})
    yield Animal("polars-nan", frame.write_parquet, None, says=
                 '{file}: row 1, column "embedding": component 0: expected a finite number, got NaN; nothing was imported '
                 r"\(--on-bad-row skip leaves such rows out\)")
