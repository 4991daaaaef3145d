"""JSONL as rows: blocks of lines in, edited lines out. Fields that no OP touches stay the bytes they were."""

from __future__ import annotations

import contextlib
import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import Any

from djfast import _native
from djfast.errors import InputError
from djfast.io.compression import open_bytes
from djfast.io.intake import took
from djfast.io.origins import Origins
from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile, suffix_of
from djfast.io.read.json_forms import form_of
from djfast.io.read.splits import Split
from djfast.io.read.unicode_files import Stream, open_text
from djfast.io.remote import LocalFile, RemoteFile, open_ranges
from djfast.json_bytes import parsed
from djfast.plan.steps import Plan, Stage
from djfast.records import NamedTuple
from djfast.reserved import HASHES, META, STATS, STDIN, SUFFIX

MAX_LINE_BYTES = 256 << 20
_BLANK_LINE = rb"(?m)^[ \t\r]*\n|^[ \t\r]+\Z"
PROBE_BYTES = 16 << 10  # read first where only the next line feed is looked for
_MOST_PROBE_BYTES = 1 << 20
_FIRST_BYTES = 1 << 20  # whose rows name the columns of a result without rows
_SHOWN_BYTES = 1000  # of a line that is too long


class JsonBlock(NamedTuple):
    """Whole lines, ``data[:end]``.

    `numbers` holds the line number of each line as uint64, or is None if the lines are consecutive; if it is given, `file` may
    name one file for each line. `lines` counts the lines of the file that this block covers, if some were left out.
    `source_bytes` counts the bytes of input that it covers, if the lines were written from another format. `unread` maps the
    index of a line that could not be read to the reason; such a line shows what the input holds and is no row.
    """

    data: bytes
    end: int
    file: str
    numbers: bytes | None = None
    lines: int | None = None
    source_bytes: int | None = None
    unread: Mapping[int, str] = {}

    @property
    def batch(self) -> None:
        """None: these are lines."""
        return

    @property
    def byte_count(self) -> int:
        """Bytes of the input that these lines are."""
        return self.end if self.source_bytes is None else self.source_bytes

    def row(self, position: int) -> bytes:
        """Return one line."""
        return self.data[: self.end].split(b"\n")[position]

    def counted_from(self, first: int) -> JsonBlock:
        """Return these lines with numbers that count from `first`."""
        if not first or self.numbers is None:
            return self
        return self._replace(numbers=array("Q", (first + number for number in array("Q", self.numbers))).tobytes())

    def numbered(self, key: str, first: int) -> JsonBlock:
        """Return these rows, all of them objects, with numbers from `first` on in a field."""
        name = json.dumps(key, ensure_ascii=False).encode()
        lines = []
        for number, line in enumerate(self.data[: self.end].removesuffix(b"\n").split(b"\n"), first):
            row = _without_member(line, name, key).rstrip().removesuffix(b"}").rstrip()
            separator = b"" if row.endswith(b"{") else b", "
            lines.append(b"%s%s%s: %d}\n" % (row, separator, name, number))
        data = b"".join(lines)
        return self._replace(data=data, end=len(data))

    def head(self, rows: int) -> JsonBlock:
        """Return the lines up to the last one of the first so many rows; lines of white space are no rows."""
        end = lines = 0
        for line in self.data[: self.end].split(b"\n"):
            if rows == 0:
                break
            end, lines = end + len(line) + 1, lines + 1
            rows -= not _is_blank(line)
        unread = {place: reason for place, reason in self.unread.items() if place < lines}
        return self._replace(end=min(end, self.end), unread=unread)

    def pack(self) -> list[bytes]:
        """Return the parts as bytes."""
        numbers = b"" if self.numbers is None else b"=" + self.numbers
        counts = [b"" if count is None else b"%d" % count for count in (self.lines, self.source_bytes)]
        return [self.data[: self.end], self.file.encode(), numbers, *counts, json.dumps([*self.unread.items()]).encode()]

    @classmethod
    def unpack(cls, data: bytes, file: bytes, numbers: bytes, lines: bytes, source_bytes: bytes, unread: bytes) -> JsonBlock:
        """Return what `pack` packed."""
        return cls(
            data,
            len(data),
            file.decode(),
            numbers=numbers[1:] if numbers else None,
            lines=int(lines) if lines else None,
            source_bytes=int(source_bytes) if source_bytes else None,
            unread=dict(json.loads(unread)),
        )


