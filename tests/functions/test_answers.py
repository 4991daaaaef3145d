"""Parts of answers, whatever a model says."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djfast.functions.answers import marker, names_in, parts, records, sections, unquoted


def test_names_stand_between_punctuation_of_any_script() -> None:
    assert names_in(" 甲、乙，丙; d (e)\u3000f ") == ["甲", "乙", "丙", "d", "e", "f"]
    assert names_in("Mary Ann, Jo") == ["Mary Ann", "Jo"]
    assert names_in("") == names_in("、, ;") == []


def test_sections_end_at_the_next_heading_of_any_kind() -> None:
    heading = re.compile(r"### part \d")
    assert list(sections("### part 1 a\n### other b ### part 2 c", heading)) == [" a\n", " c"]
    assert list(sections("nothing", heading)) == []


def test_parts_come_in_their_order_or_not_at_all() -> None:
    labels = (marker("a"), marker("b"))
    assert parts("- **a**： one\n- two -\n- ** b **: three\n", labels) == ["- **a**：", "one\n- two -", "- ** b **:", "three"]
    assert parts("**b**: x **a**: y", labels) is None


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('("a"<|>x)##("b"<|>y)##("a"<|>z)', ["<|>x", "<|>z"]),
        ('("a"<|>x (in brackets) too) and more (here)', ["<|>x (in brackets) too"]),
        ('("a"<|>a smile :( here)\n("a"<|>y)', ["<|>a smile :( here", "<|>y"]),
        ('("a"<|>never closed', []),
        ("(a)", []),
    ],
)
def test_records_end_where_their_parentheses_do(answer: str, found: list[str]) -> None:
    assert list(records(answer, "a")) == found


@pytest.mark.parametrize(
    ("text", "bare"),
    [("“‘ a ’”", "a"), ("`a`", "a"), ("'a\"", "'a\""), ("'", "'"), ("''", ""), (" a ", "a"), ("“a", "“a"), ("", "")],
)
def test_pairs_of_quotes_around_a_text_go(text: str, bare: str) -> None:
    assert unquoted(text) == bare


def test_layers_of_quotes_may_be_counted() -> None:
    assert unquoted("\"'a'\"", layers=1) == "'a'"


@given(st.text(alphabet="\"'“”‘’` \na", max_size=30))
def test_what_is_unquoted_has_no_quotes_left(text: str) -> None:
    bare = unquoted(text)
    assert bare == bare.strip()
    assert unquoted(bare) == bare


@pytest.mark.parametrize("piece", ['("a"', "(", "### 1", "- **", "**a**：", " ", "'", "**" + " " * 50, "#"])
def test_time_grows_with_the_length_alone(piece: str) -> None:
    answer = piece * (400_000 // len(piece))
    began = time.perf_counter()
    list(records(answer, "a"))
    parts(answer, (marker("a"), marker("b")))
    list(sections(answer, re.compile(r"###[ \t]*\d+")))
    unquoted(answer)
    names_in(answer)
    assert time.perf_counter() - began < 5
