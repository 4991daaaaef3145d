"""The text of HTML, by the parser Lexbor in the package `selectolax`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from djfast.records import NamedTuple

# Some markup makes every HTML5 parser slow or its tree huge. The time grows with the depth of the tree; and formatting
# elements that are left open are made anew in each paragraph. Texts with few tags are harmless.
HARMLESS_TAGS = 2_000
MAX_DEPTH = 10_000
MAX_REOPENED = 3_000_000  # about a gigabyte

_LIST_TAGS = (("<li>", "\n*"), ("</li>", ""), ("<ol>", "\n*"), ("</ol>", ""))
_SPACE = "\t\n\f "  # what HTML skips in front of a body
_MARKUP = re.compile(r"[\0\r]|<[a-zA-Z/!?]|&[a-zA-Z#]")  # anything else stands for itself
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_FORMATTING = frozenset(
    ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
)
# Elements that hold no others, or end where the next one of their kind begins, do not add to the depth.
_NEVER_HOLD = ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
_FLAT = frozenset((*_NEVER_HOLD, "dd", "dt", "li", "option", "p", "td", "th", "tr"))


def bind_html_text() -> Callable[[str], str]:
    """Return the function from a text with HTML to its text nodes, one after the other.

    Its answer follows Data-Juicer 1.6.1, lists included. It raises ValueError for a text whose tags ask for too much.
    """
    from selectolax.lexbor import LexborHTMLParser

    def html_text(text: str) -> str:
        for tag, replacement in _LIST_TAGS:
            text = text.replace(tag, replacement)
        # Looking for single characters is much faster than the expression, and settles most texts.
        if not (any(mark in text for mark in "<&\0\r") and _MARKUP.search(text)):
            return text.lstrip(_SPACE)
        if text.count("<") > HARMLESS_TAGS:
            nesting = nesting_of(text)
            if nesting.depth > MAX_DEPTH or nesting.formatting * nesting.tags > MAX_REOPENED:
                raise ValueError(f"too many HTML elements are open at once: {nesting.depth}")
        parsed: str = LexborHTMLParser(text).text()
        return parsed

    return html_text


class Nesting(NamedTuple):
    """How the tags of a text seem to lie in each other; comments and scripts are not told apart."""

    tags: int
    depth: int  # most elements that are open at once
    formatting: int  # most formatting elements that are open at once


def nesting_of(text: str) -> Nesting:
    """Return how the tags of a text lie in each other, without parsing it."""
    opened: Counter[str] = Counter()
    tags = depth = formatting = deepest = most_formatting = 0
    for closing, name in _TAG.findall(text):
        tags += 1
        name = name.lower()
        if name in _FLAT or (closing and not opened[name]):
            continue
        step = -1 if closing else 1
        opened[name] += step
        depth += step
        formatting += step * (name in _FORMATTING)
        deepest = max(deepest, depth)
        most_formatting = max(most_formatting, formatting)
    return Nesting(tags, deepest, most_formatting)
