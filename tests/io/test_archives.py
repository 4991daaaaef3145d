"""Archives, documents and tables of other libraries become rows; hostile ones neither harm nor end a run."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import signal
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from djfast.errors import InputError, MissingExtraError
from djfast.io.read import extraction, formats, warc_files, webdataset_files
from djfast.io.read.files import discover
from tests.io.test_tables import read, rejected, run


def tar(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_webdataset(tmp_path: Path, name: str) -> None:
    members = []
    for i in range(600):
        members += [(f"deep/{i:04}.txt", f"text ä {i}".encode()), (f"deep/{i:04}.json", json.dumps({"n": i}).encode())]
        members += [(f"deep/{i:04}.left.jpg", b"\xff\xd8")] if i % 2 else []
    path = tar(tmp_path / name, members)
    rows = run(tmp_path, path, text_keys="txt")
    assert len(rows) == 600
    assert rows[0] == {"__key__": "deep/0000", "json": {"n": 0}, "left.jpg": None, "txt": "text ä 0"}
    assert rows[599] == {"__key__": "deep/0599", "json": {"n": 599}, "left.jpg": {"__dj__bytes__": "/9g="}, "txt": "text ä 599"}


def test_bad_members_of_a_webdataset_cost_their_row_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdataset_files, "MAX_MEMBER_BYTES", 1000)
    members = [
        ("a.txt", b"good"), ("a.cls", b"3"),
        ("b.txt", b"\xff"),
        ("c.txt", b"good"), ("c.json", b"{"),
        ("../../etc/passwd.txt", b"good"),
        ("d.txt", bytes(1001)),
        ("e.txt", b"good"), ("e.cls", b"x"),
        ("f.txt", b"twice"), ("f.txt", b"twice"),
        ("g.txt", b"good"), ("g.json", b"[" * 900),
        ("h\udcff.txt", b"good"),
        ("i.txt", b"good"), ("i.\udcff", b"x"),
    ]  # fmt: skip
    rows = run(tmp_path, tar(tmp_path / "a.tar", members), text_keys="txt")
    assert [(row["__key__"], row["txt"], row["cls"]) for row in rows] == [
        ("a", "good", 3),
        ("f", "twice", None),
        ("f", "twice", None),
    ]
    found = rejected(tmp_path)
    assert [line for line, _ in found] == [2, 3, 4, 5, 6, 9, 10, 11]
    assert "member 'txt' 'utf-8' codec" in found[0][1]
    assert "member 'json' is not valid JSON" in found[1][1]
    assert "must not lead out of the archive, got '../../etc/passwd.txt'" in found[2][1]
    assert "must not be longer than 1000 bytes, got 1001" in found[3][1]
    assert "the name of a member must be UTF-8, got 'h\\udcff.txt'" in found[6][1]
    assert "the name of a member must be UTF-8, got 'i.\\udcff'" in found[7][1]


def test_json_members_stand_as_they_are(tmp_path: Path) -> None:
    values = [b"1", b'"x"', b'{"a": 1e400,\n "a": 18446744073709551616}', b'{"b": []}']
    members = [(f"{i}.{kind}", data) for i, value in enumerate(values) for kind, data in (("txt", b"t"), ("json", value))]
    path = tar(tmp_path / "a.tar", members)
    assert [row["json"] for row in run(tmp_path, path, text_keys="txt")] == [1, "x", {"a": 18446744073709551616}, {"b": []}]
    line = (tmp_path / "local" / "out.jsonl").read_text().splitlines()[2]
    assert '{"a": 1e400,  "a": 18446744073709551616}' in line
    assert rejected(tmp_path) == []


def test_rejected_samples_stand_as_they_are(tmp_path: Path) -> None:
    members = [("a.txt", b"t"), ("a.json", b"{"), ("b.txt", b"\xff"), ("b.json", b"1"), ("c.txt", b"t"), ("c.json", b"2")]
    run(tmp_path, tar(tmp_path / "a.tar", members), text_keys="txt")
    rows = [entry["row"] for entry in read(tmp_path / "local" / "out.rejected.jsonl")]
    assert rows[0] == {"__key__": "a", "txt": "t", "json": "{"}
    assert rows[1] == {"__key__": "b", "txt": {"__dj__bytes__": "/w=="}, "json": "1"}


def endless_header() -> bytes:
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    info.size = 1 << 30
    return info.tobuf() + bytes(8 << 20)


def sparse(**headers: str) -> bytes:
    info = tarfile.TarInfo("a.txt")
    info.pax_headers = {f"GNU.sparse.{name}": value for name, value in headers.items()}
    return info.tobuf(tarfile.PAX_FORMAT) + bytes(1024)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"no archive" * 100, "cannot read"),
        (endless_header(), "a header of the archive is longer"),
        (sparse(map="0,a"), "a header of the archive is damaged"),
        (sparse(major="1", minor="0", realsize="x"), "a header of the archive is damaged"),
    ],
)
def test_hostile_archives_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(InputError, match=message):
        run(tmp_path, tmp_path / "a.tar", text_keys="txt")


def test_a_cut_off_archive_is_an_error(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", [("a.txt", b"x" * 100_000)])
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(InputError, match=r"a\.tar"):
        run(tmp_path, path, text_keys="txt")


@pytest.mark.parametrize("padding", [0, 512, 10240])
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_archives_one_behind_the_other_are_one(tmp_path: Path, name: str, padding: int) -> None:
    parts = []
    for i, size in enumerate([10, 512, 5000]):
        parts.append(tar(tmp_path / "part.tar", [(f"{i}.txt", b"x" * size), (f"{i}.bin", bytes(512))]).read_bytes())
    data = bytes(padding).join(parts)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert [(row["__key__"], len(row["txt"])) for row in run(tmp_path, tmp_path / name, text_keys="txt")] == [
        ("0", 10), ("1", 512), ("2", 5000),
    ]  # fmt: skip


def test_an_archive_without_its_end_is_an_error(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", [("0.txt", b"a"), ("0.bin", bytes(512)), ("1.txt", b"b")])
    whole = path.read_bytes()
    end = 512 * 6  # of the members
    damaged = bytearray(whole)
    damaged[512 * 2] ^= 1  # a name, which the header's sum covers
    for data in (whole[:end], whole[: end - 1024], whole[: end - 800], bytes(damaged), whole + b"x" * 512, whole + b"x"):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"a\.tar(: the archive)? is cut off|a\.tar: unexpected end of data"):
            run(tmp_path, path, text_keys="txt")
    path.write_bytes(whole[:end] + bytes(1024))
    assert [row["txt"] for row in run(tmp_path, path, text_keys="txt")] == ["a", "b"]


def word(path: Path, paragraphs: list[str]) -> None:
    docx = pytest.importorskip("docx")
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.save(str(path))


def test_word_documents(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    word(folder / "a.docx", ["First ä", "  ", "Second"])
    (folder / "b.docx").write_bytes(b"no document")
    with zipfile.ZipFile(folder / "c.docx", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("word/document.xml", bytes(600 << 20))
    (folder / "d.txt").write_text("plain")
    assert run(tmp_path, folder) == [{"text": "First ä\nSecond"}, {"text": "plain"}]
    reasons = [reason for _, reason in rejected(tmp_path)]
    assert "b.docx cannot be read: BadZipFile" in reasons[0]
    assert "more than the 536870912 that a document may have" in reasons[1]


def test_a_document_that_hangs_costs_its_row_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.docx").write_bytes(b"x")
    (tmp_path / "b.txt").write_text("plain")
    started = extraction._children._child

    def stopped() -> Any:
        process = started()
        os.kill(process.pid, signal.SIGSTOP)
        return process

    monkeypatch.setattr(extraction._children, "patience", 0.2)
    monkeypatch.setattr(extraction._children, "_child", stopped)
    assert run(tmp_path, tmp_path, suffixes=[".docx", ".txt"]) == [{"text": "plain"}]
    [(_, reason)] = rejected(tmp_path)
    assert "a.docx could not be read in 300 seconds and 4 GiB of memory" in reason


def pdf(pages: list[list[str]]) -> bytes:
    """A PDF of lines of text."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        shown = b" ".join(b"(%s) Tj 0 -20 Td" % line.encode() for line in lines)
        content = b"BT /F1 12 Tf 72 700 Td " + shown + b" ET"
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>"
            % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    out = b"%PDF-1.4\n"
    places = []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def test_pdf_documents(tmp_path: Path) -> None:
    pytest.importorskip("pdfplumber")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.pdf").write_bytes(pdf([["First page", "1"], [""], ["Third page in 2020", "3"]]))
    (folder / "b.pdf").write_bytes(b"%PDF-1.4 nothing")
    assert run(tmp_path, folder) == [{"text": "First page\nThird page in 2020"}]
    [(_, reason)] = rejected(tmp_path)
    assert "b.pdf cannot be read: " in reason


