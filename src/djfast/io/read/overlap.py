"""Whether a run would read what it writes, now or when it is repeated."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from djfast.errors import RecipeError
from djfast.io.read.formats import input_file_of
from djfast.io.remote import is_remote
from djfast.io.result_names import earlier_files, shard_paths, side_paths

_MAGIC = frozenset("*?[")
_SAMPLED = 32  # counts of shards whose names are looked at


def refuse_overlap(
    result: str, suffix: str, *, in_shards: bool, places: Iterable[str], files: Iterable[str], suffixes: Iterable[str] = ()
) -> None:
    """Refuse to write what is read, or what the next run would find among its input.

    Parameters
    ----------
    result, suffix
        Path or address of the result, and the suffix of its shards.
    places : iterable of str
        Files, folders, patterns and addresses that are read.
    files : iterable of str
        The files found there.
    suffixes : iterable of str
        Only such files are looked for in folders and patterns; all that can be read by default.

    Raises
    ------
    RecipeError
    """
    remedy = f"choose another export_path, got {result!r}"
    written = [result, *side_paths(result)]
    if in_shards:
        written += [path for count in range(2, _SAMPLED) for path in shard_paths(result, suffix, count)]
    if not is_remote(result):
        there = {identity: path for path in earlier_files(result, suffix) for identity in _identities(path)}
        for file in files:
            for identity in () if is_remote(file) else _identities(file):
                if identity in there:
                    raise RecipeError(f"the input is what the run would replace: {there[identity]} is read as {file}; {remedy}")
    ends = tuple(suffixes)
    targets = {path: _resolved(path) for path in written}
    for place in places:
        source = _resolved(place)
        for path, target in targets.items():
            if is_remote(place) == is_remote(path) and _finds(source, target, ends):
                raise RecipeError(f"the next run would read what this one writes: {place} finds {path}; {remedy}")


def _identities(path: str) -> Iterator[tuple[int, int]]:
    """Yield what tells a file from others, also that of the folder of a result that it lies in."""
    for each in (path, os.path.dirname(path)):
        try:
            status = os.stat(each or ".")
        except OSError:
            continue
        if each == path or is_folder_result(each):
            yield status.st_dev, status.st_ino


def is_folder_result(path: str) -> bool:
    """Tell whether a folder may be a result by itself."""
    return path.endswith((".hf", ".lance"))


def _finds(place: str, path: str, suffixes: tuple[str, ...]) -> bool:
    """Tell whether a folder or pattern would find a file, or a path is it; both are resolved."""
    if place.rstrip("/") == path:
        return True
    if (suffixes and not path.lower().endswith(suffixes)) or not (input_file_of(path) or is_folder_result(path)):
        return False
    if _MAGIC.isdisjoint(place):
        inside = path.removeprefix(place.rstrip("/") + "/")
        return inside != path and not any(part.startswith(".") for part in inside.split("/"))
    return re.fullmatch(_pattern(place), path) is not None


def _resolved(path: str) -> str:
    """Return a path without links, in a pattern of the folders before the first star; an address as it is."""
    if is_remote(path):
        return path
    parts = os.path.abspath(path).split("/")
    plain = next((number for number, part in enumerate(parts) if not _MAGIC.isdisjoint(part)), len(parts))
    folder = plain if plain < len(parts) else plain - 1
    start = os.path.realpath("/".join(parts[:folder]) or "/")
    return os.path.join(start, *parts[folder:])


def _pattern(place: str) -> str:
    """Return a regular expression for the paths that a pattern finds."""
    import fnmatch

    pieces = []
    for part in place.split("/"):
        if part == "**":
            pieces.append("(?:[^/.][^/]*/)*")
        else:
            expression = fnmatch.translate(part).removeprefix("(?s:").removesuffix(")\\Z").removesuffix(")\\z")
            hidden = "" if part.startswith(".") or not part else r"(?!\.)"
            pieces.append(hidden + expression.replace(".*", "[^/]*") + "/")
    return "".join(pieces).removesuffix("/")
