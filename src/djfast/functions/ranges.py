"""Intervals that lists of numbers lie in."""

from __future__ import annotations

import json
from collections.abc import Callable


def bind_list_in_range(
    *,
    low: float | None,
    high: float | None,
    low_closed: bool,
    high_closed: bool,
    reverse: bool,
    any_or_all: str,
    when_empty: bool,
) -> Callable[[str], bool]:
    """Return whether any or all numbers of a JSON list lie in an interval; NaN lies in none.

    Parameters
    ----------
    low, high : float or None
        None bounds nothing.
    low_closed, high_closed : bool
        Whether a bound itself is inside.
    reverse : bool
        Ask for the outside.
    any_or_all : {"any", "all"}
        How many must.
    when_empty : bool
        The answer for the empty list, for null and for no value.
    """
    combine = any if any_or_all == "any" else all

    def is_inside(number: float) -> bool:
        above = low is None or (number >= low if low_closed else number > low)
        below = high is None or (number <= high if high_closed else number < high)
        return above and below

    def list_in_range(value: str) -> bool:
        found = json.loads(value) if value else None
        numbers = found if isinstance(found, list) else [] if found is None else [found]
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise ValueError(f"a stat must be a number, a list of numbers or null, got {value[:40]}")
        return combine(is_inside(number) != reverse for number in numbers) if numbers else when_empty

    return list_in_range
