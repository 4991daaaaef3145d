"""Files that are one row each: their text in the field ``text``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from djfast.errors import InputError
from djfast.io.intake import took
from djfast.io.read.files import file_size
from djfast.io.read.formats import INPUT_FORMATS, InputFile, ReadOptions, require

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.read.arrow_block import ArrowBlock, UnreadRow

MOST_DOCUMENTS = 1000  # in a batch or a split
FIELD = "text"


def text_of(file: InputFile) -> str:
    """Return the text of a document, by the function ``text_of`` of the module that reads its format.

    Raises
    ------
    InputError
        If it cannot be read; that document alone is rejected.
    """
    format_ = INPUT_FORMATS[file.format]
    require(format_.extra, format_.packages, f"to read {format_.name} files")
    text: str = importlib.import_module(f"djfast.io.read.{format_.reader}").text_of(file)
    return text


def document_runs(files: Sequence[InputFile]) -> Iterator[tuple[int, int]]:
    """Yield position and number of neighbouring files that are one row each; other files come one by one."""
    position = 0
    for is_document, run in groupby(files, lambda file: INPUT_FORMATS[file.format].is_document):
        count = sum(1 for _ in run)
        if is_document:
            yield position, count
        else:
            yield from ((each, 1) for each in range(position, position + count))
        position += count


def document_blocks(files: Sequence[InputFile], options: ReadOptions) -> Iterator[tuple[ArrowBlock, Sequence[InputFile]]]:
    """Read documents, some in a batch; yield each batch with the files of its rows."""
    from djfast.io.read.arrow_block import UnreadRow

    held: list[InputFile] = []
    texts: list[str | None] = []
    unread: dict[int, UnreadRow] = {}
    size = 0
    for file in files:
        try:
            text = text_of(file)
            texts.append(text)
            size += len(text)
        except InputError as error:
            unread[len(held)] = UnreadRow(str(error))
            texts.append(None)
        held.append(file)
        if not INPUT_FORMATS[file.format].is_stream:  # those are counted where their bytes are read
            took(file_size(file.path))
        if size >= options.batch_bytes or len(held) == MOST_DOCUMENTS:
            yield _block(held, texts, unread), held
            held, texts, unread, size = [], [], {}, 0
    if held:
        yield _block(held, texts, unread), held


def document_schema() -> pa.Schema:
    """Return the columns of documents."""
    import pyarrow as pa

    return pa.schema([(FIELD, pa.string())])


def _block(files: Sequence[InputFile], texts: list[str | None], unread: dict[int, UnreadRow]) -> ArrowBlock:
    import pyarrow as pa

    from djfast.io.origins import Origins
    from djfast.io.read.arrow_block import ArrowBlock

    batch = pa.RecordBatch.from_arrays([pa.array(texts, pa.string())], schema=document_schema())
    names = Origins.joined([(file.path, 1) for file in files]).of(range(len(files)))
    return ArrowBlock(batch, names, [0] * len(files), unread)
