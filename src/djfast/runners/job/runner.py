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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from djfast.errors import InternalError, RecipeError
from djfast.io.files import InputFile
from djfast.io.results import rejected_path
from djfast.io.splits import Split, default_split_bytes, splits_of
from djfast.plan.bind import BoundStage, bind_plan
from djfast.plan.steps import Dedup, Plan
from djfast.ranks import RankLost, Ranks
from djfast.recipe.load import Recipe
from djfast.runners.job.desk import NO_MORE, Desk
from djfast.runners.job.folder import JobFolder, identity_of
from djfast.runners.job.journal import AnswerEntry, DoneEntry, Journal, PartEntry, SuspectEntry
from djfast.runners.job.merge import Output, merge_alone, merge_together
from djfast.runners.job.metrics import Metrics
from djfast.runners.job.parts import PartFile, PartWriter
from djfast.runners.job.places import Places, worker_count
from djfast.runners.job.stopping import EXIT_RESUMABLE, Preempted, Stopping
from djfast.runners.job.survivors import answer_alone, answer_together, owned, read_mask, write_masks
from djfast.runners.local import fatal_ops, input_files, plan_recipe, rows_of, with_side_files, write_run_json
from djfast.runners.memory import budget_of, key_bytes_of
from djfast.runners.progress import Progress
from djfast.runners.rejected import Rejected, RejectedRows, RowMember
from djfast.runners.report import RankReport, Report, Tally
from djfast.runners.spool import packed
from djfast.runners.stage_work import Done, PassWork, StageWork, empty_piece, rejected_rows
from djfast.runners.watch import Suspect, Watch
from djfast.runners.workers import in_order

_NEWS_SECONDS = 1.0


