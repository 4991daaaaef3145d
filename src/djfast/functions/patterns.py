"""Patterns that the recipe brings along, with a limit on what one text may take.

The limit is a number of steps of the engine, not a time: which rows are rejected depends neither on the machine nor on what else
it does. The package `regex` looks for signals every 256 steps of a search; where it runs in the main thread of a process, a
signal that is always there counts these looks. So a text that is not done at once is searched again, in a child.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from djfast.children import ChildEnded, Children, serve
from djfast.errors import RecipeError

MOST_STEPS = 1_000_000_000  # of one text; about ten seconds
SECONDS = 120.0  # of one text in a child, for loops that take no steps
FIRST_SECONDS = 0.5  # here, of all threads together
_STEPS_PER_LOOK = 256
_MOST_UNFOLDED = 1_000_000  # parts of a pattern, each as often as its counts repeat it; the package writes them out
_MEMORY = 4 << 30

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<least>[1-9][0-9]{0,9})(?:,[0-9]*)?\}|.", re.DOTALL)

_children = Children("djfast.functions.patterns", patience=20 * SECONDS)


class BoundedPattern:
    """A compiled pattern of the package `regex`. Its methods raise TimeoutError where a text takes too long.

    Parameters
    ----------
    pattern : str
    parameter : str
        Name of the recipe's parameter, for messages.
    flags : int
        Flags of `regex`.

    Raises
    ------
    RecipeError
        If the pattern is not valid.
    """

    def __init__(self, pattern: str, parameter: str, flags: int = 0) -> None:
        import regex

        self.pattern = pattern
        self.flags = flags
        if _unfolded(pattern) > _MOST_UNFOLDED:
            raise RecipeError(f"{parameter} must not repeat its parts more than {_MOST_UNFOLDED:,} times, got {pattern[:200]!r}")
        try:
            self._compiled: Any = regex.compile(pattern, flags)
        except (regex.error, OverflowError) as error:
            raise RecipeError(f"{parameter} must be a valid regular expression ({error}), got {pattern!r}") from None
        except RecursionError:
            raise RecipeError(f"{parameter} must not nest groups so deep, got {pattern[:200]!r}") from None

    def check_template(self, template: str, parameter: str) -> None:
        """Check a replacement before any text is read.

        Raises
        ------
        RecipeError
            If it is not valid.
        """
        import regex

        try:
            # A template is read at the first match: with one more, empty alternative even the empty text has one.
            regex.compile(self.pattern + "|", self.flags).sub(template, "", timeout=FIRST_SECONDS)
        except (TimeoutError, MemoryError):
            return  # a pattern that calls itself for ever, which costs the rows that it meets
        except (regex.error, IndexError, OverflowError, ValueError) as error:  # the last two: no such character
            raise RecipeError(
                f"{parameter} must be a valid template for {self.pattern!r} ({error}), got {template!r}"
            ) from None

    def sub(self, template: str, text: str) -> str:
        """Return the text with every match replaced."""
        replaced: str = self._bounded("sub", text, template)
        return replaced

    def split(self, text: str) -> list[str | None]:
        """Return the parts of a text between matches, with what groups matched."""
        parts: list[str | None] = self._bounded("split", text)
        return parts

    def is_in(self, text: str) -> bool:
        """Whether a text has a match."""
        return bool(self._bounded("is_in", text))

    def last_match(self, text: str) -> tuple[int, int] | None:
        """Return where the last match of a text begins and ends."""
        span = self._bounded("last", text)
        return None if span is None else (span[0], span[1])

    def _bounded(self, work: str, text: str, *arguments: Any) -> Any:
        try:
            return _WORKS[work](self._compiled, text, *arguments, timeout=FIRST_SECONDS)
        except TimeoutError:
            pass
        request = [self.pattern, int(self.flags), MOST_STEPS // _STEPS_PER_LOOK, text, *arguments]
        try:
            is_good, answer = _children.ask(work, json.dumps(request).encode())
        except ChildEnded:
            raise TimeoutError(
                f"the pattern needs more than {SECONDS:g} seconds or {_MEMORY >> 30} GiB for this text"
            ) from None
        if not is_good:
            if answer.startswith(b"TimeoutError"):
                raise TimeoutError(f"the pattern needs more than {MOST_STEPS:,} steps for this text")
            raise RuntimeError(f"the pattern fails on this text: {answer.decode()}")
        return json.loads(answer)


def _unfolded(pattern: str) -> int:
    """Return how many parts a pattern has when those that a count repeats are written out."""
    sizes, last = [0], 0  # of the groups that are open, and of the part before
    for token in _TOKEN.finditer(pattern):
        if token["least"]:
            sizes[-1] += last * (int(token["least"]) - 1)
            last *= int(token["least"])
        elif token[0] == "(":
            sizes.append(0)
        elif token[0] == ")" and len(sizes) > 1:
            last = sizes.pop() or 1
            sizes[-1] += last
        else:
            last = 1
            sizes[-1] += 1
    return sum(sizes)


def _last(compiled: Any, text: str, *, timeout: float | None) -> tuple[int, int] | None:
    span = None
    for match in compiled.finditer(text, timeout=timeout):
        span = match.span()
    return span


_WORKS: dict[str, Callable[..., Any]] = {
    "sub": lambda compiled, text, template, timeout: compiled.sub(template, text, timeout=timeout),
    "split": lambda compiled, text, timeout: compiled.split(text, timeout=timeout),
    "is_in": lambda compiled, text, timeout: compiled.search(text, timeout=timeout) is not None,
    "last": _last,
}


def _counted(work: str, request: bytes) -> bytes:
    """Do the work of a request, counting steps."""
    import signal

    import regex

    from djfast import _native

    pattern, flags, most, text, *arguments = json.loads(request)
    compiled = regex.compile(pattern, flags)
    counter = _native.StepCounter(most, signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, counter)
    counter.begin()
    try:
        answer = _WORKS[work](compiled, text, *arguments, timeout=None)
    finally:
        counter.end()
    return json.dumps(answer).encode()


if __name__ == "__main__":
    serve(_counted, seconds=SECONDS, memory=_MEMORY)
