"""``djfast plan``: explain a recipe, and predict what a run will take, without running it."""

from __future__ import annotations

import argparse
import json

from djfast.cli.main import add_recipe_arguments, load
from djfast.redaction import all_safe, lines_of

TAKES_OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every function of the plan, and what it reads")
    parser.add_argument("--ranks", type=int, default=1, metavar="N", help="predict time and memory for N ranks, default 1")
    parser.add_argument("--no-probe", action="store_true", help="read no data and load no models: no prediction")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the plan, and what a run will take."""
    recipe = load(options, rest)
    from djfast import _native
    from djfast.plan.explain import explain, plan_record
    from djfast.plan.overview import overview
    from djfast.runners.planning import plan_recipe
    from djfast.runners.probe import prediction_of

    _native.keep_freed_memory()  # as a run does: the probe measures what that takes
    plan = plan_recipe(recipe)  # type: ignore[arg-type]
    prediction = None if options.no_probe else prediction_of(recipe, plan, ranks=max(1, options.ranks))  # type: ignore[arg-type]
    if options.json:
        probe = None if isinstance(prediction, str | None) else prediction._asdict()
        print(json.dumps(all_safe({**plan_record(plan), "probe": probe}), indent=2, ensure_ascii=False))
    else:
        lines = explain(plan) if options.verbose else overview(plan)
        if prediction is not None:
            lines += [prediction] if isinstance(prediction, str) else prediction.lines()
        lines += [f"note: {notice}" for notice in (*recipe.notices, *plan.notices)]  # type: ignore[attr-defined]
        print("\n".join(map(lines_of, lines)))
    return 0
