"""Groups of rows: which rows belong together, and joining them into one row."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from djfast.json_bytes import as_json, exactly_parsed
from djfast.rows.json_rows import JsonPiece


class Groups:
    """Rows by the key of their group, in the order in which groups first come."""

    def __init__(self) -> None:
        self._rows: dict[str, array[int]] = {}
        self._count = 0

    def add(self, keys: Iterable[str]) -> None:
        """Take the keys of the next rows."""
        for key in keys:
            self._rows.setdefault(key, array("Q")).append(self._count)
            self._count += 1

    def order(self) -> array[int]:
        """Return the numbers of all rows, group by group."""
        order = array("Q")
        for rows in self._rows.values():
            order.extend(rows)
        return order

    def sizes(self) -> list[int]:
        """Return the number of rows of each group."""
        return [len(rows) for rows in self._rows.values()]


def unjoinable(piece: JsonPiece) -> Iterator[tuple[int, str]]:
    """Yield the positions of the rows that Python cannot read without loss, and why."""
    for position, line in enumerate(piece.lines.split(b"\n")[:-1]):
        try:
            exactly_parsed(line)
        except (ValueError, RecursionError) as error:
            yield position, str(error)


def joined(pieces: Iterable[JsonPiece], sizes: Iterable[int]) -> Iterator[JsonPiece]:
    """Join rows that come group by group: each group becomes one row, each field the list of its values.

    A field that only some rows of a group have is null for the others. One group at a time is in memory.
    """
    rows = _rows(pieces)
    for size in sizes:
        group = [next(rows) for _ in range(size)]
        names = dict.fromkeys(name for row, _, _ in group for name in row)
        line = json.dumps({name: [row.get(name) for row, _, _ in group] for name in names}, ensure_ascii=False, default=as_json)
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        _, number, file = group[0]
        yield JsonPiece(data, array("Q", [len(data)]).tobytes(), b"", b"", array("Q", [number]).tobytes(), file)


def _rows(pieces: Iterable[JsonPiece]) -> Iterator[tuple[dict[str, Any], int, bytes]]:
    for piece in pieces:
        file = piece.file.partition(b"\0")[0]
        for line, number in zip(piece.lines.split(b"\n"), array("Q", piece.numbers)):
            yield exactly_parsed(line), number, file
