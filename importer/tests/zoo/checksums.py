"""A file whose pages have checksums, damaged at random: it is refused, or every value that is imported is the right one.

The footer and the headers of pages have no checksum in Parquet, so bytes are changed where the pages' contents are.
"""
import functools
import os
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from animal import vectors

ROWS = 200
SEED = int(os.environ.get("VECRANK_SEED", "1"))
COUNT = 5000 if os.environ.get("VECRANK_LONG") else 150
CODECS = ["none", "snappy", "zstd"]


def table() -> pa.Table:
    numbers = np.arange(ROWS)
    return pa.table({
        "id": pa.array(numbers), "price": pa.array(numbers * 0.5 + 0.25), "word": pa.array([f"w{i % 7}" for i in numbers]),
        "maybe": pa.array([None if i % 3 else int(i) for i in numbers]), "embedding": pa.array(list(vectors(ROWS)), pa.list_(pa.float32())),
    })


@functools.cache
def good(codec: str) -> bytes:
    sink = pa.BufferOutputStream()
    version = "2.0" if codec == "zstd" else "1.0"
    pq.write_table(table(), sink, compression=codec, write_page_checksum=True, row_group_size=80, data_page_size=300,
                   data_page_version=version)
    return sink.getvalue().to_pybytes()


def footer_start(content: bytes) -> int:
    return len(content) - 8 - int.from_bytes(content[-8:-4], "little")


def varint(content: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def skip(content: bytes, at: int, kind: int) -> int:
    """Where a value of Thrift's compact protocol ends."""
    if kind in (1, 2):
        return at
    if kind in (4, 5, 6):
        return varint(content, at)[1]
    if kind == 8:
        length, at = varint(content, at)
        return at + length
    assert kind == 12, kind
    while content[at]:
        at = skip(content, at + 1, content[at] & 15)
    return at + 1


@functools.cache
def bodies(codec: str) -> list[range]:
    """The bytes of each page behind its header."""
    content, at, found = good(codec), 4, []
    while at < footer_start(content):
        # Field 3 of the header, behind the page's kind and the size when it is decompressed, is the size.
        assert content[at] == 0x15, "a page begins"
        size, _ = varint(content, skip(content, skip(content, at + 1, 5) + 1, 5) + 1)
        start = skip(content, at, 12)
        at = start + (size >> 1)
        found.append(range(start, at))
    return found


def damaged(seed: int) -> tuple[str, bytes]:
    chance = random.Random(f"{SEED} {seed}")
    codec = CODECS[seed % len(CODECS)]
    content = bytearray(good(codec))
    for _ in range(chance.choice([1, 1, 1, 3, 20])):
        page = chance.choice([page for page in bodies(codec) if page])
        at = chance.choice(page)
        content[at] ^= 1 << chance.randrange(8)
    return codec, bytes(content)
