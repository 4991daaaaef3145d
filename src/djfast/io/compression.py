"""Files as streams of their decompressed bytes, by suffix."""

from __future__ import annotations

import io
import os
from typing import IO, Any

from djfast.errors import InputError

SUFFIXES = (".gz", ".zst", ".bz2", ".xz")


def compression_of(path: str) -> str | None:
    """Return the suffix that says how a file is compressed, None for a plain file."""
    suffix = os.path.splitext(path)[1].lower()
    return suffix if suffix in SUFFIXES else None


def open_bytes(path: str) -> DecompressedFile:
    """Open a file for reading its decompressed bytes: plain, ``.gz``, ``.zst``, ``.bz2`` or ``.xz``.

    Archives of several members or frames are read to their end.

    Raises
    ------
    InputError
        If the file cannot be opened; reading raises it when the stream is damaged or cut off.
    """
    return DecompressedFile(path)


class DecompressedFile(io.RawIOBase):
    """Decompressed bytes of a file. Errors name the file and how far it could be read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._count = 0
        try:
            self._raw = open(path, "rb")  # noqa: SIM115 - closed in close
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        self._stream = _decompressed(self._raw, compression_of(path))

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, all when negative; empty at the end."""
        parts = []
        left = size
        try:
            while left != 0:
                part = self._stream.read(left if left > 0 else 1 << 20)
                if not part:
                    break
                parts.append(part)
                self._count += len(part)
                left -= len(part) if left > 0 else 0
        except (OSError, EOFError, ValueError, *_library_errors(self.path)) as error:
            raise InputError(
                f"{self.path} is damaged or cut off after {self._count} decompressed bytes: {error or type(error).__name__}"
            ) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._raw.close()
        super().close()


def _decompressed(raw: IO[bytes], suffix: str | None) -> Any:
    if suffix == ".zst":
        import zstandard

        # The window is bounded: a hostile frame cannot ask for gigabytes.
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        return _ZstdFrames(decompressor, raw)
    if suffix == ".gz":
        import gzip

        return gzip.GzipFile(fileobj=raw)
    if suffix == ".bz2":
        import bz2

        return bz2.BZ2File(raw)
    if suffix == ".xz":
        import lzma

        return lzma.LZMAFile(raw)
    return raw


class _ZstdFrames:
    """Zstandard frames one after the other. The library's own reader takes a cut-off frame for the end of the data."""

    def __init__(self, decompressor: Any, raw: IO[bytes]) -> None:
        self._decompressor = decompressor
        self._raw = raw
        self._frame: Any = None
        self._input = b""
        self._output = b""

    def read(self, size: int) -> bytes:
        while not self._output:
            if not self._input:
                self._input = self._raw.read(1 << 18)
                if not self._input:
                    if self._frame is not None:
                        raise EOFError("the last frame is not complete")
                    return b""
            if self._frame is None:
                self._frame = self._decompressor.decompressobj()
            self._output = self._frame.decompress(self._input)
            self._input = b""
            if self._frame.eof:
                self._input, self._frame = self._frame.unused_data, None
        part, self._output = self._output[:size], self._output[size:]
        return part


def _library_errors(path: str) -> tuple[type[Exception], ...]:
    suffix = compression_of(path)
    if suffix == ".zst":
        import zstandard

        return (zstandard.ZstdError,)
    if suffix == ".gz":
        import zlib

        return (zlib.error,)
    if suffix == ".xz":
        import lzma

        return (lzma.LZMAError,)
    return ()


def compress_file(source: str, target: str) -> None:
    """Write `source` compressed as the suffix of `target` says (``.gz`` or ``.zst``)."""
    with open(source, "rb") as plain, open(target, "wb") as packed:
        if compression_of(target) == ".zst":
            import zstandard

            zstandard.ZstdCompressor(level=3).copy_stream(plain, packed)
            return
        import gzip
        import shutil

        # No name and no time in the header: the same rows give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream:
            shutil.copyfileobj(plain, stream, 1 << 20)