def record(kind: str, body: bytes, *, content_type: str = "text/html", number: int = 1, head: str | None = None) -> bytes:
    http = b"" if kind == "conversion" else (head or f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n").encode()
    own = content_type if kind == "conversion" else "application/http; msgtype=response"
    headers = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://x/{number}\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:{number}>\r\nContent-Type: {own}\r\nContent-Length: {len(http) + len(body)}\r\n\r\n"
    )
    return headers.encode() + http + body + b"\r\n\r\n"


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "a.warc.wet.gz"])
def test_web_archives(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("warcio")
    monkeypatch.setattr(warc_files, "MAX_BODY_BYTES", 1000)
    records = [
        record("warcinfo", b"software: x"),
        record("request", b""),
        record("response", "<p>ä</p>".encode(), number=1),
        record("response", "<p>ä</p>".encode("latin-1"), content_type="text/html; charset=ISO-8859-1", number=2),
        record("response", b"\x89PNG", content_type="image/png", number=3),
        record("response", b"x" * 1001, number=4),
        record("conversion", b"plain", content_type="text/plain", number=5),
        record(
            "response",
            gzip.compress(b"y" * 10_000),
            head="HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n",
            number=6,
        ),
    ]
    pack = gzip.compress if name.endswith(".gz") else bytes
    path = tmp_path / name
    path.write_bytes(b"".join(map(pack, records)))
    rows = run(tmp_path, path)
    assert [(row["text"], row["url"]) for row in rows] == [
        ("<p>ä</p>", "http://x/1"), ("<p>ä</p>", "http://x/2"), ("plain", "http://x/5"),
    ]  # fmt: skip
    assert rows[0]["date"] == "2024-01-01T00:00:00Z"
    assert rejected(tmp_path) == [(n, "the body is longer than 1000 bytes") for n in (3, 5)]


def test_a_damaged_web_archive_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("warcio")
    (tmp_path / "a.warc").write_bytes(b"this is no archive\r\n" * 10)
    with pytest.raises(InputError, match=r"cannot read.*a\.warc"):
        run(tmp_path, tmp_path / "a.warc")


def with_length(length: str) -> bytes:
    return re.sub(rb"(?m)^(Content-Length:).*\r$", rb"\1 " + length.encode() + b"\r", record("response", b"x"))


@pytest.mark.parametrize("length", ["9" * 20, "-5", "٦٦", "0x10", "1e3", ""])
def test_a_record_must_have_a_length_that_can_be(tmp_path: Path, length: str) -> None:
    pytest.importorskip("warcio")
    (tmp_path / "a.warc").write_bytes(with_length(length))
    with pytest.raises(InputError, match="record 1 has no valid Content-Length"):
        run(tmp_path, tmp_path / "a.warc")


@pytest.mark.parametrize("endless", [b"a" * (64 << 20), b"a: b\r\n" * 500_000])
def test_headers_without_an_end_are_not_waited_for(tmp_path: Path, endless: bytes) -> None:
    pytest.importorskip("warcio")
    path = tmp_path / "a.warc"
    path.write_bytes(b"WARC/1.0\r\n" + endless)
    with pytest.raises(InputError, match="the headers of a record are longer than 1048576 bytes"):
        run(tmp_path, path)
    answer = "HTTP/1.1 200 OK\r\n" + endless.decode()
    path.write_bytes(record("response", b"", head=answer) + record("response", b"good"))
    assert [row["text"] for row in run(tmp_path, path)] == ["good"]
    assert rejected(tmp_path) == [(1, "the headers of the page are longer than 1048576 bytes")]


def test_lance_tables(tmp_path: Path) -> None:
    lance = pytest.importorskip("lance")
    table = pa.table({"text": [f"text {i}" for i in range(5000)], "n": range(5000)})
    folder = tmp_path / "in" / "a.lance"
    lance.write_dataset(table, str(folder), max_rows_per_file=1000)
    assert run(tmp_path, folder) == table.to_pylist()
    assert [file.path for file in discover(str(tmp_path / "in"), [])] == [str(folder)]
    (tmp_path / "b.lance").mkdir()
    with pytest.raises(InputError, match=r"b\.lance"):
        run(tmp_path, tmp_path / "b.lance")


def save_dataset(folder: Path, parts: list[list[str]]) -> None:
    folder.mkdir(parents=True)
    names = [f"data-{i:05}-of-{len(parts):05}.arrow" for i in range(len(parts))]
    for name, texts in zip(names, parts):
        table = pa.table({"text": texts})
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names], "_split": "train"}))
    (folder / "dataset_info.json").write_text("{}")


