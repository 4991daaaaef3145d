"""An OP whose model runs in the process: a tiny one, made here with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import ModelError

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from tests.llm.test_transformers import answers, make_model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
ROWS = [{"query": f"q{number}", "response": "hello"} for number in range(5)]
TEMPLATES = {"system_prompt": "be kind", "input_template": "{qa_pair}", "qa_pair_template": "{query}: {response}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_model(tmp_path_factory.mktemp("models") / "llama", "llama"))


def _run(rows: list[dict[str, Any]], folder: str, **sampling: Any) -> djfast.Dataset:
    params = {
        "api_or_hf_model": folder,
        "is_hf_model": True,
        "model_params": {"device": "cpu"},
        "sampling_params": {"max_tokens": 8, **sampling},
        **TEMPLATES,
    }
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{"optimize_response_mapper": params}]))


def test_a_model_in_the_process_betters_answers(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJFAST_LLM_CACHE", "off")
    got = _run(ROWS, folder).to_list()
    prompts = [
        [{"role": "system", "content": "be kind"}, {"role": "user", "content": f"{row['query']}: hello"}] for row in ROWS
    ]
    expected = [text.strip() or "hello" for text in answers(folder, prompts)]
    assert [row["response"] for row in got] == expected
    assert [row["query"] for row in got] == [row["query"] for row in ROWS]
    assert set(expected) != {"hello"}


def test_draws_do_not_depend_on_the_rows_beside(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJFAST_LLM_CACHE", "off")
    together = _run(ROWS, folder, temperature=1.0).to_list()
    assert together == [row for one in ROWS for row in _run([one], folder, temperature=1.0).to_list()]
    assert len({row["response"] for row in together}) > 1


def test_a_rerun_takes_its_answers_from_the_cache(folder: str, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"text": "", "query": "q", "response": "hello"}\n')
    op = {"api_or_hf_model": folder, "model_params": {"device": "cpu"}, "sampling_params": {"max_tokens": 4}, **TEMPLATES}
    recipe = {
        "dataset_path": str(source),
        "export_path": str(target),
        "process": [{"optimize_response_mapper": op}],
        "llm_cache": str(tmp_path / "answers"),
    }
    first = djfast.run(recipe).language_models
    again = djfast.run(recipe).language_models
    assert first is not None
    assert again is not None
    assert first["optimize_response_mapper"].requests > 0
    assert (again["optimize_response_mapper"].requests, again["optimize_response_mapper"].cache_hits > 0) == (0, True)


def test_a_row_that_is_too_long_for_the_model_is_set_aside_alone(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJFAST_LLM_CACHE", "off")
    data = _run([ROWS[0], {"query": "long " * 500}, ROWS[1]], folder)
    assert [row["query"] for row in data.to_list()] == ["q0", "q1"]
    assert "the prompt must have 1 to 120 tokens" in data.rejected[0].reason


def test_a_model_that_is_not_there_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="optimize_response_mapper: language model not found"):
        _run(ROWS, "no/model").to_list()
