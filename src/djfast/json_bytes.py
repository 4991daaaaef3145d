"""Bytes in JSON: ``{"__dj__bytes__": "<base64>"}``, so that they are bytes again wherever rows are Python or Arrow values."""

from __future__ import annotations

import base64
import json
import sys
from codecs import BOM_UTF8
from math import isinf
from typing import Any

MARK = "__dj__bytes__"
_MARK = MARK.encode()
_SURE_LENGTH = 19  # characters of a number with a point that has about as many digits as a double


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
    return _decoded(line, _EXACT)


def _decoded(line: bytes, decoder: json.JSONDecoder) -> Any:
    try:
        return decoder.decode(line.removeprefix(BOM_UTF8).decode())
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        if (reason := long_integer(error)) is not None:
            raise ValueError(reason) from None
        raise


class SpellingReader:
    """Does as `exactly_parsed`, line by line, and sees where Python prints a number otherwise than it is spelled.

    Attributes
    ----------
    is_unusual : bool
        Whether some number of the last line is spelled otherwise.
    """

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=self._number)
        self.is_unusual = False

    def read(self, line: bytes) -> Any:
        """Return the value of a line.

        Raises
        ------
        ValueError, RecursionError
            As `exactly_parsed`.
        """
        self.is_unusual = False
        return _decoded(line, self._decoder)

    def _number(self, text: str) -> float:
        number = float(text)
        if len(text) <= _SURE_LENGTH and text[-1] != "0" and "e" not in text and "E" not in text:
            return number
        if repr(number) != text:
            self.is_unusual = True
        return _finite(text) if isinf(number) else number


def long_integer(error: Exception) -> str | None:
    """Say what an error means if it is about Python's limit of digits, which is there for time that grows with the square."""
    if isinstance(error, ValueError) and "integer string conversion" in str(error):
        return f"an integer has more than {sys.get_int_max_str_digits()} digits"
    return None


def encodable(line: bytes) -> Any:
    """Do as `exactly_parsed`, for values that are written as something else than JSON.

    Raises
    ------
    ValueError, RecursionError
        As `exactly_parsed` does, and for half of a surrogate pair.
    """
    value = exactly_parsed(line)
    if b"\\ud" in line or b"\\uD" in line:  # most lines have no character of these
        try:
            json.dumps(value, ensure_ascii=False, default=as_json).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds a lone surrogate, which is not a Unicode character") from None
    return value


def _object(members: list[tuple[str, Any]]) -> Any:
    value = dict(members)
    if len(value) < len(members):
        names = [name for name, _ in members]
        raise ValueError(f"a key occurs twice in one object: {next(name for name in names if names.count(name) > 1)[:100]!r}")
    return value if len(value) != 1 else _restored(value)


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(f"a number is too large for a double: {text[:40]}")
    return number


_EXACT = json.JSONDecoder(object_pairs_hook=_object, parse_float=_finite)


def _restored(value: dict[str, Any]) -> Any:
    if len(value) == 1 and isinstance(text := value.get(MARK), str):
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            raise ValueError(f"{MARK} must be base64, got {text[:40]!r}") from None
    return value
