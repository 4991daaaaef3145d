"""Lists of numbers in intervals."""

from __future__ import annotations

import pytest

from djfast.functions.ranges import bind_list_in_range


def in_range(low=None, high=None, *, low_closed=True, high_closed=True, reverse=False, any_or_all="any", when_empty=False):
    bounds = {"low": low, "high": high, "low_closed": low_closed, "high_closed": high_closed}
    return bind_list_in_range(**bounds, reverse=reverse, any_or_all=any_or_all, when_empty=when_empty)


@pytest.mark.parametrize(
    ("value", "any_of", "all_of"),
    [("[1,2,3]", True, False), ("[2,3]", True, True), ("[1]", False, False), ("2.0", True, True), ("[NaN]", False, False)],
)
def test_any_or_all_numbers_lie_inside(value, any_of, all_of):
    assert in_range(2, 3)(value) is any_of
    assert in_range(2, 3, any_or_all="all")(value) is all_of


@pytest.mark.parametrize("value", ["[]", "null", ""])
@pytest.mark.parametrize("when_empty", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
def test_nothing_is_answered_as_asked(value, when_empty, reverse):
    assert in_range(1, when_empty=when_empty, reverse=reverse)(value) is when_empty


def test_bounds_belong_to_the_interval_if_it_is_closed():
    assert in_range(1, 2, low_closed=False)("1") is False
    assert in_range(1, 2, high_closed=False)("2") is False
    assert in_range(1, 2, low_closed=False, high_closed=False, reverse=True)("[1]") is True


@pytest.mark.parametrize("value", ['"a"', "[true]", "{}", "[[1]]"])
def test_what_is_no_number_is_an_error(value):
    with pytest.raises(ValueError, match="a stat must be"):
        in_range(1)(value)
