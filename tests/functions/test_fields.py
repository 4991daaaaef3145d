"""Fields of any type, as the JSON that stands for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from djfast import _native


@pytest.mark.parametrize("values", [["a", 'q"\n', ""], [1, -5], [0.1, 2.0, 1e300], [True, False]])
def test_a_computed_value_reads_back_from_its_json(values: list[Any]) -> None:
    assert [json.loads(text) for text in _native.evaluate("json_of", [values], {})] == values


@pytest.mark.parametrize(
    ("head", "path", "found"),
    [
        ('[{"k": 1}, {"k": "x"}, {}, 5, []]', "k", '[1,"x",null,null,[]]'),
        ('{"a": [ {"b": [{"c": 1}, {"c": 2}]} , {"b": []} ]}', "a.b.c", "[[1,2],[]]"),
        ('[{"a.b": 1, "a": {"b": 2}}, {"a": {"b": 3}}]', "a.b", "[1,3]"),
        ('{"a": [1], "b": 2}', "c", ""),
        ('{"a": {"b": "[1]"}}', "a.c", ""),
        ("[]", "k", "[]"),
        ("", "k", ""),
    ],
)
def test_lists_are_looked_through(head: str, path: str, found: str) -> None:
    assert _native.evaluate("through_lists", [[""], [head]], {"path": path}) == [found]


def test_what_was_read_goes_before_lists() -> None:
    assert _native.evaluate("through_lists", [["7"], ['[{"k": 1}]']], {"path": "k"}) == ["7"]
