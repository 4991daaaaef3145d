"""``djfast schema``: the JSON Schema of recipes; editors complete and check recipes with it."""

from __future__ import annotations

import argparse
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no arguments."""


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the schema."""
    from djfast.recipe.schema import recipe_schema

    print(json.dumps(recipe_schema(), indent=1, ensure_ascii=False))
    return 0
