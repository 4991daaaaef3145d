"""Lines of JSON as Arrow columns: types that hold every value exactly, and the rows that have none.

Nothing is guessed: a string is a string whatever it looks like, an integer stays one. Where rows differ, the type is the one
that most of them have, and the others are bad rows: ``int64``, else ``uint64``, else a decimal of 38 or 76 digits for integers;
``double`` where there are fractions and each integer is one of its values. Columns whose type is known, because the rows came
from a table, keep it as long as it holds all their values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from djfast.io.arrow_json import Converter, Misfit, array_of, can_return, converter, holds, inner_fields, is_kind
from djfast.io.plain_columns import with_room
from djfast.json_bytes import MARK, encodable
from djfast.type_names import spoken_type

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_BYTES = 8 << 20
_MOST_DIGITS = 76
# What Arrow's own reader of JSON takes for a double where there is one more in its column, and what is smaller than these.
_LONG_INTEGER = re.compile(rb"[\s:,\[]-?\d{16,}[\s,\]}]")
_SHORTER = 10**15


class Column:
    """What the values of a column, or of a part of it, are."""

    __slots__ = ("fields", "floats", "high", "inexact", "item", "kinds", "low", "oversized")

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}  # in the order in which they first come
        self.floats = 0
        self.inexact = 0  # integers that no double is equal to
        self.oversized = 0  # integers that no decimal holds
        self.low = self.high = 0
        self.item: Column | None = None
        self.fields: dict[str, Column] = {}

    def add(self, value: Any) -> None:
        """Take one value."""
        if value is None:
            return
        kind = spoken_type(value)
        if kind == "integer":
            kind = "number"
            self._add_integer(value)
        elif kind == "number":
            self.floats += 1
        elif kind == "list":
            self.item = self.item or Column()
            for each in value:
                self.item.add(each)
        elif kind == "mapping":
            for name, each in value.items():
                self._field(name).add(each)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def _add_integer(self, value: int) -> None:
        if abs(value) >= 10**_MOST_DIGITS:
            self.oversized += 1
            return
        self.low, self.high = min(self.low, value), max(self.high, value)
        self.inexact += float(value) != value

    def _field(self, name: str) -> Column:
        if name not in self.fields:
            self.fields[name] = Column()
        return self.fields[name]

    def add_array(self, array: pa.Array) -> None:
        """Take the values of an array that Arrow's reader of JSON made, whose integers are all exact doubles."""
        import pyarrow.compute as pc

        kind = array.type
        count = len(array) - array.null_count
        if is_kind(kind, "struct"):
            for number in range(kind.num_fields):
                self._field(kind.field(number).name).add_array(array.field(number))
        elif is_kind(kind, "list"):
            self.item = self.item or Column()
            self.item.add_array(array.flatten())
        elif is_kind(kind, "floating"):
            self.floats += count
        elif count and is_kind(kind, "integer"):
            limits = pc.min_max(array).as_py()
            self.low, self.high = min(self.low, limits["min"]), max(self.high, limits["max"])
            if max(-self.low, self.high) > 1 << 53:
                self.inexact += sum(float(value) != value for value in array.drop_null().to_pylist())
        if count:
            words = {"struct": "mapping", "list": "list", "boolean": "boolean", "integer": "number", "floating": "number"}
            name = next((word for check, word in words.items() if is_kind(kind, check)), "string")
            self.kinds[name] = self.kinds.get(name, 0) + count

    @property
    def kind(self) -> str | None:
        """What most values are; None if all are null."""
        return max(self.kinds, key=lambda kind: self.kinds[kind]) if self.kinds else None

    @property
    def is_exact(self) -> bool:
        """Whether `type` holds all values."""
        parts = [*self.fields.values(), *([self.item] if self.item else [])]
        return (
            len(self.kinds) < 2
            and not self.oversized
            and not (self.floats and self.inexact)
            and all(part.is_exact for part in parts)
        )

    def type(self) -> pa.DataType:
        """Return the type for these values."""
        import pyarrow as pa

        kind = self.kind
        if kind == "number":
            return self._number()
        if kind == "list":
            assert self.item is not None
            return pa.list_(self.item.type())
        if kind == "mapping":
            return pa.struct([(name, field.type()) for name, field in self.fields.items()])
        return {"boolean": pa.bool_(), "string": pa.string(), "bytes": pa.binary(), None: pa.null()}[kind]

    def _number(self) -> pa.DataType:
        import pyarrow as pa

        if self.floats and self.floats >= self.inexact:
            return pa.float64()
        if self.low >= -(1 << 63) and self.high < 1 << 63:
            return pa.int64()
        if self.low >= 0 and self.high < 1 << 64:
            return pa.uint64()
        digits = max(len(str(abs(limit))) for limit in (self.low, self.high))
        return pa.decimal128(38, 0) if digits <= 38 else pa.decimal256(_MOST_DIGITS, 0)


