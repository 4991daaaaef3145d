import pytest
from hypothesis import given
from hypothesis import strategies as st

from djfast.spelling import did_you_mean, distance, nearest

WORDS = st.text("abc", max_size=6)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("", "", 0),
        ("a", "", 1),
        ("ab", "ba", 1),
        ("min_len", "min_lne", 1),
        ("kitten", "sitting", 3),
        ("abc", "abc", 0),
    ],
)
def test_steps_between_words_are_counted(first, second, expected):
    assert distance(first, second) == expected


@given(WORDS, WORDS)
def test_distance_is_symmetric_and_bounded(first, second):
    steps = distance(first, second)
    assert steps == distance(second, first)
    assert abs(len(first) - len(second)) <= steps <= max(len(first), len(second))
    assert (steps == 0) == (first == second)


@given(WORDS, st.lists(WORDS, max_size=8))
def test_the_nearest_name_is_the_one_with_the_fewest_steps(given_name, names):
    allowed = max(1, len(given_name) // 3)
    near = sorted((distance(given_name, name), name) for name in names if distance(given_name, name) <= allowed)
    assert nearest(given_name, names) == (near[0][1] if near else None)


def test_names_too_far_away_are_not_suggested():
    assert did_you_mean("zebra", ["min_len", "max_len"]) == ""
    assert did_you_mean("min_lenght", ["min_len", "max_len"]) == " (did you mean 'min_len'?)"
