"""Conditions on fields: what they may say, and what they answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError
from djfast.functions.conditions import bind_is_among, bind_is_number_in_range, bind_is_truthy
from djfast.ops.conditions import parse_condition

ROW: dict[str, Any] = {
    "text": "x", "n": 3, "s": None, "tags": ["a"], "m": {"k": [1, 2], "d": {"e": 1}}, "l": [{"q": 1}], "ключ": "да",
}  # fmt: skip


try:
    "a" in 3  # type: ignore[operator]  # noqa: B015
except TypeError as error:
    IN_A_NUMBER = f"TypeError: {error}"  # in Python's words, which differ between its versions


def _answer(condition: str, row: dict[str, Any] = ROW) -> Any:
    [op] = djfast.load_ops([{"general_field_filter": {"filter_condition": condition}}])
    dataset = djfast.Dataset.from_list([row]).compute_stats(op)
    rows = dataset.to_list(stats=True)
    return rows[0]["__dj__stats__"]["general_field_filter_condition"] if rows else dataset.rejected[0].reason


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ("n > 2", True),
        ("n == 3 == 3.0", True),
        ("1 < n <= 2", False),
        ("1 < s < 'a'", False),
        ("3 < n < 'a'", False),
        ("s == None", False),
        ("n != s", False),
        ("not s", True),
        ("-n < 0", True),
        ("n in [1, 2, 3]", True),
        ("n in (1,)", False),
        ("n in {3, 4}", True),
        ("'a' in tags", True),
        ("'a' in s", False),
        ("'a' not in s", True),
        ("s not in tags", True),
        ("'e' in m.d", True),
        ("tags == ['a']", True),
        ("[n] == [3]", True),
        ("n in [missing, 3]", True),
        ("n and tags", True),
        ("s or s", False),
        ("s and s < 1 or n", True),
        ("n or n < 'never looked at'", True),
        ("True == 1", True),
        ("ключ == 'да'", True),
        ("m.k", [1, 2]),
        ("m", {"k": [1, 2], "d": {"e": 1}}),
        ("-n", -3),
        ("s", None),
        ("l.q", None),
        ("text.upper", None),
        ("m.d.e.f.g", None),
        ("\n  n\n  ", 3),
        ("n < 'a'", "TypeError: '<' not supported between instances of 'int' and 'str'"),
        ("-s < 0", "TypeError: bad operand type for unary -: 'NoneType'"),
        ("'a' in n", IN_A_NUMBER),
    ],
)
def test_a_condition_answers_as_in_data_juicer(condition: str, answer: Any) -> None:
    assert _answer(condition) == answer
    assert type(_answer(condition)) is type(answer)


def test_unicode_texts_are_compared_by_their_code_points() -> None:
    assert _answer("text == '数据😀'", {"text": "数据😀"}) is True


@pytest.mark.parametrize(
    ("condition", "place", "what"),
    [
        ("n + 1", 1, "arithmetic is not allowed"),
        ("n == open('f')", 6, "a call is not allowed"),
        ("text.upper()", 1, "a call is not allowed"),
        ("tags[0] == 'a'", 1, "a subscript is not allowed"),
        ("'a'.b", 1, "a dot behind anything but a field is not allowed"),
        ("s is None", 6, "is is not allowed"),
        ("n if n else 1", 1, "if ... else is not allowed"),
        ("~n", 1, "~ is not allowed"),
        ("n == b'x'", 6, "a value of type bytes is not allowed"),
        ("'ж' == 2j", 8, "a value of type complex is not allowed"),
        ("n == ...", 6, "a value of type ellipsis is not allowed"),
        ("[*tags] == n", 2, "a star is not allowed"),
        ("{n}", 1, "a set that nothing is compared with is not allowed"),
        ("  n == (lambda: 1)", 9, "a lambda is not allowed"),
        ("n > 1; m", 6, "not understood"),
        ("  n > 1; m", 8, "not understood"),
        ("n == f'{n}'", 6, "a formatted text is not allowed"),
        ("not " * 51 + "n", 205, "more than 50 levels of nesting is not allowed"),
    ],
)
def test_a_wrong_condition_is_one_error_with_its_column(condition: str, place: int, what: str) -> None:
    with pytest.raises(RecipeError) as caught:
        djfast.load_ops([{"general_field_filter": {"filter_condition": condition}}])
    message = str(caught.value)
    assert message.startswith(f"general_field_filter: filter_condition: column {place}: {what}")
    assert "allowed are names of fields with dots" in message
    assert message.endswith(f", got {condition[:200]!r}")


@pytest.mark.parametrize(
    "condition",
    [
        "n ==",
        "n = 1",
        "(n > 1",
        "'n",
        "a" * 10_001,
        "(" * 5_000,
        "-" * 9_999 + "1",
        "not " * 2_000 + "n",
        "n\0",
        "[" * 200,
        "1" + "0" * 9_000 + " < n",
    ],
)
def test_broken_and_excessive_conditions_are_refused_and_do_no_harm(condition: str) -> None:
    with pytest.raises(RecipeError):
        parse_condition(condition)


def test_lines_are_told_where_a_condition_has_many() -> None:
    with pytest.raises(RecipeError, match="line 3, column 3: a call"):
        parse_condition("\n(n > 1 and\n  f())")
    with pytest.raises(RecipeError, match="line 2, column 1: a value of type bytes"):
        parse_condition("# only a remark\rb'x'")


@pytest.mark.parametrize("condition", ["", " ", "\n\t"])
def test_a_blank_condition_keeps_every_row(condition: str) -> None:
    [op] = djfast.load_ops([{"general_field_filter": {"filter_condition": condition}}])
    rows = [{"text": "a"}, {"text": None}, {}]
    assert djfast.Dataset.from_list(rows).process(op).to_list() == rows


def test_stats_of_earlier_filters_are_fields() -> None:
    ops = djfast.load_ops(
        [
            {"text_length_filter": {"min_len": 1}},
            {"general_field_filter": {"filter_condition": "__dj__stats__.text_len >= 3"}},
            {"specified_numeric_field_filter": {"field_key": "__dj__stats__.text_len", "max_value": 4}},
            {"specified_field_filter": {"field_key": "text_len", "target_value": [4]}},
        ]
    )
    rows = [{"text": "ab"}, {"text": "abc"}, {"text": "abcd"}, {"text": "abcde"}]
    assert djfast.Dataset.from_list(rows).process(ops).to_list() == [{"text": "abcd"}]


def test_what_earlier_mappers_wrote_is_seen() -> None:
    ops = djfast.load_ops(
        [{"whitespace_normalization_mapper": {}}, {"general_field_filter": {"filter_condition": "text == 'a'"}}]
    )
    assert djfast.Dataset.from_list([{"text": " a "}, {"text": "b"}]).process(ops).to_list() == [{"text": "a"}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", True), ("null", False), ("0", False), ('""', False), ("[]", False), ('"0"', True), ("[0]", True), ("-0.0", False)],
)
def test_truth_is_that_of_python(value: str, expected: Any) -> None:
    assert bind_is_truthy()(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", True), ("1.0", True), ("true", True), ('"1"', False), ("[]", True), ("[1, 1.0]", True), ("[1, 2]", False),
        ("null", False), ("", False), ('{"a": [1]}', True), ('{"a": [2]}', False),
    ],
)  # fmt: skip
def test_values_are_equal_as_in_python(value: str, expected: Any) -> None:
    values = [json.dumps(1), json.dumps({"a": [1]})]
    assert bind_is_among(values=values, reverse=False)(value) is expected
    assert bind_is_among(values=values, reverse=True)(value) is not expected


@pytest.mark.parametrize(
    ("value", "inside", "outside"),
    [
        ("2", True, False), ("3", True, True), ("4", False, True), ('" 2_0e-1 "', True, False), ("true", True, True),
        ("0", False, False), ("0.0", False, False), ("false", False, False), ("null", False, False), ("", False, False),
        ('""', False, False), ('"abc"', False, False), ('"0"', False, True), ('"nan"', False, True), ('"inf"', False, True),
        ("1" + "0" * 400, False, False),
    ],
)  # fmt: skip
def test_numbers_lie_in_a_range_as_in_data_juicer(value: str, inside: Any, outside: Any) -> None:
    bounds = {"low": 1.0, "high": 3.0, "low_closed": True, "high_closed": True}
    assert bind_is_number_in_range(**bounds, reverse=False)(value) is inside
    bounds |= {"low_closed": False, "high_closed": False}  # so that a reversed range keeps its bounds
    assert bind_is_number_in_range(**bounds, reverse=True)(value) is outside


@pytest.mark.parametrize("value", ["[1]", "[]", "{}"])
def test_a_list_is_no_number_and_sets_its_row_aside(value: str) -> None:
    [op] = djfast.load_ops([{"specified_numeric_field_filter": {"field_key": "n"}}])
    dataset = djfast.Dataset.from_list([{"n": json.loads(value)}, {"n": 1}]).process(op)
    assert dataset.to_list() == [{"n": 1}]
    assert dataset.rejected[0].reason.startswith("TypeError: a number or a text that spells one is needed")


@pytest.mark.parametrize("name", ["specified_field_filter", "specified_numeric_field_filter"])
def test_without_a_field_every_row_is_kept(name: str) -> None:
    [op] = djfast.load_ops([name])
    rows = [{"text": "a"}, {}]
    assert djfast.Dataset.from_list(rows).process(op).to_list() == rows


def test_mixed_values_may_be_wanted() -> None:
    [op] = djfast.load_ops([{"specified_field_filter": {"field_key": "v", "target_value": [1, "a", None]}}])
    rows = [{"v": 1}, {"v": "a"}, {"v": None}, {}, {"v": "b"}]
    assert djfast.Dataset.from_list(rows).process(op).to_list() == rows[:4]


def test_a_row_without_a_suffix_is_set_aside() -> None:
    [op] = djfast.load_ops([{"suffix_filter": {"suffixes": "txt", "reversed_range": True}}])
    dataset = djfast.Dataset.from_list([{"text": "a"}, {"text": "b", "__dj__suffix__": ".md"}]).process(op)
    assert [row["text"] for row in dataset.to_list()] == ["b"]
    assert [bad.reason for bad in dataset.rejected] == ["field '__dj__suffix__' is missing"]