class JsonColumns:
    """The columns of lines of JSON.

    Parameters
    ----------
    read_blocks : callable
        Returns an iterator over blocks of whole lines, each with the number of its lines; they are the same each time.
    known : pyarrow.Schema or None
        Columns that these rows had as a table. One that no row has any more is no column; if there are no rows at all, all
        are.

    Attributes
    ----------
    schema : pyarrow.Schema
    rejected : dict of int to str
        Rows that have no place in these columns, and why.
    """

    def __init__(self, read_blocks: Callable[[], Iterator[tuple[int, bytes]]], known: pa.Schema | None = None) -> None:
        import pyarrow as pa

        self._read_blocks = read_blocks
        if known is not None:
            known = with_room(known)
        self._known = {field.name: field for field in known or () if can_return(field.type)}
        self._order = list(known.names) if known is not None else []
        self._is_plain: list[bool] = []  # for each block, whether Arrow's reader of JSON can read it
        self.rejected: dict[int, str] = {}
        found = self._found()
        if found is None:
            self.schema = known if known is not None else pa.schema([])
        else:
            metadata = known.metadata if known is not None else None
            self.schema = pa.schema(found, metadata)

    def tables(self) -> Iterator[pa.Table]:
        """Yield the rows that are not rejected."""
        import pyarrow as pa

        converters = {field.name: converter(field.type) for field in self.schema}
        is_plain = not any(holds(field.type, _is_particular) for field in self.schema)
        for (first, data), block_is_plain in zip(self._blocks(), self._is_plain):
            table = self._read(data, self.schema) if is_plain and block_is_plain else None
            if table is None or not self.rejected.keys().isdisjoint(range(first, first + table.num_rows)):
                rows = [row for number, row in self._rows(first, data) if number not in self.rejected]
                columns = [
                    array_of([convert(row.get(name)) for row in rows], self.schema.field(name).type)
                    for name, convert in converters.items()
                ]
                table = pa.Table.from_arrays(columns, schema=self.schema)
            yield table

    def _found(self) -> list[pa.Field] | None:
        """Find the columns; None if there are no rows."""
        import pyarrow as pa

        converters = {name: converter(field.type) for name, field in self._known.items()}
        columns: dict[str, Column] = {}
        has_rows = False
        for first, data in self._blocks():
            has_rows = True
            table = self._read(data, None)
            if table is not None and all(_all_fit(table, name, self._known[name].type) for name in converters):
                self._is_plain.append(True)
                _add_table(columns, table, known=converters.keys())
                continue
            self._is_plain.append(False)
            for _, row in self._rows(first, data):
                for name, value in row.items():
                    column = columns.get(name) or columns.setdefault(name, Column())
                    convert = converters.get(name)
                    if convert is None:
                        column.add(value)
                    elif not _fits(convert, value):
                        del converters[name]
        if not has_rows:
            return None
        self._look_again(columns, [name for name in self._known if name in columns and name not in converters])
        names = [name for name in self._order if name in columns] + [name for name in columns if name not in self._order]
        fields = [
            self._known[name].with_nullable(True) if name in converters else pa.field(name, columns[name].type())
            for name in names
        ]
        self._reject({field.name: converter(field.type) for field in fields if not columns[field.name].is_exact})
        return fields

    def _look_again(self, columns: dict[str, Column], names: list[str]) -> None:
        """Look at all values of columns whose known type does not hold all of them."""
        if not names:
            return
        for name in names:
            columns[name] = Column()
        for first, data in self._blocks():
            for _, row in self._rows(first, data):
                for name in names:
                    columns[name].add(row.get(name))

    def _reject(self, converters: Mapping[str, Converter]) -> None:
        """Find the rows that have no place in some columns."""
        if not converters:
            return
        for first, data in self._blocks():
            for number, row in self._rows(first, data):
                for name, convert in converters.items():
                    try:
                        convert(row.get(name))
                    except Misfit as error:
                        what, got, value = str(error).partition(", got ")
                        self.rejected.setdefault(number, f"field '{name}' {what}, as in most rows{got}{value}")

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield blocks of whole lines, each with the number of its first row."""
        first = 0
        for count, data in self._read_blocks():
            yield first, data
            first += count

    def _rows(self, first: int, data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the rows of a block that can be parsed, with their numbers; the others are rejected."""
        for number, line in enumerate(data.split(b"\n")[:-1], first):
            try:
                row = encodable(line)
            except (ValueError, RecursionError) as error:
                self.rejected[number] = str(error)
                continue
            if isinstance(row, dict):
                yield number, row
            else:  # of an input whose lines nobody has looked at yet
                self.rejected[number] = f"a row must be a JSON object, got {spoken_type(row)}"

    def _read(self, data: bytes, schema: pa.Schema | None) -> pa.Table | None:
        """Read a block with Arrow's own reader; None if it cannot, or if it would change a value."""
        import pyarrow as pa
        import pyarrow.json

        if not data.startswith(b"{") or data.count(b"\n{") + 1 < data.count(b"\n"):
            return None  # a line that is null ends the process in Arrow's reader, if it is the first one
        try:
            table = pyarrow.json.read_json(
                pa.BufferReader(data),
                read_options=pyarrow.json.ReadOptions(block_size=len(data) + 1, use_threads=False),
                parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
            )
            if any(holds(field.type, _is_mark) for field in table.schema):
                return None
            if any(map(_may_be_inexact, table.columns)) and _LONG_INTEGER.search(data):
                return None
            return table if schema is None else table.select(schema.names).cast(schema)
        except pa.ArrowException:
            return None


