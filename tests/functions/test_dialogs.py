"""Messages of agents, well-formed and not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError

META = "__dj__meta__"
LONG = "".join(chr(0x4E00 + number) for number in range(3000))


def result(op: str, row: dict[str, Any], **params: Any) -> dict[str, Any]:
    [made] = djfast.load_ops([{op: params}])
    dataset = djfast.Dataset.from_list([{"text": "", **row}]).process(made)
    rows = dataset.to_list(stats=True)
    assert dataset.rejected == []
    return rows[0]


def tags(op: str, row: dict[str, Any], **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = result(op, row, **params)[META]
    return found


def normalized(*messages: Any, **params: Any) -> dict[str, Any]:
    return result("agent_dialog_normalize_mapper", {"messages": list(messages)}, **params)


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("  padded \n", "padded"),
        (None, ""),
        (5, "5"),
        ([], ""),
        ({}, ""),
        ({"text": "", "content": ["inner"]}, "inner"),
        (
            ["plain", {"type": "text", "text": "block"}, {"type": "image_url", "image_url": "u"}, ["list"], 7, None],
            "plain\nblock",
        ),
        (
            [{"type": "thinking", "thinking": "t"}, {"type": "reasoning", "reasoning": "r"}, {"type": "reasoning", "text": "x"}],
            "t\nr",
        ),
        ([{"text": 5}, {"type": "text", "text": None}, {"type": "text", "text": {"a": 1}}], "5"),
        ("\U0001f600 é 漢", "\U0001f600 é 漢"),
    ],
)
def test_content_of_any_form_is_read(content: Any, text: str) -> None:
    assert normalized(said("user", content))["query"] == text


@pytest.mark.parametrize(
    "messages", [None, "text", 5, {"role": "user"}, [None, 5, "x", [], {}], [{"role": ["user"], "content": "x"}]]
)
def test_what_is_no_message_makes_no_turn(messages: Any) -> None:
    row = result("agent_dialog_normalize_mapper", {"messages": messages, "text": "before"})
    assert (row["text"], row["dialog_history"], row[META]["agent_turn_count"]) == ("", [], 0)


def test_a_row_without_messages_takes_its_response_from_the_choices() -> None:
    row = result(
        "agent_dialog_normalize_mapper", {"choices": [None, "x", {"delta": {"content": ""}}, {"delta": {"content": "d"}}]}
    )
    assert (row["query"], row["response"]) == ("", "d")


def test_turns_begin_with_users_and_keep_what_came_before_the_first() -> None:
    row = normalized(
        said("tool", "lost"), said("assistant", "hello"), said("user", "a"), said("user", "b"), said("Assistant", "c")
    )
    assert row["dialog_history"] == [["", "hello"], ["a", ""], ["b", "c"]]
    assert row["text"] == "Assistant: hello\n\nUser: a\n\nUser: b\n\nAssistant: c"


def test_what_the_system_says_goes_to_the_next_user_on_request() -> None:
    messages = [said("system", "S"), said("user", "u"), said("system", "T"), said("user", "v")]
    assert normalized(*messages)["dialog_history"] == [["u", ""], ["v", ""]]
    joined = normalized(*messages, include_system_in_first_user=True)
    assert joined["dialog_history"] == [["S\n\nu", ""], ["T\n\nv", ""]]


def test_more_than_ten_tools_are_counted() -> None:
    calls = [{"function": {"name": f"t{number}"}} for number in (*range(12), 0)] + [
        None,
        "x",
        {"function": {"name": 5}},
        {"function": "f"},
    ]
    row = normalized(said("user", "u"), said("assistant", "", tool_calls=calls))
    assert row["response"] == "[Tool calls: t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, ...+2]"
    assert row[META]["agent_tool_types"] == [f"t{number}" for number in range(12)]


def test_skills_are_files_and_headings_of_one_word() -> None:
    text = "/x/pdf/SKILL.md C:\\skills\\win\\skill.md /x/bar-baz/SKILL.md\n## web.search\n## two words\n# one\n## a.b.c\n"
    assert normalized(said("system", text))[META]["agent_skill_types"] == ["pdf", "win", "web.search"]


@pytest.mark.parametrize(
    ("limit", "head", "tail", "note"),
    [
        (3000, 3000, 0, ""),
        (0, 3000, 0, ""),
        (-1, 3000, 0, ""),
        (1, 0, 0, "\n…[truncated — agent_dialog_normalize_mapper]…"),
        (527, 479, 0, "\n…[truncated — agent_dialog_normalize_mapper]…"),
        (528, 200, 200, "\n\n[··· 2600 chars omitted from middle; head+tail preserved — agent_dialog_normalize_mapper]\n\n"),
        (1000, 540, 332, "\n\n[··· 2128 chars omitted from middle; head+tail preserved — agent_dialog_normalize_mapper]\n\n"),
    ],
)
def test_long_parts_keep_head_and_tail(limit: int, head: int, tail: int, note: str) -> None:
    row = normalized(said("user", LONG), history_max_user_chars=limit)
    assert row["query"] == LONG[:head] + note + LONG[3000 - tail :]
    assert row[META]["agent_dialog_history_compressed"] == bool(note)


@pytest.mark.parametrize(("share", "head"), [(-1.0, 305), (0.5, 436), (1.0, 672)])
def test_the_share_of_the_head_is_bounded(share: float, head: int) -> None:
    row = normalized(said("user", LONG), history_max_user_chars=1000, history_compress_head_ratio=share)
    assert row["query"].index("\n") == head


def test_a_long_answer_of_a_tool_is_shortened() -> None:
    row = normalized(said("user", "u"), said("tool", LONG), history_tool_result_max_chars=1000)
    assert len(row["response"]) < 1000
    assert row[META]["agent_dialog_history_compressed"]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"request_id": " ", "trace_id": 7, "id": "x"}, "7"),
        ({"request_id": None, "id": " x "}, "x"),
        ({"id": {"a": 1}}, '{"a": 1}'),
        ({}, None),
    ],
)
def test_the_first_request_id_that_is_not_blank_counts(row: dict[str, Any], found: str | None) -> None:
    assert tags("agent_dialog_normalize_mapper", {"messages": [], **row}).get("agent_request_id") == found


def test_a_lone_surrogate_rejects_its_row_alone() -> None:
    [op] = djfast.load_ops(["agent_dialog_normalize_mapper"])
    lines = ['{"text": "", "messages": [{"role": "user", "content": "\\ud800"}]}', '{"text": "", "messages": []}']
    dataset = djfast.Dataset.from_list([json.loads(line) for line in lines]).process(op)
    assert [row["messages"] for row in dataset.to_list()] == [[]]
    assert [bad.line for bad in dataset.rejected] == [1]


@pytest.mark.parametrize(
    ("names", "primary", "dominant"),
    [
        (["e", "d", "c", "b", "a", "z", "d"], "d", ["d", "e", "c", "b", "a"]),
        ([" x ", "", None, {}, [], "x"], "x", ["x"]),
        ("text", None, []),
        (None, None, []),
        ({"a": 1}, None, []),
    ],
)
def test_tools_are_ranked(names: Any, primary: str | None, dominant: list[str]) -> None:
    found = tags("agent_tool_type_mapper", {META: {"agent_tool_types": names}})
    assert (found["primary_tool_type"], found["dominant_tool_types"]) == (primary, dominant)


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        ("ERROR : x", "error"),
        ("errors: none", "success"),
        ("unfailed", "success"),
        ("Not \n found", "error"),
        ("请求失败", "error"),
        ("发生了错误", "success"),
        (" ", "unknown"),
        (None, "unknown"),
        ([], "unknown"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "exception"}], "error"),
        ({"status": "failed"}, "error"),
        (5, "success"),
    ],
)
def test_answers_of_tools_are_judged(content: Any, verdict: str) -> None:
    found = tags("tool_success_tagger_mapper", {"messages": [None, "x", said("user", "error: x"), said("TOOL", content)]})
    assert [each["result"] for each in found["tool_results"]] == [verdict]


def test_patterns_of_the_recipe_replace_those_of_tools() -> None:
    row = {"messages": [said("function", "error: x"), said("function", "bad"), said("function", "y" * 300)]}
    found = tags("tool_success_tagger_mapper", row, error_patterns=["^bad"], tool_role_names=["Function"])
    assert [each["result"] for each in found["tool_results"]] == ["success", "error", "success"]
    assert len(found["tool_results"][2]["content_preview"]) == 200
    with pytest.raises(RecipeError, match=r"error_patterns must be a valid regular expression .*, got '\('"):
        tags("tool_success_tagger_mapper", row, error_patterns=["("])


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ({"usage": {"prompt_tokens": 1, "completion_tokens": 0, "output_tokens": 4}}, (1, 4, 5)),
        ({"usage": {"prompt_tokens": "5", "completion_tokens": "x", "total_tokens": "9"}}, (5, 0, 9)),
        ({"usage": {"total_tokens": 7}}, (0, 0, None)),
        ({"usage": {"prompt_tokens": True, "completion_tokens": [1]}}, (0, 0, None)),
        ({"usage": "x", "choices": "x", "response_metadata": "x"}, (0, 0, None)),
        ({"choices": [None, 5, {"usage": None}, {"message": "s"}, {"message": {"usage": {"prompt_tokens": 2}}}]}, (2, 0, 2)),
        ({"response_metadata": {"prompt_tokens": 9}}, (9, 0, 9)),
        ({"usage": {"prompt_tokens": 3, "total_tokens": 3}, "choices": [{"usage": {"prompt_tokens": 3}}]}, (3, 0, 3)),
        ({"usage": {"prompt_tokens": 3}, "choices": [{"usage": {"prompt_tokens": 3, "total_tokens": 8}}]}, (6, 0, 8)),
    ],
)
def test_usages_are_added_up(row: dict[str, Any], counts: tuple[int, int, int | None]) -> None:
    found = tags("usage_counter_mapper", row)
    assert (found["prompt_tokens"], found["completion_tokens"], found["total_tokens"]) == counts


def codes(row: dict[str, Any], **params: Any) -> tuple[str, list[str]]:
    found = tags("agent_bad_case_signal_mapper", row, **params)
    return found["agent_bad_case_tier"], [each["code"] for each in found["agent_bad_case_signals"]]


def of_stats(**stats: Any) -> dict[str, Any]:
    return {"__dj__stats__": stats}


@pytest.mark.parametrize(
    ("row", "params", "tier", "found"),
    [
        (
            {META: {"tool_fail_count": 1}},
            {"high_precision_on_tool_fail_alone": False},
            "watchlist",
            ["tool_message_error_pattern"],
        ),
        ({META: {"tool_fail_count": "x", "tool_success_ratio": [], "total_tokens": {}}}, {"max_total_tokens": 1}, "none", []),
        ({META: {"tool_success_ratio": "0.1", "tool_success_count": 5}}, {}, "watchlist", ["low_tool_success_ratio"]),
        ({META: {"tool_success_ratio": 0.1, "tool_success_count": 1}}, {}, "none", []),
        ({META: {"total_tokens": 101}}, {"max_total_tokens": 100}, "watchlist", ["high_token_usage"]),
        ({META: {"total_tokens": 100}}, {"max_total_tokens": 100}, "none", []),
        ({META: {"agent_total_cost_time_ms": 1.5}}, {"max_latency_ms": 1}, "watchlist", ["high_latency_ms"]),
        (
            of_stats(llm_analysis_score=0.24, llm_analysis_record='{"recommendation": "Discard "}'),
            {},
            "high_precision",
            ["llm_agent_analysis_eval_low"],
        ),
        (of_stats(llm_quality_score=0.1, llm_quality_record="no JSON"), {}, "none", []),
        (
            of_stats(llm_quality_score=0.1),
            {"llm_text_quality_discard_must_be_strict": False},
            "watchlist",
            ["llm_reply_quality_eval_low"],
        ),
        (of_stats(perplexity=800), {"signal_on_high_perplexity": True}, "watchlist", ["high_perplexity"]),
        (
            of_stats(llm_difficulty_score=0.72, llm_quality_score=0.36),
            {"signal_hard_query_poor_reply": True},
            "watchlist",
            ["hard_query_low_reply_quality_conjunction"],
        ),
        (
            {META: {"dialog_sentiment_labels": [5, "Very ANGRY"]}},
            {"signal_on_negative_sentiment_hint": True},
            "watchlist",
            ["negative_sentiment_label_hint"],
        ),
        (
            {META: {"dialog_coreference": {"score": "2"}, "dialog_proactivity": {"score": 1, "skipped": True}}},
            {},
            "watchlist",
            ["dialog_turn_quality_meta_low"],
        ),
        (
            {META: {"total_tokens": 9, "agent_total_cost_time_ms": 9}},
            {"max_total_tokens": 1, "max_latency_ms": 1, "min_medium_signals_for_watchlist": 3},
            "none",
            ["high_token_usage", "high_latency_ms"],
        ),
        ({"query": ["x"] * 99, "response": 5}, {}, "none", []),
    ],
)
def test_signs_of_bad_cases(row: dict[str, Any], params: dict[str, Any], tier: str, found: list[str]) -> None:
    assert codes(row, **params) == (tier, found)


def test_limits_come_from_a_file_and_first_from_the_model_of_the_request(tmp_path: Path) -> None:
    path = tmp_path / "limits.json"
    path.write_text(
        '{"default": {"max_total_tokens": 50, "perplexity_high_threshold": 50}, '
        '"by_request_model": {"m": {"max_total_tokens": 500}}}'
    )
    given = {"calibration_json_path": str(path), "auto_calibrate_thresholds": True}
    row = {META: {"total_tokens": 100}, **of_stats(perplexity=100)}
    of_m = {META: {"total_tokens": 100, "agent_request_model": " m "}, **of_stats(perplexity=100)}
    assert codes(row, calibration_json_path=str(path))[1] == []
    assert codes(row, **given)[1] == ["high_token_usage", "high_perplexity"]
    assert codes(of_m, **given)[1] == ["high_perplexity"]
    assert codes(row, **given, max_total_tokens=1000, auto_enable_perplexity_from_calibration=False)[1] == []
    assert codes(row, **given, max_total_tokens=1000, calibration_manual_overrides_auto=False)[1][0] == "high_token_usage"


@pytest.mark.parametrize("content", [None, "[1", "[1]"])
def test_a_file_of_limits_that_cannot_be_used_is_an_error_before_the_run(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "limits.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RecipeError, match=r"calibration_json_path .*limits\.json'"):
        codes({}, calibration_json_path=str(path), auto_calibrate_thresholds=True)


def test_a_pipeline_reads_what_the_ops_before_it_found() -> None:
    messages = [said("user", "Do it"), said("assistant", "", tool_calls=[{"function": {"name": "run"}}]), said("tool", "failed")]
    ops = djfast.load_ops(
        ["agent_dialog_normalize_mapper", "agent_tool_type_mapper", "tool_success_tagger_mapper", "agent_bad_case_signal_mapper",
         {"text_length_filter": {"min_len": 20}}]
    )  # fmt: skip
    [row] = djfast.Dataset.from_list([{"text": "", "messages": messages}]).process(ops).to_list(stats=True)
    assert row[META]["primary_tool_type"] == "run"
    assert row[META]["agent_bad_case_tier"] == "high_precision"
    assert row["__dj__stats__"]["text_len"] == len("User: Do it\n\nAssistant: [Tool calls: run]\n[Tool result]\nfailed")


def test_tags_of_an_earlier_run_are_replaced_and_others_stay() -> None:
    before = {META: {"prompt_tokens": 100, "total_tokens": None, "other": [1]}, "usage": {"prompt_tokens": 2}}
    after = {"prompt_tokens": 2, "total_tokens": 2, "other": [1], "completion_tokens": 0}
    assert tags("usage_counter_mapper", before) == after


def test_of_two_ops_with_one_tag_the_later_counts() -> None:
    given = [{"agent_tool_type_mapper": {"tool_types_meta_key": key}} for key in ("first", "second")]
    rows = [{"text": "", META: {"first": ["a"], "second": ["b"]}}]
    [row] = djfast.Dataset.from_list(rows).process(djfast.load_ops(given)).to_list(stats=True)
    assert row[META]["primary_tool_type"] == "b"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"type": "text", "text": {"value": "hello"}}], "hello"),
        ([{"type": "text", "text": ["a", {"content": "b"}, {"text": " c "}]}, " d "], "a\nb\nc\nd"),
        ([{"type": "thinking", "thinking": {"text": "t"}}, {"type": "reasoning", "reasoning_content": "r"}], "t\nr"),
        ([{"reasoning_content": "rc"}, {"type": "output_text", "text": "o"}], "rc\no"),
        ({"value": {"text": "v"}}, "v"),
        ({"text": "", "content": [{"type": "text", "text": 1.5}]}, "1.5"),
        (True, "True"),
        ([{"type": "text", "content": "no text"}, {"type": "text", "text": {"other": "x"}}, 5], ""),
    ],
)
def test_contents_of_messages_have_many_forms(content, said):
    [op] = djfast.load_ops(["agent_dialog_normalize_mapper"])
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": content}]
    [row] = djfast.Dataset.from_list([{"text": "", "messages": messages}]).process(op).to_list()
    assert (row["query"], row["response"]) == (said, said)


@pytest.mark.parametrize(
    ("called", "names"),
    [
        ({"tool_calls": [{"function_call": {"name": "a"}}]}, ["a"]),
        ({"tool_use": [{"name": "z"}, {"tool_name": "y"}, {"function": {"name": "x"}}]}, ["z", "x"]),
        ({"tool_calls": [], "tool_use": [{"name": "b"}]}, ["b"]),
        ({"tool_calls": [{"name": "a"}], "tool_use": [{"name": "b"}]}, ["a"]),
        ({"tool_calls": [{"function": {}, "name": "c"}]}, ["c"]),
    ],
)
def test_names_of_called_tools_stand_in_many_places(called, names):
    [op] = djfast.load_ops(["agent_dialog_normalize_mapper"])
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, **called}]
    [row] = djfast.Dataset.from_list([{"text": "", "messages": messages}]).process(op).to_list(stats=True)
    assert row["response"] == f"[Tool calls: {', '.join(names)}]"
    assert row["__dj__meta__"]["agent_tool_types"] == names


@pytest.mark.parametrize(
    ("content", "shown", "result"),
    [
        ([{"type": "text", "text": None}], "", "unknown"),
        ([{"type": "text", "content": "tc"}], "", "unknown"),
        ([{"type": "text", "text": {"value": "v"}}], '{"value": "v"}', "success"),
        ([{"type": "text", "text": ["a", {"content": "b"}]}, " c "], 'a\n{"content": "b"}\nc', "success"),
        ([{"type": "text", "text": 5}, {"type": "text", "text": True}], "5\nTrue", "success"),
        ([{"type": "output_text", "text": "o"}], '{"type": "output_text", "text": "o"}', "success"),
        ([1, 2], "", "unknown"),
        (False, "False", "success"),
    ],
)
def test_answers_of_tools_have_many_forms(content, shown, result):
    [op] = djfast.load_ops(["tool_success_tagger_mapper"])
    rows = [{"text": "", "messages": [{"role": "tool", "content": content}]}]
    [row] = djfast.Dataset.from_list(rows).process(op).to_list(stats=True)
    [found] = row["__dj__meta__"]["tool_results"]
    assert (found["content_preview"], found["result"]) == (shown, result)
