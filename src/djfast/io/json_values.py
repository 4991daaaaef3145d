"""JSON files whose rows do not stand one on a line: an array, or values one after the other over any number of lines.

What a file is, its beginning says; in a file of lines a row that does not fit is rejected as a line.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from djfast.errors import InputError
from djfast.io.intake import only_looking
from djfast.io.remote import stat
from djfast.io.unicode_files import UTF8_MARK, Stream, is_recoded, open_text
from djfast.reserved import STDIN

_HEAD_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 18
_CUT = 8  # characters before the end of the head at which half a literal may be taken for an error

Kind = Literal["lines", "array", "values"]


class JsonForm(NamedTuple):
    """How rows stand in a file. `can_be_cut` says that a line can be found in the middle of the file."""

    kind: Kind
    can_be_cut: bool


def form_of(path: str) -> JsonForm:
    """Return how rows stand in a JSON file."""
    return _form(path, stat(path))


def head_of(path: str) -> bytes:
    """Return the beginning of a file in UTF-8; nothing where it is damaged."""
    with only_looking(), contextlib.suppress(InputError), contextlib.closing(open_text(path)) as stream:
        return stream.read(_HEAD_BYTES)
    return b""


def is_lone_object(path: str) -> bool:
    """Tell whether a file holds one JSON object and no more. Of a long one, which is read in part, line feeds in it tell."""
    text = head_of(path).removeprefix(UTF8_MARK).decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return False
    try:
        _, end = _loose.raw_decode(text)
    except json.JSONDecodeError as error:
        return error.pos > len(text) - _CUT and "\n" in text
    except (ValueError, RecursionError):
        return False
    return end == len(text)


@lru_cache(maxsize=1024)
def _form(path: str, version: object) -> JsonForm:
    del version
    kind: Kind = "lines"
    is_in_utf8 = True
    with only_looking(), contextlib.suppress(InputError):  # whoever reads the rows finds out what is wrong, and where
        is_in_utf8 = not is_recoded(path)
        with contextlib.closing(open_text(path)) as stream:
            head = stream.read(_HEAD_BYTES).removeprefix(UTF8_MARK)
        kind = kind_of(head, is_all=len(head) < _HEAD_BYTES - len(UTF8_MARK))
    return JsonForm(kind, kind == "lines" and is_in_utf8 and path != STDIN)


def kind_of(head: bytes, *, is_all: bool) -> Kind:
    """Tell how rows stand in a file that begins like this; `is_all` says that there is no more of it."""
    if _are_plain_lines(head):
        return "lines"
    text = head.decode("utf-8", "replace").lstrip()
    if text.startswith("[") and _begins_array(text):
        return "array"
    return "values" if _has_loose_values(text, is_all=is_all) else "lines"


def _are_plain_lines(head: bytes) -> bool:
    """Tell whether, at a glance, there is an object on each line."""
    *lines, _ = head.split(b"\n")
    return (
        bool(lines)
        and all(line[:1] == b"{" and line.rstrip(b" \t\r")[-1:] == b"}" for line in lines if line)
        and re.search(rb"\}[ \t\r]*\{", head) is None
    )


def _begins_array(text: str) -> bool:
    """Tell whether a text that begins with a bracket is an array of rows, not a line that holds a list."""
    line, _, rest = text.partition("\n")
    try:
        _loose.decode(line)
    except (ValueError, RecursionError):
        return True
    return not rest.strip()


_loose = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)  # numbers may have any size


def _has_loose_values(text: str, *, is_all: bool) -> bool:
    """Tell whether an object has several lines or a line has several objects. Broken lines prove nothing."""
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        line_end = text.find("\n", position) % (len(text) + 1)
        try:
            value, end = _loose.raw_decode(text, position)
        except json.JSONDecodeError as error:
            is_cut = not is_all and (error.pos > len(text) - _CUT or error.msg.startswith("Unterminated string"))
            if is_cut:
                return line_end < len(text.rstrip()) and text[position] == "{"
        except (ValueError, RecursionError):
            pass
        else:
            rest = text[end : text.find("\n", end) % (len(text) + 1)].strip()
            if isinstance(value, dict) and (end > line_end or rest.startswith("{")):
                return True
        position = line_end + 1
    return False


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
                raise InputError(f"{path}: something stands behind the end of the array of {count} rows")
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
        """Return where the value that begins here ends, or the line if it is no object; None if more is needed to tell."""
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
