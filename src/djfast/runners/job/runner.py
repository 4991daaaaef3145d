"""Runs a recipe as a job: splits through passes into parts, global answers, and one merge in the order of the input.

Every rank does the same: it takes splits from rank 0's desk until there are none, tells the others what it wrote, and goes
on to the next pass. What is finished stands in the journal, so an attempt that follows an interrupted one, or that goes on
without a lost rank, is the same procedure with less to do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from djfast.access import holding
from djfast.errors import Preempted, RecipeError, ResumeError
from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile
from djfast.io.read.splits import Split, files_up_to, splits_of, uncut_files
from djfast.io.write.commit import Staging
from djfast.io.write.results import check_columns
from djfast.llm.run_settings import RunSettings, used
from djfast.llm.usage import METER
from djfast.logs import logger
from djfast.plan.bind import BoundStage, bind_plan
from djfast.plan.steps import Plan
from djfast.ranks import RankLost, Ranks
from djfast.recipe.load import Recipe
from djfast.records import NamedTuple
from djfast.rows.line_rows import carried_for
from djfast.runners.delivery import make_ready, output_of, result_bytes, staging_of
from djfast.runners.first_rows import FirstRows, first_splits, shares_of, split_bytes_of
from djfast.runners.inputs import Counted, access_of, bring_stats, counted, drawn_rows, is_drawn, rows_of, source_files
from djfast.runners.job.answers import answer
from djfast.runners.job.desk import Desk
from djfast.runners.job.folder import Attempt, JobFolder, identity_of
from djfast.runners.job.journal import DoneEntry, Journal
from djfast.runners.job.metrics import Metrics
from djfast.runners.job.outcome import export_settings, write_outcome, write_rejected, writes_together
from djfast.runners.job.passes import Passes
from djfast.runners.job.places import CREDITS
from djfast.runners.job.stopping import Stopping
from djfast.runners.job.work import RankWork
from djfast.runners.memory import budget_of, threads_of
from djfast.runners.planning import log_work, plan_recipe
from djfast.runners.progress import Progress, heading_of, phase_of_waiting, phases_of
from djfast.runners.report import RankReport, Report, Tally
from djfast.runners.validation import validate

if TYPE_CHECKING:
    from djfast.rows.carrier import FileCarrier

_LOG = logger("run")


class _Start(NamedTuple):
    """What rank 0 finds when an attempt begins, and tells the others."""

    files: list[InputFile]
    splits: list[Split]
    attempt: Attempt
    lines: str  # of the journal
    is_complete: bool  # the result is there already
    source_files: list[int]  # number of files of each source
    counts: list[Counted]  # of each split, where only some rows are read


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
        _refuse_one_process(self.plan)
        with used(RunSettings.of(recipe.settings)), holding(access_of(recipe)):
            self.stages: list[BoundStage] = bind_plan(self.plan)
        self.budget = budget_of(recipe.settings, workers=threads_of(recipe.settings) + 2 * CREDITS * (ranks.size > 1))
        self.folder = JobFolder.of(recipe)
        self.journal = Journal(self.folder.path, "", self.folder.writer)
        self.staging = Staging(str(recipe.settings["result_path"]), "none")
        self._progress = progress
        self._stopping = stopping
        self._is_fresh = is_fresh
        self._may_exit = may_exit
        self._started = time.monotonic()
        METER.take()  # what was asked before belongs to no run
        self._done_before = Tally(self.plan.op_names)  # by this process, in attempts that lost a rank
        self._waited_before = 0.0

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
                with used(RunSettings.of(self.recipe.settings)), holding(access_of(self.recipe)):
                    return self._attempt()
            except RankLost:
                if not self.ranks.can_regroup:
                    raise
                self.ranks.stop_serving()
                self.ranks = self.ranks.regroup()
                self.device_ranks = _last_ranks(min(len(self.device_ranks), self.ranks.size - 1), self.ranks)
                if self.ranks.rank == 0:
                    self._progress.note(f"a rank was lost; {self.ranks.size} go on")
            except Preempted as stop:
                if not stop.is_common and self.ranks.size > 1:
                    self.staging.leave()
                raise
            except (OSError, ResumeError):
                # What is missing or in the way may be the work of another run, and that is what must be said then.
                if self.folder.attempt is not None:
                    self.folder.check_owned()
                raise
            finally:
                self.journal.close()
                self.staging.close()

    def _attempt(self) -> Report | None:
        start = self._begin()
        if start.is_complete:
            return self._report_again() if self.ranks.rank == 0 else None
        self.plan = self.plan._replace(brings_stats=bring_stats(start.files))
        rows = rows_of(start.files, self.recipe, self.budget.batch_bytes, longest_row=self.budget.longest_row(self.plan))
        rows = self._chosen(rows, start)
        rows = carried_for(self.plan, rows)
        check_columns(output_of(self.recipe), rows.columns, as_lines=rows.holds_lines)
        passes = Passes(self.plan, self.stages, rows, start.splits, self.folder, self.journal)
        with self._showing(start):
            return self._run_passes(start, passes)

    @contextmanager
    def _showing(self, start: _Start) -> Iterator[None]:
        """On rank 0, show how far all ranks are."""
        if self.ranks.rank != 0:
            yield
            return
        size = sum(file_size(file.path) for file in start.files)
        heading = heading_of(self.recipe, start.files, size, threads_of(self.recipe.settings), ranks=self.ranks.size)
        with self._progress.showing(heading, phases_of(self.plan, writes_last=True)):
            log_work(self.plan, heading, self._progress)
            _LOG.info("%s splits on %s ranks, %s parts are finished", len(start.splits), self.ranks.size, len(self.journal.parts))
            yield

    def _run_passes(self, start: _Start, passes: Passes) -> Report | None:
        work = RankWork(
            self.recipe,
            passes,
            self.ranks,
            self._stopping,
            device_ranks=self.device_ranks,
            working_bytes=self.budget.working_bytes,
            may_exit=self._may_exit,
        )
        desk = None
        if self.ranks.rank == 0:
            self.folder.note_splits(len(start.splits))
            desk = self._open_desk()
            self.ranks.serve(desk.answer)
        try:
            for number in range(len(passes.runs)):
                passes.know_frequent(number)
                work.run_pass(number, desk)
                if passes.waits(number) and number not in self.journal.answers:
                    self._progress.update(passes.finished())
                    self._progress.enter(phase_of_waiting(number), lambda: None)
                    answer(passes, number, self.ranks, self.budget, work.waiting)
                if passes.is_moved(number):
                    work.move(number, desk)
        except Preempted:
            if self.ranks.rank == 0:
                write_rejected(self.recipe, passes, self.staging, final=False)
            raise
        finally:
            self.ranks.stop_serving()
            self._done_before.add(work.total)
            self._waited_before += work.waited
        self._show_writing(passes)
        report = write_outcome(self.recipe, passes, self.ranks, self._stopping, start.files, self._rank_report(), self.staging)
        self.ranks.gather_all(b"")  # nobody leaves before the result is there
        return report and report._replace(seconds=round(time.monotonic() - self._started, 6))

    def _chosen(self, rows: FileCarrier, start: _Start) -> FileCarrier:
        """Return the carrier of the rows that the recipe draws, or of the first ones."""
        limit = self.recipe.settings["limit"]
        counts = {split: count.rows for split, count in zip(start.splits, start.counts)}
        if is_drawn(self.recipe.settings["sources"]):
            rows = drawn_rows(rows, self.recipe.settings["sources"], start.source_files, start.splits, start.counts)
            self._note(rows.notices)
            counts = rows.counts
        if limit is None:
            return rows
        first = FirstRows(rows, limit, shares_of(limit, counts))
        self._note([first.notice] if sum(counts.values()) >= limit else [])
        return first

    def _note(self, notices: Sequence[str]) -> None:
        self.recipe = self.recipe._replace(notices=(*self.recipe.notices, *notices))

    def _show_writing(self, passes: Passes) -> None:
        own = sum(passes.result_rows()) / (self.ranks.size if writes_together(self.recipe, passes, self.ranks) else 1)
        last = len(phases_of(self.plan, writes_last=True)) - 1
        self._progress.enter(last, lambda: min(1.0, passes.given / own) if own else None)

    def _rank_report(self) -> RankReport:
        done = self._done_before
        seconds = round(time.monotonic() - self._started, 6)
        return RankReport(self.ranks.rank, done.rows_read, done.bytes_read, seconds, round(self._waited_before, 3))

    def _begin(self) -> _Start:
        """Agree on input and splits, and on what is finished already."""
        body = b""
        if self.ranks.rank == 0:
            self.staging = staging_of(self.recipe, job=str(self.folder.path.absolute()))
            self.staging.lock()
            make_ready(self.recipe)
            body = json.dumps(self._look_around()).encode()
        files, splits, attempt, lines, is_complete, source_files, counts = json.loads(self.ranks.gather_all(body)[0])
        self._is_fresh = False
        start = _Start(
            [InputFile(*file) for file in files],
            [Split(*split) for split in splits],
            Attempt(*attempt),
            lines,
            is_complete,
            source_files,
            [Counted(*count) for count in counts],
        )
        self.folder.join(start.attempt)
        self.staging.mark = self.folder.mark()  # the same on all ranks
        self.journal = Journal(self.folder.path, start.attempt.job, self.folder.writer)
        self.journal.take_lines([lines.encode()])
        return start

    def _look_around(self) -> _Start:
        """Find input and splits, and what is finished, on rank 0."""
        if self._is_fresh:
            self.folder.clear()
        notices = list(self.recipe.notices)
        groups = source_files(self.recipe, notices)
        validate(self.recipe, groups)
        files = [file for group in groups for file in group]
        self.recipe = self.recipe._replace(notices=tuple(dict.fromkeys(notices)))
        identity = identity_of(self.recipe, self.plan, files)
        wanted = self.recipe.settings["split_bytes"] or split_bytes_of(files, self.recipe.settings["limit"])
        attempt = self.folder.open(identity, split_bytes=int(wanted))
        journal = self.folder.journal()
        if journal.damaged:
            named = ", ".join(journal.damaged[:5]) + (", ..." if len(journal.damaged) > 5 else "")
            self._progress.note(f"damaged, so what they hold is made again: {named}")
        is_complete = journal.done is not None and self._is_complete(journal.done)
        if journal.done is not None and not is_complete:
            self._progress.note("the result of the finished job is not there as it was: starting over")
            self.folder.clear()
            attempt = self.folder.open(identity, split_bytes=int(wanted))
            journal = self.folder.journal()
        splits, counts = ([], []) if is_complete else self._split(files, attempt.split_bytes)
        if self.recipe.settings["limit"] is not None and splits:
            files = list(files_up_to(files, splits[-1]))
        sizes = [len(group) for group in groups]
        return _Start(files, splits, attempt, journal.all_lines().decode(), is_complete, sizes, counts)

    def _split(self, files: list[InputFile], split_bytes: int) -> tuple[list[Split], list[Counted]]:
        """Cut the input into splits, and count their rows where only some are read."""
        rows = rows_of(files, self.recipe, self.budget.batch_bytes)
        limit: int | None = self.recipe.settings["limit"]
        is_mixture = is_drawn(self.recipe.settings["sources"])
        if limit is not None and not is_mixture:
            shares = first_splits(rows, files, split_bytes, limit)
            return list(shares), [Counted(count, 0) for count in shares.values()]
        splits = splits_of(files, split_bytes)
        if len(splits) < self.ranks.size and (uncut := uncut_files(files, splits, split_bytes)):
            self._note([_idle_ranks(self.ranks.size, len(splits), uncut)])
        return splits, counted(rows, splits) if is_mixture else []

    def _is_complete(self, done: DoneEntry) -> bool:
        """Tell whether a finished job's result is what this recipe asks for, and still there."""
        is_wanted = done.export == json.loads(json.dumps(export_settings(self.recipe)))
        return is_wanted and all(result_bytes(self.recipe, path) == size for path, size in done.files)

    def _report_again(self) -> Report:
        """Return the report of a job that was complete before this attempt."""
        assert self.journal.done is not None
        self.folder.remove_parts()
        report = Report.of(self.journal.done.report)
        return report._replace(notices=(*report.notices, "already complete, nothing was computed; --fresh runs it again"))

    def _open_desk(self) -> Desk:
        limit = self.recipe.settings["max_errors"]
        return Desk(
            self.plan.op_names,
            self._progress,
            Metrics(self.folder.path / "metrics.prom"),
            most_rejected=limit if isinstance(limit, int) else None,
        )


def _idle_ranks(ranks: int, splits: int, uncut: Sequence[InputFile]) -> str:
    more = f" and {len(uncut) - 1} more" if len(uncut) > 1 else ""
    return (
        f"{ranks - splits} of {ranks} ranks have nothing to read: {uncut[0].path}{more} cannot be cut. Ranks share Parquet, "
        "Arrow files, Lance, and lines that are plain or .zst of many frames (`pzstd`, not `zstd`); or give several files"
    )


def _refuse_one_process(plan: Plan) -> None:
    for stage in plan.stages:
        for dedup in stage.dedups:
            if dedup.rule.by_number:
                raise RecipeError(
                    f"{plan.ops[dedup.op].spec.name} looks at the numbers of all rows in one process: run the recipe without "
                    "mpirun and with use_checkpoint: false"
                )


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
