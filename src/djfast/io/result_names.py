"""Names of all that belongs to a result: its files or shards, stats, rejected rows, manifest and the record of its run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from djfast.io.compression import compression_of

_LARGEST_RECORD = 64 << 20


def stem(path: str) -> str:
    """Return a result's path without its suffixes."""
    compression = compression_of(path)
    return os.path.splitext(path[: -len(compression)] if compression else path)[0]


def stats_path(path: str) -> str:
    """Name of the stats file beside a result."""
    return f"{stem(path)}_stats.jsonl"


def rejected_path(path: str) -> str:
    """Name of the rejected rows beside a result."""
    return f"{stem(path)}.rejected.jsonl"


def failed_rejected_path(path: str) -> str:
    """Name of the rows that a run rejected which left no result; those of an earlier result keep theirs."""
    return f"{stem(path)}.failed.rejected.jsonl"


def manifest_path(path: str) -> str:
    """Name of the manifest beside a result in shards."""
    return f"{stem(path)}.manifest.json"


def record_path(path: str) -> str:
    """Name of the record of the run that wrote a result. It is there when all of the result is."""
    return f"{stem(path)}.run.json"


def side_paths(path: str) -> list[str]:
    """Names of all that may lie beside a result."""
    return [named(path) for named in (record_path, manifest_path, stats_path, rejected_path, failed_rejected_path)]


def result_beside(path: str) -> str | None:
    """Return the stem of the result that a file lies beside, by its name; None if that is no name of stats, rejected rows, ..."""
    ending = next((ending for ending in sorted(side_paths(""), key=len, reverse=True) if path.endswith(ending)), None)
    return path.removesuffix(ending) if ending is not None else None


def shard_paths(path: str, suffix: str, count: int) -> list[str]:
    """Names of shards: ``<base>-<i>-of-<n>.<suffix>``, zero-padded to one digit more than the count has."""
    folder, base = os.path.split(_base(path))
    width = len(str(count)) + 1
    return [os.path.join(folder, f"{base}-{i:0{width}d}-of-{count:0{width}d}.{suffix}") for i in range(count)]


def _base(path: str) -> str:
    """Return what the names of a result's shards begin with."""
    folder, name = os.path.split(path)
    return os.path.join(folder, name.split(".", 1)[0])


def _is_shard(match: re.Match[str] | None) -> bool:
    if match is None:
        return False
    number, count = match[1], match[2]
    return len(number) == len(count) == len(str(int(count))) + 1 and int(number) < int(count)


def earlier_files(path: str, suffix: str) -> list[str]:
    """Return the paths of what runs of this result left beside it, itself included, whatever the number of its shards."""
    folder = os.path.dirname(path)
    try:
        names = os.listdir(folder or ".")
    except (FileNotFoundError, NotADirectoryError):  # who writes there says so
        return []
    found = earlier_names(os.path.basename(path), suffix, names, lambda name: read_record(os.path.join(folder, name)))
    return [os.path.join(folder, name) for name in found]


def earlier_names(
    result: str, suffix: str, names: Iterable[str], read: Callable[[str], Mapping[str, Any] | None]
) -> list[str]:
    """Return those of the names in a folder that runs of a result give to its files.

    Shards are left alone where the manifest of another result names them: ``a.x.jsonl`` and ``a.y.jsonl`` both have shards
    called ``a-...``. ``read(name)`` returns the mapping that a file of JSON holds.
    """
    base = _base(result)
    own = {result, *side_paths(result)}
    shard = rf"{re.escape(base)}-(\d+)-of-(\d+)\.{re.escape(suffix)}"
    names = sorted(names)
    shards = {name for name in names if name.startswith(f"{base}-") and _is_shard(re.fullmatch(shard, name))}
    for name in names if shards else ():
        if name.endswith(".manifest.json") and name not in own and _base(name) == base:
            shards -= {entry.get("file") for entry in (read(name) or {}).get("files", ()) if isinstance(entry, dict)}
    return [name for name in names if name in own or name in shards]


def files_of_record(path: str) -> list[str]:
    """Return those files of the result that the record beside this one tells of which are there.

    Results that differ in their suffixes only, as ``a.jsonl`` and ``a.parquet`` do, have one record, and one stats file.
    """
    folder = os.path.dirname(path)
    record = read_record(record_path(path)) or {}
    listed = record.get("export_paths")
    names = [os.path.basename(each) for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    return [found for name in names if name and os.path.lexists(found := os.path.join(folder, name))]


def read_record(path: str) -> dict[str, Any] | None:
    """Return the mapping that a file of JSON holds; None if there is none, or it is damaged."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size  # Python makes room for all that it is asked to read
            record = json.loads(file.read(min(size, _LARGEST_RECORD)))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
