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
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import IO, Any

from djfast.errors import OutputError
from djfast.io.collected import Collected, json_value

_JSON = frozenset({"json", "jsn"})
_IMAGES = frozenset({"jpg", "jpeg", "png", "gif", "bmp", "webp", "tif", "tiff", "ppm", "pgm"})
_SOUNDS = frozenset({"wav", "mp3", "flac", "m4a", "ogg", "opus", "aac"})
_VIDEOS = frozenset({"mp4", "avi", "mov", "mkv", "webm", "m4v"})
_MEDIA = _IMAGES | _SOUNDS | _VIDEOS | {"npy", "npz", "bin"}
_COPY_BYTES = 1 << 20


def tar(rows: Collected, arguments: Mapping[str, Any]) -> Callable[[str, int], None]:
    """Write the files of each row."""
    mapping = arguments["field_mapping"]
    samples = enumerate(rows.rows())

    def write(path: str, count: int) -> None:
        with open(path, "wb") as file:
            for number, row in islice(samples, count):
                for name, content in _members(number, row, mapping):
                    _write_member(file, f"{number:09d}.{name}", content)
            file.write(bytes(2 * tarfile.BLOCKSIZE))

    return write


def _members(number: int, row: dict[str, Any], mapping: dict[str, str] | None) -> Iterator[tuple[str, bytes | str]]:
    """Yield extensions and contents: bytes, or the path of a file."""
    if mapping is None:
        yield "json", _json(row)
        return
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
                        f"{type(each).__name__}"
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


def _write_member(file: IO[bytes], name: str, content: bytes | str) -> None:
    """Write one file of a sample. Nothing but its name and size is in the head, so that equal rows give equal bytes."""
    head = tarfile.TarInfo(name)
    if isinstance(content, bytes):
        head.size = len(content)
        file.write(head.tobuf(tarfile.GNU_FORMAT) + content)
    else:
        with _opened(content, name) as source:
            head.size = left = os.fstat(source.fileno()).st_size
            file.write(head.tobuf(tarfile.GNU_FORMAT))
            while left:
                chunk = source.read(min(left, _COPY_BYTES))
                if not chunk:
                    raise OutputError(f"the file of {name} became shorter while it was read, got {content[:200]!r}")
                file.write(chunk)
                left -= len(chunk)
    file.write(bytes(-head.size % tarfile.BLOCKSIZE))


def _opened(path: str, name: str) -> IO[bytes]:
    try:
        # A pipe must not be waited for.
        source = open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK))  # noqa: SIM115
        if stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            return source
        source.close()
        reason = "it is no regular file"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise OutputError(f"the file of {name} cannot be read: {reason}, got {path[:200]!r}")
