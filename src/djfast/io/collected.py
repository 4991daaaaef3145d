"""Result rows on disk until their files are written: as lines of JSON, or as Arrow tables.

What is collected depends on the rows and on nothing else: where batches end leaves no trace.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from djfast.errors import InputError, OutputError
from djfast.json_bytes import MARK, as_json, parsed

_UNIT_ROWS = 256
_GROUP_BYTES = 64 << 20
_BLOCK_BYTES = 8 << 20


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

    count: int
    size: int  # in bytes; decides on the number of shards

    @property
    def schema(self) -> Any:
        """Arrow schema of all rows."""
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


class CollectedLines:
    """Rows as lines of JSON in a file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.count = 0
        self.size = 0
        self._schema: Any = None
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by its owner

    def write(self, piece: Any) -> None:
        """Take the next rows."""
        lines = getattr(piece, "lines", None)
        if lines is None:
            lines = b"".join(map(json_line, piece.to_rows()))
        self.count += piece.row_count
        self.size += len(lines)
        view = memoryview(lines)
        while view:
            view = view[self._file.write(view) :]

    def close(self) -> None:
        """Take no more rows."""
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def lines(self) -> Iterator[bytes]:
        """Yield the lines."""
        with open(self.path, "rb") as file:
            yield from file

    def rows(self) -> Iterator[dict[str, Any]]:
        """Parse the lines.

        Raises
        ------
        OutputError
            If a row cannot be parsed: it is nested too deeply, or a number in it has thousands of digits.
        """
        for number, line in enumerate(self.lines(), 1):
            try:
                yield parsed(line)
            except (ValueError, RecursionError) as error:
                raise OutputError(f"row {number} of the result can only be exported as jsonl or json: {error}") from error

    @property
    def schema(self) -> Any:
        """Arrow schema of all rows: types are as wide as some row needs.

        Raises
        ------
        InputError
            If a field has types in different rows that no Arrow type holds.
        """
        import pyarrow as pa

        if self._schema is None:
            schema = None
            with _one_schema():
                for table in self._parsed(None):
                    both = [table.schema] if schema is None else [schema, table.schema]
                    schema = pa.unify_schemas(both, promote_options="permissive")
            self._schema = pa.schema([]) if schema is None else schema
        return pa.schema([field.with_type(_with_bytes(field.type)) for field in self._schema])

    def tables(self) -> Iterator[Any]:
        """Parse the lines into tables of one schema."""
        import pyarrow.json

        schema = self.schema
        with _one_schema():
            for table in self._parsed(pyarrow.json.ParseOptions(explicit_schema=self._schema)):
                plain = table.select(schema.names).cast(self._schema)
                yield plain if schema == self._schema else _with_bytes_restored(plain, schema)

    def _parsed(self, options: Any) -> Iterator[Any]:
        """Parse blocks of whole lines, each on its own, so that every block may have its own types."""
        import pyarrow as pa
        import pyarrow.json

        with open(self.path, "rb") as file:
            while lines := file.readlines(_BLOCK_BYTES):
                block = b"".join(lines)
                sized = pyarrow.json.ReadOptions(block_size=len(block) + 1, use_threads=False)
                yield pyarrow.json.read_json(pa.BufferReader(block), read_options=sized, parse_options=options)


def _with_bytes(kind: Any) -> Any:
    """Return a type in which bytes are what JSON marks as such."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return pa.list_(_with_bytes(kind.value_type))
    if not pa.types.is_struct(kind):
        return kind
    if kind.num_fields == 1 and kind[0].name == MARK:
        return pa.binary()
    return pa.struct([field.with_type(_with_bytes(field.type)) for field in kind])


def _with_bytes_restored(table: Any, schema: Any) -> Any:
    import pyarrow as pa

    arrays = []
    for name, field in zip(table.schema.names, schema):
        column = table.column(name)
        if column.type != field.type:
            values = [parsed(json.dumps(value).encode()) for value in column.to_pylist()]
            column = pa.chunked_array([pa.array(values, field.type)])
        arrays.append(column)
    return pa.table(arrays, schema=schema)


@contextlib.contextmanager
def _one_schema() -> Iterator[None]:
    """Say what to do about rows that have no schema in common."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        raise InputError(f"the rows do not fit one schema of Arrow ({error}); export jsonl instead") from error


