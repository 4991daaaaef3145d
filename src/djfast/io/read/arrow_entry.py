"""Arrow data is checked where it enters: no offset, index or text of a stranger reaches native code or pyarrow unchecked."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from djfast import _native
from djfast.errors import SchemaError
from djfast.io.read.arrow_block import ArrowBlock, UnreadRow
from djfast.json_bytes import as_json

if TYPE_CHECKING:
    import pyarrow as pa



def checked(block: ArrowBlock) -> ArrowBlock:
    """Check rows that come from outside. Those with a text that is not valid UTF-8, at any depth, become unread.

    Raises
    ------
    SchemaError
        If the structure of a column is broken: then it does not tell what its rows are.
    """
    import pyarrow as pa

    try:
        block.batch.validate()  # how large buffers are, only pyarrow knows
        broken = _native.check_arrow(block.batch)
    except (pa.ArrowException, SchemaError) as error:
        raise SchemaError(f"{block.file or 'the data'} cannot be read: {error}") from error
    if not broken:
        return block
    unread = dict(block.unread)
    for position, reason in broken:
        if position not in unread:
            unread[position] = UnreadRow(reason, _line_of(block.batch, position))
    return block._replace(batch=_with_nulls(block.batch, {position for position, _ in broken}), unread=unread)


def reader_of_capsules(data: Any) -> pa.RecordBatchReader:
    """Return what reads anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``, checked before pyarrow imports it.

    Raises
    ------
    SchemaError
        If it is no table, or its structure is broken. A batch that is broken is an error of pyarrow when it is read.
    """
    import pyarrow as pa

    try:
        if hasattr(data, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(_Stream(_native.checked_arrow_stream(data.__arrow_c_stream__())))
        array = _Array(*data.__arrow_c_array__())
        _native.check_arrow(array)
        batch = pa.record_batch(array)
        return pa.RecordBatchReader.from_batches(batch.schema, [batch])
    except (pa.ArrowException, SchemaError, ValueError) as error:
        raise SchemaError(f"the data cannot be read as a table: {error}") from error


class _Stream:
    """What hands out a capsule that was taken from somewhere else."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._stream


class _Array:
    """The same for the capsules of one array."""

    def __init__(self, schema: Any, array: Any) -> None:
        self._capsules = schema, array

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return self._capsules


def _with_nulls(batch: pa.RecordBatch, positions: Collection[int]) -> pa.RecordBatch:
    """Return the batch with nulls for some rows."""
    import pyarrow as pa

    numbers = pa.array([None if row in positions else row for row in range(batch.num_rows)], pa.int64())
    runs = list(_runs_between(sorted(positions), batch.num_rows))

    def cut(column: pa.Array) -> pa.Array:
        try:
            return column.take(numbers)
        except pa.ArrowNotImplementedError:  # views and run-end-encoded columns; joined they can be
            parts = [part for start, stop in runs for part in (column.slice(start, stop - start), pa.nulls(1, column.type))]
            return pa.concat_arrays(parts[:-1])

    fields = [field.with_nullable(True) for field in batch.schema]
    return pa.RecordBatch.from_arrays([cut(column) for column in batch.columns], schema=pa.schema(fields, batch.schema.metadata))


def _runs_between(positions: list[int], end: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of rows before, between and behind some positions; a run may be empty."""
    start = 0
    for position in positions:
        yield start, position
        start = position + 1
    yield start, end


def _line_of(batch: pa.RecordBatch, position: int) -> str:
    """Return a row as JSON. Bytes stand as ``surrogateescape`` decodes them, so that a line holds what the row does."""
    import pyarrow as pa

    _, array = batch.slice(position, 1).__arrow_c_array__()
    schema = pa.schema([(field.name, _as_bytes(field.type)) for field in batch.schema])
    [row] = pa.record_batch(_Array(schema.__arrow_c_schema__(), array)).to_pylist()
    return json.dumps(row, ensure_ascii=False, default=_decoded)


def _decoded(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else as_json(value)


def _as_bytes(kind: pa.DataType) -> pa.DataType:
    """Return the type with bytes where it has texts: the same layout, which may hold anything."""
    import pyarrow as pa

    def inner(number: int) -> pa.Field:
        field = kind.field(number)
        return field.with_type(_as_bytes(field.type))

    name = str(kind)
    if isinstance(kind, pa.BaseExtensionType):
        return _as_bytes(kind.storage_type)
    if name in ("string", "large_string", "string_view"):
        return {"string": pa.binary, "large_string": pa.large_binary, "string_view": getattr(pa, "binary_view", None)}[name]()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _as_bytes(kind.value_type))
    if name.startswith("run_end_encoded"):
        return pa.run_end_encoded(kind.run_end_type, _as_bytes(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(_as_bytes(kind.key_type), _as_bytes(kind.item_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(inner(0), kind.list_size)
    if pa.types.is_struct(kind):
        return pa.struct([inner(number) for number in range(kind.num_fields)])
    if pa.types.is_union(kind):
        return pa.union([inner(number) for number in range(kind.num_fields)], kind.mode, kind.type_codes)
    lists = {"list<": "list_", "large_list<": "large_list", "list_view<": "list_view", "large_list_view<": "large_list_view"}
    for begin, make in lists.items():
        if name.startswith(begin):
            return getattr(pa, make)(inner(0))
    return kind
