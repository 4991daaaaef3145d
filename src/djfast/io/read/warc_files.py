"""Web archives as record batches: pages as ``text`` with their ``url``, and texts that were extracted from pages.

A row is a response or a conversion whose type is a text; other records are passed over. HTML stays as it is: clean_html_mapper
makes text of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from djfast.errors import InputError
from djfast.io.compression import DecompressedFile, open_bytes
from djfast.io.read.arrow_block import ArrowBlock, UnreadRow
from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile, ReadOptions
from djfast.io.read.web_pages import PageError, decoded, unpacked, without_chunks

if TYPE_CHECKING:
    import pyarrow as pa


MAX_BODY_BYTES = 16 << 20
_HEADER_BYTES = 1 << 20  # that the headers of a record may take, and those of its page
_FIELDS = ("text", "url", "date", "content_type", "record_id")
_BATCH_ROWS = 1000
_TEXT_TYPE = re.compile(r"text/|application/(xhtml\+xml|xml|json)", re.I)


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


_Row = tuple[tuple[str | None, ...], str | None]


def _rows(path: str) -> Iterator[_Row]:
    """Yield the fields of each page, and what is wrong with it."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    number = 0
    with open_bytes(path) as file:
        stream = _Watched(file)
        archive = ArchiveIterator(stream, no_record_parse=True)  # it takes headers without a body for the archive's end
        try:
            for record in archive:
                _check(archive.err_count == 0, "does not end where its Content-Length says", number)
                number += 1
                stream.left = None
                _check(_has_length(record), "has no valid Content-Length, so it is damaged or cut off in its headers", number)
                row = _row(record)
                _pass_over(record.raw_stream)
                _check(record.raw_stream.limit == 0, "is cut off", number)
                stream.left = _HEADER_BYTES
                if row is not None:
                    yield row
            _check(archive.err_count == 0, "does not end where its Content-Length says", number)
        except InputError:
            raise
        except AttributeError:  # of the library, for headers that are not all there
            raise InputError(f"cannot read {path}: record {number + 1} is damaged or cut off in its headers") from None
        except ArchiveLoadFailed as error:
            raise InputError(f"cannot read {path}: record {number + 1} is damaged or cut off: {error}") from error
        except (EOFError, ValueError, OSError) as error:
            raise InputError(f"cannot read {path}: {error or type(error).__name__}") from error


def _check(is_good: bool, problem: str, number: int) -> None:  # noqa: FBT001 - what is checked
    if not is_good:
        raise ValueError(f"record {number} {problem}")


def _has_length(record: Any) -> bool:
    length = (record.rec_headers.get_header("length" if record.format == "arc" else "Content-Length") or "").strip()
    return length.isascii() and length.isdigit() and len(length) < 19  # and so less than 2 ** 63


class _Watched:
    """A stream that gives at most `left` more bytes, if that is not None: headers without an end must not be waited for."""

    def __init__(self, stream: DecompressedFile) -> None:
        self._stream = stream
        self.left: int | None = _HEADER_BYTES

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes."""
        data = self._stream.read(size)
        if self.left is not None:
            self.left -= len(data)
            if self.left < 0:
                raise ValueError(f"the headers of a record are longer than {_HEADER_BYTES} bytes")
        return data


class _Lines:
    """The lines that a record begins with, at most so many bytes of them."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = _HEADER_BYTES

    def readline(self) -> bytes:
        """Read a line."""
        line: bytes = self._stream.readline(self._left)
        self._left -= len(line)
        if self._left <= 0:
            raise PageError(f"the headers of the page are longer than {_HEADER_BYTES} bytes")
        return line


def _row(record: Any) -> _Row | None:
    """Return the fields of a record that is a text, and what is wrong with it."""
    headers = record.rec_headers
    if record.rec_type not in ("response", "conversion"):
        return None
    if record.rec_type == "response" and not (headers.get_header("WARC-Target-URI") or "").startswith("http"):
        return None
    url, date, name = (headers.get_header(each) for each in ("WARC-Target-URI", "WARC-Date", "WARC-Record-ID"))
    rest: tuple[str | None, ...] = (url, date, None, name)
    try:
        page = _http_headers(record) if record.rec_type == "response" else headers
        kind = (page.get_header("Content-Type") if page is not None else None) or ""
        if not _TEXT_TYPE.match(kind):
            return None
        rest = (url, date, kind, name)
        return (decoded(_body(record, page), kind), *rest), None
    except PageError as error:
        return (None, *rest), str(error)


def _http_headers(record: Any) -> Any:
    """Return what the server said of a page, None if nothing is there.

    Raises
    ------
    PageError
        If it is no HTTP, or has no end.
    """
    from warcio.statusandheaders import StatusAndHeadersParser, StatusAndHeadersParserException

    try:
        return StatusAndHeadersParser(["HTTP/"]).parse(_Lines(record.raw_stream))
    except EOFError:
        return None
    except StatusAndHeadersParserException as error:
        raise PageError(f"the record must begin with the answer of a server: {error}") from None


def _body(record: Any, headers: Any) -> bytes:
    """Return the body of a page as its server meant it."""
    body: bytes = record.raw_stream.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise PageError(f"the body is longer than {MAX_BODY_BYTES} bytes")
    if "chunked" in (headers.get_header("Transfer-Encoding") or "").lower():
        body = without_chunks(body)
    return unpacked(body, headers.get_header("Content-Encoding") or "", MAX_BODY_BYTES)


def _pass_over(stream: Any) -> None:
    while stream.read(1 << 16):
        pass


def _block(path: str, rows: list[tuple[Any, str | None]], first: int) -> ArrowBlock:
    import pyarrow as pa

    columns = [pa.array(column, pa.string()) for column in zip(*(row for row, _ in rows))]
    unread = {position: UnreadRow(problem) for position, (_, problem) in enumerate(rows) if problem is not None}
    return ArrowBlock(
        pa.RecordBatch.from_arrays(columns, names=list(_FIELDS)), path, range(first, first + len(rows)), unread
    )
