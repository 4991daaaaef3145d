"""What a run leaves behind, in a form in which two runs of the same case are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from djfast.ranks import Ranks
from djfast.recipe.load import load_recipe
from djfast.runners.job.runner import Job
from djfast.runners.job.stopping import Stopping
from djfast.runners.local import run_recipe
from djfast.runners.progress import Progress
from djfast.runners.report import Report


def counts_of(report: Report) -> dict[str, Any]:
    """Return what a report must say for any number of ranks, threads and batches, as JSON data."""
    return {
        "read": report.rows_read,
        "written": report.rows_written,
        "rejected": report.rows_rejected,
        "ops": [[op.name, op.rows_in, op.rows_out, op.rejected] for op in report.ops],
        "results": [Path(path).name for path in report.export_paths],
        "stats": report.stats_path and Path(report.stats_path).name,
        "rejected rows": report.rejected_path and Path(report.rejected_path).name,
    }


def run_locally(recipe: dict[str, Any]) -> dict[str, Any]:
    """Run without ranks and return the counts."""
    return counts_of(run_recipe(load_recipe(recipe)))


def run_with_ranks(recipe: dict[str, Any], ranks: Ranks, stopping: Stopping | None = None) -> dict[str, Any] | None:
    """Run as one rank of a job and return the counts, on rank 0. With a `stopping`, the job may be a resumed one."""
    report = Job(load_recipe(recipe), ranks, progress=Progress(is_quiet=True), stopping=stopping or Stopping()).run()
    if report is None:
        return None
    assert [rank.rank for rank in report.ranks] == list(range(ranks.size))
    read = sum(rank.rows_read for rank in report.ranks)
    assert read == report.rows_read or (stopping is not None and read < report.rows_read)
    return counts_of(report)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a run: results, stats and rejected rows. Nothing else may lie there but the record of the run."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and not path.name.endswith(".run.json")}
    assert [path.name for path in folder.iterdir() if path.is_dir()] in ([], ["out.job"])
    assert not (folder / "out.job" / "parts").exists(), "parts are left behind"
    return found
