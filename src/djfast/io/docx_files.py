"""Word documents: the paragraphs that are not blank, one a line."""

from __future__ import annotations

import io
import zipfile

from djfast.errors import InputError
from djfast.io.formats import InputFile
from djfast.io.remote import open_binary

MAX_BYTES = 256 << 20
MAX_EXTRACTED_BYTES = 512 << 20


def text_of(file: InputFile) -> str:
    """Return the text of a document.

    Raises
    ------
    InputError
        If it is damaged, or would become too large.
    """
    import docx

    content = read_bounded(file.path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_EXTRACTED_BYTES:
            raise InputError(f"{file.path} holds {size} bytes, more than the {MAX_EXTRACTED_BYTES} that a document may have")
        paragraphs = docx.Document(io.BytesIO(content)).paragraphs
        return "\n".join(paragraph.text for paragraph in paragraphs if paragraph.text.strip())
    except InputError:
        raise
    except Exception as error:  # the library reports damage with whatever its parsers raise
        raise InputError(f"{file.path} is not a Word document: {type(error).__name__}: {error}") from error


def read_bounded(path: str) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    InputError
        If there are too many.
    """
    with open_binary(path) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(f"{path} is longer than {MAX_BYTES} bytes, the most that a document may have")
    return content
