"""Recipes as most are written: one key or list item a line, simple values, nothing that YAML has besides.

To load the YAML library takes longer than to run such a recipe on a few rows. What is read here means the same to the library,
which reads everything else, and finds all mistakes.
"""

from __future__ import annotations

import re
from typing import Any

from djfast.recipe.nodes import Mapping, Node, Scalar, Sequence

_MOST_CHARACTERS = 1 << 16
_LAST_COLUMN = 24  # keeps the tree far from the depth that recipes may have
_PLAIN = r"(?:-?[A-Za-z0-9_./+](?:[A-Za-z0-9_./+ -]*[A-Za-z0-9_./+-])?)"
_QUOTED = r"""(?:"[^"\\\n]*"|'[^'\n]*')"""
_VALUE = f"{_PLAIN}|{_QUOTED}"
_LINE = rf"( *)(- +)?(?:([A-Za-z_][A-Za-z0-9_.-]{{0,99}}):(?: +|$))?({_VALUE})?(?: *| +#.*)"
_ITEM = "-"  # in the place of a key


def read_plain(text: str, source: str, *, line_numbers: bool = True) -> Node | None:
    """Read a document as `djfast.recipe.document.read_document` does; None where it takes more than this."""
    if len(text) > _MOST_CHARACTERS or not text.isascii() or not text.replace("\n", "").isprintable():
        return None
    if re.fullmatch(_VALUE, text) and text[0] != ".":  # three points end a document
        return _scalar(text, f"{source}:1" if line_numbers else source)
    parts = _parts(text, source, line_numbers=line_numbers)
    return _Blocks(parts).read() if parts else None


def plain_value(text: str) -> tuple[bool, Any]:
    """Return whether what an unquoted value means can be told here, and what it means."""
    if text in _WORDS:
        return True, _WORDS[text]
    if re.fullmatch(r"-?(?:0|[1-9][0-9]{0,99})", text):
        return True, int(text)
    if re.fullmatch(r"-?[0-9]{1,50}\.[0-9]{1,50}", text):
        return True, float(text)
    return re.fullmatch("[A-Za-z_/].*", text) is not None, text


_WORDS = {
    spelled: value
    for word, value in {"null": None, "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.items()
    for spelled in (word, word.capitalize(), word.upper())
} | {"": None}

_Part = tuple[str, int, str | None, Scalar | None]


def _parts(text: str, source: str, *, line_numbers: bool) -> list[_Part] | None:
    """Take lines apart: place, column, key (or that an item begins) and value; None if one is not plain."""
    pattern = re.compile(_LINE)
    parts: list[_Part] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip()[:1] in ("", "#"):
            continue
        match = pattern.fullmatch(line)
        if match is None:
            return None
        indent, dash, key, value = match.groups()
        where = f"{source}:{number}" if line_numbers else source
        column = len(indent)
        if dash is not None:
            parts.append((where, column, _ITEM, None))
            column += len(dash)
        if column > _LAST_COLUMN or (key is None and (dash is None or value is None)):
            return None
        parts.append((where, column, key, None if value is None else _scalar(value, where)))
    return parts


def _scalar(text: str, where: str) -> Scalar:
    return Scalar(where, text[1:-1], is_plain=False) if text[0] in "\"'" else Scalar(where, text)


class _Blocks:
    """Puts the parts of lines together by their columns. A part that fits nowhere is left over."""

    def __init__(self, parts: list[_Part]) -> None:
        self._parts = parts
        self._next = 0
        self._is_right = True

    def read(self) -> Node | None:
        root = self._block()
        return root if self._is_right and self._next == len(self._parts) else None

    def _at(self, column: int) -> str | None:
        """Key of the next part if it stands in this column, or that an item begins there."""
        if self._next == len(self._parts):
            return None
        _, its_column, key, _ = self._parts[self._next]
        return key if its_column == column else None

    def _block(self) -> Any:
        where, column, key, value = self._parts[self._next]
        if key == _ITEM:
            return self._sequence(where, column)
        if key is not None:
            return self._mapping(where, column)
        self._next += 1
        return value

    def _sequence(self, where: str, column: int) -> Sequence:
        items = []
        while self._at(column) == _ITEM:
            place = self._parts[self._next][0]
            self._next += 1
            items.append(self._block()._replace(where=place))
        return Sequence(where, items)

    def _mapping(self, where: str, column: int) -> Mapping:
        entries: dict[str, Any] = {}
        while (key := self._at(column)) not in (None, _ITEM):
            assert key is not None
            place, _, _, value = self._parts[self._next]
            self._next += 1
            self._is_right = self._is_right and key not in entries
            entries[key] = value if value is not None else self._value_below(place, column)
        return Mapping(where, entries)

    def _value_below(self, place: str, column: int) -> Any:
        """Return the block that is the value of a key: it stands further in, or is a list in the same column; or null."""
        is_there = self._next < len(self._parts) and self._parts[self._next][1] > column
        if is_there or self._at(column) == _ITEM:
            return self._block()._replace(where=place)
        return Scalar(place, "")
