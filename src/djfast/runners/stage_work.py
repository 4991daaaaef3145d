"""What every runner does with a batch: run the programs of a pass, and report what became of its rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from math import isqrt
from typing import TYPE_CHECKING, Any

from djfast import _native
from djfast.io.origins import Origins
from djfast.plan.bind import BoundStage, NativeOverdue, Watcher
from djfast.plan.steps import Group, Plan, Select
from djfast.records import NamedTuple
from djfast.rows.json_rows import JsonBlock, JsonPiece
from djfast.runners.rejected import Rejected

if TYPE_CHECKING:
    from djfast.rows.carrier import Block, Carrier, Piece
    from djfast.runners.selection import Value
    from djfast.runners.short_texts import SharedKey


LARGE_BLOCK = 4 << 20  # bytes


class BadRow(NamedTuple):
    """A row that was rejected. `place` counts from 0, in the file if the batch's lines are numbered, else in the batch."""

    file: str | None
    place: int
    op: int  # -1 is reading
    reason: str
    row: Any


class Compared(NamedTuple):
    """What a selector saw of one batch."""

    rows_in: int
    has_field: bool
    values: Sequence[Value]  # of the rows that can be compared
    row_bytes: Sequence[int]


class Done(NamedTuple):
    """What became of one batch."""

    file: str | None
    is_numbered: bool  # places are numbers in the file
    byte_count: int
    row_count: int
    line_count: int
    piece: Any  # as rows, or packed for rows that wait or travel
    piece_rows: int
    keys: list[tuple[bytes, bytes | None]]
    compared: Compared | None
    counts: list[tuple[int, int, int, int]]
    bad_rows: list[BadRow]
    short_texts: Sequence[tuple[int, int]] = ()  # by deduplicator: (op, texts)

    @property
    def readable(self) -> int:
        """Rows that could be read."""
        return self.row_count - sum(1 for bad in self.bad_rows if bad.op < 0)

    def first_line(self, lines_before: int) -> int:
        """Return what the numbers of this batch count from, when so many lines of the file came before."""
        return 0 if self.is_numbered else lines_before

    def then(self, following: Done) -> Done:
        """Join with what a following stage made of the same rows."""
        return self._replace(
            piece=following.piece,
            piece_rows=following.piece_rows,
            keys=following.keys,
            compared=following.compared,
            counts=[*self.counts, *following.counts],
            short_texts=following.short_texts,
            bad_rows=sorted([*self.bad_rows, *following.bad_rows], key=lambda bad: bad.place),
        )


