"""Standard output as a result: lines of JSON that go once, from one process."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from djfast.errors import RecipeError
from djfast.io.durable import writing
from djfast.io.write.collected import ResultRows, Unfit, lines_of

_output = 1  # the descriptor that results go to


class ReaderGone(BrokenPipeError):
    """Whoever read the result has enough, as ``head`` has."""


class StandardOutput:
    """A result on standard output, row for row as it is made."""

    names_rows = False

    def expect(self, columns: Callable[[], Any], *, as_lines: bool) -> None:
        """Take any columns: lines have a place for all."""

    def write(self, piece: ResultRows) -> None:
        """Write the next rows.

        Raises
        ------
        ReaderGone, OutputError
        """
        view = memoryview(b"".join(lines_of(piece)) if piece.lines is None else piece.lines)
        with writing("standard output", setting="export_path"):
            while view:
                try:
                    view = view[os.write(_output, view) :]
                except BrokenPipeError as error:
                    raise ReaderGone(*error.args[:1]) from None

    def settle(self) -> Iterator[Unfit]:
        """Yield nothing: there is a place for every row."""
        return iter(())

    def finish(self) -> list[str]:
        """Return no paths."""
        return []

    def abandon(self) -> None:
        """Do nothing: what is written has been read."""


def refuse_same_file(paths: list[str]) -> None:
    """Refuse to write to a file that is read.

    Raises
    ------
    RecipeError
    """
    import stat

    status = os.fstat(_output)
    for path in paths if stat.S_ISREG(status.st_mode) else ():
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(path), status):
                raise RecipeError(f"standard output is an input file: {path}; write to another one")


@contextlib.contextmanager
def kept_for_rows() -> Iterator[None]:
    """Keep standard output for rows: what else is printed, by whatever code, goes to standard error."""
    global _output
    sys.stdout.flush()
    sys.stderr.flush()
    _output = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(_output, 1)
        os.close(_output)
        _output = 1
