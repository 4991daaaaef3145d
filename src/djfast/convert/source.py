"""Rows of JSON Lines, JSON arrays and CSV files, one at a time: memory holds one row, whatever the size of the file."""

from __future__ import annotations

import codecs
import contextlib
import csv
import json
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from djfast.errors import InputError, RecipeError
from djfast.io.read.formats import input_file_of
from djfast.io.read.unicode_files import Stream, open_text
from djfast.io.write.formats import RESULT_FORMATS, result_format_of
from djfast.json_bytes import exactly_parsed
from djfast.records import NamedTuple
from djfast.rows.json_rows import JsonRows
from djfast.type_names import spoken_type

_CHUNK_BYTES = 1 << 20
_MOST_BYTES = 256 << 20  # of a row
_SPACE = " \t\r\n"


class Found(NamedTuple):
    """A row, or what stands in its place and why it is none. `number` counts from 1."""

    number: int
    row: dict[str, Any] | None
    raw: Any = None
    reason: str = ""


def source_rows(path: str, layouts: Sequence[str], *, envelope: str | None = None) -> Iterator[Found]:
    """Yield the rows of a file.

    Parameters
    ----------
    path : str
        Its suffix says what it is; it may be compressed. JSON may be an array, or objects, one a line or not.
    layouts : sequence of str
        What it may be: names of formats.
    envelope : str, optional
        Member of one JSON object that holds the array.

    Raises
    ------
    RecipeError
        If the suffix is none of the layouts.
    InputError
        If the file cannot be read, or is no whole JSON.
    """
    layout = layout_of(path, layouts, "the input")
    if layout == "csv":
        return _records(path)
    if envelope is not None and _begins_object(path):
        return _enveloped(path, envelope)
    return _json(path)


def layout_of(path: str, layouts: Sequence[str], what: str) -> str:
    """Return which of the layouts the suffix of a path names."""
    try:
        name = result_format_of(path).name
    except RecipeError:
        name = ""
    if name not in layouts:
        suffixes = " or ".join(f".{RESULT_FORMATS[each].suffix}" for each in layouts)
        raise RecipeError(f"{what} must end in {suffixes}, also compressed, got {path!r}")
    return name


def _raw_lines(stream: Stream, path: str) -> Iterator[bytes]:
    """Yield lines with their line feeds."""
    held: list[bytes] = []
    size = 0
    while chunk := stream.read(_CHUNK_BYTES):
        if b"\n" not in chunk:
            held.append(chunk)
            size += len(chunk)
            if size > _MOST_BYTES:
                raise InputError(f"{path}: a line is longer than {_MOST_BYTES} bytes; is this the right format?")
            continue
        lines = b"".join([*held, chunk]).split(b"\n")
        for line in lines[:-1]:
            yield line + b"\n"
        held, size = [lines[-1]], len(lines[-1])
    if last := b"".join(held):
        yield last


def _json(path: str) -> Iterator[Found]:
    """Read rows as a run does: lines, an array, or objects one after the other, in whatever encoding the file says."""
    file = input_file_of(path)
    assert file is not None, "the suffix has been looked at"
    first = 1
    for block in JsonRows([file], batch_bytes=_CHUNK_BYTES, keeps_stats=True, keeps_hashes=True).items():
        numbers = array("Q", block.numbers) if block.numbers is not None else None
        lines = block.data[: block.end].removesuffix(b"\n").split(b"\n")
        for position, line in enumerate(lines):
            number = first + position if numbers is None else numbers[position] + 1
            if position in block.unread:
                yield Found(number, None, line, block.unread[position])
            elif line.strip(_SPACE.encode()):
                yield _parsed(number, line)
        first += len(lines) if block.lines is None else block.lines


def _parsed(number: int, line: bytes) -> Found:
    try:
        return _found(number, exactly_parsed(line))
    except UnicodeDecodeError:
        return Found(number, None, line, "the line is not UTF-8")
    except json.JSONDecodeError as error:
        return Found(number, None, line, f"the line is not valid JSON: {error}")
    except (ValueError, RecursionError) as error:
        return Found(number, None, line, str(error))


def _found(number: int, row: Any) -> Found:
    if isinstance(row, dict):
        return Found(number, row)
    return Found(number, None, row, f"a row must be a JSON object, got {spoken_type(row)}")


