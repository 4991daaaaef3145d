"""Arrow record batches as rows: files of tables and texts, and anything with ``__arrow_c_stream__``.

Columns that no OP names are never touched.
"""

from __future__ import annotations

import contextlib
import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from djfast import _native
from djfast.errors import SchemaError
from djfast.io.arrow_ipc import batch_of, stream_of
from djfast.io.arrow_json import is_json, json_rows, json_values
from djfast.io.intake import only_looking
from djfast.io.origins import Origins
from djfast.io.plain_columns import joined_schema, plain_batch, plain_schema
from djfast.io.read.arrow_block import ArrowBlock, UnreadRow, parts_with_few_bytes
from djfast.io.read.arrow_entry import checked
from djfast.io.read.documents import document_blocks, document_runs, document_schema
from djfast.io.read.formats import INPUT_FORMATS, InputFile, ReadOptions, reader_of, suffix_of
from djfast.io.read.splits import Split
from djfast.io.write.collected import text_bytes
from djfast.json_bytes import as_json
from djfast.plan.steps import Plan, Stage
from djfast.records import NamedTuple
from djfast.reserved import HASHES, META, RESERVED, STATS, SUFFIX

if TYPE_CHECKING:
    import pyarrow as pa


_SHOWN_CHARACTERS = 1000  # of a text that is too long


class ArrowPiece:
    """Rows that have left a stage, with the lines of the stats file."""

    __slots__ = ("batch", "file", "numbers", "row_count", "side", "side_ends")
    lines = None
    columns = None

    def __init__(self, batch: pa.RecordBatch, side: bytes, side_ends: bytes, numbers: list[int], file: str | None) -> None:
        self.batch = batch
        self.side = side
        self.side_ends = side_ends
        self.numbers = numbers
        self.file = file
        self.row_count = batch.num_rows

    def pack(self) -> list[bytes]:
        """Return the record batch as Arrow IPC, and the rest."""
        rest = json.dumps([self.file, self.numbers]).encode()
        return [bytes(stream_of(self.batch)), self.side, self.side_ends, rest]

    @classmethod
    def unpack(cls, batch: bytes, side: bytes, side_ends: bytes, rest: bytes) -> ArrowPiece:
        """Return what `pack` packed."""
        file, numbers = json.loads(rest)
        return cls(batch_of(batch), side, side_ends, numbers, file)

    def byte_count(self) -> int:
        """Return the bytes held."""
        return int(self.batch.nbytes) + len(self.side) + len(self.side_ends)

    def counted_from(self, first_line: int) -> ArrowPiece:
        """Return these rows with line numbers that count from `first_line`."""
        self.numbers = [first_line + number for number in self.numbers]
        return self

    def select(self, mask: bytes, first: int) -> ArrowPiece:
        """Keep the rows whose byte in ``mask[first:]`` is set."""
        import pyarrow as pa

        kept = [i for i in range(self.row_count) if mask[first + i]]
        side = _native.select_lines(self.side, self.side_ends, mask, first) if self.side_ends else b""
        numbers = [self.numbers[i] for i in kept]
        return ArrowPiece(self.batch.take(pa.array(kept, pa.int64())), side, b"", numbers, Origins(self.file).of(kept))

    def row_bytes(self) -> list[int]:
        """Return about how many bytes each row takes: its texts, and its share of the rest."""
        sizes = text_bytes(self.batch)
        rest = self.byte_count() - sum(sizes)
        share = max(rest, 0) // max(1, self.row_count)
        return [size + share for size in sizes]

    @classmethod
    def gatherer(cls, pieces: Sequence[ArrowPiece]) -> Callable[[array[int]], ArrowPiece]:
        """Return what makes a piece of some rows of other pieces, numbered through."""
        import pyarrow as pa

        table = pa.concat_tables([pa.Table.from_batches([piece.batch]) for piece in pieces], promote_options="permissive")
        side = _native.LinePool([(piece.side, piece.side_ends) for piece in pieces])
        numbers = [number for piece in pieces for number in piece.numbers]
        files = Origins.joined([(piece.file, piece.row_count) for piece in pieces])

        def gather(rows: array[int]) -> ArrowPiece:
            [batch] = table.take(pa.array(rows, pa.int64())).combine_chunks().to_batches()
            return cls(batch, *side.take(rows), [numbers[row] for row in rows], files.of(rows))

        return gather

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        return list(self.batch.to_pylist())


