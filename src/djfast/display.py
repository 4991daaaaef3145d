"""How a data set looks in a terminal and in a notebook: its fields, and its first rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN_ROWS = 5
_MOST_FIELDS = 20
_WIDEST = 60  # characters of a value

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", bytes: "bytes", type(None): "null"}


def as_text(title: str, rows: Sequence[Mapping[str, Any]] | None, note: str = "") -> str:
    """Return a data set as lines of text."""
    lines = [title]
    if rows:
        lines.append(", ".join(f"{name}: {kind}" for name, kind in list(fields_of(rows).items())[:_MOST_FIELDS]))
        lines += [_shown_row(row) for row in rows]
    return "\n".join([*lines, note] if note else lines)


def as_html(title: str, rows: Sequence[Mapping[str, Any]] | None, note: str = "") -> str:
    """Return a data set as a table of HTML."""
    from html import escape

    parts = [f"<p>{escape(title)}</p>"]
    if rows:
        fields = dict(list(fields_of(rows).items())[:_MOST_FIELDS])
        head = "".join(f"<th>{escape(name)}<br><small>{escape(kind)}</small></th>" for name, kind in fields.items())
        lines = ([f"<td>{escape(_cut(row[name])) if name in row else ''}</td>" for name in fields] for row in rows)
        body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in lines)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    return "".join([*parts, f"<p>{escape(note)}</p>"] if note else parts)


def fields_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the fields of some rows with their types, in the order in which they first come."""
    kinds: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, value in row.items():
            kinds.setdefault(name, {})[_kind(value)] = None
    return {name: " or ".join(each for each in found if each != "null" or len(found) == 1) for name, found in kinds.items()}


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "object"
    if isinstance(value, list | tuple):
        return "list"
    return _TYPES.get(type(value), type(value).__name__)


def _shown_row(row: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{name!r}: {_cut(value)}" for name, value in list(row.items())[:_MOST_FIELDS]) + "}"


def _cut(value: Any) -> str:
    """Return how a value is written, without writing all of a long one."""
    from reprlib import Repr

    short = Repr()
    short.maxstring = short.maxother = _WIDEST
    text = short.repr(value)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."
