"""JSON files whose rows are not one a line, or not in UTF-8, are read whole; what is broken costs its row."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from djfast.errors import InputError
from djfast.io.read.files import discover
from djfast.io.read.json_forms import kind_of
from djfast.io.read.json_values import values_in
from djfast.io.read.splits import splits_of
from tests.io.test_tables import read, rejected, run

ROWS: list[dict[str, Any]] = [{"text": f"row {i} }}{{ \\\" [ä", "n": {"i": i, "l": [i, {}]}} for i in range(300)]
FORMS = {
    "lines": "".join(json.dumps(row) + "\n" for row in ROWS),
    "array": json.dumps(ROWS),
    "array, a row a line": "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n",
    "array, indented": json.dumps(ROWS, indent=2),
    "objects, indented": "\n".join(json.dumps(row, indent=4) for row in ROWS),
    "objects, not indented": "\n".join(json.dumps(row, indent=0) for row in ROWS),
    "objects, one behind the other": "".join(map(json.dumps, ROWS)),
    "objects, spaces between them": "  ".join(map(json.dumps, ROWS)),
    "two a line": "\n".join(json.dumps(a) + json.dumps(b) for a, b in zip(ROWS[::2], ROWS[1::2])),
    "a row a line, then indented": "\n".join(json.dumps(row, indent=2 * (i > 2) or None) for i, row in enumerate(ROWS)),
    "carriage returns": "\r".join(map(json.dumps, ROWS)),
    "both line ends, indented": "\r\n".join(json.dumps(row, indent=1).replace("\n", "\r\n") for row in ROWS),
}


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".ndjson.gz"])
@pytest.mark.parametrize("form", FORMS)
def test_rows_are_read_wherever_they_stand(tmp_path: Path, form: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    data = FORMS[form].encode()
    path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
    assert run(tmp_path, path) == ROWS
    assert rejected(tmp_path) == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("form", ["lines", "array, indented", "objects, one behind the other"])
def test_other_encodings_are_read_by_their_mark(tmp_path: Path, form: str, encoding: str) -> None:
    path = tmp_path / "a.jsonl.bz2"
    path.write_bytes(bz2.compress(("\ufeff" + FORMS[form]).encode(encoding)))
    assert run(tmp_path, path) == ROWS


def test_a_file_in_another_encoding_is_one_split(tmp_path: Path) -> None:
    for name, data in (("a", FORMS["lines"].encode("utf-16")), ("b", FORMS["array"].encode()), ("c", FORMS["lines"].encode())):
        (tmp_path / f"{name}.jsonl").write_bytes(data)
    splits = splits_of(discover(str(tmp_path), []), 1000)
    assert [sum(split.file == number for split in splits) > 1 for number in range(3)] == [False, False, True]


def test_bytes_of_another_encoding_that_are_none_of_it(tmp_path: Path) -> None:
    lone = "\ud800".encode("utf-16-le", "surrogatepass")
    before, behind = (json.dumps({"text": word}) + "\n" for word in ("before", "behind"))
    path = tmp_path / "a.jsonl"
    middle = '{"text": "'.encode("utf-16-le") + lone + '"}\n'.encode("utf-16-le")
    path.write_bytes(codecs.BOM_UTF16_LE + before.encode("utf-16-le") + middle + behind.encode("utf-16-le"))
    assert [row["text"] for row in run(tmp_path, path)] == ["before", "behind"]
    [(line, reason)] = rejected(tmp_path)
    assert line == 2
    assert "UTF-8" in reason
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"a\.jsonl is not the UTF-16 that its first bytes say.*truncated data"):
        run(tmp_path, path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    ("name", "text"), [("a.jsonl", FORMS["lines"]), ("a.json", FORMS["array"]), ("a.csv", "text,id\na,1\nb,2\n")]
)
def test_an_encoding_without_a_mark_is_told_by_its_zeros(tmp_path: Path, encoding: str, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    assert run(tmp_path, path) == (ROWS if name != "a.csv" else [{"text": "a", "id": 1}, {"text": "b", "id": 2}])


def test_a_zero_in_utf8_is_a_character(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"ab\0c")
    assert run(tmp_path, path) == [{"text": "ab\0c"}]


def test_bytes_of_rows_stay_what_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"text": "a", "n": 1E5, "big": 1e400, "n": 0.10, "id": 18446744073709551616}, {"text" : "b"}]')
    run(tmp_path, path)
    lines = (tmp_path / "local" / "out.jsonl").read_text().splitlines()
    assert lines == ['{"text": "a", "n": 1E5, "big": 1e400, "n": 0.10, "id": 18446744073709551616}', '{"text" : "b"}']


@pytest.mark.parametrize(
    ("content", "kept", "bad"),
    [
        ('{\n "text": "a"\n}\n{\n "text": "never ends\n}\n{\n "text": "c"\n}\n', ["a", "c"], [2]),
        ('{\n "text": "a"\n}\n{\n "text": tru\n}\n{\n "text": "c"\n}\n', ["a", "c"], [2]),
        ('{"text": "a"}{"text": "b"}\nthis is not JSON\n[1, 2]\n{"text": "c"}', ["a", "b", "c"], [3, 4]),
        ('{\n "text": "a"\n}\n{\n "text": "cut', ["a"], [2]),
        ('[{"text": "a"}, 5, "x, y]", null, [{}], {"text": "c"}]', ["a", "c"], [2, 3, 4, 5]),
        ('[\n {"text": "a"},\n {"text": "never ends},\n {"text": "c"}\n]\n', ["a", "c"], [2]),
        ('[\n{"text": "a", "n": ' + "9" * 4000 + '},\n{"text": "\udcff"},\n{"text": "c"}\n]', ["a", "c"], [2]),
        ('[{"text": "a"} {"text": "c"}]', ["a", "c"], []),
    ],
)
def test_a_broken_value_costs_its_row_only(tmp_path: Path, content: str, kept: list[str], bad: list[int]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert [row["text"] for row in run(tmp_path, path)] == kept
    assert [line for line, _ in rejected(tmp_path)] == bad


def test_a_broken_line_makes_no_other_form_of_a_file(tmp_path: Path) -> None:
    lines = ['[{"text": "list"}]', '{"text": "a"}', '{"text": [', '{"text": "b"}, ', '{"text": "c"} x', '{"text": "d"']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert [row["text"] for row in run(tmp_path, tmp_path / "a.jsonl")] == ["a"]
    assert [entry["row"] for entry in read(tmp_path / "local" / "out.rejected.jsonl")] == [lines[0], *lines[2:]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "a"}, {"text": "b"}', "is cut off: the array has no end after 2 rows"),
        ('[{"text": "a"}, {"text": "b', "is cut off: the array has no end after 2 rows"),
        ('[{"text": "a"}]\n[{"text": "b"}]\n{"text": "c"}', ""),
        ('[\n{"text": "a"}\n]\n{"text": "b"}\n', "there is data after the end of the array of 1 rows"),
    ],
)
def test_an_array_ends_where_its_file_does(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    if message:
        with pytest.raises(InputError, match=message):
            run(tmp_path, path)
    else:  # lines that hold lists
        assert run(tmp_path, path) == [{"text": "c"}]
        assert len(rejected(tmp_path)) == 2


@pytest.mark.parametrize("form", FORMS)
def test_chunks_of_any_size_give_the_same_values(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if form == "lines":
        return
    data = FORMS[form].encode()
    for size in (1, 7, 1000):
        monkeypatch.setattr("djfast.io.read.json_values._CHUNK_BYTES", size)
        stream = Dripping(data, size)
        values = list(values_in(stream, "x", is_array=form.startswith("array"), longest=1 << 20))
        assert list(map(json.loads, values)) == ROWS


class Dripping(io.BytesIO):
    """Gives only so many bytes at once."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._size)


def test_a_value_without_an_end_does_not_fill_the_memory() -> None:
    with pytest.raises(InputError, match="x: a row must not be longer than 1000000 bytes; is a brace not closed"):
        list(values_in(io.BytesIO(b'{"a": {"b": 1}}{"a":\n' + b'{"b": 1},\n' * 1_000_000), "x", is_array=False, longest=10**6))


def test_the_form_is_seen_in_the_beginning_of_a_long_file() -> None:
    long = b"x" * 70_000
    assert kind_of(b'{"text": "' + long, is_all=False) == "lines"
    assert kind_of(b'{\n  "text": "' + long, is_all=False) == "values"
    assert kind_of(b'[{"text": "' + long, is_all=False) == "array"
    assert kind_of(b'{"text": "a"}\n' * 5 + b'{"text": "b', is_all=True) == "lines"
