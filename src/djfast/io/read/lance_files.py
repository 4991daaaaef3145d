"""Lance tables as record batches; splits are runs of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from djfast.errors import InputError
from djfast.io.intake import took
from djfast.io.read.arrow_block import ArrowBlock
from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile, ReadOptions

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_ROWS = 8192  # in a batch


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return where the splits of a table begin, counted in rows, and the number of rows."""
    with _opened(file.path) as table:
        rows = table.count_rows()
    step = max(1, split_bytes * rows // max(1, file_size(file.path)))
    return [*range(0, max(1, rows), step), rows]


def count(file: InputFile, start: int, end: int) -> int:
    """Return the rows of a split."""
    del file
    return end - start


def blocks(file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
    """Read some rows batch by batch, in the order of the table.

    Raises
    ------
    InputError
        If the table cannot be read, or has fewer rows than when the split was made.
    """
    with _opened(file.path) as table:
        rows = table.count_rows()
        if end is not None and rows < end:
            raise OSError(f"it has become shorter: {rows} rows, fewer than {end}")
        wanted = (rows if end is None else end) - start
        if wanted == 0:
            return
        stored = file_size(file.path)
        size = max(1, min(_MOST_ROWS, options.batch_bytes * rows // max(1, stored)))
        first = 0
        for batch in table.to_batches(offset=start, limit=wanted, batch_size=size, scan_in_order=True):
            if batch.num_rows:
                took(stored * batch.num_rows / rows)
                yield ArrowBlock(batch, file.path, range(first, first + batch.num_rows))
                first += batch.num_rows


def schema(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the columns of a table."""
    del options
    with _opened(file.path) as table:
        return table.schema


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    import lance
    import pyarrow as pa

    try:
        yield lance.dataset(path)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
