"""A result gets all of its names or none, nothing of an earlier one stays beside it, and no run reads what it writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import InputError, OutputError, RecipeError
from djfast.io.write.commit import Staging

WRITES = ("replace", "unlink", "rename", "mkdir", "rmdir")
KILLED = """
import os, signal, sys
import djfast
count = 0
def counted(original):
    def call(*arguments, **named):
        global count
        count += 1
        if count == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)
    return call
for name in sys.argv[3:]:
    setattr(os, name, counted(getattr(os, name)))
import json
djfast.run(json.loads(sys.argv[1]))
"""


def recipe(folder: Path, **keys: Any) -> dict[str, Any]:
    paths = {"dataset_path": str(folder / "in.jsonl"), "export_path": str(folder / "out" / "d.jsonl")}
    return {**paths, "process": [{"text_length_filter": {"min_len": 1}}], "np": 1, **keys}


@pytest.fixture(autouse=True)
def _input(tmp_path: Path) -> None:
    rows = [*({"text": f"row {number}"} for number in range(9)), {"text": None}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_of_an_earlier_result_stays(tmp_path: Path) -> None:
    djfast.run(recipe(tmp_path, export_shard_rows=2))
    djfast.run(recipe(tmp_path, export_shard_rows=4))
    assert names(tmp_path / "out") == sorted(
        [*(f"d-0{i}-of-03.jsonl" for i in range(3)), "d.manifest.json", "d.rejected.jsonl", "d.run.json", "d_stats.jsonl"]
    )
    (tmp_path / "good.jsonl").write_text('{"text": "a"}\n')
    djfast.run(recipe(tmp_path, process=[], dataset_path=str(tmp_path / "good.jsonl")))
    assert names(tmp_path / "out") == ["d.jsonl", "d.run.json"]


def test_what_stays_of_a_result_of_another_form_is_told(tmp_path: Path) -> None:
    djfast.run(recipe(tmp_path, export_shard_rows=2))
    out = tmp_path / "out"
    report = djfast.run(recipe(tmp_path, export_path=str(out / "d.csv")))
    assert f"{out / 'd-00-of-05.jsonl'} and 4 more of an earlier run stay" in report.notices[-1]
    assert not djfast.run(recipe(tmp_path, export_path=str(out / "d.csv"))).notices
    assert not djfast.run(recipe(tmp_path, export_path=str(out / "e.csv"))).notices


@pytest.mark.parametrize("keys", [{}, {"export_shard_rows": 4}, {"use_checkpoint": True}])
def test_a_run_killed_at_any_step_leaves_one_result(tmp_path: Path, keys: dict[str, Any]) -> None:
    expected = recipe(tmp_path, export_path=str(tmp_path / "other" / "d.jsonl"), **keys)
    djfast.run(expected)
    for step in range(1, 40, 3):
        djfast.run(recipe(tmp_path, export_shard_rows=2))
        given = json.dumps(recipe(tmp_path, **keys))
        command = [sys.executable, "-c", KILLED, given, str(step), *WRITES]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        if (tmp_path / "out" / "d.run.json").exists():  # then what it names is whole
            record = json.loads((tmp_path / "out" / "d.run.json").read_text())
            rows = [line for path in record["export_paths"] for line in Path(path).read_text().splitlines()]
            assert len(rows) == 9
        djfast.run(recipe(tmp_path, **keys))
        for path in (tmp_path / "other").glob("d*.jsonl"):
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
        assert [name for name in names(tmp_path / "out") if name != "d.job"] == [
            name for name in names(tmp_path / "other") if name != "d.job"
        ]


def test_a_second_run_of_a_result_is_refused(tmp_path: Path) -> None:
    with Staging(str(tmp_path / "out" / "d.jsonl")), pytest.raises(OutputError, match=f"process {os.getpid()} on"):
        djfast.run(recipe(tmp_path))
    djfast.run(recipe(tmp_path))


def test_spaces_in_a_path_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "my data").mkdir()
    (tmp_path / "in.jsonl").rename(tmp_path / "my data" / "a b.jsonl")
    for name in ("my data/a b.jsonl", "my data", "my data/*.jsonl", "my data/a ?.jsonl"):
        assert djfast.run(recipe(tmp_path, dataset_path=str(tmp_path / name))).rows_read == 10
    for name in ("my data/none.jsonl", "my data/*.csv", "my data/a b.jsonl in.jsonl"):
        with pytest.raises(InputError, match="dataset_path is split at spaces, so put a path that has some in quotes, got"):
            djfast.run(recipe(tmp_path, dataset_path=str(tmp_path / name)))
    with pytest.raises(InputError, match=r"^there is no file or folder of this name( \(did.*\))?, got"):
        djfast.run(recipe(tmp_path, dataset_path=f"'{tmp_path}/my data/none.jsonl'"))


def test_a_link_to_a_file_beside_it_is_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "d.jsonl").symlink_to("d.txt")
    djfast.run(recipe(tmp_path))
    assert (tmp_path / "out" / "d.jsonl").is_symlink()
    assert len((tmp_path / "out" / "d.txt").read_text().splitlines()) == 9


@pytest.mark.parametrize("is_fresh", [False, True])
def test_a_folder_of_others_is_not_taken_for_a_job(tmp_path: Path, is_fresh: bool) -> None:
    mine = tmp_path / "out" / "d.job" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    (tmp_path / "r.json").write_text(json.dumps(recipe(tmp_path, use_checkpoint=True)))
    command = [sys.executable, "-m", "djfast", "run", str(tmp_path / "r.json"), *["--fresh"][:is_fresh]]
    for wrong in ("is or holds mine.txt", "is or holds d.job"):
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode == 1
        assert wrong in ended.stderr
        assert "Traceback" not in ended.stderr
        if mine.exists():
            assert mine.read_text() == "mine"
            mine.unlink()
            mine.parent.rmdir()
            mine.parent.write_text("mine, too")
    assert mine.parent.read_text() == "mine, too"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "big").mkdir()
    (tmp_path / "out" / "d.jsonl").symlink_to(tmp_path / "big" / "there.jsonl")
    djfast.run(recipe(tmp_path))
    assert (tmp_path / "out" / "d.jsonl").is_symlink()
    assert len((tmp_path / "big" / "there.jsonl").read_text().splitlines()) == 9


@pytest.mark.parametrize(
    "keys",
    [
        {"export_path": "{}/in.jsonl"},
        {"export_path": "{}/link.jsonl"},
        {"export_path": "{}/hard.jsonl"},
        {"dataset_path": "{}", "export_path": "{}/more.jsonl"},
        {"dataset_path": "{}/*.jsonl", "export_path": "{}/more.jsonl"},
        {"dataset_path": "{}/**/*.jsonl", "export_path": "{}/deep/more.jsonl"},
        {"dataset_path": ""},
        {"export_path": "s3:/bucket/d.jsonl"},
        {"export_path": "s3//bucket/d.jsonl"},
    ],
)
def test_input_is_never_output(tmp_path: Path, keys: dict[str, str]) -> None:
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "in.jsonl")
    os.link(tmp_path / "in.jsonl", tmp_path / "hard.jsonl")
    before = (tmp_path / "in.jsonl").read_bytes()
    with pytest.raises(RecipeError):
        djfast.run(recipe(tmp_path, **{name: value.format(tmp_path) for name, value in keys.items()}))
    assert (tmp_path / "in.jsonl").read_bytes() == before


def test_a_data_set_is_not_written_over_its_input(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the input is what the run would replace"):
        djfast.Dataset.from_jsonl(str(tmp_path / "in.jsonl")).export(str(tmp_path / "in.jsonl"))


def test_a_failed_run_keeps_its_rejected_rows_apart(tmp_path: Path) -> None:
    djfast.run(recipe(tmp_path))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(djfast.errors.TooManyErrors, match=r"d\.failed\.rejected\.jsonl"):
        djfast.run(recipe(tmp_path, max_errors=0.01))
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert after.pop("d.failed.rejected.jsonl") == before["d.rejected.jsonl"]
    assert after == before
