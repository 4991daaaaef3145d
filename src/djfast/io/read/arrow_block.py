"""What every reader yields: a record batch, where its rows stood, and those that could not be read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from djfast.io.arrow_ipc import batch_of, stream_of
from djfast.io.arrow_json import is_kind, json_lines
from djfast.io.origins import Origins
from djfast.records import NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_BATCHES = 16  # as much as the texts of one batch may take if it repeats them


class UnreadRow(NamedTuple):
    """Why a row could not be read, and what stands in its place in the file (None when its columns say it)."""

    reason: str
    content: str | None = None


class ArrowBlock(NamedTuple):
    """A record batch and where it came from.

    `numbers` are the rows' numbers in `file`, which may name one file for each. `unread` has the positions of rows that
    could not be read; the batch holds nulls for them. `lines` says how many rows of the file these stand for, where not all
    of them are here.
    """

    batch: pa.RecordBatch
    file: str | None
    numbers: Sequence[int]
    unread: Mapping[int, UnreadRow] = {}
    lines: int | None = None

    @property
    def byte_count(self) -> int:
        """Bytes of the batch in memory."""
        return int(self.batch.nbytes)

    def row(self, position: int) -> bytes:
        """Return one row as a line of JSON, or what stands in the file where it could not be read."""
        unread = self.unread.get(position)
        if unread is not None and unread.content is not None:
            return unread.content.encode("utf-8", "surrogateescape")
        return json_lines(self.batch.slice(position, 1))[0].encode()

    def counted_from(self, first: int) -> ArrowBlock:
        """Return these rows with numbers that count from `first`."""
        return self._replace(numbers=[first + number for number in self.numbers]) if first else self

    def numbered(self, key: str, first: int) -> ArrowBlock:
        """Return these rows with numbers from `first` on in a column."""
        import pyarrow as pa

        numbers = pa.array(range(first, first + self.batch.num_rows), pa.int64())
        names = self.batch.schema.names
        place = names.index(key) if key in names else len(names)
        kept = self.batch.drop_columns([key]) if key in names else self.batch
        return self._replace(batch=kept.add_column(place, key, numbers))

    def head(self, rows: int) -> ArrowBlock:
        """Return the first so many rows."""
        file = Origins(self.file).of(range(rows))
        unread = {position: row for position, row in self.unread.items() if position < rows}
        return ArrowBlock(self.batch.slice(0, rows), file, self.numbers[:rows], unread, self.lines)

    def pack(self) -> list[bytes]:
        """Return the parts as bytes."""
        rest = [self.file, list(self.numbers), [[position, *row] for position, row in self.unread.items()], self.lines]
        return [bytes(stream_of(self.batch)), json.dumps(rest).encode()]

    @classmethod
    def unpack(cls, batch: bytes, rest: bytes) -> ArrowBlock:
        """Return what `pack` packed."""
        file, numbers, unread, lines = json.loads(rest)
        return cls(batch_of(batch), file, numbers, {position: UnreadRow(*row) for position, *row in unread}, lines)


def parts_with_few_bytes(block: ArrowBlock, batch_bytes: int) -> Iterator[ArrowBlock]:
    """Yield the rows in parts whose texts take few times `batch_bytes`: a small dictionary may stand for gigabytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = [column.dictionary for column in block.batch.columns if pa.types.is_dictionary(column.type)]
    texts = [each for each in values if is_kind(each.type, "string", "large_string", "binary", "large_binary")]
    longest = sum(pc.max(pc.binary_length(each)).as_py() or 0 for each in texts)
    rows = max(1, _MOST_BATCHES * batch_bytes // max(1, longest))
    if rows >= block.batch.num_rows:
        yield block
        return
    for start in range(0, block.batch.num_rows, rows):
        numbers = block.numbers[start : start + rows]
        unread = {position - start: row for position, row in block.unread.items() if start <= position < start + rows}
        yield block._replace(batch=block.batch.slice(start, rows), numbers=numbers, unread=unread)
