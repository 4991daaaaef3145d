"""A recipe as an object that scripts read and change, as ``init_configs`` of Data-Juicer returns."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from djfast.errors import RecipeError
from djfast.recipe.load import Recipe, load_recipe
from djfast.recipe.overrides import parse_flags
from djfast.runners.memory import threads_of


class Config(SimpleNamespace):
    """All keys of a checked recipe, with defaults: ``config.np = 8``, ``config["process"]``. Changes are checked when it runs."""

    def __getitem__(self, key: str) -> Any:
        """Return the value of a key."""
        return vars(self)[key]

    def __setitem__(self, key: str, value: Any) -> None:
        """Set the value of a key."""
        vars(self)[key] = value

    def __contains__(self, key: object) -> bool:
        """Tell whether there is such a key."""
        return key in vars(self)

    def __iter__(self) -> Iterator[str]:
        """Yield the keys."""
        return iter(vars(self))

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        return vars(self).get(key, default)

    def to_dict(self) -> dict[str, Any]:
        """Return the keys as a dictionary."""
        return dict(vars(self))

    def recipe(self) -> Recipe:
        """Check the keys as they are now.

        Raises
        ------
        RecipeError
            With all problems found.
        """
        return load_recipe(vars(self))


def init_configs(args: Sequence[str] | None = None, which_entry: object = None, load_configs_only: bool = False) -> Config:  # noqa: FBT001
    """Read a recipe and options as ``dj-process`` takes them: ``["--config", "recipe.yaml", "--np", "4"]``.

    Parameters
    ----------
    args : sequence of str, optional
        The arguments of the process by default.
    which_entry, load_configs_only
        Without effect: a recipe is only checked.

    Raises
    ------
    RecipeError
        With all problems found.
    """
    del which_entry, load_configs_only
    given = list(sys.argv[1:] if args is None else args)
    path, flags = None, []
    while given:
        argument = given.pop(0)
        name, equals, value = argument.partition("=")
        if name != "--config":
            flags.append(argument)
        elif equals or given:
            path = value if equals else given.pop(0)
        else:
            raise RecipeError("--config takes a recipe file")
    recipe = load_recipe({} if path is None else path, parse_flags(flags))
    return Config(**{**recipe.text, "np": threads_of(recipe.settings)})  # scripts count with it
