"""Vectors as SQLite gets them: BLOBs of little-endian 32-bit floats."""
import math
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

# Element types that numpy itself does not know, by the names of the ml_dtypes package.
SMALL_FLOATS = ("bfloat16", "float8", "float6", "float4")


def vector(numbers: Any) -> bytes:
    """A vector as a BLOB for a FLOAT column, or as the right side of MATCH.

    Accepts lists, tuples and other sequences, generators, array.array, numpy arrays of any float or integer type, and all
    that has `__array__`, such as tensors of torch and jax and series of pandas and polars.

    Raises TypeError for None and for what is no vector of numbers. (To SQL, a NULL query vector is a search that gives no
    row; a search without a vector is more often a mistake.) Raises ValueError for an empty vector, for one of more than
    one dimension, and for a number that no 32-bit float holds: NaN, infinity, 1e39.
    """
    if numbers is None:
        raise TypeError("vector: expected numbers, got None (is the embedding missing? bind None itself to store NULL)")
    if isinstance(numbers, (bytes, bytearray)) or (isinstance(numbers, memoryview) and isinstance(numbers.obj, (bytes, bytearray))):
        raise TypeError(f"vector: expected numbers, got {type(numbers).__name__}: bind a BLOB as it is")
    if isinstance(numbers, str):
        raise TypeError("vector: expected numbers, got str: bind JSON text as it is")
    if isinstance(numbers, (array, memoryview)):
        _one_dimension(memoryview(numbers).shape or ())
        return _packed(memoryview(numbers).tolist())
    # A tensor that knows its gradient, or lives on a GPU, has no __array__ that works.
    if hasattr(numbers, "detach") and hasattr(numbers, "cpu"):
        numbers = numbers.detach().cpu()
    if hasattr(numbers, "__array__") and not isinstance(numbers, (list, tuple)):
        return _of_array(numbers)
    if isinstance(numbers, (Sequence, Iterator)):
        return _packed(list(numbers))
    raise TypeError(f"vector: expected a list, tuple, array or tensor of numbers, got {type(numbers).__name__}")


def from_vector(blob: Any) -> "array[float]":
    """The numbers of a vector that was read from a FLOAT column, as an array of 32-bit floats.

    `list(...)` and `numpy.asarray(...)` take it. Raises TypeError for None (the row has no vector), and ValueError for a
    BLOB that is no vector of 32-bit floats. FLOAT16 and INT8 vectors are read with `vec_json`.
    """
    if blob is None:
        raise TypeError("from_vector: expected a BLOB, got None (the row has no vector)")
    if not isinstance(blob, (bytes, bytearray, memoryview)):
        raise TypeError(f"from_vector: expected a BLOB, got {type(blob).__name__}")
    blob = bytes(blob)
    if not blob or len(blob) % 4:
        raise ValueError(f"from_vector: expected 4 bytes per number of a FLOAT vector, got {len(blob)} bytes")
    numbers = array("f", blob)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _one_dimension(shape: Sequence[int]) -> None:
    if len(shape) != 1:
        hint = ": pass one row at a time" if len(shape) > 1 else ""
        raise ValueError(f"vector: expected one dimension, got shape {tuple(shape)}{hint}")
    if shape[0] == 0:
        raise ValueError("vector: expected numbers, got none")


def _of_array(numbers: Any) -> bytes:
    """Of an object with `__array__`: through numpy if it is there, and can."""
    try:
        import numpy
    except ImportError:
        return _packed(numbers.tolist())
    try:
        array_of = numpy.asarray(numbers)
    except TypeError:
        # A type that numpy has no name for, such as torch's bfloat16.
        array_of = numpy.asarray(numbers.tolist(), dtype="f8")
    kind = array_of.dtype.kind
    if kind not in "fiu" and not (kind == "V" and array_of.dtype.name.startswith(SMALL_FLOATS)):
        raise TypeError(f"vector: expected floats or integers, got an array of {array_of.dtype}")
    _one_dimension(array_of.shape)
    with numpy.errstate(over="ignore"):
        packed = array_of.astype("<f4")
    wrong = numpy.flatnonzero(~numpy.isfinite(packed))
    if wrong.size:
        raise _no_float(int(wrong[0]), array_of[wrong[0]].item() if kind != "V" else float(array_of[wrong[0]]))
    return packed.tobytes()


def _packed(numbers: list[Any]) -> bytes:
    if not isinstance(numbers, list):
        _one_dimension(())
    _one_dimension((len(numbers),))
    try:
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
        if all(map(math.isfinite, numbers)):
            return packed
    except (TypeError, ValueError, OverflowError, struct.error):
        pass
    raise _wrong_number(numbers)


def _wrong_number(numbers: list[Any]) -> Exception:
    """The error for the first number that no 32-bit float holds."""
    for place, number in enumerate(numbers):
        if isinstance(number, (list, tuple)):
            return ValueError(f"vector: expected one dimension, got a {type(number).__name__} at {place}: pass one row at a time")
        try:
            struct.pack("<f", number)
            if math.isfinite(number):
                continue
        except OverflowError:
            pass
        except (TypeError, ValueError, struct.error):
            if isinstance(number, int):  # beyond a double, too
                return _no_float(place, number)
            return TypeError(f"vector: expected numbers, got {type(number).__name__} at {place}")
        return _no_float(place, number)
    return TypeError("vector: expected numbers that keep their values while they are read")


def _no_float(place: int, number: Any) -> ValueError:
    text = str(number) if isinstance(number, float) or len(str(number)) < 20 else "a huge integer"
    return ValueError(f"vector: expected numbers that a 32-bit float holds, got {text} at {place}")
