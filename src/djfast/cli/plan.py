"""``djfast plan``: explain a recipe, and predict what a run will take, without running it."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from djfast.cli.main import add_recipe_arguments, load
from djfast.redaction import all_safe, lines_of

if TYPE_CHECKING:
    from djfast.plan.steps import Plan
    from djfast.recipe.load import Recipe
    from djfast.runners.probe import Prediction

TAKES_OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    parser.add_argument("--ranks", type=int, default=1, metavar="N", help="predict time and memory for N ranks, default 1")
    parser.add_argument("--no-probe", action="store_true", help="read no data and load no models: no prediction")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the plan, and what a run will take."""
    recipe = load(options, rest)
    from djfast.plan.explain import explain, plan_record
    from djfast.runners.local import plan_recipe

    plan = plan_recipe(recipe)  # type: ignore[arg-type]
    prediction = None if options.no_probe else _prediction(recipe, plan, max(1, options.ranks))  # type: ignore[arg-type]
    if options.json:
        probe = None if isinstance(prediction, str | None) else prediction._asdict()
        print(json.dumps(all_safe({**plan_record(plan), "probe": probe}), indent=2, ensure_ascii=False))
    else:
        lines = explain(plan)
        if prediction is not None:
            lines += [prediction] if isinstance(prediction, str) else prediction.lines()
        lines += [f"note: {notice}" for notice in (*recipe.notices, *plan.notices)]  # type: ignore[attr-defined]
        print("\n".join(map(lines_of, lines)))
    return 0


def _prediction(recipe: Recipe, plan: Plan, ranks: int) -> Prediction | str:
    """Return what a probe of the input predicts, or why there is no prediction."""
    from djfast.errors import InputError, MissingExtraError, ModelError, SchemaError
    from djfast.runners.probe import predict

    for op in plan.ops:
        if op.acts_outside:
            return f"no prediction of time and memory: {op.spec.name} asks or changes what is outside of the run"
    try:
        return predict(recipe, plan, ranks=ranks)
    except (InputError, ModelError, MissingExtraError, SchemaError) as error:
        return f"no prediction of time and memory: {error}"
