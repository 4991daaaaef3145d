"""Questions, answers and prompts rewritten by a model, against the local server."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError
from djfast.functions.calibration import pair_after
from djfast.llm.prompts import load_prompt
from tests.llm.server import Asked, Said, Server, completion, refusal

ROW = {"query": "boil when?", "response": "100"}


def _run(op: str, rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    served = {} if op == "pair_preference_mapper" else {"is_hf_model": False}
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{op: {**served, **params}}]))


def test_a_pair_becomes_better_with_all_lines_of_its_answer(server: Server) -> None:
    server.respond = lambda asked: completion("Sure.\n【问题】 When?\nAnd where? \n【回答】\n At 100.\n\nMore. ")
    [row] = _run("optimize_qa_mapper", [ROW]).to_list()
    assert row == {"query": "When?\nAnd where?", "response": "At 100.\n\nMore."}
    system, user = server.requests[0].body["messages"]
    assert system == {"role": "system", "content": load_prompt("optimize_qa", "zh").template("system").fill()}
    assert "【问题】\nboil when?\n【回答】\n100" in user["content"]


@pytest.mark.parametrize(("op", "key"), [("optimize_query_mapper", "query"), ("optimize_response_mapper", "response")])
def test_one_part_is_the_whole_answer(server: Server, op: str, key: str) -> None:
    server.respond = lambda asked: completion("\n 【better】\nlines \n")
    assert _run(op, [ROW]).to_list() == [{**ROW, key: "【better】\nlines"}]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("【问题】Q【回答】", {"query": "Q"}),
        ("【问题】【回答】A", {"response": "A"}),
        ("【回答】A【问题】Q【回答】B【回答】C", {"query": "Q", "response": "B【回答】C"}),
        ("【问题】a【问题】b【回答】c", {"query": "a【问题】b", "response": "c"}),
        ("【回答】A【问题】Q", {}),
        ("【问题】 \n【回答】 \n", {}),
        ("", {}),
    ],
)
def test_markers_in_odd_places(server: Server, said: str, expected: dict[str, str]) -> None:
    server.respond = lambda asked: completion(said)
    assert _run("optimize_qa_mapper", [ROW], try_num=1).to_list() == [{**ROW, **expected}]


def test_unusable_answers_are_asked_for_again_and_leave_the_row_in_the_end(server: Server) -> None:
    server.respond = lambda asked: completion("【问题】Q【回答】A" if asked.number == 2 else "no")
    assert _run("optimize_qa_mapper", [ROW]).to_list() == [{"query": "Q", "response": "A"}]
    assert server.count == 3
    server.respond = lambda asked: completion("no")
    assert _run("optimize_qa_mapper", [{"query": "other"}], try_num=2).to_list() == [{"query": "other"}]
    assert server.count == 5


def test_a_long_answer_without_markers_takes_no_time(server: Server) -> None:
    server.respond = lambda asked: completion("【问题】" * 100_000 + " " * 1_000_000)
    began = time.monotonic()
    assert _run("optimize_qa_mapper", [ROW], try_num=1).to_list() == [ROW]
    row = {**ROW, "text": "t"}
    assert _run("pair_preference_mapper", [row], try_num=1).to_list() == [{**row, "rejected_response": "", "reason": ""}]
    calibrated = djfast.load_ops([{"calibrate_qa_mapper": {"try_num": 1}}])
    assert djfast.Dataset.from_list([row]).process(calibrated).to_list() == [row]
    assert time.monotonic() - began < 20


def test_missing_and_null_fields_are_empty_and_wrong_ones_are_bad_rows(server: Server) -> None:
    server.respond = lambda asked: completion("fine")
    rows = [{"id": 1}, {"query": None, "response": "r"}, {"query": ["q"]}, {"query": "ü\U0001f600"}]
    data = _run("optimize_response_mapper", rows)
    assert [row["response"] for row in data.to_list()] == ["fine"] * 3
    assert "the field must be a string, got list" in data.rejected[0].reason


def test_a_row_without_an_answer_is_set_aside_alone(server: Server) -> None:
    def respond(asked: Asked) -> Said:
        return refusal(400, "too long") if "bad" in asked.prompt else completion("【问题】q【回答】a【原因】b【提示词】p")

    server.respond = respond
    for op in ("optimize_qa_mapper", "pair_preference_mapper", "optimize_prompt_mapper"):
        data = _run(op, [{"query": text, "prompt": text} for text in ("one", "bad", "two")])
        assert {row["query"] for row in data.to_list()} == ({"q"} if op == "optimize_qa_mapper" else {"one", "two"})
        assert [bad.row["query"] for bad in data.rejected] == ["bad"]


def test_templates_and_patterns_of_the_user(server: Server) -> None:
    server.respond = lambda asked: completion("Q a\nA b\nc")
    params = {"system_prompt": "S", "input_template": "<{}>", "qa_pair_template": "{}|{}"}  # positions, as in Data-Juicer
    data = _run("optimize_qa_mapper", [ROW], output_pattern="Q(.*)A(.*)", **params)
    assert data.to_list() == [{"query": "a", "response": "b\nc"}]
    system, user = (message["content"] for message in server.requests[0].body["messages"])
    assert (system, user) == ("S", "<boil when?|100>")
    assert _run("optimize_query_mapper", [ROW], output_pattern="Q (.)").to_list() == [{**ROW, "query": "a"}]
    assert _run("optimize_query_mapper", [ROW], output_pattern="x(.)").to_list() == [{**ROW, "query": "Q a\nA b\nc"}]
    with pytest.raises(RecipeError, match="output_pattern must have 2 groups"):
        _run("optimize_qa_mapper", [ROW], output_pattern="Q(.*)").to_list()
    with pytest.raises(RecipeError, match=r"may hold \{qa_pair\}"):
        _run("optimize_qa_mapper", [ROW], input_template="{text}").to_list()


def test_null_stands_for_no_parameters(server: Server) -> None:
    server.respond = lambda asked: completion("fine")
    params = {"model_params": None, "sampling_params": None}
    assert _run("optimize_response_mapper", [ROW], **params).to_list()[0]["response"] == "fine"
    assert set(server.requests[0].body) == {"model", "messages"}


def test_a_worse_answer_comes_with_its_reason(server: Server) -> None:
    server.respond = lambda asked: completion("Well.【回答】 never\n【原因】 it\nlies ")
    row = {"text": "Water boils.", **ROW}
    [got] = _run("pair_preference_mapper", [row]).to_list()
    assert got == {**row, "rejected_response": "never", "reason": "it\nlies"}
    user = server.requests[0].prompt
    assert all(part in user for part in row.values())


def test_fields_of_preferences_have_names_of_the_user(server: Server) -> None:
    server.respond = lambda asked: completion("r:1 w:2")
    params = {"rejected_key": "worse", "reason_key": "why", "output_pattern": "r:(.*)w:(.*)", "text_key": "about.it"}
    [got] = _run("pair_preference_mapper", [{**ROW, "about": {"it": "steam"}}], **params).to_list()
    assert (got["worse"], got["why"]) == ("1", "2")
    assert "steam" in server.requests[0].prompt


@pytest.mark.parametrize(
    ("said", "rejected", "reason"), [("【回答】a【原因】", "a", ""), ("【回答】【原因】b", "", "b"), ("no", "", "")]
)
def test_half_a_preference_is_asked_for_again_and_written_in_the_end(
    server: Server, said: str, rejected: str, reason: str
) -> None:
    server.respond = lambda asked: completion(said)
    row = {**ROW, "rejected_response": "old", "text": None}
    assert _run("pair_preference_mapper", [row]).to_list() == [{**row, "rejected_response": rejected, "reason": reason}]
    assert server.count == 3


def _numbered(asked: Asked) -> Said:
    return completion(f"【提示词】 new {asked.number} 【注】x")


def test_new_prompts_follow_their_row_and_are_examples_for_the_next(server: Server) -> None:
    server.respond = _numbered
    rows = [{"prompt": "old", "id": 1, "__dj__meta__": {"a": 1}}]
    data = _run("optimize_prompt_mapper", rows, max_example_num=2, prompt_template="({})", example_template="{}")
    assert [row["prompt"] for row in data.to_list()] == ["old", "new 0", "new 1", "new 2"]
    assert all(row["id"] == 1 for row in data.to_list())
    shown = [[part in asked.prompt for part in ("(old)", "(new 0)", "(new 1)")] for asked in server.requests]
    assert shown == [[True, False, False], [True, True, False], [False, True, True]]


def test_new_prompts_take_the_place_of_their_row(server: Server) -> None:
    server.respond = _numbered
    params = {"keep_original_sample": False, "gen_num": 1, "prompt_key": "ask.this"}
    rows = [{"ask": {"this": "old", "b": 1}}]
    assert _run("optimize_prompt_mapper", rows, **params).to_list() == [{"ask": {"this": "new 0", "b": 1}}]
    server.respond = lambda asked: completion("none")
    assert _run("optimize_prompt_mapper", [{"ask": {"this": "x"}}], **params).to_list() == []


def test_each_attempt_at_a_prompt_asks_anew(server: Server) -> None:
    """Also where nothing came of the one before, so that the question is the same and the cache knows its answer."""
    server.respond = lambda asked: completion("【提示词】late" if asked.number == 4 else "none")
    data = _run("optimize_prompt_mapper", [{"prompt": "p"}], gen_num=2)
    assert [row["prompt"] for row in data.to_list()] == ["p", "late"]
    assert server.count == 5


def test_rows_without_a_prompt_stay(server: Server) -> None:
    server.respond = _numbered
    rows: list[dict[str, Any]] = [{"id": 1}, {"prompt": None}, {"prompt": ""}, {"prompt": 5}, {"prompt": "p", "id": 5}]
    data = _run("optimize_prompt_mapper", rows, keep_original_sample=False, gen_num=1)
    assert data.to_list() == [*rows[:3], {"prompt": "new 0", "id": 5}]
    assert "field 'prompt' must be a string, got integer" in data.rejected[0].reason


def test_new_prompts_do_not_depend_on_the_rows_beside(server: Server) -> None:
    server.respond = lambda asked: completion(f"【提示词】{len(asked.prompt)}")
    rows = [{"prompt": "x" * size} for size in range(1, 9)]
    together = _run("optimize_prompt_mapper", rows).to_list()
    assert together == [row for one in rows for row in _run("optimize_prompt_mapper", [one]).to_list()]


def test_too_many_questions_for_a_row_are_refused(server: Server) -> None:
    with pytest.raises(RecipeError, match="gen_num times retry_num must be at most 1000, got 1500"):
        _run("optimize_prompt_mapper", [{"prompt": "p"}], gen_num=500).to_list()


def test_pairs_after_markers_are_those_of_the_pattern() -> None:
    """The pattern that Data-Juicer documents, against what looks for markers only."""
    import itertools
    import re

    pattern = re.compile(r".*?【问题】\s*(.*?)\s*【回答】\s*(.*)", re.DOTALL)
    for parts in itertools.product(("", " \n", "a", "【问题】", "【回答】"), repeat=5):
        said = "".join(parts)
        found = pattern.match(said)
        expected = (found[1].strip(), found[2].strip()) if found else None
        assert pair_after(said, "【问题】", "【回答】") == expected, json.dumps(said, ensure_ascii=False)
