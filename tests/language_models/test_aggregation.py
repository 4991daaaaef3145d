"""What a model makes of groups, against the local server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import djfast
from djfast.errors import ModelError, RecipeError
from djfast.functions.aggregation import estimated_tokens, split_evenly
from tests.llm.server import Asked, Said, Server, completion, refusal

META = "__dj__meta__"
BATCH_META = "__dj__batch_meta__"
GIVEN: dict[str, dict[str, Any]] = {
    "entity_attribute_aggregator": {"entity": "E (x)", "attribute": "my attr"},
    "most_relevant_entities_aggregator": {"entity": "E (x)", "query_entity_type": "人物"},
}
DOCUMENT_OPS = ("nested_aggregator", "entity_attribute_aggregator", "most_relevant_entities_aggregator")


def _group(*documents: Any, key: str = "event_description", **fields: Any) -> dict[str, Any]:
    return {"text": [f"text {number}" for number in range(len(documents))], META: [{key: each} for each in documents], **fields}


def _run(op: str, rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{op: {**GIVEN.get(op, {}), **params}}]))


def _batch_meta(op: str, row: dict[str, Any], **params: Any) -> Any:
    [got] = _run(op, [row], **params).to_list(stats=True)
    assert {name: value for name, value in got.items() if name != BATCH_META} == {
        name: value for name, value in row.items() if name != BATCH_META
    }
    return got.get(BATCH_META)


@given(st.lists(st.text(alphabet="ab", max_size=12), max_size=12), st.integers(1, 30) | st.none())
def test_groups_hold_all_documents_in_order_and_no_more_tokens_than_allowed(documents: list[str], most: int | None) -> None:
    groups = split_evenly(documents, len, most)
    assert [each for group in groups for each in group] == documents
    for group in groups:
        assert most is None or len(group) == 1 or sum(map(len, group)) <= most


def test_groups_are_of_about_the_same_length() -> None:
    documents = ["x" * 10] * 6
    assert [len(group) for group in split_evenly(documents, len, 40)] == [4, 2]
    assert [len(group) for group in split_evenly(documents, len, 59)] == [4, 2]
    assert [len(group) for group in split_evenly(documents, len, 60)] == [6]
    assert [len(group) for group in split_evenly(documents, len, 5)] == [1] * 6


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("你好", 2), ("你好 ab", 3), ("😀", 1)])
def test_tokens_are_estimated_by_characters(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


def test_documents_that_fit_are_summed_up_at_once(server: Server) -> None:
    server.respond = lambda asked: completion(" “‘ sum ’” ")
    assert _batch_meta("nested_aggregator", _group("one {x}", "two")) == {"event_description": "sum"}
    assert server.count == 1
    assert "one {x}" in server.requests[0].prompt
    assert "two" in server.requests[0].prompt


def test_one_document_is_its_own_summary(server: Server) -> None:
    assert _batch_meta("nested_aggregator", _group(" one ")) == {"event_description": " one "}
    assert server.count == 0


def test_summaries_of_pairs_where_each_document_is_alone(server: Server) -> None:
    server.respond = lambda asked: completion("s" * 40)
    assert _batch_meta("nested_aggregator", _group(*("x" * 40 for _ in range(4))), max_token_num=10) == {
        "event_description": "s" * 40
    }
    assert server.count in (2, 3)  # equal questions are asked once
    server.requests.clear()
    documents = [f"{letter}" * 40 for letter in "abcde"]
    _batch_meta("nested_aggregator", _group(*documents), max_token_num=10)
    first = [[letter for letter in "abcde" if letter * 40 in asked.prompt] for asked in server.requests[:3]]
    assert sorted(first) == [["a", "b"], ["c", "d"], ["e"]]


def test_parts_without_a_usable_answer_are_left_out(server: Server) -> None:
    server.respond = lambda asked: completion(" '' " if "aaaa" in asked.prompt else "kept")
    documents = ["a" * 40, "b" * 40, "c" * 40, "d" * 40]
    assert _batch_meta("nested_aggregator", _group(*documents), max_token_num=10, try_num=2) == {"event_description": "kept"}
    server.respond = lambda asked: completion("")
    assert _batch_meta("nested_aggregator", _group("x", "y"), try_num=2) == {"event_description": ""}


def test_texts_are_documents_without_an_input_key(server: Server) -> None:
    server.respond = lambda asked: completion("sum")
    row = {"content": ["one", "two"]}
    assert _batch_meta("nested_aggregator", row, input_key="", text_key="content", output_key="s") == {"s": "sum"}
    assert _batch_meta("nested_aggregator", {"content": "no list"}, input_key="", text_key="content") is None


@pytest.mark.parametrize("op", DOCUMENT_OPS)
def test_nothing_is_asked_about_no_documents(server: Server, op: str) -> None:
    [result] = _batch_meta(op, {"text": []}, input_key="", output_key="r").values()
    assert result in ("", [])
    assert server.count == 0


def test_an_attribute_of_parts_is_summed_up(server: Server) -> None:
    def respond(asked: Asked) -> Said:
        if "my attr" not in asked.prompt:
            return completion("all")
        return completion("no" if "bbbb" in asked.prompt else "# E (x)\n## my attr：\n part\n")

    server.respond = respond
    documents = ["a" * 40, "b" * 40, "c" * 40]
    got = _batch_meta("entity_attribute_aggregator", _group(*documents), max_token_num=10, try_num=2)
    assert got == {"entity_attribute": "all"}
    assert server.count == 5  # the second part twice
    last = server.requests[-1].prompt
    assert last.count("part") == 2
    assert _batch_meta("entity_attribute_aggregator", _group("a"), word_limit=7, output_key="o") == {"o": "part"}
    assert "7" in server.requests[-1].body["messages"][0]["content"]


def test_entities_in_the_order_of_the_answer(server: Server) -> None:
    server.respond = lambda asked: completion("## 分析\n因为\n\n## 列表\n甲,乙、丙" if asked.number else "没有")
    assert _batch_meta("most_relevant_entities_aggregator", _group("one", "two")) == {
        "most_relevant_entities": ["甲", "乙", "丙"]
    }
    assert server.count == 2


def test_documents_are_taken_while_they_fit(server: Server) -> None:
    server.respond = lambda asked: completion("## 列表 甲")
    documents = ["a" * 40, "b" * 40, "c" * 4]
    _batch_meta("most_relevant_entities_aggregator", _group(*documents), max_token_num=15)
    assert "aaaa" in server.requests[0].prompt
    assert "bbbb" not in server.requests[0].prompt
    assert "cccc" not in server.requests[0].prompt
    assert _batch_meta("most_relevant_entities_aggregator", _group(*documents), max_token_num=5) == {"most_relevant_entities": []}
    assert server.count == 1


@pytest.mark.parametrize(
    ("op", "default"),
    [("nested_aggregator", ""), ("entity_attribute_aggregator", ""), ("most_relevant_entities_aggregator", [])],
)
def test_unusable_answers_to_the_end_give_the_default(server: Server, op: str, default: Any) -> None:
    server.respond = lambda asked: completion(" ")
    assert list(_batch_meta(op, _group("a", "b"), try_num=2).values()) == [default]
    assert server.count == 2


@pytest.mark.parametrize("op", DOCUMENT_OPS)
@pytest.mark.parametrize(
    "row",
    [
        {"text": ["a"]},
        {"text": ["a"], META: []},
        {"text": ["a"], META: {"event_description": "of a row"}},
        {"text": ["a"], META: [None]},
        _group("a", None),
        _group("a", 5),
        {"text": ["a"], META: [{"other": "a"}, {"event_description": "b"}]},
        {"text": ["a"], META: [{"event_description": "b"}, {}]},
    ],
)
def test_rows_whose_documents_are_no_texts_stay(server: Server, op: str, row: dict[str, Any]) -> None:
    assert _run(op, [row]).to_list(stats=True) == [row]
    assert server.count == 0


@pytest.mark.parametrize("op", DOCUMENT_OPS)
def test_results_that_are_there_stand_and_others_are_kept(server: Server, op: str) -> None:
    server.respond = lambda asked: completion("# E (x) ## my attr new ## 列表 new")
    row = _group("a", "b", **{BATCH_META: {"r": "old", "x": [1]}})
    assert _batch_meta(op, row, output_key="r") == {"r": "old", "x": [1]}
    assert server.count == 0
    assert list(_batch_meta(op, row, output_key="new")) == ["r", "x", "new"]


@pytest.mark.parametrize("op", [*DOCUMENT_OPS, "meta_tags_aggregator"])
def test_a_group_without_an_answer_is_set_aside_alone(server: Server, op: str) -> None:
    server.respond = lambda asked: refusal(400, "too long") if "bad" in asked.prompt else completion("**a归类为b**")
    params = {"try_num": 1, **({"meta_tag_key": "event_description"} if op == "meta_tags_aggregator" else {})}
    data = _run(op, [_group("a", "x"), _group("bad", "x"), _group("a", "z")], **params)
    assert len(data.to_list()) == 2
    assert [bad.row[META][0]["event_description"] for bad in data.rejected] == ["bad"]
    assert "too long" in data.rejected[0].reason


def test_tokens_are_counted_by_a_tokenizer_that_is_named(server: Server, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    server.respond = lambda asked: completion("## 列表 甲")
    config = {"processor_config": {"pretrained_model_name_or_path": str(tmp_path)}}
    row = _group("a b c", "d" * 1000, "e")
    _batch_meta("most_relevant_entities_aggregator", row, max_token_num=4, model_params=config)
    assert "dddd" in server.requests[0].prompt
    config["processor_config"]["pretrained_model_name_or_path"] = "organisation/absent"
    with pytest.raises(ModelError, match="tokenizer model not found"):
        _run("nested_aggregator", [row], max_token_num=4, model_params=config).to_list()
    _run("nested_aggregator", [row], model_params=config).to_list()  # without a limit nothing is counted
    with pytest.raises(RecipeError, match="must have pretrained_model_name_or_path"):
        _run("nested_aggregator", [row], max_token_num=4, model_params={"processor_config": "x"}).to_list()


def _labels(*values: Any) -> dict[str, Any]:
    return _group(*values, key="dialog_sentiment_labels")


def _merged(answer: str, server: Server, *values: Any, **params: Any) -> list[Any]:
    server.respond = lambda asked: completion(answer)
    [row] = _run("meta_tags_aggregator", [_labels(*values)], **params).to_list(stats=True)
    return [tags["dialog_sentiment_labels"] for tags in row[META]]


def test_tags_are_put_into_classes(server: Server) -> None:
    answer = "**happy归类为joy**, ** very-glad 归类为 joy ** **unknown归类为joy**"
    assert _merged(answer, server, ["happy", "very-glad"], "happy", ["sad"]) == [["joy", "joy"], "joy", ["sad"]]
    assert re.search(r"happy：2.*very-glad：1.*sad：1", server.requests[0].prompt, re.DOTALL)


def test_classes_that_were_not_asked_for_are_left_out(server: Server) -> None:
    answer = "**a归类为x** **b归类为y**"
    assert _merged(answer, server, ["a", "b"], target_tags=["x", "z"]) == [["x", "b"]]
    assert "x、z" in server.requests[0].prompt


@pytest.mark.parametrize("answer", ["", "归类为", "**归类为x**", "**a归类为**", "** **", "*" * 200_000, "**a"])
def test_tags_stay_where_no_answer_is_usable(server: Server, answer: str) -> None:
    assert _merged(answer, server, ["a", "b"], try_num=2) == [["a", "b"]]
    assert server.count == 2


@pytest.mark.parametrize("values", [(["a"], 5), (["a", None],), (None,), ([],), (["a"], {"b": 1})])
def test_tags_that_are_no_texts_stay(server: Server, values: tuple[Any, ...]) -> None:
    assert _merged("**a归类为x**", server, *values) == list(values)
    assert server.count == 0


@pytest.mark.parametrize(
    ("op", "params", "answer", "row", "got"),
    [
        (
            "nested_aggregator",
            {"system_prompt": "S", "sub_doc_template": "<{text}>", "input_template": "I {sub_docs}"},
            "sum",
            _group("a", "b"),
            {"event_description": "sum"},
        ),
        (
            "entity_attribute_aggregator",
            {"system_prompt_template": "{entity}{attribute}{word_limit}{example}", "example_prompt": "{as it is}",
             "input_template": "{sub_docs}{entity}{attribute}", "output_pattern_template": "{entity} = {attribute} : (.*)"},
            "E (x)=my attr:found",
            _group("a", "b"),
            {"entity_attribute": "found"},
        ),
        (
            "most_relevant_entities_aggregator",
            {"system_prompt_template": "{entity}{entity_type}", "input_template": "{sub_docs}", "output_pattern": "< (.*?) >"},
            "<a,b>",
            _group("a", "b"),
            {"most_relevant_entities": ["a", "b"]},
        ),
    ],
)  # fmt: skip
def test_templates_and_patterns_of_the_user(
    server: Server, op: str, params: dict[str, Any], answer: str, row: dict[str, Any], got: Any
) -> None:
    server.respond = lambda asked: completion(answer)
    assert _batch_meta(op, row, try_num=1, **params) == got


def test_templates_and_pattern_for_tags(server: Server) -> None:
    params = {
        "input_template": "{tag_strs}|{target_tag_str}",
        "tag_template": "{tag}*{cnt}",
        "target_tag_template": "to {target_tags}",
        "output_pattern": r"(\w) -> (\w)",
    }
    assert _merged("a->x b->x", server, ["a", "b"], target_tags=["x"], **params) == [["x", "x"]]
    assert server.requests[0].prompt == "a*1\nb*1|to x"


ROLE_FILE = """
def process_single(row):
    found = row["__dj__batch_meta__"]
    return {"prompt": f"{found['portrait']} / {found['style']} / {'、'.join(found['people'])}"}