class JsonPiece:
    """Lines that have left a stage, with the lines of the stats file and the numbers of the lines they came from.

    `columns` is the Arrow schema that the rows had before they became lines, where somebody wants to know it.
    """

    __slots__ = ("columns", "ends", "file", "lines", "numbers", "row_count", "side", "side_ends")
    batch = None

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
        self.columns: Any = None

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

    def counted_from(self, first_line: int) -> JsonPiece:
        """Return these rows with line numbers that count from `first_line`."""
        if first_line:
            self.numbers = array("Q", (first_line + number for number in array("Q", self.numbers))).tobytes()
        return self

    def select(self, mask: bytes, first: int) -> JsonPiece:
        """Keep the rows whose byte in ``mask[first:]`` is set. Where each line ends is not kept."""
        lines = _native.select_lines(self.lines, self.ends, mask, first)
        side = _native.select_lines(self.side, self.side_ends, mask, first) if self.side_ends else b""
        own = mask[first : first + self.row_count]
        numbers = _native.select_numbers(self.numbers, mask, first)
        file = self.file
        if b"\0" in file:
            file = (Origins(file.decode()).of(list(compress(range(self.row_count), own))) or "").encode()
        return JsonPiece(lines, b"", side, b"", numbers, file, own.count(1))

    def row_bytes(self) -> list[int]:
        """Return the bytes of each row."""
        ends = array("Q", self.ends)
        return [end - begin for begin, end in zip([0, *ends], ends)]

    @classmethod
    def gatherer(cls, pieces: Sequence[JsonPiece]) -> Callable[[array[int]], JsonPiece]:
        """Return what makes a piece of some rows of other pieces, numbered through."""
        lines = _native.LinePool([(piece.lines, piece.ends) for piece in pieces])
        side = _native.LinePool([(piece.side, piece.side_ends) for piece in pieces])
        numbers = array("Q", b"".join(piece.numbers for piece in pieces))
        files = Origins.joined([(piece.file.decode(), piece.row_count) for piece in pieces])

        def gather(rows: array[int]) -> JsonPiece:
            own_numbers = array("Q", map(numbers.__getitem__, rows)).tobytes()
            return cls(*lines.take(rows), *side.take(rows), own_numbers, (files.of(rows) or "").encode())

        return gather

    def to_rows(self) -> list[dict[str, Any]]:
        """Parse the lines; values of columns that are known are what Arrow makes of them."""
        rows = [parsed(line) for line in self.lines.split(b"\n") if line]
        if self.columns is not None:
            from djfast.io.arrow_json import restore

            restore(rows, self.columns)
        return rows


