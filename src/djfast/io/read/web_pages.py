"""Bodies of web pages as text, unpacked and decoded as browsers do it: by the WHATWG standards Encoding and Fetch."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from functools import lru_cache

_CHUNK_HEADER = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_PIECE = 4096  # bytes that are unpacked at once, so that a bomb is seen in time
_SMALL_PIECE = 64  # for br and zstd, a few bytes of which may stand for megabytes
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_NAMED = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]+)", re.I)
_HEAD_BYTES = 2048  # in which a page may say its encoding
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.S)
_DECLARED = re.compile(
    rb"""<meta[\s/][^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)|\A\s*<\?xml[^>]*?\sencoding\s*=\s*["']([^"']+)""", re.I
)

# What the standard's encodings are called in Python, where the codec of the same name knows fewer characters.
_CODECS = {
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "iso-8859-8-i": "iso-8859-8",
    "x-mac-cyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
    "windows-874": "cp874",
}
# Labels that the standard got after the package was made.
_LATER_LABELS = {
    "unicode11utf8": "utf-8", "unicode20utf8": "utf-8", "x-unicode20utf8": "utf-8",
    "unicodefffe": "utf-16-be", "csunicode": "utf-16-le", "iso-10646-ucs-2": "utf-16-le", "ucs-2": "utf-16-le",
    "unicode": "utf-16-le", "unicodefeff": "utf-16-le",
}  # fmt: skip
# Encodings that browsers refuse, because text can hide in them.
_REFUSED = frozenset({"replacement", "csiso2022kr", "hz-gb-2312", "iso-2022-cn", "iso-2022-cn-ext", "iso-2022-kr"})


class PageError(ValueError):
    """A body that is not a string."""


def decoded(body: bytes, content_type: str) -> str:
    """Return the text of a body; bytes that its encoding does not have are replaced by U+FFFD.

    A byte-order mark comes before what the content type says, that before what the page itself says. A label that nobody
    knows says nothing. Without any it is UTF-8.

    Raises
    ------
    PageError
        If browsers refuse the encoding.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    named = _NAMED.search(content_type)
    codec = (named and _codec(named[1])) or _declared(body[:_HEAD_BYTES]) or "utf-8"
    if codec == "euc_jp":
        return _euc_jp(body)
    if codec == "x-user-defined":
        return "".join(chr(byte if byte < 0x80 else 0xF700 + byte) for byte in body)
    return body.decode(codec, _replace_error())


def _declared(head: bytes) -> str | None:
    """Return the codec that a page says it is in. What can say so in ASCII is not UTF-16."""
    for found in _DECLARED.finditer(_COMMENT.sub(b"", head)):
        codec = _codec((found[1] or found[2]).decode("ascii", "replace"))
        if codec is not None:
            return {"utf-16-le": "utf-8", "utf-16-be": "utf-8", "x-user-defined": "cp1252"}.get(codec, codec)
    return None


@lru_cache(maxsize=256)
def _codec(label: str) -> str | None:
    """Return Python's codec for a label, None if nobody knows it."""
    import webencodings

    label = label.strip().lower()
    if label in _REFUSED:
        raise PageError(f"browsers refuse this encoding, got {label[:100]!r}")
    if label in _LATER_LABELS:
        return _LATER_LABELS[label]
    encoding = webencodings.lookup(label)
    if encoding is not None and encoding.name == "x-user-defined":
        return "x-user-defined"
    if encoding is not None:
        return codecs.lookup(_CODECS.get(encoding.name, encoding.name)).name
    page = re.fullmatch(r"(?:x-)?(?:cp|dos|ibm)[-_]?(\d+)", label)  # of DOS; the standard has but one of them
    try:
        return codecs.lookup(f"cp{page[1]}").name if page else None
    except LookupError:
        return None


@lru_cache(maxsize=1)
def _replace_error() -> str:
    """Return the name of the rule for bytes that a codec does not have.

    The standard's single-byte encodings have the controls of Latin-1 where Python's have nothing.
    """

    def replace(error: UnicodeError) -> tuple[str | bytes, int]:
        assert isinstance(error, UnicodeDecodeError)
        byte = error.object[error.start]
        if error.encoding in _SINGLE_BYTE and 0x80 <= byte <= 0x9F:
            return chr(byte), error.start + 1
        return "\ufffd", error.end

    codecs.register_error("djfast.web", replace)
    return "djfast.web"


_SINGLE_BYTE = frozenset({"charmap", *(f"cp{number}" for number in (874, *range(1250, 1259)))})


