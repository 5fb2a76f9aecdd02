"""What the importer should store, by the rules that `vecrank import --help` and the book give, written a second time.

Works on Arrow scalars, as a Python library read them: dates and times are counted from their integers, so that neither
Python's calendar nor its microseconds limit what can be compared.
"""
import json
import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
from pyarrow import types

LARGEST_INTEGER = 2**63 - 1
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
SECONDS_A_DAY = 86_400


def civil(days: int) -> str:
    """The date so many days after 1970-01-01, in the calendar of today carried on for ever."""
    era, day = divmod(days + 719_468, 146_097)
    year_of_era = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year_of_era + year_of_era // 4 - year_of_era // 100
    month = (5 * day + 2) // 153
    day_of_month = day - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year = year_of_era + 400 * era + (month <= 2)
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    return f"{sign}{abs(year):04}-{month:02}-{day_of_month:02}"


def clock(ticks: int, unit: str) -> str:
    seconds, fraction = divmod(ticks, TICKS[unit])
    digits = f".{fraction:0{DIGITS[unit]}}" if DIGITS[unit] else ""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{digits}"


def moment(ticks: int, kind: pa.TimestampType) -> str:
    days, of_day = divmod(ticks, SECONDS_A_DAY * TICKS[kind.unit])
    return f"{civil(days)}T{clock(of_day, kind.unit)}{'Z' if kind.tz else ''}"


def duration(ticks: int, unit: str) -> str:
    seconds, fraction = divmod(abs(ticks), TICKS[unit])
    digits = f".{fraction:0{DIGITS[unit]}}".rstrip("0") if fraction else ""
    return f"{'-' if ticks < 0 else ''}P{'0D' if ticks == 0 else f'T{seconds}{digits}S'}"


def plain(scalar: pa.Scalar) -> pa.Scalar:
    """Without what says how it is stored: dictionaries, runs, extension types."""
    while True:
        if isinstance(scalar, pa.ExtensionScalar):
            # None if it is null.
            scalar = pa.scalar(None, scalar.type.storage_type) if scalar.value is None else scalar.value
        elif isinstance(scalar, pa.DictionaryScalar):
            scalar = scalar.value
        elif isinstance(scalar, pa.RunEndEncodedScalar):
            scalar = pa.scalar(scalar.as_py(), scalar.type.value_type)
        else:
            return scalar


def temporal(scalar: pa.Scalar, unix: bool):
    """TEXT, or with `unix` seconds for dates and timestamps; None if it is of another kind."""
    kind = scalar.type
    if types.is_date32(kind):
        return scalar.value * SECONDS_A_DAY if unix else civil(scalar.value)
    if types.is_date64(kind):
        days = scalar.value // (SECONDS_A_DAY * 1000)
        return days * SECONDS_A_DAY if unix else civil(days)
    if types.is_timestamp(kind):
        if unix:
            return scalar.value if kind.unit == "s" else float(Fraction(scalar.value, TICKS[kind.unit]))
        return moment(scalar.value, kind)
    if types.is_time(kind):
        return clock(scalar.value, kind.unit)
    return duration(scalar.value, kind.unit) if types.is_duration(kind) else None


def is_json(kind: pa.DataType) -> bool:
    return types.is_nested(kind) and not types.is_dictionary(kind)


def stored(scalar: pa.Scalar, real: bool = False, unix: bool = False):
    """The value of a column that holds no vectors: None, int, float, str, bytes, or for nested ones a `Json`.

    `real`: --decimal real. `unix`: --timestamps unix.
    """
    scalar = plain(scalar)
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if is_json(kind):
        return Json(nested(scalar, unix))
    if types.is_boolean(kind):
        return int(scalar.as_py())
    if types.is_integer(kind):
        value = scalar.as_py()
        return value if value <= LARGEST_INTEGER else str(value)
    if types.is_floating(kind):
        value = float(scalar.as_py())
        return None if math.isnan(value) else value
    if types.is_decimal(kind):
        return float(scalar.as_py()) if real else f"{scalar.as_py():f}"
    value = temporal(scalar, unix)
    return scalar.as_py() if value is None else value


def nested(scalar: pa.Scalar, unix: bool):
    """A value inside JSON: numbers are kept as such, binary is hexadecimal, what JSON cannot say is null."""
    scalar = plain(scalar)
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if types.is_map(kind):
        entries = scalar.values
        return {key(k): nested(v, unix) for k, v in zip(entries.field(0), entries.field(1))}
    if types.is_struct(kind):
        return {name: nested(value, unix) for name, value in scalar.items()}
    if is_json(kind):
        return [nested(value, unix) for value in scalar.values]
    if types.is_floating(kind):
        value = scalar.as_py()
        narrow = {16: np.float16, 32: np.float32, 64: np.float64}[kind.bit_width]
        return narrow(value) if math.isfinite(value) else None
    if types.is_boolean(kind) or types.is_decimal(kind) or types.is_integer(kind):
        return scalar.as_py()
    value = temporal(scalar, unix)
    if value is None:
        value = scalar.as_py()
    return value.hex() if isinstance(value, bytes) else value


def key(scalar: pa.Scalar) -> str:
    """JSON has no keys but text: binary is hexadecimal, and what is nested is JSON in it."""
    value = stored(scalar)
    if isinstance(value, Json):
        return json.dumps(value.value, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, bytes):
        return value.hex()
    if types.is_boolean(scalar.type):
        return "true" if scalar.as_py() else "false"
    return value if isinstance(value, str) else str(value)


class Number(str):
    """A number as it is written in JSON."""


class Json:
    """Compares with TEXT that holds the same JSON value: members in the same order, whole numbers and decimals digit by
    digit, others as the floating-point numbers that they are."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, text):
        def refuse(name):
            raise ValueError(f"{name} is not JSON")

        if not isinstance(text, str):
            return False
        return agree(json.loads(text, parse_float=Number, parse_int=Number, parse_constant=refuse), self.value)

    def __repr__(self):
        return f"Json({self.value!r})"


def agree(read, value) -> bool:
    if value is None or isinstance(value, (bool, str)):
        return type(read) is type(value) and read == value
    if isinstance(value, list):
        return isinstance(read, list) and len(read) == len(value) and all(map(agree, read, value))
    if isinstance(value, dict):
        return isinstance(read, dict) and list(read) == list(value) and all(map(agree, read.values(), value.values()))
    if not isinstance(read, Number):
        return False
    if isinstance(value, (np.floating, float)):
        return type(value)(read) == value
    return read == f"{value:f}" if hasattr(value, "as_tuple") else read == str(value)
