"""Rows that wait for a global answer: compressed on disk, with a small window in memory."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Iterator
from typing import IO, Any, Generic, Protocol, TypeVar

from djfast.io.durable import writing
from djfast.runners.memory import LARGEST_WINDOW


class Writable(Protocol):
    """What bytes can be written to."""

    def write(self, data: bytes, /) -> int:
        """Write all of them."""
        ...


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes."""
        ...


class Spoolable(Protocol):
    """Rows that can wait as bytes."""

    @property
    def row_count(self) -> int:
        """Number of the rows."""
        ...

    def pack(self) -> list[bytes]:
        """Return the parts as bytes."""
        ...

    def counted_from(self, first_line: int) -> Any:
        """Return the same rows with line numbers that count from `first_line`."""
        ...

    def byte_count(self) -> int:
        """Return the bytes that the rows take in memory."""
        ...


Kept = TypeVar("Kept", bound=Spoolable)

_LEVEL = -5  # fast: half the size of web text, several times the speed of the default level


class Spool(Generic[Kept]):
    """Keeps pieces in order. Up to `window_bytes` stay in memory, so that small jobs never touch the disk."""

    def __init__(self, folder: str | None, unpack: Callable[..., Kept], *, window_bytes: int = LARGEST_WINDOW) -> None:
        self._folder = folder
        self._unpack = unpack
        self._window_bytes = window_bytes
        self._held: list[tuple[int, Kept]] = []
        self._held_bytes = 0
        self._file: IO[bytes] | None = None

    def prepare(self, piece: Kept) -> Kept | list[bytes]:
        """Compress a piece if it will go to disk. Workers call this, so that compression is no serial step."""
        return piece if self._file is None else packed(piece)

    def append(self, piece: Kept | list[bytes], first_line: int = 0) -> None:
        """Take the next piece, prepared or not, and the number that its line numbers count from."""
        if isinstance(piece, list):
            self._write(piece, first_line)
        elif self._file is not None:
            self._write(packed(piece), first_line)
        else:
            self._held.append((first_line, piece))
            self._held_bytes += piece.byte_count()
            if self._held_bytes > self._window_bytes and self._folder is not None:
                self._spill()

    def _spill(self) -> None:
        import tempfile

        with self._writing():
            os.makedirs(str(self._folder), exist_ok=True)
            # The file has no name: it is gone with the process, however that ends.
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".djfast-spool-")  # noqa: SIM115 - closed in drain
        for first_line, piece in self._held:
            self._write(packed(piece), first_line)
        self._held.clear()

    def _write(self, parts: list[bytes], first_line: int) -> None:
        assert self._file is not None
        with self._writing():
            write_packed(self._file, parts, first_line)

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        return writing(f"rows that wait in {self._folder}", setting="work_dir")

    def drain(self) -> Iterator[Kept]:
        """Yield the pieces in order, once; what was yielded is no longer held."""
        if self._file is None:
            self._held.reverse()
            while self._held:
                first_line, piece = self._held.pop()
                yield piece.counted_from(first_line)
            return
        self._file.seek(0)
        yield from read_packed(self._file, self._unpack)
        self._file.close()
        self._file = None


def packed(piece: Spoolable) -> list[bytes]:
    """Return the parts of a piece, compressed."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    return [compressor.compress(part) for part in piece.pack()]


def unpacked(parts: list[bytes]) -> list[bytes]:
    """Return the parts of a packed piece as `pack` gave them."""
    import zstandard

    decompressor = zstandard.ZstdDecompressor()
    return [decompressor.decompress(part) for part in parts]


def write_packed(file: Writable, parts: list[bytes], first_line: int) -> int:
    """Write a packed piece, and return how many bytes that took."""
    return write_parts(file, [struct.pack("<Q", first_line), *parts])


def read_packed(file: Readable, unpack: Callable[..., Kept]) -> Iterator[Kept]:
    """Yield the pieces of a file from where it stands to its end."""
    while parts := read_parts(file):
        (first_line,) = struct.unpack("<Q", parts[0])
        yield unpack(*unpacked(parts[1:])).counted_from(first_line)


def write_parts(file: Writable, parts: list[bytes]) -> int:
    """Write some bytes after their number and sizes, and return how many bytes that took."""
    header = struct.pack(f"<{len(parts) + 1}Q", len(parts), *map(len, parts))
    for part in [header, *parts]:
        file.write(part)
    return len(header) + sum(map(len, parts))


def read_parts(file: Readable) -> list[bytes]:
    """Return what `write_parts` wrote; nothing at the end of the file."""
    head = file.read(8)
    if not head:
        return []
    (count,) = struct.unpack("<Q", head)
    return [file.read(size) for size in struct.unpack(f"<{count}Q", file.read(8 * count))]
