"""Parquet files as record batches; splits are runs of row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from djfast import _native
from djfast.errors import InputError, UserError
from djfast.io.intake import took
from djfast.io.neighbours import group_starts
from djfast.io.read.arrow_block import ArrowBlock, parts_with_few_bytes
from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile, ReadOptions
from djfast.io.read.whole_parts import check_whole, room_for_whole
from djfast.io.remote import BLOCK_BYTES, arrow_source, is_remote, open_binary, open_ranges
from djfast.records import NamedTuple

_READ_BYTES = 1 << 20  # of a column chunk at a time
_FETCHED_BYTES = 64 << 20  # of row groups that are fetched at once
_SHORTEST_HEAD = 256
_LONGEST_HEAD = 16 << 20
_DICTIONARY_COPIES = 5  # the page, its values, and those of a column of Arrow that has a dictionary of its own
_MOST_REPEATED_BYTES = 256 << 20
_INDEX_BYTES = 4  # that a row takes at most where a chunk has nothing but numbers in its dictionary

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.remote import LocalFile, RemoteFile


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return where the splits of a file begin, counted in row groups, and the number of row groups."""
    with _opened(file.path) as content:
        sizes = [group.total_byte_size for group in content.described(range(content.group_count))]
    return [*group_starts(sizes, split_bytes), len(sizes)]


