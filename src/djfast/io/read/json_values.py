"""Rows of JSON files that do not stand one on a line: the elements of an array, or values over any number of lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from djfast.errors import InputError
from djfast.io.read.unicode_files import UTF8_MARK, Stream

_CHUNK_BYTES = 1 << 18
# Only what tells where a value ends. A string ends on its line; a quote alone is one that does not.
_TOKEN = re.compile(rb'"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*"|["{}\[\]]')
_SPACE = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb'"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*"|[^,\]\r\n]+|\]')
_LINE = re.compile(rb"[^\r\n]*")
_BREAK = re.compile(rb"[ \t]*[\r\n]+[ \t]*")


def values_in(stream: Stream, path: str, *, is_array: bool, longest: int) -> Iterator[bytes]:
    """Yield the values of a file as bytes without line breaks; what is no value comes as it stands, for its row to be rejected.

    Raises
    ------
    InputError
        If a value is longer than `longest` bytes, or if an array has no end or something behind its end.
    """
    reader = _Reader(stream, path, longest)
    if not is_array:
        while reader.skip_space():
            yield reader.take(reader.value_end)
        return
    reader.position += 1  # the bracket
    count = 0
    while reader.skip_space():
        first = reader.here()
        if first == b"]":
            reader.position += 1
            if reader.skip_space():
                raise InputError(f"{path}: there is data after the end of the array of {count} rows")
            return
        if first == b",":
            reader.position += 1
            continue
        yield reader.take(reader.element_end)
        count += 1
    raise InputError(f"{path} is cut off: the array has no end after {count} rows")


class _Reader:
    """A window on a stream that grows as long as a value needs it."""

    def __init__(self, stream: Stream, path: str, longest: int) -> None:
        self._stream = stream
        self._path = path
        self._longest = longest
        self._held = stream.read(_CHUNK_BYTES).removeprefix(UTF8_MARK)
        self._is_over = False
        self.position = 0
        self.skip_space()

    def here(self) -> bytes:
        return self._held[self.position : self.position + 1]

    def skip_space(self) -> bool:
        """Go to the next byte that is no space; False at the end."""
        while True:
            found = _SPACE.match(self._held, self.position)
            assert found is not None
            self.position = found.end()
            if self.position < len(self._held):
                return True
            if not self._grow():
                return False

    def _grow(self) -> bool:
        rest = self._held[self.position :]
        if len(rest) > self._longest:
            raise InputError(f"{self._path}: a row must not be longer than {self._longest} bytes; is a brace not closed?")
        more = self._stream.read(max(_CHUNK_BYTES, len(rest)))
        self._is_over = not more
        self._held, self.position = rest + more, 0
        return not self._is_over

    def take(self, find_end: Callable[[], int | None]) -> bytes:
        """Return the value that begins here and go behind it."""
        while (end := find_end()) is None:
            if not self._grow():
                end = self._next_start() or len(self._held)
                break
        value, self.position = self._held[self.position : end], end
        return _BREAK.sub(b" ", value).rstrip(b" ")

    def value_end(self) -> int | None:
        """Return where the value that begins here ends, or the line if it is not an object; None if more is needed to tell."""
        if self.here() in (b"{", b"["):
            return self._container_end()
        return self._complete(_LINE)

    def element_end(self) -> int | None:
        """Return where the element of an array that begins here ends."""
        return self._container_end() if self.here() in (b"{", b"[") else self._complete(_SCALAR)

    def _complete(self, pattern: re.Pattern[bytes]) -> int | None:
        found = pattern.match(self._held, self.position)
        end = found.end() if found else len(self._held)
        return end if end < len(self._held) or self._is_over else None

    def _container_end(self) -> int | None:
        depth = 0
        for token in _TOKEN.finditer(self._held, self.position):
            byte = self._held[token.start()]
            if byte in b"{[":
                depth += 1
            elif byte in b"}]":
                depth -= 1
                if depth == 0:
                    return token.end()
            elif token.end() - token.start() == 1:  # a string that does not end on its line: nothing behind it can be told
                return self._next_start(token.start())
        return None

    def _next_start(self, behind: int | None = None) -> int | None:
        """Return where the next line begins that is indented no more than the value's own one and opens an object."""
        line = self._held[self._held.rfind(b"\n", 0, self.position) + 1 : self.position]
        depth = len(line) if not line.strip() else 0
        start = self.position if behind is None else behind
        found = re.compile(rb"\n(?=[ \t]{0,%d}\{)" % depth).search(self._held, start)
        return found.end() if found else None
