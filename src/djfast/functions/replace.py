"""Replacing what a user's pattern matches, by the `regex` package."""

from __future__ import annotations

from collections.abc import Callable

from djfast.errors import RecipeError

TIMEOUT_SECONDS = 10.0


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
        Raises TimeoutError for a text that the pattern needs longer than `TIMEOUT_SECONDS` for; the engine looks at
        its clock only now and then, so this can come late.

    Raises
    ------
    RecipeError
        If the pattern or the template is not valid.
    """
    import regex

    try:
        compiled = regex.compile(unwrapped(pattern), regex.DOTALL)
    except regex.error as error:
        raise RecipeError(f"pattern must be a valid regular expression ({error}), got {pattern!r}") from None
    try:
        # A template is read at the first match: with one more, empty alternative even the empty text has one.
        regex.compile(unwrapped(pattern) + "|", regex.DOTALL).sub(repl, "")
    except (regex.error, IndexError, OverflowError, ValueError) as error:  # the last two: no such character
        raise RecipeError(f"repl must be a valid template for {pattern!r} ({error}), got {repl!r}") from None

    def replace(text: str) -> str:
        try:
            replaced: str = compiled.sub(repl, text, timeout=TIMEOUT_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"the pattern needs more than {TIMEOUT_SECONDS:g} seconds for this text") from None
        return replaced

    return replace


def bind_regex_remove(pattern: str) -> Callable[[str], str]:
    """Return the function that deletes every match of a pattern; here a dot does not match line feeds.

    Raises
    ------
    RecipeError
        If the pattern is not valid.
    """
    import regex

    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise RecipeError(f"ignore_pattern must be a valid regular expression ({error}), got {pattern!r}") from None
    return lambda text: compiled.sub("", text, timeout=TIMEOUT_SECONDS)


def unwrapped(pattern: str) -> str:
    """Return a pattern without the wrapper of a Python raw string."""
    wrapped = len(pattern) > 2 and any(pattern[:2] == f"r{quote}" and pattern[-1] == quote for quote in "'\"")
    return pattern[2:-1] if wrapped else pattern
