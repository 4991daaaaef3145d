"""``djfast status``: say whether a run with ranks or checkpoints is complete; a launcher's exit status does not tell."""

from __future__ import annotations

import argparse

from djfast.cli.main import EXIT_FAILED, add_recipe_arguments, load
from djfast.redaction import lines_of

TAKES_OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)
    parser.description = "Say how far a run with ranks or use_checkpoint is. Exit status: 0 complete, 85 unfinished, 1 not begun."
    parser.add_argument("--verify", action="store_true", help="read the result, too, and compare it with what was written")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing, only the exit status tells")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Look at the job's folder and its journal."""
    recipe = load(options, rest, runs_code=False)
    from djfast.errors import EXIT_RESUMABLE
    from djfast.io.write.commit import finish_commit
    from djfast.runners.job.standing import standing_of

    finish_commit(str(recipe.settings["result_path"]))  # type: ignore[attr-defined]
    standing = standing_of(recipe, verifies=options.verify)  # type: ignore[arg-type]
    if not options.quiet:
        print(lines_of(standing.text))
    if standing.is_complete:
        return 0
    return EXIT_RESUMABLE if standing.is_begun else EXIT_FAILED
