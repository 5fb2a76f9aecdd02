"""What the system counts for this process. Imports little: it is part of what is measured."""

import os
import pathlib


def peak_bytes() -> int:
    """The most memory that this process had; ru_maxrss would count the one that it was started from."""
    return status("VmHWM")


def resident_bytes() -> int:
    return status("VmRSS")


def status(key: str) -> int:
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def io_counts() -> dict[str, int]:
    """rchar: bytes that read() gave; read_bytes: bytes fetched from the disk, those of mapped files too."""
    lines = pathlib.Path("/proc/self/io").read_text().splitlines()
    return {key: int(value) for key, value in (line.split(":") for line in lines)}


def drop_from_cache(files: list[pathlib.Path]) -> None:
    for file in files:
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
