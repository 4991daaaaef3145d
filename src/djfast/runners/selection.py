"""What a selection takes: the numbers of rows, in the order in which they come out, once the values of all rows are known."""

from __future__ import annotations

import heapq
import json
from array import array
from collections.abc import Iterable, Sequence
from itertools import islice
from math import fsum
from operator import lt
from typing import Any

from djfast.declare import Selection
from djfast.errors import SchemaError
from djfast.runners.permutation import permutation

Value = bool | int | float | str | None

_LARGEST_EXACT = 1 << 53  # doubles tell all integers up to here apart
_BEYOND_ALL = float((1 << 63) - 1)  # stands for what is not a number; Data-Juicer's constant


def read_values(fields: Sequence[str], selection: Selection) -> tuple[list[Value], list[tuple[int, str]]]:
    """Read the JSON of a field, row by row; the empty text is a missing field.

    Returns
    -------
    list of values
        None for null and missing. For a selection of numbers, what is none is beyond all numbers, on the side that comes
        last. Rows with an error are left out.
    list of (int, str)
        Positions of the rows whose value cannot be compared, and why.
    """
    values = _parsed(fields)
    if selection.as_numbers:
        no_number = -_BEYOND_ALL if selection.descending else _BEYOND_ALL
        return [value if type(value) is float else number_of(value, no_number) for value in values], []
    if not {list, dict} & set(map(type, values)):
        return values, []
    errors = [
        (row, f"its value is a {'list' if isinstance(value, list) else 'mapping'}, which has no order")
        for row, value in enumerate(values)
        if isinstance(value, list | dict)
    ]
    return [value for value in values if not isinstance(value, list | dict)], errors


def _parsed(fields: Sequence[str]) -> list[Any]:
    try:
        return list(json.loads(f"[{','.join(field or 'null' for field in fields)}]"))
    except ValueError:  # an integer of more digits than Python converts
        return [_value(field or "null") for field in fields]


def _value(field: str) -> Any:
    try:
        return json.loads(field)
    except ValueError:
        return json.loads(field, parse_int=float)


def number_of(value: Any, no_number: float) -> float:
    """Read a JSON value as a number: a text by the number that it spells, a list by its mean."""
    try:
        return float(value) if isinstance(value, str) else _mean(value)
    except (TypeError, ValueError, ArithmeticError):
        return no_number


def _mean(value: Any) -> float:
    if isinstance(value, list):
        return fsum(map(_mean, value)) / len(value)
    if isinstance(value, int | float):
        return float(value)
    raise TypeError("no number")


class RowValues:
    """Values of the rows so far: eight bytes each, while they are numbers that doubles tell apart."""

    def __init__(self, field: str) -> None:
        self.field = field
        self.items: array[float] | list[Any] = array("d")
        self.absent = array("Q")  # rows that have no value; what `items` holds for them means nothing
        self._is_text: bool | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.items)

    def add(self, values: Sequence[Value]) -> None:
        """Take the values of the next rows.

        Raises
        ------
        SchemaError
            If there are texts and numbers.
        """
        kinds = set(map(type, values))
        if type(None) in kinds:
            self.absent.extend(row for row, value in enumerate(values, len(self.items)) if value is None)
            values = [0.0 if value is None else value for value in values]
            kinds.remove(type(None))
        for is_text in {kind is str for kind in kinds}:
            if self._is_text not in (None, is_text):
                raise SchemaError(f"field '{self.field}' has strings and numbers, which have no common order")
            self._is_text = is_text
        if isinstance(self.items, array) and (self._is_text or (int in kinds and not all(map(_is_exact, values)))):
            self.items = list(self.items)
        self.items.extend(values)  # type: ignore[arg-type]


def _is_exact(value: Any) -> bool:
    return isinstance(value, float) or -_LARGEST_EXACT <= value <= _LARGEST_EXACT


class RowGroups:
    """Rows by value: a number for each distinct value, in the order of appearance, and eight bytes for each row."""

    def __init__(self) -> None:
        self.groups: dict[Value, int] = {}
        self.rows = array("Q")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def add(self, values: Iterable[Value]) -> None:
        """Take the values of the next rows."""
        groups = self.groups
        self.rows.extend(groups.setdefault(value, len(groups)) for value in values)


class RowCount:
    """Rows whose values are not looked at."""

    def __init__(self) -> None:
        self._rows = 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows

    def add(self, values: Sequence[Value]) -> None:
        """Count the next rows."""
        self._rows += len(values)


