"""JSONL as rows: blocks of lines in, edited lines out. Fields that no OP touches stay the bytes they were."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from djfast import _native
from djfast.errors import InputError
from djfast.io.compression import open_bytes
from djfast.io.files import InputFile
from djfast.io.origins import Origins
from djfast.plan.build import HASHES, META, STATS
from djfast.plan.steps import Plan, Stage

MAX_LINE_BYTES = 256 << 20


class JsonBlock(NamedTuple):
    """Whole lines, ``data[:end]``.

    `numbers` gives each line's number in `file` where the block is no run of lines; `file` may then name one for each line.
    """

    data: bytes
    end: int
    file: str
    numbers: bytes | None = None

    @property
    def byte_count(self) -> int:
        """Bytes of the lines."""
        return self.end


class JsonPiece:
    """Lines that have left a stage, with the lines of the stats file and the numbers of the lines they came from."""

    __slots__ = ("ends", "file", "lines", "numbers", "row_count", "side", "side_ends")

    def __init__(
        self,
        lines: bytes,
        ends: bytes,
        side: bytes,
        side_ends: bytes,
        numbers: bytes,
        file: bytes,
        row_count: int | None = None,
    ) -> None:
        self.lines = lines
        self.ends = ends
        self.side = side
        self.side_ends = side_ends
        self.numbers = numbers
        self.file = file
        self.row_count = len(ends) // 8 if row_count is None else row_count

    @classmethod
    def unpack(cls, lines: bytes, ends: bytes, side: bytes, side_ends: bytes, numbers: bytes, file: bytes) -> JsonPiece:
        """Return what `pack` packed."""
        return cls(lines, ends, side, side_ends, numbers, file)

    def pack(self) -> list[bytes]:
        """Return the parts, in the order of the constructor."""
        return [self.lines, self.ends, self.side, self.side_ends, self.numbers, self.file]

    def byte_count(self) -> int:
        """Return the bytes held."""
        return sum(map(len, self.pack()))

    def select(self, mask: bytes, first: int) -> JsonPiece:
        """Keep the rows whose byte in ``mask[first:]`` is set. Only the lines are kept, not where each one ends."""
        lines = _native.select_lines(self.lines, self.ends, mask, first)
        side = _native.select_lines(self.side, self.side_ends, mask, first) if self.side_ends else b""
        return JsonPiece(lines, b"", side, b"", b"", self.file, mask.count(1, first, first + self.row_count))

    def row_bytes(self) -> list[int]:
        """Return the bytes of each row."""
        ends = array("Q", self.ends)
        return [end - begin for begin, end in zip([0, *ends], ends)]

    @classmethod
    def gatherer(cls, pieces: Sequence[JsonPiece]) -> Callable[[array[int]], JsonPiece]:
        """Return what makes a piece of some rows of other pieces, numbered through."""
        lines = _native.LinePool([(piece.lines, piece.ends) for piece in pieces])
        side = _native.LinePool([(piece.side, piece.side_ends) for piece in pieces])
        numbers = array("I", b"".join(piece.numbers for piece in pieces))
        files = Origins.joined([(piece.file.decode(), piece.row_count) for piece in pieces])

        def gather(rows: array[int]) -> JsonPiece:
            own_numbers = array("I", map(numbers.__getitem__, rows)).tobytes()
            return cls(*lines.take(rows), *side.take(rows), own_numbers, (files.of(rows) or "").encode())

        return gather

    def to_rows(self) -> list[dict[str, Any]]:
        """Parse the lines."""
        return [json.loads(line) for line in self.lines.split(b"\n") if line]


class JsonRows:
    """Rows of JSON Lines files.

    Parameters
    ----------
    files : sequence of InputFile
        Read in this order.
    batch_bytes : int
        Bytes of lines per batch.
    keeps_stats, keeps_hashes : bool
        Whether ``__dj__stats__`` and ``__dj__meta__``, and the hash columns, stay in the result.
    """

    piece = JsonPiece

    def __init__(self, files: Sequence[InputFile], *, batch_bytes: int, keeps_stats: bool, keeps_hashes: bool) -> None:
        self.files = files
        self.batch_bytes = batch_bytes
        self.keeps_stats = keeps_stats
        self.keeps_hashes = keeps_hashes

    def items(self) -> Iterator[JsonBlock]:
        """Read the files block by block."""
        for file in self.files:
            if file.format == "json" and _is_array(file):
                yield from _array_blocks(file)
            elif file.compression is None:
                yield from _plain_blocks(file.path, self.batch_bytes)
            else:
                yield from _stream_blocks(file.path, self.batch_bytes)

    def layouts(self, plan: Plan) -> list[_native.RowLayout]:
        """How the lines of each stage are written."""
        any_stats = any(stage.stats for stage in plan.stages)
        count = len(plan.stages)
        return [self._layout(stage, is_last=number == count - 1, any_stats=any_stats) for number, stage in enumerate(plan.stages)]

    def _layout(self, stage: Stage, *, is_last: bool, any_stats: bool) -> _native.RowLayout:
        assigned = {path for path, _ in stage.values}
        drops_hashes = is_last and not self.keeps_hashes
        return _native.RowLayout(
            {
                "values": [(stage.field_index(path), path, slot) for path, slot in stage.values],
                "stats": [(name, slot) for name, slot, _ in stage.stats],
                "stats_field": stage.field_index(STATS),
                "meta_field": stage.field_index(META),
                "dropped": [stage.field_index(name) for name in HASHES if drops_hashes and name not in assigned],
                "embeds_stats": self.keeps_stats or not is_last or not any_stats,
                "has_side_lines": is_last and any_stats,
            }
        )

    def open(self, block: JsonBlock, stage: Stage) -> _native.Batch:
        """Read the touched fields of a block."""
        paths = list(stage.texts + stage.reserved)
        return _native.read_json_batch(block.data, block.end, paths, len(stage.texts), stage.slot_count)

    def close(self, block: JsonBlock, batch: _native.Batch, layout: _native.RowLayout) -> JsonPiece:
        """Write the alive rows back as lines."""
        numbers = batch.line_numbers
        file = block.file
        if block.numbers is not None:
            alive = array("I", numbers)
            in_file = array("I", block.numbers)
            numbers = array("I", (in_file[n] for n in alive)).tobytes()
            file = Origins(file).of(alive) or ""
        lines, ends, side, side_ends = batch.write_json(layout)
        return JsonPiece(lines, ends, side, side_ends, numbers, file.encode())

    def reopen(self, piece: JsonPiece, mask: bytes, first: int) -> JsonBlock:
        """Make the kept rows of a piece the input of the next stage."""
        lines = _native.select_lines(piece.lines, piece.ends, mask, first)
        numbers = array("I", piece.numbers)
        kept = [row for row in range(piece.row_count) if mask[first + row]]
        file = Origins(piece.file.decode()).of(kept) or ""
        return JsonBlock(lines, len(lines), file, array("I", (numbers[row] for row in kept)).tobytes())


def _plain_blocks(path: str, size: int) -> Iterator[JsonBlock]:
    """Read blocks at their place in the file: the cut-off line at a block's end is simply read again."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    try:
        position = 0
        wanted = size
        while data := _read_at(descriptor, wanted, position, path):
            end = _native.complete_lines(data)
            if end == 0 and len(data) < wanted:
                end = len(data)  # the last line has no line feed
            if end == 0:
                wanted = _longer(wanted, path)
                continue
            yield JsonBlock(data, end, path)
            position += end
            wanted = size
    finally:
        os.close(descriptor)


