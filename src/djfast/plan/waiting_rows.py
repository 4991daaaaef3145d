"""OPs that a plan adds for parameters all OPs have: rows wait before an OP, and are numbered or written in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from djfast.declare import Filter, Op, Selection, Selector, param


class RowNumbers(Selector, name="row_numbers", is_listed=False):
    """Gives every row its number, from 0, in the field that an OP's `index_key` names. The OP stands behind it."""

    key: str = param("Field of the number.", default="")

    def selection(self) -> Selection:
        """Take all rows, numbered."""
        return Selection("numbered", number_key=self.key)


class RowsFile(Selector, name="rows_file", is_listed=False):
    """Writes the rows that come to it to a file of JSON lines."""

    path: str = param("The file.", default="")
    field: str | None = param("What of a row is written; null is all of it.", default=None)

    def selection(self) -> Selection:
        """Take all rows, and write them."""
        return Selection("written", path=self.path, written_field=self.field)


def with_waiting_rows(ops: Sequence[Op]) -> Iterator[Op]:
    """Yield OPs, and before them what numbers or writes the rows that come to them."""
    for op in ops:
        if op.index_key is not None:
            yield RowNumbers(key=op.index_key)
        given: dict[str, Any] = op.__dict__
        if given.get("stats_export_path"):
            yield from _measured(op)
            yield RowsFile(path=given["stats_export_path"])
        if given.get("batch_meta_export_path"):
            yield RowsFile(path=given["batch_meta_export_path"], field="__dj__batch_meta__")
        yield op


def _measured(op: Op) -> Iterator[Op]:
    """Yield a filter that writes the stats of another one and keeps every row, if it can be told apart."""
    if isinstance(op, Filter) and op.rewrite() is None:
        kind = type(type(op).__name__, (type(op),), {"keep": lambda self: None})
        measuring: Op = object.__new__(kind)
        measuring.__dict__.update(op.__dict__)
        yield measuring
