"""Arrow IPC files (Feather version 2) and streams as record batches; splits of a file are runs of its batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from djfast.errors import InputError
from djfast.io.intake import took
from djfast.io.read.arrow_block import ArrowBlock
from djfast.io.read.arrow_messages import message_at, messages_end, places_of
from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile, ReadOptions
from djfast.io.read.whole_parts import check_whole
from djfast.io.remote import arrow_source, is_remote

if TYPE_CHECKING:
    import pyarrow as pa

_FILE_MAGIC = b"ARROW1"
_OLD_MAGIC = b"FEA1"
_END_OF_STREAM = 8  # bytes, between the last batch of a file and its footer


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return where the splits of a file begin, counted in record batches, and the number of batches; a stream is whole."""
    with _opened(file.path) as content:
        count = content.batch_count
    if count is None:
        return [0, file_size(file.path)]
    # Sizes of batches are not in the footer, so they are taken to be equal.
    step = max(1, split_bytes * count // max(1, file_size(file.path)))
    return [*range(0, max(1, count), step), count]


def blocks(file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
    """Read some record batches, the large ones in parts.

    Raises
    ------
    InputError
        If the file cannot be read, has fewer batches than when the split was made, or has a compressed batch that does not
        fit into memory.
    """
    first = 0
    with _opened(file.path, options.memory) as content:
        count = content.batch_count
        stored = None if count is None else file_size(file.path) / max(1, count)
        for batch in content.batches(start, end):
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
    with _opened(file.path) as content:
        return content.schema


class _Room:
    """Makes sure that messages fit into memory before Arrow reads them."""

    def __init__(self, source: Any, memory: int | None, *, is_fetched: bool) -> None:
        self._source = source
        self._memory = memory
        self._is_fetched = is_fetched

    def check(self, place: int) -> int | None:
        """Check the messages from a place of the source on up to the first that has rows; return where that one ends."""
        if self._memory is None:
            return None
        while (message := message_at(self._source, place)) is not None:
            is_held = message.unpacked_bytes or self._is_fetched  # else Arrow uses the file's own pages
            needed = message.unpacked_bytes + (message.body_bytes if is_held else 0)
            check_whole(f"the batch at byte {place}", needed, self._memory, "write the file with smaller batches")
            place = message.end
            if message.is_batch:
                break
        return place


class _File:
    """A file whose footer says where its batches are."""

    def __init__(self, source: Any, room: _Room) -> None:
        import pyarrow as pa

        self._footer = _checked_footer(source)
        self._reader = pa.ipc.open_file(source)
        self._room = room
        self.schema = self._reader.schema
        self.batch_count: int | None = self._reader.num_record_batches

    def batches(self, start: int, end: int | None) -> Iterator[pa.RecordBatch]:
        """Yield some of the batches."""
        count = self._reader.num_record_batches
        if end is not None and count < end:
            raise OSError(f"it has become shorter: {count} record batches, fewer than {end}")
        for place in places_of(self._footer, dictionaries=True):
            self._room.check(place)
        places = places_of(self._footer)
        for number in range(start, count if end is None else end):
            self._room.check(places[number])
            yield self._reader.get_batch(number)


class _Streams:
    """The streams of a file, one behind the other."""

    batch_count = None

    def __init__(self, source: Any, room: _Room) -> None:
        import pyarrow as pa

        self._source = source
        self._room = room
        self._reader = pa.ipc.open_stream(source)
        self.schema = self._reader.schema

    def batches(self, start: int, end: int | None) -> Iterator[pa.RecordBatch]:
        """Yield the batches of all of them."""
        import pyarrow as pa

        del start, end
        yield from self._checked(self._reader)
        while self._source.tell() < self._source.size():
            place = self._source.tell()
            try:
                reader = pa.ipc.open_stream(self._source)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for names of columns
                raise OSError(f"what follows the stream that ends at byte {place} is no stream: {error}") from error
            if not reader.schema.equals(self.schema):
                raise OSError(f"the stream from byte {place} on has other columns than the one before it")
            yield from self._checked(reader)

    def _checked(self, reader: Any) -> Iterator[pa.RecordBatch]:
        while True:
            place = self._source.tell()
            self._room.check(place)
            self._source.seek(place)
            batch = next(reader, None)
            if batch is None:
                return
            yield batch


def _checked_footer(source: Any) -> bytes:
    """Return the footer, which must know of all batches: the places in it are wrong where files were put one behind the other.

    Empty if it is damaged; whoever reads it says what is wrong.
    """
    size = source.size()
    source.seek(size - 10)
    length = int.from_bytes(source.read(4), "little")
    if not 0 < length <= size - 18:
        return b""
    start = size - 10 - length
    source.seek(start)
    footer = bytes(source.read(length))
    source.seek(0)
    unknown = start - messages_end(footer)
    if 0 <= unknown < start and unknown > _END_OF_STREAM:
        raise OSError(f"its footer does not account for {unknown} bytes before it; were several files concatenated?")
    return footer


@contextmanager
def _opened(path: str, memory: int | None = None) -> Iterator[_File | _Streams]:
    import pyarrow as pa

    try:
        with arrow_source(path) if is_remote(path) else pa.memory_map(path) as source:
            magic = source.read(len(_FILE_MAGIC))
            source.seek(0)
            if magic.startswith(_OLD_MAGIC):
                raise OSError("it has Feather version 1; convert it: feather.write_feather(feather.read_table(old), new)")
            room = _Room(source, memory, is_fetched=is_remote(path))
            yield (_File if magic == _FILE_MAGIC else _Streams)(source, room)
    except InputError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