def _read_at(descriptor: int, size: int, position: int, path: str) -> bytes:
    try:
        data = os.pread(descriptor, size, position)
        while len(data) < size and (more := os.pread(descriptor, size - len(data), position + len(data))):
            data += more
    except OSError as error:
        raise InputError(f"cannot read {path} at byte {position}: {error.strerror}") from error
    return data


def _longer(size: int, path: str) -> int:
    if size >= MAX_LINE_BYTES:
        raise InputError(f"{path}: a line is longer than {MAX_LINE_BYTES} bytes; is this JSON Lines?")
    return size * 2


def _stream_blocks(path: str, size: int) -> Iterator[JsonBlock]:
    """Read blocks from a decompressed stream; the cut-off line goes in front of the next block."""
    with open_bytes(path) as stream:
        rest = b""
        wanted = size
        while True:
            chunk = stream.read(wanted)
            if not chunk:
                break
            data = rest + chunk
            end = _native.complete_lines(data)
            if end == 0:
                rest, wanted = data, _longer(wanted, path)
                continue
            rest, wanted = data[end:], size
            yield JsonBlock(data, end, path)
        if rest:
            yield JsonBlock(rest, len(rest), path)


def _is_array(file: InputFile) -> bool:
    """Tell whether a .json file holds one array of rows instead of lines."""
    with open_bytes(file.path) as stream:
        return stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _array_blocks(file: InputFile) -> Iterator[JsonBlock]:
    """Read a JSON array of rows. It is parsed as a whole, so it must fit in memory; lines are the better form."""
    with open_bytes(file.path) as stream:
        try:
            rows = json.loads(stream.read())
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file.path} is not valid JSON: {error}") from error
    for first in range(0, len(rows), 1000):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows[first : first + 1000])
        data = lines.encode("utf-8", "backslashreplace")
        numbers = array("I", range(first, min(first + 1000, len(rows)))).tobytes()
        yield JsonBlock(data, len(data), file.path, numbers)
