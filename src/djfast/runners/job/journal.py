"""What a job has finished: lines of JSON in plain files, one file for each process, none ever changed or locked.

A line counts when it is whole: its checksum fits. So the journal can be read at any time, also after a crash in the middle
of a line, and the order in which files are read does not matter.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple


class PartEntry(NamedTuple):
    """A finished split of a stage.

    `path` is the part file, relative to the job's folder, and `size` its bytes. `rows` are in the
    part, `lines` came in; `tally` is the record of a `Tally`, and `rejected` holds ``[op, rows]``. The part's sections
    after the rows begin at `keys_at` and `rejected_at`.
    """

    stage: int
    split: int
    path: str
    size: int
    rows: int
    lines: int
    tally: dict[str, Any]
    rejected: list[list[int]]
    keys_at: int
    rejected_at: int


class AnswerEntry(NamedTuple):
    """A stage's global answer: which rows of each part stay.

    `masks` holds ``[split, path, offset, size, rows that stay]``, `ops` ``[op, rows in, rows out]`` of the deduplicators.
    """

    stage: int
    masks: list[list[Any]]
    ops: list[list[int]]


class DoneEntry(NamedTuple):
    """The result is complete. `files` holds ``[path, bytes]``."""

    files: list[list[Any]]


class SuspectEntry(NamedTuple):
    """Arguments with which an OP did not finish in time: the next attempt sets such rows aside."""

    op: int
    digest: str
    seconds: float


Entry = PartEntry | AnswerEntry | DoneEntry | SuspectEntry
_KINDS: dict[str, type[Any]] = {"part": PartEntry, "answer": AnswerEntry, "done": DoneEntry, "suspect": SuspectEntry}


class Journal:
    """All entries of a job, and this process's own file.

    Parameters
    ----------
    folder : Path
        Where the files are; made when the first line is written.
    writer : str
        Name of this process's file, which no other process of this or an earlier attempt has.
    """

    def __init__(self, folder: Path, writer: str) -> None:
        self.folder = folder
        self.parts: dict[tuple[int, int], PartEntry] = {}
        self.answers: dict[int, AnswerEntry] = {}
        self.suspects: list[SuspectEntry] = []
        self.done: DoneEntry | None = None
        self._path = folder / f"{writer}.jsonl"
        self._file: IO[bytes] | None = None
        self._fresh: list[bytes] = []

    def read(self) -> None:
        """Take in every whole line of every file."""
        if self.folder.is_dir():
            for path in sorted(self.folder.glob("*.jsonl")):
                self._take_lines(path.read_bytes().splitlines())

    def append(self, entry: Entry) -> None:
        """Write an entry, so that it survives a crash right after this call."""
        line = _line(entry)
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115 - closed in close
        rest = memoryview(line)
        while rest:  # a disk that fills up takes a part of it, and says so at the next attempt only
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())
        self._fresh.append(line)
        self._take(entry)

    def close(self) -> None:
        """Close this process's file; another entry would open it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def fresh_lines(self) -> bytes:
        """Return the lines that were written since the last call, for the other ranks.

        They are sent, too, because another machine may see a shared folder as it was a minute ago.
        """
        lines, self._fresh = b"".join(self._fresh), []
        return lines

    def all_lines(self) -> bytes:
        """Return everything that is known, as lines."""
        entries: list[Entry] = [*self.parts.values(), *self.answers.values(), *self.suspects]
        return b"".join(map(_line, [*entries, *([self.done] if self.done else [])]))

    def take_lines(self, bodies: Iterable[bytes]) -> None:
        """Take in what other ranks wrote."""
        for body in bodies:
            self._take_lines(body.splitlines())

    def _take_lines(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            entry = _entry(line)
            if entry is not None:
                self._take(entry)

    def _take(self, entry: Entry) -> None:
        if isinstance(entry, PartEntry):
            # Two ranks may both have finished a split: their rows are the same, and any choice that all ranks make is right.
            key = (entry.stage, entry.split)
            known = self.parts.get(key)
            self.parts[key] = entry if known is None else min(known, entry, key=lambda part: part.path)
        elif isinstance(entry, AnswerEntry):
            self.answers[entry.stage] = entry
        elif isinstance(entry, SuspectEntry):
            if entry not in self.suspects:
                self.suspects.append(entry)
        else:
            self.done = entry


def _line(entry: Entry) -> bytes:
    name = next(name for name, kind in _KINDS.items() if kind is type(entry))
    body = json.dumps({"entry": name, **entry._asdict()}, ensure_ascii=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _entry(line: bytes) -> Entry | None:
    checksum, _, body = line.partition(b" ")
    if not body or checksum != b"%08x" % zlib.crc32(body):
        return None  # cut off by a crash
    record = json.loads(body)
    kind = _KINDS[record.pop("entry")]
    entry: Entry = kind(**record)
    return entry
