"""Arrow IPC files (Feather version 2) and streams as record batches; splits of a file are runs of its batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from djfast.errors import InputError
from djfast.io.files import file_size
from djfast.io.formats import InputFile, ReadOptions
from djfast.io.intake import took
from djfast.io.remote import arrow_source, is_remote

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.arrow_rows import ArrowBlock

_FILE_MAGIC = b"ARROW1"
_OLD_MAGIC = b"FEA1"
_END_OF_STREAM = 8  # bytes, between the last batch of a file and its footer


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
        stored = file_size(file.path) / max(1, reader.num_record_batches) if _is_file(reader) else None
        for batch in _batches(reader, start, end):
            batch.validate()  # the bytes of a batch are counted by its offsets, which may point anywhere
            took(batch.nbytes if stored is None else stored)
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
        yield from reader.batches()
        return
    count = reader.num_record_batches
    if end is not None and count < end:
        raise OSError(f"it has become shorter: {count} record batches, fewer than {end}")
    for number in range(start, count if end is None else end):
        yield reader.get_batch(number)


def _is_file(reader: Any) -> bool:
    return hasattr(reader, "get_batch")


class _Streams:
    """The streams of a file, one behind the other."""

    def __init__(self, source: Any) -> None:
        import pyarrow as pa

        self._source = source
        self._reader = pa.ipc.open_stream(source)
        self.schema = self._reader.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches of all of them."""
        import pyarrow as pa

        yield from self._reader
        while self._source.tell() < self._source.size():
            place = self._source.tell()
            try:
                reader = pa.ipc.open_stream(self._source)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for names of columns
                raise OSError(f"what follows the stream that ends at byte {place} is no stream: {error}") from error
            if not reader.schema.equals(self.schema):
                raise OSError(f"the stream from byte {place} on has other columns than the one before it")
            yield from reader


def _check_end(source: Any) -> None:
    """Make sure that the footer knows of all batches. The places in it are wrong where files were put one behind the other."""
    size = source.size()
    source.seek(size - 10)
    length = int.from_bytes(source.read(4), "little")
    if not 0 < length <= size - 18:
        return  # whoever reads it says what is wrong
    start = size - 10 - length
    source.seek(start)
    unknown = start - _blocks_end(bytes(source.read(length)))
    source.seek(0)
    if 0 <= unknown < start and unknown > _END_OF_STREAM:
        raise OSError(f"its footer does not account for {unknown} bytes before it; were several files concatenated?")


def _blocks_end(footer: bytes) -> int:
    """Return where the last of the batches that a footer names ends, or the end of the address space if it names none.

    The footer is a flatbuffer: a table whose fields 2 and 3 are vectors of (place, bytes of the head, bytes of the body).
    """

    def number(place: int, size: int) -> int:
        return int.from_bytes(footer[place : place + size], "little")

    table = number(0, 4)
    fields = table - int.from_bytes(footer[table : table + 4], "little", signed=True)
    ends = []
    for field in (2, 3):
        at = number(fields + 4 + 2 * field, 2) if 4 + 2 * field < number(fields, 2) else 0
        if not at:
            continue
        vector = table + at + number(table + at, 4)
        for block in range(vector + 4, vector + 4 + 24 * min(number(vector, 4), len(footer)), 24):
            ends.append(number(block, 8) + number(block + 8, 4) + number(block + 16, 8))
    return max(ends, default=1 << 63)


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    import pyarrow as pa

    try:
        with arrow_source(path) if is_remote(path) else pa.memory_map(path) as source:
            magic = source.read(len(_FILE_MAGIC))
            source.seek(0)
            if magic.startswith(_OLD_MAGIC):
                raise OSError("it has Feather version 1; convert it: feather.write_feather(feather.read_table(old), new)")
            if magic != _FILE_MAGIC:
                yield _Streams(source)
                return
            _check_end(source)
            with pa.ipc.open_file(source) as reader:
                yield reader
    except InputError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