class CollectedTables:
    """Record batches, written to a file as Arrow tables.

    Tables end after a whole number of units, a unit being so many rows, where the units' sizes reach a limit.

    Parameters
    ----------
    path : str
    schema : pyarrow.Schema
        Of all batches.
    open_sink : callable, optional
        ``open_sink(path, schema)`` opens the file; by default it can be read again here.
    """

    def __init__(self, path: str, schema: Any, open_sink: Callable[[str, Any], TableSink] | None = None) -> None:
        self.path = path
        self.schema = schema
        self.count = 0
        self.size = 0
        self._sink = (open_sink or _open_stream)(path, schema)
        self._loose: list[Any] = []  # batches that do not fill a unit yet
        self._loose_rows = 0
        self._units: list[Any] = []
        self._units_bytes = 0

    def write(self, piece: Any) -> None:
        """Take the next rows.

        Raises
        ------
        InputError
            If they have other columns than the first ones.
        """
        if not piece.batch.schema.equals(self.schema):
            raise InputError(
                f"the input files have different columns, which do not fit one schema of Arrow; export jsonl instead. The first "
                f"rows have {_shown(self.schema)}, others {_shown(piece.batch.schema)}"
            )
        self.count += piece.batch.num_rows
        self._loose.append(piece.batch)
        self._loose_rows += piece.batch.num_rows
        if self._loose_rows >= _UNIT_ROWS:
            self._take_units()

    def _take_units(self, *, rest: bool = False) -> None:
        """Cut loose rows into units."""
        import pyarrow as pa

        table = pa.Table.from_batches(self._loose, self.schema).combine_chunks()
        whole = self._loose_rows if rest else self._loose_rows // _UNIT_ROWS * _UNIT_ROWS
        for first in range(0, whole, _UNIT_ROWS):
            # Rows that are taken, and not cut out, have forgotten what they were part of; and the size of a message, unlike
            # `nbytes`, leaves out bits for nulls where there are none. So both depend on nothing but the rows.
            unit = table.take(pa.array(range(first, min(first + _UNIT_ROWS, whole)), pa.int64()))
            self._units_bytes += sum(map(pa.ipc.get_record_batch_size, unit.to_batches()))
            self._units.append(unit)
            if self._units_bytes >= _GROUP_BYTES:
                self._write_group()
        self._loose = table.slice(whole).to_batches()
        self._loose_rows -= whole

    def _write_group(self) -> None:
        import pyarrow as pa

        group = pa.concat_tables(self._units).combine_chunks()
        for number, field in enumerate(group.schema):
            if pa.types.is_dictionary(field.type):  # its order, and what no row uses, come from the batches
                values = group.column(number).cast(field.type.value_type)
                group = group.set_column(number, field, values.combine_chunks().dictionary_encode().cast(field.type))
        self._sink.write_table(group)
        self.size += self._units_bytes
        self._units, self._units_bytes = [], 0

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
        for table in self.tables():
            for batch in table.to_batches(max_chunksize=_UNIT_ROWS):
                yield from batch.to_pylist()

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


def _shown(schema: Any) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)


def json_line(row: dict[str, Any]) -> bytes:
    """Return a row as a line of JSON; times are ISO 8601."""
    return json.dumps(row, ensure_ascii=False, default=as_json).encode("utf-8", "backslashreplace") + b"\n"


def json_value(value: Any) -> Any:
    """Return what stands in JSON for a value that JSON does not have."""
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
