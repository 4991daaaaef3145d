"""Parquet files as record batches; splits are runs of row groups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from djfast import _native
from djfast.errors import InputError, UserError
from djfast.io.files import file_size
from djfast.io.formats import InputFile, ReadOptions
from djfast.io.grouping import group_starts
from djfast.io.intake import took
from djfast.io.remote import arrow_source, open_binary

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.arrow_rows import ArrowBlock


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return where the splits of a file begin, counted in row groups, and the number of row groups."""
    with _opened(file.path) as parquet:
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
    from djfast.io.arrow_rows import ArrowBlock

    with _opened(file.path) as parquet:
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
        for batch in parquet.iter_batches(batch_size=batch_size, row_groups=groups):
            took(stored * batch.num_rows / rows)
            yield ArrowBlock(batch, file.path, range(first, first + batch.num_rows))
            first += batch.num_rows


def count(file: InputFile, start: int, end: int) -> int:
    """Return the rows of some row groups."""
    with _opened(file.path) as parquet:
        return sum(parquet.metadata.row_group(i).num_rows for i in range(start, min(end, parquet.num_row_groups)))


def schema(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the columns of a file."""
    del options
    with _opened(file.path) as parquet:
        return parquet.schema_arrow


_MAGIC = b"PAR1"
_PIECE = 1 << 20


def _check_end(path: str, metadata: Any) -> None:
    """Make sure that the metadata knows of all rows: of files put one behind the other, only the last one's are known."""
    footer = file_size(path) - 8 - int(metadata.serialized_size)
    with open_binary(path) as file:
        file.seek(footer)
        # pyarrow ends the process when it is asked for a column whose statistics are damaged.
        end = _native.end_of_parquet_data(file.read(int(metadata.serialized_size)))
        left = footer - end  # indexes of pages and filters, most often nothing
        if left <= 2 * len(_MAGIC):
            return
        file.seek(end)
        before = b""
        while left > 0 and (piece := file.read(min(left, _PIECE))):
            if 2 * _MAGIC in before + piece:
                raise OSError("another file begins after the end of the first one; were several files concatenated?")
            before = piece[-2 * len(_MAGIC) :]
            left -= len(piece)


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(arrow_source(path), page_checksum_verification=True) as parquet:
            _check_end(path, parquet.metadata)
            yield parquet
    except InputError:
        raise
    except (pa.ArrowException, OSError, UserError, UnicodeDecodeError) as error:  # the last for names of columns
        raise InputError(f"cannot read {path}: {error}") from error
