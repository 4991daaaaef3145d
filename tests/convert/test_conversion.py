"""Files are converted row by row: bad rows are rejected, memory stays small, and nothing half done is left."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from djfast.convert import FORMS, convert, source
from djfast.errors import InputError, RecipeError, TooManyErrors

ALPACA = [{"instruction": f"i{n}", "input": f"q{n} 你好", "output": f"a{n}"} for n in range(5)]


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def found(path: Path, **keys: Any) -> list[Any]:
    rows = source.source_rows(str(path), ("json", "jsonl", "csv"), **keys)
    return [each.row if each.row is not None else each.reason for each in rows]


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.json.gz", "rows.jsonl.gz", "lines.json"])
def test_there_and_back(tmp_path: Path, name: str) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in ALPACA)
    text = lines if "jsonl" in name or "lines" in name else json.dumps(ALPACA, indent=2)
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    done = convert(tmp_path / name, tmp_path / "dj.jsonl.zst", from_form="alpaca")
    assert done[:3] == (5, 5, 0)
    assert done.rejected_path is None
    convert(tmp_path / "dj.jsonl.zst", tmp_path / "back.json", to_form="alpaca")
    assert json.loads((tmp_path / "back.json").read_text()) == ALPACA
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["back.json", "dj.jsonl.zst", name])


def test_bad_rows_are_set_aside(tmp_path: Path) -> None:
    first, last = (json.dumps(row).encode() for row in ALPACA[:2])
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([first, b"{cut", b"[1]", b'{"input": 5}', b'{"input": "\xff"}', b"", last]))
    done = convert(tmp_path / "in.jsonl", tmp_path / "out.jsonl", from_form="alpaca")
    assert done[:3] == (6, 2, 4)
    assert done.rejected_path == str(tmp_path / "out.rejected.jsonl")
    assert [row["query"] for row in read_lines(tmp_path / "out.jsonl")] == ["q0 你好", "q1 你好"]
    rejected = read_lines(tmp_path / "out.rejected.jsonl")
    assert [(row["op"], row["line"]) for row in rejected] == [("read", 2), ("read", 3), ("convert", 4), ("read", 5)]
    assert rejected[0]["reason"].startswith("the line is not valid JSON: ")
    assert rejected[1]["reason"] == "a row must be a JSON object, got list"
    assert rejected[2]["reason"] == "input must be a string, got integer"
    assert rejected[2]["file"] == str(tmp_path / "in.jsonl")
    assert rejected[2]["row"] == {"input": 5}
    assert rejected[3]["reason"] == "the line is not UTF-8"


def test_rows_of_an_array_are_set_aside_too(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps([ALPACA[0], 5, None, {"input": 5}, ALPACA[1]]))
    assert convert(tmp_path / "in.json", tmp_path / "out.jsonl", from_form="alpaca")[:3] == (5, 2, 3)
    assert [row["line"] for row in read_lines(tmp_path / "out.rejected.jsonl")] == [2, 3, 4]


@pytest.mark.parametrize(("limit", "is_too_many"), [(2, True), (3, False), (0.5, True), (0.6, False), (None, False)])
def test_a_limit_of_bad_rows(tmp_path: Path, limit: float | int | None, is_too_many: bool) -> None:
    (tmp_path / "in.json").write_text(json.dumps([ALPACA[0], 5, 6, 7, ALPACA[1]]))
    if not is_too_many:
        convert(tmp_path / "in.json", tmp_path / "out.jsonl", from_form="alpaca", max_errors=limit)
        return
    with pytest.raises(TooManyErrors):
        convert(tmp_path / "in.json", tmp_path / "out.jsonl", from_form="alpaca", max_errors=limit)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.json", "out.failed.rejected.jsonl"]


@pytest.mark.parametrize("text", ['[{"a": 1}, {"a": ', '[{"a": 1}', "[" * 1000])
def test_an_array_that_is_cut_off_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "in.json").write_text(text)
    with pytest.raises(InputError, match=r"in\.json is cut off: the array has no end after "):
        convert(tmp_path / "in.json", tmp_path / "out.jsonl", from_form="alpaca")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('[{"a": 1} {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('{"a": 1}{"a": 2}\n{"a": 3}', [{"a": 1}, {"a": 2}, {"a": 3}]),
        ('{\n"a":\n1}\n{"a": 2}', [{"a": 1}, {"a": 2}]),
        ('[{"a": b}, {"a": 2}]', ["the line is not valid JSON: Expecting value: line 1 column 7 (char 6)", {"a": 2}]),
        ('[{"a": 1, "a": 2}, {"a": 3}]', ["a key occurs twice in one object: 'a'", {"a": 3}]),
        ('{"a": 1e400}\n{"a": 2}', ["a number is too large for a double: 1e400", {"a": 2}]),
        ('[{"a": 1}]\n[{"a": 2}]', ["a row must be a JSON object, got list"] * 2),
        ('"text"', ["a row must be a JSON object, got string"]),
        ("", []),
    ],
)
@pytest.mark.parametrize("name", ["in.json", "in.jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_rows_are_found_as_a_run_finds_them(tmp_path: Path, text: str, rows: list[Any], name: str, encoding: str) -> None:
    (tmp_path / name).write_text(text, encoding=encoding)
    assert found(tmp_path / name) == rows


@pytest.mark.parametrize("behind", ["", "]", '], "x": ', "]} x"])
def test_an_object_around_rows_must_be_whole(tmp_path: Path, behind: str) -> None:
    (tmp_path / "in.json").write_text('{"data": [{"a": 1}' + behind)
    with pytest.raises(InputError, match=r"in\.json is not valid JSON near character "):
        found(tmp_path / "in.json", envelope="data")


def test_arrays_may_hold_anything(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    for text in ("[]", " [ ] ", "\ufeff[]"):
        path.write_text(text, encoding="utf-8")
        assert found(path) == []
    path.write_bytes(b"\xff[]")
    assert found(path) == ["the line is not UTF-8"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=40) | st.integers() | st.lists(st.booleans())), max_size=6),
    st.integers(1, 30),
    st.sampled_from([None, 1]),
)
def test_where_chunks_end_does_not_matter(tmp_path: Path, rows: list[Any], size: int, indent: int | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "_CHUNK_BYTES", size)
        (tmp_path / "in.json").write_text(json.dumps(rows, ensure_ascii=False, indent=indent), encoding="utf-8")
        assert found(tmp_path / "in.json") == rows
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        assert found(tmp_path / "in.jsonl") == rows
        (tmp_path / "box.json").write_text(json.dumps({"n": 12, "x": {"data": []}, "data": rows}), encoding="utf-8")
        assert found(tmp_path / "box.json", envelope="data") == rows


def test_an_object_without_its_rows_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('{"n": 12}')
    with pytest.raises(InputError, match="the object has no member 'data'"):
        convert(tmp_path / "in.json", tmp_path / "out.jsonl", from_form="wavcaps")


def test_a_row_without_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_MOST_BYTES", 1000)
    monkeypatch.setattr(source, "_CHUNK_BYTES", 100)
    (tmp_path / "in.json").write_text('{"data": ["' + "x" * 5000)
    with pytest.raises(InputError, match="a row is longer than 1000 characters, or not valid"):
        found(tmp_path / "in.json", envelope="data")
    (tmp_path / "in.csv").write_text("a,b\n" + "x" * 5000)
    with pytest.raises(InputError, match="a line is longer than 1000 bytes"):
        found(tmp_path / "in.csv")


# CSV.


def test_records_of_csv(tmp_path: Path) -> None:
    text = '\ufeffvideo_id:FILE,title\n1.mp4,"two\nlines, ""quoted"""\n\n2.mp4\n3.mp4,三\n'
    (tmp_path / "in.csv").write_bytes(text.encode() + b"4.mp4,\xff\n")
    assert found(tmp_path / "in.csv") == [
        {"video_id:FILE": "1.mp4", "title": 'two\nlines, "quoted"'},
        "the record must have 2 cells, got 1",
        {"video_id:FILE": "3.mp4", "title": "三"},
        "the record is not UTF-8",
    ]
    (tmp_path / "empty.csv").touch()
    assert found(tmp_path / "empty.csv") == []
    (tmp_path / "bad.csv").write_text('a,b\n"x"y,1\n')
    with pytest.raises(InputError, match=r"bad\.csv is not valid CSV near line 2"):
        found(tmp_path / "bad.csv")
    (tmp_path / "long.csv").write_text("a\n" + "x" * 200_000 + "\n")
    assert len(found(tmp_path / "long.csv")[0]["a"]) == 200_000


