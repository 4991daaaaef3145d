"""Texts of untrusted documents, taken out in a process of its own: one that hangs or fills the memory costs its row only."""

from __future__ import annotations

import importlib

from djfast.children import ChildEnded, Children, serve
from djfast.errors import InputError
from djfast.io.read.formats import InputFile
from djfast.io.remote import open_binary

MAX_BYTES = 256 << 20
MAX_TEXT = 64 << 20  # characters
TIME_LIMIT = 300.0  # seconds of processor time for one document
_MEMORY = 4 << 30
_FORMATS = {"docx": "djfast.io.read.docx_files", "pdf": "djfast.io.read.pdf_files"}

# One at a time, whatever np is: the memory of a document stands beside that of the run.
_children = Children("djfast.io.read.extraction", patience=20 * TIME_LIMIT, most=1)


def extracted(file: InputFile) -> str:
    """Return the text of a document.

    Raises
    ------
    InputError
        If it is damaged or too long, or takes too long.
    """
    with open_binary(file.path) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(f"{file.path} is longer than {MAX_BYTES} bytes, the most that a document may have")
    try:
        is_good, answer = _children.ask(file.format, content)
    except ChildEnded:
        raise InputError(
            f"{file.path} could not be read in {TIME_LIMIT:g} seconds and {_MEMORY >> 30} GiB of memory"
        ) from None
    text = answer.decode("utf-8", "replace")
    if not is_good:
        raise InputError(f"{file.path} cannot be read: {text}")
    return text


def _extracted(name: str, content: bytes) -> bytes:
    text = importlib.import_module(_FORMATS[name]).extract(content)
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has more than {MAX_TEXT} characters")
    return bytes(text.encode("utf-8", "replace"))


if __name__ == "__main__":
    serve(_extracted, seconds=TIME_LIMIT, memory=_MEMORY)
