"""Comma- and tab-separated values as record batches, streamed.

The types of columns are those of the rows in the first bytes of each file: integers, numbers, booleans, else texts. A column
with a cell that would not print back as it stands, such as 007, +49, 1.10 or an integer beyond 64 bits, holds texts, in all
files of an input. A row with a cell that does not fit is rejected, and so is one with too few or too many cells.
An empty cell without quotes is null. A quote that is never closed costs the line that it stands in: the rows behind it are read.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any

from djfast import _native
from djfast.errors import InputError
from djfast.io.intake import only_looking
from djfast.io.read.arrow_block import ArrowBlock, UnreadRow
from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile, ReadOptions
from djfast.io.read.unicode_files import UTF8_MARK, Stream, open_text
from djfast.records import NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_HEAD_BYTES = 1 << 20  # that types are taken from
_CHUNK_BYTES = 2 << 20  # that are parsed at once, whole rows of them
_MAX_ROW_BYTES = 64 << 20
# Cells that surely print back as they stand. Doubles tell all numbers of so many digits apart.
_SURE_DIGITS = 15
_SPELLINGS = {
    "int64": r"^(0|-?[1-9][0-9]*)$",
    "double": r"^-?(0|[1-9][0-9]{0,6})(\.0|\.[0-9]{0,6}[1-9])?$",
    "bool": r"^(true|false)$",
}
_SHOWN = 1000  # characters of a cell or of a row that is rejected


class _Misshapen(NamedTuple):
    """A row that is no row of the table. Rows of a chunk are numbered from 0."""

    number: int
    reason: str
    text: str


class _Chunk(NamedTuple):
    """Whole rows of a file, the header left out. `broken` are the lines between them that no row can begin with."""

    data: bytes
    broken: list[_Misshapen]


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return one split: where a row begins is only known from all quotes before it."""
    del split_bytes
    return [0, file_size(file.path)]


