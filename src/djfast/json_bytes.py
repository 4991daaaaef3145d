"""Bytes in JSON: ``{"__dj__bytes__": "<base64>"}``, so that they are bytes again wherever rows are Python or Arrow values."""

from __future__ import annotations

import base64
import json
import re
from math import isinf
from typing import Any

MARK = "__dj__bytes__"
_MARK = MARK.encode()


def as_json(value: Any) -> Any:
    """Return what stands in JSON for a value that JSON does not have; `default` of ``json.dumps``."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {MARK: base64.b64encode(value).decode()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def parsed(line: bytes) -> Any:
    """Parse a line of JSON, bytes included.

    Raises
    ------
    ValueError, RecursionError
        As ``json.loads`` does, and for base64 that is none.
    """
    return json.loads(line, object_hook=_restored) if _MARK in line else json.loads(line)


def exactly_parsed(line: bytes) -> Any:
    """Parse a line of JSON, bytes included, and lose nothing of it.

    Raises
    ------
    ValueError, RecursionError
        As `parsed`, and for what Python's values do not show any more: a key that stands twice in one object, and a number that
        no double is as large as.
    """
    return json.loads(line, object_pairs_hook=_object, parse_float=_finite, parse_int=_integer)


def encodable(line: bytes) -> Any:
    """Do as `exactly_parsed`, for values that are written as something else than JSON.

    Raises
    ------
    ValueError, RecursionError
        As `exactly_parsed` does, and for half of a surrogate pair.
    """
    value = exactly_parsed(line)
    if _SURROGATE.search(line) is not None:
        try:
            json.dumps(value, ensure_ascii=False, default=as_json).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds a lone surrogate, which is no Unicode character") from None
    return value


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONGEST_INTEGER = 4300  # digits; Python takes time that grows with their square


def _object(members: list[tuple[str, Any]]) -> Any:
    value = dict(members)
    if len(value) < len(members):
        names = [name for name, _ in members]
        raise ValueError(f"a key stands twice in one object: {next(name for name in names if names.count(name) > 1)[:100]!r}")
    return _restored(value)


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(f"a number is too large for a double: {text[:40]}")
    return number


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(f"an integer has more than {_LONGEST_INTEGER} digits")
    return int(text)


def _restored(value: dict[str, Any]) -> Any:
    if len(value) == 1 and isinstance(text := value.get(MARK), str):
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            raise ValueError(f"{MARK} must be base64, got {text[:40]!r}") from None
    return value
