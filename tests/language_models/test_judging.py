"""Dialogues and the work of agents judged by a model, against the local server."""

from __future__ import annotations

import json
from typing import Any

import pytest

import djfast
from tests.llm.server import Asked, Said, Server, completion, refusal

DIALOG_JUDGES = (
    "dialog_memory_consistency",
    "dialog_coreference",
    "dialog_topic_shift",
    "dialog_error_recovery",
    "dialog_clarification_quality",
    "dialog_proactivity",
    "dialog_non_repetition",
)
KINDS = {
    **dict.fromkeys(DIALOG_JUDGES, "dialog_turn"),
    "agent_trace_coherence": "agent_trace",
    "agent_tool_relevance": "agent_tool",
}
ROW = {"text": "did it", "dialog_history": [["a1", "b1"], ["a2", "b2"]], "query": "a3", "response": "b3"}
GOOD = '{"score": 4, "reason": "fine"}'


def _run(op: str, rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{op: params}]))


def _tags(data: djfast.Dataset) -> list[dict[str, Any]]:
    return [row["__dj__meta__"] for row in data.to_list(stats=True)]


def _judgement(said: str, server: Server, row: dict[str, Any] = ROW, **params: Any) -> Any:
    server.respond = lambda asked: completion(said)
    [tags] = _tags(_run("dialog_coreference_mapper", [row], **params))
    return tags["dialog_coreference"]


@pytest.mark.parametrize("tag", sorted(KINDS))
def test_a_judgement_has_score_reason_and_kind(server: Server, tag: str) -> None:
    server.respond = lambda asked: completion(f"So:\n```json\n{GOOD}\n```")
    data = _run(f"{tag}_mapper", [ROW])
    assert _tags(data) == [{tag: {"score": 4.0, "reason": "fine", "eval_kind": KINDS[tag]}}]
    body = server.requests[0].body
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("qwen-turbo", 384, 0.2)


def test_each_judge_asks_something_else(server: Server) -> None:
    server.respond = lambda asked: completion(GOOD)
    for tag in KINDS:
        _run(f"{tag}_mapper", [ROW]).to_list()
    assert len({asked.body["messages"][0]["content"] for asked in server.requests}) == len(KINDS)


@pytest.mark.parametrize(
    ("said", "score", "reason"),
    [
        ('{"score": 9, "reason": 3}', 5.0, "3"),
        ('{"score": 0.2, "reason": null}', 1.0, ""),
        ('{"score": "4.5"}', 4.5, ""),
        ('{"score": 2, "reason": "' + "x" * 3000 + '"}', 2.0, "x" * 2000),
        ('{"score": 2, "reason": "no brace"', 2.0, "no brace"),
        ('{"score": "4/5"}', 4.0, ""),
        ('{"score": "4 out of 5"}', 4.0, ""),
        ('{"score": "8/10"}', 4.0, ""),
        ('{"score": {"value": 3}, "reason": "x"}', 3.0, "x"),
        ('{"score": 2} or rather {"score": 3, "reason": "x"}, see {"note": 1}', 3.0, "x"),
    ],
)
def test_scores_and_reasons_are_held_to_their_limits(server: Server, said: str, score: float, reason: str) -> None:
    assert _judgement(said, server) == {"score": score, "reason": reason, "eval_kind": "dialog_turn"}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("nothing", {"error": "json_parse_failed", "raw": "nothing"}),
        ("z" * 5000, {"error": "json_parse_failed", "raw": "z" * 2000}),
        (" ", {"error": "empty_llm_response"}),
        ('{"reason": "x"}', {"error": "bad_score", "score": None, "reason": "x", "eval_kind": "dialog_turn"}),
        ('{"score": true}', {"error": "bad_score", "score": None, "reason": "", "eval_kind": "dialog_turn"}),
        ('{"score": "nan"}', {"error": "bad_score", "score": None, "reason": "", "eval_kind": "dialog_turn"}),
        ('{"score": 1' + "0" * 400 + "}", {"error": "bad_score", "score": None, "reason": "", "eval_kind": "dialog_turn"}),
    ],
)
def test_unusable_answers_are_asked_for_again_and_told_in_the_end(server: Server, said: str, error: Any) -> None:
    assert _judgement(said, server) == error
    assert server.count == 2
    server.respond = lambda asked: completion(GOOD if asked.number == 3 else said)
    [tags] = _tags(_run("dialog_coreference_mapper", [{"query": "other"}]))
    assert tags["dialog_coreference"]["score"] == 4.0


