"""What a running job shows: one live line on a terminal, a plain line every ten seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import IO

from djfast.redaction import lines_of
from djfast.runners.report import Tally

_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 10.0


class Progress:
    """Shows rows/s, MB/s and the funnel so far.

    Parameters
    ----------
    stream : file
        Usually standard error.
    is_quiet : bool
        Show nothing.
    clock : callable
        Seconds that only grow; tests pass their own.
    """

    def __init__(
        self, stream: IO[str] | None = None, *, is_quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stream = stream or sys.stderr
        self.is_quiet = is_quiet
        self.clock = clock
        self.is_terminal = not is_quiet and self.stream.isatty()
        self._period = _TERMINAL_SECONDS if self.is_terminal else _LOG_SECONDS
        self._started = clock()
        self._next = self._started + self._period
        self._lines = 0

    def update(self, tally: Tally) -> None:
        """Show the state if it is time to."""
        if self.is_quiet or (now := self.clock()) < self._next:
            return
        self._next = now + self._period
        elapsed = now - self._started
        line = f"{tally.rows_read:,} rows, {tally.rows_read / elapsed:,.0f} rows/s, {tally.bytes_read / 1e6 / elapsed:.1f} MB/s"
        if self.is_terminal:
            self._redraw([line, *self._funnel(tally)])
        else:
            self.stream.write(f"djfast: {line}; " + ", ".join(self._funnel(tally)) + "\n")
        self.stream.flush()

    def note(self, text: str) -> None:
        """Show a line of its own."""
        if not self.is_quiet:
            self.clear()
            self.stream.write(lines_of(f"djfast: {text}") + "\n")
            self.stream.flush()

    def _funnel(self, tally: Tally) -> list[str]:
        return [
            f"{name} {tally.rows_in.get(i, 0):,} > {tally.rows_out.get(i, 0):,}"
            for i, name in tally.names.items()
            if i in tally.rows_in
        ]

    def _redraw(self, lines: list[str]) -> None:
        self.clear()
        self.stream.write("".join(f"{line[:160]}\n" for line in lines))
        self._lines = len(lines)

    def clear(self) -> None:
        """Remove the live lines."""
        if self._lines:
            self.stream.write(f"\x1b[{self._lines}A\x1b[J")
            self._lines = 0
