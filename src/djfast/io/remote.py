"""Bytes of files wherever they are: local ones through the system, others through fsspec, read in blocks ahead of the reader.

What a file system needs to let us in comes from the environment, or from `sign_in`; it is kept in this process and never shown.
"""

from __future__ import annotations

import importlib.util
import io
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

from djfast.errors import InputError, MissingExtraError
from djfast.records import NamedTuple
from djfast.reserved import STDIN

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

BLOCK_BYTES = 4 << 20
AHEAD = 4  # blocks that are fetched before they are asked for
_HELD = AHEAD + 4  # blocks in memory of one file
_PAUSES = (0.1, 0.4)  # seconds before what failed is asked once more
_LARGEST_WITHOUT_RANGES = 64 << 20
_SCHEME = r"(?ai)([a-z][a-z0-9+.-]+)://"
# Packages that fsspec needs for a scheme, besides itself.
_PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "hf": "huggingface_hub", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp",
    "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs", "sftp": "paramiko", "ssh": "paramiko", "webhdfs": "requests",
    "oss": "ossfs",
}  # fmt: skip
# File systems that read other file systems, or run what a file says: an address must not choose them.
_REFUSED = frozenset({"simplecache", "filecache", "blockcache", "cached", "reference", "dir", "zip", "tar", "libarchive", "dask"})

# Statuses of HTTP that asking again does not change.
_FINAL = frozenset({400, 401, 402, 403, 404, 405, 407, 410, 416, 451})

# Errors of the libraries whose names say little to people.
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError")
_UNREACHABLE = (
    "ClientConnectorError", "ClientConnectorDNSError", "EndpointConnectionError", "ConnectError", "ConnectTimeout",
    "ConnectTimeoutError",
)  # fmt: skip

# What file systems call what changes with a file's content, the surest first.
_VERSIONS = (
    "ETag", "etag", "oid", "blob_id", "sha256", "LastModified", "Last-Modified", "last_modified", "updated", "mtime", "created"
)  # fmt: skip

_signed_in: dict[str, Mapping[str, Any]] = {}
_stats: dict[str, FileStat] = {}
_fetchers: list[ThreadPoolExecutor] = []
_lock = threading.Lock()


_Answer = TypeVar("_Answer")


class _PassingError(InputError):
    """What a file system met may be over when it is asked again."""


class FileStat(NamedTuple):
    """Size of a file, and what changes with its content: a time or a tag."""

    size: int
    version: int | str


def is_remote(path: str) -> bool:
    """Tell whether a path is an address such as ``s3://bucket/file``."""
    return "://" in path and re.match(_SCHEME, path) is not None


def sign_in(address: str, options: Mapping[str, Any]) -> None:
    """Use some options, credentials among them, for all addresses that begin like this one up to a pattern."""
    if options:
        _signed_in[re.split(r"[*?\[]", address)[0]] = dict(options)


def stat(path: str) -> FileStat:
    """Return size and version of a file, or of all files of a folder that is read like one.

    Raises
    ------
    InputError
        If there is no such file. What a listing said about an address is not asked again.
    """
    if not is_remote(path):
        try:
            return _folder_stat(path) if os.path.isdir(path) else _local_stat(os.stat(path))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
    if path not in _stats:
        system, place = _system(path)
        _stats[path] = _asked(path, lambda: _stat_of(path, system, system.info(place)))
    return _stats[path]


def _local_stat(status: os.stat_result) -> FileStat:
    return FileStat(status.st_size, status.st_mtime_ns)


def _folder_stat(path: str) -> FileStat:
    stats = [_local_stat(os.stat(os.path.join(place, name))) for place, _, names in os.walk(path) for name in names]
    return FileStat(sum(each.size for each in stats), max((int(each.version) for each in stats), default=0))


def open_binary(path: str) -> IO[bytes]:
    """Open a file for reading.

    Raises
    ------
    InputError
        If it cannot be opened; reading an address may raise it later.
    """
    if is_remote(path):
        return io.BufferedReader(RemoteFile(path), buffer_size=1 << 16)
    if path == STDIN:
        from djfast.io.standard_input import StandardInput

        return cast("IO[bytes]", StandardInput())
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def open_ranges(path: str) -> RemoteFile | LocalFile:
    """Open a file for reading at places.

    Raises
    ------
    InputError
        If it cannot be opened.
    """
    return RemoteFile(path) if is_remote(path) else LocalFile(path)


def arrow_source(path: str) -> Any:
    """Return what Arrow reads a file through: the path itself, or an open address."""
    if not is_remote(path):
        return path
    import pyarrow as pa

    return pa.PythonFile(RemoteFile(path), "r")


