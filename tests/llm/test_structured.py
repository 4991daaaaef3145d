"""JSON in answers: found, repaired, checked."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from djfast.errors import RecipeError, UnusableAnswerError
from djfast.llm.structured import check_schema, mismatch, read_json, response_format

ANY = {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (' \n{"a": 1}\n', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('```\n{"a": 1}\n', {"a": 1}),
        ('Sure! Here it is:\n{"a": {"b": [1, 2]}}\nAnything else?', {"a": {"b": [1, 2]}}),
        ('<think>maybe [1] or {x}</think> {"a": 1}', {"a": 1}),
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2, ], }', {"a": [1, 2]}),
        ("{'a': 'it is \"so\"'}", {"a": 'it is "so"'}),
        ("{'a': 'it\\'s'}", {"a": "it's"}),
        ("{a: True, b: None}", {"a": True, "b": None}),
        ('{"a": "one\ntwo\ttab\x01"}', {"a": "one\ntwo\ttab\x01"}),
        ('{"a": "\\d \\alpha \\\\ \\u00e9"}', {"a": "\\d \\alpha \\ é"}),
        ('{"a": "\\u12"', {"a": "\\u12"}),
        ('{"a": "cut o', {"a": "cut o"}),
        ('{"a": "cut\\', {"a": "cut\\"}),
        ('{"a": [1, {"b": "c"', {"a": [1, {"b": "c"}]}),
        ('{"a": 1, "b', {"a": 1}),
        ('{"a": 1, "b":', {"a": 1}),
        ('{"a": 1, "b": tr', {"a": 1, "b": True}),
        ('{"a": 1, "b": 12', {"a": 1}),  # perhaps 120
        ('{"a": [1, 2', {"a": [1]}),
        ("{", {}),
        ('{"a": 1.5e3, "b": -2, "c": .5,}', {"a": 1500.0, "b": -2, "c": 0.5}),
        ('{"你": "好，"，}', None),
        ('{"a" "b"}', None),
        ('{"a": 1 "b": 2}', None),
        ('{"a": 1e999}', None),
        ('{"a": NaN}', None),
        ("no JSON at all", None),
        ("", None),
        ("[" * 100_000, None),
        ('{"a":' * 100_000, None),
        ("[1, 2]", None),
        ('"{}"', None),
    ],
)
def test_what_models_write_is_read(text, value):
    if value is None:
        with pytest.raises(UnusableAnswerError):
            read_json(text)
    else:
        assert read_json(text) == value


def test_an_array_is_read_when_it_is_wanted():
    assert read_json("The list: ['a', 'b',]", {"type": "array"}) == ["a", "b"]


def test_the_first_value_that_fits_is_taken():
    schema = {"type": "object", "required": ["score"]}
    assert read_json('{"draft": 1} then {"score": 2} and {"score": 3}', schema) == {"score": 2}


def test_the_reason_is_that_of_the_first_candidate():
    with pytest.raises(UnusableAnswerError, match=r"the answer must have score, got 'draft'$"):
        read_json('{"draft": 1}', {"type": "object", "required": ["score"]})


def test_half_a_surrogate_pair_is_replaced():
    assert read_json('{"a": "\\ud83d", "b": "\\ud83d\\ude00"}') == {"a": "\N{REPLACEMENT CHARACTER}", "b": "\U0001f600"}
    assert read_json('{"a": "\\ud83d",}') == {"a": "\N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize(
    "text", ['{"a": "' + "x" * 2_000_000, "{[" * 200_000, "{'" * 200_000, '{"a": 1, ' * 100_000, "\\" * 10**6]
)
def test_hostile_answers_take_no_time(text):
    started = time.monotonic()
    with contextlib.suppress(UnusableAnswerError):
        read_json(text)
    assert time.monotonic() - started < 10


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=30)
@given(st.dictionaries(st.text(), VALUES, max_size=4), st.sampled_from(["{}", "```json\n{}\n```", "See: {} ok"]))
def test_good_json_is_read_unchanged(value, frame):
    assert read_json(frame.replace("{}", json.dumps(value))) == value


@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1, max_size=4), st.data())
def test_a_cut_end_keeps_what_came_before(value, data):
    """Every cut gives an object whose texts are beginnings of the right ones."""
    text = json.dumps(value, ensure_ascii=False)
    cut = data.draw(st.integers(1, len(text)))
    for name, each in read_json(text[:cut]).items():
        assert value[name].startswith(each.rstrip("\\")) or "\\" in each


@given(st.text(alphabet="{}[]\",:'\\ab1. \n`tn", max_size=60))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(UnusableAnswerError):
        assert isinstance(read_json(text), dict)


@pytest.mark.parametrize(
    ("value", "schema", "reason"),
    [
        (1, {"type": "integer"}, None),
        (1.0, {"type": "integer"}, None),
        (1.5, {"type": "integer"}, "x must be integer, got 1.5"),
        (True, {"type": "integer"}, "x must be integer, got true"),
        (True, {"type": ["string", "boolean"]}, None),
        (None, {"type": ["string", "number"]}, "x must be string or number, got null"),
        ("a", {"enum": ["a", 1]}, None),
        (True, {"enum": [1]}, "x must be one of 1, got true"),
        (6, {"type": "number", "maximum": 5}, "x must be <= 5, got 6"),
        (0, {"minimum": 1}, "x must be >= 1, got 0"),
        ({"a": 1}, {"required": ["a", "b"]}, "x must have b, got 'a'"),
        ({}, {"required": ["b"]}, "x must have b, got nothing"),
        ({"a": ""}, {"properties": {"a": {"type": "number"}}}, "x.a must be number, got ''"),
        ({"b": 1}, {"properties": {"a": {}}, "additionalProperties": False}, "x must have nothing but a, got 'b'"),
        ([1, "b"], {"items": {"type": "number"}}, "x[1] must be number, got 'b'"),
        ([], {"type": "array", "items": {"type": "number"}}, None),
    ],
)
def test_a_value_is_checked(value, schema, reason):
    check_schema(schema)
    assert mismatch(value, schema, where="x") == reason


@pytest.mark.parametrize(
    "schema",
    [
        1,
        {"type": "text"},
        {"type": [["string"]]},
        {"pattern": "x"},
        {"required": "a"},
        {"enum": 1},
        {"properties": []},
        {"properties": {"a": {"items": {"$ref": "#"}}}},
        {"minimum": "1"},
        {"additionalProperties": {}},
    ],
)
def test_a_schema_that_would_not_be_checked_is_refused(schema):
    with pytest.raises(RecipeError):
        check_schema(schema)


def test_the_format_of_a_request():
    assert response_format({"type": "object"}, name="scores") == {
        "type": "json_schema",
        "json_schema": {"name": "scores", "schema": {"type": "object"}},
    }
