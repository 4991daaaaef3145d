"""Files as streams of their decompressed bytes, by suffix."""

from __future__ import annotations

import io
import os
from typing import IO, Any

from djfast.errors import InputError
from djfast.io.remote import open_binary, stat

SUFFIXES = (".gz", ".zst", ".bz2", ".xz")


def compression_of(path: str) -> str | None:
    """Return the suffix that says how a file is compressed, None for a plain file."""
    suffix = os.path.splitext(path)[1].lower()
    return suffix if suffix in SUFFIXES else None


def open_bytes(path: str, start: int = 0, end: int | None = None) -> DecompressedFile:
    """Open a file for reading its decompressed bytes: plain, ``.gz``, ``.zst``, ``.bz2`` or ``.xz``.

    Archives of several members or frames are read to their end. Of a ``.zst`` file, `start` and `end` choose some frames;
    they must be among its `frame_borders`.

    Raises
    ------
    InputError
        If the file cannot be opened; reading raises it when the stream is damaged or cut off.
    """
    return DecompressedFile(path, start, end)


class DecompressedFile(io.RawIOBase):
    """Decompressed bytes of a file. Errors name the file and how far it could be read."""

    def __init__(self, path: str, start: int, end: int | None) -> None:
        self.path = path
        self._start = start
        self._count = 0
        self._raw = open_binary(path)
        self._stream = _decompressed(self._raw, compression_of(path), start, stat(path).size if end is None else end)
        self._errors: tuple[type[Exception], ...] = (OSError, EOFError, ValueError, *_library_errors(path))

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
        except InputError:
            raise
        except self._errors as error:
            place = f"{self._count} decompressed bytes" + (f" from byte {self._start} on" if self._start else "")
            raise InputError(f"{self.path} is damaged or cut off after {place}: {error or type(error).__name__}") from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._raw.close()
        super().close()


def _decompressed(raw: IO[bytes], suffix: str | None, start: int, end: int) -> Any:
    if suffix == ".zst":
        import zstandard

        # The window is bounded: a hostile frame cannot ask for gigabytes.
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        raw.seek(start)
        return _ZstdFrames(decompressor, raw, end - start)
    assert start == 0, "only frames can be read from elsewhere than the file's start"
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
    """Zstandard frames one after the other, of the next `left` bytes of a file.

    The library's own reader takes a cut-off frame for the end of the data.
    """

    def __init__(self, decompressor: Any, raw: IO[bytes], left: int) -> None:
        self._decompressor = decompressor
        self._raw = raw
        self._left = left
        self._frame: Any = None
        self._input = b""
        self._output = b""

    def read(self, size: int) -> bytes:
        while not self._output:
            if not self._input:
                # Who asks for little, such as the end of one line, must not wait for much.
                self._input = self._raw.read(min(max(size, 1 << 14), 1 << 18, self._left))
                self._left -= len(self._input)
                if not self._input:
                    if self._frame is not None or self._left:
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


def frame_borders(path: str) -> list[int]:
    """Return where the frames of a ``.zst`` file begin, and the file's size; skippable frames count.

    Nothing is decompressed: headers say how long frames are, block by block. A file that is no whole number of frames is
    taken for a single one; whoever reads it finds out what is wrong.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with open_binary(path) as file:
            size = stat(path).size
            borders = [0]
            while borders[-1] < size:
                end = _frame_end(file, borders[-1])
                if end is None or end > size:
                    return [0, size]
                borders.append(end)
            return borders if size else [0, 0]
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _frame_end(file: IO[bytes], start: int) -> int | None:
    """Return where the frame at `start` should end; None when there is no frame. See RFC 8878, section 3.1."""
    file.seek(start)
    header = file.read(8)
    magic = int.from_bytes(header[:4], "little")
    if magic >> 4 == 0x184D2A5:
        return start + 8 + int.from_bytes(header[4:], "little")
    if magic != 0xFD2FB528 or len(header) < 8:
        return None
    descriptor = header[4]
    is_single_segment = descriptor >> 5 & 1
    window_bytes = 1 - is_single_segment
    dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
    content_size_bytes = (is_single_segment, 2, 4, 8)[descriptor >> 6]
    checksum_bytes = descriptor & 4
    position = start + 5 + window_bytes + dictionary_bytes + content_size_bytes
    while True:
        file.seek(position)
        header = file.read(3)
        bits = int.from_bytes(header, "little")
        kind = bits >> 1 & 3
        if len(header) < 3 or kind == _RESERVED:
            return None
        position += 3 + (1 if kind == _REPEATED_BYTE else bits >> 3)
        if bits & 1:
            return position + checksum_bytes


# Kinds of blocks.
_REPEATED_BYTE = 1
_RESERVED = 3


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
    """Write `source` compressed as the suffix of `target` says."""
    import shutil

    suffix = compression_of(target)
    with open(source, "rb") as plain, open(target, "wb") as packed:
        if suffix == ".zst":
            import zstandard

            zstandard.ZstdCompressor(level=3).copy_stream(plain, packed)
        elif suffix == ".gz":
            import gzip

            # No name and no time in the header: the same rows give the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream:
                shutil.copyfileobj(plain, stream, 1 << 20)
        else:
            import bz2
            import lzma

            with bz2.BZ2File(packed, "wb") if suffix == ".bz2" else lzma.LZMAFile(packed, "wb") as stream:
                shutil.copyfileobj(plain, stream, 1 << 20)