def too_long_rows(batch: _native.Batch, texts: int, longest: int) -> list[tuple[int, str]]:
    """Return the rows whose texts together are too long for the memory of the run, each with the reason."""
    sizes = [sum(row) for row in zip(*(batch.text_bytes(slot) for slot in range(texts)))]
    return [(row, _too_long(size, longest)) for row, size in zip(batch.alive, sizes) if size > longest]


def _too_long(size: int, longest: int) -> str:
    return f"the texts of a row may have at most {longest} bytes with this `memory`; raise it, got {size}"


def without_long_rows(block: ArrowBlock, longest: int) -> ArrowBlock:
    """Return a block in which rows with longer texts are unread; what is shown of these is the beginning of a text."""
    if block.byte_count <= longest:
        return block
    import pyarrow as pa

    sizes = text_bytes(block.batch)
    too_long = {
        row: UnreadRow(_too_long(size, longest), _beginning(block.batch, row)) for row, size in enumerate(sizes) if size > longest
    }
    kept = pa.array([None if row in too_long else row for row in range(len(sizes))], pa.int64())
    return block._replace(batch=block.batch.take(kept), unread={**too_long, **block.unread})


def _beginning(batch: pa.RecordBatch, row: int) -> str:
    """Return the beginning of the first text of a row, as JSON."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            [text] = pc.utf8_slice_codeunits(column.slice(row, 1), 0, _SHOWN_CHARACTERS).to_pylist()
            return json.dumps(text, ensure_ascii=False)
    return "null"


class ArrowRows:
    """Rows of Arrow record batches; where they come from, subclasses know.

    Parameters
    ----------
    keeps_stats, keeps_hashes : bool
        Whether ``__dj__stats__`` and ``__dj__meta__``, and the hash columns, stay in the result.
    """

    block = ArrowBlock
    piece = ArrowPiece
    holds_lines = False
    files: Sequence[InputFile] = ()
    needs_lines: bool = False
    has_other_columns: bool = False
    longest_row: int | None = None  # bytes of the texts of one, where the memory of a run allows no more
    notices: Sequence[str] = ()
    left_unread: str | None = None

    def __init__(self, *, keeps_stats: bool, keeps_hashes: bool) -> None:
        self.keeps_stats = keeps_stats
        self.keeps_hashes = keeps_hashes

    def columns(self) -> pa.Schema:
        """Return the columns of all rows."""
        raise NotImplementedError

    def first_columns(self) -> pa.Schema:
        """Return the columns of all rows, which are known without looking at any."""
        return self.columns()

    def layouts(self, plan: Plan) -> list[_ArrowLayout]:
        """How the rows of each stage are written."""
        any_stats = plan.has_side
        last = len(plan.stages) - 1
        layouts = []
        for number, stage in enumerate(plan.stages):
            is_last = number == last
            stats = {
                "values": [],
                "stats": [(name, slot, False) for name, slot, _ in stage.stats],
                "tags": [],
                "stats_field": -1,
                "meta_field": -1,
                "dropped": [],
                "embeds_stats": True,
                "has_side_lines": False,
            }
            layouts.append(
                _ArrowLayout(
                    stage,
                    _native.RowLayout(stats),
                    embeds_stats=self.keeps_stats or not is_last or not any_stats,
                    has_side_lines=is_last and any_stats,
                    drops_hashes=is_last and not self.keeps_hashes,
                )
            )
        return layouts

    def open(self, block: ArrowBlock, stage: Stage) -> _native.Batch:
        """Hand the touched columns to native code; null texts are rejected."""
        import pyarrow as pa

        columns = []
        errors = [(position, row.reason) for position, row in block.unread.items()]
        for path in stage.texts:
            column, reason = self._texts(block.batch, path)
            if column.null_count:
                valid = column.is_valid().to_pylist()
                errors += [(i, reason) for i, ok in enumerate(valid) if not ok and i not in block.unread]
            columns.append(column)
        for name in stage.reserved:
            columns.append(pa.array(_json_values(block.batch, name), pa.large_string()))
        batch = _native.batch_of_arrow(columns, block.batch.num_rows, stage.slot_count)
        if errors:
            batch.reject(errors, -1)
        if self.longest_row is not None and block.byte_count > self.longest_row:
            batch.reject(too_long_rows(batch, len(stage.texts), self.longest_row), -1)
        return batch

    def _texts(self, batch: pa.RecordBatch, path: str) -> tuple[pa.Array, str]:
        """Return the texts of a field, and why a row is rejected that has none.

        Raises
        ------
        SchemaError
            If no rows at all have texts there.
        """
        import pyarrow as pa

        try:
            return text_column(batch, path), f"field '{path}' is null"
        except SchemaError as error:
            if not self.has_texts(path):
                raise
            is_missing = not {path, path.partition(".")[0]} & set(batch.schema.names)
            reason = f"field '{path}' is missing" if is_missing else str(error)
            return pa.nulls(batch.num_rows, pa.large_string()), reason

    def has_texts(self, path: str) -> bool:
        """Tell whether a field holds texts in some of the rows although it does not in others."""
        del path
        return False

    def close(self, block: ArrowBlock, batch: _native.Batch, layout: _ArrowLayout) -> ArrowPiece:
        """Take the alive rows and set what was assigned."""
        import pyarrow as pa

        alive = batch.alive
        rows = block.batch.take(pa.array(alive, pa.int64()))
        for path, slot in layout.stage.values:
            values = batch.values(slot)
            if path in HASHES:
                values = [v.hex() if isinstance(v, bytes) else str(v[0]) if v else None for v in values]
            # The type is given because a batch that has lost all its rows has no value to tell it by.
            rows = _set_column(rows, path, pa.array(values, pa.string()))
        if layout.stage.stats:
            merged = _merged_stats(rows, batch.stats_objects(layout.stats))
            rows = _set_column(rows, STATS, pa.array(merged, _stats_type(rows, layout.stage)))
        side, side_ends = _side_lines(rows) if layout.has_side_lines else (b"", b"")
        dropped = [] if layout.embeds_stats else [STATS, META]
        if layout.drops_hashes:
            dropped += HASHES
        rows = rows.select([name for name in rows.schema.names if name not in dropped])
        return ArrowPiece(rows, side, side_ends, [block.numbers[i] for i in alive], Origins(block.file).of(alive))

    def reopen(self, piece: ArrowPiece, mask: bytes, first: int) -> ArrowBlock:
        """Make the kept rows of a piece the input of the next stage."""
        kept = piece.select(mask, first)
        return ArrowBlock(kept.batch, kept.file, kept.numbers)


class _ArrowLayout(NamedTuple):
    stage: Stage
    stats: _native.RowLayout
    embeds_stats: bool
    has_side_lines: bool
    drops_hashes: bool


class FileRows(ArrowRows):
    """Rows of files that are read as record batches, whatever their formats.

    Parameters
    ----------
    files : sequence of InputFile
        Read in this order.
    batch_bytes : int
        Uncompressed bytes per batch, about.
    texts : tuple of str
        Columns that hold texts, where a format does not say of which type they are.
    adds_suffix : bool
        Give every row the suffix of its file.
    memory : int, optional
        As for ReadOptions.
    **kept
        As for ArrowRows.
    """

    def __init__(
        self,
        files: Sequence[InputFile],
        *,
        batch_bytes: int,
        texts: tuple[str, ...] = (),
        adds_suffix: bool = False,
        memory: int | None = None,
        **kept: bool,
    ) -> None:
        super().__init__(**kept)
        self.files = files
        self.adds_suffix = adds_suffix
        self._options = ReadOptions(batch_bytes, texts, memory=memory)
        self._columns: pa.Schema | None = None

    @property
    def needs_lines(self) -> bool:  # type: ignore[override]
        """Whether these rows must be carried as lines: JSON in them, of which each row has its own, stands as it is."""
        return self.options.keeps_json

    @cached_property
    def options(self) -> ReadOptions:
        """How the files are read."""
        options = self._options._replace(keeps_json=True)
        first = next((file for file in self.files if file.format == "webdataset"), None)
        blocks = reader_of(first).blocks(first, 0, None, options) if first is not None else iter(())
        with only_looking():
            keeps_json = any(any(map(is_json, block.batch.schema)) for block in islice(blocks, 1))
            return self._options._replace(keeps_json=keeps_json, kinds=guessed_kinds(self.files, self._options))

    def items(self) -> Iterator[ArrowBlock]:
        """Read the files batch by batch."""
        for first, count in document_runs(self.files):
            yield from self._blocks(first, 0, count if INPUT_FORMATS[self.files[first].format].is_document else None)

    def read(self, split: Split) -> Iterator[ArrowBlock]:
        """Read a split batch by batch; the rows' numbers count from the split's first row.

        Raises
        ------
        InputError
            If the file cannot be read, or has become shorter since the split was made.
        """
        return self._blocks(*split)

    def count(self, split: Split, *, most: int | None = None) -> tuple[int, int]:
        """Return the rows of a split, twice: tables have no lines without a row.

        With `most`, a split whose format does not say how many it has is not read on where there are so many.
        """
        file = self.files[split.file]
        if INPUT_FORMATS[file.format].is_document:
            return split.end, split.end
        reader = reader_of(file)
        rows = 0
        if hasattr(reader, "count"):
            rows = int(reader.count(file, split.start, split.end))
            return rows, rows
        for block in self.read(split):
            rows += block.batch.num_rows
            if most is not None and rows >= most:
                break
        return rows, rows

    def count_block(self, block: ArrowBlock) -> tuple[int, int]:
        """Return the rows of a block, twice."""
        return block.batch.num_rows, block.batch.num_rows

    def pick(self, block: ArrowBlock, rows: Sequence[int], first: int) -> ArrowBlock:
        """Take some rows of a block; `first`, the lines of its split before it, is in its numbers already."""
        import pyarrow as pa

        del first
        return ArrowBlock(
            block.batch.take(pa.array(rows, pa.int64())),
            Origins(block.file).of(rows),
            [block.numbers[row] for row in rows],
            {position: block.unread[row] for position, row in enumerate(rows) if row in block.unread},
            block.batch.num_rows,
        )

    def columns(self) -> pa.Schema:
        """Return the columns of all files, with types that hold those of each where they can be told from their names."""
        if self._columns is None:
            self._columns = joined_schema(self._schemas)
        return self._columns

    @cached_property
    def _schemas(self) -> list[pa.Schema]:
        """The columns of all files, those of equal files once."""
        schemas = (
            document_schema() if INPUT_FORMATS[file.format].is_document else reader_of(file).schema(file, self.options)
            for file in self.files
        )
        return list(dict.fromkeys(schemas))

    @property
    def has_other_columns(self) -> bool:  # type: ignore[override]
        """Whether files differ in their columns, so that one batch cannot hold rows of all as they are."""
        return len(self._schemas) > 1

    def has_texts(self, path: str) -> bool:
        """Tell whether a field holds texts in some file."""
        for schema in self._schemas:
            with contextlib.suppress(SchemaError):
                text_column(empty_batch(plain_schema(schema, "the data")), path)
                return True
        return False

    def empty_block(self) -> ArrowBlock:
        """Return a block with the columns of the first file and no rows."""
        file = self.files[0]
        block = ArrowBlock(empty_batch(plain_schema(self.columns(), file.path)), file.path, [])
        return self._with_suffix(block, [file]) if self.adds_suffix else block

    def _blocks(self, number: int, start: int, end: int | None) -> Iterator[ArrowBlock]:
        file = self.files[number]
        if INPUT_FORMATS[file.format].is_document:
            for block, files in document_blocks(self.files[number : number + (end or 1)], self.options):
                yield self._with_suffix(block, files) if self.adds_suffix else block
            return
        for block in reader_of(file).blocks(file, start, end, self.options):
            for part in parts_with_few_bytes(carried(block), self.options.batch_bytes):
                yield self._with_suffix(part, [file]) if self.adds_suffix else part

    def _with_suffix(self, block: ArrowBlock, files: Sequence[InputFile]) -> ArrowBlock:
        """Give rows the suffix of their files: one for each row, or one for all."""
        import pyarrow as pa

        suffixes = [suffix_of(file) for file in files]
        if len(suffixes) == 1:
            suffixes *= block.batch.num_rows
        return block._replace(batch=_set_column(block.batch, SUFFIX, pa.array(suffixes, pa.string())))


def guessed_kinds(files: Sequence[InputFile], options: ReadOptions) -> dict[str, pa.DataType]:
    """Return what columns are in all files together, if they are several of which each can only be guessed at."""
    import pyarrow as pa

    readers = [(file, reader_of(file)) for file in files if not INPUT_FORMATS[file.format].is_document]
    guessed = [(file, reader) for file, reader in readers if hasattr(reader, "guess")]
    found: dict[str, list[pa.DataType]] = {}
    for file, reader in guessed if len(guessed) > 1 else ():
        for field in reader.guess(file, options):
            if not pa.types.is_null(field.type):
                found.setdefault(field.name, []).append(field.type)
    return {name: _shared_kind(set(kinds)) for name, kinds in found.items()}


def _shared_kind(kinds: set[pa.DataType]) -> pa.DataType:
    import pyarrow as pa

    if len(kinds) == 1:
        return kinds.pop()
    return pa.float64() if kinds == {pa.int64(), pa.float64()} else pa.string()


class TableRows(ArrowRows):
    """Rows of a table in memory, or of something else with its ``to_batches``, cut into batches of at most `batch_rows`."""

    def __init__(self, table: Any, *, batch_rows: int = 4096, **kept: bool) -> None:
        super().__init__(**kept)
        self.table = table
        self.batch_rows = batch_rows

    def items(self) -> Iterator[ArrowBlock]:
        """Cut the table."""
        first = 0
        for batch in self.table.to_batches(max_chunksize=self.batch_rows):
            yield carried(ArrowBlock(batch, None, range(first, first + batch.num_rows)))
            first += batch.num_rows

    def columns(self) -> pa.Schema:
        """Return the columns of the table."""
        return self.table.schema

    def empty_block(self) -> ArrowBlock:
        """Return a block with the columns of the table and no rows."""
        return ArrowBlock(empty_batch(plain_schema(self.table.schema, "the data")), None, [])


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch without rows."""
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.nulls(0, kind) for kind in schema.types], schema=schema)


