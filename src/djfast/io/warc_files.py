"""Web archives as record batches: pages as ``text`` with their ``url``, and texts that were extracted from pages.

A row is a response or a conversion whose type is a text; other records are passed over. HTML stays as it is: clean_html_mapper
makes text of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from djfast.errors import InputError
from djfast.io.compression import open_bytes
from djfast.io.files import file_size
from djfast.io.formats import InputFile, ReadOptions

if TYPE_CHECKING:
    import pyarrow as pa

    from djfast.io.arrow_rows import ArrowBlock

MAX_BODY_BYTES = 16 << 20
_FIELDS = ("text", "url", "date", "content_type", "record_id")
_BATCH_ROWS = 1000
_TEXT_TYPE = re.compile(r"text/|application/(xhtml\+xml|xml|json)", re.I)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.I)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.:-]+)", re.I)


def borders(file: InputFile, split_bytes: int) -> list[int]:
    """Return one split: records are only found one after the other."""
    del split_bytes
    return [0, file_size(file.path)]


def blocks(file: InputFile, start: int, end: int | None, options: ReadOptions) -> Iterator[ArrowBlock]:
    """Read an archive batch by batch.

    Raises
    ------
    InputError
        If the archive is damaged or cut off.
    """
    del start, end
    held: list[tuple[Any, str | None]] = []
    first = size = 0
    for row, problem in _rows(file.path):
        held.append((row, problem))
        size += len(row[0] or "")
        if size >= options.batch_bytes or len(held) == _BATCH_ROWS:
            yield _block(file.path, held, first)
            first, size = first + len(held), 0
            held = []
    if held:
        yield _block(file.path, held, first)


def schema(file: InputFile, options: ReadOptions) -> pa.Schema:
    """Return the fields: texts."""
    import pyarrow as pa

    del file, options
    return pa.schema([(name, pa.string()) for name in _FIELDS])


def _rows(path: str) -> Iterator[tuple[tuple[str | None, ...], str | None]]:
    """Yield the fields of each page, and what is wrong with it."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    with open_bytes(path) as stream:
        try:
            for record in ArchiveIterator(stream):
                headers = record.rec_headers
                if record.rec_type not in ("response", "conversion"):
                    continue
                pages = record.http_headers if record.rec_type == "response" else headers
                kind = (pages.get_header("Content-Type") if pages is not None else None) or ""
                if not _TEXT_TYPE.match(kind):
                    continue
                known = tuple(headers.get_header(name) for name in ("WARC-Target-URI", "WARC-Date"))
                rest = (*known, kind, headers.get_header("WARC-Record-ID"))
                try:
                    body = record.content_stream().read(MAX_BODY_BYTES + 1)
                    if len(body) > MAX_BODY_BYTES:
                        yield (None, *rest), f"the body is longer than {MAX_BODY_BYTES} bytes"
                        continue
                    yield (_decoded(body, kind), *rest), None
                except (UnicodeDecodeError, LookupError) as error:
                    yield (None, *rest), f"the body cannot be decoded: {error}"
        except InputError:
            raise
        except (ArchiveLoadFailed, EOFError, ValueError, OSError, AttributeError) as error:
            raise InputError(f"cannot read {path}: {error or type(error).__name__}") from error


def _decoded(body: bytes, kind: str) -> str:
    """Return the text of a body, in the encoding that its type or its head names; bytes that it does not know are replaced."""
    named = _CHARSET.search(kind)
    meta = None if named else _META_CHARSET.search(body[:2048])
    encoding = named[1] if named else meta[1].decode("ascii", "replace") if meta else "utf-8"
    try:
        return body.decode(encoding, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _block(path: str, rows: list[tuple[Any, str | None]], first: int) -> ArrowBlock:
    import pyarrow as pa

    from djfast.io.arrow_rows import ArrowBlock, UnreadRow

    columns = [pa.array(column, pa.string()) for column in zip(*(row for row, _ in rows))]
    unread = {position: UnreadRow(problem) for position, (_, problem) in enumerate(rows) if problem is not None}
    return ArrowBlock(
        pa.RecordBatch.from_arrays(columns, names=list(_FIELDS)), path, range(first, first + len(rows)), unread
    )