"""


def _role_play(asked: Asked) -> Said:
    """A model that does what a recipe for role play needs: an excerpt, a nickname, two events, and what they add up to."""
    system, user = (message["content"] for message in asked.body["messages"])
    if "代表性示例摘录" in system:
        attribute = "语言风格" if "语言风格" in system else "身份背景"
        return completion(f"# 小满\n## {attribute}：\n{attribute}的归纳\n### 代表性示例摘录1：\n```\n原文\n```")
    if "称呼方式" in system:
        return completion("### 称呼方式1\n- **说话人**：小满\n- **被称呼人**：李长河\n- **小满对李长河的昵称**：河叔")
    if "情节1" in system:
        chapter = re.search(r"第\w章", user)
        assert chapter is not None
        blocks = (f"### 情节{n}：\n- **情节描述**：{chapter[0]}情节{n}\n- **相关人物**：小满、李长河\n" for n in (1, 2))
        return completion("\n".join(blocks))
    if "列表" in system:
        return completion("## 分析\n略\n## 列表\n李长河、阿宁")
    attribute = "语言风格" if "语言风格" in system else "身份背景"
    assert [f"第{n}章情节{m}" in user for n in "一二" for m in (1, 2)] == [True] * 4
    return completion(f"# 小满\n## {attribute}\n小满的{attribute}")


@pytest.mark.parametrize("settings", [{}, {"batch_bytes": 4096, "np": 2}])
def test_a_recipe_for_role_play(server: Server, tmp_path: Path, settings: dict[str, Any]) -> None:
    server.respond = _role_play
    (tmp_path / "role.py").write_text(ROLE_FILE, encoding="utf-8")
    source, target = tmp_path / "book.jsonl", tmp_path / "out" / "roles.jsonl"
    source.write_text("".join(json.dumps({"text": f"第{n}章 " + "小满撑船。" * 400}) + "\n" for n in "一二"), encoding="utf-8")
    attributes = ["身份背景", "语言风格"]
    recipe = {
        "dataset_path": str(source),
        "export_path": str(target),
        "keep_stats_in_res_ds": True,
        **settings,
        "process": [
            {"extract_entity_attribute_mapper": {"query_entities": ["小满"], "query_attributes": attributes}},
            {"extract_nickname_mapper": None},
            {"extract_event_mapper": None},
            {"naive_grouper": None},
            *(
                {"entity_attribute_aggregator": {"entity": "小满", "attribute": attribute, "output_key": key, "word_limit": 50}}
                for attribute, key in zip(attributes, ("portrait", "style"))
            ),
            {"most_relevant_entities_aggregator": {"entity": "小满", "query_entity_type": "人物", "output_key": "people"}},
            {"python_file_mapper": {"file_path": str(tmp_path / "role.py"), "function_name": "process_single"}},
        ],
    }
    djfast.run(recipe)
    [row] = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert row["prompt"] == "小满的身份背景 / 小满的语言风格 / 李长河、阿宁"
    assert [tags["event_description"] for tags in row[META]] == [f"第{n}章情节{m}" for n in "一二" for m in (1, 2)]
    assert all(tags["nickname"][0]["relation_description"] == "河叔" for tags in row[META])
    assert row[META][0]["attribute_descriptions"] == ["身份背景的归纳", "语言风格的归纳"]
    assert server.count == 2 * (2 + 1 + 1) + 3
