"""Runs a recipe as a job: splits through stages into parts, global answers, and one merge in the order of the input.

Every rank does the same: it takes splits from rank 0's desk until there are none, tells the others what it wrote, and goes
on to the next stage. What is finished stands in the journal, so an attempt that follows an interrupted one, or that goes on
without a lost rank, is the same procedure with less to do.
"""

from __future__ import annotations

import json
import os
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from djfast.errors import InternalError, Preempted, RecipeError
from djfast.io.durable import sync_file, writing
from djfast.io.files import InputFile, file_size
from djfast.io.results import rejected_path
from djfast.io.splits import Split, default_split_bytes, splits_of
from djfast.plan.bind import BoundStage, bind_plan
from djfast.plan.steps import Plan, Select, Stage
from djfast.ranks import RankLost, Ranks
from djfast.recipe.load import Recipe
from djfast.runners.job.desk import NO_MORE, STOP, Desk
from djfast.runners.job.folder import Attempt, JobFolder, identity_of
from djfast.runners.job.journal import AnswerEntry, DoneEntry, Journal, PartEntry, SuspectEntry, file_bytes
from djfast.runners.job.merge import Output, merge_alone, merge_together
from djfast.runners.job.metrics import Metrics
from djfast.runners.job.parts import PartFile, PartWriter
from djfast.runners.job.places import Places, worker_count
from djfast.runners.job.selecting import Mover, bucket_pieces, choose, read_order, write_order
from djfast.runners.job.stopping import EXIT_RESUMABLE, Stopping
from djfast.runners.job.survivors import answer_alone, answer_together, owned, read_mask, write_masks
from djfast.runners.local import fatal_ops, input_files, plan_recipe, rows_of, with_side_files, write_run_json
from djfast.runners.memory import budget_of, key_bytes_of
from djfast.runners.progress import Progress
from djfast.runners.rejected import Rejected, RejectedRows, RowMember
from djfast.runners.reorder import cuts_of
from djfast.runners.report import RankReport, Report, Tally
from djfast.runners.spool import packed
from djfast.runners.stage_loop import is_ascending, mask_of
from djfast.runners.stage_work import Done, PassWork, StageWork, empty_piece, rejected_rows
from djfast.runners.watch import Suspect, Watch
from djfast.runners.workers import in_order

_NEWS_SECONDS = 1.0


class _Start(NamedTuple):
    """What rank 0 finds when an attempt begins, and tells the others."""

    files: list[InputFile]
    splits: list[Split]
    attempt: Attempt
    lines: str  # of the journal
    is_complete: bool  # the result is there already


