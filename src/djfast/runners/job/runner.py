"""Runs a recipe as a job: splits through stages into parts, global answers, and one merge in the order of the input.

Every rank does the same: it takes splits from rank 0's desk until there are none, tells the others what it wrote, and goes
on to the next stage. What is finished stands in the journal, so an attempt that follows an interrupted one, or that goes on
without a lost rank, is the same procedure with less to do.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from djfast.errors import InternalError
from djfast.io.files import InputFile
from djfast.io.results import ResultFile, rejected_path
from djfast.io.splits import Split, default_split_bytes, splits_of
from djfast.plan.bind import BoundStage, bind_plan
from djfast.plan.steps import Plan
from djfast.ranks import RankLost, Ranks
from djfast.recipe.load import Recipe
from djfast.runners.job.desk import NO_MORE, Desk
from djfast.runners.job.folder import JobFolder, identity_of
from djfast.runners.job.journal import AnswerEntry, DoneEntry, Journal, PartEntry
from djfast.runners.job.metrics import Metrics
from djfast.runners.job.parts import PartFile, PartWriter
from djfast.runners.job.stopping import Preempted, Stopping
from djfast.runners.job.survivors import answer_alone, answer_together, read_mask, write_masks
from djfast.runners.local import fatal_ops, input_files, plan_recipe, rows_of, with_side_files, write_run_json
from djfast.runners.progress import Progress
from djfast.runners.rejected import Rejected, RejectedRows, RowMember
from djfast.runners.report import RankReport, Report, Tally
from djfast.runners.spool import packed
from djfast.runners.stage_loop import Done, StageWork, rejected_rows
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
    """

    def __init__(
        self, recipe: Recipe, ranks: Ranks, *, progress: Progress, stopping: Stopping, is_fresh: bool = False
    ) -> None:
        self.recipe = recipe
        self.ranks = ranks
        self.plan: Plan = plan_recipe(recipe)
        self.stages: list[BoundStage] = bind_plan(self.plan)
        self.folder = JobFolder.of(recipe)
        self._progress = progress
        self._stopping = stopping
        self._is_fresh = is_fresh
        self._names = [op.spec.name for op in self.plan.ops]
        self._is_fatal = fatal_ops(self.plan, skips_errors=bool(recipe.settings["skip_op_error"]))
        self._started = time.monotonic()
        self._waited = 0.0
        self._mine = Tally(self._names)  # what this process did, in all attempts of this run
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
                self._is_fresh = False
                if self.ranks.rank == 0:
                    self._progress.note(f"a rank was lost; {self.ranks.size} go on")

    def _attempt(self) -> Report | None:
        start = self._begin()
        self.files = start.files
        self.splits = splits_of(self.files, start.split_bytes)
        self.rows = rows_of(self.files, self.recipe)
        desk = None
        if self.ranks.rank == 0:
            self.folder.note_splits(len(self.splits))
            desk = self._open_desk()
            self.ranks.serve(desk.answer)
        try:
            for number, bound in enumerate(self.stages):
                self._run_stage(number, bound, desk)
                if bound.stage.dedups and number not in self.journal.answers:
                    self._answer(number, bound)
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
        self.journal = Journal(self.folder.path / "journal", self.folder.writer)
        self.journal.take_lines([lines.encode()])
        for stage, split in missing:
            del self.journal.parts[stage, split]
        return _Start([InputFile(*file) for file in files], split_bytes, lines, missing)

    def _open_desk(self) -> Desk:
        limit = self.recipe.settings["max_errors"]
        return Desk(
            self._names,
            self._progress,
            Metrics(self.folder.path / "metrics.prom"),
            most_rejected=limit if isinstance(limit, int) else None,
        )

    # Splits

    def _run_stage(self, number: int, bound: BoundStage, desk: Desk | None) -> None:
        """Bring all splits through one stage."""
        if desk is not None:
            todo = [split for split in range(len(self.splits)) if (number, split) not in self.journal.parts]
            desk.open(todo, self._finished())
        self._mine = Tally(self._names)
        with self._stopping.gently():
            lost = self._run_splits(number, bound)
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
            raise InternalError(f"splits {missing[:5]} of stage {number} were not done by any rank")

    def _run_splits(self, number: int, bound: BoundStage) -> RankLost | None:
        """Work on splits until there are none. A lost rank is told at the end: what was begun is finished first."""
        work = StageWork(bound, self.rows.layouts(self.plan)[number], self.rows, packed)
        lost: list[RankLost] = []
        writer: PartWriter | None = None

        def blocks() -> Iterator[tuple[int, Any]]:
            try:
                while (split := self._next_split()) != NO_MORE:
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
            for split, done in in_order(blocks(), run, threads=int(self.recipe.settings["np"])):
                if writer is None:
                    writer = PartWriter(self.folder.path, number, split, self.folder.writer, Tally(self._names))
                if done is not None:
                    self._add(writer, done, bound)
                else:
                    self.journal.append(writer.finish())
                    writer = None
                if not lost:
                    self._tell()
        except RankLost as error:
            lost.append(error)
        finally:
            if writer is not None:
                writer.abandon()
        return lost[0] if lost else None

    def _add(self, writer: PartWriter, done: Done, bound: BoundStage) -> None:
        for tally in (writer.tally, self._mine):
            tally.add_batch(bound.stage.local_ops, done.readable, done.counts)
        if writer.stage == 0:
            self._mine.rows_read += done.row_count
            self._mine.bytes_read += done.block.byte_count
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
        for first_line, piece in self._part(number - 1, split).pieces(self.rows.piece.unpack):
            if mask.count(1, first, first + piece.row_count):
                yield self.rows.reopen(piece, mask, first, first_line)
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
        news = {"asks": asks, "stops": self._stopping.is_asked, "waited": self._waited, "tally": self._mine.to_record()}
        return json.dumps(news).encode()

    def _waiting(self, wait: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            return wait()
        finally:
            self._waited += time.monotonic() - began

    # Global answers

    def _answer(self, number: int, bound: BoundStage) -> None:
        """Find the rows that stay after a stage's deduplicators."""
        dedups = bound.stage.dedups
        parts = [self._part(number, split) for split in range(len(self.splits))]
        if self.ranks.size == 1:
            answer = answer_alone(dedups, parts)
        else:
            answer = answer_together(dedups, parts, self.ranks, budget=int(self.recipe.settings["memory"]) // 4)
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
        """Write the result from the last stage's parts; rank 0 does."""
        mine = RankReport(
            self.ranks.rank,
            self._mine.rows_read,
            self._mine.bytes_read,
            round(time.monotonic() - self._started, 3),
            round(self._waited, 3),
        )
        reports = [RankReport(*json.loads(body)) for body in self.ranks.gather_all(json.dumps(mine).encode())]
        if self.ranks.rank != 0:
            return None
        settings = self.recipe.settings
        total = self._finished()
        rejected = self._write_rejected(final=True)
        result = ResultFile(
            str(settings["export_path"]), str(settings["export_format"]), shard_bytes=int(settings["export_shard_size"])
        )
        written = 0
        last = len(self.stages) - 1
        has_answer = bool(self.stages[last].stage.dedups)
        try:
            for split in range(len(self.splits)):
                mask = self._mask(last, split) if has_answer else b""
                first = 0
                for _, piece in self._part(last, split).pieces(self.rows.piece.unpack):
                    kept = piece.select(mask, first) if has_answer else piece
                    first += piece.row_count
                    result.write(kept)
                    written += kept.row_count
                    self._stopping.check()
            paths = result.finish()
        except BaseException:
            result.abandon()
            raise
        finally:
            self._progress.clear()
        self.journal.append(DoneEntry([[path, os.path.getsize(path)] for path in paths]))
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
        report = with_side_files(report, self.plan, str(settings["export_path"]))
        work_dir = str(settings["work_dir"] or os.path.dirname(os.path.abspath(str(settings["export_path"]))))
        write_run_json(Path(work_dir) / "run.json", self.recipe, self.files, report)
        self.folder.remove_parts()
        return report

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
