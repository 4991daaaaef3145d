"""Rows that could not be processed: written with OP, reason and place, counted, and limited."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any

from djfast.errors import TooManyErrors
from djfast.io.durable import writing
from djfast.io.result_names import failed_rejected_path, rejected_path
from djfast.io.write.commit import Staging
from djfast.records import NamedTuple
from djfast.redaction import safe
from djfast.runners.reasons import ReasonCounts, reason_lines

if TYPE_CHECKING:
    from djfast.io.write.results import Result
    from djfast.runners.report import Tally

# What `max_errors: auto` allows: a few bad rows of few say nothing about the recipe, many of many do.
AUTO = "auto"
_AUTO_SHARE = 0.5
_AUTO_ROWS = 1000


# Indexes that stand in place of an OP's: for reading, and for the format of the result, which has no place for a row.
READING = -1
EXPORT = -2


def _all(rows: int) -> str:
    return "the only row" if rows == 1 else f"every one of the {rows:,} rows"


class Rejected(NamedTuple):
    """One bad row. `line` counts from 1 in `file`, 0 is not known; `row` is the line's bytes, a Python row, or a `RowMember`."""

    op: str
    op_index: int
    reason: str
    file: str | None
    line: int
    row: Any

    def place(self) -> str:
        """Where the row came from."""
        if not self.line:
            return self.file or "somewhere in the input"
        return f"{self.file}:{self.line}" if self.file else f"row {self.line}"


class RejectedRows:
    """Takes bad rows in input order; the file is made when the first one comes.

    Parameters
    ----------
    staging : Staging or None
        The result that the rows are written beside; None keeps them in `rows`.
    max_errors : float, int, "auto" or None
        Most rejected rows: a float is a share of the rows read, an integer a count, "auto" half of the rows if at least 1,000
        were read; None is no limit.
    is_fatal : callable
        ``is_fatal(op_index)`` says whether the first bad row of an OP (or of reading, -1) stops the run.
    """

    def __init__(self, staging: Staging | None, *, max_errors: float | int | str | None, is_fatal: Any) -> None:
        self._staging = staging
        self.max_errors = max_errors
        self.is_fatal = is_fatal
        self.count = 0
        self.by_op: dict[int, int] = {}
        self.reasons = ReasonCounts()
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
        self.reasons.add(rejected)
        self._keep(rejected)
        if self.is_fatal(rejected.op_index):
            raise TooManyErrors(f"{rejected.op}: {rejected.place()}: {rejected.reason} (skip_op_error is false)")
        if isinstance(self.max_errors, int) and self.count > self.max_errors:
            raise TooManyErrors(
                f"more than max_errors={self.max_errors} rows were rejected; the last one by {rejected.op} at "
                f"{rejected.place()}: {rejected.reason}"
            )

    def _keep(self, rejected: Rejected) -> None:
        if self._staging is None:
            self.rows.append(rejected)
        else:
            self._write(rejected, self._staging)

    @property
    def _must_leave_rows(self) -> bool:
        """Whether a run without any row left has failed: rows in memory replace no earlier result."""
        return self._staging is not None

    def check(self, rows_read: int, rows_written: int, tally: Tally | None = None) -> None:
        """Compare what was rejected with what came, at the end of a run; `tally` has what came to each OP.

        Raises
        ------
        TooManyErrors
            If more rows were rejected than `max_errors` allows, or if nothing is left because reading or an OP rejected every
            row that it was given. The second is no failure for rows in memory.
        """
        if not self.count:
            return
        failed = self._total_failure(rows_read, tally) if self._must_leave_rows and not rows_written else None
        share = _AUTO_SHARE if self.max_errors == AUTO and rows_read >= _AUTO_ROWS else self.max_errors
        if failed is None and isinstance(share, float) and rows_read and self.count / rows_read > share:
            given = "auto, half of them" if self.max_errors == AUTO else f"the share {share:g}"
            failed = f"{self.count:,} of {rows_read:,} rows were rejected, more than max_errors allows: {given}"
        if failed is not None:
            where = f"; see {failed_rejected_path(self._staging.path)}" if self._staging is not None else ""
            raise TooManyErrors("\n".join([f"{failed}{where}", *reason_lines(self.reasons.most_frequent(), self.count)]))

    def _total_failure(self, rows_read: int, tally: Tally | None) -> str | None:
        """Say who rejected every row that came, if somebody did."""
        if self.count == rows_read:
            return f"{_all(rows_read)} was rejected"
        if tally is None:
            return None
        for op, rejected in self.by_op.items():
            if op != READING and rejected == tally.rows_in.get(op):
                return f"no row is left: {tally.names[op]} rejected {_all(rejected)} that came to it"
        return None

    @property
    def unfit(self) -> int:
        """How many rows the format of the result has no place for."""
        return self.by_op.get(EXPORT, 0)

    def _write(self, rejected: Rejected, staging: Staging) -> None:
        entry = {"op": rejected.op, "reason": safe(rejected.reason), "file": rejected.file, "line": rejected.line}
        head = json.dumps(entry, ensure_ascii=False)[:-1].encode("utf-8", "backslashreplace")
        with self._writing(staging):
            if self._file is None:
                self._file = staging.open(rejected_path(staging.path))
            self._file.write(head + b", " + row_member(rejected.row) + b"}\n")

    def finish(self) -> None:
        """Take no more rows: they belong to the result from now on."""
        if self._staging is not None and self._file is not None:
            self._close(self._staging)
            self._staging.complete(rejected_path(self._staging.path))

    def keep(self) -> None:
        """Keep the rows although there will be no result, under a name that says so. Those of an earlier result stay."""
        if self._staging is not None:
            self._close(self._staging)
            self._staging.keep(rejected_path(self._staging.path), failed_rejected_path(self._staging.path))

    def _close(self, staging: Staging) -> None:
        file, self._file = self._file, None
        if file is not None:
            with self._writing(staging):
                file.close()

    def _writing(self, staging: Staging) -> AbstractContextManager[None]:
        return writing(rejected_path(staging.path), setting="export_path")


class RejectedOfStream(RejectedRows):
    """Bad rows of a run whose result is a stream, which has no place beside it: they are counted, with their reasons."""

    def __init__(self, *, max_errors: float | int | str | None, is_fatal: Any) -> None:
        super().__init__(None, max_errors=max_errors, is_fatal=is_fatal)

    def _keep(self, rejected: Rejected) -> None:
        pass

    @property
    def _must_leave_rows(self) -> bool:
        return True


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


def reject_unfit(result: Result, rejected: RejectedRows) -> None:
    """Reject the rows that a result has no place for."""
    for row in result.settle():
        rejected.add(Rejected("export", EXPORT, row.reason, row.file, row.number + 1, row.line))
