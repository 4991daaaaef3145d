"""The loop that every runner shares: read, run a stage's program, wait for global answers, go on."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import lt
from typing import Any, NamedTuple

from djfast import _native
from djfast.declare import Grouping
from djfast.errors import SchemaError
from djfast.io.origins import Origins
from djfast.io.results import Result
from djfast.plan.bind import BoundStage
from djfast.plan.steps import Plan, Select
from djfast.runners.progress import Progress
from djfast.runners.rejected import Rejected, RejectedRows
from djfast.runners.reorder import reordered
from djfast.runners.report import Tally
from djfast.runners.selection import Value, chosen, read_values, values_for
from djfast.runners.spool import Spool
from djfast.runners.workers import in_order


class _Compared(NamedTuple):
    """What a selector saw of one batch."""

    rows_in: int
    has_field: bool
    values: Sequence[Value]  # of the rows that can be compared
    row_bytes: Sequence[int]


class _Done(NamedTuple):
    """What a worker hands back of one batch."""

    block: Any
    piece: Any  # as rows, or compressed for the spool
    piece_rows: int
    keys: list[tuple[bytes, bytes | None]]
    compared: _Compared | None
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
    rows : JsonRows, ArrowRows or ListRows
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
            if bound.stage.dedups or bound.stage.select:
                spool = Spool(self.spool_folder, self.rows.piece.unpack)
            done = self._batches(source, bound, layout, spool, is_first=number == 0)
            if spool is None:
                for each in done:
                    self._emit(each.piece)
                continue
            if bound.stage.select:
                order, row_bytes = self._select(done, bound.stage.select, spool)
                if not _is_ascending(order):
                    pieces = reordered(spool, order, row_bytes, self.rows.piece, self.spool_folder)
                    source = self._passed_on(pieces, is_last=is_last)
                    continue
                mask = _mask(order, len(row_bytes))
            else:
                mask = self._deduplicate(done, bound, spool)
            source = self._kept(spool, mask, is_last=is_last)

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
            compared = None if stage.select is None else _compare(batch, stage.select)
            piece = rows.close(block, batch, layout)
            if compared is not None:
                compared = compared._replace(row_bytes=piece.row_bytes())
            if spool is not None:
                piece = spool.prepare(piece)
            return _Done(
                block, piece, batch.alive_count, keys, compared, batch.row_count, batch.line_count, batch.counts, batch.rejections
            )

        return work

    def _rejected(self, entry: tuple[int, int, int, str, bytes | None], block: Any, base: int) -> Rejected:
        row, number, op, reason, line = entry
        place = base + number if block.numbers is None else _number(block.numbers, number)
        name = self.plan.ops[op].spec.name if op >= 0 else "read"
        file = Origins(block.file).of((number,))
        return Rejected(name, op, reason, file, place + 1, self._row(block, row) if line is None else line)

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

    def _select(self, done: Iterator[_Done], select: Select, spool: Spool[Any]) -> tuple[Sequence[int], Sequence[int]]:
        """Collect values while rows wait, then choose; return the chosen rows in their order, and the bytes of all rows."""
        name = self.plan.ops[select.op].spec.name
        values = values_for(select.selection, select.field)
        row_bytes = array("Q")
        rows_in = 0
        has_field = False
        for each in done:
            assert each.compared is not None
            rows_in += each.compared.rows_in
            has_field = has_field or each.compared.has_field
            if each.piece_rows == 0:
                continue
            try:
                values.add(each.compared.values)
            except SchemaError as error:
                raise SchemaError(f"{name}: {error}") from None
            row_bytes.extend(each.compared.row_bytes)
            spool.append(each.piece)
        if len(values) > 1 and not has_field and select.slot >= 0:
            raise SchemaError(f"{name}: no row has the field '{select.field}'")
        order = chosen(select.selection, values)
        self.tally.add_op(select.op, rows_in, len(order))
        return order, row_bytes

    def _kept(self, spool: Spool[Any], mask: bytes, *, is_last: bool) -> Iterator[Any]:
        """Write the rows whose byte is set, or make them the input of the next stage."""
        if is_last:
            for first, piece in _positions(spool):
                self._emit(piece.select(mask, first))
            return iter(())
        return (
            self.rows.reopen(piece, mask, first)
            for first, piece in _positions(spool)
            if mask.count(1, first, first + piece.row_count)
        )

    def _passed_on(self, pieces: Iterator[Any], *, is_last: bool) -> Iterator[Any]:
        """Write pieces, or make them the input of the next stage."""
        if is_last:
            for piece in pieces:
                self._emit(piece)
            return iter(())
        return (self.rows.reopen(piece, b"\x01" * piece.row_count, 0) for piece in pieces)


def _compare(batch: _native.Batch, select: Select) -> _Compared:
    """Read the values that a selector compares; rows whose value cannot be compared leave the batch."""
    rows = batch.alive
    if select.slot < 0:
        return _Compared(len(rows), True, [None] * len(rows), ())
    fields = batch.values(select.slot)
    values, errors = read_values(fields, select.selection)
    if errors:
        batch.reject([(rows[at], f"field '{select.field}': {reason}") for at, reason in errors], select.op)
    return _Compared(len(rows), any(fields), values, ())


def _is_ascending(order: Sequence[int]) -> bool:
    return isinstance(order, range) or all(map(lt, order, islice(order, 1, None)))


def _mask(rows: Sequence[int], count: int) -> bytes:
    mask = bytearray(count)
    for row in rows:
        mask[row] = 1
    return bytes(mask)


def _positions(spool: Spool[Any]) -> Iterator[tuple[int, Any]]:
    first = 0
    for piece in spool.drain():
        yield first, piece
        first += piece.row_count


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
