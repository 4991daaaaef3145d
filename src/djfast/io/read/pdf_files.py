"""PDF documents: the texts of their pages without tables and page numbers, one after the other; blank pages are left out."""

from __future__ import annotations

import io
from typing import Any

from djfast.io.read.extraction import MAX_TEXT
from djfast.io.read.extraction import extracted as text_of

__all__ = ["extract", "text_of"]

MAX_PAGES = 20_000


def extract(content: bytes) -> str:
    """Return the text of a document.

    Raises
    ------
    Exception
        Whatever the library raises for one that is damaged or locked, and ValueError for one that is too long.
    """
    import pdfplumber

    pages = []
    length = 0
    with pdfplumber.open(io.BytesIO(content)) as document:
        for number, page in enumerate(document.pages, 1):
            text = _page_text(page, number)
            if text.strip():
                pages.append(text)
                length += len(text)
            page.close()
            if number > MAX_PAGES or length > MAX_TEXT:
                raise ValueError(f"it must have at most {MAX_PAGES} pages and {MAX_TEXT} characters")
    return "\n".join(pages)


def _page_text(page: Any, number: int) -> str:
    for table in page.find_tables():
        page = page.outside_bbox(table.bbox)
    text = str(page.extract_text() or "")
    lines = text.rstrip().split("\n")
    if lines[-1].strip() == str(number):
        text = "\n".join(lines[:-1])
    return text