def test_a_sub_set_of_youku(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('video_id:FILE,golden_caption\n1.mp4,"a, b"\n')
    convert(tmp_path / "in.csv", tmp_path / "dj.jsonl", from_form="youku")
    convert(tmp_path / "dj.jsonl", tmp_path / "out.csv", to_form="youku", options={"subset_type": "captioning"})
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "in.csv").read_bytes()


def test_the_object_of_wavcaps(tmp_path: Path) -> None:
    rows = [{"id": str(n), "caption": f"c{n}"} for n in range(3)]
    (tmp_path / "in.json").write_text(json.dumps({"num_captions_per_audio": 5, "data": rows}))
    for n in (0, 2):
        (tmp_path / f"{n}.flac").touch()
    options = {"audio_path": str(tmp_path), "num_captions_per_audio": 5}
    done = convert(tmp_path / "in.json", tmp_path / "dj.jsonl", from_form="wavcaps", options=options)
    assert done[:3] == (3, 2, 1)
    convert(tmp_path / "dj.jsonl", tmp_path / "out.json", to_form="wavcaps", options={"num_captions_per_audio": 5})
    assert json.loads((tmp_path / "out.json").read_text()) == {"num_captions_per_audio": 5, "data": [rows[0], rows[2]]}
    with pytest.raises(InputError, match="audio_path must be a folder, got 'nowhere'"):
        convert(tmp_path / "in.json", tmp_path / "dj.jsonl", from_form="wavcaps", options={"audio_path": "nowhere"})


