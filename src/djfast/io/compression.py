"""Files as streams of their decompressed bytes, by suffix."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from typing import IO, Any

from djfast.errors import InputError
from djfast.io.intake import took
from djfast.io.remote import open_binary, stat
from djfast.records import NamedTuple

SUFFIXES = (".gz", ".zst", ".bz2", ".xz")

_zst_window = 1 << 27
_XZ_STATE = 1 << 20  # bytes that a reader of .xz needs beside the window


def allow_window(size: int) -> None:
    """Read ``.zst`` and ``.xz`` files whose window is at most `size` bytes from now on: none must ask for gigabytes."""
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

    _raw: IO[bytes] | None = None  # a file that cannot be opened is closed, too

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
        if not self.closed and self._raw is not None:
            self._raw.close()
        super().close()


def _decompressed(raw: IO[bytes], suffix: str | None, start: int, end: int) -> Any:
    if suffix is None:
        return _Plain(raw)
    assert start == 0 or suffix == ".zst", "only frames can be read from elsewhere than the file's start"
    raw.seek(start)
    return _Members(suffix, raw, end - start)


class _Plain:
    """Bytes of a file as they are."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw

    def read(self, size: int) -> bytes:
        data = self._raw.read(size)
        took(len(data))
        return data


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
            took(len(self._input))
            is_over = not self._input
        if self._member is None:
            if self._count and self._may_be_padded:
                self._input = self._input.lstrip(b"\0")
            if not self._input:
                if is_over and self._left:
                    raise EOFError("it has become shorter")
                return not is_over
            self._member = self._start()
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
    """One frame of a ``.zst`` file.

    The library gives all that its input holds, and a few bytes may hold gigabytes. So it is given a block at a time, which
    holds 128 KiB at most.
    """

    def __init__(self) -> None:
        import zstandard

        self._library = zstandard
        self._inner = zstandard.ZstdDecompressor(max_window_size=_zst_window).decompressobj()
        self._head = b""  # of the frame, once it is known as a whole
        self._input = b""  # not passed on yet
        self._left = 0  # bytes of a block that are passed on as they come
        self.needs_input = True

    def decompress(self, data: bytes, most: int) -> bytes:
        self._input += data
        held = memoryview(self._input)
        parts: list[bytes] = []
        size = position = 0
        self.needs_input = False
        try:
            while size < most and not self.eof:
                self._left = self._left or self._next_bytes(held[position:])
                piece = held[position : position + self._left]
                if not piece:
                    self.needs_input = True
                    break
                self._left -= len(piece)
                position += len(piece)
                parts.append(self._inner.decompress(piece))
                size += len(parts[-1])
        except self._library.ZstdError:
            self._check_window()
            raise
        self._input = self._input[position:]
        return b"".join(parts)

    def _next_bytes(self, held: memoryview) -> int:
        """Return the bytes of the frame's head, then of each block; 0 if too few of them are there to tell."""
        if not self._head:
            size = _head_bytes(held)
            wanted = min(size, _MOST_HEAD)
            self._head = bytes(held[:wanted]) if len(held) >= wanted else b""
            return size if self._head else 0
        if len(held) < _BLOCK_HEAD:
            return 0
        block = _Block.of(held[:_BLOCK_HEAD])
        return block.size + (_checksum_bytes(self._head) if block.is_last else 0)

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
        return bytes(self._inner.unused_data) + self._input


def _bz2() -> Any:
    import bz2

    return bz2.BZ2Decompressor()


class _Xz:
    """One stream of an ``.xz`` file; its dictionary is what the window is to a ``.zst`` frame."""

    def __init__(self) -> None:
        import lzma

        self._error = lzma.LZMAError
        self._inner = lzma.LZMADecompressor(memlimit=_zst_window + _XZ_STATE)

    def decompress(self, data: bytes, most: int) -> bytes:
        try:
            return self._inner.decompress(data, most)
        except self._error as error:
            if "memory" in str(error).lower():  # of all its errors the only one
                raise _WindowError(
                    f"needs a dictionary of more than the {_zst_window >> 20} MiB that are allowed; "
                    "set zst_window to its size in the recipe"
                ) from None
            raise

    @property
    def needs_input(self) -> bool:
        return self._inner.needs_input

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


# What decompresses a member.
_MEMBERS: Mapping[str, Callable[[], Any]] = {".gz": _Gzip, ".zst": _Zstd, ".bz2": _bz2, ".xz": _Xz}


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
    """Return where the frame at `start` should end; None when there is no frame."""
    file.seek(start)
    head = file.read(_MOST_HEAD)
    size = _head_bytes(head)
    if not size or _is_skipped(head):
        return start + size if size else None
    if not _is_frame(head):
        return None
    position = start + size
    while True:
        file.seek(position)
        header = file.read(_BLOCK_HEAD)
        if len(header) < _BLOCK_HEAD or (block := _Block.of(header)).is_damaged:
            return None
        position += block.size
        if block.is_last:
            return position + _checksum_bytes(head)


# The form of frames is that of RFC 8878, section 3.1.
_BLOCK_HEAD = 3  # bytes
_MOST_HEAD = 18


def _is_frame(head: bytes | memoryview) -> bool:
    return bytes(head[:4]) == b"\x28\xb5\x2f\xfd"


def _is_skipped(head: bytes | memoryview) -> bool:
    return int.from_bytes(head[:4], "little") >> 4 == 0x184D2A5


def _head_bytes(head: bytes | memoryview) -> int:
    """Return the bytes of a frame before its blocks, all of them for one that is skipped; 0 if too few are there to tell."""
    if _is_skipped(head):
        return 8 + int.from_bytes(head[4:8], "little") if len(head) >= 8 else 0
    if not _is_frame(head):
        return len(head) if len(head) >= 4 else 0
    if len(head) < 5:
        return 0
    descriptor = head[4]
    is_single_segment = descriptor >> 5 & 1
    window_bytes = 1 - is_single_segment
    dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
    content_size_bytes = (is_single_segment, 2, 4, 8)[descriptor >> 6]
    return 5 + window_bytes + dictionary_bytes + content_size_bytes


def _checksum_bytes(head: bytes | memoryview) -> int:
    return head[4] & 4


class _Block(NamedTuple):
    """What the head of a block says; `size` counts the head."""

    size: int
    is_last: bool
    is_damaged: bool

    @classmethod
    def of(cls, head: bytes | memoryview) -> _Block:
        bits = int.from_bytes(head, "little")
        kind = bits >> 1 & 3
        return cls(_BLOCK_HEAD + (1 if kind == _REPEATED_BYTE else bits >> 3), bool(bits & 1), kind == _RESERVED)


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