class StageWork:
    """One stage's program on blocks.

    Parameters
    ----------
    bound, layout
        The stage's program, and how its rows are written.
    rows : JsonRows, ArrowRows or ListRows
        How rows are carried.
    watcher : Watcher or None
        Is told what is worked on.
    """

    def __init__(self, bound: BoundStage, layout: Any, rows: Carrier, watcher: Watcher | None = None) -> None:
        self._watcher = watcher
        self.stage = bound.stage
        self._bound = bound
        self._layout = layout
        self._rows = rows
        self._shared_keys: list[SharedKey | None] = []
        if any(dedup.rule.kind != "equal" for dedup in self.stage.dedups):
            from djfast.runners.short_texts import shared_key

            self._shared_keys = [shared_key(self.stage, dedup) for dedup in self.stage.dedups]

    def run(self, block: Block) -> Done:
        """Run the program on one block."""
        if self._bound.rewrite is not None:
            assert isinstance(block, JsonBlock), "rows that are rewritten are carried as lines"
            return rewritten(self._bound, block, self._watcher)
        batch = self._batch(block)
        keys = [batch.keys(dedup.slot) for dedup in self.stage.dedups]
        if self.stage.survey is not None:
            keys = [(batch.keys(self.stage.survey.slot)[0], None)]
        compared = None if self.stage.select is None else _compare(batch, self.stage.select)
        piece = self._rows.close(block, batch, self._layout)
        if self.stage.group is not None:
            if _reject_what_cannot_be_joined(batch, piece, self.stage.group):
                piece = self._rows.close(block, batch, self._layout)
            compared = _group_keys(batch, self.stage.group)
        if compared is not None:
            compared = compared._replace(row_bytes=piece.row_bytes())
        return Done(
            file=block.file,
            is_numbered=block.numbers is not None,
            byte_count=block.byte_count,
            row_count=batch.row_count,
            line_count=_line_count(block, batch),
            piece=piece,
            piece_rows=batch.alive_count,
            keys=keys,
            compared=compared,
            counts=batch.counts,
            bad_rows=list(_bad_rows(batch.rejections, block)),
            short_texts=[
                (shared.op, shared.count(numbers))
                for shared, (numbers, _) in zip(self._shared_keys, keys, strict=False)
                if shared is not None
            ],
        )

    def _batch(self, block: Block) -> _native.Batch:
        """Open a block and run the program on it."""
        batch: _native.Batch = self._rows.open(block, self.stage)
        minds = self._watcher is not None and self._watcher.minds(block.byte_count)
        try:
            self._bound.run(batch, self._watcher, watches_native=minds)
        except NativeOverdue:
            # Each row alone tells which ones it is; together the others may take as long as they do.
            slow = list(self._slow_rows(block))
            batch = self._rows.open(block, self.stage)
            for row, op, reason in slow:
                batch.reject([(row, reason)], op)
            self._bound.run(batch, self._watcher, watches_native=False)
        return batch

    def _slow_rows(self, block: Block) -> Iterator[tuple[int, int, str]]:
        """Yield the rows of a block that native code takes too long for, with the OP and the reason."""
        assert self._watcher is not None
        rows = self._rows.open(block, self.stage).alive
        size = isqrt(len(rows)) or 1  # groups first: a block is opened for each try
        for first in range(0, len(rows), size):
            group = rows[first : first + size]
            if self._overdue_at(block, group) is None:
                continue
            for row in group:
                op = self._overdue_at(block, [row])
                if op is not None:
                    yield row, op, self._watcher.reason

    def _overdue_at(self, block: Block, rows: list[int]) -> int | None:
        """Return which OP some rows of a block take too long in; None if they do not."""
        batch = self._rows.open(block, self.stage)
        batch.keep_only(rows)
        try:
            self._bound.run(batch, self._watcher)
        except NativeOverdue as overdue:
            return overdue.op
        return None

    def as_they_came(self, block: Block, bad_rows: Sequence[BadRow]) -> list[BadRow]:
        """Return the bad rows of a following stage as they were in a block of this one."""
        wanted = {(bad.file, bad.place) for bad in bad_rows}
        batch = self._rows.open(block, self.stage)
        batch.reject([(row, "") for row in batch.alive], 0)  # a batch tells where rows came from when it rejects them
        came = {}
        for row, number, _, _, line in batch.rejections:
            origin = origin_of(block, number)
            if origin in wanted:
                came[origin] = block.row(row) if line is None else line
        return [bad._replace(row=came[bad.file, bad.place]) for bad in bad_rows]


def _compare(batch: _native.Batch, select: Select) -> Compared:
    """Read the values that a selector compares; rows whose value cannot be compared leave the batch."""
    rows = batch.alive
    if select.slot < 0:
        return Compared(len(rows), True, [None] * len(rows), ())
    fields = batch.values(select.slot)
    from djfast.runners.selection import read_values

    values, errors = read_values(fields, select.selection)
    if errors:
        batch.reject([(rows[at], f"field '{select.field}': {reason}") for at, reason in errors], select.op)
    return Compared(len(rows), any(fields), values, ())


def _reject_what_cannot_be_joined(batch: _native.Batch, piece: Piece, group: Group) -> bool:
    """Reject the rows of a piece that are no Python values, before they are part of any group; tell whether there are some."""
    from djfast.runners.grouping import unjoinable

    assert isinstance(piece, JsonPiece), "rows that are joined are carried as lines"
    rows = batch.alive
    errors = [(rows[at], reason) for at, reason in unjoinable(piece)]
    if errors:
        batch.reject(errors, group.op)
    return bool(errors)


def _group_keys(batch: _native.Batch, group: Group) -> Compared:
    rows = batch.alive
    keys = [""] * len(rows) if group.slot < 0 else batch.values(group.slot)
    return Compared(len(rows), True, keys, ())


def _bad_rows(rejections: list[tuple[int, int, int, str, bytes | None]], block: Block) -> Iterator[BadRow]:
    for row, number, op, reason, line in sorted(rejections, key=lambda entry: entry[0]):
        file, place = origin_of(block, number)
        yield BadRow(file, place, op, reason, block.row(row) if line is None else line)


def origin_of(block: Block, number: int) -> tuple[str | None, int]:
    """Return the file of a line of a block and its place."""
    return Origins(block.file).of((number,)), number if block.numbers is None else _number(block.numbers, number)


def _line_count(block: Block, batch: _native.Batch) -> int:
    """Return how many lines of their file the rows of a block stand for."""
    if block.lines is not None:
        return int(block.lines)
    return batch.line_count if block.numbers is None else batch.row_count


