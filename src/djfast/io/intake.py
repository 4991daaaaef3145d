"""How much of its files a run has read, which tells how far it is: nobody counts rows before the run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

_reading = threading.local()


def took(size: float) -> None:
    """Count bytes of a file, as they lie on disk, for the run that the calling thread reads for, if it does."""
    intake = getattr(_reading, "intake", None)
    if intake is not None:
        intake.taken += size


@contextmanager
def only_looking() -> Iterator[None]:
    """Within this, nothing is counted: it is read again later."""
    intake = getattr(_reading, "intake", None)
    _reading.intake = None
    try:
        yield
    finally:
        _reading.intake = intake


class Intake:
    """The files of a run on their way in.

    Parameters
    ----------
    total : float
        Bytes of all files, as they lie on disk, where they are known.
    most_rows : int or None
        Rows after which no more are read; None is no limit.
    """

    def __init__(self, total: float = inf, *, most_rows: int | None = None) -> None:
        self.total = total
        self._most_rows = most_rows
        self.taken = 0.0
        self._blocks_bytes = 0

    def blocks(self, blocks: Iterator[Any]) -> Iterator[Any]:
        """Yield blocks that are read, and count what that takes of the files."""
        while True:
            _reading.intake = self
            try:
                block = next(blocks, None)
            finally:
                _reading.intake = None
            if block is None:
                return
            self._blocks_bytes += block.byte_count
            yield block

    def bytes_of(self, done: int) -> float:
        """Return the bytes of the files that blocks of `done` bytes come from: blocks are larger than what is compressed."""
        if not self._blocks_bytes:
            return 0.0
        return min(self.taken, self.total) * min(1.0, done / self._blocks_bytes)

    def share_of(self, done: int, rows: int) -> float | None:
        """Return the same as a share of all, from 0 to 1, when so many rows came of it; None if the files have no bytes."""
        of_rows = rows / self._most_rows if self._most_rows else 0.0
        return max(of_rows, self.bytes_of(done) / self.total) if self.total else None
