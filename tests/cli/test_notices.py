"""What a run found out about its input is said, whether it keeps what it finished or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from djfast.cli.main import main


@pytest.mark.parametrize("is_kept", [True, False])
def test_files_that_are_not_read_are_named(tmp_path: Path, is_kept: bool, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "README.md").write_text("# Data")
    (folder / "a.jsonl").write_text('{"text": "a"}\n')
    (folder / "b.jsonl").touch()
    recipe = tmp_path / "r.yaml"
    keys = {"dataset_path": str(folder), "export_path": str(tmp_path / "out.jsonl"), "use_checkpoint": is_kept, "process": []}
    recipe.write_text(json.dumps(keys))
    assert main(["run", str(recipe)]) == 0
    said = capsys.readouterr().err
    assert "json is read, with 2 files; left out are 1 (1 text)" in said
    assert f"files without a byte hold no rows, 1: {folder / 'b.jsonl'}" in said
    assert (tmp_path / "out.jsonl").read_text() == '{"text": "a"}\n'
