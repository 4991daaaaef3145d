"""Rows that wait for a global answer: compressed on disk, with a small window in memory."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Generic, Protocol, TypeVar


class Spoolable(Protocol):
    """Rows that can wait as bytes."""

    row_count: int

    def pack(self) -> list[bytes]:
        """Return the parts as bytes."""
        ...

    def byte_count(self) -> int:
        """Return the bytes that the rows take in memory."""
        ...


Piece = TypeVar("Piece", bound=Spoolable)

WINDOW_BYTES = 128 << 20
_LEVEL = -5  # fast: half the size of web text, several times the speed of the default level


class Spool(Generic[Piece]):
    """Keeps pieces in order. Up to `window_bytes` stay in memory, so that small jobs never touch the disk."""

    def __init__(self, folder: str | None, unpack: Callable[..., Piece], *, window_bytes: int = WINDOW_BYTES) -> None:
        self._folder = folder
        self._unpack = unpack
        self._window_bytes = window_bytes
        self._held: list[Piece] = []
        self._held_bytes = 0
        self._file: IO[bytes] | None = None

    def prepare(self, piece: Piece) -> Piece | list[bytes]:
        """Compress a piece if it will go to disk. Workers call this, so that compression is no serial step."""
        return piece if self._file is None else _compressed(piece)

    def append(self, piece: Piece | list[bytes]) -> None:
        """Take the next piece, prepared or not."""
        if isinstance(piece, list):
            self._write(piece)
        elif self._file is not None:
            self._write(_compressed(piece))
        else:
            self._held.append(piece)
            self._held_bytes += piece.byte_count()
            if self._held_bytes > self._window_bytes and self._folder is not None:
                self._spill()

    def _spill(self) -> None:
        os.makedirs(str(self._folder), exist_ok=True)
        # The file has no name: it is gone with the process, however that ends.
        file = tempfile.TemporaryFile(dir=self._folder, prefix=".djfast-spool-")  # noqa: SIM115 - closed in drain
        self._file = file
        for piece in self._held:
            self._write(_compressed(piece))
        self._held.clear()

    def _write(self, parts: list[bytes]) -> None:
        assert self._file is not None
        header = struct.pack(f"<{len(parts) + 1}Q", len(parts), *map(len, parts))
        for part in [header, *parts]:
            self._file.write(part)

    def drain(self) -> Iterator[Piece]:
        """Yield the pieces in order, once; what was yielded is no longer held."""
        if self._file is None:
            self._held.reverse()
            while self._held:
                yield self._held.pop()
            return
        import zstandard

        self._file.seek(0)
        while head := self._file.read(8):
            (count,) = struct.unpack("<Q", head)
            sizes = struct.unpack(f"<{count}Q", self._file.read(8 * count))
            decompressor = zstandard.ZstdDecompressor()
            yield self._unpack(*(decompressor.decompress(self._file.read(size)) for size in sizes))
        self._file.close()
        self._file = None


def _compressed(piece: Spoolable) -> list[bytes]:
    import zstandard

    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    return [compressor.compress(part) for part in piece.pack()]
