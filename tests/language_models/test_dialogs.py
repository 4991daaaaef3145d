"""Turns of dialogues labelled by a model, against the local server."""

from __future__ import annotations

import json
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError
from djfast.functions.dialog_turns import Turn, turns_in
from tests.llm.server import Asked, Said, Server, completion, refusal

MARKERS = {
    "intent": ("意图分析：", "意图类别："),
    "topic": ("话题分析：", "话题类别："),
    "sentiment": ("情感分析：", "情感类别："),
}
ROW = {"history": [["one", "uno"], ["two", "due"]], "query": "three", "response": "tre"}


def _run(kind: str, rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    name = f"dialog_{kind}_detection_mapper" if kind in MARKERS else "dialog_sentiment_intensity_mapper"
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{name: params}]))


def _tags(data: djfast.Dataset) -> list[dict[str, Any]]:
    return [row["__dj__meta__"] for row in data.to_list(stats=True)]


def _last_line(asked: Asked) -> str:
    return asked.prompt.splitlines()[-1]


@pytest.mark.parametrize("kind", sorted(MARKERS))
def test_each_turn_is_labelled_and_equal_labels_are_listed_once(server: Server, kind: str) -> None:
    analysis, label = MARKERS[kind]

    def respond(asked: Asked) -> Said:
        said = _last_line(asked).removeprefix("用户：")
        return completion(f"{analysis}about {said}\n\n{label}{'B' if said == 'two' else 'A、C'}\nmore")

    server.respond = respond
    data = _run(kind, [ROW])
    assert data.to_list() == [ROW]
    expected = {
        f"dialog_{kind}_labels": ["A、C", "B"],
        f"dialog_{kind}_labels_analysis": ["about one", "about two", "about three"],
    }
    assert _tags(data) == [expected]


def test_the_model_sees_the_earlier_turns_and_what_it_said(server: Server) -> None:
    server.respond = lambda asked: completion("意图分析：why\n意图类别：what")
    _run("intent", [ROW], intent_candidates=["a", "{b}"], max_round=1).to_list()
    prompts = {_last_line(asked): asked.prompt for asked in server.requests}
    assert prompts["用户：one"] == "备选意图类别：a,{b}\n用户：one"
    last = ["备选意图类别：a,{b}", "用户：two", "意图分析：why", "意图类别：what", "LLM：due", "用户：three"]
    assert prompts["用户：three"].splitlines() == last


@pytest.mark.parametrize("max_round", [0, 1, 5])
def test_only_the_last_turns_are_remembered(server: Server, max_round: int) -> None:
    server.respond = lambda asked: completion("意图分析：why\n意图类别：what")
    _run("intent", [ROW], max_round=max_round).to_list()
    assert len(server.requests[-1].prompt.splitlines()) == 1 + 4 * min(max_round, 2)


def test_templates_and_patterns_of_the_user(server: Server) -> None:
    server.respond = lambda asked: completion("W(x) L(y)")
    templates = {
        "system_prompt": 'S {"a": 1}',
        "query_template": "Q{query}\n",
        "response_template": "R{}",
        "candidate_template": "C{candidate_str}",
        "analysis_template": "A{analysis}",
        "labels_template": "L{labels}",
    }
    patterns = {"analysis_pattern": r"W\((.*?)\)", "labels_pattern": r"L\((.*?)\)"}
    row = {"history": [["one", "uno"]], "query": "two"}
    data = _run("intent", [row], intent_candidates=["a"], **templates, **patterns)
    assert _tags(data) == [{"dialog_intent_labels": ["y"], "dialog_intent_labels_analysis": ["x", "x"]}]
    system, user = (message["content"] for message in server.requests[1].body["messages"])
    assert system.startswith('S {"a": 1}\n\n')
    assert user == "Ca\nQone\nAx\nLy\nRuno\nQtwo"


def test_the_intensity_has_a_template_and_a_pattern(server: Server) -> None:
    server.respond = lambda asked: completion("W(x) N(-2)")
    patterns = {"analysis_pattern": r"W\((.*?)\)", "intensity_pattern": r"N\((.*?)\)"}
    data = _run("intensity", [{**ROW, "history": [["a", "b"]]}], intensity_template="I{intensity}", **patterns)
    assert _tags(data)[0]["dialog_sentiment_intensity"] == [-2, -2]
    assert "I-2" in server.requests[1].prompt.splitlines()


def test_patterns_are_named_where_they_are_wrong(server: Server) -> None:
    with pytest.raises(RecipeError, match="dialog_intent_detection_mapper: labels_pattern must have 1 groups, got 'x'"):
        _run("intent", [ROW], labels_pattern="x").to_list()
    with pytest.raises(RecipeError, match="intensity_pattern must be a valid regular expression"):
        _run("intensity", [ROW], intensity_pattern="(").to_list()


