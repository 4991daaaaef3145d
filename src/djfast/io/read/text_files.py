"""Plain texts and source code: a file is one row."""

from __future__ import annotations

import contextlib

from djfast.errors import InputError
from djfast.io.read.formats import InputFile
from djfast.io.read.unicode_files import open_text

MAX_TEXT_BYTES = 256 << 20


def text_of(file: InputFile) -> str:
    """Return the text of a file in UTF-8, or in the encoding of its byte-order mark; line ends stay as they are.

    Raises
    ------
    InputError
        If it is not UTF-8, too long, or cannot be read.
    """
    with contextlib.closing(open_text(file.path)) as stream:
        content = stream.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise InputError(f"{file.path} is longer than {MAX_TEXT_BYTES} bytes, the most that one text may have")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file.path} is not UTF-8, got byte 0x{content[error.start]:02x} at {error.start}") from None