def carried(block: ArrowBlock) -> ArrowBlock:
    """Return a block whose columns are checked, and in a layout that rows can be taken from.

    Raises
    ------
    SchemaError
        If the structure of a column is broken, or if its type cannot be carried.
    """
    block = checked(block)
    batch = plain_batch(block.batch, plain_schema(block.batch.schema, block.file or "the data"))
    return block if batch is block.batch else block._replace(batch=batch)


def text_column(batch: pa.RecordBatch, path: str) -> pa.Array:
    """Column of a field as large_utf8; a dotted path descends into structs.

    Raises
    ------
    SchemaError
        If the column is missing or holds no texts.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    head, *rest = [path] if path in batch.schema.names else path.split(".")
    if head not in batch.schema.names:
        raise SchemaError(f"the data has no column for field '{path}'; columns are {', '.join(batch.schema.names)}")
    column = batch.column(head)
    try:
        for name in rest:
            column = pc.struct_field(column, name)
        if pa.types.is_null(column.type) or pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or _is_view(column.type)):
            raise SchemaError(f"field '{path}' must be a column of strings, got {column.type}")
        return column.cast(pa.large_string())
    except pa.ArrowException as error:
        raise SchemaError(f"field '{path}' cannot be read as texts: {error}") from error


def _json_values(batch: pa.RecordBatch, path: str) -> list[str | None]:
    """JSON of a field of any type; None where a row has none. A reserved field that is null is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    head, *rest = [path] if path in batch.schema.names else path.split(".")
    if head not in batch.schema.names:
        return [None] * batch.num_rows
    column = batch.column(head)
    for name in rest:
        if not pa.types.is_struct(column.type) or column.type.get_field_index(name) < 0:
            return [None] * batch.num_rows
        column = pc.struct_field(column, name)
    null = None if path in RESERVED else "null"
    return [null if v is None else json.dumps(_without_nulls(v), default=as_json) for v in json_values(column)]