def test_saved_datasets(tmp_path: Path) -> None:
    save_dataset(tmp_path / "one", [["a", "b"], ["c"]])
    (tmp_path / "one" / "cache-1.arrow").write_bytes(b"left over")
    assert run(tmp_path, tmp_path / "one") == [{"text": text} for text in "abc"]
    save_dataset(tmp_path / "many" / "test", [["t"]])
    save_dataset(tmp_path / "many" / "train", [["u"]])
    (tmp_path / "many" / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    notices: list[str] = []
    assert [Path(file.path).parent.name for file in discover(str(tmp_path / "many"), [], notices)] == ["train"]
    assert "name the folder of another one to read it (test)" in notices[0]


@pytest.mark.parametrize("name", ["../a.arrow", "/etc/passwd", "", None, ".."])
def test_a_saved_dataset_must_not_name_files_elsewhere(tmp_path: Path, name: Any) -> None:
    save_dataset(tmp_path / "one", [["a"]])
    (tmp_path / "one" / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(InputError, match="must name files of its folder, got"):
        discover(str(tmp_path / "one"), [])


def test_a_format_whose_package_is_missing_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf([["x"]]))
    pdf_format = formats.INPUT_FORMATS["pdf"]._replace(packages=("no_such_package",))
    monkeypatch.setitem(formats.INPUT_FORMATS, "pdf", pdf_format)
    with pytest.raises(MissingExtraError, match=r"not installed: no_such_package; pip install 'djfast\[documents\]'"):
        run(tmp_path, tmp_path / "a.pdf")


def test_rejected_rows_of_archives_say_what_they_were(tmp_path: Path) -> None:
    members = [("k.txt", b"\xff"), ("k.cls", b"7"), ("l.txt", b"fine"), ("l.cls", b"8")]
    run(tmp_path, tar(tmp_path / "a.tar", members), text_keys="txt")
    [entry] = read(tmp_path / "local" / "out.rejected.jsonl")
    assert entry["row"]["__key__"] == "k"
