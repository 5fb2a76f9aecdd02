"""Settings, from environment variables."""
import os
from dataclasses import dataclass
from pathlib import Path


class Fault(Exception):
    """What keeps the service from starting or from using a file: one line."""


@dataclass(frozen=True)
class Settings:
    database: Path
    library: str
    table: str | None  # the only vecrank table of the file, unless named
    embedding: str | None  # the only vector column, unless named
    connections: int
    max_limit: int
    max_offset: int


def read() -> Settings:
    return Settings(
        database=Path(os.environ.get("FEED_DATABASE", "feed.db")),
        library=os.environ.get("VECRANK_LIBRARY") or packaged_library(),
        table=os.environ.get("FEED_TABLE") or None,
        embedding=os.environ.get("FEED_EMBEDDING") or None,
        connections=number("FEED_CONNECTIONS", 2 * (os.cpu_count() or 1), 1, 256),
        max_limit=number("FEED_MAX_LIMIT", 100, 1, 10_000),
        max_offset=number("FEED_MAX_OFFSET", 10_000, 0, 10_000_000),
    )


def number(name: str, default: int, least: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise Fault(f"{name}: expected a number from {least} to {most}, got {text}")
    return int(text)


def packaged_library() -> str:
    """The library that the Python package vecrank carries."""
    try:
        import vecrank
    except ImportError:
        raise Fault("VECRANK_LIBRARY: expected the path of libvecrank, for the package vecrank is not installed") from None
    return vecrank.loadable_path()
