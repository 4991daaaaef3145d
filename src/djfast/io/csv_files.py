"""Comma- and tab-separated values as record batches, streamed.

The types of columns are those of the rows in a file's first bytes, so they depend on nothing but the file: whole numbers,
numbers, booleans, else texts. A cell that does not fit sets its row aside, and so does a row with too few or too many cells.
An empty cell without quotes is null.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from djfast.errors import InputError
from djfast.io.compression import open_bytes
from djfast.io.files import file_size
from djfast.io.formats import InputFile, ReadOptions

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.arrow_rows import ArrowBlock, UnreadRow

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_HEAD_BYTES = 1 << 20  # that types are taken from
# The parser takes so many bytes at once and holds some such blocks; a row that is longer than one is read with the next size.
_BLOCK_BYTES = (2 << 20, 64 << 20)
_SHOWN = 1000  # characters of a cell or of a row with a wrong number of cells


class _Misshapen(NamedTuple):
    """A row that the parser left out; the first row below the header has number 0."""

    number: int
    text: str
    expected: int
    cells: int


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return one split: where a row begins is only known from all quotes before it."""
    del split_bytes
    return [0, file_size(file.path)]


def blocks(file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
    """Read a file batch by batch.

    Raises
    ------
    InputError
        If the file is damaged, has no header, or has a row that is too long.
    """
    import pyarrow as pa

    del start, end
    kinds = schema(file, options)
    if not kinds.names:
        return
    with _errors_of(file.path):
        done = 0
        for block_bytes in _BLOCK_BYTES:
            try:
                for block in _typed_blocks(file, kinds, options.batch_bytes, block_bytes):
                    rest = _from_row(block, done)
                    if rest.batch.num_rows:
                        yield rest
                    done += rest.batch.num_rows
            except pa.ArrowInvalid as error:
                if _is_too_long(error) and block_bytes < _BLOCK_BYTES[-1]:
                    continue
                raise
            return


def _from_row(block: ArrowBlock, first: int) -> ArrowBlock:
    """Return the rows of a block from a row of the file on."""
    skipped = first - block.numbers[0] if block.numbers else 0
    if skipped <= 0:
        return block
    unread = {position - skipped: row for position, row in block.unread.items() if position >= skipped}
    return block._replace(batch=block.batch.slice(skipped), numbers=block.numbers[skipped:], unread=unread)


def _is_too_long(error: Exception) -> bool:
    return "straddling" in str(error)


def schema(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the columns of a file, with types that its first rows suggest."""
    import pyarrow as pa

    with open_bytes(file.path) as stream:
        head = stream.read(_HEAD_BYTES)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{file.path} must be UTF-8, got UTF-16")
    if not head.strip(b"\xef\xbb\xbf\r\n"):
        return pa.schema([])
    if len(head) == _HEAD_BYTES:
        head = head[: head.rfind(b"\n") + 1] or head
    with _errors_of(file.path):
        found = _opened(pa.BufferReader(head), file, block_bytes=_HEAD_BYTES + 1, seen=[]).schema
    if len(set(found.names)) < len(found.names):
        twice = next(name for name in found.names if found.names.count(name) > 1)
        raise InputError(f"{file.path}: every column needs a name of its own, got {twice!r} more than once")
    return pa.schema([(field.name, _kind(field, options)) for field in found])


def _kind(field: pa.Field, options: ReadOptions) -> pa.DataType:
    import pyarrow as pa

    is_plain = pa.types.is_int64(field.type) or pa.types.is_float64(field.type) or pa.types.is_boolean(field.type)
    return field.type if is_plain and field.name not in options.texts else pa.string()


def _opened(
    source: Any, file: InputFile, *, block_bytes: int, seen: list[_Misshapen], kinds: dict[str, Any] | None = None
) -> Any:
    """Open a stream of record batches; rows with a wrong number of cells go to `seen`."""
    import pyarrow.csv as pc

    def set_aside(row: Any) -> str:
        text = row.text if len(row.text) <= _SHOWN else row.text[:_SHOWN] + "..."
        seen.append(_Misshapen(row.number - 2, text, row.expected_columns, row.actual_columns))
        return "skip"

    convert = pc.ConvertOptions(column_types=kinds, strings_can_be_null=True, quoted_strings_can_be_null=False)
    if kinds:
        convert.null_values = [""]
    return pc.open_csv(
        source,
        pc.ReadOptions(use_threads=False, block_size=block_bytes),
        pc.ParseOptions(delimiter=_DELIMITERS[file.format], newlines_in_values=True, invalid_row_handler=set_aside),
        convert,
    )


def _typed_blocks(file: InputFile, kinds: pa.Schema, batch_bytes: int, block_bytes: int) -> Iterator[ArrowBlock]:
    import pyarrow as pa

    misshapen: list[_Misshapen] = []
    number = 0
    with contextlib.closing(open_bytes(file.path)) as stream:
        # As bytes: one cell that is no number, or no UTF-8, must not end the run.
        binary = {name: pa.binary() for name in kinds.names}
        reader = _opened(pa.PythonFile(stream, "r"), file, block_bytes=block_bytes, seen=misshapen, kinds=binary)
        for batch in reader:
            rows = max(1, batch.num_rows * batch_bytes // max(1, batch.nbytes))
            for first in range(0, batch.num_rows, rows):
                block = _block(file.path, batch.slice(first, rows), kinds, number, misshapen)
                yield block
                number += block.batch.num_rows
        if misshapen:
            yield _block(file.path, pa.RecordBatch.from_pylist([], schema=reader.schema), kinds, number, misshapen, is_last=True)


def _block(
    path: str, batch: pa.RecordBatch, kinds: pa.Schema, first: int, misshapen: list[_Misshapen], *, is_last: bool = False
) -> ArrowBlock:
    """Give the rows that the parser left out their places before other rows, and columns their types.

    The parser may be ahead: what it left out behind this batch stays in `misshapen`.
    """
    import pyarrow as pa

    from djfast.io.arrow_rows import ArrowBlock, UnreadRow

    unread: dict[int, UnreadRow] = {}
    while misshapen and (is_last or misshapen[0].number - first < batch.num_rows + len(unread)):
        row = misshapen.pop(0)
        unread[row.number - first] = UnreadRow(f"the row must have {row.expected} cells, got {row.cells}", row.text)
    if unread:
        good = iter(range(batch.num_rows))
        rows = [None if position in unread else next(good) for position in range(batch.num_rows + len(unread))]
        batch = batch.take(pa.array(rows, pa.int64()))
    columns = [_typed(batch.column(i), field, unread) for i, field in enumerate(kinds)]
    return ArrowBlock(pa.RecordBatch.from_arrays(columns, schema=kinds), path, range(first, first + batch.num_rows), unread)


def _typed(cells: pa.Array, field: pa.Field, unread: dict[int, UnreadRow]) -> pa.Array:
    """Give a column of bytes its type; rows whose cell does not fit become unread."""
    import pyarrow as pa

    try:
        return _cast(cells, field.type)
    except pa.ArrowInvalid:
        pass
    from djfast.io.arrow_rows import UnreadRow

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


def _cast(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    texts = cells.cast(pa.string())
    if pa.types.is_string(kind):
        return texts
    texts = pc.utf8_trim_whitespace(texts)
    spelled_null = pc.is_in(texts, pa.array(pyarrow.csv.ConvertOptions().null_values, pa.string()))
    return pc.if_else(spelled_null, pa.scalar(None, pa.string()), texts).cast(kind)


@contextlib.contextmanager
def _errors_of(path: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except InputError:
        raise
    except (pa.ArrowException, OSError) as error:
        message = str(error)
        if _is_too_long(error):
            message = f"a row is longer than {_BLOCK_BYTES[-1]} bytes; is a quote not closed?"
        raise InputError(f"cannot read {path}: {message}") from error
