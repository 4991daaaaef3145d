"""Files that rows name: what is fetched is written beside them or put into the row."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from djfast.access import Access
from djfast.json_bytes import as_json
from djfast.logs import logger
from djfast.records import NamedTuple

LOG = logger("files")

_NAME_BYTES = 100
_HASH_DIGITS = 16
_FETCHED = Access(is_open=True)  # what was fetched lies where the recipe says, not the row


class Wish(NamedTuple):
    """What becomes of files: kept in a folder, held in the row, or both."""

    folder: str | None
    holds_contents: bool
    fills_only: bool  # contents that a row has already stand
    max_bytes: int


# Given the remote places to fetch: where each is now, or its content where there is no folder. What failed is left out.
Fetch = Callable[[Sequence[str]], Mapping[str, Path | bytes]]


def answers(
    places: Sequence[str], contents: Sequence[str], wish: Wish, scheme: re.Pattern[str], fetch: Fetch, access: Access
) -> list[Any]:
    """Fetch what many rows name at once.

    Parameters
    ----------
    places : sequence of str
        JSON of a place or of a list of them, for each row; what does not match `scheme` is a path on this machine.
    contents : sequence of str
        JSON of the contents that rows have already.
    access : Access
        Which paths may be read.

    Returns
    -------
    list
        For each row JSON with ``paths`` and ``contents`` in the form of its places, the empty text for a row that names
        nothing, or the exception that rejects it.
    """
    rows = [_row(place, known, wish) for place, known in zip(places, contents)]
    wanted = {place: None for row in rows if isinstance(row, _Row) for place in row.to_fetch() if scheme.match(place)}
    found = fetch(list(wanted)) if wanted else {}
    return [_answer(row, found, scheme, wish, access) if isinstance(row, _Row) else row for row in rows]


class _Row(NamedTuple):
    """The places of a row with what is known of each already."""

    entries: list[tuple[str | None, Any]]
    is_list: bool

    def to_fetch(self) -> Iterator[str]:
        return (place for place, known in self.entries if place and not known)


def _row(place_json: str, known_json: str, wish: Wish) -> _Row | str | Exception:
    try:
        value = json.loads(place_json) if place_json else None
        known = json.loads(known_json) if known_json else None
    except (ValueError, RecursionError) as error:
        return error
    if value is None:
        return ""
    listed = value if isinstance(value, list) else [value]
    if not all(each is None or isinstance(each, str) for each in listed):
        return TypeError("a field of files must hold a string or a list of strings")
    if known is None:
        return _Row([(place, None) for place in listed], isinstance(value, list))
    if not wish.fills_only:
        return ValueError("save_field is there already; resume_download fills what it lacks")
    knowns = known if isinstance(known, list) else [known]
    if isinstance(known, list) != isinstance(value, list):
        return ValueError("save_field is there already, but not in the form of the field of files")
    if len(knowns) != len(listed):
        knowns = [None] * len(listed)  # what is there says nothing of these files
    return _Row(list(zip(listed, knowns)), isinstance(value, list))


def _answer(
    row: _Row, found: Mapping[str, Path | bytes], scheme: re.Pattern[str], wish: Wish, access: Access
) -> str:
    paths: list[str | None] = []
    contents: list[Any] = []
    for place, known in row.entries:
        got = found.get(place) if place else None
        paths.append(str(got) if isinstance(got, Path) else place)
        content = None
        if wish.holds_contents and place and not known:
            if not scheme.match(place):
                content = _read(place, wish.max_bytes, access)
            else:
                content = _read(str(got), wish.max_bytes, _FETCHED) if isinstance(got, Path) else got
        contents.append(known or content)
    answer = {"paths": paths, "contents": contents} if row.is_list else {"paths": paths[0], "contents": contents[0]}
    return json.dumps(answer, default=as_json)


def _read(path: str, max_bytes: int, access: Access) -> bytes | None:
    """Return what is in a file; None, and a line in the log, for what is no file, too large, or not to be named."""
    try:
        with access.opened(path) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is not a file")
            check_size(status.st_size, max_bytes)
            return file.read()
    except (OSError, ValueError) as error:
        LOG.warning("%s cannot be read: %s", path, error)
        return None


def check_size(size: int, max_bytes: int) -> None:
    """Refuse a file that is too large."""
    if size > max_bytes:
        raise ValueError(f"it is larger than max_bytes, {max_bytes}")


def file_name(place: str) -> str:
    """Return the name of a fetched file: its own with a hash of the whole place, so that equal names of two places differ."""
    last = unquote(urlsplit(place).path).rpartition("/")[2]
    clean = re.sub(r"[^\w.-]+", "_", last, flags=re.ASCII).lstrip(".")
    stem, dot, suffix = clean.rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    digest = hashlib.sha256(place.encode("utf-8", "backslashreplace")).hexdigest()[:_HASH_DIGITS]
    return f"{stem[:_NAME_BYTES] or 'file'}-{digest}{dot}{suffix[:_NAME_BYTES]}"


@contextlib.contextmanager
def written_at_once(path: Path) -> Iterator[IO[bytes]]:
    """Write a file under a name of its own, which becomes `path` when all of it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name[:_NAME_BYTES]}.{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def shown(place: str) -> str:
    """Return a place without what may be secret in it: who asks, and the query."""
    try:
        parts = urlsplit(place)
    except ValueError:
        return "a malformed address"
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"[:200]
