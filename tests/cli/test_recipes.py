"""The recipes that come with djfast can be found and run by who has installed the package only."""

from __future__ import annotations

from pathlib import Path

import pytest

from djfast.cli.main import main
from djfast.cli.recipes import shipped


def test_recipes_are_listed_with_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(shipped()) >= 2
    assert any(line.startswith("quick-start      Clean, filter and deduplicate 60 sample rows") for line in lines)


def test_a_recipe_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "show", "web-text"]) == 0
    assert capsys.readouterr().out == shipped()["web-text"].read_text()


def test_a_copied_recipe_runs_where_it_was_copied_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recipes", "copy", "quick-start.yaml", str(tmp_path)]) == 0
    copied = [tmp_path / "quick-start.yaml", tmp_path / "recipes" / "data" / "sample.jsonl"]
    assert capsys.readouterr().out.split() == list(map(str, copied))
    monkeypatch.chdir(tmp_path)
    assert main(["run", "-q", "quick-start.yaml"]) == 0
    assert (tmp_path / "outputs" / "quick-start" / "clean.jsonl").stat().st_size > 0


def test_what_is_there_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "quick-start.yaml").write_text("mine")
    assert main(["recipes", "copy", "quick-start", str(tmp_path)]) == 1
    assert "there already" in capsys.readouterr().err
    assert (tmp_path / "quick-start.yaml").read_text() == "mine"
    assert not (tmp_path / "recipes").exists()


def test_an_unknown_name_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "show", "quick"]) == 2
    assert f"there are {', '.join(shipped())}, got 'quick'" in capsys.readouterr().err
