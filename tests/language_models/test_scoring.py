"""Filters by scores and conditions, against the local server."""

from __future__ import annotations

import json
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError
from tests.llm.server import Asked, Said, Server, completion, refusal

DIMENSIONS = {
    "llm_analysis": ("clarity", "relevance", "usefulness", "fluency"),
    "llm_quality": ("accuracy", "grammar", "informativeness", "coherence"),
    "llm_difficulty": ("linguistic_complexity", "conceptual_depth", "prior_knowledge", "step_complexity", "ambiguity"),
}
OPS = {
    "llm_analysis": "llm_analysis_filter",
    "llm_quality": "llm_quality_score_filter",
    "llm_difficulty": "llm_difficulty_score_filter",
}
KINDS = sorted(OPS)


def _run(op: str, rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{op: params}]))


def _stats(data: djfast.Dataset) -> list[dict[str, Any]]:
    return [row["__dj__stats__"] for row in data.to_list(stats=True)]


def _scores(kind: str, score: Any = 4, **more: Any) -> str:
    return json.dumps({"dimension_scores": dict.fromkeys(DIMENSIONS[kind], score), **more}, ensure_ascii=False)


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_is_the_mean_of_the_dimensions(server: Server, kind: str) -> None:
    said = _scores(kind, tags={"a": "é"}, recommendation="keep")
    server.respond = lambda asked: completion(f"Here:\n```json\n{said}\n```")
    [stats] = _stats(_run(OPS[kind], [{"text": "x"}]))
    assert stats[f"{kind}_score"] == 0.8
    assert json.loads(stats[f"{kind}_tags"]) == {"a": "é"}
    record = json.loads(stats[f"{kind}_record"])
    assert record["dimension_scores"] == dict.fromkeys(DIMENSIONS[kind], 4)
    assert record["recommendation"] == ["keep"]
    assert server.count == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", ["bad", "", '{"dimension_scores": 5}', '{"dimension_scores": {"clarity": 5}}', "[1]"])
def test_only_an_analysis_that_fails_keeps_its_row(server: Server, kind: str, said: str) -> None:
    server.respond = lambda asked: completion(said)
    data = _run(OPS[kind], [{"text": "x"}])
    if kind == "llm_analysis":
        assert _stats(data) == [{f"{kind}_score": 0.0, f"{kind}_record": "", f"{kind}_tags": ""}]
    else:
        assert data.to_list() == []
    assert server.count == 3
    assert data.rejected == []


@pytest.mark.parametrize("score", ["three", "", None, True, 1e9, [1], {}, "4-5", "1e9"])
def test_scores_that_are_no_numbers_are_asked_for_again(server: Server, score: Any) -> None:
    server.respond = lambda asked: completion(_scores("llm_quality", score if asked.number < 2 else 5))
    assert _stats(_run("llm_quality_score_filter", [{"text": "x"}]))[0]["llm_quality_score"] == 1.0
    assert server.count == 3


@pytest.mark.parametrize("said", ['{"topic": "cooking"}', '{"dimension_scores": {}}', '{"dimension_scores": null}'])
def test_an_answer_without_scores_is_asked_for_again(server: Server, said: str) -> None:
    server.respond = lambda asked: completion(said if asked.number < 2 else _scores("llm_analysis"))
    [stats] = _stats(_run("llm_analysis_filter", [{"text": "x"}]))
    assert stats["llm_analysis_score"] == 0.8
    assert server.count == 3


@pytest.mark.parametrize("score", ["4", "4/5", "4 / 5", "8/10", "4 out of 5", "**4**", "4分", "4 (good)", {"score": 4, "a": 1}])
def test_scores_are_read_in_their_usual_shapes(server: Server, score: Any) -> None:
    server.respond = lambda asked: completion(_scores("llm_quality", score))
    assert _stats(_run("llm_quality_score_filter", [{"text": "x"}]))[0]["llm_quality_score"] == 0.8
    assert server.count == 1


