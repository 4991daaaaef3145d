"""Rows of JSON Lines, JSON arrays and CSV files, one at a time: memory holds one row, whatever the size of the file."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from djfast.errors import InputError, RecipeError
from djfast.formats import FORMATS, format_of
from djfast.io.compression import DecompressedFile, open_bytes

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
        Its suffix says what it is; it may be compressed. A ``.json`` file may hold an array, or an object a line.
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
    stream = open_bytes(path)
    if layout == "csv":
        return _records(stream, path)
    if layout == "jsonl":
        return _lines(stream, path, b"")
    return _json(stream, path, envelope)


def layout_of(path: str, layouts: Sequence[str], what: str) -> str:
    """Return which of the layouts the suffix of a path names."""
    try:
        name = format_of(path).name
    except RecipeError:
        name = ""
    if name not in layouts:
        suffixes = " or ".join(f".{FORMATS[each].suffix}" for each in layouts)
        raise RecipeError(f"{what} must end in {suffixes}, also compressed, got {path!r}")
    return name


def _chunks(stream: DecompressedFile, begin: bytes) -> Iterator[bytes]:
    """Yield what was read already, and the rest."""
    if begin:
        yield begin
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _raw_lines(stream: DecompressedFile, path: str, begin: bytes) -> Iterator[bytes]:
    """Yield lines with their line feeds."""
    held: list[bytes] = []
    size = 0
    for chunk in _chunks(stream, begin):
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


def _lines(stream: DecompressedFile, path: str, begin: bytes) -> Iterator[Found]:
    with stream:
        for number, line in enumerate(_raw_lines(stream, path, begin), 1):
            if line.isspace():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError:
                yield Found(number, None, line.rstrip(b"\n"), "the line is not UTF-8")
            except (ValueError, RecursionError) as error:
                yield Found(number, None, line.rstrip(b"\n"), f"the line is not valid JSON: {error}")
            else:
                yield _found(number, row)


def _found(number: int, row: Any) -> Found:
    if isinstance(row, dict):
        return Found(number, row)
    return Found(number, None, row, f"a row must be a JSON object, got {type(row).__name__}")


def _records(stream: DecompressedFile, path: str) -> Iterator[Found]:
    # What is not UTF-8 is told apart after its record has been cut out.
    texts = (line.decode("utf-8", "surrogateescape") for line in _raw_lines(stream, path, b""))
    with stream:
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


def _json(stream: DecompressedFile, path: str, envelope: str | None) -> Iterator[Found]:
    begin = b""
    while not begin.strip(_SPACE.encode()) and (chunk := stream.read(_CHUNK_BYTES)):
        begin += chunk
    first = begin.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if first == b"{" and envelope is None:
        yield from _lines(stream, path, begin)  # lines, whatever the suffix says
        return
    with stream:
        text = _JsonText(stream, path, begin)
        if envelope is not None and first == b"{":
            text.enter(envelope)
        for number, row in enumerate(text.items(), 1):
            yield _found(number, row)


class _JsonText:
    """JSON that is read as far as it is needed."""

    def __init__(self, stream: DecompressedFile, path: str, begin: bytes) -> None:
        self._stream = stream
        self._path = path
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._passed = 0  # characters before the text
        self._is_whole = False
        self._take(begin)

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
        if self._peek() == "]":
            return
        while True:
            yield self._value()
            if self._peek() == "]":
                return
            self._expect(",")

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
