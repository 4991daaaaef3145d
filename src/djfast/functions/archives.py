"""LaTeX sources in archives, read without unpacking anything to disk."""

from __future__ import annotations

import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any

from djfast.access import current

_MOST_BYTES = 1 << 30  # of all that is unpacked of one archive, sources or not
_MOST_MEMBERS = 100_000
_UNREADABLE = (
    OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError,
    NotImplementedError, RuntimeError,  # what zipfile raises for other compressions and for passwords
)  # fmt: skip


def bind_tex_sources(*, separator: str, max_file_size: int | None, max_total_size: int | None) -> Callable[[str], str]:
    """Return the function from the path of an archive to the sources in it, joined; the empty text if it cannot be read.

    It raises ValueError for an archive that unpacks to more than a paper can be.
    """
    access = current()

    def tex_sources(named: str) -> str:
        sources: list[str] = []
        total = 0
        try:
            for size, read in _sources(access.path(named)):
                if max_file_size is not None and size > max_file_size:
                    continue
                total += size
                if max_total_size is not None and total > max_total_size:
                    break
                if total > _MOST_BYTES:
                    raise ValueError(f"the sources have more than {_MOST_BYTES} bytes")
                sources.append(read().decode("utf-8", "replace"))
        except _UNREADABLE:
            return ""
        return separator.join(sources)

    return tex_sources


def _sources(path: str) -> Iterator[tuple[int, Callable[[], bytes]]]:
    """Yield size and reader of each member that is a source, in the order of the archive."""
    name = path.lower()
    if not os.path.isfile(path):  # reading a pipe or a device would wait for ever
        return
    if name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            yield from _zip_sources(archive)
    elif name.endswith((".tar", ".tar.gz", ".tgz")):
        with open(path, "rb") as file, _unpacked(file, name) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as members:
            yield from _tar_sources(members)


def _zip_sources(archive: zipfile.ZipFile) -> Iterator[tuple[int, Callable[[], bytes]]]:
    _check_members(len(archive.namelist()))
    for member in archive.infolist():
        if member.filename.endswith(".tex"):
            # However much is packed, zipfile unpacks no more than the size that the archive tells.
            yield member.file_size, partial(archive.read, member)


def _tar_sources(members: tarfile.TarFile) -> Iterator[tuple[int, Callable[[], bytes]]]:
    for number, member in enumerate(members):
        _check_members(number)
        content = members.extractfile(member) if member.isreg() and member.name.endswith(".tex") else None
        if content is not None:
            yield member.size, content.read


def _check_members(count: int) -> None:
    if count > _MOST_MEMBERS:
        raise ValueError(f"the archive has more than {_MOST_MEMBERS} members")


def _unpacked(file: IO[bytes], name: str) -> io.BufferedReader:
    import gzip

    stream: Any = file if name.endswith(".tar") else gzip.GzipFile(fileobj=file)
    return io.BufferedReader(_Limited(stream), buffer_size=1 << 18)


class _Limited(io.RawIOBase):
    """A stream that refuses to go on for ever, whatever is skipped in it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = _MOST_BYTES

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read up to the size of the buffer."""
        block = self._stream.read(len(buffer))
        self._left -= len(block)
        if self._left < 0:
            raise ValueError(f"the archive unpacks to more than {_MOST_BYTES} bytes")
        buffer[: len(block)] = block
        return len(block)
