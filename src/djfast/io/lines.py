"""Lines that stand one after the other in a text, with where each one ends as packed 64-bit numbers."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate


def line_bytes(ends: bytes) -> list[int]:
    """Return the bytes of each line."""
    numbers = array("Q", ends)
    return [end - begin for begin, end in zip([0, *numbers], numbers)]


class LinePool:
    """Lines of several texts, to take some of them.

    Parameters
    ----------
    sources : sequence of (bytes, bytes)
        Texts and the ends of their lines. Texts without ends have no lines to take, and `take` then gives none.
    """

    def __init__(self, sources: Sequence[tuple[bytes, bytes]]) -> None:
        self._texts = [text for text, _ in sources]
        self._ends = [array("Q", [0]) + array("Q", ends) for _, ends in sources]
        self._is_empty = not any(ends for _, ends in sources)

    def take(self, picks: Sequence[tuple[int, int]]) -> tuple[bytes, bytes]:
        """Return lines given as (text, line), and their ends."""
        if self._is_empty:
            return b"", b""
        texts, ends = self._texts, self._ends
        lines = [texts[text][ends[text][line] : ends[text][line + 1]] for text, line in picks]
        return b"".join(lines), array("Q", accumulate(map(len, lines))).tobytes()