class Job:
    """A recipe on ranks.

    Parameters
    ----------
    recipe : Recipe
    ranks : Ranks
    progress : Progress
        Shows all ranks, on rank 0.
    stopping : Stopping
        Whether this process was asked to stop.
    is_fresh : bool
        Start over, whatever the job's folder holds.
    may_exit : bool
        This process is there for the job only: it ends when a row takes longer than ``row_timeout``.
    """

    def __init__(
        self,
        recipe: Recipe,
        ranks: Ranks,
        *,
        progress: Progress,
        stopping: Stopping,
        is_fresh: bool = False,
        may_exit: bool = False,
    ) -> None:
        self.recipe = recipe
        self.ranks = ranks
        self.device_ranks = _device_ranks(recipe, ranks)
        self.plan: Plan = plan_recipe(recipe, has_devices=bool(self.device_ranks))
        self.stages: list[BoundStage] = bind_plan(self.plan)
        self.passes = self.plan.passes()
        self.budget = budget_of(recipe.settings, workers=worker_count(int(recipe.settings["np"]), ranks))
        self.folder = JobFolder.of(recipe)
        self.journal = Journal(self.folder.path, "", self.folder.writer)
        self._progress = progress
        self._stopping = stopping
        self._is_fresh = is_fresh
        self._may_exit = may_exit
        self._was_refused = False  # the desk gave no split, as a rank must stop
        self._told_to_stop = False
        self._names = [op.spec.name for op in self.plan.ops]
        self._is_fatal = fatal_ops(self.plan, skips_errors=bool(recipe.settings["skip_op_error"]))
        self._started = time.monotonic()
        self._waited = 0.0
        self._before = Tally(self._names)  # what this process did in other passes and attempts
        self._phase = 0
        self._mine = Tally(self._names)  # in this pass
        self._next_news = 0.0

    def run(self) -> Report | None:
        """Run the job to its end. Rank 0 returns the report, the others None.

        Raises
        ------
        Preempted
            When a rank was asked to stop. What is finished is kept.
        RankLost
            When a rank is gone and the MPI library cannot go on without it.
        ResumeError, InputError, TooManyErrors, ...
            As a run without ranks does.
        """
        while True:
            try:
                return self._attempt()
            except RankLost:
                if not self.ranks.can_regroup:
                    raise
                self.ranks.stop_serving()
                self.ranks = self.ranks.regroup()
                self.device_ranks = _last_ranks(min(len(self.device_ranks), self.ranks.size - 1), self.ranks)
                if self.ranks.rank == 0:
                    self._progress.note(f"a rank was lost; {self.ranks.size} go on")
            except OSError:
                # What is missing or in the way may be the work of another run, and that is what must be said then.
                if self.folder.attempt is not None:
                    self.folder.check_owned()
                raise
            finally:
                self.journal.close()

    def _attempt(self) -> Report | None:
        start = self._begin()
        if start.is_complete:
            return self._report_again() if self.ranks.rank == 0 else None
        self.files = start.files
        self.splits = start.splits
        self.rows = rows_of(self.files, self.recipe, self.budget.batch_bytes)
        desk = None
        if self.ranks.rank == 0:
            self.folder.note_splits(len(self.splits))
            desk = self._open_desk()
            self.ranks.serve(desk.answer)
        try:
            for number, run in enumerate(self.passes):
                self._run_pass(number, run, desk)
                if self._waits(number) and number not in self.journal.answers:
                    self._answer(number)
                if self._is_moved(number):
                    self._move(number, desk)
        finally:
            self.ranks.stop_serving()
        report = self._merge()
        self.ranks.gather_all(b"")  # nobody leaves before the result is there
        return report

    def _begin(self) -> _Start:
        """Agree on input and splits, and on what is finished already."""
        body = b""
        if self.ranks.rank == 0:
            body = json.dumps(self._look_around()).encode()
        files, splits, attempt, lines, is_complete = json.loads(self.ranks.gather_all(body)[0])
        self._is_fresh = False
        start = _Start(
            [InputFile(*file) for file in files], [Split(*split) for split in splits], Attempt(*attempt), lines, is_complete
        )
        self.folder.join(start.attempt)
        self.journal = Journal(self.folder.path, start.attempt.job, self.folder.writer)
        self.journal.take_lines([lines.encode()])
        self._masks: dict[int, dict[int, list[Any]]] = {}
        return start

    def _look_around(self) -> _Start:
        """Find input and splits, and what is finished, on rank 0."""
        if self._is_fresh:
            self.folder.clear()
        files = input_files(self.recipe)
        identity = identity_of(self.recipe, self.plan, files)
        wanted = self.recipe.settings["split_bytes"] or default_split_bytes(sum(file_size(file.path) for file in files))
        attempt = self.folder.open(identity, split_bytes=int(wanted))
        journal = self.folder.journal()
        is_complete = journal.done is not None and self._is_complete(journal.done)
        if journal.done is not None and not is_complete:
            self._progress.note("the result of the finished job is not there as it was: starting over")
            self.folder.clear()
            attempt = self.folder.open(identity, split_bytes=int(wanted))
            journal = self.folder.journal()
        return _Start(files, splits_of(files, attempt.split_bytes), attempt, journal.all_lines().decode(), is_complete)

    def _is_complete(self, done: DoneEntry) -> bool:
        """Tell whether a finished job's result is what this recipe asks for, and still there."""
        return done.export == self._export() and all(file_bytes(path) == size for path, size in done.files)

    def _export(self) -> list[Any]:
        """Return the settings that decide how the result is written."""
        settings = self.recipe.settings
        return [os.path.abspath(str(settings["export_path"])), settings["export_format"], settings["export_shard_size"]]

    def _report_again(self) -> Report:
        """Return the report of a job that was complete before this attempt."""
        assert self.journal.done is not None
        self.folder.remove_parts()
        report = Report.of(self.journal.done.report)
        return report._replace(notices=(*report.notices, "already complete, nothing was computed; --fresh runs it again"))

    def _open_desk(self) -> Desk:
        limit = self.recipe.settings["max_errors"]
        return Desk(
            self._names,
            self._progress,
            Metrics(self.folder.path / "metrics.prom"),
            most_rejected=limit if isinstance(limit, int) else None,
        )

    # Splits

    def _end(self, number: int) -> Stage:
        """Return the last stage of a pass, whose deduplicators or selector all rows wait for."""
        return self.stages[self.passes[number].stop - 1].stage

    def _waits(self, number: int) -> bool:
        return bool(self._end(number).dedups) or self._end(number).select is not None

    def _is_moved(self, number: int) -> bool:
        """Whether the selector of a pass gave rows a new order."""
        return number in self.journal.answers and bool(self.journal.answers[number].order)

    def _split_count(self, number: int) -> int:
        """Return the number of splits of a pass: of the input, or buckets of rows in a new order."""
        for earlier in range(number - 1, -1, -1):
            if self._is_moved(earlier):
                return len(self.journal.answers[earlier].cuts) - 1
        return len(self.splits)

    def _run_pass(self, number: int, run: range, desk: Desk | None) -> None:
        """Bring all splits through one pass."""
        if desk is not None:
            todo = [split for split in range(self._split_count(number)) if (number, split) not in self.journal.parts]
            desk.open(2 * number, todo, self._finished())
        self._hand_out(2 * number, lambda: self._run_splits(number, run))
        missing = [split for split in range(self._split_count(number)) if (number, split) not in self.journal.parts]
        if missing:
            raise InternalError(f"splits {missing[:5]} of pass {number} were not done by any rank")

    def _hand_out(self, phase: int, work: Callable[[], RankLost | None]) -> None:
        """Work on splits from the desk until there are none, and tell all ranks what was finished."""
        self._phase = phase
        self._before.add(self._mine)
        self._mine = Tally(self._names)
        with self._stopping.gently():
            lost = work()
            if lost is not None:
                raise lost
            stops = self._stopping.is_asked or self._was_refused
            news = json.dumps({"lines": self.journal.fresh_lines().decode(), "stops": stops}).encode()
            all_news = [json.loads(body) for body in self._waiting(lambda: self.ranks.gather_all(news, self._pass_stop_on))]
            self.journal.take_lines(each["lines"].encode() for each in all_news)
            if any(each["stops"] for each in all_news):
                if self.ranks.rank == 0:
                    self._write_rejected(final=False)
                raise Preempted(is_common=True)
        if self._stopping.is_asked:
            raise Preempted

    def _run_splits(self, number: int, stages: range) -> RankLost | None:
        """Work on splits until there are none. A lost rank is told at the end: what was begun is finished first."""
        layouts = self.rows.layouts(self.plan)
        threads = int(self.recipe.settings["np"])
        watch = self._watch()
        works = [StageWork(self.stages[stage], layouts[stage], self.rows, watch) for stage in stages]
        places = Places(self.ranks, works, self.rows, threads=threads, device_ranks=self.device_ranks)
        work = PassWork(works, self.rows, run_stage=places.run_stage, prepare=packed)
        lost: list[RankLost] = []
        writer: PartWriter | None = None

        def blocks() -> Iterator[tuple[int, Any]]:
            try:
                while not places.is_device and (split := self._next_split()) != NO_MORE:
                    for block in self._read(number, split):
                        yield split, block
                        self._stopping.check()
                    yield split, None
            except RankLost as error:
                lost.append(error)

        def run(item: tuple[int, Any]) -> tuple[int, Done | None]:
            split, block = item
            return split, None if block is None else work.run(block)

        try:
            for split, done in in_order(blocks(), run, threads=worker_count(threads, self.ranks)):
                if writer is None:
                    writer = PartWriter(self.folder.path, number, split, self.folder.writer, Tally(self._names))
                if done is not None:
                    self._add(writer, done, work)
                else:
                    self.folder.check_owned()
                    self.journal.append(writer.finish())
                    writer = None
                if not lost:
                    self._tell()
            if not lost:
                self._waiting(lambda: places.finish(self._pass_stop_on))
        except RankLost as error:
            lost.append(error)
        finally:
            if writer is not None:
                writer.abandon()
            places.close()
            if watch is not None:
                watch.close()
        return lost[0] if lost else None

    def _watch(self) -> Watch | None:
        if not self._may_exit:
            return None
        limit = float(self.recipe.settings["row_timeout"])

        def overdue(suspect: Suspect | None) -> None:
            what = "native code was on one batch"
            if suspect is not None:
                name = self._names[suspect.op]
                what = f"{name} was on one row, {suspect.excerpt}, which is set aside when the same command is run again,"
                self.journal.append(SuspectEntry(suspect.op, suspect.digest, round(suspect.seconds, 3)))
            print(f"djfast: error: {what} longer than the row_timeout of {limit:g} s", file=sys.stderr, flush=True)
            self.ranks.abort(EXIT_RESUMABLE)
            os._exit(EXIT_RESUMABLE)

        return Watch(limit, overdue, {(entry.op, entry.digest) for entry in self.journal.suspects})

    def _add(self, writer: PartWriter, done: Done, work: PassWork) -> None:
        for tally in (writer.tally, self._mine):
            tally.add_batch(work.local_ops, done.readable, done.counts)
        if writer.stage == 0:
            self._mine.rows_read += done.row_count
            self._mine.bytes_read += done.byte_count
        rows = list(rejected_rows(done, self.plan, writer.lines))
        self._mine.rejected += len(rows)
        writer.add(done, iter(rows), is_first_stage=writer.stage == 0)
        for row in rows:
            if self._is_fatal(row.op_index):
                RejectedRows(None, max_errors=None, is_fatal=self._is_fatal).add(row)

    def _read(self, number: int, split: int) -> Iterator[Any]:
        """Blocks of a split: of the input, or of what the stage before left."""
        if number == 0:
            yield from self.rows.read(self.splits[split])
            return
        for piece, mask, first in self._left(number - 1, split):
            if mask.count(1, first, first + piece.row_count):
                yield self.rows.reopen(piece, mask, first)

    def _left(self, number: int, split: int) -> Iterator[tuple[Any, bytes, int]]:
        """Rows that a pass left for a split of the next one, or for the result: pieces, a mask, and where they begin in it."""
        if self._is_moved(number):
            moved = [self.journal.moved[number, each] for each in range(self._split_count(number))]
            for piece in bucket_pieces(self.folder.path, moved, split, self.rows.piece):
                yield piece, b"\x01" * piece.row_count, 0
            return
        part = self._part(number, split)
        mask = self._mask(number, split) if self._waits(number) else b"\x01" * part.entry.rows
        first = 0
        for piece in part.pieces(self.rows.piece.unpack):
            yield piece, mask, first
            first += piece.row_count

    def _part(self, number: int, split: int) -> PartFile:
        return PartFile(self.folder.path, self.journal.parts[number, split])

    def _mask(self, number: int, split: int) -> bytes:
        if number not in self._masks:
            self._masks[number] = {entry[0]: entry for entry in self.journal.answers[number].masks}
        return read_mask(self.folder.path, self._masks[number][split])

    def _next_split(self) -> int:
        if self._stopping.is_asked:
            self._tell(at_once=True)
            return NO_MORE
        answer = int(self._waiting(lambda: self.ranks.ask(self._news(asks=True))))
        self._was_refused = answer == STOP
        return NO_MORE if self._was_refused else answer

    def _pass_stop_on(self) -> None:
        """While this rank waits for the others: if it was asked to stop, they should, too."""
        if self._stopping.is_asked and not self._told_to_stop:
            self._told_to_stop = True
            self._tell(at_once=True)
        self._stopping.check()

    def _tell(self, *, at_once: bool = False) -> None:
        """Tell rank 0 how far this rank is, now and then."""
        if at_once or time.monotonic() >= self._next_news:
            self._next_news = time.monotonic() + _NEWS_SECONDS
            self.ranks.tell(self._news(asks=False))

    def _news(self, *, asks: bool) -> bytes:
        news = {
            "stage": self._phase,
            "asks": asks,
            "stops": self._stopping.is_asked,
            "waited": self._waited,
            "tally": self._mine.to_record(),
        }
        return json.dumps(news).encode()

    def _waiting(self, wait: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            return wait()
        finally:
            self._waited += time.monotonic() - began

    # Global answers

    def _answer(self, number: int) -> None:
        """Find the rows that stay after a pass's deduplicators, or that its selector takes."""
        self.folder.check_owned()
        parts = [self._part(number, split) for split in range(self._split_count(number))]
        select = self._end(number).select
        if select is not None:
            self._select(number, select, parts)
            return
        dedups = self._end(number).dedups
        in_memory = sum(part.entry.rows for part in parts) * key_bytes_of([dedup.grouping for dedup in dedups])
        if self.ranks.size == 1 and in_memory <= self.budget.key_bytes:
            answer = answer_alone(dedups, parts)
        else:
            answer = answer_together(dedups, parts, self.ranks, budget=self.budget.key_bytes)
        path = f"parts/stage-{number}/{self.folder.writer}.masks"
        written = json.dumps(write_masks(answer.masks, self.folder.path, path)).encode()
        masks = [entry for body in self._waiting(lambda: self.ranks.gather_all(written)) for entry in json.loads(body)]
        entry = AnswerEntry(number, masks, [[d.op, *counts] for d, counts in zip(dedups, answer.counts)])
        if self.ranks.rank == 0:
            self.journal.append(entry)
        else:
            self.journal.answers[number] = entry

    def _select(self, number: int, select: Select, parts: list[PartFile]) -> None:
        rows_in, order = choose(select, parts, self.ranks, self._names[select.op])
        if self.ranks.rank == 0:
            ops = [[select.op, rows_in, len(order)]]
            begin = f"parts/stage-{number}/{self.folder.writer}"
            if is_ascending(order):
                mask = memoryview(mask_of(order, sum(part.entry.rows for part in parts)))
                masks = {}
                for split, part in enumerate(parts):
                    masks[split], mask = bytes(mask[: part.entry.rows]), mask[part.entry.rows :]
                written = write_masks(masks, self.folder.path, f"{begin}.masks")
                self.journal.append(AnswerEntry(number, written, ops))
            else:
                sizes = array("Q", (size for part in parts for each in part.compared() for size in each.row_bytes))
                cuts = [*cuts_of(order, sizes, self.budget.window_bytes), len(order)]
                write_order(order, self.folder.path / f"{begin}.order")
                self.journal.append(AnswerEntry(number, [], ops, f"{begin}.order", 8 * len(order), cuts))
        self.journal.take_lines(self._waiting(lambda: self.ranks.gather_all(self.journal.fresh_lines())))

    def _move(self, number: int, desk: Desk | None) -> None:
        """Write the rows of a pass bucket by bucket of their new order."""
        count = self._split_count(number)
        if desk is not None:
            todo = [split for split in range(count) if (number, split) not in self.journal.moved]
            desk.open(2 * number + 1, todo, self._finished())
        answer = self.journal.answers[number]
        firsts = [0, *accumulate(self.journal.parts[number, split].rows for split in range(count))]
        order = read_order(self.folder.path / answer.order)
        mover = Mover(self.folder.path, self.folder.writer, order, answer.cuts[:-1], firsts[-1])
        lines = self._lines_before(number)

        def work() -> RankLost | None:
            try:
                while (split := self._next_split()) != NO_MORE:
                    pieces = self._part(number, split).pieces(self.rows.piece.unpack)
                    counted = [piece.counted_from(lines[split]) for piece in pieces]
                    entry = mover.move(number, split, counted, firsts[split], self.rows.piece)
                    self.folder.check_owned()
                    self.journal.append(entry)
                    self._stopping.check()
            except RankLost as error:
                return error
            return None

        self._hand_out(2 * number + 1, work)

    def _lines_before(self, number: int) -> list[int]:
        """Lines of the same file before each split of a pass. Rows in a new order have numbers that count in their files."""
        if any(self._is_moved(earlier) for earlier in range(number)):
            return [0] * self._split_count(number)
        return _first_lines(self.splits, [self.journal.parts.get((0, split)) for split in range(len(self.splits))])

    # The end

    def _finished(self) -> Tally:
        """Return the counts of everything that is in the journal."""
        total = Tally(self._names)
        for part in self.journal.parts.values():
            total.add(Tally.of(self._names, part.tally))
        for answer in self.journal.answers.values():
            for op, rows_in, rows_out in answer.ops:
                total.add_op(op, rows_in, rows_out)
        return total

    def _merge(self) -> Report | None:
        """Write the result; rank 0 returns the report."""
        settings = self.recipe.settings
        self.folder.check_owned()
        export = str(settings["export_path"])
        if self.ranks.rank == 0:
            self.folder.remove_leftovers(os.path.dirname(export))
        rejected = self._write_rejected(final=True) if self.ranks.rank == 0 else None
        output = Output(export, str(settings["export_format"]), int(settings["export_shard_size"]), self.folder.mark())
        is_lines = output.is_lines and hasattr(self.rows.piece, "lines")
        if is_lines and self.ranks.size > 1:
            share = owned(self._rows_left(), self.ranks)[self.ranks.rank]
            scratch = self.folder.path / "parts" / f"merge-{self.folder.mark()}"
            paths, written = merge_together(self._pieces(share), output, self.ranks, scratch, self.folder.check_owned)
        elif self.ranks.rank == 0:
            paths, written = merge_alone(self._all_pieces(), output, self.folder.check_owned)
        mine = RankReport(
            self.ranks.rank,
            self._before.rows_read + self._mine.rows_read,
            self._before.bytes_read + self._mine.bytes_read,
            round(time.monotonic() - self._started, 3),
            round(self._waited, 3),
        )
        reports = [RankReport(*json.loads(body)) for body in self.ranks.gather_all(json.dumps(mine).encode())]
        self._progress.clear()
        if rejected is None:
            return None
        total = self._finished()
        report = Report(
            rows_read=total.rows_read,
            rows_written=written,
            rows_rejected=rejected.count,
            bytes_read=total.bytes_read,
            seconds=round(time.monotonic() - self._started, 6),
            threads=int(settings["np"]),
            ops=total.ops(rejected.by_op),
            export_paths=tuple(paths),
            stats_path=None,
            rejected_path=None,
            notices=(*self.recipe.notices, *self.plan.notices),
            ranks=tuple(reports),
        )
        report = with_side_files(report, self.plan, output.path)
        with writing(self.folder.path.parent / "run.json", setting="work_dir"):
            write_run_json(self.folder.path.parent / "run.json", self.recipe, self.files, report)
        self._finish(report)
        return report

    def _finish(self, report: Report) -> None:
        """Journal that the job is complete, when its result is sure to survive a crash, and clean up."""
        paths = [os.path.abspath(path) for path in (*report.export_paths, report.stats_path) if path and os.path.exists(path)]
        for path in paths:
            sync_file(path)
        self.journal.append(DoneEntry([[path, file_bytes(path)] for path in paths], self._export(), report.to_dict()))
        # An attempt that began before that line was written does not know it, and still needs the parts.
        self.folder.check_owned()
        self.folder.remove_parts()

    def _all_pieces(self) -> Iterator[Any]:
        """All rows of the result, at least their columns."""
        rows = 0
        for piece in self._pieces(range(self._split_count(len(self.passes)))):
            rows += piece.row_count
            yield piece
        if rows == 0 and (piece := empty_piece(self.plan, self.stages, self.rows)) is not None:
            yield piece

    def _pieces(self, splits: Sequence[int]) -> Iterator[Any]:
        """Rows of the result from some parts of the last pass."""
        last = len(self.passes) - 1
        is_masked = self._waits(last) and not self._is_moved(last)
        for split in splits:
            for piece, mask, first in self._left(last, split):
                yield piece.select(mask, first) if is_masked else piece
                self._stopping.check()

    def _rows_left(self) -> list[int]:
        """Rows of each split of the result, about."""
        last = len(self.passes) - 1
        if self._is_moved(last):
            return [end - begin for begin, end in pairwise(self.journal.answers[last].cuts)]
        return [self.journal.parts[last, split].rows for split in range(self._split_count(last))]

    def _write_rejected(self, *, final: bool) -> RejectedRows:
        """Write the rejected rows of all finished parts, in the order of a run without ranks."""
        path = rejected_path(str(self.recipe.settings["export_path"]))
        limit = self.recipe.settings["max_errors"]
        rows = RejectedRows(
            path, max_errors=limit, is_fatal=self._is_fatal, temporary=f"{path}.tmp-{self.folder.mark()}"
        )
        bases = {number: self._lines_before(number) for number in {number for number, _ in self.journal.parts}}
        try:
            for (number, split), entry in sorted(self.journal.parts.items()):
                for head, member in PartFile(self.folder.path, entry).rejected():
                    line = head["line"] + bases[number][split]
                    rows.add(Rejected(head["op"], head["op_index"], head["reason"], head["file"], line, RowMember(member)))
            if final:
                rows.check_share(self._finished().rows_read)
        finally:
            rows.close()
        return rows


def _device_ranks(recipe: Recipe, ranks: Ranks) -> frozenset[int]:
    """Return the ranks that own a device; a rank alone does everything itself."""
    count = int(recipe.settings["device_ranks"])
    if ranks.size == 1 or not any(op.accelerator == "cuda" for op in recipe.ops):
        return frozenset()
    if count >= ranks.size:
        raise RecipeError(f"device_ranks must leave a rank that reads: fewer than {ranks.size}, got {count}")
    return _last_ranks(count, ranks)


def _last_ranks(count: int, ranks: Ranks) -> frozenset[int]:
    return frozenset(range(ranks.size - count, ranks.size))


def _first_lines(splits: Sequence[Split], parts: Sequence[PartEntry | None]) -> list[int]:
    """Lines of the same file before each split."""
    bases = []
    file, lines = -1, 0
    for split, part in zip(splits, parts):
        if split.file != file:
            file, lines = split.file, 0
        bases.append(lines)
        lines += part.lines if part is not None else 0
    return bases
