"""Standard input as rows: lines of JSON that come once, to one process."""

from __future__ import annotations

import io
import os

from djfast.errors import InputError

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
