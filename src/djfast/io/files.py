"""Which files an input names: one file, a folder, or a pattern."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from typing import NamedTuple

from djfast.errors import InputError
from djfast.io.compression import SUFFIXES, compression_of, open_bytes

# Suffix (without compression) -> format.
FORMATS = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


class InputFile(NamedTuple):
    """One file to read. `format` is json, jsonl or parquet; `compression` a suffix such as ``.zst``, or None."""

    path: str
    format: str
    compression: str | None


def discover(where: str, suffixes: Sequence[str]) -> list[InputFile]:
    """Find the files of an input, in the order of their paths.

    Parameters
    ----------
    where : str
        A file, a folder (searched to the bottom, hidden files left out) or a pattern with ``*``, ``?`` or ``**``.
    suffixes : sequence of str
        Only these suffixes count; empty is all that can be read.

    A folder or pattern with several formats gives the files of the most frequent one.

    Raises
    ------
    InputError
        If nothing is found, or a named file has a suffix that cannot be read.
    """
    if os.path.isfile(where):
        return [_named_file(where)]
    if os.path.isdir(where):
        candidates = _below(where)
    elif glob.has_magic(where):
        candidates = sorted(path for path in glob.glob(where, recursive=True) if os.path.isfile(path))
    else:
        raise InputError(f"there is no file or folder of this name{_nearest(where)}, got {where!r}")
    wanted = [suffix if suffix.startswith(".") else f".{suffix}" for suffix in suffixes]
    known = [file for path in candidates if (file := _input_file(path)) and _is_wanted(path, wanted)]
    if not known:
        looked_for = ", ".join(wanted or [*FORMATS])
        raise InputError(f"no input file found; looked for {looked_for} among {len(candidates)} files, got {where!r}")
    return _most_frequent(known)


def file_size(path: str) -> int:
    """Return the bytes of a file as it lies on disk.

    Raises
    ------
    InputError
        If there is no such file.
    """
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def holds_array(file: InputFile) -> bool:
    """Tell whether a .json file holds one array of rows instead of lines."""
    if file.format != "json":
        return False
    with open_bytes(file.path) as stream:
        return stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _input_file(path: str) -> InputFile | None:
    compression = compression_of(path)
    base = path[: -len(compression)] if compression else path
    kind = FORMATS.get(os.path.splitext(base)[1].lower())
    if kind is None or (kind == "parquet" and compression):
        return None
    return InputFile(path, kind, compression)


def _named_file(path: str) -> InputFile:
    file = _input_file(path)
    if file is None:
        allowed = ", ".join(FORMATS)
        raise InputError(f"the input must end in {allowed}, the JSON ones also in {', '.join(SUFFIXES)}, got {path!r}")
    return file


def _below(folder: str) -> list[str]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(place, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _is_wanted(path: str, suffixes: Sequence[str]) -> bool:
    return not suffixes or any(path.lower().endswith(suffix) for suffix in suffixes)


def _most_frequent(files: list[InputFile]) -> list[InputFile]:
    counts: dict[str, int] = {}
    for file in files:
        family = "parquet" if file.format == "parquet" else "json"
        counts[family] = counts.get(family, 0) + 1
    best = max(counts, key=lambda family: counts[family])
    return [file for file in files if (file.format == "parquet") == (best == "parquet")]


def _nearest(where: str) -> str:
    """Return a hint with the nearest name in the same folder."""
    from djfast.spelling import did_you_mean

    folder = os.path.dirname(where) or "."
    try:
        names = os.listdir(folder)
    except OSError:
        return ""
    return did_you_mean(os.path.basename(where), names[:10000])
