"""Standard input as rows and standard output as a result: lines of JSON that come and go once, in one process."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from djfast.errors import InputError, RecipeError
from djfast.io.collected import Unfit, lines_of
from djfast.io.durable import writing

HELD_BYTES = 1 << 20  # of standard input that may be looked at before it is read

_MAGIC = {
    b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "Zstandard", b"BZh": "bzip2", b"\xfd7zXZ": "xz",
    b"PAR1": "Parquet", b"ARROW1": "Arrow",
}  # fmt: skip


class _Held:
    """The first bytes of standard input, for whoever looks at them, and the rest, for the one who reads it."""

    def __init__(self) -> None:
        self.head = b""
        self.reader: StandardInput | None = None

    def more(self, size: int) -> bytes:
        """Read on; no more than the head holds while nobody reads the rest."""
        data = os.read(0, size)
        if self.reader is None:
            self.head += data
        return data


_held = _Held()
_output = 1  # the descriptor that results go to


class StandardInput(io.RawIOBase):
    """Standard input from its beginning on. Several may look at its first bytes, one may read it.

    Raises
    ------
    InputError
        When another one has read it, or when it does not hold text.
    """

    def __init__(self) -> None:
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; empty at the end."""
        wanted = HELD_BYTES if size < 0 else size
        if self._position == len(_held.head) and _held.reader is None and len(_held.head) < HELD_BYTES:
            _held.more(min(wanted, HELD_BYTES - len(_held.head)))
            _refuse_other_formats(_held.head)
        data = _held.head[self._position : self._position + wanted]
        self._position += len(data)
        if data or len(_held.head) < HELD_BYTES:
            return data
        if _held.reader not in (None, self):
            raise InputError("standard input can be read once, and it has been")
        _held.reader = self
        return _held.more(wanted)


def first_bytes() -> bytes:
    """Return what is held of standard input, once it has been read."""
    return _held.head


def _refuse_other_formats(head: bytes) -> None:
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            is_file = name in ("Parquet", "Arrow")
            remedy = "give its path" if is_file else "unpack it on its way, as in `zcat FILE | djfast run ... --dataset_path -`"
            raise InputError(f"standard input must be JSON Lines; {remedy}, got {name}")


class ReaderGone(BrokenPipeError):
    """Whoever read the result has enough, as ``head`` has."""


class StandardOutput:
    """A result on standard output, row for row as it is made."""

    names_rows = False

    def expect(self, columns: Callable[[], Any], *, as_lines: bool) -> None:
        """Take any columns: lines have a place for all."""

    def write(self, piece: Any) -> None:
        """Write the next rows.

        Raises
        ------
        ReaderGone, OutputError
        """
        lines = getattr(piece, "lines", None)
        view = memoryview(b"".join(lines_of(piece)) if lines is None else lines)
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
