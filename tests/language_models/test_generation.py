"""Questions and answers written by a model, against the local server."""

from __future__ import annotations

import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import ModelError, RecipeError
from djfast.functions.generation import _pairs_reader, drawn, seed_dialogs
from djfast.recipe.load import load_recipe
from tests.llm.server import Asked, Server, completion

TWO = "Human: What?\nAssistant: This.\n\nHuman: Why?\nAssistant: So\nit is."


def _run(op: str, rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{op: {"is_hf_model": False, **params}}]))


def test_every_pair_about_a_text_is_a_row(server: Server) -> None:
    server.respond = lambda asked: completion(TWO)
    rows = [{"text": "t", "id": 1, "query": "old"}]
    expected = [
        {"text": "t", "id": 1, "query": "What?", "response": "This."},
        {"text": "t", "id": 1, "query": "Why?", "response": "So\nit is."},
    ]
    assert _run("generate_qa_from_text_mapper", rows).to_list() == expected
    assert server.requests[0].body["messages"] == [{"role": "user", "content": "t"}]
    assert _run("generate_qa_from_text_mapper", rows, max_num=1).to_list() == expected[:1]


def test_a_text_without_pairs_disappears_and_an_empty_one_is_not_asked_about(server: Server) -> None:
    server.respond = lambda asked: completion("Human: only a question")
    assert _run("generate_qa_from_text_mapper", [{"text": "t"}, {"text": ""}]).to_list() == []
    assert server.count == 1


def test_rows_without_a_text_are_bad(server: Server) -> None:
    data = _run("generate_qa_from_text_mapper", [{"id": 1}, {"text": None}, {"text": 3}])
    assert data.to_list() == []
    assert len(data.rejected) == 3
    assert "field 'text' must be a string, got null" in data.rejected[0].reason


def test_the_text_and_the_pair_have_names_of_the_user(server: Server) -> None:
    server.respond = lambda asked: completion("q=1 a=2 q=3 a=4")
    params = {"text_key": "body", "query_key": "q", "response_key": "a", "output_pattern": r"q=(\d) a=(\d)"}
    got = _run("generate_qa_from_text_mapper", [{"body": "t"}], **params).to_list()
    assert got == [{"body": "t", "q": "1", "a": "2"}, {"body": "t", "q": "3", "a": "4"}]


@pytest.mark.parametrize(
    ("question", "answer", "end"), [("Human:", "Assistant:", "Human"), ("【问题】", "【回答】", "【问题】")]
)
def test_marked_pairs_are_those_of_the_pattern(question: str, answer: str, end: str) -> None:
    """The patterns that Data-Juicer documents, against what looks for markers only."""
    pattern = re.compile(f"{question}(.*?){answer}(.*?)(?={end}|$)", re.DOTALL)
    pairs_in = _pairs_reader("op", None, question=question, answer=answer, end=end)
    for parts in itertools.product(("\n", "a", end, question, answer), repeat=6):
        said = "".join(parts)
        assert list(pairs_in(said)) == [(q.strip(), a.strip()) for q, a in pattern.findall(said)], said


def test_a_long_answer_without_pairs_takes_no_time(server: Server) -> None:
    server.respond = lambda asked: completion("Human:" * 200_000 + "Assistant")
    began = time.monotonic()
    assert _run("generate_qa_from_text_mapper", [{"text": "t"}]).to_list() == []
    assert time.monotonic() - began < 10


