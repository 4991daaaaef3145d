"""Files of text as UTF-8: those whose first bytes say that they are UTF-16 or UTF-32 are recoded while they are read.

A byte-order mark says it, or zeros beside the first two characters, if these are ASCII: UTF-8 has none there.
"""

from __future__ import annotations

import codecs
from typing import Protocol

from djfast.errors import InputError
from djfast.io.compression import open_bytes

UTF8_MARK = codecs.BOM_UTF8
# The mark of UTF-16 begins that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONGEST_MARK = 4
# Which of the first four bytes are not zero.
_ZEROS = {"1000": "utf-32-le", "0001": "utf-32-be", "1010": "utf-16-le", "0101": "utf-16-be"}


class Stream(Protocol):
    """What text is read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, all when negative; empty at the end."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def open_text(path: str) -> Stream:
    """Open a file, compressed or not, for reading its text in UTF-8. A mark of UTF-8 stays; other encodings are not looked for.

    Raises
    ------
    InputError
        If the file cannot be opened; reading raises it when the file is damaged, or is not in the encoding that it begins in.
    """
    stream = open_bytes(path)
    head = stream.read(_LONGEST_MARK)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return _Recoded(stream, path, head[len(mark) :], encoding)
    unmarked = _ZEROS.get("".join("01"[byte != 0] for byte in head))
    if unmarked is not None:
        return _Recoded(stream, path, head, unmarked)
    return _Rejoined(stream, head) if head else stream


def is_recoded(path: str) -> bool:
    """Tell whether a file is in another encoding than UTF-8, so that none of its bytes can be found before it is read."""
    stream = open_text(path)
    stream.close()
    return isinstance(stream, _Recoded)


class _Rejoined:
    """A stream of which the first bytes have been read."""

    def __init__(self, stream: Stream, head: bytes) -> None:
        self._stream = stream
        self._head = head

    def read(self, size: int = -1, /) -> bytes:
        head, self._head = self._head, b""
        if not head:
            return self._stream.read(size)
        if 0 <= size <= len(head):
            self._head = head[size:]
            return head[:size]
        return head + self._stream.read(size - len(head) if size > 0 else size)

    def close(self) -> None:
        self._stream.close()


class _Recoded:
    """UTF-8 of a stream in another encoding. Half a surrogate pair becomes bytes that are no UTF-8: its row is rejected."""

    def __init__(self, stream: Stream, path: str, head: bytes, encoding: str) -> None:
        self._stream = stream
        self._path = path
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._input = head
        self._output = b""
        self._count = 0
        self._is_over = False

    def read(self, size: int = -1, /) -> bytes:
        parts = [self._output]
        held = len(self._output)
        while not self._is_over and (size < 0 or held < size):
            part = self._next()
            parts.append(part)
            held += len(part)
        text = b"".join(parts)
        cut = len(text) if size < 0 else size
        self._output = text[cut:]
        return text[:cut]

    def _next(self) -> bytes:
        data = self._input or self._stream.read(1 << 18)
        self._input = b""
        self._is_over = not data
        try:
            text = self._decoder.decode(data, final=self._is_over)
        except UnicodeDecodeError as error:
            name = self._encoding[:6].upper()
            raise InputError(
                f"{self._path} is not the {name} that its first bytes say, after {self._count} bytes: {error.reason}"
            ) from None
        self._count += len(data)
        return text.encode("utf-8", "surrogatepass")

    def close(self) -> None:
        self._stream.close()