# What the caller can do better.


@pytest.mark.parametrize(
    ("target", "keys", "message"),
    [
        ("o.jsonl", {"from_form": "lava"}, "there is no such format (did you mean 'llava'?): dj, llava, mmc4, .*, got 'lava'"),
        ("s3://b/o.jsonl", {"from_form": "llava"}, "the output must be a local path, got 's3://b/o.jsonl'"),
        ("o.jsonl", {}, "one of the two formats must be dj, got 'dj' and 'dj'"),
        ("o.jsonl", {"from_form": "llava", "to_form": "mmc4"}, "one of the two formats must be dj, got 'llava' and 'mmc4'"),
        ("o.jsonl", {"from_form": "youku"}, "the input must end in .csv, also compressed, got '.*in.jsonl'"),
        ("o.csv", {"from_form": "llava"}, "the output must end in .jsonl or .json, also compressed, got '.*o.csv'"),
        ("in.jsonl", {"from_form": "llava"}, "the output must be another file than the input, got '.*in.jsonl'"),
        ("o.jsonl", {"from_form": "mmc4", "options": {"imagedir": "x"}}, "mmc4 has no such option (did you mean 'image_dir'?)"),
        ("o.jsonl", {"from_form": "llava", "options": {"str_id": 5}}, "str_id must be true or false, got 5"),
        ("o.jsonl", {"from_form": "llava", "options": {"eoc_special_token": ""}}, "eoc_special_token must not be empty, got ''"),
    ],
)
def test_mistakes(tmp_path: Path, target: str, keys: dict[str, Any], message: str) -> None:
    (tmp_path / "in.jsonl").touch()
    pattern = message.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")
    with pytest.raises(RecipeError, match=f"^{pattern}"):
        convert(tmp_path / "in.jsonl", target if "://" in target else tmp_path / target, **keys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*in\.jsonl: No such file"):
        convert(tmp_path / "in.jsonl", tmp_path / "o.jsonl", from_form="llava")


@pytest.mark.parametrize("form", ["llava", "youku"])
def test_no_rows_are_no_rows(tmp_path: Path, form: str) -> None:
    suffix = FORMS[form].layouts[0]
    (tmp_path / f"in.{suffix}").write_text("[]" if suffix == "json" else "video_id:FILE,title\n")
    assert convert(tmp_path / f"in.{suffix}", tmp_path / "dj.jsonl", from_form=form)[:3] == (0, 0, 0)
    assert convert(tmp_path / "dj.jsonl", tmp_path / f"out.{suffix}", to_form=form)[:3] == (0, 0, 0)
    assert (tmp_path / f"out.{suffix}").exists()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read there")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    script = (
        "import sys; from djfast.convert import convert;"
        "convert(sys.argv[1], sys.argv[2], from_form='alpaca');"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    peaks = []
    for rows in (1_000, 60_000):
        path = tmp_path / f"{rows}.json"
        with open(path, "w") as file:
            file.write("[" + ",".join(json.dumps({"input": "x" * 900, "output": str(n)}) for n in range(rows)) + "]")
        command = [sys.executable, "-c", script, str(path), str(tmp_path / "out.json")]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(run.stdout) * 1024)
    assert peaks[1] - peaks[0] < 20e6, "an array of 56 MB"
