"""Lines of a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def bind_without_frequent_lines(frequent: set[int]) -> Callable[[str, Sequence[int]], str]:
    """Return the function that drops the lines whose keys are `frequent`."""

    def without_frequent_lines(text: str, keys: Sequence[int]) -> str:
        if frequent.isdisjoint(keys):
            return text
        return "\n".join(line for line, key in zip(text.split("\n"), keys) if key not in frequent)

    return without_frequent_lines