def blocks(file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
    """Read some row groups batch by batch.

    Raises
    ------
    InputError
        If the file cannot be read, has fewer row groups than when the split was made, or a page that does not fit into memory.
    """
    with _opened(file.path) as content:
        count = content.group_count
        if end is not None and count < end:
            raise OSError(f"it has become shorter: {count} row groups, fewer than {end}")
        groups = range(start, count if end is None else end)
        described = content.described(groups)
        rows = max(1, sum(group.num_rows for group in described))
        size = max(1, sum(group.total_byte_size for group in described))
        batch_size = max(1, min(65536, options.batch_bytes * rows // size))
        stored = file_size(file.path) * len(groups) / max(1, count)
        first = 0
        for batch in _batches(content, groups, batch_size, options.memory):
            took(stored * batch.num_rows / rows)
            block = ArrowBlock(batch, file.path, range(first, first + batch.num_rows))
            for part in parts_with_few_bytes(block, options.batch_bytes):
                yield part._replace(batch=_without_dictionaries(part.batch, content.schema))
            first += batch.num_rows


def _batches(content: _Content, groups: Sequence[int], rows: int, memory: int | None) -> Iterator[pa.RecordBatch]:
    """Read row groups: of a file on disk page by page, of what comes over a network some at a time, each as a whole."""
    most = _FETCHED_BYTES if memory is None else min(_FETCHED_BYTES, memory // 8)
    for repeated, alike in groupby(groups, lambda number: content.repeated(number, rows)):
        for run in _fetched_at_once(content, list(alike), most):
            content.check_pages(run, memory)
            is_held = is_remote(content.path) and content.stored_bytes(run) <= most
            yield from content.reader(repeated, is_held=is_held).iter_batches(batch_size=rows, row_groups=run)


def _fetched_at_once(content: _Content, groups: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    """Cut row groups into runs: pyarrow fetches all that it is asked for ahead."""
    if not is_remote(content.path):
        yield groups
        return
    sizes = [content.stored_bytes([number]) for number in groups]
    yield from (groups[start:end] for start, end in pairwise([*group_starts(sizes, most), len(sizes)]))


def count(file: InputFile, start: int, end: int) -> int:
    """Return the rows of some row groups."""
    with _opened(file.path) as content:
        return sum(group.num_rows for group in content.described(range(start, min(end, content.group_count))))


def schema(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the columns of a file; the pages of one on disk are looked at before anybody works on its rows."""
    with _opened(file.path) as content:
        if not is_remote(file.path):
            content.check_pages(range(content.group_count), options.memory)
        return content.schema


class _Content:
    """An open file, and its footer, which is read once."""

    def __init__(self, path: str, parquet: Any) -> None:
        self.path = path
        self.schema: pa.Schema = parquet.schema_arrow
        self.group_count: int = parquet.num_row_groups
        self._parquet = parquet
        self._footer = _footer(path, parquet.metadata)
        _check_end(path, self._footer)

    @cached_property
    def chunks(self) -> list[list[_Chunk]]:
        """The columns of each row group."""
        return [[_Chunk(*chunk) for chunk in group] for group in _native.parquet_row_groups(self._footer)]

    def described(self, groups: Sequence[int]) -> list[Any]:
        """Return what pyarrow says of row groups."""
        return [self._parquet.metadata.row_group(number) for number in groups]

    def stored_bytes(self, groups: Sequence[int]) -> int:
        """Return the bytes of row groups in the file."""
        return sum(chunk.compressed_bytes for number in groups for chunk in self.chunks[number])

    def reader(self, repeated: Sequence[str], *, is_held: bool) -> Any:
        """Return what reads row groups: as the file is open, or with columns as dictionaries, or from memory if `is_held`."""
        import pyarrow.parquet as pq

        if not repeated and not is_held:
            return self._parquet
        reading = _reading(self.path, is_held=is_held)
        return pq.ParquetFile(arrow_source(self.path), metadata=self._parquet.metadata, read_dictionary=repeated, **reading)

    def repeated(self, group: int, rows: int) -> list[str]:
        """Name the columns that are read as dictionaries: so many rows may repeat texts to more than memory has room for."""
        chunks = self.chunks[group]
        return [name for number, name in self._texts if number < len(chunks) and _may_be_long(chunks[number], rows)]

    @cached_property
    def _texts(self) -> list[tuple[int, str]]:
        """The columns of strings or bytes that are not inside others, with their numbers."""
        from djfast.io.arrow_json import is_kind

        found = []
        for number, name in enumerate(self._parquet.schema.names):
            column = self._parquet.schema.column(number)
            if column.path != name or column.physical_type != "BYTE_ARRAY" or column.max_repetition_level:
                continue
            if is_kind(self.schema.field(name).type, "string", "large_string", "binary", "large_binary"):
                found.append((number, name))
        return found

    def check_pages(self, groups: Sequence[int], memory: int | None) -> None:
        """Make sure that the pages of row groups fit into memory, compressed and not.

        What a footer says of sizes is believed. Over a network, where the heads of all pages would be the whole file, the first
        ones stand for the others of their column.
        """
        if memory is None:
            return
        least = room_for_whole(memory) // (1 + _DICTIONARY_COPIES)  # smaller chunks have no page that is too large
        large = [(i, n) for i in groups for n, chunk in enumerate(self.chunks[i]) if chunk.uncompressed_bytes > least]
        if not large:
            return
        with closing(open_ranges(self.path)) as file:
            for group, column in large:
                what = f"a page of column '{self._parquet.schema.column(column).path}' in row group {group}"
                needed = _largest_page(file, self.chunks[group][column], most=2 if is_remote(self.path) else None)
                check_whole(what, needed, memory, "write the file with smaller pages")


def _reading(path: str, *, is_held: bool = False) -> dict[str, Any]:
    """Return how a file is read: some bytes of a column at a time, or, `is_held`, all columns of its row groups at once.

    Over a network the pieces are those that are fetched: smaller ones would fetch them again for each column.
    """
    held = {} if is_held else {"pre_buffer": False, "buffer_size": BLOCK_BYTES if is_remote(path) else _READ_BYTES}
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


def _largest_page(file: RemoteFile | LocalFile, chunk: _Chunk, *, most: int | None) -> int:
    """Return the bytes that the largest page of a chunk takes while it is read: compressed, and once or more often as it is."""
    needed = count = 0
    place = chunk.dictionary_start if 0 < chunk.dictionary_start < chunk.pages_start else chunk.pages_start
    end = place + chunk.compressed_bytes
    while place < end and count != most:
        page = _page_at(file, place)
        if page.compressed_bytes < 0:
            break  # damaged, as Arrow will say
        copies = _DICTIONARY_COPIES if page.is_dictionary else 1
        needed = max(needed, page.compressed_bytes + copies * page.uncompressed_bytes)
        place += page.head_bytes + page.compressed_bytes
        count += 1
    return needed


def _page_at(file: RemoteFile | LocalFile, place: int) -> _Page:
    """Read the head of a page, which is as long as the smallest and largest values in it."""
    size = _SHORTEST_HEAD
    while True:
        head = file.read_at(size, place)
        try:
            return _Page(*_native.parquet_page(head))
        except UserError:
            if len(head) < size or size > _LONGEST_HEAD:
                raise
        size *= 16


class _Page(NamedTuple):
    """What a page begins with."""

    head_bytes: int
    is_dictionary: bool
    uncompressed_bytes: int
    compressed_bytes: int  # that follow the head

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
def _opened(path: str) -> Iterator[_Content]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(arrow_source(path), **_reading(path)) as parquet:
            yield _Content(path, parquet)
    except InputError:
        raise
    except (pa.ArrowException, OSError, UserError, UnicodeDecodeError) as error:  # the last for names of columns
        raise InputError(f"cannot read {path}: {error}") from error
