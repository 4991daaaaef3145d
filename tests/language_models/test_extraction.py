"""What a model finds in texts, against the local server."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError
from tests.llm.server import Asked, Said, Server, completion, refusal

META = "__dj__meta__"
EVENTS = "### 情节1：\n- **情节描述**：one\n- **相关人物**：甲、乙\n\n### 情节 2:\n- **情节描述**: two\n- **相关人物**:\n"
RECORDS = (
    '("entity"<|>"A"<|>"person"<|>"has (x) inside")##("entity"<|>\'A\'<|>person<|>has (x) inside)##("entity"<|>"B"<|>"")##'
    '("relationship"<|>"A"<|>"B"<|>"d"<|>"k1, k2"<|>"7.5")##("relationship"<|>"A"<|>"B"<|>"d"<|>"k"<|>nan)<|COMPLETE|>'
)
NICKNAMES = (
    "### 称呼方式1\n- **说话人**：甲\n- **被称呼人**：乙\n- **甲对乙的昵称**：小乙\n"
    "### 称呼方式2\n- **说话人**：甲\n- **被称呼人**：丙\n- **甲对乙的昵称**：小丙\n"
    "### 称呼方式3\n- **说话人**：甲\n- **被称呼人**：丁\n- **甲对丁的昵称**：丁\n"
    "### 称呼方式4\n- **说话人**：甲\n- **被称呼人**：乙\n- **甲对乙的昵称**：小乙\n"
)
NO_NICKNAME = {
    "relation_source_entity": "",
    "relation_target_entity": "",
    "relation_description": "",
    "relation_keywords": [],
    "relation_strength": None,
}
GIVEN: dict[str, dict[str, Any]] = {
    "extract_entity_attribute_mapper": {"query_entities": ["E"], "query_attributes": ["A"]},
    "relation_identity_mapper": {"source_entity": "李", "target_entity": "方"},
}
TEXT_OPS = (
    "extract_event_mapper",
    "extract_keyword_mapper",
    "extract_entity_relation_mapper",
    "extract_entity_attribute_mapper",
    "extract_nickname_mapper",
    "extract_support_text_mapper",
    "relation_identity_mapper",
)


def _run(op: str, rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{op: {**GIVEN.get(op, {}), **params}}]))


def _tags(op: str, answer: str, server: Server, tags: dict[str, Any] | None = None, **params: Any) -> list[dict[str, Any]]:
    server.respond = lambda asked: completion(answer)
    return [row[META] for row in _run(op, [{"text": "a text", META: tags or {}}], **params).to_list(stats=True)]


def test_each_event_is_a_row(server: Server) -> None:
    server.respond = lambda asked: completion(EVENTS)
    rows = _run("extract_event_mapper", [{"text": "t", "n": 1, META: {"x": 1}}]).to_list(stats=True)
    assert rows == [
        {"text": "t", "n": 1, META: {"x": 1, "event_description": "one", "relevant_characters": ["甲", "乙"]}},
        {"text": "t", "n": 1, META: {"x": 1, "event_description": "two", "relevant_characters": []}},
    ]
    system, user = server.requests[0].body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "t" in user["content"]


@pytest.mark.parametrize("texts", [["none"], ["none", "some"], ["some", "none", "some"]])
def test_rows_without_events_go_whatever_their_neighbours_have(server: Server, texts: list[str]) -> None:
    server.respond = lambda asked: completion(EVENTS if "some" in asked.prompt else "无")
    data = _run("extract_event_mapper", [{"text": text} for text in texts], try_num=2)
    assert [row["text"] for row in data.to_list()] == [text for text in texts if text == "some" for _ in range(2)]
    assert data.rejected == []


def test_key_words_of_all_records(server: Server) -> None:
    answer = '("content_keywords" <|> "a, b、c")##("content_keywords"<|>"d (e) f")<|COMPLETE|>'
    assert _tags("extract_keyword_mapper", answer, server) == [{"keyword": ["a", "b", "c", "d", "e", "f"]}]
    assert [message["role"] for message in server.requests[0].body["messages"]] == ["user"]


def test_entities_and_relations_once_in_their_order(server: Server) -> None:
    [tags] = _tags("extract_entity_relation_mapper", RECORDS, server, max_gleaning=0)
    assert tags["entity"] == [{"entity_name": "A", "entity_type": "person", "entity_entity_description": "has (x) inside"}]
    assert [(each["relation_keywords"], each["relation_strength"]) for each in tags["relation"]] == [(["k1", "k2"], 7.5)]
    assert server.count == 1


def test_the_model_is_asked_for_more_until_it_says_that_there_is_none(server: Server) -> None:
    says = ["nothing yet", RECORDS, ' "YES" ', '("entity"<|>C<|>geo<|>c)', "no", "never asked"]
    server.respond = lambda asked: completion(says[asked.number])
    [row] = _run("extract_entity_relation_mapper", [{"text": "t"}], max_gleaning=5).to_list(stats=True)
    assert [each["entity_name"] for each in row[META]["entity"]] == ["A", "C"]
    assert [len(request.body["messages"]) for request in server.requests] == [1, 3, 5, 5, 7]
    roles = [message["role"] for message in server.requests[4].body["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user", "assistant", "user"]


def test_a_conversation_without_an_entity_begins_anew(server: Server) -> None:
    server.respond = lambda asked: completion(RECORDS if asked.number == 2 else "nothing")
    [row] = _run("extract_entity_relation_mapper", [{"text": "t"}], try_num=2).to_list(stats=True)
    assert [each["entity_name"] for each in row[META]["entity"]] == ["A"]
    assert [len(request.body["messages"]) for request in server.requests] == [1, 3, 1, 3]
    server.respond = lambda asked: completion("nothing")
    [row] = _run("extract_entity_relation_mapper", [{"text": "u"}], try_num=1).to_list(stats=True)
    assert row[META]["entity"] == [{"entity_name": "", "entity_type": "", "entity_entity_description": ""}]
    assert row[META]["relation"] == [{**NO_NICKNAME, "relation_strength": 0.0}]


def test_attributes_of_entities_each_asked_for_alone(server: Server) -> None:
    def respond(asked: Asked) -> Said:
        system = asked.body["messages"][0]["content"]
        attribute = "my attr (x)" if "my attr (x)" in system else "B"
        if "F" in system and attribute == "B":
            return completion("no")
        return completion(
            f"# E\n## {attribute}：\nof {attribute}\n### 代表性示例摘录1：\n```\nfirst\n```\n### 代表性示例摘录2：\n``` ```"
        )

    server.respond = respond
    params = {"query_entities": ["E", "F"], "query_attributes": ["my attr (x)", "B"], "try_num": 2}
    [row] = _run("extract_entity_attribute_mapper", [{"text": "t"}], **params).to_list(stats=True)
    assert row[META] == {
        "main_entities": ["E", "E", "F", "F"],
        "attributes": ["my attr (x)", "B", "my attr (x)", "B"],
        "attribute_descriptions": ["of my attr (x)", "of B", "of my attr (x)", ""],
        "attribute_support_texts": [["first"], ["first"], ["first"], []],
    }
    assert server.count == 5


def test_excerpts_may_be_left_out(server: Server) -> None:
    answer = "## A： d ### end"
    [tags] = _tags("extract_entity_attribute_mapper", answer, server, try_num=1)
    assert (tags["attribute_descriptions"], tags["attribute_support_texts"]) == ([""], [[]])
    [tags] = _tags("extract_entity_attribute_mapper", answer, server, require_support_demos=False)
    assert (tags["attribute_descriptions"], tags["attribute_support_texts"]) == (["d"], [[]])


def test_nothing_is_asked_about_no_entity(server: Server) -> None:
    [tags] = _tags("extract_entity_attribute_mapper", "", server, query_entities=[])
    assert all(value == [] for value in tags.values())
    assert server.count == 0


def test_nicknames_that_are_checked_and_are_no_names(server: Server) -> None:
    [tags] = _tags("extract_nickname_mapper", NICKNAMES, server)
    call = {"relation_source_entity": "甲", "relation_target_entity": "乙", "relation_description": "小乙"}
    assert tags["nickname"] == [{**NO_NICKNAME, **call, "relation_keywords": ["nickname"]}]


def test_a_summary_gets_its_passage_or_itself(server: Server) -> None:
    given = {"event_description": "the summary"}
    assert _tags("extract_support_text_mapper", " passage ", server, given) == [{**given, "support_text": "passage"}]
    assert "the summary" in server.requests[0].prompt
    server.respond = lambda asked: completion("  ")
    [row] = _run("extract_support_text_mapper", [{"text": "another", META: given}], try_num=2).to_list(stats=True)
    assert row[META] == {**given, "support_text": "the summary"}
    assert server.count == 3


@pytest.mark.parametrize("tags", [{}, {"event_description": None}, {"event_description": ["a"]}])
def test_without_a_summary_nothing_is_asked(server: Server, tags: dict[str, Any]) -> None:
    rows = [{"text": "t", META: tags}]
    assert _run("extract_support_text_mapper", rows, drop_text=True).to_list(stats=True) == rows
    assert server.count == 0


@pytest.mark.parametrize(
    ("answer", "relation"),
    [
        ("分析推理：a\n所以方是李的：朋友\n", "朋友"),
        ("分析推理：a\n所以方是李的：朋友\n所以方是李的：b", "朋友\n所以方是李的：b"),
        ("所以方是李的：朋友", "朋友"),
        ("## 分析推理：a\n因此，方是:兄弟", "兄弟"),
        ("分析推理：a 所以李是方的：c", "c"),
        ("所以：\n故：", ""),
        ("不知道", ""),
    ],
)
def test_what_somebody_is_to_somebody_else(server: Server, answer: str, relation: str) -> None:
    assert _tags("relation_identity_mapper", answer, server, try_num=1) == [{"role_relation": relation}]


def test_nobody_without_a_name_is_asked_about(server: Server) -> None:
    assert _tags("relation_identity_mapper", "", server, source_entity=None) == [{"role_relation": ""}]
    assert server.count == 0


DEFAULTS = {
    "extract_keyword_mapper": {"keyword": []},
    "extract_nickname_mapper": {"nickname": [NO_NICKNAME]},
    "relation_identity_mapper": {"role_relation": ""},
}
USABLE = {
    "extract_keyword_mapper": ('("content_keywords"<|>"a")', {"keyword": ["a"]}),
    "relation_identity_mapper": ("分析推理：\n所以方是李的：友", {"role_relation": "友"}),
}


@pytest.mark.parametrize("op", DEFAULTS)
def test_unusable_answers_to_the_end_give_the_default(server: Server, op: str) -> None:
    assert _tags(op, "### ) ( ** nothing", server, try_num=2) == [DEFAULTS[op]]
    assert server.count == 2


@pytest.mark.parametrize("op", USABLE)
def test_an_unusable_answer_is_asked_for_again(server: Server, op: str) -> None:
    answer, tags = USABLE[op]
    server.respond = lambda asked: completion(answer if asked.number else "no")
    assert _run(op, [{"text": "t"}]).to_list(stats=True) == [{"text": "t", META: tags}]
    assert server.count == 2


@pytest.mark.parametrize("op", TEXT_OPS)
def test_rows_without_answers_or_texts_are_set_aside_alone(server: Server, op: str) -> None:
    answers = "\n".join([EVENTS, RECORDS, NICKNAMES])
    server.respond = lambda asked: refusal(400, "too long") if "bad" in json.dumps(asked.body) else completion(answers)
    tags = {"event_description": "a summary"}
    texts: list[Any] = ["good", "bad", None, 5, "", "also 好 😀"]
    rows = [{"text": text, META: tags} for text in texts] + [{"text": "x", META: ["of a group"]}, {META: tags}]
    data = _run(op, rows)
    assert list(dict.fromkeys(row["text"] for row in data.to_list())) == ["good", "", "also 好 😀"]
    assert [bad.row.get("text") for bad in data.rejected] == ["bad", None, 5, "x", None]
    assert "too long" in data.rejected[0].reason


@pytest.mark.parametrize("op", TEXT_OPS)
def test_tags_that_are_there_stand_and_texts_may_go(server: Server, op: str) -> None:
    answers = "\n".join([EVENTS, RECORDS, NICKNAMES, '("content_keywords"<|>"a")'])
    server.respond = lambda asked: completion(answers)
    row = {"id": 1, "a": {"text": "t", "b": 2}, META: {"event_description": "s"}}
    first = _run(op, [row], text_key="a.text", drop_text=True).to_list(stats=True)
    assert first
    assert all((each["id"], each["a"]) == (1, {"b": 2}) for each in first)
    asked = server.count
    again = [{**each, "a": {"text": "new"}} for each in first]
    assert _run(op, again, text_key="a.text", drop_text=True).to_list(stats=True) == again
    assert server.count == asked


def test_the_text_is_the_field_that_the_recipe_names(server: Server, tmp_path: Any) -> None:
    server.respond = lambda asked: completion('("content_keywords"<|>"a")')
    source, target = tmp_path / "in.jsonl", tmp_path / "out" / "out.jsonl"
    source.write_text('{"content": "the text"}\n', encoding="utf-8")
    recipe = {
        "dataset_path": str(source),
        "export_path": str(target),
        "text_keys": "content",
        "keep_stats_in_res_ds": True,
        "process": [{"extract_keyword_mapper": {"drop_text": True}}],
    }
    djfast.run(recipe)
    assert json.loads(target.read_text(encoding="utf-8"))[META] == {"keyword": ["a"]}
    assert "the text" in server.requests[0].prompt


@pytest.mark.parametrize(
    ("op", "params", "answer", "tags"),
    [
        (
            "extract_event_mapper",
            {"output_pattern": r"(\d+) : (.*?) \| (.*?) ; # a comment", "system_prompt": "S", "input_template": "<{text}>"},
            "1:an event|x,y;2:another|;",
            [
                {"event_description": "an event", "relevant_characters": ["x", "y"]},
                {"event_description": "another", "relevant_characters": []},
            ],
        ),
        (
            "extract_keyword_mapper",
            {"output_pattern": r"<(.*?)>", "prompt_template": "{input_text} {completion_delimiter}", "completion_delimiter": "!"},
            "<a,b>",
            [{"keyword": ["a", "b"]}],
        ),
        (
            "extract_entity_attribute_mapper",
            {
                "attr_pattern_template": r"{attribute} = (.*?) \.",
                "demo_pattern": r"(\d) \[ (.*?) \]",
                "query_attributes": ["a b#"],
            },
            "a b#=yes.1[one]2[ two ]",
            [
                {
                    "main_entities": ["E"],
                    "attributes": ["a b#"],
                    "attribute_descriptions": ["yes"],
                    "attribute_support_texts": [["one", "two"]],
                }
            ],
        ),
        (
            "extract_nickname_mapper",
            {"output_pattern": r"(\d) (\w) > (\w) / (\w) (\w) = (\w+)"},
            "1a>b/ab=bee 2a>c/ab=cee",
            [
                {
                    "nickname": [
                        {
                            "relation_source_entity": "a",
                            "relation_target_entity": "b",
                            "relation_description": "bee",
                            "relation_keywords": ["nickname"],
                            "relation_strength": None,
                        }
                    ]
                }
            ],
        ),
        (
            "relation_identity_mapper",
            {"output_pattern_template": "{entity2} \\+ {entity1} \\s (\\w+)", "source_entity": "A. B"},
            "方+A. B one 方+A. B two",
            [{"role_relation": "two"}],
        ),
        (
            "extract_entity_relation_mapper",
            {"entity_pattern": "e< (.*?) >", "relation_pattern": "r< (.*?) >", "tuple_delimiter": ",", "max_gleaning": 0},
            "e<a,b,c> r<a,b,c,d,1>",
            [
                {
                    "entity": [{"entity_name": "a", "entity_type": "b", "entity_entity_description": "c"}],
                    "relation": [
                        {
                            "relation_source_entity": "a",
                            "relation_target_entity": "b",
                            "relation_description": "c",
                            "relation_keywords": ["d"],
                            "relation_strength": 1.0,
                        }
                    ],
                }
            ],
        ),
    ],
)
def test_templates_and_patterns_of_the_user(
    server: Server, op: str, params: dict[str, Any], answer: str, tags: list[dict[str, Any]]
) -> None:
    assert _tags(op, answer, server, try_num=1, **params) == tags


@pytest.mark.parametrize(
    ("op", "params", "reason"),
    [
        ("extract_event_mapper", {"output_pattern": "("}, "output_pattern must be a valid regular expression"),
        ("extract_event_mapper", {"output_pattern": "(a)"}, "output_pattern must have 3 groups"),
        ("extract_event_mapper", {"input_template": "{txt}"}, "input_template may hold {text}"),
        ("extract_entity_relation_mapper", {"relation_pattern": "a"}, "relation_pattern must have 1 groups"),
        ("relation_identity_mapper", {"output_pattern_template": "{entity3} (.)"}, "output_pattern_template may hold {entity1}"),
        ("llm_extract_mapper", {"input_keys": ["text"], "output_schema": {}}, "output_schema must not be empty"),
        ("llm_extract_mapper", {"input_keys": ["text"], "output_schema": {"a": 1}}, "must have a text for each key"),
    ],
)
def test_wrong_templates_and_patterns_are_said_before_anything_is_asked(
    server: Server, op: str, params: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RecipeError) as raised:
        _run(op, [{"text": "t"}], **params).to_list()
    assert reason in str(raised.value)
    assert server.count == 0


@pytest.mark.parametrize("op", TEXT_OPS)
def test_a_long_answer_of_markers_takes_no_time(server: Server, op: str) -> None:
    pieces = (
        "### 情节1：",
        "- **情节描述**：",
        "(" * 9,
        '("entity"',
        "## A：",
        "### 代表性示例摘录1：```",
        "**" + " " * 30,
        "所以方是",
    )
    long = "".join(piece * (200_000 // len(piece)) for piece in pieces)
    began = time.perf_counter()
    assert len(_tags(op, long, server, {"event_description": "s"}, try_num=1)) <= 1
    assert time.perf_counter() - began < 10


FORM = {"input_keys": ["text", "n"], "output_schema": {"x": "the x", "y": "the y"}}


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ('{"x": 1, "z": 2}', {"x": 1, "y": None}),
        ('Here:\n```json\n{"x": [1], "y": "s",}\n```', {"x": [1], "y": "s"}),
        ("no", {"x": None, "y": None}),
        ("[1, 2]", {"x": None, "y": None}),
    ],
)
def test_a_form_is_filled_in(server: Server, answer: str, form: dict[str, Any]) -> None:
    [tags] = _tags("llm_extract_mapper", answer, server, try_num=1, **FORM)
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost_estimate": 0}
    assert tags == {"llm_extract": form, "llm_semantic_usage": usage}


def test_one_key_may_be_a_list_and_keys_may_be_tags(server: Server) -> None:
    params = {"input_keys": ["text"], "output_schema": {"x": "all x"}, "meta_output_key": None}
    [tags] = _tags("llm_extract_mapper", 'Sure: [1, {"a": 2}]', server, **params)
    assert tags["x"] == [1, {"a": 2}]
    [tags] = _tags("llm_extract_mapper", '{"x": [3]}', server, **params, api_or_hf_model="other")
    assert tags["x"] == [3]


def test_usage_is_added_up_over_tries_and_earlier_ops(server: Server) -> None:
    server.respond = lambda asked: completion('{"x": 1}' if asked.number else "no")
    prices = {"gpt-4o": {"prompt": 1e6, "completion": 0}}
    before = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cost_estimate": 0.5}
    row = {"text": "t", META: {"llm_semantic_usage": before}}
    [got] = _run("llm_extract_mapper", [row], **FORM, model_params={"prices": prices}).to_list(stats=True)
    usage = {"prompt_tokens": 21, "completion_tokens": 11, "total_tokens": 32, "cost_estimate": 20.5}
    assert got[META]["llm_semantic_usage"] == usage


def test_the_model_reads_fields_background_and_examples(server: Server) -> None:
    server.respond = lambda asked: completion("{}")
    params = {"strategy": "cot_shot", "examples": [{"in": "EXAMPLE"}], "knowledge_grounding_key": "k", **FORM}
    row = {"text": "T {x}", "n": {"q": [1]}, "k": "KNOWN"}
    _run("llm_extract_mapper", [row], **params).to_list()
    user = server.requests[0].prompt
    for part in ("text: T {x}\n", 'n: {"q": [1]}', "- x: the x", "EXAMPLE", "KNOWN", "step by step"):
        assert part in user
    _run("llm_extract_mapper", [row], **{**params, "strategy": None, "knowledge_grounding_fixed": "FIXED"}).to_list()
    user = server.requests[1].prompt
    assert "FIXED" in user
    for part in ("EXAMPLE", "KNOWN", "step by step"):
        assert part not in user


def test_forms_of_rows_without_fields_are_empty_and_failures_reject(server: Server) -> None:
    server.respond = lambda asked: refusal(400, "too long")
    data = _run("llm_extract_mapper", [{"other": 1}, {"text": None}, {"text": "t"}, {META: {"llm_extract": 1}}], **FORM)
    got = data.to_list(stats=True)
    assert [row[META]["llm_extract"] for row in got] == [{"x": None, "y": None}] * 2 + [1]
    assert "too long" in data.rejected[0].reason
    assert server.count == 1
