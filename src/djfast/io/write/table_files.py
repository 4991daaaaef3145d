"""Results of Arrow tables: Parquet and Arrow IPC files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from djfast.io.write.collected import Collected, TableSink


def parquet(path: str, schema: Any, arguments: Mapping[str, Any]) -> TableSink:
    """Open a Parquet file; each table is a row group."""
    return _Parquet(path, schema, arguments["compression"])


class _Parquet:
    def __init__(self, path: str, schema: Any, compression: str) -> None:
        import pyarrow.parquet as pq

        from djfast.io.plain_columns import stored_schema, stored_table

        self._stored = stored_table
        self._schema = stored_schema(schema)
        self._writer = pq.ParquetWriter(path, self._schema, compression=compression)

    def write_table(self, table: Any) -> None:
        table = self._stored(table, self._schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def close(self) -> None:
        self._writer.close()


def arrow(path: str, schema: Any, arguments: Mapping[str, Any]) -> TableSink:
    """Open an Arrow IPC file."""
    del arguments
    return _Ipc(path, schema, None)


def feather(path: str, schema: Any, arguments: Mapping[str, Any]) -> TableSink:
    """Open a compressed Arrow IPC file, also known as Feather version 2."""
    compression = arguments["compression"]
    return _Ipc(path, schema, None if compression == "none" else compression)


class _Ipc:
    """An Arrow IPC file. It cannot have other dictionaries in each table, so texts of dictionaries are written out."""

    def __init__(self, path: str, schema: Any, compression: str | None) -> None:
        import pyarrow as pa

        self._schema = without_dictionaries(schema)
        self._writer = pa.ipc.new_file(path, self._schema, options=pa.ipc.IpcWriteOptions(compression=compression))

    def write_table(self, table: Any) -> None:
        import pyarrow as pa

        columns = [
            pa.chunked_array([_written_out(chunk, field.type) for chunk in column.chunks], field.type)
            for column, field in zip(table.columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def without_dictionaries(schema: Any) -> Any:
    """Return the schema with the types of their values for dictionaries."""
    import pyarrow as pa

    return pa.schema([field.with_type(_plain(field.type)) for field in schema], schema.metadata)


def _written_out(array: Any, kind: Any) -> Any:
    """Return an array without dictionaries. Arrow's own cast fails where one has no values: it looks up those of null structs."""
    import pyarrow as pa

    if array.type == kind:
        return array
    if pa.types.is_dictionary(array.type):
        return _written_out(array.dictionary_decode(), kind)
    if pa.types.is_struct(array.type):
        inside = [_written_out(each, field.type) for each, field in zip(array.flatten(), kind, strict=True)]
        return pa.StructArray.from_arrays(inside, fields=list(kind), mask=array.is_null())
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        inside = [_written_out(array.values, kind.value_type)]
        return pa.Array.from_buffers(kind, len(array), array.buffers()[:2], offset=array.offset, children=inside)
    return array.cast(kind)


def _plain(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_plain(kind.value_type)))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    return kind


class TableCutter:
    """Rows of tables, some at a time."""

    def __init__(self, rows: Collected) -> None:
        self._tables = rows.tables()
        self._rest: Any = None

    def take(self, count: int) -> Iterator[Any]:
        """Yield the tables of the next `count` rows."""
        while count:
            table = self._rest if self._rest is not None and self._rest.num_rows else next(self._tables)
            part, self._rest = table.slice(0, count), table.slice(count)
            yield part
            count -= part.num_rows
