"""The loop that every runner shares: read, run a stage's program, wait for global answers, go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from djfast import _native
from djfast.declare import Grouping
from djfast.io.results import Result
from djfast.plan.bind import BoundStage
from djfast.plan.steps import Plan
from djfast.runners.progress import Progress
from djfast.runners.rejected import Rejected, RejectedRows
from djfast.runners.report import Tally
from djfast.runners.spool import Spool
from djfast.runners.workers import in_order


class Done(NamedTuple):
    """What became of one batch."""

    block: Any
    piece: Any  # as rows, or packed for rows that wait
    piece_rows: int
    keys: list[tuple[bytes, bytes | None]]
    row_count: int
    line_count: int
    counts: list[tuple[int, int, int, int]]
    rejections: list[tuple[int, int, int, str, bytes | None]]

    @property
    def readable(self) -> int:
        """Rows that could be read."""
        return self.row_count - sum(1 for _, _, op, _, _ in self.rejections if op < 0)


class StageWork:
    """One stage's program on blocks: what every runner does with a batch.

    Parameters
    ----------
    bound, layout
        The stage's program, and how its rows are written.
    rows : JsonRows, ArrowRows or ListRows
        How rows are carried.
    prepare : callable
        Applied to each piece by the worker that made it, as compression is.
    """

    def __init__(self, bound: BoundStage, layout: Any, rows: Any, prepare: Callable[[Any], Any] | None = None) -> None:
        self.stage = bound.stage
        self._bound = bound
        self._layout = layout
        self._rows = rows
        self._prepare = prepare

    def run(self, block: Any) -> Done:
        """Run the program on one block."""
        batch = self._rows.open(block, self.stage)
        self._bound.run(batch)
        keys = [batch.keys(dedup.slot) for dedup in self.stage.dedups]
        piece = self._rows.close(block, batch, self._layout)
        if self._prepare is not None:
            piece = self._prepare(piece)
        return Done(block, piece, batch.alive_count, keys, batch.row_count, batch.line_count, batch.counts, batch.rejections)


def empty_piece(plan: Plan, stages: list[BoundStage], rows: Any) -> Any:
    """Return a piece of the result without rows, None where rows have no columns that a result must have all the same."""
    if not hasattr(rows, "empty_block"):
        return None
    block = rows.empty_block()
    for bound, layout in zip(stages, rows.layouts(plan)):
        piece = StageWork(bound, layout, rows).run(block).piece
        block = rows.reopen(piece, b"", 0, 0)
    return piece


def rejected_rows(done: Done, plan: Plan, first_line: int) -> Iterator[Rejected]:
    """Bad rows of a batch in their order. `first_line` is the number of its first line, counted from 0."""
    block = done.block
    for row, number, op, reason, line in sorted(done.rejections, key=lambda entry: entry[0]):
        place = first_line + number if block.numbers is None else _number(block.numbers, number)
        name = plan.ops[op].spec.name if op >= 0 else "read"
        yield Rejected(name, op, reason, block.file, place + 1, _row(block, row) if line is None else line)


class StageLoop:
    """Runs the stages of a plan over rows, in one process and in the order of the rows.

    Parameters
    ----------
    plan, stages
        What to run, and its bound stages.
    rows : JsonRows, ParquetRows, TableRows or ListRows
        Where rows come from and how they are carried.
    result : Result
        Where rows go.
    threads : int
        Threads that run programs.
    rejected : RejectedRows
        Where bad rows go.
    spool_folder : str or None
        Where rows wait on disk; None keeps them in memory.
    """

    def __init__(
        self,
        plan: Plan,
        stages: list[BoundStage],
        rows: Any,
        result: Result,
        *,
        threads: int,
        rejected: RejectedRows,
        progress: Progress,
        spool_folder: str | None,
    ) -> None:
        self.plan = plan
        self.stages = stages
        self.rows = rows
        self.result = result
        self.threads = threads
        self.rejected = rejected
        self.progress = progress
        self.spool_folder = spool_folder
        self.tally = Tally([op.spec.name for op in plan.ops])
        self.rows_written = 0

    def run(self) -> None:
        """Run all stages."""
        layouts = self.rows.layouts(self.plan)
        source = self.rows.items()
        for number, (bound, layout) in enumerate(zip(self.stages, layouts)):
            is_last = number == len(self.stages) - 1
            spool: Spool[Any] | None = None
            if bound.stage.dedups:
                spool = Spool(self.spool_folder, self.rows.piece.unpack)
            work = StageWork(bound, layout, self.rows, spool.prepare if spool else None)
            done = self._batches(source, work, is_first=number == 0)
            if spool is None:
                for each, _ in done:
                    self._emit(each.piece)
                continue
            mask = self._deduplicate(done, bound, spool)
            if is_last:
                for first, _, piece in _positions(spool):
                    self._emit(piece.select(mask, first))
            else:
                source = self._reopened(spool, mask)
        if self.rows_written == 0 and (piece := empty_piece(self.plan, self.stages, self.rows)) is not None:
            self._emit(piece)

    def _emit(self, piece: Any) -> None:
        self.rows_written += piece.row_count
        self.result.write(piece)
        self.progress.update(self.tally)

    def _batches(self, source: Iterator[Any], work: StageWork, *, is_first: bool) -> Iterator[tuple[Done, int]]:
        """Run one stage over all blocks, in order, and account for rows. Yields batches and their first line numbers."""
        base = 0
        file: Any = None
        for done in in_order(source, work.run, threads=self.threads):
            if done.block.file != file:
                file, base = done.block.file, 0
            for row in rejected_rows(done, self.plan, base):
                self.rejected.add(row)
            if is_first:
                self.tally.rows_read += done.row_count
                self.tally.bytes_read += done.block.byte_count
            self.tally.add_batch(work.stage.local_ops, done.readable, done.counts)
            yield done, base if done.block.numbers is None else 0
            base += done.line_count
            self.progress.update(self.tally)

    def _deduplicate(self, done: Iterator[tuple[Done, int]], bound: BoundStage, spool: Spool[Any]) -> bytes:
        """Collect keys while rows wait, then find the rows that stay."""
        dedups = bound.stage.dedups
        groups = [make_groups(dedup.grouping) for dedup in dedups]
        total = 0
        for each, first_line in done:
            count = each.piece_rows
            if count == 0:
                continue
            for group, (keys, present) in zip(groups, each.keys):
                group.add(keys, count, present)
            spool.append(each.piece, first_line)
            total += count
        mask = b"\x01" * total
        for dedup, group in zip(dedups, groups):
            before = mask.count(1)
            mask = group.resolve(mask)
            self.tally.add_op(dedup.op, before, mask.count(1))
        return mask

    def _reopened(self, spool: Spool[Any], mask: bytes) -> Iterator[Any]:
        for first, first_line, piece in _positions(spool):
            if mask.count(1, first, first + piece.row_count):
                yield self.rows.reopen(piece, mask, first, first_line)


def _positions(spool: Spool[Any]) -> Iterator[tuple[int, int, Any]]:
    """Pieces with the position of their first row among all rows, and the number that their line numbers count from."""
    first = 0
    for first_line, piece in spool.drain():
        yield first, first_line, piece
        first += piece.row_count


def _row(block: Any, row: int) -> Any:
    if hasattr(block, "rows"):
        return block.rows[row]
    return block.batch.slice(row, 1).to_pylist()[0]


def _number(numbers: Any, position: int) -> int:
    if isinstance(numbers, bytes):
        return int.from_bytes(numbers[8 * position : 8 * position + 8], "little")
    return int(numbers[position])


def make_groups(grouping: Grouping) -> Any:
    """Return the native state that finds the groups of a deduplicator."""
    if grouping.kind == "equal":
        return _native.DigestGroups()
    if grouping.kind == "bands":
        return _native.BandGroups(grouping.bands)
    return _native.HammingGroups(grouping.distance)
