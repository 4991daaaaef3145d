"""Which fields the templates of a recipe name."""

from __future__ import annotations

import string
from collections.abc import Iterable

from djfast.errors import RecipeError


def field_names(templates: Iterable[str], *, op: str) -> list[str]:
    """Return the names in braces, each once, in their order.

    Raises
    ------
    RecipeError
        If a text is no template.
    """
    names: dict[str, None] = {}
    for template in templates:
        try:
            names.update((name, None) for _, name, _, _ in string.Formatter().parse(template) if name is not None)
        except ValueError as error:
            raise RecipeError(f"{op}: a template may hold names of fields in braces ({error}), got {template[:60]!r}") from error
    for name in names:
        if not name.isidentifier():
            raise RecipeError(f"{op}: a template may hold names of fields in braces, and braces that are doubled, got {{{name}}}")
    return list(names)
