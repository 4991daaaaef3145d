"""Arrow IPC files (Feather version 2) and streams as record batches; splits of a file are runs of its batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from djfast.errors import InputError
from djfast.io.files import file_size
from djfast.io.formats import InputFile, ReadOptions
from djfast.io.remote import arrow_source, is_remote

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.arrow_rows import ArrowBlock

_FILE_MAGIC = b"ARROW1"


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return where the splits of a file begin, counted in record batches, and the number of batches; a stream is whole."""
    with _opened(file.path) as reader:
        if not _is_file(reader):
            return [0, file_size(file.path)]
        count = reader.num_record_batches
    # Sizes of batches are not in the footer, so they are taken to be equal.
    step = max(1, split_bytes * count // max(1, file_size(file.path)))
    return [*range(0, max(1, count), step), count]


def blocks(file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
    """Read some record batches, the large ones in parts.

    Raises
    ------
    InputError
        If the file cannot be read, or has fewer batches than when the split was made.
    """
    from djfast.io.arrow_rows import ArrowBlock

    first = 0
    with _opened(file.path) as reader:
        for batch in _batches(reader, start, end):
            batch.validate(full=True)  # offsets of an untrusted file may point anywhere
            rows = max(1, batch.num_rows * options.batch_bytes // max(1, batch.nbytes))
            for position in range(0, batch.num_rows, rows):
                part = batch.slice(position, rows)
                yield ArrowBlock(part, file.path, range(first, first + part.num_rows))
                first += part.num_rows


def schema(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the columns of a file."""
    del options
    with _opened(file.path) as reader:
        return reader.schema


def _batches(reader: Any, start: int, end: int | None) -> Iterator[pa.RecordBatch]:
    if not _is_file(reader):
        yield from reader
        return
    count = reader.num_record_batches
    if end is not None and count < end:
        raise OSError(f"it has become shorter: {count} record batches, fewer than {end}")
    for number in range(start, count if end is None else end):
        yield reader.get_batch(number)


def _is_file(reader: Any) -> bool:
    return hasattr(reader, "get_batch")


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    import pyarrow as pa

    try:
        with arrow_source(path) if is_remote(path) else pa.memory_map(path) as source:
            is_file = source.read(len(_FILE_MAGIC)) == _FILE_MAGIC
            source.seek(0)
            with pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source) as reader:
                yield reader
    except InputError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
