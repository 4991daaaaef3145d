"""Runs a recipe on the threads of this process and writes its folder: result, stats, rejected rows, record of the run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from djfast.access import holding
from djfast.io.intake import Intake
from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile
from djfast.io.write.results import Result, ResultFile
from djfast.llm.run_settings import RunSettings, used
from djfast.llm.usage import METER
from djfast.logs import logger
from djfast.plan.bind import bind_plan
from djfast.plan.steps import Plan
from djfast.recipe.load import Recipe
from djfast.records import NamedTuple
from djfast.reserved import STDOUT
from djfast.rows.line_rows import carried_for
from djfast.runners.delivery import addressed, committed, make_ready, output_of, staging_of
from djfast.runners.inputs import access_of, bring_stats, draw, files_to_read, rows_of, source_files
from djfast.runners.memory import LARGEST_WINDOW, budget_of, threads_of
from djfast.runners.planning import fatal_ops, log_work, plan_recipe
from djfast.runners.progress import Progress, heading_of, phases_of
from djfast.runners.record import with_side_files, write_record
from djfast.runners.rejected import RejectedOfStream, RejectedRows, reject_unfit
from djfast.runners.report import Report, notices_of
from djfast.runners.stage_loop import StageLoop
from djfast.runners.watch import Watch

if TYPE_CHECKING:
    from djfast.rows.carrier import Carrier
    from djfast.runners.worker_processes import WorkerProcesses

_LOG = logger("run")


def run_recipe(recipe: Recipe, *, progress: Progress | None = None, may_exit: bool = False) -> Report:
    """Run a checked recipe.

    `may_exit` says that this process is there for the run only: it ends when a row takes longer than ``row_timeout``.

    Raises
    ------
    RecipeError, InputError, ModelError, MissingExtraError, SchemaError, TooManyErrors
        An earlier result is as it was then; what was rejected so far is kept under a name that says so.
    """
    plan = plan_recipe(recipe)
    notices = list(recipe.notices)
    groups = source_files(recipe, notices)
    limits: dict[str, Any] = {
        "max_errors": recipe.settings["max_errors"],
        "is_fatal": fatal_ops(plan, skips_errors=bool(recipe.settings["skip_op_error"])),
    }
    progress = progress or Progress(is_quiet=True)
    with used(RunSettings.of(recipe.settings)), holding(access_of(recipe)):
        if recipe.settings["export_path"] == STDOUT:
            from djfast.io.write.standard_output import StandardOutput

            make_ready(recipe)
            work = _work_of(recipe, plan, groups, may_exit=may_exit)
            report = work.run(StandardOutput(), RejectedOfStream(**limits), progress, notices)
            lost = "rejected rows are kept nowhere, as the result goes to standard output; name a file to keep them beside it"
            return report._replace(notices=(*report.notices, lost)) if report.rows_rejected else report
        with staging_of(recipe) as staging:
            make_ready(recipe)
            work = _work_of(recipe, plan, groups, may_exit=may_exit)
            inputs = [{"path": file.path, "bytes": file_size(file.path)} for file in work.files]
            result = ResultFile(output_of(recipe), staging)
            rejected = RejectedRows(staging, **limits)
            try:
                report = with_side_files(work.run(result, rejected, progress, [*notices, *staging.notices]), staging)
                write_record(staging, recipe, inputs, addressed(recipe, report))
            except BaseException:
                rejected.keep()
                raise
            report = committed(recipe, report, staging)
            _LOG.info("wrote %s", ", ".join(report.export_paths[:3]))
            return report


class _Work(NamedTuple):
    """What a recipe does with its rows, wherever they go."""

    plan: Plan
    files: Sequence[InputFile]
    rows: Carrier
    heading: str  # of its progress
    settings: dict[str, Any]  # for run_plan

    def run(self, result: Result, rejected: RejectedRows, progress: Progress, notices: Sequence[str]) -> Report:
        """Do it."""
        notices = [*notices, *self.rows.notices]
        settings = {"rejected": rejected, "progress": progress, "notices": notices, **self.settings}
        with progress.showing(self.heading, phases_of(self.plan)):
            log_work(self.plan, self.heading, progress)
            report = run_plan(self.plan, self.rows, result, **settings)
        return report._replace(notices=(*report.notices, left)) if (left := self.rows.left_unread) is not None else report


def _work_of(recipe: Recipe, plan: Plan, groups: Sequence[Sequence[InputFile]], *, may_exit: bool) -> _Work:
    """Return what is to be done, once the input's first rows are what the recipe asks for."""
    settings = recipe.settings
    if settings["checks"]:
        from djfast.runners.validation import validate

        validate(recipe, groups)
    files = files_to_read(recipe, groups)
    plan = plan._replace(brings_stats=bring_stats(files))
    threads = threads_of(settings)
    budget = budget_of(settings, workers=threads)
    rows = draw(rows_of(files, recipe, budget.batch_bytes, longest_row=budget.longest_row(plan)), recipe, groups)
    size = sum(file_size(file.path) for file in files)
    limits = {
        "threads": threads,
        "spool_folder": str(settings["work_dir"]),
        "window_bytes": budget.window_bytes,
        "working_bytes": budget.working_bytes,
        "key_bytes": budget.key_bytes,
        "row_timeout": float(settings["row_timeout"]) if may_exit else None,
        "intake": Intake(size, most_rows=settings["limit"]),
    }
    if threads > 1 and any(stage.keeps_lock for stage in plan.stages):
        from djfast.runners.worker_processes import processes_for

        blocks = size / budget.batch_bytes
        limits["processes"] = processes_for(recipe, plan, blocks=blocks, row_timeout=float(settings["row_timeout"]))
    return _Work(plan, files, rows, heading_of(recipe, files, size, threads), limits)


def run_plan(
    plan: Plan,
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
    notices: Sequence[str] = (),
    row_timeout: float | None = None,
    intake: Intake | None = None,
    processes: WorkerProcesses | None = None,
) -> Report:
    """Run a plan over rows into a result. A row that takes longer than `row_timeout` seconds ends the process."""
    started = time.monotonic()
    METER.take()  # what was asked before belongs to no run
    rows = carried_for(plan, rows)
    result.expect(rows.columns, as_lines=rows.holds_lines)
    stages = bind_plan(plan)
    watch = Watch(row_timeout) if row_timeout is not None else None
    loop = StageLoop(
        plan,
        stages,
        rows,
        result,
        threads=threads,
        rejected=rejected,
        progress=progress,
        spool_folder=spool_folder,
        window_bytes=window_bytes,
        working_bytes=working_bytes,
        key_bytes=key_bytes,
        watcher=watch,
        intake=intake,
        processes=processes,
    )
    try:
        loop.run()
        reject_unfit(result, rejected)
        written = loop.rows_written - rejected.unfit
        rejected.check(loop.tally.rows_read, written, loop.tally)
        paths = result.finish()
        rejected.finish()
    except BaseException:
        result.abandon()
        raise
    finally:
        if watch is not None:
            watch.close()
        if processes is not None:
            processes.close()
    return Report(
        rows_read=loop.tally.rows_read,
        rows_written=written,
        rows_rejected=rejected.count,
        bytes_read=loop.tally.bytes_read,
        seconds=round(time.monotonic() - started, 6),
        threads=threads,
        ops=loop.tally.ops(rejected.by_op),
        export_paths=tuple(paths),
        stats_path=None,
        rejected_path=None,
        notices=(*notices, *plan.notices, *notices_of(plan, loop.tally)),
        rejected_reasons=rejected.reasons.most_frequent(),
        language_models=METER.take() or None,
    )
