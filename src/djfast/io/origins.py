"""Which file each row of a block came from: one name for all rows, or one for each, joined by NUL, which no name contains."""

from __future__ import annotations

from collections.abc import Iterable

_NUL = "\0"


def origin(names: str | None, row: int) -> str | None:
    """Return the file of one row."""
    return names.split(_NUL)[row] if names is not None and _NUL in names else names


def origins_of(names: str | None, rows: Iterable[int]) -> str | None:
    """Return the files of some of the rows, in their order."""
    if names is None or _NUL not in names:
        return names
    each = names.split(_NUL)
    return joined(each[row] for row in rows)


def joined(names: Iterable[str | None]) -> str | None:
    """Join the files of rows into one text."""
    each = list(names)
    if len(set(each)) < 2:
        return each[0] if each else None
    return _NUL.join(name or "" for name in each)