def blocks(file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
    """Read a file batch by batch.

    Raises
    ------
    InputError
        If the file is damaged, or has no header.
    """
    del start, end
    kinds = schema(file, options)
    if not kinds.names:
        return
    first = 0
    with _errors_of(file.path), contextlib.closing(open_text(file.path)) as stream:
        table = _Table(stream, file)
        for chunk in table.chunks():
            block = _block(table, chunk, kinds, first)
            first += block.batch.num_rows
            yield from _in_parts(block, options.batch_bytes)


def schema(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the columns of a file, with types that its first rows and `options` suggest."""
    import pyarrow as pa

    def kind_of(field: pa.Field) -> pa.DataType:
        if pa.types.is_null(field.type):
            return options.kinds.get(field.name, pa.string())
        return pa.string() if options.kinds.get(field.name) == pa.string() else field.type

    return pa.schema([field.with_type(kind_of(field)) for field in guess(file, options)])


def guess(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the columns of a file, with types that its first rows suggest; null for those that are empty."""
    import pyarrow as pa

    with only_looking(), contextlib.closing(open_text(file.path)) as stream:
        head = stream.read(_HEAD_BYTES)
    with _errors_of(file.path):
        table = _Table(io.BytesIO(head), file, is_whole=len(head) < _HEAD_BYTES)
        if not table.header:
            return pa.schema([])
        rows = b"".join(chunk.data for chunk in table.chunks())
        found = _parsed(table, rows, [])
        names = found.schema.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"{file.path}: every column needs a name of its own, got {twice!r} more than once")
        cells = _parsed(table, rows, [], {name: pa.binary() for name in names}).combine_chunks()
        columns = [column.combine_chunks() for column in cells.columns]
        return pa.schema([(field.name, _kind(field, column, options)) for field, column in zip(found.schema, columns)])


class _Table:
    """The rows of a file, some whole ones at a time.

    The parser gets whole rows only: what it makes of a row then depends on the row alone, and never on where a block ends.

    Parameters
    ----------
    stream : Stream
        UTF-8.
    file : InputFile
        What it is.
    is_whole : bool
        Whether the stream ends where the file does.

    Raises
    ------
    InputError
        If the header has a quote that is not closed.
    """

    def __init__(self, stream: Stream, file: InputFile, *, is_whole: bool = True) -> None:
        self.path = file.path
        self.delimiter = _DELIMITERS[file.format]
        self._stream = stream
        self._is_whole = is_whole
        self._held = b""
        self._is_over = False
        self._line = 1
        self._grow()
        self._held = self._held.removeprefix(UTF8_MARK)
        self.header = self._header()

    def _grow(self) -> None:
        more = self._stream.read(max(_CHUNK_BYTES, len(self._held)))
        self._held += more
        self._is_over = not more

    def _header(self) -> bytes:
        """Take the first line that is not empty."""
        while True:
            end, count, is_broken = self._records(0, most=1)
            if is_broken or (not count and len(self._held) > _MAX_ROW_BYTES):
                raise InputError(f"cannot read {self.path}: line {self._line}: a quote of the header is not closed")
            if count or self._is_over:
                break
            self._grow()
        header = self._take(end)
        return header if header.strip(b"\r\n") else b""

    def _records(self, start: int, *, most: int = 1 << 62) -> tuple[int, int, bool]:
        is_last = self._is_over and self._is_whole
        return _native.csv_records(self._held, start, self.delimiter, is_last, most)

    def _take(self, end: int) -> bytes:
        taken, self._held = self._held[:end], self._held[end:]
        self._line += taken.count(b"\n")
        return taken

    def chunks(self) -> Iterator[_Chunk]:
        """Yield the rows below the header."""
        while True:
            chunk, end = self._chunk()
            chunk = self._without_unreadable(chunk)
            if chunk.data or chunk.broken:
                yield chunk
            self._take(end)
            if len(self._held) > _MAX_ROW_BYTES:
                yield _Chunk(b"", [self._skip_line()])
            elif self._is_over:
                return
            self._grow()

    def _chunk(self) -> tuple[_Chunk, int]:
        """Return the whole rows that are held, and where they end."""
        parts: list[bytes] = []
        broken: list[_Misshapen] = []
        position = rows = 0
        line = self._line
        while True:
            end, count, is_broken = self._records(position)
            parts.append(self._held[position:end])
            rows += count
            if not is_broken:
                return _Chunk(b"".join(parts), broken), end
            line += self._held.count(b"\n", position, end)
            position = _line_end(self._held, end)
            reason = f"line {line}: a quote that opens a cell is not closed"
            broken.append(_Misshapen(rows, reason, _shown(self._held[end:position])))
            rows += 1
            line += 1

    def _without_unreadable(self, chunk: _Chunk) -> _Chunk:
        """Take out rows with a wrong number of cells and bytes that are no UTF-8: the parser cannot say what they are."""
        if _is_utf8(chunk.data):
            return chunk
        parts: list[bytes] = []
        broken: list[_Misshapen] = []
        waiting = list(chunk.broken)
        position = number = 0
        while position < len(chunk.data):
            while waiting and waiting[0].number <= number:
                broken.append(waiting.pop(0))
                number += 1
            end, count, _ = _native.csv_records(chunk.data, position, self.delimiter, True, 1)
            row = chunk.data[position:end] or chunk.data[position:]
            seen: list[_Misshapen] = []
            if not _is_utf8(row):
                _parsed(self, row.decode("utf-8", "backslashreplace").encode(), seen)
            if seen:
                broken.append(seen[0]._replace(number=number))
            else:
                parts.append(row)
            number += count
            position += len(row)
        return _Chunk(b"".join(parts), broken + waiting)

    def _skip_line(self) -> _Misshapen:
        """Pass over a line of a row that is too long."""
        line, shown = self._line, _shown(self._held)
        while (end := _line_end(self._held, 0)) == len(self._held) and not self._is_over:
            self._held = b""
            self._grow()
        self._take(end)
        reason = f"line {line}: a row must not be longer than {_MAX_ROW_BYTES} bytes; is a quote not closed?"
        return _Misshapen(0, reason, shown)


def _line_end(data: bytes, start: int) -> int:
    """Return where the next line begins."""
    found = re.compile(rb"\r\n?|\n").search(data, start)
    return found.end() if found else len(data)


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or data.decode() is not None
    except UnicodeDecodeError:
        return False


def _shown(text: bytes) -> str:
    shown = text[: 4 * _SHOWN].decode("utf-8", "backslashreplace").rstrip("\r\n")
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."


def _parsed(table: _Table, rows: bytes, seen: list[_Misshapen], kinds: dict[str, Any] | None = None) -> pa.Table:
    """Parse whole rows; those with a wrong number of cells go to `seen`."""
    import pyarrow as pa
    import pyarrow.csv as pc

    def reject(row: Any) -> str:
        text = row.text if len(row.text) <= _SHOWN else row.text[:_SHOWN] + "..."
        reason = f"the row must have {row.expected_columns} cells, got {row.actual_columns}"
        seen.append(_Misshapen(row.number - 2, reason, text))
        return "skip"

    convert = pc.ConvertOptions(column_types=kinds, strings_can_be_null=True, quoted_strings_can_be_null=False)
    if kinds:
        convert.null_values = [""]
    header = table.header if table.header.endswith((b"\n", b"\r")) else table.header + b"\n"
    return pc.read_csv(
        pa.BufferReader(header + rows),
        pc.ReadOptions(use_threads=False, block_size=len(header) + len(rows) + 1),
        pc.ParseOptions(delimiter=table.delimiter, newlines_in_values=True, invalid_row_handler=reject),
        convert,
    )


def _block(table: _Table, chunk: _Chunk, kinds: pa.Schema, first: int) -> ArrowBlock:
    """Parse a chunk; what is no row of the table gets its place between the rows, and columns get their types."""
    import pyarrow as pa

    misshapen: list[_Misshapen] = []
    # As bytes: one cell that is not a number, or no UTF-8, must not end the run.
    rows = _parsed(table, chunk.data, misshapen, {name: pa.binary() for name in kinds.names}).combine_chunks()
    unread = {row.number: UnreadRow(row.reason, row.text) for row in _in_place(misshapen, chunk.broken)}
    count = rows.num_rows + len(unread)
    if unread:
        good = iter(range(rows.num_rows))
        rows = rows.take(pa.array([None if i in unread else next(good) for i in range(count)], pa.int64())).combine_chunks()
    cells = [_only_chunk(column) for column in rows.columns]
    columns = [_typed(column, field, unread) for column, field in zip(cells, kinds)]
    for position, row in unread.items():
        if row.content is None:
            unread[position] = row._replace(content=_as_it_stood(kinds.names, [column[position].as_py() for column in cells]))
    batch = pa.RecordBatch.from_arrays(columns, schema=kinds)
    return ArrowBlock(batch, table.path, range(first, first + count), unread)


def _as_it_stood(names: list[str], cells: list[bytes | None]) -> str:
    """Return a row with its cells as texts, as JSON; bytes that are no UTF-8 are half surrogates."""
    texts = [None if cell is None else cell.decode("utf-8", "surrogateescape") for cell in cells]
    return json.dumps(dict(zip(names, texts)), ensure_ascii=False)


def _only_chunk(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _in_place(misshapen: list[_Misshapen], broken: list[_Misshapen]) -> Iterator[_Misshapen]:
    """Yield all of them by their numbers; the parser, which has not seen the broken lines, has not counted them."""
    waiting = iter(broken)
    following = next(waiting, None)
    before = 0
    for row in misshapen:
        while following is not None and following.number <= row.number + before:
            yield following
            following = next(waiting, None)
            before += 1
        yield row._replace(number=row.number + before)
    if following is not None:
        yield following
    yield from waiting


def _in_parts(block: ArrowBlock, batch_bytes: int) -> Iterator[ArrowBlock]:
    """Cut a block into batches of about so many bytes."""
    rows = max(1, block.batch.num_rows * batch_bytes // max(1, block.batch.nbytes))
    for first in range(0, block.batch.num_rows, rows):
        numbers = block.numbers[first : first + rows]
        unread = {position - first: row for position, row in block.unread.items() if first <= position < first + rows}
        yield block._replace(batch=block.batch.slice(first, rows), numbers=numbers, unread=unread)


def _kind(field: pa.Field, cells: pa.Array, options: ReadOptions) -> pa.DataType:
    """Return the type of a column: the parser's, if that prints its cells as they stand; null if it is empty."""
    import pyarrow as pa

    if field.name in options.texts:
        return pa.string()
    if cells.null_count == len(cells):
        return pa.null()
    if field.type not in (pa.int64(), pa.float64(), pa.bool_()):
        return pa.string()
    try:
        _cast(cells, field.type, keeps_spelling=True)
    except pa.ArrowInvalid:
        return pa.string()
    return field.type


def _typed(cells: pa.Array, field: pa.Field, unread: dict[int, UnreadRow]) -> pa.Array:
    """Give a column of bytes its type; rows whose cell does not fit become unread."""
    import pyarrow as pa

    try:
        return _cast(cells, field.type)
    except pa.ArrowInvalid:
        pass

    values: list[Any] = []
    for position, cell in enumerate(cells.to_pylist()):
        try:
            values.append(_cast(pa.array([cell], pa.binary()), field.type)[0].as_py())
        except pa.ArrowInvalid:
            values.append(None)
            what = "UTF-8" if pa.types.is_string(field.type) else f"{field.type} like the first rows of the file"
            shown = cell[:_SHOWN].decode("utf-8", "backslashreplace")
            unread.setdefault(position, UnreadRow(f"column '{field.name}' must be {what}, got {shown!r}"))
    return pa.array(values, field.type)


def _cast(cells: pa.Array, kind: pa.DataType, *, keeps_spelling: bool = False) -> pa.Array:
    """Give cells a type.

    Raises
    ------
    ArrowInvalid
        If it does not hold one: if an integer or a boolean would not print back as it stands, or a number would become
        another one; with `keeps_spelling` also if a number would not print back.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    texts = cells.cast(pa.string())
    if pa.types.is_string(kind):
        return texts
    texts = pc.utf8_trim_whitespace(texts)
    spelled_null = pc.is_in(texts, pa.array(pyarrow.csv.ConvertOptions().null_values, pa.string()))
    texts = pc.if_else(spelled_null, pa.scalar(None, pa.string()), texts)
    is_plain = pc.fill_null(pc.match_substring_regex(texts, _SPELLINGS[str(kind)]), True)
    if not pc.all(is_plain).as_py() and (
        str(kind) != "double" or not all(_is_kept(text, keeps_spelling) for text in texts.filter(pc.invert(is_plain)).to_pylist())
    ):
        raise pa.ArrowInvalid(f"a cell is not spelled as {kind}")
    return texts.cast(kind)


def _is_kept(text: str, keeps_spelling: bool) -> bool:  # noqa: FBT001 - as `_cast` has it
    """Tell whether a number is the same as a double."""
    try:
        number = float(text)
    except ValueError:
        return False
    if repr(number) in (text, f"{text}.0"):  # integers beyond 1e16 print with an exponent
        return True
    if keeps_spelling:
        return False
    if re.fullmatch(r"-?[1-9]\d*", text) is not None and number == int(text):
        return True
    digits = re.sub(r"[eE].*|\D", "", text).strip("0")
    return len(digits) <= _SURE_DIGITS and isfinite(number)


@contextlib.contextmanager
def _errors_of(path: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path}: the header is not UTF-8: {error}") from error
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
