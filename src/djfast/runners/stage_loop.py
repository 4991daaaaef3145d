"""The loop of a run in one process: read, run a stage's program, wait for global answers, go on.

What answers them is imported where a plan needs it: most plans have one stage, and nothing waits.
"""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from djfast import _native
from djfast.declare import Selection
from djfast.errors import SchemaError
from djfast.io.durable import written_whole
from djfast.io.write.results import Result
from djfast.logs import logger
from djfast.plan.bind import BoundStage, Watcher
from djfast.plan.steps import Group, Plan, Select, Survey
from djfast.runners.memory import LARGEST_WINDOW, working_set
from djfast.runners.progress import Progress, Share, phase_of_pass, phase_of_waiting
from djfast.runners.rejected import RejectedRows
from djfast.runners.report import Tally
from djfast.runners.stage_work import Done, PassWork, StageWork, empty_piece, rejected_rows
from djfast.runners.workers import in_order

if TYPE_CHECKING:
    from djfast.io.intake import Intake
    from djfast.rows.carrier import Block, Carrier, Piece
    from djfast.rows.json_rows import JsonPiece
    from djfast.runners.spool import Spool
    from djfast.runners.worker_processes import WorkerProcesses


_LOG = logger("run")


class StageLoop:
    """Runs the stages of a plan over rows, in one process and in the order of the rows.

    Parameters
    ----------
    plan, stages
        What to run, and its bound stages.
    rows : JsonRows, FileRows, TableRows or ListRows
        Where rows come from and how they are carried.
    result : Result
        Where rows go.
    threads : int
        Threads that run programs.
    rejected : RejectedRows
        Where bad rows go.
    spool_folder : str or None
        Where rows wait on disk; None keeps them in memory.
    window_bytes : int
        Bytes of waiting rows that stay in memory.
    working_bytes : int or None
        Bytes that batches take together on their way; None is no limit.
    key_bytes : int or None
        Bytes of keys of deduplicators that stay in memory; None is no limit.
    intake : Intake or None
        Knows how much of the input is read, where somebody wants to.
    watcher : Watcher or None
        Is told what is worked on.
    processes : WorkerProcesses or None
        Run the stages that keep the interpreter's lock.
    """

    def __init__(
        self,
        plan: Plan,
        stages: list[BoundStage],
        rows: Carrier,
        result: Result,
        *,
        threads: int,
        rejected: RejectedRows,
        progress: Progress,
        spool_folder: str | None,
        window_bytes: int = LARGEST_WINDOW,
        working_bytes: int | None = None,
        key_bytes: int | None = None,
        watcher: Watcher | None = None,
        intake: Intake | None = None,
        processes: WorkerProcesses | None = None,
    ) -> None:
        self.plan = plan
        self.stages = stages
        self.rows = rows
        self.result = result
        self.threads = threads
        self.rejected = rejected
        self.progress = progress
        self.spool_folder = spool_folder
        self.window_bytes = window_bytes
        self.working_bytes = working_bytes
        self.key_bytes = key_bytes
        self.watcher = watcher
        self.intake = intake
        self.processes = processes
        self.tally = Tally(plan.op_names)
        self.rows_written = 0
        self._pass = 0
        self._rows_done = self._rows_to_do = 0  # of those that waited for the present pass
        self._compared: Share = lambda: None  # how much of what rows wait for is done

    def run(self) -> None:
        """Run all stages."""
        with contextlib.ExitStack() as begun:  # where it ends early, no thread goes on with what was begun
            self._run(begun)

    def _run(self, begun: contextlib.ExitStack) -> None:
        layouts = self.rows.layouts(self.plan)
        source = self.rows.items() if self.intake is None else self.intake.blocks(self.rows.items())
        self.progress.update(self.tally)
        for position, run in enumerate(self.plan.passes()):
            self._pass = position
            self._enter_pass(position, self._share_done if position else self._share_read)
            bound = self.stages[run.stop - 1]
            is_last = run.stop == len(self.stages)
            spool: Spool[Piece] | None = None
            if bound.stage.waits:
                from djfast.runners.spool import Spool

                spool = Spool(self.spool_folder, self.rows.piece.unpack, window_bytes=self.window_bytes)
            prepare = spool.prepare if spool else None
            works = [StageWork(self.stages[number], layouts[number], self.rows, self.watcher) for number in run]
            run_stage = None if self.processes is None else self.processes.runner(run, works, self.rows)
            work = PassWork(works, self.rows, run_stage=run_stage, prepare=prepare)
            _log_pass(self.plan, run)
            done = begun.enter_context(contextlib.closing(self._batches(source, work, is_first=run.start == 0)))
            if spool is None:
                for each, first_line in done:
                    # Numbers are made for results only that ask for them.
                    self._emit(each.piece.counted_from(first_line) if self.result.names_rows else each.piece)
                continue
            if bound.stage.group:
                source = self._passed_on(self._group(done, bound.stage.group, spool), is_last=is_last)
                continue
            if bound.stage.survey:
                following = self.stages[run.stop]
                following.frequent.update(self._survey(done, bound.stage.survey, spool))
                source = self._passed_on(iter(spool.drain()), is_last=False)
                continue
            if bound.stage.select and bound.stage.select.selection.kind in ("numbered", "written"):
                self._select(done, bound.stage.select, spool)
                source = self._attended(spool, bound.stage.select.selection)
                continue
            if bound.stage.select:
                from djfast.runners.selection import is_ascending, mask_of

                order, row_bytes = self._select(done, bound.stage.select, spool)
                if not is_ascending(order):
                    from djfast.runners.reorder import reordered

                    pieces = reordered(
                        spool, order, row_bytes, self.rows.piece, self.spool_folder, window_bytes=self.window_bytes
                    )
                    source = self._passed_on(pieces, is_last=is_last)
                    continue
                mask = mask_of(order, len(row_bytes))
            else:
                mask = self._deduplicate(done, bound, spool)
            source = self._kept(spool, mask, is_last=is_last)
        if self.rows_written == 0:
            if (piece := empty_piece(self.plan, self.stages, self.rows)) is not None:
                self._emit(piece)
            elif self.result.names_rows and self.rows.columns() is None:
                self.result.expect(self.rows.first_columns, as_lines=True)

    def _let_go(self) -> None:
        """Make threads leave what takes long."""
        if self.watcher is not None:
            self.watcher.let_go()
        if self.processes is not None:
            self.processes.close()

    def _emit(self, piece: Piece) -> None:
        self.rows_written += piece.row_count
        self.result.write(piece)

    def _batches(self, source: Iterator[Block], work: PassWork, *, is_first: bool) -> Generator[tuple[Done, int], None, None]:
        """Run one stage over all blocks, in order, and account for rows. Yields batches and their first line numbers."""
        base = 0
        file: Any = None
        factor = working_set(self.plan)
        weigh = None if self.working_bytes is None else lambda block: int(block.byte_count) * factor
        limit = self.working_bytes or 0
        for done in in_order(source, work.run, threads=self.threads, weigh=weigh, most_weight=limit, let_go=self._let_go):
            if done.file != file:
                file, base = done.file, 0
                _LOG.debug("rows of %s", file)
            for row in rejected_rows(done, self.plan, base):
                self.rejected.add(row)
            self.tally.rejected = self.rejected.count
            if is_first:
                self.tally.rows_read += done.row_count
                self.tally.bytes_read += done.byte_count
            self.tally.add_batch(work.local_ops, done.readable, done.counts, done.short_texts)
            self._rows_done += done.row_count
            yield done, done.first_line(base)
            base += done.line_count
        if work.waits:
            self.progress.enter(phase_of_waiting(self._pass), self._compared)

    def _enter_pass(self, number: int, share: Share) -> None:
        """Show another pass over the rows, or the writing of those that waited."""
        self._compared = lambda: None
        self._rows_done = 0
        if number:
            before = self.plan.stages[self.plan.passes()[number - 1].stop - 1]
            self._rows_to_do = self.tally.rows_out[before.waiting_ops[-1]]
        self.progress.enter(phase_of_pass(number), share)

    def _share_read(self) -> float | None:
        return None if self.intake is None else self.intake.share_of(self.tally.bytes_read, self.tally.rows_read)

    def _share_done(self) -> float | None:
        return self._rows_done / self._rows_to_do if self._rows_to_do else None

    def _share_written(self) -> float | None:
        return self.rows_written / self._rows_to_do if self._rows_to_do else None

    def _deduplicate(self, done: Iterator[tuple[Done, int]], bound: BoundStage, spool: Spool[Piece]) -> bytes:
        """Collect keys while rows wait, then find the rows that stay."""
        from djfast.runners.keyed_groups import KeyedGroups, make_groups

        dedups = bound.stage.dedups
        groups = [make_groups(dedup.rule) for dedup in dedups]
        total = 0
        with KeyedGroups(groups, folder=self.spool_folder, most_bytes=self.key_bytes) as keyed:
            self._compared = keyed.share_resolved
            for each, first_line in done:
                if each.piece_rows == 0:
                    continue
                keyed.add(each.keys, each.piece_rows)
                spool.append(each.piece, first_line)
                total += each.piece_rows
            mask = b"\x01" * total
            for number, dedup in enumerate(dedups):
                before = mask.count(1)
                mask = keyed.resolve(number, mask)
                self.tally.add_op(dedup.op, before, mask.count(1))
        return mask

    def _select(
        self, done: Iterator[tuple[Done, int]], select: Select, spool: Spool[Piece]
    ) -> tuple[Sequence[int], Sequence[int]]:
        """Collect values while rows wait, then choose; return the chosen rows in their order, and the bytes of all rows."""
        from djfast.runners.selection import chosen, values_for

        name = self.plan.ops[select.op].spec.name
        values = values_for(select.selection, select.field)
        row_bytes = array("Q")
        rows_in = 0
        has_field = False
        for each, first_line in done:
            if each.compared is None:
                continue  # an earlier stage of the pass dropped all rows of the batch
            rows_in += each.compared.rows_in
            has_field = has_field or each.compared.has_field
            if each.piece_rows == 0:
                continue
            try:
                values.add(each.compared.values)
            except SchemaError as error:
                raise SchemaError(f"{name}: {error}") from None
            row_bytes.extend(each.compared.row_bytes)
            spool.append(each.piece, first_line)
        if len(values) > 1 and not has_field and select.slot >= 0:
            raise SchemaError(f"{name}: no row has the field '{select.field}'")
        order = chosen(select.selection, values)
        self.tally.add_op(select.op, rows_in, len(order))
        return order, row_bytes

    def _survey(self, done: Iterator[tuple[Done, int]], survey: Survey, spool: Spool[Piece]) -> array[int]:
        """Count numbers while rows wait, and return the frequent ones."""
        counts = _native.KeyCounts()
        rows = 0
        for each, first_line in done:
            if each.piece_rows == 0:
                continue
            counts.add(each.keys[0][0])
            spool.append(each.piece, first_line)
            rows += each.piece_rows
        self.tally.add_op(survey.op, rows, rows)
        from djfast.runners.survey import frequent_numbers

        return frequent_numbers(counts, survey, rows)

    def _group(self, done: Iterator[tuple[Done, int]], group: Group, spool: Spool[Piece]) -> Iterator[Piece]:
        """Collect the keys of groups while rows wait, then join the rows of each group."""
        from djfast.runners.grouping import Groups, joined
        from djfast.runners.reorder import reordered

        groups = Groups()
        row_bytes = array("Q")
        for each, first_line in done:
            if each.compared is None or each.piece_rows == 0:
                continue  # where an earlier stage of the pass dropped all rows of a batch, nobody looked at keys
            groups.add(each.compared.values)  # type: ignore[arg-type]
            row_bytes.extend(each.compared.row_bytes)
            spool.append(each.piece, first_line)
        sizes = groups.sizes()
        self.tally.add_op(group.op, len(row_bytes), len(sizes))
        pieces = reordered(
            spool, groups.order(), row_bytes, self.rows.piece, self.spool_folder, window_bytes=self.window_bytes
        )
        return joined(cast("Iterator[JsonPiece]", pieces), sizes)

    def _kept(self, spool: Spool[Piece], mask: bytes, *, is_last: bool) -> Iterator[Block]:
        """Write the rows whose byte is set, or make them the input of the next stage."""
        if is_last:
            self._enter_pass(self._pass + 1, self._share_written)
            for first, piece in _positions(spool):
                self._emit(piece.select(mask, first))
            return iter(())
        return (
            self.rows.reopen(piece, mask, first)
            for first, piece in _positions(spool)
            if mask.count(1, first, first + piece.row_count)
        )

    def _attended(self, spool: Spool[Piece], selection: Selection) -> Iterator[Block]:
        """Make rows the input of the next stage, numbered or written to a file on their way."""
        from pathlib import Path

        from djfast.runners.row_files import write_rows

        path = selection.path
        with written_whole(Path(path), setting="its parameter") if path else contextlib.nullcontext() as file:
            for first, piece in _positions(spool):
                block = self.rows.reopen(piece, b"\x01" * piece.row_count, 0)
                if file is not None:
                    write_rows(file, piece, selection)
                yield block if selection.number_key is None else block.numbered(selection.number_key, first)

    def _passed_on(self, pieces: Iterator[Piece], *, is_last: bool) -> Iterator[Block]:
        """Write pieces, or make them the input of the next stage."""
        if is_last:
            self._enter_pass(self._pass + 1, self._share_written)
            for piece in pieces:
                self._emit(piece)
            return iter(())
        return (self.rows.reopen(piece, b"\x01" * piece.row_count, 0) for piece in pieces)


def _log_pass(plan: Plan, run: range) -> None:
    """Tell those who listen what all rows go through now."""
    ops = [op for number in run for op in (*plan.stages[number].local_ops, *plan.stages[number].waiting_ops)]
    passes = plan.passes()
    names = ", ".join(plan.ops[op].spec.name for op in ops) or "no OP"
    _LOG.info("pass %s of %s: %s", passes.index(run) + 1, len(passes), names)


def _positions(spool: Spool[Piece]) -> Iterator[tuple[int, Piece]]:
    """Pieces with the position of their first row among all rows."""
    first = 0
    for piece in spool.drain():
        yield first, piece
        first += piece.row_count
