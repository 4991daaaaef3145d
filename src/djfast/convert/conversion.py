"""Converts a file row by row; rows that cannot be converted are rejected with their reason."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from djfast.convert.form import BadRow, Form, Row
from djfast.convert.forms import COMMON, FORMS
from djfast.convert.source import Found, layout_of, source_rows
from djfast.errors import RecipeError
from djfast.io.result_names import earlier_files, rejected_path
from djfast.io.write.collected import json_line
from djfast.io.write.commit import Staging
from djfast.io.write.results import Output, ResultFile
from djfast.recipe.outputs import is_remote
from djfast.records import NamedTuple
from djfast.runners.rejected import Rejected, RejectedRows
from djfast.spelling import did_you_mean

_COMMON_LAYOUTS = ("jsonl", "json")
_PIECE_BYTES = 1 << 20


class Conversion(NamedTuple):
    """What a conversion did."""

    rows_read: int
    rows_written: int
    rows_rejected: int
    seconds: float
    path: str
    rejected_path: str | None  # where rows were rejected


class _Piece(NamedTuple):
    lines: bytes
    row_count: int
    side: bytes = b""
    numbers: tuple[int, ...] = ()
    batch: None = None
    file: None = None

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        return [json.loads(line) for line in self.lines.splitlines()]


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    from_form: str = COMMON,
    to_form: str = COMMON,
    max_errors: float | int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Conversion:
    """Convert a file to the common format or from it.

    Parameters
    ----------
    source, target : path
        Files; their suffixes say whether they hold JSON lines, a JSON array or CSV, and their compression.
    from_form, to_form : str
        Names of formats; one of the two is ``dj``, the common one.
    max_errors : float or int, optional
        Most rows that may be rejected: a share, or a count.
    options : mapping, optional
        Options of the format; see ``FORMS[name].options``.

    Raises
    ------
    RecipeError
        If a name or option is wrong.
    InputError, OutputError, TooManyErrors
        No result is left behind then.
    """
    started = time.monotonic()
    form, is_to_common = _form(from_form, to_form)
    checked = form.checked(options or {})
    reads, writes = (form.layouts, _COMMON_LAYOUTS) if is_to_common else (_COMMON_LAYOUTS, form.layouts)
    place = os.fspath(target)
    if is_remote(place):
        raise RecipeError(f"the output must be a local path, got {place!r}")
    output = Output(place, layout_of(place, writes, "the output"), arguments=_envelope(form, checked, is_used=not is_to_common))
    origin = os.fspath(source)
    if os.path.abspath(origin) == os.path.abspath(place):
        raise RecipeError(f"the output must be another file than the input, got {place!r}")
    change = (form.to_dj if is_to_common else form.from_dj)(checked)
    found = source_rows(origin, reads, envelope=form.envelope if is_to_common else None)
    with Staging(place) as staging:
        rejected = RejectedRows(staging, max_errors=max_errors, is_fatal=lambda op: False)
        result = ResultFile(output, staging)
        rows = _Rows(found, change, rejected, origin)
        try:
            for piece in rows:
                result.write(piece)
            rejected.check(rows.read, rows.read - rejected.count)
            result.finish()
            rejected.finish()
        except BaseException:
            result.abandon()
            rejected.keep()
            raise
        staging.commit(earlier_files(place, output.suffix))
    where = rejected_path(place) if rejected.count else None
    return Conversion(rows.read, rows.read - rejected.count, rejected.count, time.monotonic() - started, place, where)


def _form(from_form: str, to_form: str) -> tuple[Form, bool]:
    """Return the form that is not the common one, and whether the way leads to the common one."""
    for name in (from_form, to_form):
        if name != COMMON and name not in FORMS:
            names = (COMMON, *FORMS)
            raise RecipeError(f"there is no such format{did_you_mean(name, names)}: {', '.join(names)}, got {name!r}")
    if (from_form == COMMON) == (to_form == COMMON):
        raise RecipeError(f"one of the two formats must be {COMMON}, got {from_form!r} and {to_form!r}")
    return (FORMS[to_form], False) if from_form == COMMON else (FORMS[from_form], True)


def _envelope(form: Form, options: Mapping[str, Any], *, is_used: bool) -> dict[str, Any]:
    """Return what stands around the array of rows: what comes before and behind it."""
    if not is_used or form.envelope is None:
        return {}
    head = form.head(options) if form.head is not None else {}
    before = json.dumps({**head, form.envelope: None}, ensure_ascii=False).removesuffix("null}")
    return {"before": before.encode(), "behind": b"}"}


class _Rows:
    """Converted rows in pieces; counts what was read."""

    def __init__(self, found: Iterator[Found], change: Any, rejected: RejectedRows, file: str) -> None:
        self.read = 0
        self._found = found
        self._change = change
        self._rejected = rejected
        self._file = file

    def __iter__(self) -> Iterator[_Piece]:
        lines: list[bytes] = []
        size = 0
        for found in self._found:
            self.read += 1
            line = self._line(found)
            if line is None:
                continue
            lines.append(line)
            size += len(line)
            if size >= _PIECE_BYTES:
                yield _Piece(b"".join(lines), len(lines))
                lines, size = [], 0
        if lines:
            yield _Piece(b"".join(lines), len(lines))

    def _line(self, found: Found) -> bytes | None:
        if found.row is None:
            self._set_aside("read", -1, found.reason, found.number, found.raw)
            return None
        try:
            row: Row = self._change(found.row)
            return json_line(row)
        except (BadRow, RecursionError) as error:
            self._set_aside("convert", 0, str(error), found.number, found.row)
            return None

    def _set_aside(self, op: str, index: int, reason: str, number: int, row: Any) -> None:
        self._rejected.add(Rejected(op, index, reason, self._file, number, row))
