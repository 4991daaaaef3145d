"""Part files: the rows that a split left in a stage, the keys of its deduplicators, and its rejected rows."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from djfast.errors import ResumeError
from djfast.io.durable import writing
from djfast.records import NamedTuple
from djfast.runners.job.journal import PartEntry
from djfast.runners.rejected import Rejected, row_member
from djfast.runners.report import Tally
from djfast.runners.spool import read_packed, write_packed
from djfast.runners.stage_work import Compared, Done

if TYPE_CHECKING:
    from djfast.rows.carrier import Piece

_HELD_REJECTED_BYTES = 8 << 20


class PartWriter:
    """Writes one part under a temporary name; it gets its own name when it is complete.

    Parameters
    ----------
    folder : Path
        The job's folder.
    stage, split : int
    writer : str
        Name of this process, so that two processes never write the same file.
    tally : Tally
        Takes the counts of this split only.
    """

    def __init__(self, folder: Path, stage: int, split: int, writer: str, tally: Tally) -> None:
        self.stage = stage
        self.split = split
        self.lines = 0
        self.rows = 0
        self.rejected_ops: dict[int, int] = {}
        self.tally = tally
        self._folder = folder
        self._path = f"parts/stage-{stage}/{split // 1000:06d}/{split:09d}-{writer}.part"
        target = folder / self._path
        self._temporary = target.with_suffix(".tmp")
        with self._writing():
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file = _Counted(open(self._temporary, "wb", buffering=1 << 18))  # noqa: SIM115 - closed in finish
        self._rejected: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_HELD_REJECTED_BYTES)  # noqa: SIM115
        self._keys: list[tuple[int, list[tuple[bytes, bytes | None]]]] = []

    def add(self, done: Done, rejected: Iterator[Rejected], *, is_first_stage: bool) -> None:
        """Take the next batch."""
        for row in rejected:
            self.tally.rejected += 1
            self.rejected_ops[row.op_index] = self.rejected_ops.get(row.op_index, 0) + 1
            head = {"op": row.op, "op_index": row.op_index, "reason": row.reason, "file": row.file, "line": row.line}
            self._rejected.write(json.dumps(head, ensure_ascii=True).encode() + b"\n" + row_member(row.row) + b"\n")
        if is_first_stage:
            self.tally.rows_read += done.row_count
            self.tally.bytes_read += done.byte_count
        if done.piece_rows:
            with self._writing():
                write_packed(self._file, done.piece, done.first_line(self.lines))
            if done.keys:
                self._keys.append((done.piece_rows, done.keys))
        if done.compared is not None:
            seen = json.dumps([done.compared.rows_in, done.compared.has_field, list(done.compared.values)]).encode()
            self._keys.append((done.piece_rows, [(seen, array("Q", done.compared.row_bytes).tobytes())]))
        self.rows += done.piece_rows
        # Where a file has rows and no lines, it is rows that are counted.
        self.lines += done.line_count

    def finish(self) -> PartEntry:
        """Make the part visible and return its entry for the journal."""
        with self._writing():
            return self._finish()

    def _finish(self) -> PartEntry:
        keys_at = self._file.size
        for rows, keys in self._keys:
            for each, present in keys:
                self._file.write(struct.pack("<3Q", rows, len(each), 0 if present is None else len(present)))
                self._file.write(each)
                self._file.write(present or b"")
        rejected_at = self._file.size
        self._rejected.seek(0)
        while chunk := self._rejected.read(1 << 20):
            self._file.write(chunk)
        self._rejected.close()
        self._file.close()
        os.replace(self._temporary, self._folder / self._path)
        return PartEntry(
            stage=self.stage,
            split=self.split,
            path=self._path,
            size=self._file.size,
            rows=self.rows,
            lines=self.lines,
            tally=self.tally.to_record(),
            rejected=[list(item) for item in self.rejected_ops.items()],
            keys_at=keys_at,
            rejected_at=rejected_at,
        )

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._rejected.close()
        self._file.abandon()
        self._temporary.unlink(missing_ok=True)

    def _writing(self) -> AbstractContextManager[None]:
        return writing(self._temporary, setting="work_dir")


class _Counted:
    """A file that counts what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = 0

    def write(self, data: bytes, /) -> int:
        self.size += len(data)
        return self._file.write(data)

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        with contextlib.suppress(OSError):  # closing writes what is held, and the disk may be full
            self._file.close()


class BatchKeys(NamedTuple):
    """Keys of the rows of one batch for one deduplicator; `present` tells which rows have keys, None: all."""

    rows: int
    keys: bytes
    present: bytes | None


class PartFile:
    """A finished part, opened for reading."""

    def __init__(self, folder: Path, entry: PartEntry) -> None:
        self.entry = entry
        self.path = folder / entry.path

    def pieces(self, unpack: Callable[..., Piece]) -> Iterator[Piece]:
        """Yield the rows in pieces; their line numbers count in the split."""
        with open(self.path, "rb") as file:
            yield from read_packed(_Section(file, self.entry.keys_at), unpack)

    def keys(self, dedup: int, dedups: int) -> Iterator[BatchKeys]:
        """Yield the keys of one of the stage's `dedups` deduplicators, batch by batch."""
        with open(self.path, "rb") as file:
            file.seek(self.entry.keys_at)
            number = 0
            while file.tell() < self.entry.rejected_at:
                rows, key_bytes, present_bytes = struct.unpack("<3Q", _exactly(file, 24, self.path))
                if number % dedups == dedup:
                    keys = _exactly(file, key_bytes, self.path)
                    present = _exactly(file, present_bytes, self.path) if present_bytes else None
                    yield BatchKeys(rows, keys, present)
                else:
                    file.seek(key_bytes + present_bytes, os.SEEK_CUR)
                number += 1

    def compared(self) -> Iterator[Compared]:
        """Yield what the stage's selector saw, batch by batch."""
        for batch in self.keys(0, 1):
            rows_in, has_field, values = json.loads(batch.keys)
            yield Compared(rows_in, has_field, values, array("Q", batch.present or b""))

    def rejected(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield the heads of rejected rows, with line numbers that count from the split's first line, and their rows."""
        if not self.entry.rejected:
            return
        with open(self.path, "rb") as file:
            file.seek(self.entry.rejected_at)
            while head := file.readline():
                yield json.loads(head), file.readline()[:-1]


class _Section:
    """The first bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int, /) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def _exactly(file: IO[bytes], size: int, path: Path) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ResumeError(f"a part of the job is cut off; remove {path} and run again")
    return data
