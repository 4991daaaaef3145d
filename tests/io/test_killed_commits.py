"""Runs that end while they give a result its names: the next one finds the earlier result or the new one, each whole."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import OutputError, RecipeError
from djfast.io.write import commit
from djfast.io.write.commit import Staging, place_of
from tests import kills

LONG, BAD = "text that is long enough", None


def write_rows(path: Path, texts: list[Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(texts)))
    return str(path)


def run(folder: Path, texts: list[Any], process: list[Any] | None = None, export: str = "docs.jsonl", **keys: Any) -> list[str]:
    """Run a recipe and return the names of what lies where its result is, the hidden ones too."""
    recipe = {
        "dataset_path": write_rows(folder / "in.jsonl", texts),
        "export_path": str(folder / "out" / export),
        "process": [{"text_length_filter": {"min_len": 5}}] if process is None else process,
        "np": 1,
    }
    djfast.run({**recipe, **keys})
    return sorted(path.name for path in (folder / "out").iterdir() if path.suffix != ".job")


def test_results_in_one_folder_have_a_record_each(tmp_path: Path) -> None:
    run(tmp_path, [LONG], export="a.jsonl")
    assert run(tmp_path, [LONG], export="b.parquet") == [
        "a.jsonl", "a.run.json", "a_stats.jsonl", "b.parquet", "b.run.json", "b_stats.jsonl",
    ]  # fmt: skip


def test_shards_that_another_result_names_are_left_alone(tmp_path: Path) -> None:
    run(tmp_path, [LONG] * 4, [], export="docs.x.jsonl", export_shard_rows=2)
    names = run(tmp_path, [LONG] * 4, [], export="docs.y.jsonl")
    assert [name for name in names if "-of-" in name] == ["docs-00-of-02.jsonl", "docs-01-of-02.jsonl"]


class Refused(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("keys", [{"export_shard_rows": 2}, {}], ids=["shards", "one"])
def test_wherever_a_run_ends_a_result_is_old_or_new_for_the_next_one(tmp_path: Path, keys: dict[str, Any]) -> None:
    def files(folder: Path) -> dict[str, bytes]:
        found = [path for path in folder.iterdir() if path.is_file() and not path.name.endswith(".run.json")]
        return {path.name: path.read_bytes() for path in found}

    run(tmp_path, ["another text that is long"] * 5, **keys)
    expected_new = files(tmp_path / "out")
    run(tmp_path, [LONG] * 3 + [BAD], **keys)
    expected_old = files(tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "earlier")
    write_rows(tmp_path / "in.jsonl", ["another text that is long"] * 5)
    recipe = {
        "dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(tmp_path / "out" / "docs.jsonl"), "np": 1,
        "process": [{"text_length_filter": {"min_len": 5}}], **keys,
    }  # fmt: skip
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    seen = set()
    for number in itertools.count():
        shutil.rmtree(tmp_path / "out")
        shutil.copytree(tmp_path / "earlier", tmp_path / "out")
        command = [sys.executable, kills.__file__, "--at", str(number), str(tmp_path / "recipe.json")]
        status = subprocess.run(command, check=False).returncode
        if (tmp_path / "out" / "docs.run.json").exists():
            assert files(tmp_path / "out") in (expected_old, expected_new), number
        with Staging(str(tmp_path / "out" / "docs.jsonl")):  # what the next run begins with
            pass
        assert files(tmp_path / "out") in (expected_old, expected_new), number
        assert [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []
        seen.add(files(tmp_path / "out") == expected_new)
        if status == 0:
            break
        assert status == kills.ENDED
    assert seen == {False, True}


def test_a_commit_that_was_cut_off_is_finished_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, [LONG] * 6, export_shard_rows=2)
    real, moved = os.replace, []

    def stopping(source: Any, target: Any) -> None:
        if "-of-" in str(target):
            moved.append(target)
            if len(moved) > 1:
                raise Refused
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stopping)
        with pytest.raises(Refused):
            run(tmp_path, [LONG] * 8, export_shard_rows=2)
    path = str(tmp_path / "out" / "docs.jsonl")
    assert (Path(place_of(path)) / "commit.json").exists()
    assert not (tmp_path / "out" / "docs.run.json").exists(), "half a result has no record"
    assert commit.finish_commit(path)
    names = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert names == [*(f"docs-{i:02d}-of-04.jsonl" for i in range(4)), "docs.manifest.json", "docs.run.json", "docs_stats.jsonl"]
    assert not commit.finish_commit(path)


def test_what_dead_runs_left_goes_and_links_are_not_followed(tmp_path: Path) -> None:
    place = Path(place_of(str(tmp_path / "out" / "docs.jsonl")))
    (place / "0123456789abcdef").mkdir(parents=True)
    (place / "0123456789abcdef" / "docs.jsonl").write_text("half")
    (place / "lock").write_text("")
    assert run(tmp_path, [LONG]) == ["docs.jsonl", "docs.run.json", "docs_stats.jsonl"]
    victim = tmp_path / "victim"
    victim.mkdir()
    place.symlink_to(victim)
    with pytest.raises(OutputError, match="the working folder of the result is a link"):
        run(tmp_path, [LONG])
    assert list(victim.iterdir()) == []


def _recipe(tmp_path: Path, dataset: str, export: str, **keys: Any) -> dict[str, Any]:
    paths = {"dataset_path": str(tmp_path / dataset), "export_path": str(tmp_path / export)}
    return {**paths, "process": ["fix_unicode_mapper"], **keys}


def test_a_result_beside_the_input_is_fine(tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [LONG])
    for dataset, export, keys in (
        ("in.jsonl", "out.jsonl", {}),
        ("in*.jsonl", "out.jsonl", {}),
        (".", "out.parquet", {"suffixes": [".csv", ".txt"]}),
    ):
        if dataset == ".":
            (tmp_path / "a.csv").write_text("text\nsome text\n")
        assert djfast.run(_recipe(tmp_path, dataset, export, **keys)).rows_written == 1


@pytest.mark.parametrize("given", [{}, *({"dataset_path": path} for path in ("", "  ", "${DATA_THAT_IS_NOT_SET:-}"))])
@pytest.mark.parametrize("keys", [{}, {"use_checkpoint": True}], ids=["plain", "job"])
def test_a_recipe_without_input_replaces_nothing(tmp_path: Path, given: dict[str, Any], keys: dict[str, Any]) -> None:
    (tmp_path / "out.jsonl").write_text("of an earlier run\n")
    recipe = {"export_path": str(tmp_path / "out.jsonl"), "process": ["fix_unicode_mapper"], **given, **keys}
    with pytest.raises(RecipeError, match="there is no input: dataset_path"):
        djfast.run(recipe)
    assert (tmp_path / "out.jsonl").read_text() == "of an earlier run\n"


def test_killed_processes_leave_old_or_new(tmp_path: Path) -> None:
    """A light slice of what `make kills` does."""
    assert kills.main(["--kills", "6", "--seed", "3", "--folder", str(tmp_path)]) == 0
