"""JSON in answers: found, repaired, checked."""

from __future__ import annotations

import contextlib
import json
import sys
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
        ('{"a": "\\u12"}', {"a": "\\u12"}),
        ('{"a": 1, // in years\n "b": {"a": 4}}', {"a": 1, "b": {"a": 4}}),
        ('{ # first\n "a": /* or so */ 1}', {"a": 1}),
        ("{“a”: “it’s”, ‘b’: ‘it’s so’, „c“: 1}", {"a": "it’s", "b": "it’s so", "c": 1}),
        ('[{"a": 1}]', {"a": 1}),
        ('Here:\n```json\n[{"a": 1,}]\n```', {"a": 1}),
        ('[{"a": 1}, {"a": 2}]', None),
        ('{"a": 1}\n{"a": 2}\n{"a": 3}', None),
        ('{"a": 1}\n{"a": 1}', {"a": 1}),
        ('{"a": undefined}', {"a": None}),
        ('{"a": <unknown>, "b": {"a": 1}}', None),
        ('{"a": 1.5e3, "b": -2, "c": .5,}', {"a": 1500.0, "b": -2, "c": 0.5}),
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


CUT = ['{"a": "cut o', '{"a": "cut\\', '{"a": [1, {"b": "c"', '{"a": 1, "b', '{"a": 1, "b":', '{"a": 1, "b": tr',
       '{"a": 1, "b": 12', '{"a": [1, 2', '{"a": 1,', "{", '{"a": {"b": "c"}', '```json\n{"a": "x", "b": ["y"]\n```']  # fmt: skip


@pytest.mark.parametrize("text", CUT)
def test_what_is_cut_off_is_not_made_up(text):
    with pytest.raises(UnusableAnswerError):
        read_json(text)


def test_braces_may_be_missing_at_the_end_where_all_is_there_that_is_required():
    schema = {"type": "object", "required": ["scores"]}
    assert read_json('{"scores": {"a": "4"}, "why": "so"', schema) == {"scores": {"a": "4"}, "why": "so"}
    assert read_json('{"scores": {"a": "4"', schema) == {"scores": {"a": "4"}}
    for text in ('{"scores": {"a": 4', '{"scores": ["a"', '{"scores": {"a": "4"}, "why": "s', '{"why": "so"'):
        with pytest.raises(UnusableAnswerError):
            read_json(text, schema)


def test_of_several_values_that_fit_the_last_one_is_taken():
    schema = {"type": "object", "required": ["score"]}
    assert read_json('{"draft": 1} then {"score": 2} and {"score": 3} and {"note": 4}', schema) == {"score": 3}
    assert read_json('{"score": 1}\n```json\n{"score": 2}\n```\nas in {"score": 3}', schema) == {"score": 2}


INNER = '"pet": {"name": "Rex", "age": 4}}'


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Mara "the star" Lee" and "co, "age": 30, ' + INNER,
        '{"name": "Mara", "age": NaN, ' + INNER,
        '{"name": "Mara", "age": 2024-1994, ' + INNER,
        '{"name": "Mara", "age": 30 years, ' + INNER,
        '{"name": "Mara", "friends": ["Ada", ...], ' + INNER,
        '{"name": "Mara", "friends": ["Ada", …], ' + INNER,
        '{"name": "Mara", "age": about 30!, ' + INNER[:-1],
        '{"name": "Mara", "age": 5\'4", ' + INNER,
        '{"name": "Mara", "code": "```json\n{\"x\": 1}\n```" oops, ' + INNER,
        '{"name": "a } b" c, ' + INNER,
        '{"name": "Lee"}\n{"name": "Mara", "age": 2024-1994, ' + INNER,
        '{name: Mara, age: 12 + 18, ' + INNER,
    ],
)
def test_an_inner_object_is_never_taken_for_the_whole(text):
    """It is read as a whole, with the right values, or not at all."""
    with contextlib.suppress(UnusableAnswerError):
        found = read_json(text)
        assert found["pet"] == {"name": "Rex", "age": 4}
        assert str(found["name"]).startswith(("Mara", "a } b"))
        assert found.get("age", 30) == 30