def _number(numbers: Any, position: int) -> int:
    if isinstance(numbers, bytes):
        return int.from_bytes(numbers[8 * position : 8 * position + 8], "little")
    return int(numbers[position])


def rewritten(bound: BoundStage, block: JsonBlock, watcher: Watcher | None) -> Done:
    """Rewrite the rows of a block."""
    from djfast.runners.rewriting import rewritten_piece

    assert bound.rewrite is not None
    assert bound.stage.rewrite is not None
    op, drops_rows = bound.stage.rewrite.op, bound.stage.rewrite.drops_rows
    began = time.perf_counter_ns()
    outcome = rewritten_piece(block, lambda rows: bound.rewrite(rows, watcher), drops_rows=drops_rows)  # type: ignore[misc]
    nanoseconds = time.perf_counter_ns() - began
    bad_rows = [BadRow(*origin_of(block, number), op, reason, line) for number, reason, line in outcome.errors]
    return Done(
        file=block.file,
        is_numbered=block.numbers is not None,
        byte_count=block.byte_count,
        row_count=outcome.row_count,
        line_count=outcome.row_count if block.lines is None else block.lines,
        piece=outcome.piece,
        piece_rows=outcome.piece.row_count,
        keys=[],
        compared=None,
        counts=[(op, outcome.row_count, outcome.piece.row_count, nanoseconds)],
        bad_rows=bad_rows,
    )


class PassWork:
    """The stages that a batch goes through without waiting for others.

    Parameters
    ----------
    works : sequence of StageWork
    rows : JsonRows, ArrowRows or ListRows
        How rows are carried.
    run_stage : callable
        ``run_stage(number, block)`` runs one of `works`, here or elsewhere.
    prepare : callable
        Applied to the last piece by the worker that made it, as compression is.
    """

    def __init__(
        self,
        works: Sequence[StageWork],
        rows: Carrier,
        *,
        run_stage: Callable[[int, Block], Done] | None = None,
        prepare: Callable[[Any], Any] | None = None,
    ) -> None:
        self._works = works
        self._rows = rows
        self._run_stage = run_stage or self.run_stage
        self._prepare = prepare
        self.local_ops = tuple(op for work in works for op in work.stage.local_ops)
        self.waits = works[-1].stage.waits

    def run_stage(self, number: int, block: Block) -> Done:
        """Run one stage here."""
        return self._works[number].run(block)

    def run(self, block: Block) -> Done:
        """Run all stages on one block. What a large one took goes back to the system: threads would keep it for themselves."""
        done = self._run(block)
        if block.byte_count > LARGE_BLOCK:
            _native.release_memory()
        return done

    def _run(self, block: Block) -> Done:
        done = self._run_stage(0, block)
        for number in range(1, len(self._works)):
            if done.piece_rows == 0:
                left = [op for work in self._works[number:] for op in work.stage.local_ops]
                done = done._replace(counts=[*done.counts, *((op, 0, 0, 0) for op in left)])
                break
            piece = done.piece
            if isinstance(piece, list):
                from djfast.runners.spool import unpacked

                piece = self._rows.piece.unpack(*unpacked(piece))
            following = self._run_stage(number, self._rows.reopen(piece, b"\x01" * piece.row_count, 0))
            if following.bad_rows:
                # However a pass is cut into stages, rows are rejected as they came to it.
                following = following._replace(bad_rows=self._works[0].as_they_came(block, following.bad_rows))
            done = done.then(following)
        if self._prepare is None or isinstance(done.piece, list):
            return done
        return done._replace(piece=self._prepare(done.piece))


def empty_piece(plan: Plan, stages: Sequence[BoundStage], rows: Carrier) -> Piece | None:
    """Return a piece of the result without rows, None where rows have no columns that a result must have all the same."""
    block = rows.empty_block()
    if block is None:
        return None
    piece: Piece | None = None
    for bound, layout in zip(stages, rows.layouts(plan)):
        piece = StageWork(bound, layout, rows).run(block).piece
        block = rows.reopen(piece, b"", 0)
    return piece


def rejected_rows(done: Done, plan: Plan, lines_before: int) -> Iterator[Rejected]:
    """Yield a batch's rejected rows in order. `lines_before` counts the lines of the same file before this batch."""
    first_line = done.first_line(lines_before)
    for bad in done.bad_rows:
        name = plan.ops[bad.op].spec.name if bad.op >= 0 else "read"
        yield Rejected(name, bad.op, bad.reason, bad.file, first_line + bad.place + 1, bad.row)
