"""Bytes in JSON: ``{"__dj__bytes__": "<base64>"}``, so that they are bytes again wherever rows are Python or Arrow values."""

from __future__ import annotations

import base64
import json
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


def _restored(value: dict[str, Any]) -> Any:
    if len(value) == 1 and isinstance(text := value.get(MARK), str):
        return base64.b64decode(text, validate=True)
    return value
