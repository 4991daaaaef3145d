"""Pages of web archives are unpacked and decoded as browsers do it, and an archive that is cut off is an error."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import partial
from pathlib import Path

import pytest

from djfast.errors import InputError
from tests.io.test_archives import record
from tests.io.test_tables import rejected, run

pytest.importorskip("warcio")
pytest.importorskip("webencodings")
brotli = pytest.importorskip("brotli")
zstandard = pytest.importorskip("zstandard")

from djfast.io.read import warc_files  # noqa: E402
from djfast.io.read.web_pages import PageError, decoded, unpacked  # noqa: E402


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("gb2312", "gb18030", "朱镕基囧 €"),
        ("GBK", "gb18030", "朱镕基囧 €"),
        ("x-gbk", "gb18030", "囧"),
        ("gb18030", "gb18030", "囧😀"),
        ("shift_jis", "cp932", "①②㈱髙～"),
        ("x-sjis", "cp932", "①ﾊﾝ"),
        ("windows-31j", "cp932", "髙"),
        ("ms_kanji", "cp932", "髙"),
        ("euc-kr", "cp949", "뷁똠"),
        ("ks_c_5601-1987", "cp949", "뷁"),
        ("korean", "cp949", "뷁"),
        ("big5", "big5hkscs", "着嘅"),
        ("big5-hkscs", "big5hkscs", "嘅"),
        ("iso-8859-1", "cp1252", "“quoted” €"),
        ("us-ascii", "cp1252", "é"),
        ("latin1", "cp1252", "’"),
        ("iso-8859-9", "cp1254", "ğ€"),
        ("tis-620", "cp874", "ไทย"),
        ("dos-866", "cp866", "Привет"),
        ("ibm866", "cp866", "Привет"),
        ("cp850", "cp850", "é"),
        ("x-mac-cyrillic", "mac_cyrillic", "Привет"),
        ("macintosh", "mac_roman", "é"),
        ("iso-8859-8-i", "iso-8859-8", "שלום"),
        ("logical", "iso-8859-8", "שלום"),
        ("koi8", "koi8-r", "Привет"),
        ("x-cp1251", "cp1251", "Привет"),
        ("unicode-1-1-utf-8", "utf-8", "ä"),
        ("ucs-2", "utf-16-le", "ä"),
        ("utf-16", "utf-16-le", "ä"),
        ("iso-2022-jp", "iso2022_jp", "日本"),
        (" UTF8 ", "utf-8", "ä"),
    ],
)
def test_labels_mean_what_they_mean_to_browsers(label: str, codec: str, text: str) -> None:
    assert decoded(text.encode(codec), f'text/html; charset="{label}"') == text


def test_euc_jp_has_the_characters_of_shift_jis() -> None:
    for label in ("euc-jp", "x-euc-jp"):
        body = b"a\xad\xa1\xa1\xc1 \x8e\xca" + "日本語".encode("euc_jp") + b"\x8f\xb0\xa2\xff<"
        assert decoded(body, f"text/html;charset={label}") == "a①～ ﾊ日本語" + b"\x8f\xb0\xa2".decode("euc_jp") + "\ufffd<"
    every = "".join(
        chr(c) for c in range(0x4E00, 0x9FA6) if chr(c).encode("euc_jp", "ignore") and chr(c).encode("cp932", "ignore")
    )
    body = every.encode("euc_jp")
    assert decoded(body, "text/html; charset=euc-jp") == every


def test_bytes_that_an_encoding_does_not_have() -> None:
    assert decoded(b"\x80\x81\x8d\xff", "text/html; charset=windows-1252") == "€\x81\x8dÿ"
    assert decoded(b"\xd9\x81", "text/html; charset=windows-1255") == "\ufffd\x81"
    assert decoded(b"a\xffb", "text/html") == "a\ufffdb"
    assert decoded(b"a\x80", "text/html; charset=x-user-defined") == "a\uf780"


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/html; charset=koi8-r", "\ufeffä".encode(), "ä"),
        ("text/html; charset=koi8-r", "ä".encode("utf-16"), "ä"),
        ("text/html; charset=nonsense", b'<meta charset="koi8-r">\xcf', '<meta charset="koi8-r">о'),
        ("text/html; charset=", b"<meta charset=koi8-r>\xcf", "<meta charset=koi8-r>о"),
        (
            "text/html",
            b"<!-- <meta charset=koi8-r> --><meta charset='gbk'>\x81\x40",
            "<!-- <meta charset=koi8-r> --><meta charset='gbk'>丂",
        ),
        (
            "text/html",
            b'<META http-equiv="Content-Type" content="text/html; charset=windows-1251">\xef',
            '<META http-equiv="Content-Type" content="text/html; charset=windows-1251">п',
        ),
        ("text/html", b"<meta charset=bad><meta charset=koi8-r>\xcf", "<meta charset=bad><meta charset=koi8-r>о"),
        ("text/html", "<meta charset=utf-16>ä".encode(), "<meta charset=utf-16>ä"),
        ("text/xml", b'<?xml version="1.0" encoding="koi8-r"?>\xcf', '<?xml version="1.0" encoding="koi8-r"?>о'),
        ("text/html; charset=punycode", "ä".encode(), "ä"),
        ("text/html; charset=utf-7", b"+AOQ-", "+AOQ-"),
        ("text/html; charset=rot13", b"abc", "abc"),
    ],
)
def test_what_says_the_encoding(kind: str, body: bytes, text: str) -> None:
    assert decoded(body, kind) == text


@pytest.mark.parametrize("label", ["iso-2022-kr", "hz-gb-2312", "replacement"])
def test_encodings_that_browsers_refuse(label: str) -> None:
    with pytest.raises(PageError, match=f"browsers refuse this encoding, got '{label}'"):
        decoded(b"~{abc~}", f"text/html; charset={label}")


def deflate_without_header(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": deflate_without_header,
    "br": brotli.compress,
    "ZSTD": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("name", PACKED)
def test_bodies_are_unpacked(name: str) -> None:
    body = "<p>ä</p>".encode() * 1000
    packed = PACKED[name](body)
    assert unpacked(packed, name, 1 << 20) == body
    assert unpacked(body, name, 1 << 20) == body  # its server, or the crawler, said what is not so
    assert unpacked(zlib.compress(packed), f"{name}, deflate", 1 << 20) == body
    assert unpacked(body, "identity, utf-8", 1 << 20) == body
    with pytest.raises(PageError, match="longer than 1000 bytes"):
        unpacked(packed, name, 1000)
    with pytest.raises(PageError, match="cannot be unpacked"):
        unpacked(packed[:-8], name, 1 << 20)


def page(encoding: str, body: bytes, number: int) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {encoding}\r\n\r\n"
    return record("response", body, head=head, number=number)


def test_pages_that_cannot_be_unpacked_are_rejected_alone(tmp_path: Path) -> None:
    pages = [("br", brotli.compress(b"one")), ("compress", b"\x1f\x9d"), ("zstd", PACKED["ZSTD"](b"two")), ("br", b"\xff\0\xff")]
    (tmp_path / "a.warc").write_bytes(b"".join(page(name, body, number) for number, (name, body) in enumerate(pages)))
    assert [row["text"] for row in run(tmp_path, tmp_path / "a.warc")] == ["one", "two"]
    [unknown, damaged] = rejected(tmp_path)
    assert unknown == (2, "the body's Content-Encoding must be gzip, deflate, br or zstd, got 'compress'")
    assert damaged[0] == 4


def test_answers_of_any_release_of_http(tmp_path: Path) -> None:
    good = record("response", b"text", head="HTTP/2 200\r\nContent-Type: text/html\r\n\r\n")
    (tmp_path / "a.warc").write_bytes(good + record("response", b"text", head="gopher\r\n\r\n") + good)
    assert [row["text"] for row in run(tmp_path, tmp_path / "a.warc")] == ["text"] * 2
    [(line, reason)] = rejected(tmp_path)
    assert (line, reason.partition(":")[0]) == (2, "the record must begin with the answer of a server")


def test_bodies_in_chunks(tmp_path: Path) -> None:
    packed = gzip.compress("ä".encode() * 100)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (packed[:10], packed[10:])) + b"0\r\n\r\n"
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: Chunked\r\nContent-Encoding: gzip\r\n\r\n"
    (tmp_path / "a.warc").write_bytes(record("response", chunks, head=head))
    assert [row["text"] for row in run(tmp_path, tmp_path / "a.warc")] == ["ä" * 100]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"6\r\n<p>abc\r\n3;a=b\r\ndef\r\n0\r\n\r\n", "<p>abcdef"),
        (b"6 \r\n<p>abc\r\n0\r\nTrailer: x\r\n\r\n", "<p>abc"),
        (b"%x\r\n%s\r\n0\r\n\r\n" % (300_000, b"x" * 300_000), "x" * 300_000),
        (b"<p>in no chunks", "<p>in no chunks"),
        (b"", ""),
        (b"6\r\n<p>abc\r\n9\r\ndef", None),
        (b"6\r\n<p>abc\r\n", None),
        (b"6\r\n<p>ab", None),
        (b"6\r\n<p>abc\r\nzz\r\ndef\r\n0\r\n\r\n", None),
        (b"5\r\n<p>abc\r\n0\r\n\r\n", None),
    ],
)
def test_a_body_whose_chunks_are_not_all_there_is_rejected(tmp_path: Path, body: bytes, text: str | None) -> None:
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    good = record("response", b"good")
    (tmp_path / "a.warc").write_bytes(good + record("response", body, head=head) + good)
    rows = [row["text"] for row in run(tmp_path, tmp_path / "a.warc")]
    assert rows == (["good", "good"] if text is None else ["good", text, "good"])
    assert [line for line, _ in rejected(tmp_path)] == ([2] if text is None else [])


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", ["a.warc", "a.wet"])
def test_an_archive_that_is_cut_off_is_an_error_wherever_it_is(tmp_path: Path, name: str, suffix: str) -> None:
    kind = "conversion" if name == "a.wet" else "response"
    records = [record(kind, f"<p>{word}".encode(), number=i) for i, word in enumerate(["alpha", "beta"])]
    whole = records[0] + records[1]
    pack = gzip.compress if suffix else bytes
    path = tmp_path / f"{name}{suffix}"
    for cut in range(len(records[0]) + 1, len(whole) - 4, 7):
        path.write_bytes(pack(whole[:cut]))
        with pytest.raises(InputError, match=r"record 2 is (damaged or )?cut off|record 2 has no|record 1 does not end"):
            list(warc_files._rows(str(path)))
    path.write_bytes(pack(whole[:-4]))  # all of it but the empty lines at the end
    assert len(list(warc_files._rows(str(path)))) == 2


def test_a_record_of_a_wrong_length_is_an_error(tmp_path: Path) -> None:
    good = record("response", b"<p>alpha", number=1)
    for wrong in (b"Content-Length: 3\r\n", b"Content-Length: x\r\n", b"Content-Length: -1\r\n", b""):
        start = good.index(b"Content-Length")
        bad = good[:start] + wrong + good[good.index(b"\r\n", start) + 2 :]
        (tmp_path / "a.warc").write_bytes(good + bad + good)
        with pytest.raises(InputError, match=r"record [23] "):
            list(warc_files._rows(str(tmp_path / "a.warc")))


@pytest.mark.parametrize("name", ["br", "ZSTD"])
def test_a_body_that_unpacks_to_much_is_seen_in_time(name: str) -> None:
    pack = partial(brotli.compress, quality=1) if name == "br" else PACKED[name]
    body = pack(bytes(400 << 20))
    tracemalloc.start()
    with pytest.raises(PageError, match="longer than 1000 bytes"):
        unpacked(body, name, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20
