"""Export paths that the file system cannot have say so, whatever is made beside the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import InputError, OutputError


def recipe(tmp_path: Path, export_path: str, **keys: Any) -> dict[str, Any]:
    source = tmp_path / "in.jsonl"
    if not source.exists():
        source.write_text('{"text": "a text"}\n')
    return {"dataset_path": str(source), "export_path": export_path, "process": ["text_length_filter"], **keys}


@pytest.mark.parametrize("name", ["x" * 300, "x" * 249, "ä" * 130, "x" * 245, "/".join(["y" * 200] * 30)], ids=len)
def test_a_path_that_is_too_long_is_named_with_the_limit(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"^export_path is too long: a name may have \d+ bytes .*, got '/.*\.jsonl'$") as error:
        djfast.run(recipe(tmp_path, str(tmp_path / "out" / f"{name}.jsonl")))
    assert len(str(error.value)) < 400
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize("shards", [{}, {"export_shard_size": 10}])
@pytest.mark.parametrize("length", [200, 220])
def test_names_that_fit_are_written(tmp_path: Path, length: int, shards: dict[str, int]) -> None:
    djfast.run(recipe(tmp_path, str(tmp_path / "out" / f"{'x' * length}.jsonl"), **shards))
    assert any((tmp_path / "out").glob("x*.jsonl"))


@pytest.mark.parametrize("inside", ["o.jsonl", "a/b/o.jsonl"])
@pytest.mark.parametrize("file", ["in.jsonl", "other"])
def test_a_file_that_stands_for_a_folder_is_named(tmp_path: Path, file: str, inside: str) -> None:
    (tmp_path / "other").write_text("")
    with pytest.raises(OutputError, match=rf"^export_path leads through a file, .*/{file} is no folder; .*, got '.*/{inside}'$"):
        djfast.run(recipe(tmp_path, f"{tmp_path}/{file}/{inside}"))


def test_a_link_to_a_folder_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    djfast.run(recipe(tmp_path, str(tmp_path / "link" / "new" / "o.jsonl")))
    assert (tmp_path / "there" / "new" / "o.jsonl").exists()


def test_input_below_a_file_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file or folder of this name"):
        djfast.run({**recipe(tmp_path, str(tmp_path / "o.jsonl")), "dataset_path": str(tmp_path / "in.jsonl" / "x.jsonl")})


@pytest.mark.parametrize("target", ["gone.jsonl", "gone/in.jsonl", "link.jsonl"])
def test_a_link_to_nothing_says_where_it_leads(tmp_path: Path, target: str) -> None:
    (tmp_path / "link.jsonl").symlink_to(target)
    with pytest.raises(InputError, match=rf"^the link leads to '{target}', which is not there, got '.*/link.jsonl'$"):
        djfast.run({**recipe(tmp_path, str(tmp_path / "o.jsonl")), "dataset_path": str(tmp_path / "link.jsonl")})
