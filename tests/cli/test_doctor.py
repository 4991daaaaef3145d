"""What a recipe needs is named before it runs: packages, models, user code, servers. Nothing is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from djfast import functions
from djfast.cli.main import main
from djfast.recipe.load import load_recipe


def _doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str], *process: Any) -> tuple[int, str]:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"export_path": str(tmp_path / "out.jsonl"), "process": list(process)}))
    status = main(["doctor", str(recipe)])
    return status, capsys.readouterr().out


def test_without_a_recipe_it_tells_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.startswith("note     djfast ")


def test_a_model_that_is_not_there_is_named_with_its_op(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = _doctor(tmp_path, capsys, {"flagged_words_filter": {"flagged_words_dir": str(tmp_path)}})
    assert status == 1
    assert "MISSING  flagged_words_filter: no word list: expected a file like flagged_words.json" in out
    assert f"in {tmp_path}; put one there" in out


def test_packages_are_named_whether_they_are_there_or_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"clean_email_mapper": {"pattern": "a+"}}
    status, out = _doctor(tmp_path, capsys, recipe)
    assert (status, out.splitlines()[0], out.splitlines()[-1]) == (0, "ok       package regex>=2024.4", "Nothing is missing.")
    monkeypatch.setattr(functions.importlib.util, "find_spec", lambda name: None)
    status, out = _doctor(tmp_path, capsys, recipe)
    assert status == 1
    assert out.startswith("MISSING  not installed: regex\n")
    assert out.endswith("What is missing comes with\n  pip install 'regex>=2024.4'\n")


def test_what_is_missing_comes_first_with_the_command_that_gets_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_JUICER_EXTERNAL_MODELS_HOME", str(tmp_path))
    status, out = _doctor(tmp_path, capsys, {"clean_email_mapper": {"pattern": "a+"}}, "perplexity_filter")
    assert status == 1
    first, *_ = (line for line in out.splitlines() if "not installed: kenlm" not in line)
    assert first.startswith("MISSING  perplexity_filter: ")
    assert first.count("perplexity_filter") == 1
    assert out.endswith(f"\n  djfast fetch {tmp_path}/recipe.json\n")


def test_code_of_the_user_and_servers_are_pointed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:secret@host/v1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    status, out = _doctor(tmp_path, capsys, {"python_lambda_mapper": {"lambda_str": "lambda row: row"}}, "calibrate_qa_mapper")
    assert status == 0
    assert "note     python_lambda_mapper: runs code of the user; DJFAST_USER_CODE=0 forbids it" in out
    assert "note     calibrate_qa_mapper: asks a language model at http://host/v1" in out
    assert "OPENAI_API_KEY is not set" in out
    assert "secret" not in out


def test_a_key_in_parameters_is_shown_nowhere_and_plans_ask_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = [{"calibrate_qa_mapper": {"model_params": {"api_key": "sk-HUNTER2", "base_url": "http://127.0.0.1:9/v1"}}}]
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    recipe = tmp_path / "recipe.json"
    keys = {"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(tmp_path / "out.jsonl")}
    recipe.write_text(json.dumps({**keys, "process": process}))
    for arguments in (["plan", str(recipe)], ["plan", str(recipe), "--json"], ["doctor", str(recipe)]):
        assert main(arguments) == 0
        out = capsys.readouterr()
        assert "HUNTER2" not in out.out + out.err
        if arguments == ["plan", str(recipe)]:
            assert "no prediction of time and memory: calibrate_qa_mapper asks or changes what is outside of the run" in out.out
    loaded = load_recipe(str(recipe))
    assert "HUNTER2" not in json.dumps(loaded.text) + repr(loaded.ops)
    assert loaded.ops[0].model_params["api_key"] == "sk-HUNTER2"