class JsonRows:
    """Rows of JSON Lines files.

    Parameters
    ----------
    files : sequence of InputFile
        Read in this order.
    batch_bytes : int
        Bytes of lines per batch.
    longest_line : int, optional
        Most bytes of a line, if the memory of the run allows fewer than `MAX_LINE_BYTES`. A longer line is rejected alone,
        and is never in memory as a whole.
    adds_suffix : bool
        Give every row the suffix of its file.
    keeps_stats, keeps_hashes : bool
        Whether ``__dj__stats__`` and ``__dj__meta__``, and the hash columns, stay in the result.
    """

    block = JsonBlock
    piece = JsonPiece
    holds_lines = True
    needs_lines = False
    has_other_columns = False
    longest_row = None  # too long lines are rejected where they are read
    notices: Sequence[str] = ()
    left_unread: str | None = None

    def __init__(
        self,
        files: Sequence[InputFile],
        *,
        batch_bytes: int,
        longest_line: int | None = None,
        adds_suffix: bool = False,
        keeps_stats: bool,
        keeps_hashes: bool,
    ) -> None:
        self.files = files
        self.batch_bytes = batch_bytes
        self.longest_line = MAX_LINE_BYTES if longest_line is None else min(longest_line, MAX_LINE_BYTES)
        self.adds_suffix = adds_suffix
        self.keeps_stats = keeps_stats
        self.keeps_hashes = keeps_hashes

    def items(self) -> Iterator[JsonBlock]:
        """Read the files block by block."""
        for number, file in enumerate(self.files):
            yield from self.read(Split(number, 0, file_size(file.path)))

    def read(self, split: Split) -> Iterator[JsonBlock]:
        """Read the lines of a split block by block; their numbers count from the split's first line.

        Raises
        ------
        InputError
            If the file cannot be read, or is shorter than when the split was made.
        """
        blocks = self._read(split)
        if not self.adds_suffix:
            return blocks
        suffix = suffix_of(self.files[split.file])
        return (_with_suffix(block, suffix) for block in blocks)

    def columns(self) -> Any:
        """Return None: lines have no columns."""
        return None

    def empty_block(self) -> None:
        """Return None: no columns are expected of lines."""
        return

    def first_columns(self) -> Any:
        """Return the columns of the first rows, as an Arrow schema, for a result that no row is left for.

        The rows are those of the first MiB, wherever blocks end: results do not depend on the size of batches.
        """
        data = b"".join(self._first_lines(_FIRST_BYTES))
        if not data:
            return None
        from djfast.io.json_columns import JsonColumns

        return JsonColumns(partial(iter, [(data.count(b"\n"), data)])).schema

    def _first_lines(self, most: int) -> Iterator[bytes]:
        """Yield lines of at most so many bytes together, and at least one."""
        size = 0
        is_stream = any(file.path == STDIN for file in self.files)
        for block in _held_lines() if is_stream else self.items():
            for line in filter(None, block.data[: block.end].split(b"\n")):
                size += len(line)
                if size > most and size > len(line):
                    return
                yield line + b"\n"

    def _read(self, split: Split) -> Iterator[JsonBlock]:
        file = self.files[split.file]
        size = file_size(file.path)
        if size < split.end:
            raise InputError(f"{file.path} has become shorter: it ends at byte {size}, before byte {split.end}")
        form = form_of(file.path)
        if form.kind != "lines":
            yield from self._value_blocks(file.path, is_array=form.kind == "array")
        elif not form.can_be_cut:
            yield from self._whole(file.path)
        elif file.compression is None:
            yield from _plain_blocks(file.path, split, self._block_bytes, self.longest_line)
        elif file.compression == ".zst":
            chunks = _chunks_of_frames(file.path, split, size, self._block_bytes)
            yield from _stream_blocks(file.path, chunks, self.longest_line)
        else:
            yield from self._whole(file.path)

    def _whole(self, path: str) -> Iterator[JsonBlock]:
        """Read the lines of a file from the first to the last."""
        with contextlib.closing(open_text(path)) as stream:
            yield from _stream_blocks(path, _chunks(stream, self._block_bytes), self.longest_line)

    def _value_blocks(self, path: str, *, is_array: bool) -> Iterator[JsonBlock]:
        """Read the rows of a file in which they are not one a line; they are numbered as they come."""
        from djfast.io.read.json_values import values_in

        first = size = 0
        held: list[bytes] = []

        def block() -> JsonBlock:
            data, count = b"".join(held), len(held)
            held.clear()
            return JsonBlock(data, len(data), path, array("Q", range(first, first + count)).tobytes())

        with contextlib.closing(open_text(path)) as stream:
            for value in values_in(stream, path, is_array=is_array, longest=self.longest_line):
                held.append(value + b"\n")
                size += len(value) + 1
                if size >= self.batch_bytes:
                    count = len(held)
                    yield block()
                    first += count
                    size = 0
        if held:
            yield block()

    @property
    def _block_bytes(self) -> int:
        """Bytes that are read at once: a line that lies in them as a whole is never too long."""
        return min(self.batch_bytes, self.longest_line + 1)

    def count(self, split: Split, *, most: int | None = None) -> tuple[int, int]:
        """Return the rows and the lines of a split; with `most`, it is not read on where there are so many rows."""
        rows = lines = 0
        for block in self._read(split):
            more_rows, more_lines = self.count_block(block)
            rows, lines = rows + more_rows, lines + more_lines
            if most is not None and rows >= most:
                break
        return rows, lines

    def count_block(self, block: JsonBlock) -> tuple[int, int]:
        """Return the rows and the lines of a block; lines of white space are no rows."""
        data = block.data[: block.end]
        lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
        return lines - len(re.findall(_BLANK_LINE, data)), lines

    def pick(self, block: JsonBlock, rows: Sequence[int], first: int) -> JsonBlock:
        """Take some rows of a block, of which `first` lines of its split are before it."""
        lines = block.data[: block.end].split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        places = [place for place, line in enumerate(lines) if not _is_blank(line)]
        taken = [places[row] for row in rows]
        own = array("Q", block.numbers or b"")
        numbers = array("Q", ((own[place] if block.numbers is not None else first + place) for place in taken))
        data = b"".join(lines[place] + b"\n" for place in taken)
        file = Origins(block.file).of(taken) or block.file
        unread = {position: block.unread[place] for position, place in enumerate(taken) if place in block.unread}
        return JsonBlock(data, len(data), file, numbers.tobytes(), len(lines), unread=unread)

    def layouts(self, plan: Plan) -> list[_native.RowLayout]:
        """How the lines of each stage are written."""
        last = len(plan.stages) - 1
        return [self._layout(stage, is_last=number == last, has_side=plan.has_side) for number, stage in enumerate(plan.stages)]

    def _layout(self, stage: Stage, *, is_last: bool, has_side: bool) -> _native.RowLayout:
        assigned = {path for path, _ in stage.values}
        drops_hashes = is_last and not self.keeps_hashes
        return _native.RowLayout(
            {
                "values": [(stage.field_index(path), path, slot, stage.types[slot] == "json") for path, slot in stage.values],
                "stats": [(name, slot, kind == "json") for name, slot, kind in stage.stats],
                "tags": [(name, slot, kind == "json") for name, slot, kind in stage.tags],
                "stats_field": stage.field_index(STATS),
                "meta_field": stage.field_index(META),
                "dropped": [stage.field_index(name) for name in HASHES if drops_hashes and name not in assigned],
                "embeds_stats": self.keeps_stats or not is_last or not has_side,
                "has_side_lines": is_last and has_side,
            }
        )

    def open(self, block: JsonBlock, stage: Stage) -> _native.Batch:
        """Read the touched fields of a block."""
        paths = list(stage.texts + stage.reserved)
        unread = list(block.unread.items())
        return _native.read_json_batch(block.data, block.end, paths, len(stage.texts), stage.slot_count, unread)

    def close(self, block: JsonBlock, batch: _native.Batch, layout: _native.RowLayout) -> JsonPiece:
        """Write the alive rows back as lines."""
        numbers = array("I", batch.line_numbers)
        file = block.file
        if block.numbers is not None:
            file = Origins(file).of(numbers) or ""
            in_file = array("Q", block.numbers)
            numbers = array("Q", (in_file[n] for n in numbers))
        lines, ends, side, side_ends = batch.write_json(layout)
        return JsonPiece(lines, ends, side, side_ends, array("Q", numbers).tobytes(), file.encode())

    def reopen(self, piece: JsonPiece, mask: bytes, first: int) -> JsonBlock:
        """Make the kept rows of a piece the input of the next stage."""
        lines = _native.select_lines(piece.lines, piece.ends, mask, first)
        numbers = array("Q", piece.numbers)
        kept = [row for row in range(piece.row_count) if mask[first + row]]
        file = Origins(piece.file.decode()).of(kept) or ""
        return JsonBlock(lines, len(lines), file, array("Q", (numbers[row] for row in kept)).tobytes())


