"""How far a job is, seen from outside: its folder is read, the data is not."""

from __future__ import annotations

from djfast.plan.steps import Plan
from djfast.recipe.load import Recipe
from djfast.records import NamedTuple
from djfast.runners.delivery import result_bytes
from djfast.runners.inputs import input_files
from djfast.runners.job.folder import OF_OPS, JobFolder, identity_of
from djfast.runners.job.journal import Journal, checksum_of
from djfast.runners.planning import plan_recipe


class Standing(NamedTuple):
    """How far a job is. Neither begun nor complete: nothing is there that a run could go on with."""

    is_begun: bool
    is_complete: bool
    text: str


def standing_of(recipe: Recipe, *, verifies: bool = False) -> Standing:
    """Look at the job of a recipe; `verifies` reads its result, too, and compares it with what was written.

    A finished job counts only for the recipe, the input and the version that it was run with, and only while its result
    is there. Code of the user is not run: where the recipe names some, its OPs are not compared.

    Raises
    ------
    InputError
        If the input is not there.
    """
    plan = plan_recipe(recipe)
    folder = JobFolder.of(recipe)
    has_code = bool(recipe.settings["custom_operator_paths"])
    identity = identity_of(recipe, plan, input_files(recipe))
    differences = folder.differences(identity, leaving_out=OF_OPS if has_code else ())
    if differences is None:
        return Standing(False, False, f"not begun: there is no job in {folder.path}")
    if differences:
        shown = "; ".join(differences[:5]) + ("; ..." if len(differences) > 5 else "")
        return Standing(False, False, f"not begun: {folder.path} holds another job: {shown}")
    journal = folder.look()
    if journal.done is None:
        done = f"{len(journal.parts)} parts" if has_code else _progress(plan, journal, folder.split_count())
        return Standing(True, False, f"unfinished: {done}")
    for path, size in journal.done.files:
        if result_bytes(recipe, path) != size:
            return Standing(False, False, f"not begun: it was complete, but {path} is gone or has changed since")
    for path, checksum in journal.done.checksums.items() if verifies else ():
        if checksum_of(path) != checksum:
            return Standing(False, False, f"not begun: it was complete, but {path} is damaged: it is not what was written")
    results = journal.done.files[: len(journal.done.report["export_paths"])]
    return Standing(True, True, f"complete: {', '.join(path for path, _ in results)}")


def _progress(plan: Plan, journal: Journal, splits: int) -> str:
    """Say where the first stage that is not finished stands."""
    last = len(plan.stages)
    for number, stage in enumerate(plan.stages):
        finished = sum(1 for stage_of_part, _ in journal.parts if stage_of_part == number)
        answer = journal.answers.get(number)
        if finished < splits or not splits:
            return f"{finished} of {splits or '?'} splits of stage {number + 1} of {last}"
        if stage.waits and answer is None:
            return f"all splits of stage {number + 1} of {last}, but not its deduplicators or selector"
        if answer is not None and answer.order:
            moved = sum(1 for stage_of_rows, _ in journal.moved if stage_of_rows == number)
            if moved < splits:
                return f"{moved} of {splits} splits of stage {number + 1} of {last} in their new order"
            splits = len(answer.cuts) - 1
    return "all stages, but not the result"
