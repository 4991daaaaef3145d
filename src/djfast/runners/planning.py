"""From a recipe to the plan that runs: what local runs, jobs and predictions share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from djfast.logs import INFO, logger
from djfast.plan.build import build_plan
from djfast.plan.rules import optimized
from djfast.plan.steps import Plan
from djfast.recipe.load import Recipe
from djfast.runners.delivery import check_output
from djfast.runners.inputs import text_keys

if TYPE_CHECKING:
    from djfast.runners.progress import Progress

_LOG = logger("run")


def plan_recipe(recipe: Recipe, *, has_devices: bool = False) -> Plan:
    """Plan a checked recipe whose result can be written, with stages for device ranks if there are some."""
    check_output(recipe)
    return plan_of(recipe, has_devices=has_devices)


def plan_of(recipe: Recipe, *, has_devices: bool = False) -> Plan:
    """Plan a checked recipe, wherever its rows go."""
    plan = build_plan(
        recipe.ops,
        text_keys=text_keys(recipe),
        requires_texts=not any(source.generated for source in recipe.settings["sources"].listed),
        keep_hashes=bool(recipe.settings["keep_hashes_in_res_ds"]),
        has_devices=has_devices,
    )
    return optimized(plan, without=recipe.settings["without_rules"])


def fatal_ops(plan: Plan, *, skips_errors: bool) -> Any:
    """Return which OP's first bad row stops the run; -1 is reading."""

    def is_fatal(op: int) -> bool:
        own = plan.ops[op].skip_op_error if op >= 0 else None
        return not (skips_errors if own is None else own)

    return is_fatal


def log_work(plan: Plan, heading: str, progress: Progress) -> None:
    """Tell those who listen what runs, unless progress does, and what becomes of the rows."""
    if not _LOG.listens(INFO):
        return
    from djfast.plan.overview import overview

    lines = overview(plan)
    for line in [heading, *lines] if progress.is_terminal or progress.is_quiet else lines:
        _LOG.info("%s", line)
