"""Neighbours put together, as many as fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def group_starts(sizes: Iterable[int], limit: int, *, most: int | None = None) -> Iterator[int]:
    """Split a sequence into runs of at most `limit` bytes and `most` items; yield the index at which each run starts."""
    yield 0
    held = count = 0
    for position, size in enumerate(sizes):
        if position > 0 and (held + size > limit or count == most):
            yield position
            held = count = 0
        held += size
        count += 1
