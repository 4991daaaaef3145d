"""Replacing what a user's pattern matches."""

from __future__ import annotations

import pytest

from djfast.errors import RecipeError
from djfast.functions.replace import bind_regex_replace


@pytest.mark.parametrize(
    ("pattern", "repl", "text", "expected"),
    [
        (r"\d+", "#", "a1b22", "a#b#"),
        (r"a.c", "", "xa\ncx", "xx"),
        (r"(\w+)@(\w+)", r"\2 at \g<1>", "me@home", "home at me"),
        (r"r'\d'", "#", "r'1'", "r'#'"),
        (r'r"\d"', "#", "1", "#"),
        ("r'", "#", "r'1", "#1"),
        ("", "-", "ab", "-a-b-"),
        (r"(?i)K", "x", "k\u212a", "xx"),
        (r"(?x) a # only a", "b", "a b", "b b"),
    ],
)
def test_matches_are_replaced(pattern, repl, text, expected):
    assert bind_regex_replace(pattern, repl)(text) == expected


def test_a_wrong_pattern_is_the_recipe_s_fault():
    with pytest.raises(RecipeError, match=r"pattern must be a valid regular expression .*got '\('"):
        bind_regex_replace("(", "")


@pytest.mark.parametrize(
    "repl", [r"\2", r"\q", r"\g<x>", r"\g<", "\\", r"\x4", r"\N{NO SUCH NAME}", r"\U99999999", r"\U00110000"]
)
def test_a_wrong_template_is_found_before_any_text_is_read(repl):
    with pytest.raises(RecipeError, match="repl must be a valid template"):
        bind_regex_replace("(a)", repl)
