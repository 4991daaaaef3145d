"""What OPs make of answers that are thoughts, cut off, broken or errors: the right value, another try, or a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError, ServerLostError
from tests.llm.server import Said, Server, answer, completion, refusal

META = "__dj__meta__"
QA = {"query": "When?", "response": "Then."}
FORM = {"input_keys": ["text"], "output_schema": {"name": "the person", "age": "in years"}}
MARA = {"name": "Mara", "age": 30}
ATTRIBUTE = {"query_entities": ["a"], "query_attributes": ["b"]}
NOBODY = {"name": None, "age": None}


def _run(op: str, row: dict[str, Any], **params: Any) -> djfast.Dataset:
    return djfast.Dataset.from_list([row]).process(djfast.load_ops([{op: params}]))


def _filled(server: Server, *says: str) -> tuple[dict[str, Any], int]:
    """What a form is filled with after these answers, and how many were asked for."""
    server.respond = lambda asked: completion(says[min(asked.number, len(says) - 1)])
    [row] = _run("llm_extract_mapper", {"text": "t"}, **FORM).to_list(stats=True)
    return row[META]["llm_extract"], server.count


def test_thoughts_go_into_no_field(server: Server) -> None:
    server.respond = lambda asked: completion("<think>Hm, <b>yes</b>?</think>\n\nAt 100 °C.")
    assert _run("optimize_response_mapper", QA, is_hf_model=False).to_list() == [{**QA, "response": "At 100 °C."}]
    server.respond = lambda asked: completion("<think>It says no.</think>\nyes")
    assert len(_run("llm_condition_filter", {"text": "t"}, condition="c").to_list()) == 1
    assert server.count == 2


@pytest.mark.parametrize(
    "flawed", [completion("A better answer that is cut in the mid", ends="length"), completion("<think>I should begin by")]
)
def test_an_answer_that_is_cut_off_is_written_nowhere(server: Server, flawed: Said) -> None:
    server.respond = lambda asked: flawed if asked.number != 2 else completion("whole")
    assert _run("optimize_response_mapper", QA, is_hf_model=False).to_list() == [{**QA, "response": "whole"}]
    assert server.count == 3
    for op, params in (("optimize_response_mapper", {"is_hf_model": False, "system_prompt": "x"}),
                       ("llm_ray_vllm_engine_pipeline", {"is_hf_model": False}),
                       ("llm_extract_mapper", {**FORM, "input_keys": ["query"]}),
                       ("extract_entity_relation_mapper", {"text_key": "query"}),
                       ("extract_entity_attribute_mapper", {**ATTRIBUTE, "text_key": "query"}),
                       ("llm_quality_score_filter", {"input_keys": ["query"]})):  # fmt: skip
        data = _run(op, QA, **params)
        assert data.to_list() == []
        [bad] = data.rejected
        assert "max_tokens in sampling_params" in bad.reason


def test_an_answer_without_a_text_says_what_it_has(server: Server) -> None:
    server.respond = lambda asked: completion(None, reasoning_content="I think", ends="length")
    data = _run("optimize_response_mapper", QA, is_hf_model=False)
    assert data.to_list() == []
    assert "has thoughts (reasoning_content) and no text (finish_reason length)" in data.rejected[0].reason


INNER = '"pet": {"name": "Rex", "age": 4}}'


@pytest.mark.parametrize(
    "said",
    [
        '{"name": "Mara", "age": 30, // in years\n' + INNER,
        '{"name": "Mara", "age": "30", "nick": "the "star" of" it", ' + INNER,
        '{"name": "Mara", "age": NaN, ' + INNER,
        '{"name": "Mara", "age": 2024-1994, ' + INNER,
        '{"name": "Mara", "age": 30 years, ' + INNER,
        '{"name": "Mara", "pets": ["Ada", ...], ' + INNER,
        '{"name": "Mara", "age": <30>, ' + INNER,
        '{"name": "Mara", "age": 30 + 0, "all": [' + INNER + "]}",
    ],
)
def test_an_inner_object_is_not_the_form(server: Server, said: str) -> None:
    filled, count = _filled(server, said)
    assert filled in (MARA, {"name": "Mara", "age": "30"}, NOBODY)
    assert count == (3 if filled == NOBODY else 1)
    assert _filled(server, said, json.dumps(MARA))[0] in (filled, MARA)


@pytest.mark.parametrize(
    "said",
    [
        json.dumps(FORM["output_schema"]) + "\n" + json.dumps(MARA),
        json.dumps(MARA) + "\n\nThe form was: " + json.dumps(FORM["output_schema"]),
        '<think>{"name": "Rex", "age": 4}</think>' + json.dumps(MARA),
        'First {"name": "Rex", "age": 4}, but no:\n```json\n' + json.dumps(MARA) + "\n```",
        json.dumps([MARA]),
        json.dumps(MARA) + ' Note: {"sure": true}',
    ],
)
def test_drafts_and_the_repeated_form_are_not_the_answer(server: Server, said: str) -> None:
    assert _filled(server, said) == (MARA, 1)


@pytest.mark.parametrize(
    "said",
    ['{"name": "Mar', '{"name": "Mar\\u00', '{"name": "Mara", "age": 3', '{"name": "Mara", "bio": "She was born in Port El'],
)
def test_a_form_that_is_cut_off_is_asked_for_again(server: Server, said: str) -> None:
    assert _filled(server, said, said, json.dumps(MARA)) == (MARA, 3)


def test_two_filled_forms_are_none(server: Server) -> None:
    assert _filled(server, json.dumps(MARA) + "\n" + json.dumps({"name": "Rex", "age": 4}), json.dumps(MARA)) == (MARA, 2)


def test_a_form_that_is_never_right_is_empty(server: Server) -> None:
    assert _filled(server, '{"name": "Mar') == (NOBODY, 3)


def test_the_repeated_form_alone_is_asked_for_again(server: Server) -> None:
    assert _filled(server, json.dumps(FORM["output_schema"])) == (NOBODY, 3)


def test_an_error_in_an_answer_is_tried_again(server: Server) -> None:
    error = answer({"error": {"message": "Provider returned error: rate limited", "code": 429}})
    server.respond = lambda asked: error if not asked.number else completion(json.dumps(MARA))
    [row] = _run("llm_extract_mapper", {"text": "t"}, **FORM).to_list(stats=True)
    assert row[META]["llm_extract"] == MARA


def test_what_could_not_be_used_is_in_the_record_of_the_run(server: Server, tmp_path: Path) -> None:
    said = [completion("{", ends="stop"), completion('{"name": "Mara"', ends="length"), completion(json.dumps(MARA))]
    server.respond = lambda asked: said[asked.number]
    (tmp_path / "in.jsonl").write_text('{"text": "t"}\n')
    export = tmp_path / "out" / "out.jsonl"
    report = djfast.run(
        {"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(export), "process": [{"llm_extract_mapper": FORM}]}
    )
    usage = (report.language_models or {})["llm_extract_mapper"]
    assert (usage.requests, usage.unusable, usage.incomplete) == (3, 2, 1)


def test_a_time_limit_and_retries_are_taken_as_the_peers_client_takes_them(server: Server) -> None:
    server.respond = lambda asked: completion("yes")._replace(seconds=3 if not asked.number else 0)
    params = {"timeout": 0.3, "max_retries": 1}
    assert len(_run("llm_condition_filter", {"text": "t"}, condition="c", model_params=params).to_list()) == 1
    assert server.count == 2
    server.respond = lambda asked: refusal(500)
    data = _run("llm_condition_filter", {"text": "u"}, condition="c", model_params={"max_retries": 0})
    assert data.to_list() == []
    assert server.count == 3


@pytest.mark.parametrize(
    "params", [{"timeout": 0}, {"timeout": "10"}, {"timeout": True}, {"max_retries": -1}, {"max_retries": 1.5}]
)
def test_a_time_limit_and_retries_must_be_numbers(server: Server, params: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=rf"llm_condition_filter: model_params\.{next(iter(params))} must be"):
        _run("llm_condition_filter", {"text": "t"}, condition="c", model_params=params).to_list()


def test_without_a_name_the_first_model_of_the_server_is_asked(server: Server) -> None:
    models = answer({"object": "list", "data": [{"id": "first"}, {"id": "second"}]})
    server.respond = lambda asked: models if asked.path == "/v1/models" else completion("yes")
    params = {"condition": "c", "api_or_hf_model": None}
    assert len(_run("llm_condition_filter", {"text": "t"}, **params).to_list()) == 1
    assert [(asked.path, asked.body.get("model")) for asked in server.requests] == [
        ("/v1/models", None),
        ("/v1/chat/completions", "first"),
    ]
    assert "Authorization" in server.requests[0].headers
    server.respond = lambda asked: answer({"data": []}) if asked.path == "/v1/models" else completion("yes")
    with pytest.raises(ServerLostError, match=r"no model is named, .*/models lists none"):
        _run("llm_condition_filter", {"text": "u"}, **params).to_list()
    with pytest.raises(RecipeError, match="a model in the process must be named, got null"):
        _run("llm_condition_filter", {"text": "u"}, **params, is_hf_model=True).to_list()
