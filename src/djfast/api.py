"""Running whole recipes from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from djfast.runners.report import Report


def run(recipe: str | os.PathLike[str] | Mapping[str, Any], *, progress: bool = False, **overrides: Any) -> Report:
    """Run a recipe and return its report.

    Parameters
    ----------
    recipe : path or mapping
        A recipe file, or its content.
    progress : bool, optional
        Show on standard error how far the run is, as the command does: live lines on a terminal, else, as in a notebook, a line
        each minute.
    **overrides
        Global keys that replace the recipe's: ``np=8``, ``export_path="out.jsonl"``. Parameters of OPs are reached with a
        dictionary: ``**{"text_length_filter.min_len": 20, "process.3.max_len": 100}``.

    Raises
    ------
    RecipeError, InputError, ModelError, MissingExtraError, SchemaError, TooManyErrors
        As ``djfast run`` would print them.
    """
    import json

    from djfast.recipe.load import load_recipe
    from djfast.runners.progress import Progress

    given = dict(recipe) if isinstance(recipe, Mapping) else os.fspath(recipe)
    texts = [f"{key}={json.dumps(value, default=_plain)}" for key, value in overrides.items()]
    recipe_ = load_recipe(given, overrides=texts)
    if recipe_.settings["use_checkpoint"]:
        from djfast.runners.job import run_alone

        return run_alone(recipe_, Progress(is_quiet=not progress))
    from djfast.runners.local import run_recipe

    return run_recipe(recipe_, progress=Progress(is_quiet=not progress))


def _plain(value: Any) -> Any:
    from djfast.plain_values import plain

    return os.fspath(value) if isinstance(value, os.PathLike) else plain(value)