def test_unusable_answers_are_asked_for_again(server: Server) -> None:
    server.respond = lambda asked: completion("意图分析：w\n意图类别：l" if asked.number == 2 else "意图类别：late")
    assert _tags(_run("intent", [{"query": "q"}])) == [{"dialog_intent_labels": ["l"], "dialog_intent_labels_analysis": ["w"]}]
    tags = {"dialog_intent_labels": ["late"], "dialog_intent_labels_analysis": [""]}
    assert _tags(_run("intent", [{"query": "r"}], try_num=2)) == [tags]
    assert server.count == 5


@pytest.mark.parametrize(("said", "number"), [("-3", -3), ("+4 ", 4), ("8", 8), ("two", 0), ("", 0), ("1.5", 0), ("9" * 99, 0)])
def test_intensities_are_whole_numbers(server: Server, said: str, number: int) -> None:
    server.respond = lambda asked: completion(f"情绪分析：w\n情绪值：{said}")
    tags = {"dialog_sentiment_intensity": [number], "dialog_sentiment_intensity_analysis": ["w"]}
    assert _tags(_run("intensity", [{"query": "q"}], try_num=2)) == [tags]


def test_a_turn_is_not_given_the_answer_of_the_one_before(server: Server) -> None:
    server.respond = lambda asked: completion("情绪分析：w\n情绪值：3" if _last_line(asked) == "用户：one" else "no")
    assert _tags(_run("intensity", [ROW]))[0]["dialog_sentiment_intensity"] == [3, 0, 0]


def test_a_row_with_both_tags_is_not_asked_about(server: Server) -> None:
    server.respond = lambda asked: completion("意图分析：w\n意图类别：l")
    labels, analysis = {"dialog_intent_labels": ["x"]}, {"dialog_intent_labels_analysis": ["y"]}
    assert _tags(_run("intent", [{**ROW, "__dj__meta__": {**labels, **analysis}}])) == [{**labels, **analysis}]
    assert server.count == 0
    assert _tags(_run("intent", [{"query": "q", "__dj__meta__": labels}])) == [{**labels, "dialog_intent_labels_analysis": ["w"]}]


def test_long_texts_are_cut(server: Server) -> None:
    server.respond = lambda asked: completion("意图分析：w\n意图类别：l")
    row = {"history": [["abcdef", "uvwxyz"]], "query": "ghijkl"}
    _run("intent", [row], max_query_chars_for_prompt=3, max_response_chars_for_prompt=2).to_list()
    lines = server.requests[1].prompt.splitlines()
    assert (lines[0], lines[3], lines[4]) == ("用户：abc……", "LLM：uv……", "用户：ghi……")


def test_the_language_of_reasons_is_named(server: Server) -> None:
    server.respond = lambda asked: completion("意图分析：w\n意图类别：l")
    _run("intent", [{"query": "q"}], preferred_output_lang="en").to_list()
    assert "in English" in server.requests[0].body["messages"][0]["content"]


def test_rows_without_turns_get_empty_lists(server: Server) -> None:
    empty = {"dialog_topic_labels": [], "dialog_topic_labels_analysis": []}
    assert _tags(_run("topic", [{"text": "x"}, {"query": "", "history": None}])) == [empty, empty]
    assert server.count == 0


@pytest.mark.parametrize(
    "wrong", [{"history": "x"}, {"history": [["a"]]}, {"history": [["a", 1]]}, {"query": 5}, {"response": []}]
)
def test_rows_with_other_types_are_set_aside_alone(server: Server, wrong: dict[str, Any]) -> None:
    server.respond = lambda asked: completion("意图分析：w\n意图类别：l")
    data = _run("intent", [{"query": "q", **wrong}, {"query": "q"}])
    assert data.to_list() == [{"query": "q"}]
    assert "must be" in data.rejected[0].reason


def test_a_row_without_an_answer_is_set_aside_alone(server: Server) -> None:
    def respond(asked: Asked) -> Said:
        return refusal(400) if "two" in asked.prompt else completion("意图分析：w\n意图类别：l")

    server.respond = respond
    data = _run("intent", [ROW, {"query": "q"}])
    assert data.to_list() == [{"query": "q"}]
    assert len(data.rejected) == 1


@pytest.mark.parametrize(
    ("history", "query", "response", "turns"),
    [
        ([["a", "b"]], "a", "b", [("a", "b")]),
        ([["a", "b"]], "a", "c", [("a", "c")]),
        ([["a", "b"]], "c", None, [("a", "b"), ("c", "")]),
        ([["a", None]], "", "left out", [("a", "")]),
        (None, "c", "d", [("c", "d")]),
    ],
)
def test_a_turn_is_counted_once(history: Any, query: str, response: Any, turns: list[tuple[str, str]]) -> None:
    assert turns_in(json.dumps(history), json.dumps(query), json.dumps(response)) == [Turn(*turn) for turn in turns]
