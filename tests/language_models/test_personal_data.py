"""Personal data found and taken out by a model, against the local server."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

import djfast
from djfast.errors import MissingExtraError, ModelError, RecipeError
from tests.llm.server import Asked, Said, Server, completion, refusal

OP = "pii_llm_suspect_mapper"
CLEAN = '{"suspected": [], "likely_clean": true}'


def _run(rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{OP: params}]))


def _result(data: djfast.Dataset) -> Any:
    [row] = data.to_list(stats=True)
    return row["__dj__meta__"]["pii_llm_suspect"]


def _said(*suspects: dict[str, Any], **more: Any) -> str:
    return json.dumps({"suspected": list(suspects), **more})


def _suspect(field: str, evidence: str) -> dict[str, str]:
    return {"field": field, "category": "phone", "evidence": evidence}


@pytest.mark.parametrize(
    "text",
    ["123456", "a@b", "password: x", "api_key=abc", "Secret sauce", "my token", "t" * 24, "内网地址", "see intranet",
     "密码是", "我叫张三", "联系人：李四", "Mr. Smith said", "My name is Ada", "Dear Anna", "host db.corp x"],
)  # fmt: skip
def test_suspicious_texts_are_asked_about(server: Server, text: str) -> None:
    server.respond = lambda asked: completion(CLEAN)
    result = _result(_run([{"text": text}], inspect_keys=["text"]))
    assert result == {
        "suspected": [],
        "likely_clean": True,
        "fields_inspected": ["text"],
        "redaction_mode": "none",
        "redaction_applied": False,
    }
    assert text in server.requests[0].prompt


@pytest.mark.parametrize("text", ["the weather is fine", "12345", "t" * 23, "localhost:8080", "今天天气很好"])
def test_other_texts_are_not(server: Server, text: str) -> None:
    skipped = {"skipped": True, "reason": "heuristic_gate", "fields_inspected": ["text"], "likely_clean": True}
    assert _result(_run([{"text": text}])) == skipped
    assert server.count == 0
    server.respond = lambda asked: completion(CLEAN)
    assert _result(_run([{"text": text}], gate_mode="always"))["likely_clean"] is True
    assert server.count == 1


def test_cues_of_names_may_be_left_out(server: Server) -> None:
    assert _result(_run([{"text": "我叫张三"}], heuristic_name_rules=False))["skipped"] is True


def test_the_rules_take_time_that_is_linear_in_the_text(server: Server) -> None:
    row = {"text": "a-" + "Dear 12345 mr Mr. _" * 200_000}
    begin = time.perf_counter()
    assert _result(_run([row], max_chars_per_field=10**9))["skipped"] is True
    assert time.perf_counter() - begin < 10


def test_fields_and_messages_are_shown(server: Server) -> None:
    server.respond = lambda asked: completion(CLEAN)
    messages = [
        {"role": "user", "content": "left out"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [{"type": "text", "text": "two"}, "three", {"type": "image", "url": "u"}]},
        {"role": "tool", "content": None},
        "no message",
        {"content": "four"},
    ]
    row = {"text": "a@b.cc", "query": "", "response": ["no text"], "messages": messages}
    result = _result(_run([row], max_messages_for_prompt=5))
    assert result["fields_inspected"] == ["text", "messages_excerpt"]
    prompt = server.requests[0].prompt
    assert prompt == "### field:text\na@b.cc\n\n### field:messages_excerpt\nuser: one\nassistant: two\nthree\n: four"
    body = server.requests[0].body
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("qwen-turbo", 512, 0.1)


def test_only_the_beginning_of_long_texts_is_shown(server: Server) -> None:
    server.respond = lambda asked: completion(CLEAN)
    row = {"text": "a@b" * 9, "messages": [{"role": "user", "content": "m" * 99}]}
    _run([row], max_chars_per_field=4, max_chars_messages_excerpt=8, system_prompt="S {x}").to_list()
    assert server.requests[0].prompt == "### field:text\na@ba\n\n### field:messages_excerpt\nuser: mm"
    assert server.requests[0].body["messages"][0]["content"].startswith("S {x}\n\n")


def test_rows_without_texts_are_skipped(server: Server) -> None:
    result = _result(_run([{"text": " ", "messages": [{"role": "user"}]}]))
    assert result == {"skipped": True, "reason": "no_inspectable_text", "fields_inspected": []}


def test_suspects_are_held_to_their_limits(server: Server) -> None:
    long = {"field": "f" * 99, "category": "c" * 199, "evidence": "e" * 99}
    others = [1, {"field": None, "category": 3}, *[_suspect("text", "x")] * 50]
    server.respond = lambda asked: completion(json.dumps({"suspected": [long, *others]}))
    result = _result(_run([{"text": "a@b"}]))
    assert result["suspected"][0] == {"field": "f" * 64, "category": "c" * 120, "evidence": "e" * 80}
    assert result["suspected"][1] == {"field": "", "category": "3", "evidence": ""}
    assert len(result["suspected"]) == 32
    assert result["likely_clean"] is False


@pytest.mark.parametrize(
    ("said", "is_clean"),
    [('{"suspected": "x"}', True), ("{}", True), ('{"suspected": [], "likely_clean": false}', False),
     ('{"suspected": [{"field": "text"}], "likely_clean": true}', True), ('{"suspected": [{}], "likely_clean": "x"}', False)],
)  # fmt: skip
def test_whether_a_row_is_clean_is_told(server: Server, said: str, is_clean: bool) -> None:
    server.respond = lambda asked: completion(said)
    assert _result(_run([{"text": "a@b"}]))["likely_clean"] is is_clean


def test_unusable_answers_are_asked_for_again_and_kept_in_the_end(server: Server) -> None:
    server.respond = lambda asked: completion("bad" if asked.number != 1 else CLEAN)
    assert _result(_run([{"text": "a@b"}]))["likely_clean"] is True
    assert server.count == 2
    [row] = _run([{"text": "c@d"}]).to_list(stats=True)
    error = {"error": "json_parse_failed", "fields_inspected": ["text"]}
    assert row["__dj__meta__"] == {"pii_llm_suspect": error, "pii_llm_suspect_raw": "bad"}
    server.respond = lambda asked: completion("")
    [row] = _run([{"text": "e@f"}]).to_list(stats=True)
    assert row["__dj__meta__"] == {"pii_llm_suspect": {"error": "empty_llm_response", "fields_inspected": ["text"]}}


ROW = {
    "text": "call 5551234 or 555",
    "query": "call 5551234",
    "response": "ok",
    "messages": [{"role": "user", "content": "5551234"}, {"role": "x", "content": [{"text": "at 5551234", "n": 1}, "5551234"]}],
}


def test_evidence_is_replaced_in_its_field_the_longest_first(server: Server) -> None:
    said = _said(_suspect("text", "555"), _suspect("text", "5551234"), _suspect("query", "5"), _suspect("nowhere", "ok"))
    server.respond = lambda asked: completion(said)
    data = _run([ROW], redaction_mode="evidence", redaction_placeholder=r"[\1 555]")
    assert data.to_list() == [{**ROW, "text": r"call [\1 555] or [\1 555]"}]
    assert _result(data)["redaction_applied"] is True


@pytest.mark.parametrize("field", ["messages", "messages_excerpt"])
def test_evidence_is_replaced_in_all_messages(server: Server, field: str) -> None:
    server.respond = lambda asked: completion(_said(_suspect(field, "5551234")))
    messages = [{"role": "user", "content": "#"}, {"role": "x", "content": [{"text": "at #", "n": 1}, "#"]}]
    data = _run([ROW], redaction_mode="evidence", redaction_placeholder="#", max_messages_for_prompt=1)
    assert data.to_list() == [{**ROW, "messages": messages}]


def test_whole_fields_are_replaced(server: Server) -> None:
    server.respond = lambda asked: completion(_said(_suspect("query", "?"), _suspect("messages", "")))
    placeholder = "[LLM_PII_SUSPECT_REDACTED]"
    messages = [{"role": "user", "content": placeholder}, {"role": "x", "content": [{"text": placeholder, "n": 1}, placeholder]}]
    assert _run([ROW], redaction_mode="whole_field").to_list() == [{**ROW, "query": placeholder, "messages": messages}]


@pytest.mark.parametrize("mode", ["none", "evidence", "whole_field"])
def test_nothing_is_replaced_without_need(server: Server, mode: str) -> None:
    server.respond = lambda asked: completion(CLEAN if mode != "none" else _said(_suspect("text", "5551234")))
    data = _run([ROW], redaction_mode=mode)
    assert data.to_list() == [ROW]
    assert _result(data)["redaction_applied"] is False


def test_the_text_field_of_the_op_is_redacted(server: Server) -> None:
    server.respond = lambda asked: completion(_said(_suspect("text", "a@b.cc")))
    data = _run([{"text": "a@b.cc", "body": "a@b.cc"}], text_key="body", redaction_mode="evidence", redaction_placeholder="#")
    assert data.to_list() == [{"text": "a@b.cc", "body": "#"}]


def test_a_result_stands_unless_it_shall_be_replaced(server: Server) -> None:
    server.respond = lambda asked: completion(_said(_suspect("text", "5551234")))
    row = {**ROW, "__dj__meta__": {"pii_llm_suspect": {"old": 1}}}
    assert _result(_run([row], redaction_mode="evidence")) == {"old": 1}
    assert _run([row], redaction_mode="evidence").to_list() == [ROW]
    assert server.count == 0
    assert _result(_run([row], overwrite=True))["suspected"] == [_suspect("text", "5551234")]


def test_a_row_without_an_answer_is_set_aside_alone(server: Server) -> None:
    def respond(asked: Asked) -> Said:
        return refusal(400) if "bad" in asked.prompt else completion(CLEAN)

    server.respond = respond
    data = _run([{"text": "bad@b"}, {"text": "a@b"}])
    assert data.to_list() == [{"text": "a@b"}]
    assert len(data.rejected) == 1


def test_fields_are_read_once() -> None:
    with pytest.raises(RecipeError, match="must be different fields"):
        djfast.load_ops([{OP: {"inspect_keys": ["a", "a"]}}])
    with pytest.raises(RecipeError, match="must be different fields"):
        djfast.load_ops([{OP: {"inspect_keys": ["messages"]}}])


def test_a_model_of_names_must_be_there(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    pytest.importorskip("spacy")
    with pytest.raises(ModelError, match="spaCy model not found; pip install the package no_such_model"):
        _run([{"text": "a"}], spacy_ner_model="no_such_model").to_list()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="not installed: spacy"):
        _run([{"text": "a"}], spacy_ner_models=["other_model"]).to_list()


def test_a_model_of_names_points_to_rows(server: Server, tmp_path: Any) -> None:
    spacy = pytest.importorskip("spacy")
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Ada"}, {"label": "ORG", "pattern": "Acme"}])
    pipeline.to_disk(tmp_path / "names")
    server.respond = lambda asked: completion(CLEAN)
    rows = [{"text": text} for text in ("so Ada said", "so Acme said", "beyond the limit Ada")]
    data = _run(rows, spacy_ner_model=str(tmp_path / "names"), spacy_ner_max_chars=12)
    skipped = [row["__dj__meta__"]["pii_llm_suspect"].get("skipped", False) for row in data.to_list(stats=True)]
    assert skipped == [False, True, True]


def test_rows_without_a_text_are_read_all_the_same(server: Server) -> None:
    server.respond = lambda asked: completion(_said(_suspect("query", "a@b.cc")))
    data = _run([{"query": "a@b.cc"}, {"text": None, "query": "a@b.cc"}], redaction_mode="evidence", redaction_placeholder="#")
    assert data.to_list() == [{"query": "#"}, {"text": None, "query": "#"}]
