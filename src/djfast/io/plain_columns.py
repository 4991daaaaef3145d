"""Columns in the layouts that rows can be taken from: texts and bytes that are views, and runs of equal values, are written out.

A result gets the layout that its columns came in, where its format has it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from djfast.errors import SchemaError
from djfast.io.arrow_json import array_of, converter, holds, inner_fields, is_extension, is_kind, is_listing, json_values
from djfast.reserved import HASHES, META, STATS

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.write.collected import TableSink

EMPTY = "__dj__empty__"  # the only member of an object without members, in files that have no such objects


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that columns of a type are carried in."""
    import pyarrow as pa

    if is_kind(kind, "string_view"):
        return pa.large_string()
    if is_kind(kind, "binary_view"):
        return pa.large_binary()
    if is_kind(kind, "run_end_encoded"):
        return plain_type(kind.value_type)
    if _is_narrow(kind) or _has_view_values(kind):
        index = pa.int32() if _is_narrow(kind) else kind.index_type
        return pa.dictionary(index, plain_type(kind.value_type), kind.ordered)
    if not holds(kind, _is_odd):
        return kind
    if is_kind(kind, "struct"):
        fields = [] if _is_placeholder(kind) else inner_fields(kind)
        return pa.struct([field.with_type(plain_type(field.type)) for field in fields])
    if is_kind(kind, "map"):
        return pa.map_(plain_type(kind.key_type), plain_type(kind.item_type))
    if is_listing(kind):
        item = kind.value_field.with_type(plain_type(kind.value_type))
        if is_kind(kind, "fixed_size_list"):
            return pa.list_(item, kind.list_size)
        return pa.large_list(item) if is_kind(kind, "large_list", "large_list_view") else pa.list_(item)
    return kind


def _is_odd(kind: pa.DataType) -> bool:
    has_views = is_kind(kind, "string_view", "binary_view") or _has_view_values(kind)
    return has_views or is_kind(kind, "run_end_encoded") or _is_placeholder(kind) or _is_narrow(kind)


def _has_view_values(kind: pa.DataType) -> bool:
    """Tell whether a type has dictionaries of views, as categories of polars are in files: few readers and writers have them."""
    return is_kind(kind, "dictionary") and is_kind(kind.value_type, "string_view", "binary_view")


def _is_narrow(kind: pa.DataType) -> bool:
    """Tell whether a type has dictionaries for so few values that those of several files or batches may not fit into one."""
    return is_kind(kind, "dictionary") and kind.index_type.bit_width < 32


def _is_empty(kind: pa.DataType) -> bool:
    return is_kind(kind, "struct") and kind.num_fields == 0


def _has_negative_scale(kind: pa.DataType) -> bool:
    return is_kind(kind, "decimal") and kind.scale < 0


def _is_placeholder(kind: pa.DataType) -> bool:
    return is_kind(kind, "struct") and kind.num_fields == 1 and kind.field(0).name == EMPTY


