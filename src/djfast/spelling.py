"""Which right name was meant by a wrong one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def nearest(given: str, names: Iterable[str]) -> str | None:
    """Return the name that is closest to the given one, or None if all are too far to be meant.

    Of equally close names the alphabetically first is taken, so messages do not depend on the order of a table.
    """
    closest = max(1, len(given) // 3) + 1  # a name must be closer than this
    best = None
    letters = Counter(given)
    for name in sorted(names):
        # Every letter that one word has and the other lacks costs a step, so most names need no further look.
        others = Counter(name)
        if max((letters - others).total(), (others - letters).total()) >= closest:
            continue
        found = distance(given, name)
        if found < closest:
            closest, best = found, name
    return best


def distance(first: str, second: str) -> int:
    """Count the inserted, deleted, changed or swapped neighbouring letters between two words."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        current = [i]
        for j, b in enumerate(second, 1):
            cost = min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, row = row, current
    return row[-1]


def did_you_mean(given: str, names: Iterable[str]) -> str:
    """Return `` (did you mean 'name'?)``, or nothing where no name is near."""
    name = nearest(given[:100], names)
    return f" (did you mean {name!r}?)" if name else ""