def _records(path: str) -> Iterator[Found]:
    stream = open_text(path)
    # What is not UTF-8 is told apart after its record has been cut out.
    texts = (line.decode("utf-8", "surrogateescape") for line in _raw_lines(stream, path))
    with contextlib.closing(stream):
        limit = csv.field_size_limit(_MOST_BYTES)
        try:
            reader = csv.reader(texts, strict=True)
            header = next(reader, [])
            if header:
                header[0] = header[0].removeprefix("\ufeff")
            for number, cells in enumerate(reader, 1):
                if not cells:
                    continue
                shown = [cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for cell in cells]
                if shown != cells:
                    yield Found(number, None, shown, "the record is not UTF-8")
                elif len(cells) != len(header):
                    yield Found(number, None, cells, f"the record must have {len(header)} cells, got {len(cells)}")
                else:
                    yield Found(number, dict(zip(header, cells, strict=True)))
        except csv.Error as error:
            raise InputError(f"{path} is not valid CSV near line {reader.line_num}: {error}") from error
        finally:
            csv.field_size_limit(limit)


def _begins_object(path: str) -> bool:
    with contextlib.closing(open_text(path)) as stream:
        begin = stream.read(_CHUNK_BYTES)
    return begin.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{"


def _enveloped(path: str, envelope: str) -> Iterator[Found]:
    """Read the rows of an array in an object."""
    with contextlib.closing(open_text(path)) as stream:
        text = _JsonText(stream, path)
        text.enter(envelope)
        for number, row in enumerate(text.items(), 1):
            yield _found(number, row)
        text.leave()


class _JsonText:
    """JSON that is read as far as it is needed."""

    def __init__(self, stream: Stream, path: str) -> None:
        self._stream = stream
        self._path = path
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._passed = 0  # characters before the text
        self._is_whole = False

    def enter(self, member: str) -> None:
        """Go into the member of an object; members before it are skipped."""
        self._expect("{")
        while self._peek() == '"':
            name = self._value()
            self._expect(":")
            if name == member:
                return
            self._value()
            if self._peek() == ",":
                self._at += 1
        raise self._wrong(f"the object has no member {member!r}")

    def items(self) -> Iterator[Any]:
        """Yield the items of the array that begins here."""
        self._expect("[")
        while self._peek() != "]":
            yield self._value()
            if self._peek() != "]":
                self._expect(",")
        self._at += 1

    def leave(self) -> None:
        """Skip the members that are left of an object; nothing may stand behind it."""
        while self._peek() == ",":
            self._at += 1
            self._value()
            self._expect(":")
            self._value()
        self._expect("}")
        if found := self._peek():
            raise self._wrong(f"nothing may stand behind the object, got {found!r}")

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
                if end < len(self._text) or self._is_whole:  # a number at the end of the text may go on
                    self._at = end
                    return value
            except ValueError as error:
                if self._is_whole:
                    raise self._wrong(str(error)) from error
            except RecursionError as error:
                raise self._wrong("it is nested too deeply") from error
            left = len(self._text) - self._at
            if left > _MOST_BYTES:
                raise self._wrong(f"a row is longer than {_MOST_BYTES} characters, or not valid")
            self._read(max(left, _CHUNK_BYTES))  # twice as much each time: a long row is not parsed over and over

    def _peek(self) -> str:
        """Return the next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text) or self._is_whole:
                return self._text[self._at : self._at + 1]
            self._read(_CHUNK_BYTES)

    def _expect(self, wanted: str) -> None:
        found = self._peek()
        if found != wanted:
            raise self._wrong(f"{wanted} must stand here, got {found!r}")
        self._at += 1

    def _read(self, size: int) -> None:
        self._take(self._stream.read(size))

    def _take(self, data: bytes) -> None:
        self._is_whole = not data
        try:
            more = self._decoder.decode(data, final=self._is_whole)
        except UnicodeDecodeError as error:
            raise self._wrong("it is not UTF-8") from error
        self._passed += self._at
        self._text = self._text[self._at :] + more
        self._at = 0

    def _wrong(self, reason: str) -> InputError:
        return InputError(f"{self._path} is not valid JSON near character {self._passed + self._at}: {reason}")