def _held_lines() -> Iterator[JsonBlock]:
    """Yield the first lines of standard input, which has been read."""
    from djfast.io.standard_input import first_bytes

    data = first_bytes()
    yield JsonBlock(data, data.rfind(b"\n") + 1, STDIN)


def _is_blank(line: bytes) -> bool:
    return not line.strip(b" \t\r")


def _plain_blocks(path: str, split: Split, size: int, longest: int) -> Iterator[JsonBlock]:
    """Read blocks at their place in the file: the cut-off line at a block's end is simply read again."""
    file = open_ranges(path)
    try:
        position = _next_line(file, split.start, split.end, path) if split.start else 0
        if position > split.end:
            return  # one line from before the start to past the end
        last = _next_line(file, split.end, None, path)
        while position < last:
            data = _read_at(file, min(size, last - position), position, path)
            end = len(data) if position + len(data) == last else _native.complete_lines(data)
            if b"\n" not in data and (end == 0 or end > longest):  # the beginning of a long line
                end = _next_line(file, position + len(data), last, path) - position
                if end - file.read_at(1, position + end - 1).count(b"\n") > longest:
                    took(end)
                    yield _too_long(path, data, end, longest)
                    position += end
                    continue
                data = b""
                data = _read_at(file, end, position, path)
            took(end)
            yield JsonBlock(data, end, path)
            position += end
            data = b""  # what was read goes before the next bytes come
    finally:
        file.close()


def _next_line(file: RemoteFile | LocalFile, position: int, limit: int | None, path: str) -> int:
    """Return the place after the first line feed from `position` on, or the file's end; some place past `limit` will do."""
    size = PROBE_BYTES
    while (limit is None or position <= limit) and (data := file.read_at(size, position)):
        feed = data.find(b"\n")
        if feed >= 0:
            return position + feed + 1
        position += len(data)
        size = min(2 * size, _MOST_PROBE_BYTES)
    return position


