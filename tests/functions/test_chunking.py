"""Texts cut into rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import ModelError, RecipeError
from djfast.functions import chunking, patterns


def _chunks(text: Any, **params: Any) -> list[str]:
    [op] = djfast.load_ops([{"text_chunk_mapper": params}])
    return [row["text"] for row in djfast.Dataset.from_list([{"text": text}]).process(op).to_list()]


@pytest.mark.parametrize(
    ("text", "params", "chunks"),
    [
        ("one two\n\nthree", {"split_pattern": "(?=t)"}, ["one ", "two\n\n", "three"]),
        ("a1b22c", {"split_pattern": r"(\d)"}, ["a", "1", "b", "2", "2", "c"]),
        ("a,b.c", {"split_pattern": "(,)|([.])"}, ["a", ",", "b", ".", "c"]),
        ("abc", {"split_pattern": "x*"}, ["a", "b", "c"]),
        (" \n ", {}, []),
        ("数据\n\n😀", {}, ["数据", "😀"]),
        ("    ", {"split_pattern": None, "max_len": 2}, ["  ", "  "]),
        ("数据😀é", {"split_pattern": None, "max_len": 3, "overlap_len": 2}, ["数据😀", "据😀é", "😀é", "é"]),
        ("    ", {"split_pattern": "zz", "max_len": 2}, ["  "]),
        ("a  b  c", {"split_pattern": "zz", "max_len": 2, "overlap_len": 1}, ["a ", " b", "b ", " c"]),
        ("aaba ab", {"split_pattern": "a", "max_len": 2}, ["a", "b", "b"]),
        ("ab \n", {"split_pattern": r"a\b", "max_len": 3}, ["ab ", "\n"]),
        ("abcd", {"split_pattern": "^", "max_len": 3}, ["abc", "d"]),
        ("abab", {"split_pattern": "(?=a)", "max_len": 3}, ["ab", "ab"]),
        ("", {"max_len": 3}, [""]),
        ("one two", {"split_pattern": r"\s", "max_len": 5, "overlap_len": 2}, ["one", "two"]),
    ],
)
def test_texts_are_cut_as_in_data_juicer(text: str, params: dict[str, Any], chunks: list[str]) -> None:
    assert _chunks(text, **params) == chunks


def test_chunks_without_overlap_make_up_the_text() -> None:
    text = "Ein Satz. Noch einer! 数据 😀\n" * 500
    assert "".join(_chunks(text, split_pattern=None, max_len=7)) == text


def test_thousands_of_chunks_need_no_recursion() -> None:
    assert _chunks("ab " * 20_000, split_pattern=" ", max_len=3) == [*["ab"] * 19_999, "ab "]


def test_other_fields_are_repeated_and_nested_texts_cut() -> None:
    [op] = djfast.load_ops([{"text_chunk_mapper": {"text_key": "doc.body"}}])
    rows = [{"doc": {"body": "a\n\nb", "n": 1}, "id": 7}, {"doc": {"body": "c"}}]
    assert djfast.Dataset.from_list(rows).process(op).to_list() == [
        {"doc": {"body": "a", "n": 1}, "id": 7},
        {"doc": {"body": "b", "n": 1}, "id": 7},
        {"doc": {"body": "c"}},
    ]


@pytest.mark.parametrize(("row", "kind"), [({"text": None}, "null"), ({}, "null"), ({"text": 3}, "integer")])
def test_a_row_without_a_text_is_set_aside(row: dict[str, Any], kind: str) -> None:
    [op] = djfast.load_ops(["text_chunk_mapper"])
    dataset = djfast.Dataset.from_list([row, {"text": "a"}]).process(op)
    assert dataset.to_list() == [{"text": "a"}]
    assert dataset.rejected[0].reason == f"TypeError: field 'text' must be a string, got {kind}"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"split_pattern": None}, "max_len or split_pattern must be given, got null for both"),
        ({"max_len": 5, "overlap_len": 5}, r"overlap_len must be smaller than max_len \(5\), got 5"),
        ({"max_len": 0}, "max_len must be >= 1, got 0"),
    ],
)
def test_cuts_that_cannot_be_made_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        djfast.load_ops([{"text_chunk_mapper": params}])


def test_a_wrong_pattern_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"split_pattern must be a valid regular expression .*got '\('"):
        _chunks("a", split_pattern="(")


@pytest.mark.parametrize("max_len", [None, 90])
def test_a_text_that_takes_too_long_is_given_up(max_len: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MOST_STEPS", 1_000_000)
    cut = chunking.bind_text_chunks("text", max_len, "(a|aa)+$", 0)
    with pytest.raises(TimeoutError, match="more than 1,000,000 steps"):
        cut({"text": "a" * 80 + "b" * 20})


def test_overlaps_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunking, "_MOST_CHARACTERS", 1000)
    with pytest.raises(ValueError, match="at most"):
        chunking.bind_text_chunks("text", 100, None, 99)({"text": "a" * 200})


@pytest.fixture
def tokenizer(tmp_path: Path) -> str:
    """One token for a word, one for each punctuation mark."""
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    return str(tmp_path)


@pytest.mark.parametrize(
    ("params", "chunks"),
    [
        ({"split_pattern": None, "max_len": 2}, ["  one two ", "three, ", "four. ", "数据 six"]),
        ({"split_pattern": None, "max_len": 4, "overlap_len": 2},
         ["  one two three, ", "three, four. ", "four. 数据 six", "数据 six"]),
        ({"split_pattern": "[,.] *", "max_len": 6}, ["  one two three, four", "数据 six"]),
        ({"split_pattern": "e", "max_len": 4}, ["  one two thre", ", four. 数据 ", "six"]),
        ({"split_pattern": None, "max_len": 8}, ["  one two three, four. 数据 six"]),
    ],
)  # fmt: skip
def test_lengths_may_be_in_tokens(params: dict[str, Any], chunks: list[str], tokenizer: str) -> None:
    assert _chunks("  one two three, four. 数据 six", tokenizer=tokenizer, **params) == chunks


def test_a_missing_tokenizer_is_one_error_before_any_row() -> None:
    with pytest.raises(ModelError, match="text_chunk_mapper: tokenizer model not found"):
        _chunks("a", tokenizer="no/such", max_len=3)
