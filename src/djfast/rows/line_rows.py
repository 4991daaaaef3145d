"""Rows of tables and lists as JSON lines, for OPs that may give fields any value or take rows as a whole."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from djfast.io.read.splits import Split
from djfast.plan.steps import Plan
from djfast.rows.json_rows import JsonBlock, JsonRows

if TYPE_CHECKING:
    from djfast.io.read.arrow_block import UnreadRow
    from djfast.rows.carrier import Carrier

_AS_IN_JSON = (str, int, float, bool, type(None))  # types whose values are the same when they are parsed again


class LineRows(JsonRows):
    """Rows of another carrier, written as JSON lines.

    Parameters
    ----------
    rows : ArrowRows or ListRows
        Where the rows come from. Values that JSON does not have are written as `djfast.io.arrow_json` says.
    joins : int
        How often rows are joined on their way, which makes lists of the values of all columns.
    """

    def __init__(self, rows: Carrier, *, joins: int = 0) -> None:
        super().__init__(
            rows.files,
            batch_bytes=0,
            keeps_stats=rows.keeps_stats,
            keeps_hashes=rows.keeps_hashes,
        )
        self._source: Any = rows
        self._joins = joins
        self._longest_row: int | None = rows.longest_row

    def columns(self) -> Any:
        """Return the schema that the rows had before they became lines, None if they had none."""
        schema = self._source.columns()
        if schema is not None:
            from djfast.io.arrow_json import without_json

            schema = without_json(schema)
        for _ in range(self._joins if schema is not None else 0):
            import pyarrow as pa

            schema = pa.schema([pa.field(field.name, pa.list_(field.type)) for field in schema])
        return schema

    def items(self) -> Iterator[JsonBlock]:
        """Read all rows."""
        return map(self._lines, self._source.items())

    def read(self, split: Split) -> Iterator[JsonBlock]:
        """Read the rows of a split."""
        return map(self._lines, self._source.read(split))

    def _lines(self, block: Any) -> JsonBlock:
        if self._longest_row is not None and block.batch is not None:
            from djfast.rows.arrow_rows import without_long_rows

            block = without_long_rows(block, self._longest_row)
        return _lines(block)


def carried_for(plan: Plan, rows: Carrier) -> Any:
    """Return the rows in the form that a plan needs them in."""
    may_be_mixed = plan.selects and rows.has_other_columns
    if rows.holds_lines or not (plan.needs_lines or rows.needs_lines or may_be_mixed):
        return rows
    return LineRows(rows, joins=sum(stage.group is not None for stage in plan.stages))


def _lines(block: Any) -> JsonBlock:
    unread: Mapping[int, UnreadRow] = getattr(block, "unread", {})
    if block.batch is None:
        lines, unread = _lines_of_rows(block.rows)
    else:
        from djfast.io.arrow_json import json_lines

        lines = json_lines(block.batch)
    for position, row in unread.items():
        lines[position] = _one_line(row.content) or lines[position]
    # Only the content of unread rows has bytes that are no UTF-8.
    data = "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape" if unread else "backslashreplace")
    numbers = array("Q", block.numbers).tobytes()
    reasons = {position: row.reason for position, row in unread.items()}
    return JsonBlock(data, len(data), block.file or "", numbers, block.lines, block.byte_count, reasons)


def _lines_of_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], Mapping[int, UnreadRow]]:
    """Return Python rows as lines, and those that JSON has no values for."""
    from djfast.io.read.arrow_block import UnreadRow

    lines: list[str] = []
    unread: dict[int, UnreadRow] = {}
    for position, row in enumerate(rows):
        try:
            lines.append(_json(row))
        except (TypeError, ValueError, RecursionError) as error:
            unread[position] = UnreadRow(str(error))
            lines.append("null")
    return lines, unread


def restored(rows: list[dict[str, Any]], numbers: bytes, given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give rows that were carried as lines the very values of the rows that they came from, where these still stand.

    `numbers` are the positions of their origins in `given`, 64 bits each.
    """
    for row, number in zip(rows, array("Q", numbers)):
        for name, value in given[number].items():
            if name in row and type(value) not in _AS_IN_JSON and _json(value) == _json(row[name]):
                row[name] = value
    return rows


def _json(value: Any) -> str:
    from djfast.plain_values import plain_row_value  # whose imports a run of files need not wait for

    return json.dumps(value, ensure_ascii=False, default=plain_row_value)


def _one_line(content: str | None) -> str:
    """Return what stands in the file for a row that could not be read, with its line feeds escaped; white space is nothing."""
    return "" if content is None or not content.strip() else content.replace("\r", "\\r").replace("\n", "\\n")
