"""Word documents: the paragraphs that are not blank, one a line."""

from __future__ import annotations

import io
import zipfile

from djfast.io.read.extraction import extracted as text_of

__all__ = ["extract", "text_of"]

MAX_EXTRACTED_BYTES = 512 << 20


def extract(content: bytes) -> str:
    """Return the text of a document.

    Raises
    ------
    Exception
        Whatever the library raises for one that is damaged, and ValueError for one that would become too large.
    """
    import docx

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_EXTRACTED_BYTES:
        raise ValueError(f"it holds {size} bytes, more than the {MAX_EXTRACTED_BYTES} that a document may have")
    paragraphs = docx.Document(io.BytesIO(content)).paragraphs
    return "\n".join(paragraph.text for paragraph in paragraphs if paragraph.text.strip())
