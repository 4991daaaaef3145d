"""A row that an OP never comes back from ends the run with a message; the next run sets it aside and goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from djfast.errors import EXIT_RESUMABLE
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
    rows = [{"text": f"row {i}" + (" forever" if i == 777 else "")} for i in range(1000)]
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


@pytest.mark.parametrize("ranks", [0, 2])
def test_a_run_with_a_journal_goes_on_without_the_row(folder: Path, ranks: int) -> None:
    first = run(folder, ranks)
    assert first.status == EXIT_RESUMABLE, first.output
    assert "endless_mapper was on one row, 'row 777 forever'" in first.output
    assert "row_timeout of 1 s" in first.output
    second = run(folder, ranks)
    assert second.status == 0, second.output
    assert len((folder / "out.jsonl").read_text().splitlines()) == 999
    (rejected,) = map(json.loads, (folder / "out.rejected.jsonl").read_text().splitlines())
    assert (rejected["op"], rejected["line"]) == ("endless_mapper", 778)
    assert "in an earlier attempt" in rejected["reason"]


def test_a_run_without_a_journal_ends_with_the_remedy(folder: Path) -> None:
    outcome = run(folder, 0, checkpoint=False)
    assert outcome.status == 1, outcome.output
    assert "use_checkpoint: true" in outcome.output
    assert not (folder / "out.jsonl").exists()