def is_file(address: str) -> bool:
    """Tell whether an address is that of a file."""
    system, place = _system(address)
    system.invalidate_cache()

    def look() -> bool:
        try:
            info = system.info(place)
        except (FileNotFoundError, NotADirectoryError) as error:
            if _is_missing(error):
                return False
            raise
        if info.get("type") == "directory":
            return False
        _stats[address] = _stat_of(address, system, info)
        return True

    return _asked(address, look)


def files_below(address: str) -> list[str]:
    """Return the files of a folder and all below it, hidden ones left out; empty if there is no such folder."""
    system, place = _system(address)

    def look() -> list[str]:
        try:
            found = system.find(place, detail=True)
        except (FileNotFoundError, NotADirectoryError) as error:
            if _is_missing(error):
                return []
            raise
        root = system._strip_protocol(place).rstrip("/")
        return [path for path in _listed(address, system, found) if not _is_hidden(system._strip_protocol(path)[len(root) :])]

    return _asked(address, look)


def files_like(pattern: str) -> list[str]:
    """Return the files that a pattern with ``*``, ``?``, ``[...]`` or ``**`` names."""
    system, place = _system(pattern)
    system.invalidate_cache()
    return _asked(pattern, lambda: _listed(pattern, system, system.glob(place, detail=True)))


