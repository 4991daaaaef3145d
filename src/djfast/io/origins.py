"""Which file each row of a block came from: one name for all rows, or one for each, joined by NUL, which no name contains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

_NUL = "\0"


@lru_cache(maxsize=16)  # a block may be asked about many of its rows, one at a time
def _split(names: str) -> list[str]:
    return names.split(_NUL)


def origin(names: str | None, row: int) -> str | None:
    """Return the file of one row."""
    return _split(names)[row] if names is not None and _NUL in names else names


def origins(names: str | None, rows: int) -> Sequence[str | None]:
    """Return the files of all rows, one for each."""
    return names.split(_NUL) if names is not None and _NUL in names else [names] * rows


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
