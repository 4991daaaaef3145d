"""How much of two texts is said in the same order: ROUGE-L."""

from __future__ import annotations

import re

# A character of a script that is written without spaces is a word of its own.
_UNSPACED = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\s{_UNSPACED}]+")
_MOST_WORDS = 20_000


def rouge_l(text: str, other: str) -> float:
    """Return the F measure of the longest common subsequence of words.

    Only the first 20,000 words of a text count. A text without words has nothing in common with any.

    References
    ----------
    Lin, "ROUGE: a package for automatic evaluation of summaries", 2004.
    """
    words, others = _words(text), _words(other)
    if not words or not others:
        return 0.0
    return 2 * _common(words, others) / (len(words) + len(others))


def _words(text: str) -> list[str]:
    found = _WORD.finditer(text)
    return [match.group() for match, _ in zip(found, range(_MOST_WORDS))]


def _common(words: list[str], others: list[str]) -> int:
    """Return the length of the longest common subsequence.

    A row of the usual table grows by at most one from place to place, so a bit for each place says it all, and a word of the
    other text changes the row by a few operations on one long number.

    References
    ----------
    Hyyrö, "Bit-parallel LCS-length computation revisited", 2004.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(words)) - 1
    row = every
    for word in others:
        hits = row & places.get(word, 0)
        row = (row + hits | row - hits) & every
    return len(words) - row.bit_count()
