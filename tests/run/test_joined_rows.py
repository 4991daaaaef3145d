"""Rows that groupers join: one that Python cannot read is rejected alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import djfast
from tests.run.test_recipes import read_lines, recipe

_LINES = [
    b'{"text": "a", "d": 1}',
    b'{"text": "b", "d": {"__dj__bytes__": "!!!"}}',
    b'{"text": "b", "d": ' + b"7" * 5000 + b"}",
    b'{"text": "b", "d": 1, "d": 2}',
    b'{"text": "b", "d": 1e400}',
    b'{"text": "c", "d": 1}',
]


@pytest.mark.parametrize("use_checkpoint", [False, True])
@pytest.mark.parametrize("op", [{"naive_grouper": {}}, {"key_value_grouper": {"group_by_keys": ["d"]}}])
def test_a_row_that_python_cannot_read_joins_no_group(tmp_path: Path, op: dict[str, Any], use_checkpoint: bool) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(_LINES) + b"\n")
    djfast.run(recipe(tmp_path, [{"whitespace_normalization_mapper": {}}, op], use_checkpoint=use_checkpoint))
    assert read_lines(tmp_path / "out" / "result.jsonl") == [{"text": ["a", "c"], "d": [1, 1]}]
    rejected = (tmp_path / "out" / "result.rejected.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in rejected]
    assert [(entry["line"], entry["reason"]) for entry in entries] == [
        (2, "__dj__bytes__ must be base64, got '!!!'"),
        (3, "an integer has more than 4300 digits"),
        (4, "a key occurs twice in one object: 'd'"),
        (5, "a number is too large for a double: 1e400"),
    ]
