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


class _Done(NamedTuple):
    """What a worker hands back of one batch."""

    block: Any
    piece: Any  # as rows, or compressed for the spool
    piece_rows: int
    keys: list[tuple[bytes, bytes | None]]
    row_count: int
    line_count: int
    counts: list[tuple[int, int, int, int]]
    rejections: list[tuple[int, int, int, str, bytes | None]]


class StageLoop:
    """Runs the stages of a plan over rows.

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
            done = self._batches(source, bound, layout, spool, is_first=number == 0)
            if spool is None:
                for each in done:
                    self._emit(each.piece)
                continue
            mask = self._deduplicate(done, bound, spool)
            if is_last:
                for first, piece in _positions(spool):
                    self._emit(piece.select(mask, first))
            else:
                source = self._reopened(spool, mask)

    def _emit(self, piece: Any) -> None:
        self.rows_written += piece.row_count
        self.result.write(piece)
        self.progress.update(self.tally)

    def _batches(
        self, source: Iterator[Any], bound: BoundStage, layout: Any, spool: Spool[Any] | None, *, is_first: bool
    ) -> Iterator[_Done]:
        """Run one stage's program over all blocks, in order, and account for rows."""
        work = self._worker(bound, layout, spool)
        base = 0
        file: Any = None
        for done in in_order(source, work, threads=self.threads):
            if done.block.file != file:
                file, base = done.block.file, 0
            for row in sorted(done.rejections, key=lambda entry: entry[0]):
                self.rejected.add(self._rejected(row, done.block, base))
            unreadable = sum(1 for _, _, op, _, _ in done.rejections if op < 0)
            if is_first:
                self.tally.rows_read += done.row_count
                self.tally.bytes_read += done.block.byte_count
            self.tally.add_batch(bound.stage.local_ops, done.row_count - unreadable, done.counts)
            base += done.line_count
            yield done
            self.progress.update(self.tally)

    def _worker(self, bound: BoundStage, layout: Any, spool: Spool[Any] | None) -> Callable[[Any], _Done]:
        stage = bound.stage
        rows = self.rows

        def work(block: Any) -> _Done:
            batch = rows.open(block, stage)
            bound.run(batch)
            keys = [batch.keys(dedup.slot) for dedup in stage.dedups]
            piece = rows.close(block, batch, layout)
            if spool is not None:
                piece = spool.prepare(piece)
            return _Done(block, piece, batch.alive_count, keys, batch.row_count, batch.line_count, batch.counts, batch.rejections)

        return work

    def _rejected(self, entry: tuple[int, int, int, str, bytes | None], block: Any, base: int) -> Rejected:
        row, number, op, reason, line = entry
        place = base + number if block.numbers is None else _number(block.numbers, number)
        name = self.plan.ops[op].spec.name if op >= 0 else "read"
        return Rejected(name, op, reason, block.file, place + 1, self._row(block, row) if line is None else line)

    @staticmethod
    def _row(block: Any, row: int) -> Any:
        if hasattr(block, "rows"):
            return block.rows[row]
        return block.batch.slice(row, 1).to_pylist()[0]

    def _deduplicate(self, done: Iterator[_Done], bound: BoundStage, spool: Spool[Any]) -> bytes:
        """Collect keys while rows wait, then find the rows that stay."""
        dedups = bound.stage.dedups
        groups = [make_groups(dedup.grouping) for dedup in dedups]
        total = 0
        for each in done:
            count = each.piece_rows
            if count == 0:
                continue
            for group, (keys, present) in zip(groups, each.keys):
                group.add(keys, count, present)
            spool.append(each.piece)
            total += count
        mask = b"\x01" * total
        for dedup, group in zip(dedups, groups):
            before = mask.count(1)
            mask = group.resolve(mask)
            self.tally.add_op(dedup.op, before, mask.count(1))
        return mask

    def _reopened(self, spool: Spool[Any], mask: bytes) -> Iterator[Any]:
        for first, piece in _positions(spool):
            if _kept(mask, first, piece.row_count):
                yield self.rows.reopen(piece, mask, first)


def _positions(spool: Spool[Any]) -> Iterator[tuple[int, Any]]:
    first = 0
    for piece in spool.drain():
        yield first, piece
        first += piece.row_count


def _kept(mask: bytes, first: int, count: int) -> int:
    return mask.count(1, first, first + count)


def _number(numbers: Any, position: int) -> int:
    if isinstance(numbers, bytes):
        return int.from_bytes(numbers[4 * position : 4 * position + 4], "little")
    return int(numbers[position])


def make_groups(grouping: Grouping) -> Any:
    """Return the native state that finds the groups of a deduplicator."""
    if grouping.kind == "equal":
        return _native.DigestGroups()
    if grouping.kind == "bands":
        return _native.BandGroups(grouping.bands)
    return _native.HammingGroups(grouping.distance)