def _seeds(path: Path, count: int = 6) -> str:
    lines = [
        {"messages": [
            {"role": "system", "content": "ignored"},
            {"role": "user", "content": f"question {number}"},
            {"role": "assistant", "content": f"answer {number} of many different words"},
        ]}
        for number in range(count)
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")
    return str(path)


def test_a_dialogue_ends_with_the_pair_and_begins_with_the_history(server: Server, tmp_path: Path) -> None:
    server.respond = lambda asked: completion("ok【问题】 a \n【回答】b\nb【问题】c【回答】d【问题】e【回答】f")
    rows = [{"id": 1, "history": "old"}]
    data = _run("generate_qa_from_examples_mapper", rows, seed_file=_seeds(tmp_path / "seeds.jsonl"))
    assert data.to_list() == [{"id": 1, "query": "e", "response": "f", "history": [["a", "b\nb"], ["c", "d"]]}]
    system, user = server.requests[0].body["messages"]
    assert system["role"] == "system"
    assert len(set(re.findall(r"question (\d)", user["content"]))) == 3
    assert "ignored" not in user["content"]


@pytest.mark.parametrize("said", ["nothing", "【问题】only", "【回答】only", ""])
def test_without_a_pair_all_fields_are_empty(server: Server, tmp_path: Path, said: str) -> None:
    server.respond = lambda asked: completion(said)
    data = _run("generate_qa_from_examples_mapper", [{}], seed_file=_seeds(tmp_path / "seeds.jsonl"))
    assert data.to_list() == [{"query": "", "response": "", "history": []}]


def test_what_is_too_like_an_example_is_not_taken(server: Server, tmp_path: Path) -> None:
    server.respond = lambda asked: completion("【问题】question 0【回答】answer 0 of many different things")
    params = {"seed_file": _seeds(tmp_path / "seeds.jsonl", 1), "example_num": 1}
    for threshold, query in ((0.7, ""), (0.9, "question 0")):
        data = _run("generate_qa_from_examples_mapper", [{}], similarity_threshold=threshold, **params)
        assert data.to_list()[0]["query"] == query


def test_examples_depend_on_the_row_and_not_on_those_beside_it(server: Server, tmp_path: Path) -> None:
    def respond(asked: Asked) -> Any:
        return completion(f"【问题】{re.findall(r'question ([0-9])', asked.prompt)}【回答】x")

    server.respond = respond
    params = {"seed_file": _seeds(tmp_path / "seeds.jsonl")}
    rows = [{"id": number} for number in range(20)]
    together = _run("generate_qa_from_examples_mapper", rows, **params).to_list()
    assert together == [row for one in rows for row in _run("generate_qa_from_examples_mapper", [one], **params).to_list()]
    assert len({row["query"] for row in together}) > 10


@pytest.mark.parametrize("keys", [{}, {"batch_bytes": 4096, "np": 1}, {"use_checkpoint": True}])
def test_generated_rows_that_are_numbered_get_dialogues_of_their_own(
    server: Server, tmp_path: Path, keys: dict[str, Any]
) -> None:
    server.respond = lambda asked: completion(f"【问题】{''.join(re.findall(r'question ([0-9])', asked.prompt))}【回答】x")
    recipe = {
        "generated_dataset_config": {"type": "EmptyFormatter", "length": 8, "feature_keys": ["text"], "number_key": "id"},
        "export_path": str(tmp_path / "out.jsonl"),
        "process": [
            {"generate_qa_from_examples_mapper": {"is_hf_model": False, "seed_file": _seeds(tmp_path / "seeds.jsonl")}}
        ],
    }
    djfast.run({**recipe, **keys})
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == list(range(8))
    assert [row["query"] for row in rows] == ["230", "214", "205", "135", "305", "542", "314", "245"]  # on every machine


def test_templates_of_the_user(server: Server, tmp_path: Path) -> None:
    server.respond = lambda asked: completion("Q1A2")
    templates = {"input_template": "<{}>", "example_template": "[{}]", "qa_pair_template": "{}={}", "system_prompt": "S"}
    params = {"seed_file": _seeds(tmp_path / "seeds.jsonl", 1), "example_num": 1, "output_pattern": "Q(.)A(.)"}
    assert _run("generate_qa_from_examples_mapper", [{}], **params, **templates).to_list()[0]["response"] == "2"
    assert [m["content"] for m in server.requests[0].body["messages"]] == [
        "S",
        "<[question 0=answer 0 of many different words]>",
    ]


def test_seed_files_are_checked_before_anything_is_asked(server: Server, tmp_path: Path) -> None:
    few = _seeds(tmp_path / "few.jsonl", 2)
    for path in ("", str(tmp_path), str(tmp_path / "none.jsonl")):
        with pytest.raises(ModelError, match="generate_qa_from_examples_mapper: examples not found; give a file of JSON lines"):
            _run("generate_qa_from_examples_mapper", [{}], seed_file=path).to_list()
    with pytest.raises(RecipeError, match=r"seed_file must have at least 3 dialogues \(example_num\), got 2"):
        _run("generate_qa_from_examples_mapper", [{}], seed_file=few).to_list()
    assert server.count == 0


@pytest.mark.parametrize(
    "line",
    ["[]", "1", "{", '{"messages": 3}', '{"messages": [{"role": "user", "content": 1}]}', '{"messages": [{}]}', "[" * 9000],
)
def test_a_line_that_is_no_dialogue_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "seeds.jsonl").write_text('{"messages": []}\n' + line)
    with pytest.raises(RecipeError, match=r"got another one in .*seeds\.jsonl:2$"):
        seed_dialogs(str(tmp_path / "seeds.jsonl"), op="op")


