"""Rows that an OP never comes back from are rejected, and the run goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.ranks.launching import Launch, Outcome, find_mpirun

DRIVER = Path(__file__).with_name("hanging.py")


def run(folder: Path, ranks: int, *, checkpoint: bool = True) -> Outcome:
    command = find_mpirun().command(ranks, survives=False) if ranks else []
    recipe = ["run", str(folder / "recipe.json"), "--use_checkpoint", str(checkpoint).lower(), "-q"]
    launch = Launch([*command, sys.executable, str(DRIVER), *recipe], {})
    try:
        return launch.wait(60)
    finally:
        launch.end()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"text": f"row {i}" + (" forever" if i in (2, 777, 778) else "")} for i in range(1000)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "dataset_path": str(tmp_path / "in.jsonl"),
        "export_path": str(tmp_path / "out.jsonl"),
        "np": 2,
        "split_bytes": 4096,
        "row_timeout": 1.0,
        "process": [{"endless_mapper": {}}],
    }
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    return tmp_path


@pytest.mark.parametrize(("ranks", "checkpoint"), [(0, False), (0, True), (2, True)])
def test_rows_that_hang_are_rejected_within_the_run(folder: Path, ranks: int, checkpoint: bool) -> None:
    outcome = run(folder, ranks, checkpoint=checkpoint)
    assert outcome.status == 0, outcome.output
    assert len((folder / "out.jsonl").read_text().splitlines()) == 997
    rejected = [json.loads(line) for line in (folder / "out.rejected.jsonl").read_text().splitlines()]
    assert [(each["op"], each["line"]) for each in rejected] == [("endless_mapper", line) for line in (3, 778, 779)]
    assert {each["reason"] for each in rejected} == {"TimeoutError: took longer than the row_timeout of 1 s"}


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_function_over_batches_that_hangs_ends_the_run_with_a_message(folder: Path, checkpoint: bool) -> None:
    recipe = json.loads((folder / "recipe.json").read_text())
    hanging = "lambda rows: __import__('time').sleep(60)"
    process = [{"python_lambda_mapper": {"lambda_str": hanging, "batched": True}}]
    (folder / "recipe.json").write_text(json.dumps({**recipe, "process": process}))
    outcome = run(folder, 0, checkpoint=checkpoint)
    assert outcome.status == 1, outcome.output
    assert "python_lambda_mapper: a call with a batch of rows took longer than the row_timeout of 1 s" in outcome.output
    assert not (folder / "out.jsonl").exists()
