"""``djfast run``: run a recipe, show progress, end with the funnel and one summary line."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from djfast.cli.main import add_recipe_arguments, exit_status, load, message_of, uncollected
from djfast.logs import DEBUG, ERROR, INFO, WARNING, listening
from djfast.ranks.launcher import Launch, detect_launch
from djfast.redaction import lines_of
from djfast.reserved import STDIN, STDOUT

if TYPE_CHECKING:
    from djfast.ranks import Ranks
    from djfast.runners.job.runner import Job
    from djfast.runners.job.stopping import Stopping
    from djfast.runners.progress import Progress
    from djfast.runners.report import Report

TAKES_OVERRIDES = True
_OTHERS = {
    "recipe": "the recipe, or the version of djfast, is not that of rank 0; all ranks need the same one",
    "code": "the files with code of the user are not those of rank 0; all hosts need the same ones",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="show errors only")
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="say what the run does: input, plan, phases; -vv also models and times"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of the summary")
    parser.add_argument(
        "--fresh", action="store_true", help="start over: forget what an interrupted run with ranks or checkpoints has finished"
    )


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Run the recipe, in this process or with the ranks that mpirun or srun started."""
    launch = detect_launch(os.environ)
    with listening(_level(options, is_first=launch is None or launch.rank == 0)):
        return _run_here(options, rest) if launch is None else _run_ranks(options, rest, launch)


def _level(options: argparse.Namespace, *, is_first: bool) -> int:
    """Return from which level on messages are shown; of ranks the first one tells what all do."""
    if options.quiet and not options.verbose:
        return ERROR
    return (WARNING, INFO, DEBUG)[min(options.verbose, 2)] if is_first else WARNING


def _run_here(options: argparse.Namespace, rest: list[str]) -> int:
    """Run the recipe in this process."""
    with uncollected(), contextlib.redirect_stdout(sys.stderr):  # what OPs of the user print must not get among rows
        recipe = load(options, rest)
        from djfast import _native

    _native.keep_freed_memory()
    if STDIN in recipe.settings["inputs"] and sys.stdin.isatty():  # type: ignore[attr-defined]
        _show_notices(options, ("rows are read from the terminal, a JSON object a line; Ctrl-D ends them",))
    if recipe.settings["export_path"] == STDOUT:  # type: ignore[attr-defined]
        return _run_to_stream(options, recipe)
    return _run_alone(options, recipe)


def _run_to_stream(options: argparse.Namespace, recipe: object) -> int:
    """Run a recipe whose rows go to standard output; that is no failure if nobody wants all of them."""
    from djfast.io.write.standard_output import ReaderGone, kept_for_rows

    is_terminal = sys.stdout.isatty()  # where progress would get among the rows
    try:
        with kept_for_rows():
            return _run_alone(options, recipe, shows_progress=not is_terminal)
    except ReaderGone:
        return 0


def _run_alone(options: argparse.Namespace, recipe: object, *, shows_progress: bool = True) -> int:
    """Run a recipe in this process."""
    with uncollected():
        from djfast.runners.local import run_recipe
        from djfast.runners.progress import Progress

    _show_notices(options, recipe.notices)  # type: ignore[attr-defined]
    progress = Progress(is_quiet=options.quiet or not shows_progress)
    if recipe.settings["use_checkpoint"]:  # type: ignore[attr-defined]
        from djfast.ranks.alone import Alone

        return _finish(options, _job(options, recipe, Alone(), progress, _listening()))
    from djfast.cli.process import ended_by_signals

    with ended_by_signals():
        report = run_recipe(recipe, progress=progress, may_exit=True)  # type: ignore[arg-type]
    _show_report(options, report, len(recipe.notices))  # type: ignore[attr-defined]
    return 0


def _listening() -> Stopping:
    from djfast.runners.job.stopping import Stopping

    stopping = Stopping()
    stopping.listen()
    return stopping


def _job(options: argparse.Namespace, recipe: object, ranks: Ranks, progress: Progress, stopping: Stopping) -> Job:
    from djfast.runners.job.runner import Job

    return Job(recipe, ranks, progress=progress, stopping=stopping, is_fresh=options.fresh, may_exit=True)  # type: ignore[arg-type]


def _finish(options: argparse.Namespace, job: Job) -> int:
    """Run a job to its end, or to where it was asked to stop."""
    from djfast.errors import EXIT_RESUMABLE, Preempted

    shown = len(job.recipe.notices)  # the job adds what it finds
    try:
        report = job.run()
    except Preempted as stop:
        if job.ranks.rank == 0:
            print(f"djfast: {stop}", file=sys.stderr)
        if not stop.is_common:
            job.ranks.abort(EXIT_RESUMABLE)
        return EXIT_RESUMABLE
    if report is not None:
        _show_report(options, report, shown)
    return 0


