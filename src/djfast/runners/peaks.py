"""What blocks take of memory on their way through a plan, as the kernel counts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from djfast import _native
from djfast.records import NamedTuple


class Peak(NamedTuple):
    """Bytes of a block, and of the process: while it was read, when it was there, while it was worked on, and written."""

    block: int
    reading: int
    read: int
    working: int
    writing: int


class Peaks:
    """The peaks of this process for some blocks."""

    def __init__(self) -> None:
        self._peaks: list[Peak] = []
        self._before_writing = 0  # the peak of the work on the present block, if it is written already

    @property
    def largest(self) -> int:
        """Return the bytes of the largest block."""
        return max((peak.block for peak in self._peaks), default=0)

    def of(self, blocks: Iterable[Any]) -> Iterator[Any]:
        """Yield blocks; what is done with one before the next is asked for is work on it."""
        at_rest()
        _begin()
        for block in blocks:
            size, reading, read = int(block.byte_count), _peak(), at_rest()
            _begin()
            try:
                yield block
            finally:  # nobody may ask for another one
                last = _peak()
                self._peaks.append(Peak(size, reading, read, self._before_writing or last, last))
                self._before_writing = 0
            del block  # the next one begins with nothing in memory
            at_rest()
            _begin()

    def write(self, piece: Callable[[], object]) -> None:
        """Write what became of a block, which threads do not do at the same time."""
        self._before_writing = _peak()
        _begin()
        piece()

    def reading(self, rest: int) -> int:
        """Return the bytes that reading takes beside a block and what the process has `at_rest`."""
        return max(0, max(peak.reading - peak.block for peak in self._large()) - rest)

    def working(self) -> int:
        """Return the bytes that work takes beside the block."""
        return max(peak.working - peak.read for peak in self._large())

    def writing(self) -> int:
        """Return the bytes that writing takes beside the block."""
        return max(0, max(peak.writing - peak.read for peak in self._large()))

    def alone(self, rest: int) -> int:
        """Return the bytes that a block takes from reading it to its result, if none other is there."""
        return max(0, max(max(peak.reading, peak.working, peak.writing) for peak in self._large()) - rest)

    def _large(self) -> list[Peak]:
        return [peak for peak in self._peaks if 2 * peak.block >= self.largest]


def at_rest() -> int:
    """Return the bytes of this process in memory, after what nobody uses went back to the system."""
    _native.release_memory()
    if "pyarrow" in sys.modules:
        import pyarrow as pa

        pa.default_memory_pool().release_unused()
    return _resident()


def _begin() -> None:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # which makes the peak what is in memory now


def _peak() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
