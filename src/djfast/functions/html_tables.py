"""Tables of HTML texts, by Beautiful Soup over the parser of the standard library."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any

# How much longer than their text tables may become: nested and unclosed ones repeat what is inside them.
_MOST_TIMES = 10
_ALWAYS_ALLOWED = 100_000  # characters


def bind_html_tables(*, include_header: bool) -> Callable[[str], str]:
    """Return the function from HTML to the JSON of its tables, as lists of rows of cells.

    It raises ValueError for a text whose tables together are huge.
    """

    def html_tables(text: str) -> str:
        budget = _Budget(text)
        tables = []
        for table in _tables(text):
            rows = []
            for row in table.find_all("tr"):
                if include_header or row.find("th", recursive=False) is None:
                    rows.append([budget.spend(cell.get_text(strip=True)) for cell in row.find_all(["td", "th"], recursive=False)])
            tables.append([row for row in rows if row])
        return json.dumps([table for table in tables if table])

    return html_tables


def bind_html_table_sources() -> Callable[[str], str]:
    """Return the function from HTML to the JSON of its tables, as HTML.

    It raises ValueError for a text whose tables together are huge.
    """

    def html_table_sources(text: str) -> str:
        budget = _Budget(text)
        return json.dumps([budget.spend(str(table)) for table in _tables(text)])

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


def _tables(text: str) -> Iterator[Any]:
    """Yield the table elements of a text, in its order."""
    if "<table" not in text.lower():  # parsing costs a thousand times more
        return
    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)  # what the text calls itself does not matter here
    yield from BeautifulSoup(text, "html.parser").find_all("table")
