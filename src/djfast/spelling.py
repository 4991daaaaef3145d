"""Which right name was meant by a wrong one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(given: str, names: Iterable[str]) -> str | None:
    """Return the name that is closest to the given one, or None if all are too far to be meant.

    Of equally close names the alphabetically first is taken, so messages do not depend on the order of a table.
    """
    allowed = max(1, len(given) // 3)
    best: tuple[int, str] | None = None
    for name in sorted(names):
        if abs(len(name) - len(given)) > allowed:
            continue
        found = distance(given, name)
        if found <= allowed and (best is None or found < best[0]):
            best = (found, name)
    return best[1] if best else None


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
