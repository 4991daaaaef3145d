"""Result rows on disk until their files are written: as lines of JSON, or as Arrow tables.

What is collected depends on the rows and on nothing else: where batches end leaves no trace.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import compress, count, repeat
from typing import TYPE_CHECKING, Any, Protocol

from djfast.errors import SchemaError
from djfast.io.origins import OriginLog, Origins
from djfast.json_bytes import as_json, encodable, parsed
from djfast.records import NamedTuple

if TYPE_CHECKING:
    from djfast.io.json_columns import JsonColumns

_UNIT_ROWS = 256
GROUP_BYTES = 64 << 20
MOST_COLUMNS = 10_000


class ResultRows(Protocol):
    """Result rows as a carrier hands them over.

    Attributes
    ----------
    lines : bytes or None
        The rows as lines of JSON, if they are carried so.
    batch : pyarrow.RecordBatch or None
        The rows as a record batch, if they are carried so.
    side : bytes
        Lines of the stats file.
    numbers : bytes or sequence of int
        Numbers of the rows where they came from, 64 bits each if they are bytes.
    """

    @property
    def row_count(self) -> int: ...  # noqa: D102 - as above
    @property
    def lines(self) -> bytes | None: ...  # noqa: D102
    @property
    def batch(self) -> Any: ...  # noqa: D102
    @property
    def side(self) -> bytes: ...  # noqa: D102
    @property
    def numbers(self) -> bytes | Sequence[int]: ...  # noqa: D102
    @property
    def file(self) -> str | bytes | None: ...  # noqa: D102

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        ...


class TableSink(Protocol):
    """A file that takes Arrow tables: a writer of pyarrow."""

    def write_table(self, table: Any) -> None:
        """Write the next rows."""
        ...

    def close(self) -> None:
        """Complete the file."""
        ...


class Collected(Protocol):
    """All rows of a result. They can be read several times, from the first one on."""

    path: str
    count: int
    size: int  # in bytes; decides on the number of shards

    @property
    def schema(self) -> Any:
        """Arrow schema of all rows."""
        ...

    @property
    def names(self) -> list[str]:
        """Fields of all rows."""
        ...

    def lines(self) -> Iterator[bytes]:
        """Yield the rows as lines of JSON, each with its line feed."""
        ...

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as dictionaries."""
        ...

    def tables(self) -> Iterator[Any]:
        """Yield the rows as Arrow tables."""
        ...


class Unfit(NamedTuple):
    """A row that the result has no place for: which of those that were written, why, where it came from, and its line."""

    row: int
    reason: str
    file: str | None
    number: int
    line: bytes


