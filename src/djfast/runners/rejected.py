"""Rows that could not be processed: written with OP, reason and place, counted, and limited."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from typing import IO, Any, NamedTuple

from djfast.errors import TooManyErrors
from djfast.io.durable import writing


class Rejected(NamedTuple):
    """One bad row. `line` counts from 1 in `file`; `row` is the line's bytes, a Python row, or a `RowMember`."""

    op: str
    op_index: int
    reason: str
    file: str | None
    line: int
    row: Any

    def place(self) -> str:
        """Where the row came from."""
        return f"{self.file}:{self.line}" if self.file else f"row {self.line}"


class RejectedRows:
    """Takes bad rows in input order; the file is made when the first one comes.

    Parameters
    ----------
    path : str or None
        Where the rows go; None keeps them in `rows`.
    temporary : str, optional
        Name of the file until it is closed; by default the file has its own name from the beginning.
    max_errors : float, int or None
        Most rejected rows: a share of the rows read when below 1 or a float, else a count; None is no limit.
    is_fatal : callable
        ``is_fatal(op_index)`` says whether the first bad row of an OP (or of reading, -1) stops the run.
    """

    def __init__(
        self, path: str | None, *, max_errors: float | int | None, is_fatal: Any, temporary: str | None = None
    ) -> None:
        self.path = path
        self._temporary = temporary or path
        self.max_errors = max_errors
        self.is_fatal = is_fatal
        self.count = 0
        self.by_op: dict[int, int] = {}
        self.rows: list[Rejected] = []
        self._file: IO[bytes] | None = None

    def add(self, rejected: Rejected) -> None:
        """Keep one bad row.

        Raises
        ------
        TooManyErrors
            If this row is one too many.
        """
        self.count += 1
        self.by_op[rejected.op_index] = self.by_op.get(rejected.op_index, 0) + 1
        if self.path is None:
            self.rows.append(rejected)
        else:
            self._write(rejected)
        if self.is_fatal(rejected.op_index):
            raise TooManyErrors(f"{rejected.op}: {rejected.place()}: {rejected.reason} (skip_op_error is false)")
        if isinstance(self.max_errors, int) and self.count > self.max_errors:
            raise TooManyErrors(
                f"more than max_errors={self.max_errors} rows were rejected; the last one by {rejected.op} at "
                f"{rejected.place()}: {rejected.reason}"
            )

    def check_share(self, rows_read: int) -> None:
        """Compare the share of rejected rows with the limit.

        Raises
        ------
        TooManyErrors
            If the share is larger.
        """
        if isinstance(self.max_errors, float) and rows_read and self.count / rows_read > self.max_errors:
            where = f"; see {self.path}" if self.path else ""
            raise TooManyErrors(
                f"{self.count} of {rows_read} rows were rejected, more than the share max_errors={self.max_errors:g}{where}"
            )

    def _write(self, rejected: Rejected) -> None:
        entry = {"op": rejected.op, "reason": rejected.reason, "file": rejected.file, "line": rejected.line}
        head = json.dumps(entry, ensure_ascii=False)[:-1].encode("utf-8", "backslashreplace")
        with self._writing():
            if self._file is None:
                os.makedirs(os.path.dirname(os.path.abspath(str(self.path))), exist_ok=True)
                self._file = open(str(self._temporary), "wb")  # noqa: SIM115 - closed with the run
            self._file.write(head + b", " + row_member(rejected.row) + b"}\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            file, self._file = self._file, None
            with self._writing():
                file.close()
                os.replace(str(self._temporary), str(self.path))

    def _writing(self) -> AbstractContextManager[None]:
        return writing(str(self._temporary), setting="export_path")


class RowMember(bytes):
    """A rejected row as a JSON member, in one line."""


def row_member(row: Any) -> bytes:
    """Return the row as a JSON member; bytes that are no JSON object stay readable, bytes that are no text become base64."""
    if isinstance(row, RowMember):
        return row
    if not isinstance(row, bytes):
        return b'"row": ' + json.dumps(row, ensure_ascii=False, default=repr).encode("utf-8", "backslashreplace")
    try:
        text = row.decode()
    except UnicodeDecodeError:
        import base64

        return b'"row_base64": "' + base64.b64encode(row) + b'"'
    try:
        if isinstance(json.loads(text), dict):
            return b'"row": ' + row.strip()
    except (ValueError, RecursionError):
        pass
    return b'"row": ' + json.dumps(text, ensure_ascii=False).encode()
