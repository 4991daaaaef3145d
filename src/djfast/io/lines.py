"""Lines that stand one after the other in a text, with where each one ends as packed 64-bit numbers."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate


def line_bytes(ends: bytes) -> list[int]:
    """Return the bytes of each line."""
    numbers = array("Q", ends)
    return [end - begin for begin, end in zip([0, *numbers], numbers)]


def gathered_lines(sources: Sequence[tuple[bytes, bytes]], picks: Sequence[tuple[int, int]]) -> tuple[bytes, bytes]:
    """Take lines out of several texts, each with its ends, by (text, line); texts without ends give none."""
    if not any(ends for _, ends in sources):
        return b"", b""
    ends = [array("Q", [0]) + array("Q", ends) for _, ends in sources]
    lines = [sources[text][0][ends[text][line] : ends[text][line + 1]] for text, line in picks]
    return b"".join(lines), array("Q", accumulate(map(len, lines))).tobytes()
