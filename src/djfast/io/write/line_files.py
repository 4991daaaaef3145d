"""Results of lines: JSONL, JSON, CSV and TSV."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from djfast.errors import OutputError
from djfast.io.write.collected import MOST_COLUMNS, Collected, json_value

WriteNext = Callable[[str, int], None]


def json_lines(rows: Collected, arguments: Mapping[str, Any]) -> WriteNext:
    """Write a row a line."""
    del arguments
    lines = rows.lines()

    def write(path: str, count: int) -> None:
        with open(path, "wb") as file:
            file.writelines(islice(lines, count))

    return write


def json_array(rows: Collected, arguments: Mapping[str, Any]) -> WriteNext:
    """Write one array, a row a line. `arguments` may hold what comes before and behind it."""
    lines = rows.lines()
    before, behind = arguments.get("before", b""), arguments.get("behind", b"")

    def write(path: str, count: int) -> None:
        with open(path, "wb") as file:
            file.write(before + b"[")
            separator = b"\n"
            for line in islice(lines, count):
                file.write(separator + line.rstrip(b"\n"))
                separator = b",\n"
            file.write(b"\n]" + behind + b"\n")

    return write


def csv(rows: Collected, arguments: Mapping[str, Any]) -> WriteNext:
    """Write comma-separated values."""
    del arguments
    return _separated(rows, ",")


def tsv(rows: Collected, arguments: Mapping[str, Any]) -> WriteNext:
    """Write tab-separated values."""
    del arguments
    return _separated(rows, "\t")


def _separated(rows: Collected, separator: str) -> WriteNext:
    """Write a header and a row a record, as RFC 4180 says; every file has the fields of all rows, as they first appear."""
    fields = rows.names
    if len(fields) > MOST_COLUMNS:
        raise OutputError(f"the rows have more than {MOST_COLUMNS} fields, too many for columns; export jsonl instead")
    needs_quotes = re.compile(f'[{separator}"\r\n]')
    values = rows.rows()

    def cell(value: Any) -> str:
        # No text and an empty text differ: readers that tell quotes apart give both back.
        if value is None:
            return ""
        text = _text(value)
        return '"' + text.replace('"', '""') + '"' if not text or needs_quotes.search(text) else text

    def record(cells: Iterator[Any]) -> bytes:
        # A record of one empty cell would be a line that readers skip.
        return (separator.join(map(cell, cells)) or '""').encode("utf-8", "backslashreplace") + b"\n"

    def write(path: str, count: int) -> None:
        with open(path, "wb") as file:
            if fields:
                file.write(record(iter(fields)))
            for row in islice(values, count):
                file.write(record(map(row.get, fields)))

    return write


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=json_value)
    return repr(value) if isinstance(value, int | float) else str(json_value(value))

