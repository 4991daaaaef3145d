"""``djfast plan``: explain a recipe without running it."""

from __future__ import annotations

import argparse
import json

from djfast.cli.main import add_recipe_arguments, load

TAKES_OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the plan."""
    recipe = load(options, rest)
    from djfast.plan.explain import explain, plan_record
    from djfast.runners.local import plan_recipe

    plan = plan_recipe(recipe)  # type: ignore[arg-type]
    if options.json:
        print(json.dumps(plan_record(plan), indent=2, ensure_ascii=False))
    else:
        print("\n".join(explain(plan)))
        for notice in (*recipe.notices, *plan.notices):  # type: ignore[attr-defined]
            print(f"note: {notice}")
    return 0