@pytest.mark.parametrize(
    ("tag", "row"),
    [
        ("dialog_coreference", {"text": "only"}),
        ("dialog_coreference", {"query": "", "response": "", "dialog_history": [[" ", None]]}),
        ("agent_trace_coherence", {"text": " \n"}),
        ("agent_tool_relevance", {"query": None, "__dj__meta__": {"agent_tool_types": ["", None]}}),
    ],
)
def test_where_nothing_is_to_be_read_nothing_is_asked(server: Server, tag: str, row: dict[str, Any]) -> None:
    [tags] = _tags(_run(f"{tag}_mapper", [row]))
    assert tags[tag] == {"skipped": True, "reason": "empty_input"}
    assert server.count == 0


def test_the_last_turns_are_shown_and_long_texts_cut(server: Server) -> None:
    row = {**ROW, "query": "q" * 9, "response": "{r}" * 9}
    _judgement(GOOD, server, row, max_round=2, max_query_chars_for_prompt=4, max_response_chars_for_prompt=6)
    prompt = server.requests[0].prompt
    assert "a1" not in prompt
    for part in ("User: a2\nAssistant: b2", "User: qqqq……\nAssistant: {r}{r}……"):
        assert part in prompt


def test_a_trace_is_the_text_of_the_op(server: Server) -> None:
    server.respond = lambda asked: completion(GOOD)
    _run("agent_trace_coherence_mapper", [{**ROW, "log": "abcdef"}], text_key="log", trajectory_text_max_chars=3).to_list()
    assert server.requests[0].prompt.endswith("\nabc……")


def test_tools_are_named(server: Server) -> None:
    server.respond = lambda asked: completion(GOOD)
    tags = {"agent_tool_types": [f"tool {number % 40}" for number in range(80)], "main": "tool 0"}
    _run("agent_tool_relevance_mapper", [{"query": "q", "__dj__meta__": tags}], primary_tool_key="main").to_list()
    prompt = server.requests[0].prompt
    assert "tool 0, tool 1, " in prompt
    assert "tool 29\n\n## Tool that was called most\ntool 0" in prompt


def test_a_judgement_stands_unless_it_shall_be_replaced(server: Server) -> None:
    before = {"dialog_coreference": {"score": 1, "reason": "old"}, "other": 1.50}
    assert _judgement(GOOD, server, {**ROW, "__dj__meta__": before}) == before["dialog_coreference"]
    assert server.count == 0
    assert _judgement(GOOD, server, {**ROW, "__dj__meta__": before}, overwrite=True)["reason"] == "fine"
    assert server.count == 1


def test_a_judgement_of_the_same_recipe_is_replaced(server: Server) -> None:
    server.respond = lambda asked: completion(json.dumps({"score": asked.number + 1}))
    ops = [{"dialog_coreference_mapper": {"max_round": rounds, "overwrite": rounds == 2}} for rounds in (1, 2)]
    [tags] = _tags(djfast.Dataset.from_list([ROW]).process(djfast.load_ops(ops)))
    assert tags["dialog_coreference"]["score"] == 2.0


def test_settings_of_the_user_are_added(server: Server) -> None:
    _judgement(GOOD, server, sampling_params={"temperature": 1.0, "top_p": 0.5}, preferred_output_lang="zh")
    body = server.requests[0].body
    assert (body["max_tokens"], body["temperature"], body["top_p"]) == (384, 1.0, 0.5)
    assert "请用中文" in body["messages"][0]["content"]


def test_rows_that_are_wrong_or_get_no_answer_are_set_aside_alone(server: Server) -> None:
    def respond(asked: Asked) -> Said:
        return refusal(400) if "bad" in asked.prompt else completion(GOOD)

    server.respond = respond
    rows = [{"query": "bad"}, {"query": "q", "dialog_history": [["a"]]}, {"query": 1}, {"query": "fine"}]
    data = _run("dialog_coreference_mapper", rows)
    assert data.to_list() == [{"query": "fine"}]
    assert len(data.rejected) == 3


INSIGHT = {"headline": "It gave up.", "root_causes": []}


