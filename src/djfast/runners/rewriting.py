"""Rows as dictionaries for functions that take them as a whole, and back to lines."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from djfast import _native
from djfast.io.origins import Origins
from djfast.json_bytes import SpellingReader, exactly_parsed
from djfast.plain_values import plain
from djfast.plan.bind import reason_of
from djfast.records import NamedTuple
from djfast.rows.json_rows import JsonBlock, JsonPiece
from djfast.type_names import spoken_type


class Rewritten(NamedTuple):
    """What became of a block: the new rows, and the old ones that were rejected as number, reason and line."""

    row_count: int
    piece: JsonPiece
    errors: list[tuple[int, str, bytes]]


def rewritten_piece(block: JsonBlock, rewrite: Callable[[list[Any]], list[Any]], *, drops_rows: bool = True) -> Rewritten:
    """Give the rows of a block to a function and write what it gives back for each.

    Parameters
    ----------
    block : JsonBlock
        Lines that have been read before, so each is one object.
    rewrite : callable
        Returns for each row the row, a list of rows, None to drop it, a pair of the row and whether it is kept, or the
        exception that rejects it.
    drops_rows : bool
        False keeps the row of a pair in any case.
    """
    lines = _Lines(block.data, block.end)
    numbers_read: list[int] = []
    rows: list[Any] = []
    unusual: set[int] = set()  # rows with numbers that Python would print otherwise
    errors: list[tuple[int, str, bytes]] = []
    reader = SpellingReader()
    for number in range(len(lines)):
        try:
            rows.append(reader.read(lines[number]))
            numbers_read.append(number)
            if reader.is_unusual:
                unusual.add(number)
        except (ValueError, RecursionError) as error:
            errors.append((number, str(error), lines[number]))
    answers = rewrite(rows)
    del rows  # each answer goes, too, when its lines are written: large rows are not kept twice
    answers.reverse()
    written: list[bytes] = []
    origins: list[int] = []
    for number in numbers_read:
        try:
            given = lines[number] if number in unusual else None
            new_lines = [_line(row, given) for row in _kept(answers.pop(), drops_rows=drops_rows)]
        except Exception as error:  # a value that JSON cannot hold is this row's error
            errors.append((number, reason_of(error), lines[number]))
            continue
        written += new_lines
        origins += [number] * len(new_lines)
    ends = array("Q", accumulate(map(len, written))).tobytes()
    numbers = array("Q", block.numbers) if block.numbers is not None else range(len(lines))
    piece = JsonPiece(
        b"".join(written),
        ends,
        b"",
        b"",
        array("Q", (numbers[number] for number in origins)).tobytes(),
        (Origins(block.file).of(origins) or "").encode(),
    )
    return Rewritten(len(lines), piece, sorted(errors))


class _Lines:
    """The lines of a block, each copied when it is asked for."""

    def __init__(self, data: bytes, end: int) -> None:
        self._data = data
        self._ends = [feed.start() for feed in re.finditer(rb"\n", memoryview(data)[:end])]

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> bytes:
        return self._data[self._ends[number - 1] + 1 if number else 0 : self._ends[number]]


def _kept(answer: Any, *, drops_rows: bool) -> list[Any]:
    """Return the rows that an answer stands for."""
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, tuple):
        row, is_kept = answer
        return [row] if is_kept or not drops_rows else []
    if answer is None:
        return []
    return answer if isinstance(answer, list) else [answer]


def _line(row: Any, given: bytes | None) -> bytes:
    """Return a row as a line. Fields that are as in the line that was given, if there is one, are spelled as there."""
    if not isinstance(row, dict):
        raise TypeError(f"a row must be a mapping of fields to values, got {spoken_type(row)}")
    has_names = all(isinstance(name, str) for name in row)  # and no numbers, which become strings
    text = _json(row) if given is None or not has_names else _as_spelled(row, given)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _as_spelled(row: dict[str, Any], given: bytes) -> str:
    names = [name for name, value in row.items() if isinstance(value, float | list | dict)]
    fields = _native.read_json_lines(given, names)["fields"] if names else []
    spelled = {name: column[0][1] for name, column in zip(names, fields)}
    members = []
    for name, value in row.items():
        text = _json(value)
        raw = spelled.get(name)
        members.append(f"{_json(name)}: {raw.decode() if raw and _json(exactly_parsed(raw)) == text else text}")
    return "{" + ", ".join(members) + "}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=plain)