def _is_view(kind: pa.DataType) -> bool:
    return str(kind) == "string_view"


def _set_column(rows: pa.RecordBatch, path: str, values: pa.Array) -> pa.RecordBatch:
    import pyarrow as pa

    names = rows.schema.names
    if path in names:
        position = names.index(path)
        kind = rows.schema.field(position).type
        if path != STATS and not pa.types.is_null(kind) and not pa.types.is_dictionary(kind):
            values = values.cast(kind)
        return rows.set_column(position, path, values)
    head, dot, rest = path.partition(".")
    if dot and head in names and pa.types.is_struct(rows.column(head).type):
        column = rows.column(head)
        fields = [column.type.field(i).name for i in range(column.type.num_fields)]
        inner = pa.RecordBatch.from_arrays(column.flatten(), names=fields)
        inner = _set_column(inner, rest, values)
        struct = pa.StructArray.from_arrays(inner.columns, names=inner.schema.names, mask=column.is_null())
        return rows.set_column(names.index(head), head, struct)
    return rows.append_column(path, values)


_ARROW_TYPES = {"int64": "int64", "double": "float64", "text": "string", "boolean": "bool"}


def _stats_type(rows: pa.RecordBatch, stage: Stage) -> pa.DataType:
    """Struct of what the rows brought along and what was computed; the same for every batch."""
    import pyarrow as pa

    fields: dict[str, pa.DataType] = {}
    if STATS in rows.schema.names and pa.types.is_struct(rows.schema.field(STATS).type):
        fields = {field.name: field.type for field in rows.schema.field(STATS).type}
    for name, _, kind in stage.stats:
        fields.setdefault(name, pa.type_for_alias(_ARROW_TYPES[kind]))
    return pa.struct(list(fields.items()))


def _merged_stats(rows: pa.RecordBatch, computed: list[str]) -> list[dict[str, Any]]:
    before: list[Any] = [None] * rows.num_rows
    if STATS in rows.schema.names:
        before = rows.column(STATS).to_pylist()
    return [{**json.loads(new), **_without_nulls(old or {})} for old, new in zip(before, computed)]


def _without_nulls(value: Any) -> Any:
    """Drop the nulls that a columnar struct fills its gaps with."""
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def _side_lines(rows: pa.RecordBatch) -> tuple[bytes, bytes]:
    names = [name for name in (STATS, META) if name in rows.schema.names]
    lines = []
    ends = array("Q")
    total = 0
    for row in json_rows(rows.select(names)):
        line = json.dumps({k: _without_nulls(v) for k, v in row.items()}, ensure_ascii=False, default=as_json).encode() + b"\n"
        lines.append(line)
        total += len(line)
        ends.append(total)
    return b"".join(lines), ends.tobytes()
