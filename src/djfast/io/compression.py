"""Files as streams of their decompressed bytes, by suffix."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from typing import IO, Any

from djfast.errors import InputError
from djfast.io.remote import open_binary, stat

SUFFIXES = (".gz", ".zst", ".bz2", ".xz")

_zst_window = 1 << 27


def allow_window(size: int) -> None:
    """Read ``.zst`` files whose window is at most `size` bytes from now on: a hostile frame must not ask for gigabytes."""
    global _zst_window
    _zst_window = size


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
            what = "cut off" if isinstance(error, EOFError) else "damaged"
            raise InputError(f"{self.path} is {what} after {place}: {error or type(error).__name__}") from error
        except _WindowError as error:
            raise InputError(f"{self.path} {error}") from None
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
    if suffix is None:
        return raw
    assert start == 0 or suffix == ".zst", "only frames can be read from elsewhere than the file's start"
    raw.seek(start)
    return _Members(suffix, raw, end - start)


class _WindowError(Exception):
    """A frame needs a larger window than is allowed."""


class _Members:
    """The members of a compressed file, also called frames or streams, one after the other to the last of `left` bytes.

    The libraries' own readers take some cut-off members for the end of the data, or pass over what comes after a member.
    """

    def __init__(self, suffix: str, raw: IO[bytes], left: int) -> None:
        self._start = _MEMBERS[suffix]
        self._may_be_padded = suffix in (".gz", ".xz")
        self._raw = raw
        self._left = left
        self._member: Any = None
        self._count = 0  # of members so far
        self._input = b""
        self._output = b""

    def read(self, size: int) -> bytes:
        while not self._output and self._goes_on(size):
            pass
        part, self._output = self._output[:size], self._output[size:]
        return part

    def _goes_on(self, size: int) -> bool:
        """Decompress some more; False at the end of the file."""
        is_over = False
        if not self._input and (self._member is None or self._member.needs_input):
            # Read little when little is asked for, e.g. the rest of one line.
            self._input = self._raw.read(min(max(size, 1 << 14), 1 << 18, self._left))
            self._left -= len(self._input)
            is_over = not self._input
        if self._member is None:
            if self._count and self._may_be_padded:
                self._input = self._input.lstrip(b"\0")
            if not self._input:
                if is_over and self._left:
                    raise EOFError("it has become shorter")
                return not is_over
            self._member = self._start(self._input)
            self._count += 1
        self._output = self._member.decompress(self._input, size)
        self._input = b""
        if self._member.eof:
            self._input, self._member = self._member.unused_data, None
        elif is_over and not self._output:
            raise EOFError("its last member is not complete")
        return True


class _Gzip:
    """One member of a ``.gz`` file, as the decompressors of ``bz2`` and ``lzma`` are."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, most)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


class _Zstd:
    """One frame of a ``.zst`` file; `head` are its first bytes."""

    needs_input = True

    def __init__(self, head: bytes) -> None:
        import zstandard

        self._head = head[:18]
        self._library = zstandard
        self._inner = zstandard.ZstdDecompressor(max_window_size=_zst_window).decompressobj()

    def decompress(self, data: bytes, most: int) -> bytes:
        del most  # the library gives all there is
        try:
            output: bytes = self._inner.decompress(data)
        except self._library.ZstdError:
            self._check_window()
            raise
        return output

    def _check_window(self) -> None:
        try:
            window = self._library.get_frame_parameters(self._head).window_size
        except self._library.ZstdError:
            return
        if window > _zst_window:
            size, allowed = window >> 20, _zst_window >> 20
            raise _WindowError(
                f"needs a window of {size} MiB (zstd --long={window.bit_length() - 1}), more than the {allowed} MiB that are "
                f"allowed; set zst_window: {size}MiB in the recipe"
            )

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        data: bytes = self._inner.unused_data
        return data


def _bz2(head: bytes) -> Any:
    del head
    import bz2

    return bz2.BZ2Decompressor()


def _xz(head: bytes) -> Any:
    del head
    import lzma

    return lzma.LZMADecompressor()


# What decompresses a member of which the first bytes are given.
_MEMBERS: Mapping[str, Callable[[bytes], Any]] = {".gz": lambda head: _Gzip(), ".zst": _Zstd, ".bz2": _bz2, ".xz": _xz}


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


def compress_file(source: str, target: str, suffix: str) -> None:
    """Write `source` compressed as a suffix such as ``.zst`` says."""
    import shutil

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