class LocalFile:
    """A local file that is read at places."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error

    def read_at(self, size: int, position: int) -> bytes:
        """Read up to `size` bytes from a place; fewer at the end, and where the system gives fewer."""
        try:
            return os.pread(self._descriptor, size, position)
        except OSError as error:
            raise InputError(f"cannot read {self.path} at byte {position}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class RemoteFile(io.RawIOBase):
    """A remote file in blocks: those that were read last are kept, and when they are read in order, the next are fetched ahead.

    `read_at` may be called by several threads.

    Raises
    ------
    InputError
        If the file cannot be found; reading raises it when the file changed or the connection is lost again and again.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = stat(path).size
        self._system, self._place = _system(path)
        self._position = 0
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._last = -2
        self._guard = threading.Lock()

    def read_at(self, size: int, position: int) -> bytes:
        """Read up to `size` bytes from a place; fewer only at the end of the file."""
        end = min(position + size, self.size)
        parts = []
        while position < end:
            number, start = divmod(position, BLOCK_BYTES)
            part = self._block(number)[start : start + end - position]
            parts.append(part)
            position += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _block(self, number: int) -> bytes:
        with self._guard:
            count = -(-self.size // BLOCK_BYTES)
            follows = number in (self._last, self._last + 1)
            self._last = number
            for wanted in range(number, min(count, number + AHEAD + 1) if follows else number + 1):
                if wanted not in self._blocks:
                    self._blocks[wanted] = _fetcher().submit(self._fetch, wanted)
            self._blocks.move_to_end(number)
            while len(self._blocks) > _HELD:
                oldest = next(iter(self._blocks))
                self._blocks.pop(oldest).cancel()
            future = self._blocks[number]
        try:
            return future.result()
        except InputError:
            with self._guard:
                self._blocks.pop(number, None)
            raise

    def _fetch(self, number: int) -> bytes:
        start = number * BLOCK_BYTES
        end = min(start + BLOCK_BYTES, self.size)
        data: bytes = _asked(self.path, lambda: self._system.cat_file(self._place, start=start, end=end))
        if len(data) == end - start:
            return data
        if len(data) == self.size <= _LARGEST_WITHOUT_RANGES:  # the server knows no ranges
            return data[start:end]
        raise InputError(
            f"{self.path} gave {len(data)} bytes from byte {start} on, where {end - start} should be; either it has changed, "
            "or the server does not know ranges"
        )

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; 0 at the end."""
        data = self.read_at(len(buffer), self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        """Read up to `size` bytes, all when negative or None."""
        data = self.read_at(self.size if size is None or size < 0 else size, self._position)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the place."""
        return self._position

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Forget the blocks."""
        if not self.closed:
            with self._guard:
                for future in self._blocks.values():
                    future.cancel()
                self._blocks.clear()
        super().close()


def _fetcher() -> ThreadPoolExecutor:
    """Return the threads that fetch blocks; they are shared by all files."""
    from concurrent.futures import ThreadPoolExecutor

    with _lock:
        if not _fetchers:
            _fetchers.append(ThreadPoolExecutor(2 * AHEAD, thread_name_prefix="djfast-fetch"))
        return _fetchers[0]


def _system(path: str) -> tuple[Any, str]:
    """Return the file system of an address, and what it calls the address."""
    match = re.match(_SCHEME, path)
    assert match is not None
    scheme = match[1].lower()
    path = scheme + path[len(scheme) :]
    if scheme in _REFUSED or "::" in path:
        raise InputError(f"a file system of this kind cannot be read from, got {match[0]!r}")
    package = _PACKAGES.get(scheme, "fsspec")
    if importlib.util.find_spec("fsspec") is None or importlib.util.find_spec(package) is None:
        absent = [name for name in dict.fromkeys(("fsspec", package)) if importlib.util.find_spec(name) is None]
        also = "" if package in ("fsspec", "aiohttp") else f" {package}"
        raise MissingExtraError(f"not installed: {', '.join(absent)}; pip install 'djfast[remote]'{also} to read from {match[0]}")
    import fsspec

    options = next((given for prefix, given in _signed_in.items() if path.startswith(prefix)), {})
    try:
        system = fsspec.filesystem(scheme, **options)
    except Exception as error:  # as when a kind of file system needs more than an address
        raise InputError(f"cannot read from addresses with {match[0]!r}: {type(error).__name__}") from error
    return system, path if scheme in ("http", "https") else str(system._strip_protocol(path))


def _listed(address: str, system: Any, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    match = re.match(_SCHEME, address)
    assert match is not None
    files = []
    for name, info in found.items():
        if info.get("type") != "directory":
            path = name if is_remote(name) else match[0] + name.lstrip("/")
            _stats[path] = _stat_of(path, system, info)
            files.append(path)
    return sorted(files)


def _stat_of(path: str, system: Any, info: Mapping[str, Any]) -> FileStat:
    size = info.get("size")
    if not isinstance(size, int):
        return _stat_by_reading(path, system)
    for name in _VERSIONS:
        if info.get(name) is not None:
            return FileStat(size, str(info[name]))
    return FileStat(size, 0)


def _stat_by_reading(path: str, system: Any) -> FileStat:
    """Read a file of a server that does not say how long it is, as those that compress or send in chunks."""
    import hashlib

    size, content = 0, hashlib.blake2b(digest_size=16)
    with system.open(path, "rb") as file:
        while data := file.read(1 << 20):
            size += len(data)
            content.update(data)
            if size > _LARGEST_WITHOUT_RANGES:
                raise InputError(
                    f"cannot read {path}: the server does not say how long it is, and such a file may have at most "
                    f"{_LARGEST_WITHOUT_RANGES >> 20} MiB; download it first"
                )
    return FileStat(size, content.hexdigest())


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _asked(path: str, ask: Callable[[], _Answer]) -> _Answer:
    """Ask a file system, and again after a pause if what it met may pass."""
    for pause in _PAUSES:
        try:
            with _errors_of(path):
                return ask()
        except _PassingError:
            time.sleep(pause)
    try:
        with _errors_of(path):
            return ask()
    except _PassingError as error:
        raise InputError(str(error)) from error.__cause__


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an error, or the one behind it, tells of."""
    for each in (error, error.__cause__):
        status = getattr(each, "status", None)
        if isinstance(status, int) and 400 <= status < 600:
            return status
    return None


def _is_missing(error: BaseException) -> bool:
    """Tell whether there is no file; fsspec says so of every failure of a web server, too."""
    return error.__cause__ is None or _status(error) in (404, 410) or not type(error.__cause__).__module__.startswith("aiohttp")


@contextmanager
def _errors_of(path: str) -> Iterator[None]:
    """Turn whatever a file system raises into one error without what it may tell of credentials."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # every library has its own errors, and none of them is ours
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            if _is_missing(error):
                raise InputError(f"there is no file of this name, got {path!r}") from error
            error = error.__cause__ or error  # type: ignore[assignment]
        status = _status(error)
        if status is None:
            name = type(error).__name__
            if name in _NO_CREDENTIALS:
                raise InputError(
                    f"cannot read {path}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; "
                    "public data is read by a source of type remote with anon: true"
                ) from error
            what = "the server cannot be reached; is the address right, and is there a network?"
            raise _PassingError(f"cannot read {path}: {what if name in _UNREACHABLE else name}") from error
        kind = InputError if status in _FINAL else _PassingError
        raise kind(f"cannot read {path}: the server answers {_named(status)}") from error


def _named(status: int) -> str:
    """Return a status of HTTP with its name, such as ``403 Forbidden``."""
    from http import HTTPStatus

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
