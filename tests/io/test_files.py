"""Which files an input names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from djfast.errors import InputError
from djfast.io.files import discover


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
