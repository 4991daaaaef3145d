"""PDF documents: the texts of their pages without tables and page numbers, one after the other; blank pages are left out."""

from __future__ import annotations

import io
from typing import Any

from djfast.errors import InputError
from djfast.io.docx_files import read_bounded
from djfast.io.formats import InputFile

MAX_PAGES = 20_000
MAX_TEXT = 64 << 20


def text_of(file: InputFile) -> str:
    """Return the text of a document.

    Raises
    ------
    InputError
        If it is damaged, locked, or too long.
    """
    import pdfplumber

    content = read_bounded(file.path)
    pages = []
    length = 0
    try:
        with pdfplumber.open(io.BytesIO(content)) as document:
            for number, page in enumerate(document.pages, 1):
                text = _page_text(page, number)
                if text.strip():
                    pages.append(text)
                    length += len(text)
                page.close()
                if number > MAX_PAGES or length > MAX_TEXT:
                    raise InputError(f"{file.path} must have at most {MAX_PAGES} pages and {MAX_TEXT} characters")
    except InputError:
        raise
    except Exception as error:  # the library reports damage with whatever its parsers raise
        raise InputError(f"{file.path} is not a PDF document that can be read: {type(error).__name__}: {error}") from error
    return "\n".join(pages)


def _page_text(page: Any, number: int) -> str:
    for table in page.find_tables():
        page = page.outside_bbox(table.bbox)
    text = str(page.extract_text() or "")
    lines = text.rstrip().split("\n")
    if lines[-1].strip() == str(number):
        text = "\n".join(lines[:-1])
    return text