def test_an_insight_reads_what_other_ops_found(server: Server) -> None:
    server.respond = lambda asked: completion(json.dumps(INSIGHT))
    row = {
        "query": "q" * 600,
        "response": None,
        "__dj__stats__": {"llm_quality_score": 0.25, "other": 77},
        "__dj__meta__": {"agent_bad_case_tier": "watchlist", "agent_tool_types": ["grep"], "tool_results": ["x" * 9000]},
    }
    [tags] = _tags(_run("agent_insight_llm_mapper", [row], system_prompt="S {x}"))
    assert tags["agent_insight_llm"] == INSIGHT
    assert tags["agent_insight_llm_raw"] == json.dumps(INSIGHT)
    assert tags["agent_pipeline_output_lang"] == "en"
    assert server.requests[0].body["messages"][0]["content"].startswith("S {x}\n\n")
    evidence = json.loads(server.requests[0].prompt)
    assert evidence["llm_quality_score"] == 0.25
    assert evidence["agent_tool_types"] == ["grep"]
    assert evidence["perplexity"] is None
    assert evidence["query_preview"] == "q" * 500 + "……"
    assert evidence["response_preview"] == ""
    assert len(server.requests[0].prompt) < 5000


def test_an_insight_reads_what_the_recipe_found_before_it(server: Server) -> None:
    server.respond = lambda asked: completion(GOOD if asked.number == 0 else json.dumps(INSIGHT))
    ops = ["dialog_coreference_mapper", {"text_length_filter": {"min_len": 1}}, "agent_insight_llm_mapper"]
    djfast.Dataset.from_list([ROW]).process(djfast.load_ops(ops)).to_list()
    evidence = json.loads(server.requests[1].prompt)
    assert evidence["text_len"] == 6
    assert evidence["dialog_coreference"]["score"] == 4.0


def test_only_the_wanted_tiers_are_asked_about(server: Server) -> None:
    server.respond = lambda asked: completion(json.dumps(INSIGHT))
    rows = [{"query": "q", "__dj__meta__": {"agent_bad_case_tier": tier}} for tier in ("watchlist", "none", None)]
    data = _run("agent_insight_llm_mapper", [*rows, {"query": "q"}], run_for_tiers=["watchlist"])
    assert ["agent_insight_llm" in row.get("__dj__meta__", {}) for row in data.to_list(stats=True)] == [True, False, False, False]
    assert server.count == 1


def test_an_insight_that_cannot_be_read_is_told(server: Server) -> None:
    server.respond = lambda asked: completion("no JSON " * 2000)
    [tags] = _tags(_run("agent_insight_llm_mapper", [{"query": "q"}]))
    assert tags["agent_insight_llm"]["human_review_priority"] == "P2"
    assert tags["agent_insight_llm"]["root_causes"] == []
    assert tags["agent_insight_llm_raw"] == ("no JSON " * 2000)[:8000]
    assert server.count == 2


def test_an_insight_stands(server: Server) -> None:
    [tags] = _tags(_run("agent_insight_llm_mapper", [{"query": "q", "__dj__meta__": {"agent_insight_llm": {}}}]))
    assert tags == {"agent_insight_llm": {}}
    assert server.count == 0


def test_a_very_long_piece_of_evidence_is_cut(server: Server) -> None:
    server.respond = lambda asked: completion(json.dumps(INSIGHT))
    signals = [{"code": "x" * 5000}]
    _run("agent_insight_llm_mapper", [{"query": "q", "__dj__meta__": {"agent_bad_case_signals": signals}}]).to_list()
    assert len(json.loads(server.requests[0].prompt)["agent_bad_case_signals"]) == 2002


def _skills(tags: dict[str, Any], **params: Any) -> Any:
    [written] = _tags(_run("agent_skill_insight_mapper", [{"text": "", "__dj__meta__": tags}], **params))
    return written["agent_skill_insights"]


def test_skills_are_phrases_each_once(server: Server) -> None:
    server.respond = lambda asked: completion(" code search,web；文件、 code search ， , x;y\n")
    phrases = _skills({"agent_tool_types": ["grep", " grep"], "agent_skill_types": ["pdf"]})
    assert phrases == ["code search", "web", "文件", "x", "y"]
    assert server.requests[0].prompt == "Tools: grep\nSkills: pdf"


def test_skills_without_names_or_answers_are_empty(server: Server) -> None:
    assert _skills({"agent_tool_types": [""], "agent_skill_types": 5}) == []
    assert server.count == 0
    server.respond = lambda asked: completion(" ,, ")
    assert _skills({"agent_skill_types": ["pdf"]}) == []
    assert server.count == 2


def test_skills_that_are_there_stand(server: Server) -> None:
    assert _skills({"agent_tool_types": ["a"], "agent_skill_insights": ["old"]}) == ["old"]
    assert server.count == 0


def test_a_row_without_the_text_is_skipped(server: Server) -> None:
    for row in ({"query": "q"}, {"text": None}):
        assert _tags(_run("agent_trace_coherence_mapper", [row]))[0]["agent_trace_coherence"]["skipped"] is True