def _euc_jp(body: bytes) -> str:
    """Decode EUC-JP by way of Shift_JIS: Python's own codec lacks the rows of NEC and IBM."""
    # A half-width katakana, a character of JIS X 0212, or one of JIS X 0208.
    pairs = re.compile(rb"\x8e[\xa1-\xdf]|\x8f[\xa1-\xfe]{2}|[\xa1-\xfe]{2}|[\x80-\xff]")
    parts = []
    position = 0
    for found in pairs.finditer(body):
        parts.append(body[position : found.start()].decode("ascii"))
        parts.append(_euc_jp_character(found[0]))
        position = found.end()
    return "".join([*parts, body[position:].decode("ascii")])


@lru_cache(maxsize=1 << 14)
def _euc_jp_character(data: bytes) -> str:
    if len(data) == 2 and data[0] == 0x8E:
        return data[1:].decode("cp932")
    if len(data) != 2:
        return data.decode("euc_jp", "replace") if len(data) == 3 else "\ufffd"
    row, cell = data[0] - 0xA1, data[1] - 0xA1
    lead, trail = row // 2 + (0x81 if row < 62 else 0xC1), cell + 94 * (row % 2)
    return bytes((lead, trail + (0x40 if trail < 63 else 0x41))).decode("cp932", "replace")


def without_chunks(body: bytes) -> bytes:
    """Return a body that a server sent in chunks; as it is if it is in none, since some archives take the chunks out.

    Raises
    ------
    PageError
        If a chunk is damaged, or the last one is missing.
    """
    parts: list[bytes] = []
    position = 0
    while (header := _CHUNK_HEADER.match(body, position)) is not None:
        size = int(header[1], 16)
        if not size:
            return b"".join(parts)
        part = body[header.end() : header.end() + size]
        position = header.end() + size
        if body[position : position + 2] != b"\r\n":
            raise PageError("a chunk of the body is cut off or damaged")
        parts.append(part)
        position += 2
    if parts:
        raise PageError("the body is cut off: its last chunk is missing")
    return body


def unpacked(body: bytes, content_encoding: str, limit: int) -> bytes:
    """Return a body without its content encodings; one that says it is packed and is not stays as it is.

    Raises
    ------
    PageError
        If it is damaged, packed in another way, or longer than `limit` bytes.
    """
    for name in reversed([name.strip().lower() for name in content_encoding.split(",") if name.strip()]):
        if name in ("identity", "none") or (name not in _UNPACKERS and _codec(name) is not None):
            continue
        if name not in _UNPACKERS:
            raise PageError(f"the body's Content-Encoding must be gzip, deflate, br or zstd, got {name[:100]!r}")
        body = _UNPACKERS[name](body, limit)
    return body


def _gzip(body: bytes, limit: int) -> bytes:
    import zlib

    if not body.startswith(b"\x1f\x8b"):
        return body
    stream = zlib.decompressobj(wbits=31)
    return _in_pieces(stream.decompress, lambda: stream.eof, body, limit, (zlib.error,))


def _deflate(body: bytes, limit: int) -> bytes:
    """Unpack a stream of zlib, or one without its header, as some servers send it."""
    import zlib

    has_header = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    stream = zlib.decompressobj(wbits=15 if has_header else -15)
    return _unless_text(body, lambda: _in_pieces(stream.decompress, lambda: stream.eof, body, limit, (zlib.error,)))


def _br(body: bytes, limit: int) -> bytes:
    try:
        import brotli
    except ImportError:
        raise PageError("a body of Content-Encoding br needs the package brotli; pip install 'djfast[warc]'") from None
    stream = brotli.Decompressor()
    return _unless_text(body, lambda: _in_pieces(stream.process, stream.is_finished, body, limit, (brotli.error,), _SMALL_PIECE))


def _zstd(body: bytes, limit: int) -> bytes:
    import zstandard

    if not body.startswith(b"\x28\xb5\x2f\xfd"):
        return body
    stream = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    return _in_pieces(stream.decompress, lambda: stream.eof, body, limit, (zstandard.ZstdError,), _SMALL_PIECE)


_UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _br, "zstd": _zstd,
}  # fmt: skip


def _unless_text(body: bytes, unpack: Callable[[], bytes]) -> bytes:
    """Unpack what nothing marks as packed; what is text, and cannot be unpacked, was not packed."""
    try:
        return unpack()
    except PageError:
        try:
            if "\0" not in body.decode():
                return body
        except UnicodeDecodeError:
            pass
        raise


def _in_pieces(
    unpack: Callable[[bytes], bytes],
    is_over: Callable[[], bool],
    body: bytes,
    limit: int,
    errors: tuple[type[Exception], ...],
    piece: int = _PIECE,
) -> bytes:
    parts = []
    size = 0
    for first in range(0, len(body), piece):
        if is_over():
            break
        try:
            parts.append(unpack(body[first : first + piece]))
        except errors as error:
            raise PageError(f"the body cannot be unpacked: {error}") from None
        size += len(parts[-1])
        if size > limit:
            raise PageError(f"the body is longer than {limit} bytes")
    if not is_over():
        raise PageError("the body cannot be unpacked: it is cut off")
    return b"".join(parts)
