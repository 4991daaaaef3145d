"""ROUGE-L, against the definition and against a package."""

from __future__ import annotations

import random
import time
from functools import cache

import pytest

from djfast.functions.rouge import rouge_l


def plain(words: tuple[str, ...], others: tuple[str, ...]) -> float:
    """The definition, word for word."""

    @cache
    def common(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return 0
        if words[i - 1] == others[j - 1]:
            return common(i - 1, j - 1) + 1
        return max(common(i - 1, j), common(i, j - 1))

    length = common(len(words), len(others))
    if length == 0:
        return 0.0
    precision, recall = length / len(words), length / len(others)
    return 2 * precision * recall / (precision + recall)


def _texts(seed: int) -> tuple[str, str]:
    draw = random.Random(seed)
    a, b = (" ".join(draw.choices("abcde", k=draw.randrange(0, 40))) for _ in range(2))
    return a, b


@pytest.mark.parametrize("seed", range(50))
def test_it_is_the_definition(seed: int) -> None:
    text, other = _texts(seed)
    assert rouge_l(text, other) == pytest.approx(plain(tuple(text.split()), tuple(other.split())))


@pytest.mark.parametrize("seed", range(50))
def test_it_is_that_of_the_package(seed: int) -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer", reason="rouge-score is not installed")
    text, other = _texts(seed)
    assert rouge_l(text, other) == pytest.approx(scorer.RougeScorer(["rougeL"]).score(other, text)["rougeL"].fmeasure)


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        ("", "", 0.0),
        ("a", "", 0.0),
        (" \n", "a", 0.0),
        ("a", "a", 1.0),
        ("a  b\nc", "a b c", 1.0),
        ("a b", "b a", 0.5),
        ("水在一百度沸腾", "水在九十度沸腾", 5 / 7),
        ("日本 is ok", "日本isok", 2 * 2 / (4 + 3)),
        ("\U0001f600 x", "\U0001f600 y", 0.5),
    ],
)
def test_words_are_what_spaces_part_and_single_characters_of_scripts_without(text: str, other: str, expected: float) -> None:
    assert rouge_l(text, other) == pytest.approx(expected)
    assert rouge_l(other, text) == pytest.approx(expected)


def test_long_texts_are_compared_by_their_beginnings_in_little_time() -> None:
    began = time.monotonic()
    assert rouge_l("a b " * 10_000 + "c " * 10**6, "a b " * 10_000 + "d " * 10**6) == 1.0
    assert time.monotonic() - began < 10