def blocks_of(path: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file in blocks, and how many each has."""
    with open(path, "rb") as file:
        while lines := file.readlines(_BLOCK_BYTES):
            yield len(lines), b"".join(lines)


def _add_table(columns: dict[str, Column], table: pa.Table, *, known: Collection[str]) -> None:
    for name, chunks in zip(table.schema.names, table.columns):
        column = columns.get(name) or columns.setdefault(name, Column())
        for chunk in chunks.chunks if name not in known else ():
            column.add_array(chunk)


def _all_fit(table: pa.Table, name: str, kind: pa.DataType) -> bool:
    """Tell whether a type surely holds all values of a column that Arrow's reader of JSON made."""
    import pyarrow as pa

    try:
        return name not in table.schema.names or all(_surely_fit(chunk, kind) for chunk in table.column(name).chunks)
    except pa.ArrowInvalid:  # a cast would lose something
        return False


def _surely_fit(array: pa.Array, kind: pa.DataType) -> bool:
    import pyarrow as pa

    found = array.type
    if is_kind(found, "null"):
        return True
    if is_kind(kind, "string", "large_string"):
        return is_kind(found, "string", "timestamp")  # the reader takes some strings for times
    if is_kind(kind, "list", "large_list"):
        return is_kind(found, "list") and _surely_fit(array.flatten(), kind.value_type)
    if is_kind(kind, "struct"):
        known = {field.name: field.type for field in inner_fields(kind)}
        return is_kind(found, "struct") and all(
            field.name in known and _surely_fit(array.field(number), known[field.name])
            for number, field in enumerate(inner_fields(found))
        )
    if is_kind(kind, "integer"):
        return is_kind(found, "integer") and len(array.cast(kind)) == len(array)
    if kind in (pa.float32(), pa.float64()) and is_kind(found, "integer", "floating"):
        doubles = array.cast(pa.float64())
        return kind == pa.float64() or bool(doubles.cast(kind).cast(pa.float64()).equals(doubles))
    return bool(kind == found == pa.bool_())


def _fits(convert: Converter, value: Any) -> bool:
    try:
        convert(value)
    except Misfit:
        return False
    return True


def _may_be_inexact(array: Any) -> bool:
    """Tell whether some double of an array may have been a longer integer."""
    import pyarrow.compute as pc

    kind = array.type
    if is_kind(kind, "floating"):
        limits = pc.min_max(array).as_py()
        return any(limit is not None and abs(limit) >= _SHORTER for limit in limits.values())
    if not holds(kind, lambda each: is_kind(each, "floating")):
        return False
    chunks = array.chunks if hasattr(array, "chunks") else [array]
    inside = (chunk.flatten() for chunk in chunks)
    return any(any(map(_may_be_inexact, each)) if isinstance(each, list) else _may_be_inexact(each) for each in inside)


def _is_mark(kind: pa.DataType) -> bool:
    """Tell whether objects of a type stand for bytes."""
    return is_kind(kind, "struct") and kind.num_fields == 1 and kind.field(0).name == MARK


def _is_particular(kind: pa.DataType) -> bool:
    """Tell whether a type is one that Arrow's reader of JSON does not read exactly as `converter` does."""
    import pyarrow as pa

    plain = (pa.null(), pa.bool_(), pa.float32(), pa.float64(), pa.string(), pa.large_string())
    return kind not in plain and not is_kind(kind, "integer", "list", "large_list", "struct")