@pytest.mark.parametrize(
    "said",
    [
        '{"clarity": 4, "relevance": 4, "usefulness": 4, "fluency": 4}',
        '[{"dimension_scores": {"clarity": 4, "relevance": 4, "usefulness": 4, "fluency": 4}}]',
        '{"dimension_scores": {"Clarity": 4, "RELEVANCE": 4, "usefulness ": 4, "fluency": 4}}',
        json.dumps({"dimension_scores": [{"dimension": name, "score": 4} for name in DIMENSIONS["llm_analysis"]]}),
        '{“dimension_scores”: {“clarity”: 4, “relevance”: 4, “usefulness”: 4, “fluency”: 4}}',
        '{"dimension_scores": {"clarity": 4, "relevance": 4, "usefulness": 4, "fluency": 4}} Note: {"a": 1}',
    ],
)
def test_records_are_read_in_their_usual_shapes(server: Server, said: str) -> None:
    server.respond = lambda asked: completion(said)
    assert _stats(_run("llm_analysis_filter", [{"text": "x"}]))[0]["llm_analysis_score"] == 0.8
    assert server.count == 1


def test_an_answer_may_be_nested_or_cut_off(server: Server) -> None:
    whole = _scores("llm_analysis", tags={"a": {"b": {"c": 1}}})
    server.respond = lambda asked: completion(whole if "one" in asked.prompt else _scores("llm_analysis")[:-1])
    scores = [stats["llm_analysis_score"] for stats in _stats(_run("llm_analysis_filter", [{"text": "one"}, {"text": "two"}]))]
    assert scores == [0.8, 0.8]


@pytest.mark.parametrize(("params", "is_kept"), [({}, True), ({"min_score": 0.81}, False), ({"max_score": 0.79}, False),
                                                 ({"max_score": 0.8}, True), ({"reversed_range": True}, False)])  # fmt: skip
def test_the_range_decides(server: Server, params: dict[str, Any], is_kept: bool) -> None:
    server.respond = lambda asked: completion(_scores("llm_quality"))
    assert bool(_run("llm_quality_score_filter", [{"text": "x"}], **params).to_list()) == is_kept


def test_the_model_reads_the_fields_that_are_there(server: Server) -> None:
    server.respond = lambda asked: completion(_scores("llm_analysis"))
    keys = {"input_keys": ["q", "text", "none", "list"], "field_names": ["Q", "T", "N", "L"]}
    templates = {"system_prompt": 'S {"a": 1}', "input_template": "<{data}>", "field_template": "{field_name}={field_data}"}
    _run("llm_analysis_filter", [{"text": "{x}", "none": None, "list": [1, "é"]}], **keys, **templates).to_list()
    assert [message["content"] for message in server.requests[0].body["messages"]] == ['S {"a": 1}', '<T={x}\n\nL=[1, "é"]>']


def test_the_text_field_of_the_op_is_read(server: Server) -> None:
    server.respond = lambda asked: completion(_scores("llm_analysis"))
    _run("llm_analysis_filter", [{"text": "no", "body": "yes"}], text_key="body", input_template="{data}").to_list()
    assert server.requests[0].prompt == "**Text**\nyes"


def test_own_dimensions_are_asked_for(server: Server) -> None:
    server.respond = lambda asked: completion('{"dimension_scores": {"wit": 5, "other": 1}}')
    data = _run("llm_quality_score_filter", [{"text": "x"}], dim_required_keys=["wit"], preferred_output_lang="zh")
    assert _stats(data)[0]["llm_quality_score"] == 1.0
    system = server.requests[0].body["messages"][0]["content"]
    assert "under exactly these names, in place of any others: wit." in system
    assert "请用中文" in system


def test_a_score_that_is_there_is_not_asked_for(server: Server) -> None:
    rows = [{"text": "x", "__dj__stats__": {"llm_analysis_score": score}} for score in (0.1, 0.9)]
    assert _stats(_run("llm_analysis_filter", rows)) == [{"llm_analysis_score": 0.9}]
    assert server.count == 0


def test_a_row_without_an_answer_is_set_aside_alone(server: Server) -> None:
    def respond(asked: Asked) -> Said:
        return refusal(400, "too long") if "bad" in asked.prompt else completion(_scores("llm_analysis"))

    server.respond = respond
    data = _run("llm_analysis_filter", [{"text": text} for text in ("a", "bad", "c")])
    assert [row["text"] for row in data.to_list()] == ["a", "c"]
    assert [bad.row["text"] for bad in data.rejected] == ["bad"]


