"""Texts cut into chunks, at matches of a pattern and by length."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from djfast.functions.patterns import BoundedPattern
from djfast.functions.rows import Row, path_of, text_at, with_text
from djfast.functions.tokenization import load_tokenizer

_MOST_CHUNKS = 1_000_000  # of one row
_MOST_CHARACTERS = 100_000_000  # in the chunks of one row: overlaps repeat them


def bind_text_chunks(
    text_key: str, max_len: int | None, pattern: str | None, overlap: int
) -> Callable[[Row], list[Row]]:
    """Return the function from a row to one row for each chunk of its text, measured in code points.

    Raises
    ------
    RecipeError
        If the pattern is not valid.
    """
    return _rows(text_key, _Cutter(max_len, pattern, overlap, lambda text: range(len(text))))


def bind_token_chunks(
    text_key: str, max_len: int, pattern: str | None, overlap: int, tokenizer: str
) -> Callable[[Row], list[Row]]:
    """Return the function from a row to one row for each chunk of its text, measured in tokens.

    Parameters
    ----------
    tokenizer : str
        Path of the ``tokenizer.json`` file, or of a folder that has it.

    Raises
    ------
    RecipeError
        If the pattern is not valid.
    """
    loaded = load_tokenizer(tokenizer)

    def starts(text: str) -> list[int]:
        return [start for start, _ in loaded.encode(text, add_special_tokens=False).offsets]

    return _rows(text_key, _Cutter(max_len, pattern, overlap, starts))


class _Cutter:
    """Cuts texts. `starts` gives the position at which each unit of a text begins, in ascending order."""

    def __init__(
        self, max_len: int | None, pattern: str | None, overlap: int, starts: Callable[[str], Sequence[int]]
    ) -> None:
        self.max_len = max_len
        self.overlap = overlap
        self.starts = starts
        self.pattern = None if pattern is None else BoundedPattern(pattern, "split_pattern")

    def chunks(self, text: str) -> Iterator[str]:
        """Yield the chunks of a text."""
        if self.max_len is None:
            assert self.pattern is not None  # checked with the parameters
            pieces = self.pattern.split(text)
            return (piece for piece in pieces if piece and piece.strip())
        starts = self.starts(text)
        if len(starts) <= self.max_len:
            return iter([text])
        if self.pattern is None:
            return self._windows(text, starts, self.max_len)
        return self._cut_windows(text, starts, self.max_len, self.pattern)

    def _windows(self, text: str, starts: Sequence[int], size: int) -> Iterator[str]:
        for first in range(0, len(starts), size - self.overlap):
            end = starts[first + size] if first + size < len(starts) else len(text)
            if chunk := text[starts[first] if first else 0 : end]:  # a character may have more tokens than a window
                yield chunk

    def _cut_windows(self, text: str, starts: Sequence[int], size: int, pattern: BoundedPattern) -> Iterator[str]:
        position = first = 0  # where the rest begins, and the first unit that begins in it
        while len(starts) - first > size:
            window = text[position : starts[first + size]]
            last = pattern.last_match(window)
            if last is None or last[1] == 0:  # an empty match at the start would go on for ever
                chunk = window
                first += size - self.overlap
                position = starts[first]
            else:
                chunk = window[: last[0]]
                position += last[1]
                first = bisect_left(starts, position, first)
            if chunk.strip():
                yield chunk
        yield text[position:]


def _rows(text_key: str, cutter: _Cutter) -> Callable[[Row], list[Row]]:
    def rows(row: Row) -> list[Row]:
        path = path_of(row, text_key)
        text = text_at(row, path)
        found: list[Row] = []
        characters = 0
        for chunk in cutter.chunks(text):
            characters += len(chunk)
            if len(found) == _MOST_CHUNKS or characters > _MOST_CHARACTERS:
                raise ValueError(f"a text gives at most {_MOST_CHUNKS} chunks of {_MOST_CHARACTERS} characters together")
            found.append(with_text(row, path, chunk))
        return found

    return rows

