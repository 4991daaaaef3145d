"""Each prompt of ours has a worked example, and what it shows as an answer is one that the OP can use."""

from __future__ import annotations

import importlib.resources
import re
from typing import Any

import pytest

import djfast
from djfast.llm.prompts import load_prompt
from djfast.ops.language_models.judging import _JUDGES
from tests.llm.server import Asked, Said, Server, completion

META = "__dj__meta__"
_EXAMPLE = re.compile(r"(?:输出：|Output:)\n(.*?)\n(?:（示例结束）|\(end of the example\))", re.DOTALL)
WITHOUT = {"output_language.en", "output_language.zh", "scoring.en"}  # parts of other prompts
PROMPTS = sorted(
    entry.name.removesuffix(".md")
    for entry in (importlib.resources.files("djfast.llm") / "prompts").iterdir()
    if entry.name.removesuffix(".md") not in WITHOUT
)
TEXT, QA = {"text": "t"}, {"text": "t", "query": "q", "response": "r"}
GROUP = {"text": ["a", "b"], META: [{"event_description": "a"}, {"event_description": "b"}]}
OPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "llm_analysis_filter": (TEXT, {}),
    "llm_quality_score_filter": (TEXT, {}),
    "llm_difficulty_score_filter": (TEXT, {}),
    "llm_task_relevance_filter": (TEXT, {"task_desc": "cook"}),
    "llm_condition_filter": (TEXT, {"condition": "c"}),
    "llm_extract_mapper": (TEXT, {"input_keys": ["text"], "output_schema": {"name": "n", "age": "a", "employer": "e"}}),
    "calibrate_qa_mapper": (QA, {}),
    "calibrate_query_mapper": (QA, {}),
    "calibrate_response_mapper": (QA, {}),
    "optimize_qa_mapper": (QA, {"is_hf_model": False}),
    "optimize_query_mapper": (QA, {"is_hf_model": False}),
    "optimize_response_mapper": (QA, {"is_hf_model": False}),
    "optimize_prompt_mapper": ({"prompt": "p"}, {"gen_num": 1}),
    "pair_preference_mapper": (QA, {}),
    "extract_event_mapper": (TEXT, {}),
    "extract_keyword_mapper": (TEXT, {}),
    "extract_entity_relation_mapper": (TEXT, {"max_gleaning": 0}),
    "extract_entity_attribute_mapper": (TEXT, {"query_entities": ["小满"], "query_attributes": ["性格"]}),
    "extract_nickname_mapper": (TEXT, {}),
    "extract_support_text_mapper": ({**TEXT, META: {"event_description": "e"}}, {}),
    "relation_identity_mapper": (TEXT, {"source_entity": "小满", "target_entity": "河叔"}),
    "dialog_intent_detection_mapper": (QA, {}),
    "dialog_topic_detection_mapper": (QA, {}),
    "dialog_sentiment_detection_mapper": (QA, {}),
    "dialog_sentiment_intensity_mapper": (QA, {}),
    "nested_aggregator": (GROUP, {}),
    "entity_attribute_aggregator": (GROUP, {"entity": "小满", "attribute": "经历"}),
    "most_relevant_entities_aggregator": (GROUP, {"entity": "小满", "query_entity_type": "人物"}),
    "meta_tags_aggregator": (
        {"text": ["a"] * 3, META: [{"mood": tag} for tag in ("开心", "高兴", "生气")]}, {"meta_tag_key": "mood"}
    ),
    "pii_llm_suspect_mapper": ({"text": "我叫李长河，电话 139000012345"}, {"redaction_mode": "none"}),
    "agent_insight_llm_mapper": (QA, {}),
    "agent_skill_insight_mapper": ({**TEXT, META: {"agent_tool_types": ["grep"]}}, {}),
    **{f"{tag}_mapper": (QA, {}) for tag, _, _ in _JUDGES},
}  # fmt: skip


def _answer_of(asked: Asked) -> Said:
    """The answer in the worked example of the request; in one with several, the last one."""
    said = "\n".join(message["content"] for message in asked.body["messages"])
    return completion(_EXAMPLE.findall(said)[-1])


@pytest.mark.parametrize("name", PROMPTS)
def test_each_prompt_has_one_worked_example_for_each_instruction(name: str) -> None:
    prompt = load_prompt(*name.rsplit(".", 1))
    text = "\n".join(prompt.sections.values())
    outputs = len(re.findall(r"^(?:输出：|Output:)$", text, re.MULTILINE))
    assert outputs == {"condition.en": 2, "judge.en": len(_JUDGES)}.get(name, 1)
    assert len(text) > 500 or name.endswith(".zh")


@pytest.mark.parametrize("op", OPS)
def test_the_answer_in_the_example_can_be_used(server: Server, op: str) -> None:
    server.respond = _answer_of
    row, params = OPS[op]
    data = djfast.Dataset.from_list([row]).process(djfast.load_ops([{op: params}]))
    assert data.to_list(stats=True) or op.endswith("_filter")
    assert data.rejected == []
    assert server.count == 1  # one that could not be used would be asked for again


@pytest.mark.parametrize("strategy", ["direct", "cot"])
def test_both_ways_to_decide_show_a_decision(server: Server, strategy: str) -> None:
    server.respond = _answer_of
    data = djfast.Dataset.from_list([TEXT]).process(
        djfast.load_ops([{"llm_condition_filter": {"condition": "c", "strategy": strategy}}])
    )
    assert data.to_list() == [TEXT]
    assert server.count == 1


def test_a_dialogue_after_examples_is_read(server: Server, tmp_path: Any) -> None:
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text('{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n')
    server.respond = _answer_of
    params = {"is_hf_model": False, "seed_file": str(seeds), "example_num": 1}
    ops = djfast.load_ops([{"generate_qa_from_examples_mapper": params}])
    [row] = djfast.Dataset.from_list([{"id": 1}]).process(ops).to_list()
    assert row["query"].startswith("那么")
    assert len(row["history"]) == 1


@pytest.mark.parametrize("tag", [tag for tag, _, _ in _JUDGES])
def test_the_score_of_a_judges_example_is_taken(server: Server, tag: str) -> None:
    server.respond = _answer_of
    [row] = djfast.Dataset.from_list([QA]).process(djfast.load_ops([f"{tag}_mapper"])).to_list(stats=True)
    assert row[META][tag]["score"] in (1.0, 2.0, 5.0)
