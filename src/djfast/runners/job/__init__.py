"""Runs that survive: splits handed out to ranks, parts and a journal on the shared file system, one merge at the end."""

from __future__ import annotations

from djfast.recipe.load import Recipe
from djfast.runners.progress import Progress
from djfast.runners.report import Report


def run_alone(recipe: Recipe, progress: Progress) -> Report:
    """Run a checked recipe as a job of this process; it goes on where an interrupted one stopped.

    Raises
    ------
    ResumeError
        If the job's folder holds an unfinished job of another recipe, input or version.
    """
    from djfast.ranks.alone import Alone
    from djfast.runners.job.runner import Job
    from djfast.runners.job.stopping import Stopping

    report = Job(recipe, Alone(), progress=progress, stopping=Stopping()).run()
    assert report is not None  # rank 0 reports
    return report