def values_for(selection: Selection, field: str) -> RowValues | RowGroups | RowCount:
    """Return what collects the values that a selection asks for."""
    if selection.kind == "frequent":
        return RowGroups()
    return RowCount() if selection.kind in ("random", "numbered", "written") else RowValues(field)


def chosen(selection: Selection, values: RowValues | RowGroups | RowCount) -> Sequence[int]:
    """Return the rows that a selection takes, in their new order; a row may be there several times."""
    return range(len(values)) if len(values) < 2 else chosen_of_many(selection, values)


def chosen_of_many(selection: Selection, values: RowValues | RowGroups | RowCount) -> Sequence[int]:
    """Choose from candidates that stand for many rows. Unlike `chosen`, this applies the limits even to a single candidate."""
    if isinstance(values, RowGroups):
        return _frequent(selection, values)
    if isinstance(values, RowCount):
        if selection.kind != "random":
            return range(len(values))
        return _random(selection, len(values))
    return _range(selection, values) if selection.kind == "range" else _top(selection, values)


def limit_of(selection: Selection, rows: int) -> tuple[int, int]:
    """Return the range of ranks that a selection takes of `rows` rows; its kind says whether rank 0 is the smallest value."""
    if selection.kind != "range":
        return 0, min(_limit(selection, rows), rows)
    low = max(int((selection.low_share or 0) * rows), selection.low_limit or 0)
    high = rows if selection.share is None else int(selection.share * rows)
    if selection.limit is not None:
        high = min(high, selection.limit)
    return low, max(low, high)


def _limit(selection: Selection, available: int) -> int:
    """Combine share and limit; the share is of what is available."""
    if selection.share is None:
        return selection.limit or 0
    share = selection.share * available
    return int(share if selection.limit is None else min(share, selection.limit))


def _top(selection: Selection, values: RowValues) -> Sequence[int]:
    rows: Sequence[int] = range(len(values))
    _, limit = limit_of(selection, len(values))
    if values.absent:
        absent = set(values.absent)
        rows = array("Q", (row for row in rows if row not in absent))
    taken = _leading(limit, rows, values.items, descending=selection.descending)
    return array("Q", [*taken, *values.absent[: limit - len(taken)]])


def _range(selection: Selection, values: RowValues) -> Sequence[int]:
    low, high = limit_of(selection, len(values))
    smallest = _leading(high, range(len(values)), values.items, descending=False)
    return array("Q", _leading(high - low, smallest, values.items, descending=True))


def _leading(count: int, rows: Sequence[int], values: Sequence[Any], *, descending: bool) -> list[int]:
    """Return the first `count` of the rows sorted by their values; equal ones stay in order.

    A heap holds no more than it returns, and is what Data-Juicer takes: the answer is the same even where NaN, which has
    no order, decides it. Sorting is faster where much is returned.
    """
    if count * 8 < len(rows) or (isinstance(values, array) and any(value != value for value in values)):
        leading = heapq.nlargest if descending else heapq.nsmallest
        return leading(count, rows, key=values.__getitem__)
    return sorted(rows, key=values.__getitem__, reverse=descending)[:count]


def _frequent(selection: Selection, values: RowGroups) -> Sequence[int]:
    counts = [0] * len(values.groups)
    for group in values.rows:
        counts[group] += 1
    by_frequency = sorted(range(len(counts)), key=counts.__getitem__, reverse=selection.descending)
    taken = {group: array("Q") for group in by_frequency[: _limit(selection, len(counts))]}
    for row, group in enumerate(values.rows):
        if group in taken:
            taken[group].append(row)
    order = array("Q")
    for rows in taken.values():
        order.extend(rows)
    return order


def _random(selection: Selection, rows: int) -> Sequence[int]:
    wanted = _limit(selection, rows)
    if wanted in (0, rows):
        return range(rows)
    shuffled = permutation(rows)
    return shuffled * (wanted // rows) + shuffled[: wanted % rows]


def is_ascending(order: Sequence[int]) -> bool:
    """Tell whether chosen rows keep their order, each once."""
    return isinstance(order, range) or all(map(lt, order, islice(order, 1, None)))


def mask_of(rows: Sequence[int], count: int) -> bytes:
    """One byte for each of `count` rows, 1 for those that are named."""
    mask = bytearray(count)
    for row in rows:
        mask[row] = 1
    return bytes(mask)
