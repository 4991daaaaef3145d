"""Which files an input names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import InputError
from djfast.io.read.files import discover


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}\n")


def found(folder: Path, where: str = "", suffixes: tuple[str, ...] = ()) -> list[str]:
    return [os.path.relpath(file.path, folder) for file in discover(str(folder / where), list(suffixes))]


def test_one_file(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl.zst")
    [file] = discover(str(tmp_path / "a.jsonl.zst"), [])
    assert (file.format, file.compression) == ("jsonl", ".zst")


def test_a_folder_is_searched_in_order_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "b.jsonl", "a/z.jsonl.gz", "a/y.json", ".hidden.jsonl", ".git/c.jsonl", "notes.txt")
    assert found(tmp_path) == ["a/y.json", "a/z.jsonl.gz", "b.jsonl"]


def test_of_a_mixed_folder_the_most_frequent_format_is_read(tmp_path: Path) -> None:
    make(tmp_path, "a.parquet", "b.parquet", "c.jsonl")
    assert found(tmp_path) == ["a.parquet", "b.parquet"]
    assert found(tmp_path, suffixes=(".jsonl",)) == ["c.jsonl"]


def test_files_that_are_left_out_are_named(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl", "b.json", "c.csv", "d.txt", "e.py", "f.unknown", "README")
    notices: list[str] = []
    assert len(discover(str(tmp_path), [], notices)) == 2
    [notice] = notices
    assert "json is read, with 2 files; left out are 3 (2 text, 1 csv)" in notice
    assert str(tmp_path / "c.csv") in notice
    assert "suffixes" in notice
    notices.clear()
    discover(str(tmp_path), [".jsonl"], notices)
    assert notices == []


def test_a_pattern(tmp_path: Path) -> None:
    make(tmp_path, "a-1.jsonl", "a-2.jsonl", "b-1.jsonl", "deep/a-3.jsonl")
    assert found(tmp_path, "a-*.jsonl") == ["a-1.jsonl", "a-2.jsonl"]
    assert found(tmp_path, "**/a-*.jsonl") == ["a-1.jsonl", "a-2.jsonl", "deep/a-3.jsonl"]


def test_a_misspelt_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    make(tmp_path, "documents.jsonl")
    with pytest.raises(InputError, match=r"documents\.jsonl"):
        discover(str(tmp_path / "document.jsonl"), [])


def test_a_format_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "a.bin")
    with pytest.raises(InputError, match=r"must end in \.jsonl"):
        discover(str(tmp_path / "a.bin"), [])


def test_nothing_found_says_what_was_looked_for(tmp_path: Path) -> None:
    make(tmp_path, "a.bin")
    with pytest.raises(InputError, match=r"looked for \.jsonl"):
        discover(str(tmp_path), [])


@pytest.mark.parametrize("result", ["jsonl", "json", "csv", "parquet", "arrow", "hf", "tar", "jsonl.gz"])
@pytest.mark.parametrize("settings", [{}, {"export_shard_rows": 1}], ids=["whole", "shards"])
def test_a_folder_with_a_result_gives_the_rows_of_the_result(tmp_path: Path, result: str, settings: dict[str, Any]) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "one"}\n{"text": 5}\n{"text": "two"}\n{"text": ""}\n')
    recipe = {"dataset_path": str(tmp_path / "in.jsonl"), "process": [{"text_length_filter": {"min_len": 1}}], **settings}
    djfast.run({**recipe, "export_path": str(tmp_path / "out" / f"docs.{result}")})
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"docs.run.json", "docs_stats.jsonl", "docs.rejected.jsonl"} < names
    notices: list[str] = []
    files = discover(str(tmp_path / "out"), (), notices)
    assert len(files) == (2 if settings else 1)
    assert "what runs wrote beside their results is no input, " in notices[0]
    rows = djfast.Dataset.from_files(tmp_path / "out").to_list()
    assert [row["json"]["text"] if result == "tar" else row["text"] for row in rows] == ["one", "two"]


def test_what_lies_beside_a_result_is_read_where_it_is_named_or_alone(tmp_path: Path) -> None:
    make(tmp_path, "docs.jsonl", "docs.rejected.jsonl", "docs.run.json", "docs_stats.jsonl", "people_stats.jsonl")
    assert found(tmp_path) == ["docs.jsonl", "people_stats.jsonl"]
    assert found(tmp_path, "*.rejected.jsonl") == ["docs.rejected.jsonl"]
    assert found(tmp_path, "*.jsonl") == ["docs.jsonl", "people_stats.jsonl"]
    assert found(tmp_path, "docs_stats.jsonl") == ["docs_stats.jsonl"]


def test_settings_are_no_data(tmp_path: Path) -> None:
    pretty = json.dumps({str(number): "value" * 9 for number in range(2000)}, indent=1)
    for name in ("dataset_infos.json", "package.json", "package-lock.json"):
        (tmp_path / name).write_text(pretty if "lock" in name else '{"name": "x"}')
    (tmp_path / "data.csv").write_text("text\n")
    assert found(tmp_path) == ["data.csv"]
    (tmp_path / "README.md").write_text("a long text" * 99)
    (tmp_path / "data.csv").unlink()
    assert "README.md" not in found(tmp_path)
    for number in range(6):
        (tmp_path / f"{number}.json").write_text('[{"text": "a"}, {"text": "b"}]')
    (tmp_path / "data.csv").write_text("text\n")
    assert "0.json" in found(tmp_path)
