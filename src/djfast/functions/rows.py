"""Rows that functions take as a whole: texts inside them, and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from djfast.type_names import spoken_type

Row = dict[str, Any]


def path_of(row: Row, key: str) -> list[str]:
    """Return the steps to a field: a name that has the dots itself goes before nested fields."""
    return [key] if key in row else key.split(".")


def text_at(row: Row, path: Sequence[str]) -> str:
    """Return the text of a field.

    Raises
    ------
    TypeError
        If there is none, or it is not a string.
    """
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str):
        raise TypeError(f"field '{'.'.join(path)}' must be a string, got {spoken_type(value)}")
    return value


def with_text(row: Row, path: Sequence[str], text: str) -> Row:
    """Return a copy of a row with another text; what lies beside its path is shared."""
    name, *inner = path
    return {**row, name: with_text(row[name], inner, text) if inner else text}


def alike_together(
    function: Callable[[list[Row]], list[Any]], likeness: Callable[[Row], Any]
) -> Callable[[list[Row]], list[Any]]:
    """Return a function of a batch of rows that hands over together only rows that are alike.

    So what a function makes of a row does not depend on how the rows beside it look. A function that gives back another number
    of rows, as the list of them for the first one, gets rows that follow each other, so that their order is kept.
    """

    def called(rows: list[Row]) -> list[Any]:
        kinds = [likeness(row) for row in rows]
        if len(set(kinds)) <= 1:
            return function(rows)
        places: dict[Any, list[int]] = {}
        for place, kind in enumerate(kinds):
            places.setdefault(kind, []).append(place)
        answers: list[Any] = [None] * len(rows)
        for some in places.values():
            for place, answer in zip(some, function([rows[place] for place in some])):
                answers[place] = answer
        if not any(isinstance(answer, list) for answer in answers):
            return answers
        runs = groupby(zip(kinds, rows), key=itemgetter(0))
        return [answer for _, run in runs for answer in function([row for _, row in run])]

    return called


def alone_when_it_fails(function: Callable[[list[Row]], list[Any]]) -> Callable[[list[Row]], list[Any]]:
    """Return a function of a batch of rows that calls with each row alone where a call fails, so that only bad rows are lost.

    The answer for a bad row is its exception.
    """

    def guarded(rows: list[Row]) -> list[Any]:
        try:
            return function(rows)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if len(rows) <= 1:
                return [error] * len(rows)
            return [answer for row in rows for answer in guarded([row])]

    return guarded
