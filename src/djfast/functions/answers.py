"""Parts of a model's answer: names in a list, sections under headings, records in parentheses, texts in quotes.

Answers may be of any length and say anything, so all of this takes time in proportion to their length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PUNCTUATION = re.compile(r"""[\u3000-\u303f\uff00-\uffef!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]""")
_RECORD = re.compile(r'\("(\w+)"')
_PARENTHESIS = re.compile("[()]")
_QUOTES = {"'": "'", '"': '"', "“": "”", "‘": "’", "`": "`"}


def names_in(text: str) -> list[str]:
    """Return what stands between punctuation of any script, without spaces around."""
    pieces = (piece.strip() for piece in _PUNCTUATION.split(text))
    return [piece for piece in pieces if piece]


def marker(label: str) -> re.Pattern[str]:
    """Return the pattern of a bold label with its colon, as ``- **label**：``; `label` is a pattern itself."""
    return re.compile(rf"(?:-[ \t]*)?\*\*[ \t]*{label}[ \t]*\*\*[ \t]*[：:]")


def sections(answer: str, heading: re.Pattern[str]) -> Iterator[str]:
    """Yield what follows each heading, up to the next ``###`` or the end."""
    for head in heading.finditer(answer):
        end = answer.find("###", head.end())
        yield answer[head.end() : end if end >= 0 else None]


def parts(section: str, labels: tuple[re.Pattern[str], ...]) -> list[str] | None:
    """Return the labels of a section as they stand, each followed by the text up to the next one.

    None where one is missing; labels must come in their order.
    """
    found: list[str] = []
    position = start = 0
    for number, label in enumerate(labels):
        match = label.search(section, position)
        if match is None:
            return None
        if number:
            found.append(section[start : match.start()].strip())
        found.append(match[0])
        position = start = match.end()
    return [*found, section[start:].strip()]


def records(answer: str, name: str) -> Iterator[str]:
    """Yield what ``("name" ...)`` holds behind its name.

    A record ends where its parentheses are balanced or, where they never are before the next record, at the first closing one.
    """
    openings = list(_RECORD.finditer(answer))
    following = [*(opening.start() for opening in openings[1:]), len(answer)]
    for opening, limit in zip(openings, following):
        end = _closing(answer, opening.end(), limit) if opening[1] == name else -1
        if end >= 0:
            yield answer[opening.end() : end]


def _closing(answer: str, start: int, limit: int) -> int:
    """Return where the parenthesis that is open at `start` is closed, -1 where it is not."""
    depth = 1
    for parenthesis in _PARENTHESIS.finditer(answer, start, limit):
        depth += 1 if parenthesis[0] == "(" else -1
        if not depth:
            return parenthesis.start()
    return answer.find(")", start, limit)


def unquoted(text: str, *, layers: int | None = None) -> str:
    """Return a text without the pairs of quotes around it, and without spaces; at most `layers` pairs."""
    first, last = 0, len(text)
    while True:
        while first < last and text[first].isspace():
            first += 1
        while first < last and text[last - 1].isspace():
            last -= 1
        if layers == 0 or last - first < 2 or _QUOTES.get(text[first]) != text[last - 1]:
            return text[first:last]
        first, last = first + 1, last - 1
        layers = None if layers is None else layers - 1
