"""Which lines are compared and which are equal, against the rules as regular expressions."""

from __future__ import annotations

import re
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from djfast import _native

CHARACTERS = "\n\n ab#{}[]();\\<>/1\t\x1c\x85\u00a0\u3000Aé中\u0130\u0131\u017f\u212a."
PIECES = [*CHARACTERS, "\\begin{", "\\end{", "<p ", "</Div>", "<br/>", "> "]
TEXT = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
SPECIAL = re.compile(rf"\s+|\d+|[{re.escape(string.punctuation)}]")
RULES = st.fixed_dictionaries(
    {
        "lowercase": st.booleans(),
        "ignore_special_character": st.booleans(),
        "min_line_length": st.integers(-1, 4),
        "skip_brackets": st.booleans(),
        "skip_markdown_headers": st.booleans(),
        "skip_latex_env": st.booleans(),
        "skip_html_tags": st.booleans(),
    }
)


def compared(line: str, rules: dict[str, Any]) -> str | None:
    """What of a line is compared; None for a line that never is."""
    bare = line.strip()
    if (
        len(bare) < rules["min_line_length"]
        or (rules["skip_brackets"] and all(c in "{}[]();" for c in bare))
        or (rules["skip_markdown_headers"] and bare.startswith("#"))
        or (rules["skip_latex_env"] and re.match(r"^\s*\\(begin|end)\{", bare))
        or (rules["skip_html_tags"] and re.match(r"^\s*</?[a-z][a-z0-9]*[^>]*>?\s*$", bare, re.I))
    ):
        return None
    key = line.lower() if rules["lowercase"] else line
    return (SPECIAL.sub("", key) if rules["ignore_special_character"] else key).strip()


@given(st.lists(TEXT, min_size=1, max_size=4), RULES)
def test_equal_lines_have_equal_keys(texts: list[str], rules: dict[str, Any]) -> None:
    keys = [key for row in _native.evaluate("line_keys", [texts], rules) for key in row]
    lines = [compared(line, rules) for text in texts for line in text.split("\n")]
    assert len(keys) == len(lines)
    assert [key == 0 for key in keys] == [line is None for line in lines]
    first = {line: key for line, key in reversed(list(zip(lines, keys)))}
    assert keys == [first[line] for line in lines]
    assert len(set(first.values())) == len(first)


@given(st.lists(st.lists(st.integers(0, 4), max_size=8), min_size=1, max_size=4))
def test_numbers_are_listed_once_without_zeros(rows: list[list[int]]) -> None:
    if any(map(any, rows)):  # lists without any number are not known to be of numbers
        assert _native.evaluate("distinct_numbers", [rows]) == [sorted(set(row) - {0}) for row in rows]
