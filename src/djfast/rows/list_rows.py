"""Python dictionaries as rows: for notebooks, tests and embedded use. Values that no OP touches stay the objects they were."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from djfast import _native
from djfast.io.write.collected import json_line
from djfast.plan.steps import Plan, Stage
from djfast.records import NamedTuple
from djfast.reserved import HASHES, META, RESERVED, STATS
from djfast.type_names import type_name

MISSING = object()  # what `lookup` finds where there is no field


class ListBlock(NamedTuple):
    """Some of the rows, with their positions in the input."""

    rows: Sequence[Mapping[str, Any]]
    numbers: Sequence[int]
    file: None = None
    lines: None = None

    @property
    def batch(self) -> None:
        """None: these are Python rows."""
        return

    @property
    def byte_count(self) -> int:
        """Rows have no bytes."""
        return 0

    def row(self, position: int) -> Mapping[str, Any]:
        """Return one row."""
        return self.rows[position]

    def counted_from(self, first: int) -> ListBlock:
        """Return these rows with numbers that count from `first`."""
        return self._replace(numbers=[first + number for number in self.numbers])

    def head(self, rows: int) -> ListBlock:
        """Return the first so many rows."""
        return self._replace(rows=self.rows[:rows], numbers=self.numbers[:rows])

    def pack(self) -> list[bytes]:
        """Refuse: Python rows stay in memory, where they were."""
        raise NotImplementedError

    def numbered(self, key: str, first: int) -> ListBlock:
        """Return these rows with numbers from `first` on in a field."""
        return self._replace(rows=[{**row, key: number} for number, row in enumerate(self.rows, first)])


class _Stats(NamedTuple):
    """What becomes of the stats in rows: whether they have lines in the stats file, and whether they stay in the rows."""

    has_side_lines: bool = False
    stays: bool = True


class ListPiece:
    """Rows that have left a stage."""

    __slots__ = ("numbers", "row_count", "rows", "stats")
    batch = None
    columns = None
    file = None
    lines = None

    def __init__(self, rows: list[dict[str, Any]], numbers: list[int], stats: _Stats) -> None:
        self.rows = rows
        self.numbers = numbers
        self.row_count = len(rows)
        self.stats = stats

    @property
    def side(self) -> bytes:
        """Lines of the stats file."""
        if not self.stats.has_side_lines:
            return b""
        return b"".join(json_line({name: row[name] for name in (STATS, META) if name in row}) for row in self.rows)

    @classmethod
    def unpack(cls, *parts: bytes) -> ListPiece:
        """Refuse: Python rows never wait on disk."""
        raise NotImplementedError

    def pack(self) -> list[bytes]:
        """Refuse: Python rows stay in memory, where they were."""
        raise NotImplementedError

    def byte_count(self) -> int:
        """Return 0: the rows belong to the caller."""
        return 0

    def counted_from(self, first_line: int) -> ListPiece:
        """Return these rows with line numbers that count from `first_line`."""
        self.numbers = [first_line + number for number in self.numbers]
        return self

    def select(self, mask: bytes, first: int) -> ListPiece:
        """Keep the rows whose byte in ``mask[first:]`` is set."""
        kept = [i for i in range(self.row_count) if mask[first + i]]
        return ListPiece([self.rows[i] for i in kept], [self.numbers[i] for i in kept], self.stats)

    def row_bytes(self) -> list[int]:
        """Return zeros: the rows belong to the caller."""
        return [0] * self.row_count

    @classmethod
    def gatherer(cls, pieces: Sequence[ListPiece]) -> Callable[[array[int]], ListPiece]:
        """Return what makes a piece of some rows of other pieces, numbered through."""
        everything = [row for piece in pieces for row in piece.rows]
        numbers = [number for piece in pieces for number in piece.numbers]

        def gather(rows: array[int]) -> ListPiece:
            # A row that is taken twice must not be one object in the result.
            return cls([dict(everything[row]) for row in rows], [numbers[row] for row in rows], pieces[0].stats)

        return gather

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the rows."""
        return self.rows if self.stats.stays else [without_stats(row) for row in self.rows]


