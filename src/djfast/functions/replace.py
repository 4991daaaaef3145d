"""Replacing what a user's pattern matches, by the `regex` package."""

from __future__ import annotations

from collections.abc import Callable

from djfast.functions.patterns import BoundedPattern


def bind_regex_replace(pattern: str, repl: str) -> Callable[[str], str]:
    r"""Return the function that replaces every match of a pattern in a text.

    Parameters
    ----------
    pattern : str
        Pattern of the `regex` package, version 0; a dot matches line feeds too. The wrapper of a Python raw string
        (``r'...'`` or ``r"..."``), which recipes often bring along, is taken off.
    repl : str
        Replacement template: ``\1``, ``\g<name>``, ``\n`` and so on stand for groups and characters.

    Returns
    -------
    Callable[[str], str]
        Raises TimeoutError for a text that takes the pattern more steps than `patterns.MOST_STEPS`.

    Raises
    ------
    RecipeError
        If the pattern or the template is not valid.
    """
    import regex

    compiled = BoundedPattern(unwrapped(pattern), "pattern", regex.DOTALL)
    compiled.check_template(repl, "repl")
    return lambda text: compiled.sub(repl, text)


def bind_regex_remove(pattern: str) -> Callable[[str], str]:
    """Return the function that deletes every match of a pattern; here a dot does not match line feeds.

    Raises
    ------
    RecipeError
        If the pattern is not valid.
    """
    compiled = BoundedPattern(pattern, "ignore_pattern")
    return lambda text: compiled.sub("", text)


def unwrapped(pattern: str) -> str:
    """Return a pattern without the wrapper of a Python raw string."""
    wrapped = len(pattern) > 2 and any(pattern[:2] == f"r{quote}" and pattern[-1] == quote for quote in "'\"")
    return pattern[2:-1] if wrapped else pattern
