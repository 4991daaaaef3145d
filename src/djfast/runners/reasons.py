"""Why rows were rejected: counted by OP and reason, each with one example."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from djfast.records import NamedTuple
from djfast.redaction import on_one_line

if TYPE_CHECKING:
    from djfast.runners.rejected import Rejected

SHOWN = 3  # reasons that a summary names

_MOST_REASONS = 1000  # that are told apart; reasons may hold what a row says, so their number has no bound of its own
_LONGEST = 300  # characters of a reason that are kept
_MOST_FIELDS = 12


class RejectedReason(NamedTuple):
    """Rows that one OP rejected for one reason. `example` is the place of the first of them."""

    op: str
    reason: str
    rows: int
    example: str

    def line(self) -> str:
        """Return it in words."""
        return on_one_line(f"{self.rows:,} x {self.op}: {self.reason} ({self.example})")


class ReasonCounts:
    """Counts rejected rows by OP and reason; reasons that differ in numbers only are one."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], RejectedReason] = {}

    def add(self, rejected: Rejected) -> None:
        """Count one row."""
        reason = rejected.reason[:_LONGEST]
        key = (rejected.op, re.sub(r"\d+", "#", reason))
        known = self._counts.get(key)
        if known is None and len(self._counts) >= _MOST_REASONS:
            key, reason = (rejected.op, ""), "other reasons"
            known = self._counts.get(key)
        if known is None:
            known = RejectedReason(rejected.op, reason + _fields_of(rejected), 0, rejected.place())
        self._counts[key] = known._replace(rows=known.rows + 1)

    def most_frequent(self, count: int = SHOWN) -> tuple[RejectedReason, ...]:
        """Return the reasons of most rows; of equal ones the first that came."""
        return tuple(sorted(self._counts.values(), key=lambda each: -each.rows)[:count])


def reason_lines(reasons: Sequence[RejectedReason], rejected: int) -> list[str]:
    """Return one line per reason, and how many rows were rejected for others."""
    lines = [f"  {each.line()}" for each in reasons]
    rest = rejected - sum(each.rows for each in reasons)
    return [*lines, f"  {rest:,} x other reasons"] if rest > 0 and reasons else lines


def _fields_of(rejected: Rejected) -> str:
    """Say which fields the row has, if it lacks one: the recipe may spell it otherwise."""
    if not rejected.reason.startswith("field '") or not rejected.reason.endswith("is missing"):
        return ""
    row: Any = rejected.row
    if isinstance(row, bytes):
        text = row.decode("utf-8", "replace")
        try:
            row = json.loads(text) if text.lstrip().startswith("{") else json.loads("{" + text + "}").get("row")
        except (ValueError, RecursionError):
            return ""
    if not isinstance(row, dict):
        return ""
    names = [repr(name)[:40] for name in row]
    shown = ", ".join(names[:_MOST_FIELDS]) + (", ..." if len(names) > _MOST_FIELDS else "")
    return f"; the fields of this row are {shown}" if names else "; this row has no fields"