def test_each_field_has_a_name() -> None:
    with pytest.raises(RecipeError, match="one name for each of input_keys, got 2 keys and 1 names"):
        djfast.load_ops([{"llm_analysis_filter": {"input_keys": ["a", "b"]}}])


def _relevance(score: int) -> str:
    names = ("topical_relevance", "linguistic_style_match", "task_match", "knowledge_alignment", "potential_utility")
    return json.dumps({"dimension_scores": dict.fromkeys(names, score)})


def test_relevance_is_judged_by_samples_and_a_description(server: Server) -> None:
    server.respond = lambda asked: completion(_relevance(5 if "good" in asked.prompt else 1))
    samples = [{"text": "first {}"}, {"text": "second"}, {"text": "third"}]
    params = {"valid_dataset": samples, "task_desc": "Cook.", "n_shot": 2}
    data = _run("llm_task_relevance_filter", [{"text": "good"}, {"text": "poor"}], **params)
    assert [stats["llm_task_relevance"] for stats in _stats(data)] == [1.0]
    prompt = server.requests[0].prompt
    assert prompt.index("Cook.") < prompt.index("first {}") < prompt.index("second") < prompt.index("## Data")
    assert "third" not in prompt


def test_relevance_has_no_upper_bound_and_failures_are_kept(server: Server) -> None:
    server.respond = lambda asked: completion(_relevance(9) if "high" in asked.prompt else "bad")
    data = _run("llm_task_relevance_filter", [{"text": "high"}, {"text": "bad"}], task_desc="Cook.", max_score=0.6)
    assert [stats["llm_task_relevance"] for stats in _stats(data)] == [1.8, 0.0]


def test_a_task_must_be_told(server: Server) -> None:
    with pytest.raises(RecipeError, match="valid_dataset or task_desc must be given"):
        _run("llm_task_relevance_filter", [{"text": "x"}]).to_list()


YES = (
    "yes", "Yes, because", " YES.", "y", "**Yes**", '"yes"', "“Yes”", "`yes`", "✅ Yes", "True", "Answer: yes",
    "**Answer:** Yes.", "Final answer: **yes**",
    "The answer is yes.", "\\boxed{yes}", "<answer>yes</answer>", "It is about eggs.\n\nYes",
    "是", "是的。", "**是**", "答案：是", "是，因为它谈到烹饪", "符合条件",
    '{"answer": "yes"}', '{"meets": true, "why": "yes, it is long"}', '```json\n{"answer": true}\n```',
)  # fmt: skip
NO = (
    "no", "No!", "n", "**No**", "'no'", "Answer: no", "The answer is: no", "False", "No, it is not", '{"answer": "no"}',
    "It is about yes-men.\nAnswer: no", "否", "不是。", "不符合", "结论：否",
)  # fmt: skip
NEITHER = (
    "yes or no", "Yes/No", "yesterday", "nobody", "maybe", "", "no idea", "normal", "notable", "I cannot tell.", "不确定",
    "是否符合", '{"answer": null}', '{"a": "yes", "b": "no"}',
)  # fmt: skip


@pytest.mark.parametrize(("said", "is_met"), [*((said, True) for said in YES), *((said, False) for said in NO)])
def test_a_condition_is_decided_by_yes_and_no(server: Server, said: str, is_met: bool) -> None:
    server.respond = lambda asked: completion(said)
    data = _run("llm_condition_filter", [{"text": "x"}], condition="c")
    assert [stats["llm_condition_filter_result"] for stats in _stats(data)] == [True] * is_met
    assert server.count == 1


@pytest.mark.parametrize("said", NEITHER)
def test_what_says_neither_yes_nor_no_is_asked_for_again(server: Server, said: str) -> None:
    server.respond = lambda asked: completion(said if asked.number < 2 else "yes")
    assert _run("llm_condition_filter", [{"text": "x"}], condition="c").to_list() == [{"text": "x"}]
    assert server.count == 3


def test_another_answer_is_asked_for_again_and_is_no_in_the_end(server: Server) -> None:
    server.respond = lambda asked: completion("nobody knows" if asked.number != 1 else "yes")
    usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30, "cost_estimate": 0}
    data = _run("llm_condition_filter", [{"text": "x"}], condition="c")
    assert _stats(data) == [{"llm_condition_filter_result": True, "llm_semantic_usage": usage}]
    assert _run("llm_condition_filter", [{"text": "y"}], condition="c").to_list() == []
    assert server.count == 5