class _Start(NamedTuple):
    """What rank 0 finds when an attempt begins, and tells the others."""

    files: list[InputFile]
    split_bytes: int
    journal: bytes
    missing: list[list[int]]  # (stage, split) of parts whose files are not there any more


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
        self.journal = self._empty_journal()
        self._progress = progress
        self._stopping = stopping
        self._is_fresh = is_fresh
        self._may_exit = may_exit
        self._names = [op.spec.name for op in self.plan.ops]
        self._is_fatal = fatal_ops(self.plan, skips_errors=bool(recipe.settings["skip_op_error"]))
        self._started = time.monotonic()
        self._waited = 0.0
        self._pass = 0
        self._mine = Tally(self._names)  # what this process did in this pass
        self._before = Tally(self._names)  # and in all passes before
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
                self._is_fresh = False
                if self.ranks.rank == 0:
                    self._progress.note(f"a rank was lost; {self.ranks.size} go on")
            finally:
                self.journal.close()

    def _attempt(self) -> Report | None:
        start = self._begin()
        self.files = start.files
        self.splits = splits_of(self.files, start.split_bytes)
        self.rows = rows_of(self.files, self.recipe, self.budget.batch_bytes)
        desk = None
        if self.ranks.rank == 0:
            desk = self._open_desk()
            self.ranks.serve(desk.answer)
        try:
            for number, run in enumerate(self.passes):
                self._run_pass(number, run, desk)
                if self._dedups(number) and number not in self.journal.answers:
                    self._answer(number)
        finally:
            self.ranks.stop_serving()
        report = self._merge()
        self.ranks.gather_all(b"")  # nobody leaves before the result is there
        return report

    def _begin(self) -> _Start:
        """Agree on input and splits, and on what is finished already."""
        body = b""
        if self.ranks.rank == 0:
            if self._is_fresh:
                self.folder.clear()
            files = input_files(self.recipe)
            identity = identity_of(self.recipe, self.plan, files)
            wanted = self.recipe.settings["split_bytes"] or default_split_bytes(sum(os.path.getsize(f.path) for f in files))
            split_bytes = self.folder.open(identity, split_bytes=int(wanted))
            journal = self.folder.journal()
            missing = [list(key) for key, entry in journal.parts.items() if not PartFile(self.folder.path, entry).check()]
            lines = journal.all_lines().decode()
            body = json.dumps([[list(file) for file in files], split_bytes, lines, missing]).encode()
        files, split_bytes, lines, missing = json.loads(self.ranks.gather_all(body)[0])
        self.journal = self._empty_journal()
        self.journal.take_lines([lines.encode()])
        for stage, split in missing:
            del self.journal.parts[stage, split]
        return _Start([InputFile(*file) for file in files], split_bytes, lines, missing)

    def _empty_journal(self) -> Journal:
        return Journal(self.folder.path / "journal", self.folder.writer)

    def _open_desk(self) -> Desk:
        limit = self.recipe.settings["max_errors"]
        return Desk(
            self._names,
            self._progress,
            Metrics(self.folder.path / "metrics.prom"),
            most_rejected=limit if isinstance(limit, int) else None,
        )

    # Splits

    def _dedups(self, number: int) -> tuple[Dedup, ...]:
        """Return the deduplicators at the end of a pass."""
        return self.stages[self.passes[number].stop - 1].stage.dedups

    def _run_pass(self, number: int, run: range, desk: Desk | None) -> None:
        """Bring all splits through one pass."""
        if desk is not None:
            todo = [split for split in range(len(self.splits)) if (number, split) not in self.journal.parts]
            desk.open(number, todo, self._finished())
        self._pass = number
        self._before.add(self._mine)
        self._mine = Tally(self._names)
        with self._stopping.gently():
            lost = self._run_splits(number, run)
        if lost is not None:
            raise lost
        stops = self._stopping.is_asked or (desk is not None and desk.stops)
        news = json.dumps({"lines": self.journal.fresh_lines().decode(), "stops": stops}).encode()
        all_news = [json.loads(body) for body in self._waiting(lambda: self.ranks.gather_all(news))]
        self.journal.take_lines(each["lines"].encode() for each in all_news)
        if any(each["stops"] for each in all_news):
            if self.ranks.rank == 0:
                self._write_rejected(final=False)
            raise Preempted(is_common=True)
        missing = [split for split in range(len(self.splits)) if (number, split) not in self.journal.parts]
        if missing:
            raise InternalError(f"splits {missing[:5]} of pass {number} were not done by any rank")

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
                    self.journal.append(writer.finish())
                    writer = None
                if not lost:
                    self._tell()
            if not lost:
                self._waiting(places.finish)
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
        mask = self._mask(number - 1, split)
        first = 0
        for piece in self._part(number - 1, split).pieces(self.rows.piece.unpack):
            if mask.count(1, first, first + piece.row_count):
                yield self.rows.reopen(piece, mask, first)
            first += piece.row_count

    def _part(self, number: int, split: int) -> PartFile:
        return PartFile(self.folder.path, self.journal.parts[number, split])

    def _mask(self, number: int, split: int) -> bytes:
        entry = next(entry for entry in self.journal.answers[number].masks if entry[0] == split)
        return read_mask(self.folder.path, entry)

    def _next_split(self) -> int:
        if self._stopping.is_asked:
            self._tell(at_once=True)
            return NO_MORE
        return int(self._waiting(lambda: self.ranks.ask(self._news(asks=True))))

    def _tell(self, *, at_once: bool = False) -> None:
        """Tell rank 0 how far this rank is, now and then."""
        if at_once or time.monotonic() >= self._next_news:
            self._next_news = time.monotonic() + _NEWS_SECONDS
            self.ranks.tell(self._news(asks=False))

    def _news(self, *, asks: bool) -> bytes:
        news = {
            "pass": self._pass,
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
        """Find the rows that stay after a pass's deduplicators."""
        dedups = self._dedups(number)
        parts = [self._part(number, split) for split in range(len(self.splits))]
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
        rejected = self._write_rejected(final=True) if self.ranks.rank == 0 else None
        output = Output(str(settings["export_path"]), str(settings["export_format"]), int(settings["export_shard_size"]))
        splits = range(len(self.splits))
        is_lines = output.is_lines and hasattr(self.rows.piece, "lines")
        if is_lines and self.ranks.size > 1:
            share = owned([self._part(len(self.passes) - 1, split) for split in splits], self.ranks)[self.ranks.rank]
            scratch = self.folder.path / "parts" / "merge"
            paths, written = merge_together(self._pieces(share), output, self.ranks, scratch)
        elif self.ranks.rank == 0:
            paths, written = merge_alone(self._pieces(splits), output, lambda: empty_piece(self.plan, self.stages, self.rows))
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
        self.journal.append(DoneEntry([[path, os.path.getsize(path)] for path in paths]))
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
        work_dir = str(settings["work_dir"] or os.path.dirname(os.path.abspath(output.path)))
        write_run_json(Path(work_dir) / "run.json", self.recipe, self.files, report)
        self.folder.remove_parts()
        return report

    def _pieces(self, splits: Sequence[int]) -> Iterator[Any]:
        """Rows of the result from some parts of the last pass."""
        last = len(self.passes) - 1
        has_answer = bool(self._dedups(last))
        for split in splits:
            mask = self._mask(last, split) if has_answer else b""
            first = 0
            for piece in self._part(last, split).pieces(self.rows.piece.unpack):
                yield piece.select(mask, first) if has_answer else piece
                first += piece.row_count
                self._stopping.check()

    def _write_rejected(self, *, final: bool) -> RejectedRows:
        """Write the rejected rows of all finished parts, in the order of a run without ranks."""
        settings = self.recipe.settings
        rows = RejectedRows(
            rejected_path(str(settings["export_path"])), max_errors=settings["max_errors"], is_fatal=self._is_fatal
        )
        bases = _first_lines(self.splits, [self.journal.parts.get((0, split)) for split in range(len(self.splits))])
        try:
            for (_, split), entry in sorted(self.journal.parts.items()):
                for head, member in PartFile(self.folder.path, entry).rejected():
                    line = head["line"] + bases[split]
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
