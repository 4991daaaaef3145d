"""Rows that are written on their way, for parameters such as `stats_export_path`."""

from __future__ import annotations

import json
from typing import IO

from djfast.declare import Selection
from djfast.io.write.collected import ResultRows
from djfast.json_bytes import as_json


def write_rows(file: IO[bytes], piece: ResultRows, selection: Selection) -> None:
    """Write the rows of a piece, or what they have in a field, as lines of JSON."""
    name = selection.written_field
    if name is None and piece.lines is not None:
        file.write(piece.lines)
        return
    for row in piece.to_rows():
        value = row if name is None else row.get(name) or {}
        file.write(json.dumps(value, ensure_ascii=False, default=as_json).encode("utf-8", "backslashreplace") + b"\n")
