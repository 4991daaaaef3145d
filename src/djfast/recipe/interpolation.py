"""Environment variables in the texts of a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping

from djfast.errors import RecipeError

# Only what starts like a name is taken, so `${2}` in a pattern stays as it is.
_REFERENCE = r"(\$?)\$\{([A-Za-z_][^{}]*)\}"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


def interpolate(text: str, environment: Mapping[str, str]) -> str:
    """Replace `${NAME}`, `${NAME:-default}` and `${oc.env:NAME,default}`; `$${` stands for a plain `${`.

    Raises
    ------
    RecipeError
        If a variable without default is not set, or the braces hold something else.
    """
    if "${" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        inside = match[2]
        if inside.startswith("oc.env:"):
            name, separator, default = inside.removeprefix("oc.env:").partition(",")
            name, default = name.strip(), default.strip()
        else:
            name, separator, default = inside.partition(":-")
        if re.fullmatch(_NAME, name) is None:
            raise RecipeError(
                f"between braces stands the name of an environment variable, as in ${{NAME}} or ${{NAME:-default}} "
                f"(write $${{ for a plain ${{), got {match[0]!r}"
            )
        if separator:
            # As in a shell, a default also stands in for a variable that is set but empty.
            return environment.get(name) or default
        if name not in environment:
            raise RecipeError(f"the environment variable is not set and there is no default, got {match[0]!r}")
        return environment[name]

    return re.sub(_REFERENCE, value, text)


def escaped(text: str) -> str:
    """Return what `interpolate` turns into the text again."""
    return re.sub(_REFERENCE, lambda match: f"${match[0]}", text) if "${" in text else text