def _run_ranks(options: argparse.Namespace, rest: list[str], launch: Launch) -> int:
    """Run as one of several processes: whatever happens here, the others must not wait for it forever."""
    from djfast.ranks import connect

    stopping = _listening()  # before the libraries are loaded, which takes its time
    ranks = connect(launch)
    job = None
    try:
        status, job = _prepared(options, rest, ranks, stopping)
        if job is not None:
            status = _finish(options, job)
    except BaseException as error:
        status = exit_status(error)
        _show_failure(error, launch)
        (job.ranks if job is not None else ranks).abort(status)
    (job.ranks if job is not None else ranks).close(status)
    return status


def _prepared(options: argparse.Namespace, rest: list[str], ranks: Ranks, stopping: Stopping) -> tuple[int, Job | None]:
    """Load and plan on every rank. What is wrong on some is said once, and all stop."""
    from djfast import _native
    from djfast.errors import DjfastError
    from djfast.ranks import RankLost
    from djfast.runners.job.folder import code_digest, recipe_identity
    from djfast.runners.job.outcome import export_settings
    from djfast.runners.progress import Progress

    job = None
    problem: tuple[int, str] | None = None
    own: dict[str, Any] = {}
    try:
        recipe = load(options, rest)
        progress = Progress(is_quiet=options.quiet)  # rank 0 shows it, and that may be another process later
        _native.keep_freed_memory()
        job = _job(options, recipe, ranks, progress, stopping)
        own["recipe"] = [recipe_identity(job.recipe, job.plan), export_settings(job.recipe)]
        own["code"] = code_digest(job.plan)
    except DjfastError as error:
        problem = exit_status(error), str(error)
    try:
        told = [json.loads(body) for body in ranks.gather_all(json.dumps([problem, own]).encode())]
        problems = [each for each, _ in told]
        if not any(problems):
            problems = [_difference(its, told[0][1]) for _, its in told]
    except RankLost:
        if job is None or not ranks.can_regroup:
            raise
        job.ranks = ranks.regroup()
        return 0, job
    if not any(problems):
        if ranks.rank == 0 and job is not None:
            _show_notices(options, job.recipe.notices)
        return 0, job
    if ranks.rank == 0:
        for message in dict.fromkeys(each[1] for each in problems if each):
            having = [str(rank) for rank, each in enumerate(problems) if each and each[1] == message]
            where = "" if len(having) == ranks.size else f" (on rank {', '.join(having[:8])}{' ...' if len(having) > 8 else ''})"
            print(lines_of(f"djfast: error: {message}{where}"), file=sys.stderr)
    return max(each[0] for each in problems if each), None


def _difference(own: dict[str, Any], first: dict[str, Any]) -> list[Any] | None:
    """Return the exit status and the message for a rank that would not do what rank 0 does."""
    return next(([2, message] for name, message in _OTHERS.items() if own[name] != first[name]), None)


def _show_failure(error: BaseException, launch: Launch) -> None:
    from djfast.errors import Preempted, ResumeError

    where = f"rank {launch.rank} of {launch.size}"
    message = message_of(error)
    if message is not None:
        print(lines_of(f"djfast: error: {message} ({where})"), file=sys.stderr)
    else:
        import traceback

        print(f"djfast: error in {where}:", file=sys.stderr)
        traceback.print_exception(error)
    if not isinstance(error, Preempted | ResumeError):  # which say so themselves
        print("djfast: what is finished is kept; run the same command again to go on", file=sys.stderr)


def _show_notices(options: argparse.Namespace, notices: tuple[str, ...]) -> None:
    for notice in () if options.quiet else notices:
        print(lines_of(f"djfast: note: {notice}"), file=sys.stderr)


def _show_report(options: argparse.Namespace, report: Report, shown: int) -> None:
    if options.json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))
    elif not options.quiet:
        _show_notices(options, report.notices[shown:])
        from djfast.runners.report import rank_lines, rejection_lines, usage_lines

        lines = [*report.funnel(), *(rank_lines(report.ranks) if len(report.ranks) > 1 else [])]
        lines += usage_lines(report.language_models or {})
        lines += rejection_lines(report)
        print(lines_of("\n".join(lines)), file=sys.stderr)
        print(lines_of(report.last_line()))