@pytest.mark.parametrize("strategy", ["cot", "cot_shot"])
@pytest.mark.parametrize(("said", "is_met"), [("No rain is in it.\nYes", True), ("Yes it seems.\n\n**Answer: no**", False)])
def test_a_thought_comes_before_the_decision(server: Server, strategy: str, said: str, is_met: bool) -> None:
    server.respond = lambda asked: completion(said)
    data = _run("llm_condition_filter", [{"text": "x"}], condition="c", strategy=strategy)
    assert bool(data.to_list()) == is_met


def test_examples_and_knowledge_are_shown(server: Server) -> None:
    server.respond = lambda asked: completion("yes")
    params = {"strategy": "few_shot", "examples": [{"text": "a {b}", "answer": "no"}]}
    knowledge = {"knowledge_grounding_key": "facts", "knowledge_grounding_fixed": "Known to all."}
    _run("llm_condition_filter", [{"text": "x", "facts": ["of the row"]}], condition="C?", **params, **knowledge).to_list()
    prompt = server.requests[0].prompt
    for part in ("text: a {b}\nanswer: no", '["of the row"]', "Known to all.", "C?"):
        assert part in prompt


def test_nothing_is_asked_about_empty_texts_and_conditions(server: Server) -> None:
    rows = [{"text": "x"}, {"text": " "}]
    assert _run("llm_condition_filter", rows, condition="").to_list() == [{"text": "x"}]
    server.respond = lambda asked: completion("yes")
    assert _run("llm_condition_filter", rows, condition="c").to_list() == [{"text": "x"}]
    assert server.count == 1


def test_two_conditions_are_two_questions_and_usage_adds_up(server: Server) -> None:
    server.respond = lambda asked: completion("no" if "second" in asked.prompt and "b" in asked.prompt.split() else "yes")
    prices = {"model_params": {"prices": {"gpt-4o": {"prompt": 1e5, "completion": 0}}}}
    ops = [{"llm_condition_filter": {"condition": condition, **prices}} for condition in ("first", "second", "")]
    data = djfast.Dataset.from_list([{"text": "a"}, {"text": "b"}]).process(djfast.load_ops(ops))
    usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30, "cost_estimate": 2.0}
    assert data.to_list(stats=True) == [
        {"text": "a", "__dj__stats__": {"llm_condition_filter_result": True, "llm_semantic_usage": usage}}
    ]


def test_a_decision_that_is_there_is_made_anew(server: Server) -> None:
    server.respond = lambda asked: completion("yes")
    before = {"prompt_tokens": 1, "cost_estimate": 0.5}
    stats = {"llm_condition_filter_result": False, "llm_semantic_usage": before, "other": 1.5}
    data = _run("llm_condition_filter", [{"text": "x", "__dj__stats__": stats}], condition="c")
    usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 15, "cost_estimate": 0.5}
    assert _stats(data) == [{"llm_condition_filter_result": True, "llm_semantic_usage": usage, "other": 1.5}]


def test_no_answer_sets_the_row_aside(server: Server) -> None:
    server.respond = lambda asked: refusal(400)
    data = _run("llm_condition_filter", [{"text": "x"}], condition="c")
    assert data.to_list() == []
    assert len(data.rejected) == 1


def test_a_row_without_the_text_meets_no_condition_and_a_wrong_one_is_set_aside(server: Server) -> None:
    data = _run("llm_condition_filter", [{"other": 1}, {"text": None}, {"text": 5}], condition="c")
    assert data.to_list() == []
    assert [bad.reason for bad in data.rejected] == ["TypeError: the field must be a string, got integer"]
    assert server.count == 0


def test_results_are_the_same_for_any_batches(server: Server) -> None:
    server.respond = lambda asked: completion(_scores("llm_quality", 1 + len(asked.prompt) % 5))
    rows = [{"text": "x" * (number % 7)} for number in range(300)]
    whole = _run("llm_quality_score_filter", rows).to_list(stats=True)
    parts = [_run("llm_quality_score_filter", rows[at : at + 7]).to_list(stats=True) for at in range(0, 300, 7)]
    assert whole == [row for part in parts for row in part]
    assert 0 < len(whole) < 300
