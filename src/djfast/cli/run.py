"""``djfast run``: run a recipe, show progress, end with the funnel and one summary line."""

from __future__ import annotations

import argparse
import json
import sys

from djfast.cli.main import add_recipe_arguments, load

TAKES_OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="show errors only")
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of the summary")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Run the recipe."""
    recipe = load(options, rest)
    from djfast import _native
    from djfast.runners.local import run_recipe
    from djfast.runners.progress import Progress

    for notice in [] if options.quiet else recipe.notices:  # type: ignore[attr-defined]
        print(f"djfast: note: {notice}", file=sys.stderr)
    _native.keep_freed_memory()
    report = run_recipe(recipe, progress=Progress(is_quiet=options.quiet))  # type: ignore[arg-type]
    if options.json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))
    elif not options.quiet:
        for notice in report.notices[len(recipe.notices) :]:  # type: ignore[attr-defined]
            print(f"djfast: note: {notice}", file=sys.stderr)
        print("\n".join(report.funnel()), file=sys.stderr)
        print(report.last_line())
    return 0
