"""What lies beside a result once it is there: the record of the run, and who may read it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from djfast.io.durable import writing
from djfast.io.result_names import record_path, rejected_path, stats_path
from djfast.io.write.commit import Staging
from djfast.recipe.load import Recipe
from djfast.recipe.outputs import is_remote
from djfast.redaction import all_safe
from djfast.runners.report import Report


def with_side_files(report: Report, staging: Staging) -> Report:
    """Return the report with the paths of stats and rejected rows, where there are any."""
    stats, rejected = stats_path(staging.path), rejected_path(staging.path)
    return report._replace(
        stats_path=stats if stats in staging.completed else None,
        rejected_path=rejected if rejected in staging.completed else None,
    )


def write_record(staging: Staging, recipe: Recipe, inputs: Sequence[Mapping[str, Any]], report: Report) -> None:
    """Write the record of a run, which is committed with its result: recipe, versions, inputs and report.

    Only who may read all of these may read it.
    """
    from djfast import __version__

    record = {
        "djfast": __version__,
        "python": sys.version.partition(" ")[0],
        "recipe": recipe.text,
        "inputs": inputs,
        **report.to_dict(),
    }
    path = record_path(staging.path)
    with writing(path, setting="export_path"), staging.open(path) as file:
        text = json.dumps(all_safe(record), indent=2, ensure_ascii=False, default=str) + "\n"
        file.write(text.encode("utf-8", "backslashreplace"))
        readers = _readers([recipe.source, *(each["path"] for each in inputs)])
        os.fchmod(file.fileno(), os.fstat(file.fileno()).st_mode & readers)
    staging.complete(path)


def _readers(paths: Sequence[str | None]) -> int:
    """Return the permissions of who may read all of some files. What lies elsewhere is for the owner alone."""
    mode = 0o666
    for path in paths:
        if path is not None and is_remote(path):
            mode &= 0o600
        elif path is not None and os.path.exists(path):  # what was generated, or removed meanwhile, is nobody's secret
            mode &= os.stat(path).st_mode | 0o600
    return mode
