"""Patterns of recipes: a text may take so many steps, whatever else the machine does."""

from __future__ import annotations

import threading

import pytest

from djfast.errors import RecipeError
from djfast.functions import patterns
from djfast.functions.language_models import checked_pattern
from djfast.functions.patterns import BoundedPattern

SLOW = "(a|aa)+$"
TEXT = "a" * 80 + "b"


@pytest.fixture
def in_a_child(monkeypatch):
    """Every search goes on in a child."""
    monkeypatch.setattr(patterns, "FIRST_SECONDS", 0.0)


def _is_done(pattern: str, text: str) -> bool:
    try:
        BoundedPattern(pattern, "pattern").sub("", text)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    ("work", "arguments", "expected"),
    [
        ("sub", (r"\g<1>-", "aab"), "a-a-b"),
        ("split", ("bab",), ["b", "a", "b"]),
        ("is_in", ("bab",), True),
        ("is_in", ("bb",), False),
        ("last_match", ("abab",), (2, 3)),
        ("last_match", ("b",), None),
        ("sub", ("", "a\ud800é\0"), "\ud800é\0"),
    ],
)
def test_a_child_gives_the_same_answers(in_a_child, work, arguments, expected):
    text = "a" * 100 + arguments[-1]
    pattern = BoundedPattern("(a)", "pattern")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "FIRST_SECONDS", 10.0)
        here = getattr(pattern, work)(*arguments[:-1], text * 100)
    assert getattr(pattern, work)(*arguments[:-1], text * 100) == here
    assert getattr(pattern, work)(*arguments) == expected


@pytest.mark.parametrize("work", ["split", "is_in", "last_match"])
def test_every_kind_of_search_has_the_limit(monkeypatch, work):
    monkeypatch.setattr(patterns, "MOST_STEPS", 1_000_000)
    with pytest.raises(TimeoutError, match="the pattern needs more than 1,000,000 steps for this text"):
        getattr(BoundedPattern(SLOW, "pattern"), work)(TEXT)


def test_the_verdict_does_not_depend_on_other_threads(monkeypatch):
    monkeypatch.setattr(patterns, "FIRST_SECONDS", 0.001)
    shorter, longer = "a" * 27 + "b", "a" * 28 + "b"  # 17.3 and 28.0 million steps
    monkeypatch.setattr(patterns, "MOST_STEPS", 20_000_000)
    verdicts = []

    def judge() -> None:
        verdicts.append([_is_done(SLOW, shorter), _is_done(SLOW, longer)])

    judge()
    threads = [threading.Thread(target=judge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == [verdicts[0]] * 5
    assert verdicts[0] == [True, False]


def test_a_wrong_pattern_is_the_recipe_s_fault():
    with pytest.raises(RecipeError, match="names must be a valid regular expression"):
        BoundedPattern("(", "names")


@pytest.mark.parametrize("pattern", ["a{99999999}", "(a{2000}b){2000}", "(((a?){200}){200}){200}", "[x]{1000001,}"])
def test_a_pattern_that_unfolds_to_gigabytes_is_refused(pattern):
    with pytest.raises(RecipeError, match="names must not repeat its parts more than 1,000,000 times"):
        BoundedPattern(pattern, "names")


@pytest.mark.parametrize("pattern", [r"\{99999999\}", "[{99999999}]", "a{1,99999999}", "x{900}y{900}z{900}", "(a|b{5}){1000}"])
def test_other_counts_are_taken(pattern):
    BoundedPattern(pattern, "names")


def test_groups_that_are_nested_too_deep_are_refused():
    with pytest.raises(RecipeError, match="names must not nest groups so deep"):
        BoundedPattern("(a|" * 3000 + ")" * 3000, "names")


def test_a_template_for_a_pattern_that_calls_itself_for_ever_is_not_waited_for():
    BoundedPattern("(?R)", "names").check_template("", "to")


@pytest.mark.parametrize("pattern", ["(", "(a){99999999999}", "(a|" * 3000 + "(b)" + ")" * 3000])
def test_patterns_for_answers_are_the_recipe_s_fault_too(pattern):
    with pytest.raises(RecipeError, match="an_op: output_pattern must"):
        checked_pattern("an_op", pattern, groups=1)
