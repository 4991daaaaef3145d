"""Rows of tables and lists as JSON lines, for OPs that may give fields any value or take rows as a whole."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from djfast.io.json_rows import JsonBlock, JsonRows
from djfast.io.splits import Split
from djfast.json_bytes import as_json
from djfast.plan.steps import Plan

if TYPE_CHECKING:
    from djfast.io.arrow_rows import UnreadRow


class LineRows(JsonRows):
    """Rows of another carrier, written as JSON lines.

    Parameters
    ----------
    rows : ArrowRows or ListRows
        Where the rows come from. Values that JSON does not have are written as `djfast.io.arrow_json` says.
    joins : int
        How often rows are joined on their way, which makes lists of the values of all columns.
    """

    def __init__(self, rows: Any, *, joins: int = 0) -> None:
        super().__init__(
            getattr(rows, "files", ()),
            batch_bytes=getattr(rows, "batch_bytes", 0),
            keeps_stats=getattr(rows, "keeps_stats", True),
            keeps_hashes=rows.keeps_hashes,
        )
        self._source = rows
        self._joins = joins

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
        return map(_lines, self._source.items())

    def read(self, split: Split) -> Iterator[JsonBlock]:
        """Read the rows of a split."""
        return map(_lines, self._source.read(split))


def carried_for(plan: Plan, rows: Any) -> Any:
    """Return the rows in the form that a plan needs them in."""
    if rows.holds_lines or not (plan.needs_lines or rows.needs_lines):
        return rows
    return LineRows(rows, joins=sum(stage.group is not None for stage in plan.stages))


def _lines(block: Any) -> JsonBlock:
    if hasattr(block, "rows"):
        lines = [json.dumps(row, ensure_ascii=False, default=as_json) for row in block.rows]
    else:
        from djfast.io.arrow_json import json_lines

        lines = json_lines(block.batch)
    unread: Mapping[int, UnreadRow] = getattr(block, "unread", {})
    for position, row in unread.items():
        lines[position] = _one_line(row.content) or lines[position]
    # Only the content of unread rows has bytes that are no UTF-8.
    data = "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape" if unread else "backslashreplace")
    numbers = array("Q", block.numbers).tobytes()
    reasons = {position: row.reason for position, row in unread.items()}
    return JsonBlock(data, len(data), block.file or "", numbers, block.lines, block.byte_count, reasons)


def _one_line(content: str | None) -> str:
    """Return what stands in the file for a row that could not be read, with its line feeds escaped; white space is nothing."""
    return "" if content is None or not content.strip() else content.replace("\r", "\\r").replace("\n", "\\n")
