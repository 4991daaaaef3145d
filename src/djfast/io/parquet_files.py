"""Parquet files as record batches; splits are runs of row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from djfast import _native
from djfast.errors import InputError, UserError
from djfast.io.files import file_size
from djfast.io.formats import InputFile, ReadOptions
from djfast.io.grouping import group_starts
from djfast.io.intake import took
from djfast.io.remote import arrow_source, is_remote, open_binary
from djfast.records import NamedTuple

_READ_BYTES = 1 << 20  # of a column chunk at a time

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.arrow_rows import ArrowBlock


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return where the splits of a file begin, counted in row groups, and the number of row groups."""
    with _opened(file.path) as (parquet, _):
        groups = [parquet.metadata.row_group(i) for i in range(parquet.num_row_groups)]
    sizes = [group.total_byte_size for group in groups]
    return [*group_starts(sizes, split_bytes), len(sizes)]


def blocks(file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
    """Read some row groups batch by batch.

    Raises
    ------
    InputError
        If the file cannot be read, or has fewer row groups than when the split was made.
    """
    from djfast.io.arrow_rows import ArrowBlock, parts_with_few_bytes

    with _opened(file.path) as (parquet, footer):
        count = parquet.num_row_groups
        if end is not None and count < end:
            raise OSError(f"it has become shorter: {count} row groups, fewer than {end}")
        groups = range(start, count if end is None else end)
        described = [parquet.metadata.row_group(i) for i in groups]
        rows = max(1, sum(group.num_rows for group in described))
        size = max(1, sum(group.total_byte_size for group in described))
        batch_size = max(1, min(65536, options.batch_bytes * rows // size))
        stored = file_size(file.path) * len(groups) / max(1, count)
        first = 0
        reader = _with_dictionaries(parquet, footer, file.path, groups, batch_size)
        for batch in reader.iter_batches(batch_size=batch_size, row_groups=groups):
            took(stored * batch.num_rows / rows)
            block = ArrowBlock(batch, file.path, range(first, first + batch.num_rows))
            for part in parts_with_few_bytes(block, options.batch_bytes):
                yield part._replace(batch=_without_dictionaries(part.batch, parquet.schema_arrow))
            first += batch.num_rows


_MOST_REPEATED_BYTES = 256 << 20
_INDEX_BYTES = 4  # that a row takes at most where a chunk has nothing but numbers in its dictionary


def _with_dictionaries(parquet: Any, footer: bytes, path: str, groups: Sequence[int], rows: int) -> Any:
    """Return a reader that gives columns as dictionaries if so many rows may repeat texts to more than memory has room for."""
    import pyarrow.parquet as pq

    from djfast.io.arrow_json import is_kind

    every = _native.parquet_row_groups(footer)
    chunks = every[groups[0] : groups[-1] + 1] if groups else []
    repeated = []
    for number, name in enumerate(parquet.schema.names):
        column = parquet.schema.column(number)
        if column.path != name or column.physical_type != "BYTE_ARRAY" or column.max_repetition_level:
            continue
        has_texts = is_kind(parquet.schema_arrow.field(name).type, "string", "large_string", "binary", "large_binary")
        if has_texts and any(_may_be_long(_Chunk(*each[number]), rows) for each in chunks if number < len(each)):
            repeated.append(name)
    if not repeated:
        return parquet
    return pq.ParquetFile(arrow_source(path), metadata=parquet.metadata, read_dictionary=repeated, **_reading(path))


def _reading(path: str) -> dict[str, Any]:
    """Return how a file is read: page by page, but for what comes over a network, where each read would take a round trip."""
    held = {} if is_remote(path) else {"pre_buffer": False, "buffer_size": _READ_BYTES}
    return {"page_checksum_verification": True, **held}


class _Chunk(NamedTuple):
    """One column of one row group. The positions are in the file."""

    values: int
    uncompressed_bytes: int
    compressed_bytes: int
    pages_start: int
    dictionary_start: int


def _may_be_long(chunk: _Chunk, rows: int) -> bool:
    if chunk.dictionary_start <= 0 or rows * chunk.uncompressed_bytes < _MOST_REPEATED_BYTES:
        return False
    pages = chunk.compressed_bytes - (chunk.pages_start - chunk.dictionary_start)
    return pages < _INDEX_BYTES * chunk.values


def _without_dictionaries(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with the types of a schema."""
    return batch if batch.schema.equals(schema) else batch.cast(schema)


def count(file: InputFile, start: int, end: int) -> int:
    """Return the rows of some row groups."""
    with _opened(file.path) as (parquet, _):
        return sum(parquet.metadata.row_group(i).num_rows for i in range(start, min(end, parquet.num_row_groups)))


def schema(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the columns of a file."""
    del options
    with _opened(file.path) as (parquet, _):
        return parquet.schema_arrow


_MAGIC = b"PAR1"
_PIECE = 1 << 20


def _check_end(path: str, footer: bytes) -> None:
    """Make sure that the metadata knows of all rows: of files put one behind the other, only the last one's are known."""
    end = _native.end_of_parquet_data(footer)
    with open_binary(path) as file:
        left = file_size(path) - 8 - len(footer) - end  # indexes of pages and filters, most often nothing
        if left <= 2 * len(_MAGIC):
            return
        file.seek(end)
        before = b""
        while left > 0 and (piece := file.read(min(left, _PIECE))):
            if 2 * _MAGIC in before + piece:
                raise OSError("another file begins after the end of the first one; were several files concatenated?")
            before = piece[-2 * len(_MAGIC) :]
            left -= len(piece)


def _footer(path: str, metadata: Any) -> bytes:
    """Return the metadata as it stands in the file, for native code.

    pyarrow ends the process if it is asked for a column whose statistics are damaged.
    """
    size = int(metadata.serialized_size)
    with open_binary(path) as file:
        file.seek(file_size(path) - 8 - size)
        return bytes(file.read(size))


@contextmanager
def _opened(path: str) -> Iterator[tuple[Any, bytes]]:
    """Open a file, and read its footer once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(arrow_source(path), **_reading(path)) as parquet:
            footer = _footer(path, parquet.metadata)
            _check_end(path, footer)
            yield parquet, footer
    except InputError:
        raise
    except (pa.ArrowException, OSError, UserError, UnicodeDecodeError) as error:  # the last for names of columns
        raise InputError(f"cannot read {path}: {error}") from error