PET = {"type": "object", "properties": {"name": {}, "age": {}}}


@pytest.mark.parametrize(
    "text",
    [
        '"name": "Mara", "age": 30, ' + INNER,
        "'name': 'Mara', 'pet': {'name': 'Rex', 'age': 4}}",
        'Person(name="Mara", age=30, pet={"name": "Rex", "age": 4})',
        "dict(pet = {'name': 'Rex'}, name='Mara')",
        'name: Mara\nage: 30\npet:\n  {"name": "Rex", "age": 4}',
        '- **Name**: Mara\n- **Pet**: {"name": "Rex", "age": 4}',
        '{"name": "Lee"}, or rather\n"name": "Mara", ' + INNER,
    ],
)
def test_an_object_within_what_is_no_json_is_never_taken(text):
    with pytest.raises(UnusableAnswerError, match=r"is broken around"):
        read_json(text, PET)


@pytest.mark.parametrize("before", ["Answer: ", "Thought: easy\nAnswer:\n", "data = ", "**JSON**:\n\n", '"it" is ', "so, "])
def test_an_object_behind_other_words_is_the_answer(before):
    assert read_json(before + '{"name": "Mara", "age": 30}', PET) == {"name": "Mara", "age": 30}


@pytest.mark.parametrize("text", ['{"name": "Mara", "age": , "tall": true}', '{"name": , "age": 3}', '{"name": "Mara", "age": }'])
def test_a_value_that_is_missing_is_not_made_up(text):
    with pytest.raises(UnusableAnswerError):
        read_json(text, PET)


def test_the_package_for_repairs_is_a_second_try():
    pytest.importorskip("json_repair", reason="json_repair is not installed")
    assert read_json('{"name": "Mara" "age": 30}') == {"name": "Mara", "age": 30}
    assert read_json('{"说": "好，"，"b": 1}') == {"说": "好，", "b": 1}
    assert read_json('{"name": Mara Lee, "age": 30}') == {"name": "Mara Lee", "age": 30}
    with pytest.raises(UnusableAnswerError, match="must have age, got 'name'"):
        read_json('{"name": Mara Lee}', {"type": "object", "required": ["age"]})


def test_without_the_package_what_it_repairs_is_unusable(monkeypatch):
    monkeypatch.setitem(sys.modules, "json_repair", None)
    with pytest.raises(UnusableAnswerError, match="cannot be read as JSON"):
        read_json('{"name": "Mara" "age": 30}')


@pytest.mark.parametrize("text", ['{"a": "' + "(" * 3_000_000 + '" b }', '{"a": ' + "(" * 15_000 + "}"])
def test_what_cannot_be_repaired_takes_no_time(text):
    started = time.monotonic()
    with pytest.raises(UnusableAnswerError):
        read_json(text)
    assert time.monotonic() - started < 5


def test_whatever_the_package_raises_is_no_answer():
    """Found among random texts: an assertion of the package fails."""
    with contextlib.suppress(UnusableAnswerError):
        read_json('{"a(name```json\n][(...{“”,```，}(:1|\n}(-\n”#"x""x":[”```json\n{#\'\ud83d[=```"}')


@pytest.mark.parametrize("text", ['{"a": 1 "b": 2 "c": }', '{"a": "x" : "y" : "z"}', '{"a" = 1; "b" = 2, "a": 3 4}'])
def test_a_repair_loses_nothing(text):
    with contextlib.suppress(UnusableAnswerError):
        letters = [each for each in text if each.isalnum()]
        assert [each for each in json.dumps(read_json(text)) if each.isalnum()] == letters


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


@given(st.dictionaries(st.text(min_size=1), VALUES, min_size=1, max_size=4), st.data())
def test_an_end_that_is_cut_off_is_never_a_value(value, data):
    text = json.dumps(value, ensure_ascii=False)
    cut = data.draw(st.integers(1, len(text) - 1))
    with pytest.raises(UnusableAnswerError):
        read_json(text[:cut])


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