class _UnfitLog:
    """Rows without a place, in a file: there may be many."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(path, "wb")  # noqa: SIM115 - closed when the rows are asked for

    def write(self, unfit: Unfit) -> None:
        """Take a row."""
        self._file.write(json.dumps(unfit[:-1]).encode() + b"\n" + unfit.line + b"\n")

    def rows(self) -> Iterator[Unfit]:
        """Take no more rows, and yield them."""
        self._file.close()
        with open(self.path, "rb") as file:
            while head := file.readline():
                row, reason, origin, number = json.loads(head)
                yield Unfit(row, reason, origin, number, file.readline().removesuffix(b"\n"))


class CollectedLines:
    """Rows as lines of JSON in a file.

    Parameters
    ----------
    path : str
    columns : callable
        Returns the schema that the rows had as a table before they became lines; None if they had none.
    names_rows : bool
        Remember where rows came from, for those that `settle` finds.
    """

    def __init__(self, path: str, columns: Callable[[], Any] = lambda: None, *, names_rows: bool = False) -> None:
        self.path = path
        self.count = 0
        self.size = 0
        self._columns = columns
        self._json: JsonColumns | None = None
        self._names: list[str] | None = None
        self._unfit: dict[int, str] = {}
        self._origins = OriginLog(f"{path}.origins") if names_rows else None
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by its owner

    def write(self, piece: ResultRows) -> None:
        """Take the next rows."""
        lines = piece.lines
        if lines is None:
            lines = b"".join(lines_of(piece))
        if not self.count and piece.batch is not None:
            self._columns = lambda: piece.batch.schema
        if self._origins is not None:
            file = _file_of(piece)
            numbers = array("Q", piece.numbers) if isinstance(piece.numbers, bytes) else piece.numbers
            self._origins.write(piece.row_count, file, numbers)
        self.count += piece.row_count
        self.size += len(lines)
        view = memoryview(lines)
        while view:
            view = view[self._file.write(view) :]

    def settle(self, shape: str) -> Iterator[Unfit]:
        """Take no more rows, and yield those that a format of a shape has no place for. They are left out from now on."""
        self.close()
        if shape in ("table", "folder"):
            self._unfit = self._table.rejected
        else:
            self._look_at_rows()
        if not self._unfit:
            return
        unfit = sorted(self._unfit)
        places = self._origins.places(unfit) if self._origins is not None else ((None, row) for row in unfit)
        lines = compress(self._all_lines(), (row in self._unfit for row in range(self.count)))
        for row, (file, number), line in zip(unfit, places, lines):
            self.size -= len(line)
            yield Unfit(row, self._unfit[row], file, number, line)
        self.count -= len(unfit)

    def _look_at_rows(self) -> None:
        names: dict[str, None] = {}
        for number, line in enumerate(self._all_lines()):
            try:
                row = encodable(line)
            except (ValueError, RecursionError) as error:
                self._unfit[number] = str(error)
                continue
            if not row.keys() <= names.keys():
                names.update(dict.fromkeys(row))
                if len(names) > MOST_COLUMNS:
                    break
        if not self.count and (columns := self._columns()) is not None:
            names = dict.fromkeys(columns.names)
        self._names = list(names)

    def close(self) -> None:
        """Take no more rows."""
        self._file.close()
        if self._origins is not None:
            self._origins.close()

    def remove(self) -> None:
        """Remove what was kept to find rows by."""
        if self._origins is not None:
            os.unlink(self._origins.path)

    def abandon(self) -> None:
        """Close the file as it is."""
        self.close()

    def _all_lines(self) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            yield from file

    def lines(self) -> Iterator[bytes]:
        """Yield the lines."""
        lines = self._all_lines()
        return compress(lines, (row not in self._unfit for row in count())) if self._unfit else lines

    def rows(self) -> Iterator[dict[str, Any]]:
        """Parse the lines."""
        return map(parsed, self.lines())

    @property
    def names(self) -> list[str]:
        """Fields of all rows, as they first appear."""
        if self._names is None:
            self._look_at_rows()
        assert self._names is not None
        return self._names

    @property
    def _table(self) -> JsonColumns:
        if self._json is None:
            from djfast.io.json_columns import JsonColumns, blocks_of

            self._json = JsonColumns(partial(blocks_of, self.path), self._columns())
            self._unfit = self._json.rejected
        return self._json

    @property
    def schema(self) -> Any:
        """Arrow schema of all rows."""
        return self._table.schema

    def tables(self) -> Iterator[Any]:
        """Parse the lines into tables of one schema."""
        return self._table.tables()


def _file_of(piece: ResultRows) -> str | None:
    return piece.file.decode() if isinstance(piece.file, bytes) else piece.file


def lines_of(piece: ResultRows) -> Iterable[bytes]:
    """Yield the rows of a piece as lines of JSON.

    Raises
    ------
    SchemaError
        If JSON does not have a value.
    """
    if piece.batch is not None:
        from djfast.io.arrow_json import json_lines

        return (line.encode() + b"\n" for line in json_lines(piece.batch))
    return map(_given_line, piece.to_rows(), piece.numbers)


def _given_line(row: dict[str, Any], number: int) -> bytes:
    """Return a row of Python's values as a line of JSON.

    Raises
    ------
    SchemaError
        If JSON does not have a value.
    """
    from djfast.plain_values import plain_row_value  # whose imports a run of files need not wait for

    try:
        return json.dumps(row, ensure_ascii=False, default=plain_row_value).encode("utf-8", "backslashreplace") + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"row {number + 1} cannot be written: {error}") from error


def text_bytes(table: Any) -> list[int]:
    """Return how many bytes the texts of each row of a table or a record batch take."""
    import pyarrow as pa
    import pyarrow.compute as pc

    sizes = [0] * table.num_rows
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            lengths = pc.fill_null(pc.binary_length(column), 0).to_pylist()
            sizes = [size + length for size, length in zip(sizes, lengths)]
    return sizes


class CollectedTables:
    """Record batches, written to a file as Arrow tables.

    Tables end after a whole number of units where the units' sizes reach a limit, a unit being so many rows, or fewer whose
    texts reach it alone.

    Parameters
    ----------
    path : str
    schema : pyarrow.Schema
        Of all batches.
    group_bytes : int
        The limit.
    open_sink : callable, optional
        ``open_sink(path, schema)`` opens the file; by default it can be read again here.
    """

    def __init__(
        self,
        path: str,
        schema: Any,
        open_sink: Callable[[str, Any], TableSink] | None = None,
        *,
        group_bytes: int = GROUP_BYTES,
    ) -> None:
        self.path = path
        self.schema = schema
        self._group_bytes = group_bytes
        self.count = 0
        self.size = 0
        self._sink = (open_sink or _open_stream)(path, schema)
        self._loose: list[Any] = []  # batches that do not fill a unit yet
        self._loose_rows = 0
        self._loose_bytes = 0
        self._units: list[Any] = []
        self._units_bytes = 0
        self._seen = 0  # rows, those without a place among them
        self._unfit: _UnfitLog | None = None

    def write(self, piece: ResultRows) -> None:
        """Take the next rows; `settle` yields those that have no place in the columns."""
        import pyarrow as pa

        from djfast.io.plain_columns import fitted

        try:
            self._take(fitted(piece.batch, self.schema))
        except pa.ArrowException:
            self._take_one_by_one(piece)
        self._seen += piece.row_count

    def _take(self, batch: Any) -> None:
        self.count += batch.num_rows
        self._loose.append(batch)
        self._loose_rows += batch.num_rows
        self._loose_bytes += batch.nbytes
        if self._loose_rows >= _UNIT_ROWS or self._loose_bytes >= self._group_bytes:
            self._take_units()

    def _take_one_by_one(self, piece: ResultRows) -> None:
        import pyarrow as pa

        from djfast.io.arrow_json import json_lines
        from djfast.io.plain_columns import fitted

        for position in range(piece.row_count):
            row = piece.batch.slice(position, 1)
            try:
                self._take(fitted(row, self.schema))
            except pa.ArrowException as error:
                if self._unfit is None:
                    self._unfit = _UnfitLog(f"{self.path}.unfit")
                file = Origins(_file_of(piece)).of([position]) or None
                [line] = json_lines(row)
                self._unfit.write(Unfit(self._seen + position, str(error), file, piece.numbers[position], line.encode()))

    def _take_units(self, *, rest: bool = False) -> None:
        """Cut loose rows into units."""
        import pyarrow as pa

        table = pa.Table.from_batches(self._loose, self.schema).combine_chunks()
        self._loose.clear()
        first = 0
        for end in self._unit_ends(table, rest=rest):
            # Rows that are taken, and not cut out, have forgotten what they were part of; and the size of a message, unlike
            # `nbytes`, leaves out bits for nulls where there are none. So both depend on nothing but the rows.
            unit = table.take(pa.array(range(first, end), pa.int64()))
            first = end
            self._units_bytes += sum(map(pa.ipc.get_record_batch_size, unit.to_batches()))
            self._units.append(unit)
            del unit
            if self._units_bytes >= self._group_bytes:
                self._write_group()
        left = table.slice(first)
        self._loose, self._loose_rows, self._loose_bytes = left.to_batches(), left.num_rows, left.nbytes

    def _unit_ends(self, table: Any, *, rest: bool) -> list[int]:
        """Return where the units of loose rows end."""
        # The texts of rows are not larger than what holds them: where that is small, no unit ends for its size.
        sizes = text_bytes(table) if self._loose_bytes >= self._group_bytes else repeat(0, table.num_rows)
        ends = [0]
        size = 0
        for row, bytes_of_row in enumerate(sizes, 1):
            size += bytes_of_row
            if row - ends[-1] == _UNIT_ROWS or size >= self._group_bytes:
                ends.append(row)
                size = 0
        if rest and ends[-1] < table.num_rows:
            ends.append(table.num_rows)
        return ends[1:]

    def _write_group(self) -> None:
        import pyarrow as pa

        from djfast.io.plain_columns import encoded_anew

        group = pa.concat_tables(self._units).combine_chunks()
        self._units.clear()
        # The order of dictionaries, and what no row uses, come from the batches.
        self._sink.write_table(encoded_anew(group))
        self.size += self._units_bytes
        self._units, self._units_bytes = [], 0

    @property
    def names(self) -> list[str]:
        """Fields of all rows."""
        return list(self.schema.names)

    def settle(self, shape: str) -> Iterator[Unfit]:
        """Yield the rows that have no place in the columns."""
        del shape
        return iter(()) if self._unfit is None else self._unfit.rows()

    def remove(self) -> None:
        """Remove what was kept of rows that have no place."""
        if self._unfit is not None:
            os.unlink(self._unfit.path)

    def close(self) -> None:
        """Take no more rows, and complete the file."""
        if self._loose_rows:
            self._take_units(rest=True)
        if self._units:
            self._write_group()
        self._sink.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        self._sink.close()

    def lines(self) -> Iterator[bytes]:
        """Yield the rows as lines of JSON."""
        return map(json_line, self.rows())

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as dictionaries."""
        from djfast.io.arrow_json import json_rows

        for table in self.tables():
            for batch in table.to_batches(max_chunksize=_UNIT_ROWS):
                yield from json_rows(batch)

    def tables(self) -> Iterator[Any]:
        """Yield the tables."""
        import pyarrow as pa

        with pa.OSFile(self.path) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                yield pa.Table.from_batches([batch], self.schema)


def _open_stream(path: str, schema: Any) -> TableSink:
    """Open a stream, the form of Arrow data in which dictionaries may differ from table to table."""
    import pyarrow as pa

    sink: TableSink = pa.ipc.new_stream(path, schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
    return sink


def json_line(row: dict[str, Any]) -> bytes:
    """Return a row as a line of JSON; times are ISO 8601."""
    return json.dumps(row, ensure_ascii=False, default=as_json).encode("utf-8", "backslashreplace") + b"\n"


def json_value(value: Any) -> Any:
    """Return what stands in JSON for a value that JSON does not have."""
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
