"""Which file each row of a block came from: one name for all rows, or one for each, joined by NUL, which no name contains."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

_NUL = "\0"


@lru_cache(maxsize=4)  # a block may be asked about many of its rows, one at a time
def _split(names: str) -> list[str]:
    return names.split(_NUL)


class Origins:
    """The files of rows.

    Parameters
    ----------
    names : str or None
        One name, or one for each row joined by NUL; None when the rows come from no file.
    """

    def __init__(self, names: str | None) -> None:
        self._each = _split(names) if names is not None and _NUL in names else None
        self._all = names

    @classmethod
    def joined(cls, parts: Sequence[tuple[str | None, int]]) -> Origins:
        """Return the files of the rows of several parts, given as names and number of rows."""
        names = {names for names, _ in parts}
        if len(names) == 1 and _NUL not in (parts[0][0] or ""):
            return cls(parts[0][0])
        every = cls(None)
        every._each = []
        for part, rows in parts:
            every._each += _split(part) if part and _NUL in part else [part or ""] * rows
        return every

    def of(self, rows: Sequence[int]) -> str | None:
        """Return the files of some of the rows, in their order, as they are given to the constructor."""
        if self._each is None:
            return self._all
        names = [self._each[row] for row in rows]
        return _NUL.join(names) if len(set(names)) > 1 else names[0] if names else None


class OriginLog:
    """Where each row of a result came from, in a file: rows that have no place in the result are found in the end."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(path, "wb")  # noqa: SIM115 - closed by its owner

    def write(self, rows: int, file: str | None, numbers: Iterable[int]) -> None:
        """Take the next rows: their files, as `Origins` takes them, and their numbers in these."""
        places = array("Q", numbers).tobytes()
        head = json.dumps([rows, file, len(places)]).encode()
        self._file.write(head + b"\n" + places)

    def close(self) -> None:
        """Take no more rows."""
        self._file.close()

    def places(self, rows: Iterable[int]) -> Iterator[tuple[str | None, int]]:
        """Yield file and number of some rows, in ascending order; the number is that in the result where there is no other."""
        wanted = iter(rows)
        row = next(wanted, None)
        first = 0
        with open(self.path, "rb") as file:
            while row is not None and (head := file.readline()):
                count, names, size = json.loads(head)
                numbers = array("Q", file.read(size))
                while row is not None and row < first + count:
                    yield Origins(names).of([row - first]) or None, numbers[row - first] if numbers else row
                    row = next(wanted, None)
                first += count
