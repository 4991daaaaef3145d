"""Values that users and their code give, as values that JSON has."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence, Set
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from djfast.json_bytes import as_json
from djfast.type_names import spoken_type

_TO_PLAIN = ("tolist", "to_pylist", "as_py", "to_list")  # what arrays and scalars of NumPy, pandas, Arrow and polars have
_NULLS = ("NAType", "NaTType")  # of pandas


def plain(value: Any) -> Any:
    """Return what stands in JSON for a value that JSON does not have; `default` of ``json.dumps``.

    Numbers and arrays of NumPy, pandas, Arrow, polars and torch become numbers and lists, dates and times ISO 8601, sets sorted
    lists. Values inside may again be such values.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return as_json(value)
    name = type(value).__name__
    if name in _NULLS:
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return _sorted(value)
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind == "M":  # NumPy's own conversion gives numbers for times in nanoseconds
        is_scalar = not getattr(value, "shape", ())
        return (None if str(value) == "NaT" else str(value)) if is_scalar else list(value)
    if kind != "m":
        for method in _TO_PLAIN:
            if hasattr(value, method):
                converted = getattr(value, method)()
                return float(converted) if type(converted) is type(value) else converted
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(
        f"a value must be one that JSON has, bytes, a date, or a number or array of NumPy, pandas, polars or Arrow; convert it "
        f"first, got {spoken_type(value)}"
    )


def plain_row_value(value: Any) -> Any:
    """Do as `plain`, for a value of a row that was given: what JSON writes as a string in rows of tables is one here, too."""
    if isinstance(value, timedelta):
        return duration(value // timedelta(microseconds=1), 10**6)
    if isinstance(value, Decimal | os.PathLike) or type(value).__name__ == "UUID":  # whose module is slow to import
        return str(value)
    return plain(value)


def duration(ticks: int, ticks_per_second: int) -> str:
    """Return a duration as ISO 8601 in seconds: ``PT1.5S``."""
    seconds, rest = divmod(abs(ticks), ticks_per_second)
    digits = f"{rest * (10**9 // ticks_per_second):09d}".rstrip("0")
    return f"{'-' if ticks < 0 else ''}PT{seconds}{'.' if digits else ''}{digits}S"


def _number(value: Decimal) -> int | float:
    """Return a decimal as a number of JSON.

    Raises
    ------
    TypeError
        If that has fewer digits.
    """
    if value == (whole := int(value) if value.is_finite() else 0):
        return whole
    number = float(value)
    if value.is_finite() and Decimal(repr(number)) != value:
        raise TypeError(f"a decimal with more digits than a number of JSON keeps must be given as a string, got {value}")
    return number


def _sorted(values: Set[Any]) -> list[Any]:
    """Return the members of a set in an order that is the same in every process."""
    if all(isinstance(value, int | float) for value in values) or all(isinstance(value, str) for value in values):
        return sorted(values)
    return sorted(values, key=lambda value: json.dumps(value, sort_keys=True, default=plain))