def _read_at(file: RemoteFile | LocalFile, size: int, position: int, path: str) -> bytes:
    data = file.read_at(size, position)
    while len(data) < size:
        more = file.read_at(size - len(data), position + len(data))
        if not more:
            raise InputError(f"{path} was cut off at byte {position + len(data)} while it was read")
        data += more
    return data


def _too_long(path: str, begin: bytes, size: int, longest: int) -> JsonBlock:
    """Return what stands for a line that is not read as a whole."""
    shown = json.dumps(begin[:_SHOWN_BYTES].decode("utf-8", "replace"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    allowed = "" if longest == MAX_LINE_BYTES else " with this `memory`; raise it"
    reason = f"a line may have at most {longest} bytes{allowed}, got {size}; is this JSON Lines?"
    return JsonBlock(shown, len(shown), path, source_bytes=size, unread={0: reason})


def _stream_blocks(path: str, chunks: Iterable[bytes], longest: int) -> Iterator[JsonBlock]:
    """Cut chunks into blocks; the cut-off line at a chunk's end goes in front of the next chunk."""
    held: list[bytes] = []
    held_bytes = 0
    begin, skipped = b"", 0  # of a line that is too long
    for chunk in chunks:
        feed = chunk.find(b"\n") + 1
        if skipped or held_bytes + (feed - 1 if feed else len(chunk)) > longest:
            if not skipped:
                begin, skipped = b"".join(part[:_SHOWN_BYTES] for part in (*held, chunk)), held_bytes
                held, held_bytes = [], 0
            skipped += feed or len(chunk)
            if not feed:
                continue
            yield _too_long(path, begin, skipped, longest)
            skipped = 0
            chunk = chunk[feed:]
        end = _native.complete_lines(chunk)
        if end:
            block = JsonBlock(b"".join([*held, chunk]), held_bytes + end, path)
            held, held_bytes = [chunk[end:]], len(chunk) - end
            del chunk  # nothing of a block is here twice while it is worked on
            yield block
            del block
        else:
            held.append(chunk)
            held_bytes += len(chunk)
    if skipped:
        yield _too_long(path, begin, skipped, longest)
    elif held_bytes:
        yield JsonBlock(b"".join(held), held_bytes, path)


def _chunks(stream: Stream, size: int) -> Iterator[bytes]:
    while chunk := stream.read(size):
        yield chunk


def _chunks_of_frames(path: str, split: Split, file_end: int, size: int) -> Iterator[bytes]:
    """Decompress the lines of a split of frames: its own bytes after the first line feed, and the rest of the last line."""
    with open_bytes(path, split.start, split.end) as stream:
        chunks = _chunks(stream, size)
        if split.start:
            for chunk in chunks:
                if feed := chunk.find(b"\n") + 1:
                    yield chunk[feed:]
                    break
            else:
                return  # one line from before the start to past the end
        yield from chunks
    with open_bytes(path, split.end, file_end) as stream:
        for chunk in _chunks(stream, PROBE_BYTES):
            feed = chunk.find(b"\n") + 1
            yield chunk[:feed] if feed else chunk
            if feed:
                return


_ROW_END = rb"\}([ \t\r]*)(?=\n|\Z)"
_EMPTY_ROW = rb"(?m)^([ \t\r\xef\xbb\xbf]*\{[ \t\r]*), "


def _with_suffix(block: JsonBlock, suffix: str) -> JsonBlock:
    """Add a member to the objects of all lines; a line that is not an object stays none."""
    lines = block.data[: block.end]
    name = json.dumps(SUFFIX).encode()
    if name in lines:  # nearly never: rows that were read with their suffix before
        lines = b"\n".join(_without_member(line, name, SUFFIX) for line in lines.split(b"\n"))
    member = b", " + name + b": " + json.dumps(suffix).encode() + b"}"
    lines = re.sub(_ROW_END, lambda end: member + end[1], lines)
    if b"{, " in lines:
        lines = re.sub(_EMPTY_ROW, rb"\1", lines)
    return block._replace(data=lines, end=len(lines))


def _without_member(line: bytes, name: bytes, key: str) -> bytes:
    try:
        row = json.loads(line) if name in line else None
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict) or key not in row:
        return line
    del row[key]
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace")