class ListRows:
    """Rows of a Python list."""

    piece = ListPiece
    files = ()
    holds_lines = False
    needs_lines = False
    has_other_columns = False
    longest_row = None
    notices = ()
    left_unread = None

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        keeps_stats: bool = True,
        keeps_hashes: bool = False,
        batch_rows: int = 1000,
    ) -> None:
        self.rows = rows
        self.keeps_stats = keeps_stats
        self.keeps_hashes = keeps_hashes
        self.batch_rows = batch_rows

    def columns(self) -> None:
        """Return None: Python rows have no columns."""
        return

    def empty_block(self) -> None:
        """Return None: Python rows have no columns."""
        return

    def first_columns(self) -> None:
        """Return None: Python rows have no columns."""
        return

    def items(self) -> Iterator[ListBlock]:
        """Cut the list."""
        for first in range(0, len(self.rows), self.batch_rows):
            rows = self.rows[first : first + self.batch_rows]
            yield ListBlock(rows, range(first, first + len(rows)))

    def layouts(self, plan: Plan) -> list[_ListLayout]:
        """How the rows of each stage are written."""
        *first, last = plan.stages
        any_stats = any(stage.stats for stage in plan.stages)
        stats = _Stats(has_side_lines=any_stats, stays=self.keeps_stats or not any_stats)
        inner = [_ListLayout(stage, _Stats(), drops_hashes=False) for stage in first]
        return [*inner, _ListLayout(last, stats, drops_hashes=not self.keeps_hashes)]

    def open(self, block: ListBlock, stage: Stage) -> _native.Batch:
        """Hand the touched fields to native code; rows without a text are rejected."""
        columns: list[list[str | None]] = []
        errors = []
        for path in stage.texts:
            column: list[str | None] = []
            for row_number, row in enumerate(block.rows):
                value = lookup(row, path)
                reason = None if isinstance(value, str) else f"field '{path}' {_spoken(value)}"
                if reason is None and not _is_unicode(value):
                    reason = f"field '{path}' contains a lone surrogate, which is not a Unicode character"
                if reason is not None:
                    errors.append((row_number, reason))
                column.append(value if reason is None else None)
            columns.append(column)
        for name in stage.reserved:
            columns.append([_json_value(row, name) for row in block.rows])
        batch = _native.batch_of_texts(columns, len(block.rows), stage.slot_count)
        if errors:
            batch.reject(errors, -1)
        return batch

    def close(self, block: ListBlock, batch: _native.Batch, layout: _ListLayout) -> ListPiece:
        """Copy the alive rows and set what was assigned."""
        alive = batch.alive
        rows = [dict(block.rows[i]) for i in alive]
        for path, slot in layout.stage.values:
            for row, value in zip(rows, batch.values(slot)):
                assign(row, path, _plain(value))
        if layout.stage.stats:
            names = [name for name, _, _ in layout.stage.stats]
            columns = [batch.values(slot) for _, slot, _ in layout.stage.stats]
            for row, values in zip(rows, zip(*columns)):
                row[STATS] = {**(row.get(STATS) or {}), **dict(zip(names, values))}
        if layout.drops_hashes:
            for row in rows:
                for name in HASHES:
                    row.pop(name, None)
        return ListPiece(rows, [block.numbers[i] for i in alive], layout.stats)

    def reopen(self, piece: ListPiece, mask: bytes, first: int) -> ListBlock:
        """Make the kept rows of a piece the input of the next stage."""
        kept = piece.select(mask, first)
        return ListBlock(kept.rows, kept.numbers)


class _ListLayout(NamedTuple):
    stage: Stage
    stats: _Stats
    drops_hashes: bool


def lookup(row: Mapping[str, Any], path: str) -> Any:
    """Value of a field: the whole dotted name as one key first, then step by step; `MISSING` when there is none."""
    if path in row:
        return row[path]
    head, dot, rest = path.partition(".")
    inner = row.get(head)
    return lookup(inner, rest) if dot and isinstance(inner, Mapping) else MISSING


def assign(row: dict[str, Any], path: str, value: Any) -> None:
    """Set a field where `lookup` finds it; a missing one becomes a new key. Nested mappings are copied, not changed."""
    head, dot, rest = path.partition(".")
    if path not in row and dot and isinstance(row.get(head), Mapping) and lookup(row[head], rest) is not MISSING:
        row[head] = dict(row[head])
        assign(row[head], rest, value)
    else:
        row[path] = value


def without_stats(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row without its stats and meta."""
    return {k: v for k, v in row.items() if k not in (STATS, META)}


def _spoken(value: Any) -> str:
    if value is MISSING:
        return "is missing"
    return "is null" if value is None else f"is not a string but {_kind_of(value)}"


def _kind_of(value: Any) -> str:
    """Return what a value is in JSON, in the words that a line of JSON gets; for another value the name of its type."""
    kinds = {bool: "a boolean", int: "a number", float: "a number", list: "a list", tuple: "a list", dict: "an object"}
    return kinds.get(type(value), f"a value of type {type_name(value)}")


def _json_value(row: Mapping[str, Any], path: str) -> str | None:
    """JSON of a field of any type, None when it is missing. A reserved field that is null is missing."""
    value = lookup(row, path)
    if value is MISSING or (value is None and path in RESERVED):
        return None
    return json.dumps(value, default=str)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> Any:
    """Hashes as the texts that files hold: digests as hexadecimal, numbers as decimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list) and value and isinstance(value[0], int):
        return str(value[0]) if len(value) == 1 else [str(v) for v in value]
    return value
