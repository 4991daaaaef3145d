"""Which right name was meant by a wrong one."""

from __future__ import annotations

from collections.abc import Iterable

_LIKENESS = 0.6  # share of letters in common from which a name may be meant
_SHORT, _SHORT_LIKENESS = 3, 0.5  # one wrong letter in a name of two is half of it, so the first one must be right


def nearest(given: str, names: Iterable[str], likeness: float = _LIKENESS) -> str | None:
    """Return the name that is most like the given one, or None if none is so much like it.

    Of equally near names the alphabetically last is taken, so messages do not depend on the order of a table.
    """
    from difflib import get_close_matches  # used when something is wrong only

    candidates, cutoff = sorted(names), likeness
    if len(given) <= _SHORT:
        candidates, cutoff = [name for name in candidates if name[:1] == given[:1]], _SHORT_LIKENESS
    return next(iter(get_close_matches(given, candidates, n=1, cutoff=cutoff)), None)


def did_you_mean(given: str, names: Iterable[str]) -> str:
    """Return `` (did you mean 'name'?)`` with the nearest name, else with the first that holds the given one; or nothing."""
    candidates = sorted(names)
    holding = (name for name in candidates if len(given) > _SHORT and given.lower() in name)
    name = nearest(given[:100], candidates) or next(holding, None)
    return f" (did you mean {name!r}?)" if name else ""
