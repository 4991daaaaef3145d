"""What a job has finished: lines of JSON in plain files, one file for each process, none ever changed or locked.

A line counts when it is whole, its checksum fits, and the files that it names are there in their full size. So the journal
can be read at any time, also after a crash in the middle of a line, and the order in which files are read does not matter.

Entries hold the checksums of the files that they name. Who goes on with a job reads these files once before any counts: what was
damaged since does not, and is made again. Everybody who uses a file checks it before the first use.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from djfast.errors import ResumeError
from djfast.io.durable import sync_folder, writing
from djfast.records import NamedTuple


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
    checksums: dict[str, int] = {}  # noqa: RUF012 - never changed


class AnswerEntry(NamedTuple):
    """A stage's global answer: which rows of each part stay, or in which order rows come out.

    `masks` holds ``[split, path, offset, size, rows that stay]``, `ops` ``[op, rows in, rows out]`` of the deduplicators or
    the selector. Where rows change places, `order` is the path of the chosen rows' numbers, `size` its bytes, and `cuts`
    are the first places of the buckets that become the splits of the next stage, with the end of the last one. Where more
    numbers belong to the answer, `numbers` is their path and `numbers_size` its bytes: the frequent ones of a survey, the sizes
    of groups of rows.
    """

    stage: int
    masks: list[list[Any]]
    ops: list[list[int]]
    order: str = ""
    size: int = 0
    cuts: list[int] = []  # noqa: RUF012 - never changed
    numbers: str = ""
    numbers_size: int = 0
    checksums: dict[str, int] = {}  # noqa: RUF012 - never changed


class MovedEntry(NamedTuple):
    """The rows of a split, written bucket by bucket for a new order. `buckets` holds ``[bucket, offset]``."""

    stage: int
    split: int
    path: str
    size: int
    buckets: list[list[int]]
    checksums: dict[str, int] = {}  # noqa: RUF012 - never changed


class DoneEntry(NamedTuple):
    """The result is complete.

    `files` holds ``[path, bytes]``, those of the result before its stats, and `export` the settings that it was written with.
    """

    files: list[list[Any]]
    export: list[Any]
    report: dict[str, Any]
    checksums: dict[str, int] = {}  # noqa: RUF012 - never changed; of the files that are on this file system


class SuspectEntry(NamedTuple):
    """Arguments with which an OP did not finish in time: the next attempt rejects such rows."""

    op: int
    digest: str
    seconds: float


Entry = PartEntry | AnswerEntry | MovedEntry | DoneEntry | SuspectEntry
_KINDS: dict[str, type[Any]] = {
    "part": PartEntry,
    "answer": AnswerEntry,
    "moved": MovedEntry,
    "done": DoneEntry,
    "suspect": SuspectEntry,
}


class Journal:
    """All entries of a job, and this process's own file.

    Parameters
    ----------
    folder : Path
        The job's folder; the journal is a folder in it.
    job : str
        The files' names begin with it: lines of a job that was started over do not count any more.
    writer : str
        Name of this process's file, which no other process of this or an earlier attempt has.
    """

    def __init__(self, folder: Path, job: str, writer: str) -> None:
        self.parts: dict[tuple[int, int], PartEntry] = {}
        self.answers: dict[int, AnswerEntry] = {}
        self.moved: dict[tuple[int, int], MovedEntry] = {}
        self.suspects: list[SuspectEntry] = []
        self.done: DoneEntry | None = None
        self.damaged: list[str] = []  # files and lines that do not count, as they are not what was written
        self._folder = folder
        self._job = job
        self._path = folder / "journal" / f"{job}-{writer}.jsonl"
        self._file: IO[bytes] | None = None
        self._fresh: list[bytes] = []
        self._checked: set[tuple[str, int]] = set()

    def read(self, *, joins: bool = True) -> None:
        """Take in every line that counts.

        A process that joins the job makes its own file first: a network file system may list a folder as it was a minute
        ago, but not after a change that was made from here.
        """
        if joins:
            self._open()
            self.close()
        for path in sorted(self._path.parent.glob(f"{self._job}-*.jsonl")):
            lines = path.read_bytes().splitlines()
            for number, line in enumerate(lines, 1):
                entry = entry_of(line)
                if entry is None and number < len(lines):  # a crash cuts off the last line only
                    self.damaged.append(f"{path}:{number}")
                if entry is not None and self._is_backed(entry) and not (joins and self._is_damaged(entry)):
                    self._take(entry)

    def append(self, entry: Entry) -> None:
        """Write an entry, so that it survives a crash right after this call."""
        if isinstance(entry, PartEntry | AnswerEntry | MovedEntry):
            known = {path: checksum_of(self._folder / path) for path in sorted(files_of(entry))}
            entry = entry._replace(checksums={path: checksum for path, checksum in known.items() if checksum >= 0})
        line = _line(entry)
        file = self._open()
        with writing(self._path, setting="work_dir"):
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._fresh.append(line)
        self._take(entry)

    def close(self) -> None:
        """Close this process's file; another entry would open it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> IO[bytes]:
        if self._file is None:
            with writing(self._path, setting="work_dir"):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = open(self._path, "ab")  # noqa: SIM115 - open as long as the process
                sync_folder(self._path.parent)
        return self._file

    def _is_backed(self, entry: Entry) -> bool:
        """Tell whether what an entry names is there: a part or mask may have been lost, or cut off by a crash."""
        if isinstance(entry, PartEntry | MovedEntry):
            return file_bytes(self._folder / entry.path) == entry.size
        return all(file_bytes(self._folder / path) >= size for path, size in files_of(entry).items())

    def _is_damaged(self, entry: Entry) -> bool:
        """Tell whether a file that an entry names is not what was written; such files are noted."""
        damaged = [path for path, checksum in _checksums_of(entry).items() if checksum_of(self._folder / path) != checksum]
        self.damaged += [str(self._folder / path) for path in damaged]
        return bool(damaged)

    def check(self, entry: Entry) -> None:
        """Check the files of an entry before they are used, once in this process.

        Raises
        ------
        ResumeError
        """
        for path, checksum in _checksums_of(entry).items():
            if (path, checksum) in self._checked:
                continue
            if checksum_of(self._folder / path) != checksum:
                raise ResumeError(
                    f"{self._folder / path} is damaged: it is not what this job wrote. Run the same command again: the file does "
                    "not count then, and what it holds is made again"
                )
            self._checked.add((path, checksum))

    def fresh_lines(self) -> bytes:
        """Return the lines that were written since the last call, for the other ranks.

        They are sent, too, because another machine may see a shared folder as it was a minute ago.
        """
        lines, self._fresh = b"".join(self._fresh), []
        return lines

    def all_lines(self) -> bytes:
        """Return everything that is known, as lines."""
        entries: list[Entry] = [*self.parts.values(), *self.answers.values(), *self.moved.values(), *self.suspects]
        return b"".join(map(_line, [*entries, *([self.done] if self.done else [])]))

    def take_lines(self, bodies: Iterable[bytes]) -> None:
        """Take in what other ranks wrote."""
        for body in bodies:
            self._take_lines(body.splitlines())

    def _take_lines(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            entry = entry_of(line)
            if entry is not None:
                self._take(entry)

    def _take(self, entry: Entry) -> None:
        if isinstance(entry, PartEntry):
            # Two ranks may both have finished a split: their rows are the same, and any choice that all ranks make is right.
            key = (entry.stage, entry.split)
            known = self.parts.get(key)
            self.parts[key] = entry if known is None else min(known, entry, key=lambda part: part.path)
        elif isinstance(entry, MovedEntry):
            self.moved[entry.stage, entry.split] = entry
        elif isinstance(entry, AnswerEntry):
            self.answers[entry.stage] = entry
        elif isinstance(entry, SuspectEntry):
            if entry not in self.suspects:
                self.suspects.append(entry)
        else:
            self.done = entry


def files_of(entry: Entry) -> dict[str, int]:
    """Return the files that an entry names, and how many bytes they have at least."""
    if isinstance(entry, PartEntry | MovedEntry):
        return {entry.path: entry.size}
    needed: dict[str, int] = {}
    if isinstance(entry, AnswerEntry):
        for _, path, offset, size, _ in entry.masks:
            needed[path] = max(needed.get(path, 0), offset + size)
        if entry.order:
            needed[entry.order] = entry.size
        if entry.numbers:
            needed[entry.numbers] = entry.numbers_size
    return needed


def _checksums_of(entry: Entry) -> dict[str, int]:
    return entry.checksums if isinstance(entry, PartEntry | AnswerEntry | MovedEntry) else {}


def checksum_of(path: str | Path) -> int:
    """Return the CRC-32 of a file, -1 if it cannot be read."""
    checksum = 0
    try:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                checksum = zlib.crc32(chunk, checksum)
    except OSError:
        return -1
    return checksum


def file_bytes(path: str | Path) -> int:
    """Return the size of a file, -1 if there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _line(entry: Entry) -> bytes:
    name = next(name for name, kind in _KINDS.items() if kind is type(entry))
    body = json.dumps({"entry": name, **entry._asdict()}, ensure_ascii=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def entry_of(line: bytes) -> Entry | None:
    """Return the entry in a line; None if a crash has cut the line off."""
    checksum, _, body = line.partition(b" ")
    if not body or checksum != b"%08x" % zlib.crc32(body):
        return None  # cut off by a crash
    record = json.loads(body)
    kind = _KINDS[record.pop("entry")]
    entry: Entry = kind(**record)
    return entry
