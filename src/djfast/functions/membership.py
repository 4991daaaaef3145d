"""Values among other values."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache


def bind_is_one_of(tags: Sequence[str | float]) -> Callable[[str], bool]:
    """Return whether a JSON value is among `tags`; a list or an object is an error. No JSON is null."""
    wanted = frozenset(tags)

    @lru_cache(maxsize=4096)  # most fields of tags have few values
    def is_one_of(value: str) -> bool:
        if value[:1] in ("[", "{"):
            raise ValueError(f"a tag is a string or a number, got {value[:40]}")
        return bool(value) and json.loads(value) in wanted

    return is_one_of
