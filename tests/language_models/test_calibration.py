"""Questions and answers corrected by a model, against the local server."""

from __future__ import annotations

from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError
from tests.llm.server import Asked, Said, Server, completion, refusal

ROW = {"text": "Water boils at 100 °C.", "query": "When does it boil?", "response": "At 90."}


def _run(op: str, rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{op: params}]))


def test_a_pair_is_corrected_and_the_first_line_of_the_answer_counts(server: Server) -> None:
    server.respond = lambda asked: completion("【问题】 Q?\n【回答】\n At 100.\nMore.")
    assert _run("calibrate_qa_mapper", [ROW]).to_list() == [{**ROW, "query": "Q?", "response": "At 100."}]
    system, user = server.requests[0].body["messages"]
    assert system["role"] == "system"
    for part in ROW.values():
        assert part in user["content"]


@pytest.mark.parametrize(("op", "key"), [("calibrate_query_mapper", "query"), ("calibrate_response_mapper", "response")])
def test_one_part_is_the_whole_answer(server: Server, op: str, key: str) -> None:
    server.respond = lambda asked: completion("\n better \n")
    assert _run(op, [ROW]).to_list() == [{**ROW, key: "better"}]


def test_unusable_answers_are_asked_for_again_and_leave_the_row_in_the_end(server: Server) -> None:
    server.respond = lambda asked: completion("【问题】Q【回答】A" if asked.number == 2 else "no")
    assert _run("calibrate_qa_mapper", [ROW]).to_list() == [{**ROW, "query": "Q", "response": "A"}]
    assert server.count == 3
    server.respond = lambda asked: completion("no")
    assert _run("calibrate_qa_mapper", [{**ROW, "text": "other"}], try_num=2).to_list() == [{**ROW, "text": "other"}]


def test_a_row_without_an_answer_is_set_aside_alone(server: Server) -> None:
    def respond(asked: Asked) -> Said:
        return refusal(400, "too long") if "bad" in asked.prompt else completion("fine")

    server.respond = respond
    data = _run("calibrate_response_mapper", [{**ROW, "text": text} for text in ("a", "bad", "c")])
    assert [row["text"] for row in data.to_list()] == ["a", "c"]
    assert [bad.row["text"] for bad in data.rejected] == ["bad"]


def test_missing_fields_are_empty_and_wrong_ones_are_bad_rows(server: Server) -> None:
    server.respond = lambda asked: completion("fine")
    data = _run("calibrate_response_mapper", [{"text": "a"}, {"text": "b", "query": 5}])
    assert data.to_list() == [{"text": "a", "response": "fine"}]
    assert "the field must be a string, got integer" in data.rejected[0].reason


def test_templates_and_patterns_of_the_user(server: Server) -> None:
    server.respond = lambda asked: completion("Q: a A: b")
    params = {"system_prompt": "S", "input_template": "{reference}|{qa_pair}", "qa_pair_template": "{query}-{response}"}
    data = _run("calibrate_qa_mapper", [ROW], output_pattern="Q: (.*) A: (.*)", reference_template="{text}", **params)
    assert data.to_list() == [{**ROW, "query": "a", "response": "b"}]
    system, user = (message["content"] for message in server.requests[0].body["messages"])
    assert (system, user) == ("S", "Water boils at 100 °C.|When does it boil?-At 90.")
    with pytest.raises(RecipeError, match="must be a valid regular expression"):
        _run("calibrate_qa_mapper", [ROW], output_pattern="(").to_list()