def test_dialogues_are_pairs_of_a_user_and_the_assistant(tmp_path: Path) -> None:
    said = ["assistant 0", "user a", "user b", "tool t", "assistant c", "assistant d", "user e"]
    dialog = {"messages": [dict(zip(("role", "content"), message.split())) for message in said]}
    path = tmp_path / "seeds.jsonl"
    path.write_text(json.dumps({"messages": []}) + "\n" + json.dumps(dialog))
    assert seed_dialogs(str(path), op="op") == [[("b", "c")]]


def test_draws_are_different_numbers_and_fair() -> None:
    assert sorted(drawn(7, 7, seed=b"x")) == list(range(7))
    assert drawn(0, 7, seed=b"x") == []
    first = [drawn(2, 5, seed=str(number).encode()) for number in range(5000)]
    assert all(a != b for a, b in first)
    counts = [sum(number in pair for pair in first) for number in range(5)]
    assert all(abs(count - 2000) < 5 * (5000 * 0.4 * 0.6) ** 0.5 for count in counts)


def test_a_query_gets_its_answer_as_it_is(server: Server) -> None:
    server.respond = lambda asked: completion(f" {asked.prompt}\n")
    rows = [{"query": "q", "response": "old"}, {"query": ""}, {"id": 1}, {"query": 2}]
    data = _run("llm_ray_vllm_engine_pipeline", rows, system_prompt="S", sampling_params={"temperature": 0.5})
    assert data.to_list() == [{"query": "q", "response": " q\n"}, *rows[1:3]]
    assert len(data.rejected) == 1
    [asked] = server.requests
    assert asked.body["messages"] == [{"role": "system", "content": "S"}, {"role": "user", "content": "q"}]
    assert asked.body["temperature"] == 0.5


def test_an_address_and_a_key_of_the_recipe_belong_together(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    params = {"api_url": server.base_url + "/chat/completions", "api_key": "sk-of-the-recipe"}
    assert _run("llm_ray_vllm_engine_pipeline", [{"query": "q"}], **params).to_list()[0]["response"] == "echo: q"
    assert server.requests[0].headers["Authorization"] == "Bearer sk-of-the-recipe"


def test_parameters_of_ray_are_taken_without_effect(server: Server) -> None:
    params = {"accelerator_type": "A100", "engine_kwargs": {"max_model_len": 4096}}
    assert _run("llm_ray_vllm_engine_pipeline", [{"query": "q"}], **params).to_list()[0]["response"] == "echo: q"
    recipe = load_recipe({"process": [{"llm_ray_vllm_engine_pipeline": params}]})
    assert len([notice for notice in recipe.notices if "has no effect" in notice]) == 2