def with_room(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which objects without members have none, and dictionaries have room for any number of values."""
    for number, field in enumerate(schema):
        if holds(field.type, lambda each: _is_placeholder(each) or _is_narrow(each) or _has_view_values(each)):
            schema = schema.set(number, field.with_type(plain_type(field.type)))
    return schema


def plain_schema(schema: pa.Schema, where: str) -> pa.Schema:
    """Return the schema that rows are carried in; `schema` itself if it is that.

    Raises
    ------
    SchemaError
        If rows of a column cannot be carried. `where` names the input.
    """
    import pyarrow as pa

    if len(set(schema.names)) < len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise SchemaError(f"{where}: every column needs a name of its own, got {twice!r} more than once")
    for field in schema:
        if not is_kind(field.type, "run_end_encoded") and holds(field.type, lambda each: is_kind(each, "run_end_encoded")):
            raise SchemaError(f"{where}: column '{field.name}' has runs inside other values, which cannot be read: {field.type}")
        if holds(plain_type(field.type), lambda each: is_kind(each, "string_view", "binary_view")):
            raise SchemaError(f"{where}: column '{field.name}' has views inside a union, which cannot be read: {field.type}")
    if not any(holds(field.type, _is_odd) for field in schema):
        return schema
    return pa.schema([field.with_type(plain_type(field.type)) for field in schema], schema.metadata)


def plain_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch in the schema that `plain_schema` gave for it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if schema is batch.schema or schema.equals(batch.schema):
        return batch
    columns = []
    for column, field in zip(batch.columns, schema):
        if holds(column.type, _is_placeholder):
            columns.append(_made(map(_without_placeholder, json_values(column)), field.type))
            continue
        if is_kind(column.type, "run_end_encoded"):
            column = pc.run_end_decode(column)
        columns.append(_without_views(column, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _without_views(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return an array in its plain type; no library casts dictionaries of views, or lists of them."""
    import pyarrow as pa

    if array.type == kind or not holds(array.type, _has_view_values):
        return array if array.type == kind else array.cast(kind)
    if is_kind(kind, "dictionary"):
        indices, values = array.indices.cast(kind.index_type), array.dictionary.cast(kind.value_type)
        return pa.DictionaryArray.from_arrays(indices, values, ordered=kind.ordered)
    if is_kind(kind, "list", "large_list"):
        inside = [_without_views(array.values, kind.value_type)]
        return pa.Array.from_buffers(kind, len(array), array.buffers()[:2], offset=array.offset, children=inside)
    if is_kind(kind, "struct"):
        fields = inner_fields(kind)
        inside = [_without_views(each, field.type) for each, field in zip(array.flatten(), fields)]
        return pa.StructArray.from_arrays(inside, fields=fields, mask=array.is_null())
    return pa.array(array.to_pylist(), kind)


def joined_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return one schema for rows of several: all columns, each with a type that holds the values of all, if there is one."""
    import pyarrow as pa

    fields: dict[str, pa.Field] = {}
    metadata = None
    for schema in dict.fromkeys(schemas):
        if not fields:
            metadata = schema.metadata
        for field in schema:
            known = fields.setdefault(field.name, field)
            if known.type != field.type:
                fields[field.name] = known.with_type(_joined_type(known.type, field.type))
            if field.nullable and not known.nullable:
                fields[field.name] = fields[field.name].with_nullable(True)
    return pa.schema(list(fields.values()), metadata)


def _joined_type(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    """Return a type for values of both; the first if there is none."""
    return _type_of_both(first, second) or plain_type(first)


def _is_text(kind: pa.DataType) -> bool:
    return is_kind(kind.value_type if is_kind(kind, "dictionary") else kind, "string", "large_string")


def _type_of_both(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    import pyarrow as pa

    first, second = plain_type(first), plain_type(second)
    if _is_text(first) and _is_text(second):
        texts = [kind for kind in (first, second) if not is_kind(kind, "dictionary")]
        return first if first == second else texts[0] if texts else first.value_type
    if pa.uint64() in (first, second) and any(is_kind(kind, "signed_integer") for kind in (first, second)):
        return pa.decimal128(20, 0)  # the least type for integers of both
    if is_kind(first, "timestamp") and is_kind(second, "timestamp") and first.tz is not None and second.tz is not None:
        second = pa.timestamp(second.unit, first.tz)  # the same moments
    try:
        joined = pa.unify_schemas([pa.schema([("x", first)]), pa.schema([("x", second)])], promote_options="permissive")
    except pa.ArrowException:
        return None
    return joined.field(0).type


def result_schema(first: pa.Schema, columns: pa.Schema) -> pa.Schema:
    """Return the schema of a result whose first rows have one schema, and whose input has the columns of another one."""
    import pyarrow as pa

    known = {field.name: field.with_type(plain_type(field.type)) for field in columns if field.name not in (STATS, META, *HASHES)}
    fields = [
        known[field.name] if field.name in known and _is_within(field.type, known[field.name].type) else field for field in first
    ]
    missing = [field for name, field in known.items() if name not in first.names]
    return pa.schema([*fields, *missing], first.metadata)


def _is_within(kind: pa.DataType, other: pa.DataType) -> bool:
    """Tell whether values of one type are values of another one."""
    return kind == other or is_kind(kind, "null") or _type_of_both(other, kind) == other


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with the columns of a schema: in its order, null where the batch has none, with its types.

    Raises
    ------
    ArrowException
        If a type does not hold a value, or a column has no place.
    """
    import pyarrow as pa

    if batch.schema.equals(schema):
        return batch
    if extra := [name for name in batch.schema.names if name not in schema.names]:
        raise pa.ArrowInvalid(f"the result has no column '{extra[0]}'")
    columns = [_fitted_column(batch, field) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _fitted_column(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    import pyarrow as pa

    column = batch.column(field.name) if field.name in batch.schema.names else pa.nulls(batch.num_rows)
    if not field.nullable and column.null_count:
        raise pa.ArrowInvalid(f"column '{field.name}' must not be null")
    if column.null_count == len(column):
        return pa.nulls(len(column), field.type)
    if not _is_within(column.type, field.type):
        raise pa.ArrowInvalid(f"column '{field.name}' must be {field.type}, as in the first file that has it, got {column.type}")
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise pa.ArrowInvalid(f"column '{field.name}' must be {field.type}, as in other files: {error}") from error


def as_they_were(schema: pa.Schema, columns: pa.Schema | None) -> pa.Schema:
    """Return a schema with the types of `columns` for those that are carried in another layout; itself if there are none."""
    import pyarrow as pa

    if columns is None:
        return schema
    known = {field.name: field.type for field in columns if not _is_changed_for_good(field.type)}
    kinds = [known.get(field.name) for field in schema]
    if not any(kind is not None and kind != field.type and plain_type(kind) == field.type for kind, field in zip(kinds, schema)):
        return schema
    fields = [
        field.with_type(kind) if kind is not None and plain_type(kind) == field.type else field
        for kind, field in zip(kinds, schema)
    ]
    return pa.schema(fields, schema.metadata)


def _is_changed_for_good(kind: pa.DataType) -> bool:
    """Tell whether a type stays another one: it has a placeholder, dictionaries of views, or narrow ones inside other values."""
    is_unlike = holds(kind, lambda each: _is_placeholder(each) or _has_view_values(each))
    return is_unlike or (holds(kind, _is_narrow) and not _is_narrow(kind))


def has_type(format_name: str, kind: pa.DataType) -> bool:
    """Tell whether the files of a format can hold columns of a type."""
    return format_name != "parquet" or not holds(kind, lambda each: is_kind(each, "union", "interval"))


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema as Parquet has it.

    An object without members gets one that is always null, runs are written out, and decimals count in units or smaller ones.
    """
    import pyarrow as pa

    return pa.schema([field.with_type(_stored_type(field.type)) for field in schema], schema.metadata)


def _stored_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if is_kind(kind, "run_end_encoded"):
        return _stored_type(kind.value_type)
    if _is_empty(kind):
        return pa.struct([(EMPTY, pa.null())])
    if _has_negative_scale(kind):
        return (pa.decimal128 if kind.precision - kind.scale <= 38 else pa.decimal256)(kind.precision - kind.scale, 0)
    if not holds(kind, lambda each: _is_empty(each) or _has_negative_scale(each)):
        return kind
    if is_kind(kind, "struct"):
        return pa.struct([field.with_type(_stored_type(field.type)) for field in inner_fields(kind)])
    if is_kind(kind, "map"):
        return pa.map_(_stored_type(kind.key_type), _stored_type(kind.item_type))
    if is_kind(kind, "fixed_size_list"):
        return pa.list_(_stored_type(kind.value_type), kind.list_size)
    return pa.list_(_stored_type(kind.value_type)) if is_listing(kind) else kind


def stored_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table in the schema that `stored_schema` gave for it."""
    import pyarrow as pa

    if table.schema.equals(schema):
        return table
    columns = [
        column
        if column.type == field.type
        else pa.chunked_array([_made(json_values(chunk), field.type) for chunk in column.chunks], field.type)
        for column, field in zip(table.columns, schema)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _made(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    convert = converter(kind)
    return array_of([convert(value) for value in values], kind)


def _without_placeholder(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_placeholder(each) for name, each in value.items() if name != EMPTY}
    return [_without_placeholder(each) for each in value] if isinstance(value, list | tuple) else value


class Restoring:
    """Gives columns the layout that they came in, on their way to a file."""

    def __init__(self, sink: TableSink, schema: Any) -> None:
        self._sink = sink
        self._schema = schema

    def write_table(self, table: Any) -> None:
        """Write the next rows, in as many tables as their dictionaries need."""
        import pyarrow as pa

        try:
            laid_out = _table_laid_out(table, self._schema)
        except pa.ArrowInvalid:
            if table.num_rows < 2:
                raise
            half = table.num_rows // 2
            self.write_table(encoded_anew(table.slice(0, half)))
            self.write_table(encoded_anew(table.slice(half)))
            return
        self._sink.write_table(laid_out)

    def close(self) -> None:
        """Complete the file."""
        self._sink.close()


def with_narrow_dictionaries(table: pa.Table, columns: pa.Schema | None) -> pa.Table:
    """Return a table whose dictionaries are as narrow as they came in, if they have room for their values."""
    import pyarrow as pa

    for field in columns or ():
        number = table.schema.get_field_index(field.name)
        if number >= 0 and _is_narrow(field.type) and table.schema.field(number).type == plain_type(field.type):
            with contextlib.suppress(pa.ArrowInvalid):
                column = table.column(number).cast(field.type)
                table = table.set_column(number, table.schema.field(number).with_type(column.type), column)
    return table


def _table_laid_out(table: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = [
        pa.chunked_array([_laid_out(chunk, field.type) for chunk in column.chunks], field.type)
        for column, field in zip(table.columns, schema)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def encoded_anew(table: pa.Table) -> pa.Table:
    """Return a table whose dictionaries have the values of its rows and no others."""
    for number, field in enumerate(table.schema):
        if is_kind(field.type, "dictionary"):
            values = table.column(number).cast(field.type.value_type)
            table = table.set_column(number, field, values.combine_chunks().dictionary_encode().cast(field.type))
    return table


def _laid_out(array: pa.Array, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if array.type == kind:
        return array
    if is_kind(kind, "run_end_encoded"):
        return pc.run_end_encode(_laid_out(array, kind.value_type), kind.run_end_type)
    if is_kind(kind, "list_view", "large_list_view") or is_extension(kind):
        return pa.array(array.to_pylist(), kind)
    return array.cast(kind)
