"""Answers on disk, so that a rerun asks nothing twice.

Every process appends to one file of its own and reads the files of all. So a cluster's shared folder gets one file a
process, not one an answer (quotas count files, and a metadata server is slow), nothing is ever locked, and no two
writers share a file, which network file systems could not keep apart. A record is a checksum, the question's SHA-256
and the answer; the torn end of a killed process's file is skipped. The price: a process sees what others wrote before
it began, not what they write meanwhile.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
import uuid
import zlib
from pathlib import Path

from djfast.errors import OutputError
from djfast.llm.run_settings import current
from djfast.logs import logger
from djfast.records import NamedTuple

_LOG = logger("llm.cache")
_ENVIRONMENT = "DJFAST_LLM_CACHE"
_OFF = ("off", "0", "no", "false")
_SUFFIX = ".answers"
_HEADER = struct.Struct("<II32s")  # bytes of the answer, CRC-32 of question and answer, question
_LARGEST_ANSWER = 64 << 20
_OPEN_FILES = 64


class CacheSize(NamedTuple):
    """What lies in a cache folder."""

    entries: int
    bytes: int
    files: int


class _Place(NamedTuple):
    file: int  # index into the list of files
    offset: int  # of the header
    length: int  # of the answer


class AnswerCache:
    """The answers in one folder; for many threads, processes and hosts.

    Parameters
    ----------
    folder : path
        Made at the first answer. Only its owner may read what is written: prompts are made of data.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self._lock = threading.RLock()
        self._places: dict[bytes, _Place] | None = None
        self._files: list[Path] = []
        self._open: dict[int, int] = {}  # descriptors for reading, the least recently opened first
        self._own: tuple[int, int] | None = None  # index and descriptor of the file that this process writes
        self._own_bytes = 0
        self._process = os.getpid()
        self._cannot_write = False

    def get(self, question: bytes) -> bytes | None:
        """Return the answer to a question, given by its SHA-256; None if nobody had it."""
        with self._lock:
            place = self._index().get(question)
            if place is None:
                return None
            try:
                record = os.pread(self._descriptor(place.file), _HEADER.size + place.length, place.offset)
            except OSError:  # removed meanwhile
                return None
        if len(record) != _HEADER.size + place.length:
            return None
        _, checksum, found = _HEADER.unpack_from(record)
        answer = record[_HEADER.size :]
        return answer if found == question and checksum == zlib.crc32(answer, zlib.crc32(question)) else None

    def put(self, question: bytes, answer: bytes) -> None:
        """Keep an answer. A disk that is full costs the rerun, not the run: then nothing more is kept, with one warning."""
        if len(answer) > _LARGEST_ANSWER:
            return
        record = _HEADER.pack(len(answer), zlib.crc32(answer, zlib.crc32(question)), question) + answer
        with self._lock:
            places = self._index()
            if self._cannot_write or question in places:
                return
            try:
                number, descriptor = self._own_file()
                if os.write(descriptor, record) != len(record):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                self._cannot_write = True
                _LOG.warning("answers of language models are kept no longer: %s: %s", self.folder, error.strerror)
                return
            places[question] = _Place(number, self._own_bytes, len(answer))
            self._own_bytes += len(record)

    def size(self) -> CacheSize:
        """Return how much lies in the folder, as far as this process knows."""
        with self._lock:
            entries = len(self._index())
            sizes = [_bytes_of(path) for path in self._files]
            return CacheSize(entries, sum(sizes), len(self._files))

    def close(self) -> None:
        """Close the files; the cache can still be used and opens them again."""
        with self._lock:
            for descriptor in self._open.values():
                os.close(descriptor)
            self._open.clear()
            if self._own is not None:
                os.close(self._own[1])
            self._own = None
            self._places = None
            self._files = []

    def _index(self) -> dict[bytes, _Place]:
        if self._process != os.getpid():  # forked: the parent goes on writing its file, the child takes another
            self._process = os.getpid()
            self._own = None
        if self._places is None:
            self._places = {}
            for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
                self._files.append(path)
                self._scan(len(self._files) - 1)
        return self._places

    def _scan(self, number: int) -> None:
        """Note the records of one file. The answers themselves are not read."""
        assert self._places is not None
        try:
            descriptor = self._descriptor(number)
            size = os.fstat(descriptor).st_size
            offset = 0
            while offset + _HEADER.size <= size:
                length, _, question = _HEADER.unpack(os.pread(descriptor, _HEADER.size, offset))
                following = offset + _HEADER.size + length
                if not 0 < length <= _LARGEST_ANSWER or following > size:
                    return
                self._places.setdefault(question, _Place(number, offset, length))
                offset = following
        except (OSError, struct.error) as error:
            _LOG.warning("answers in %s cannot be read: %s", self._files[number], error)

    def _descriptor(self, number: int) -> int:
        if number not in self._open:
            if len(self._open) >= _OPEN_FILES:
                os.close(self._open.pop(next(iter(self._open))))
            self._open[number] = os.open(self._files[number], os.O_RDONLY | os.O_CLOEXEC)
        return self._open[number]

    def _own_file(self) -> tuple[int, int]:
        if self._own is None:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self.folder / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{_SUFFIX}"
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._files.append(path)
            self._own = (len(self._files) - 1, descriptor)
            self._own_bytes = 0
        return self._own


_shared: dict[Path, AnswerCache] = {}
_shared_lock = threading.Lock()


def default_cache() -> AnswerCache | None:
    """Return the cache that the run names or, where it names none, the environment.

    ``DJFAST_LLM_CACHE`` is a folder or ``off``; where it is not set, a folder below XDG_CACHE_HOME is taken.

    All OPs of a process share it.

    Raises
    ------
    OutputError
        If what is named is no folder.
    """
    said = current().cache
    given = (said or os.environ.get(_ENVIRONMENT, "")).strip()
    if given.lower() in _OFF:
        return None
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    folder = Path(given).expanduser() if given else home.expanduser() / "djfast" / "llm"
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{'llm_cache' if said else _ENVIRONMENT} must name a folder or be off, got {given!r}")
    with _shared_lock:
        return _shared.setdefault(folder, AnswerCache(folder))


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
