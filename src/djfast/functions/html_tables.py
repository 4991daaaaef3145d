"""Tables of HTML texts, by Beautiful Soup over the parser of the standard library."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from djfast.records import NamedTuple

# How much longer than their text tables may become: nested and unclosed ones repeat what is inside them.
_MOST_TIMES = 10
_ALWAYS_ALLOWED = 100_000  # characters
# The parser reads from the begin of a tag or comment to the end of the text where nothing closes it: so many characters at
# most. Tags are read some 20 times slower than the end of a comment is found.
_MOST_SEARCHED = 500_000_000
_TAG_COST = 20


def bind_html_tables(*, include_header: bool) -> Callable[[str], str]:
    """Return the function from HTML to the JSON of its tables, as lists of rows of cells.

    It raises ValueError for a text whose tables together are huge, or whose markup cannot be parsed in a reasonable time.
    """

    def html_tables(text: str) -> str:
        soup = _parsed(text)
        if soup is None:
            return "[]"
        budget = _Budget(text)
        outline = _Outline(soup, include_header=include_header)
        return json.dumps([[[*map(budget.spend, row)] for row in rows] for rows in outline.tables() if rows])

    return html_tables


def bind_html_table_sources() -> Callable[[str], str]:
    """Return the function from HTML to the JSON of its tables, as HTML.

    It raises ValueError as `bind_html_tables` says.
    """

    def html_table_sources(text: str) -> str:
        soup = _parsed(text)
        budget = _Budget(text)
        return json.dumps([budget.spend(str(table)) for table in (soup.find_all("table") if soup is not None else ())])

    return html_table_sources


class _Budget:
    """How many characters may still be written for a text."""

    def __init__(self, text: str) -> None:
        self.left = _MOST_TIMES * len(text) + _ALWAYS_ALLOWED

    def spend(self, text: str) -> str:
        self.left -= len(text) + 1
        if self.left < 0:
            raise ValueError(f"the tables are {_MOST_TIMES} times as long as their text: cells are not closed, or tables nested")
        return text


class _Row(NamedTuple):
    """A row of a table: where the text of each of its cells begins and ends, and whether one of them is a header."""

    cells: list[list[int]]
    headers: list[bool]


class _Outline:
    """The tables of a parsed text. Each element is looked at once, however deep it is nested in others.

    What an element holds follows its begin, so a table is a run of all rows, and the text of a cell a piece of all text.
    """

    def __init__(self, soup: Any, *, include_header: bool) -> None:
        self._pieces: list[str] = []  # of the text: strings without the space around them
        self._size = 0
        self._rows: list[_Row] = []
        self._tables: list[list[int]] = []
        self._walk(soup)
        self._text = "".join(self._pieces)
        self._kept = [bool(row.cells) and (include_header or not any(row.headers)) for row in self._rows]

    def tables(self) -> Iterator[list[Iterator[str]]]:
        """Yield the rows of each table, those of tables inside it too, as the texts of their cells."""
        kept = [0]
        for is_kept in self._kept:
            kept.append(kept[-1] + is_kept)
        rows = [row for row, is_kept in zip(self._rows, self._kept) if is_kept]
        for begin, end in self._tables:
            yield [self._texts(row) for row in rows[kept[begin] : kept[end]]]

    def _texts(self, row: _Row) -> Iterator[str]:
        return (self._text[begin:end] for begin, end in row.cells)

    def _walk(self, soup: Any) -> None:
        from bs4.element import CData, NavigableString, Tag

        row_of: list[_Row | None] = [None]  # of each open element that is a row
        closed_by: list[Callable[[], None]] = [lambda: None]
        open_elements = [iter(soup.contents)]
        while open_elements:
            node = next(open_elements[-1], None)
            if node is None:
                open_elements.pop()
                row_of.pop()
                closed_by.pop()()
            elif isinstance(node, Tag):
                closed_by.append(self._opened(node.name, row_of[-1]))
                row_of.append(self._rows[-1] if node.name == "tr" else None)
                open_elements.append(iter(node.contents))
            elif type(node) in (NavigableString, CData):  # no comments or declarations
                piece = node.strip()
                self._pieces.append(piece)
                self._size += len(piece)

    def _opened(self, name: str, row: _Row | None) -> Callable[[], None]:
        """Note where an element begins, and return what notes its end."""
        if name == "tr":
            self._rows.append(_Row([], []))
        elif name == "table":
            table = [len(self._rows), 0]
            self._tables.append(table)
            return lambda: table.__setitem__(1, len(self._rows))
        elif name in ("td", "th") and row is not None:
            cell = [self._size, 0]
            row.cells.append(cell)
            row.headers.append(name == "th")
            return lambda: cell.__setitem__(1, self._size)
        return _nothing


def _nothing() -> None:
    """Note no end."""


def _unclosed(text: str, begin: str, *, closed_by: str) -> tuple[int, int]:
    """Count what begins after the last end of its kind, and the characters there."""
    place = text.rfind(closed_by) + 1
    return sum(1 for _ in re.compile(begin).finditer(text, place)), len(text) - place


def _parsed(text: str) -> Any:
    """Parse a text that has tables; None for one without."""
    if "<table" not in text.lower():  # parsing costs a thousand times more
        return None
    open_tags, after_tags = _unclosed(text, r"<[A-Za-z/?]", closed_by=">")
    open_comments, after_comments = _unclosed(text, "<!", closed_by="-->")
    if _TAG_COST * open_tags * after_tags + open_comments * after_comments > _MOST_SEARCHED:
        raise ValueError(f"the text has {max(open_tags, open_comments)} tags or comments that nothing closes")
    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)  # what the text calls itself does not matter here
    return BeautifulSoup(text, "html.parser")
