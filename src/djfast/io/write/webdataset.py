"""Results as tar files in the form of WebDataset: the files of a row have the row's number as their name.

An extension says how a field is written:

- ``json``, ``jsn``: JSON;
- ``npy``, ``jpg``, ``png``, ``mp3``, ``mp4`` and other media: bytes as they are, or the file that a path names; of a list, the
  files get numbers, ``.0.jpg``, ``.1.jpg``;
- anything else, such as ``txt`` and ``cls``: text.
"""

from __future__ import annotations

import json
import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, Any

from djfast.access import Access, current
from djfast.errors import OutputError
from djfast.io.write.collected import Collected, json_value
from djfast.type_names import spoken_type

_JSON = frozenset({"json", "jsn"})
_IMAGES = frozenset({"jpg", "jpeg", "png", "gif", "bmp", "webp", "tif", "tiff", "ppm", "pgm"})
_SOUNDS = frozenset({"wav", "mp3", "flac", "m4a", "ogg", "opus", "aac"})
_VIDEOS = frozenset({"mp4", "avi", "mov", "mkv", "webm", "m4v"})
_MEDIA = _IMAGES | _SOUNDS | _VIDEOS | {"npy", "npz", "bin"}
_COPY_BYTES = 1 << 20
_EMPTY_HEAD = tarfile.TarInfo("").tobuf(tarfile.GNU_FORMAT)


def tar(rows: Collected, arguments: Mapping[str, Any]) -> Callable[[str, int], None]:
    """Write the files of each row."""
    mapping = arguments["field_mapping"]
    samples = _whole_rows(rows) if mapping is None else _mapped_rows(rows, mapping)
    access = current()

    def write(path: str, count: int) -> None:
        with open(path, "wb") as file:
            for number, members in islice(samples, count):
                for extension, content in members:
                    _write_member(file, f"{number:09d}.{extension}", content, access)
            file.write(bytes(2 * tarfile.BLOCKSIZE))

    return write


Members = Iterable[tuple[str, "bytes | str"]]  # extensions and contents: bytes, or the path of a file


def _whole_rows(rows: Collected) -> Iterator[tuple[int, Members]]:
    for number, line in enumerate(rows.lines()):
        yield number, [("json", line.rstrip(b"\n"))]


def _mapped_rows(rows: Collected, mapping: Mapping[str, str]) -> Iterator[tuple[int, Members]]:
    for number, row in enumerate(rows.rows()):
        yield number, _members(number, row, mapping)


def _members(number: int, row: dict[str, Any], mapping: Mapping[str, str]) -> Members:
    for extension, field in mapping.items():
        value = row.get(field)
        kind = extension.rpartition(".")[2].lower()
        if value is None:
            continue
        if kind in _MEDIA:
            listed = isinstance(value, list)
            for index, each in enumerate(value if listed else [value]):
                if not isinstance(each, str | bytes):
                    raise OutputError(
                        f"row {number + 1} of the result has no path and no bytes in {field} for .{extension}, got "
                        f"{spoken_type(each)}"
                    )
                yield f"{index}.{extension}" if listed else extension, each
        elif kind in _JSON:
            yield extension, _json(value)
        elif isinstance(value, bytes):
            yield extension, value
        else:
            yield extension, value.encode("utf-8", "backslashreplace") if isinstance(value, str) else _json(value)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=json_value).encode("utf-8", "backslashreplace")


def _write_member(file: IO[bytes], name: str, content: bytes | str, access: Access) -> None:
    """Write one file of a sample. Nothing but its name and size is in the head, so that equal rows give equal bytes."""
    if isinstance(content, bytes):
        size = len(content)
        file.write(_head(name, size) + content)
    else:
        with _opened(content, name, access) as source:
            size = left = os.fstat(source.fileno()).st_size
            file.write(_head(name, size))
            while left:
                chunk = source.read(min(left, _COPY_BYTES))
                if not chunk:
                    raise OutputError(f"the file of {name} became shorter while it was read, got {content[:200]!r}")
                file.write(chunk)
                left -= len(chunk)
    file.write(bytes(-size % tarfile.BLOCKSIZE))


def _head(name: str, size: int) -> bytes:
    """Return the head of a file. The library's own way takes longer than all else for a small one."""
    encoded = name.encode()
    if len(encoded) > tarfile.LENGTH_NAME or size >= 8**11:
        member = tarfile.TarInfo(name)
        member.size = size
        return member.tobuf(tarfile.GNU_FORMAT)
    head = bytearray(_EMPTY_HEAD)
    head[: len(encoded)] = encoded
    head[124:136] = b"%011o\0" % size
    head[148:156] = b" " * 8  # which the checksum takes for itself
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def _opened(path: str, name: str, access: Access) -> IO[bytes]:
    try:
        source = access.opened(path)
        if stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            return source
        source.close()
        reason = "it is no regular file"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise OutputError(f"the file of {name} cannot be read: {reason}, got {path[:200]!r}")
