"""LaTeX cleaning against the patterns it follows."""

from __future__ import annotations

import itertools
import time

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import djfast
from djfast import _native

BIBLIOGRAPHY = regex.compile(
    r"(\\appendix|\\begin\{references\}|\\begin\{REFERENCES\}|\\begin\{thebibliography\}|\\bibliography\{.*\}).*$",
    regex.DOTALL,
)
INLINE = regex.compile(r"[^\\]%.+$", regex.MULTILINE)
LINES = regex.compile(r"^%.*\n?", regex.MULTILINE)
HEADER = regex.compile(
    r"^(.*?)(\\\b(?:chapter|part|section|subsection|subsubsection|paragraph|subparagraph)\b\*?(?:\[(.*?)\])?\{(.*?)\})",
    regex.DOTALL,
)
NEWCOMMAND = regex.compile(r"\\\bnewcommand\b\*?\{(\\[a-zA-Z0-9]+?)\}\{(.*?)\}$", regex.MULTILINE)
DEF = regex.compile(r"\\def\s*(\\[a-zA-Z0-9]+?)\s*\{(.*?)\}$", regex.MULTILINE)

EVERYTHING = st.characters(exclude_categories=["Cs"])


def texts_of(*pieces: str) -> st.SearchStrategy[str]:
    """Texts of these pieces, with some of anything between them."""
    piece = st.one_of(st.sampled_from(pieces), st.sampled_from(pieces), EVERYTHING)
    short = st.lists(piece, max_size=40).map("".join)
    return st.one_of(short, st.tuples(st.integers(0, 70).map("x".__mul__), short).map("".join))


def native(function: str, text: str, **params: object) -> str:
    [answer] = _native.evaluate(function, [[text]], params)
    return answer


def expanded(text: str) -> str:
    macros: dict[str, str] = {}
    for pattern in (NEWCOMMAND, DEF):
        for definition in pattern.finditer(text):
            macros[definition[1]] = definition[2]
    for name, value in macros.items():
        text = regex.sub(f"{regex.escape(name)}([^a-zA-Z0-9])", lambda use, value=value: value + use[1], text)
    return text


@settings(max_examples=500)
@given(
    texts_of(
        *("\\newcommand{\\a}{", "\\newcommand*{\\b}{", "\\def\\a{", "\\def \\b\u2003\n{", "\\newcommand", "\\def", "\\a", "\\b"),
        *("\\ab", "\\1", "{", "}", "}\n", "}\n", "}\r\n", "\n", "*", " ", "\\", "a", "é", "\\a\\b", "\\g<1>", "\x1c", "\u0085"),
    )
)
def test_macros_are_expanded_as_by_the_patterns(text):
    assert native("expand_macros", text) == expanded(text)


@settings(max_examples=500)
@given(texts_of("\\appendix", "\\begin{", "references}", "REFERENCES}", "thebibliography}", "\\bibliography{", "}", "\\", "\n"))
def test_the_bibliography_is_cut_as_by_the_pattern(text):
    assert native("remove_bibliography", text) == BIBLIOGRAPHY.sub("", text)


@settings(max_examples=500)
@given(texts_of("%", "%%", "\\", "\\%", "\n", "\r\n", "a", "é", "中", "\u2028", "\x0b"))
def test_comments_are_removed_as_by_the_patterns(text):
    assert native("remove_inline_comments", text) == INLINE.sub("", text)
    assert native("remove_comment_lines", text) == LINES.sub("", text)


@settings(max_examples=500)
@given(
    texts_of(
        *("\\chapter", "\\part", "\\partial", "\\section", "\\subsection", "\\subsubsection", "\\paragraph", "\\subparagraph"),
        *("*", "[", "]", "]{", "{", "}", "{t}", "\\", "s", "é", "\n", "\\section*[", "\\section{"),
    )
)
def test_the_first_heading_is_found_as_by_the_pattern(text):
    kept = HEADER.sub(r"\2", text)
    assert native("remove_header", text, drop_no_head=False) == kept
    assert native("remove_header", text, drop_no_head=True) == (kept if HEADER.search(text) else "")


HOSTILE = ["\\", "%", "\\%", "%\n", "\n%", "{", "}", "]{", "\\def\\a{", "\\def ", "\\newcommand{\\a}{", "\\bibliography{"]
HOSTILE += ["\\section[", "\\section{", "\\section[]{", "\\section[a]{\\section{"]


@pytest.mark.parametrize(
    ("function", "params"),
    [
        ("expand_macros", {}),
        ("remove_bibliography", {}),
        ("remove_inline_comments", {}),
        ("remove_comment_lines", {}),
        ("remove_header", {"drop_no_head": False}),
    ],
)
@pytest.mark.parametrize("unit", HOSTILE)
def test_long_hostile_texts_take_linear_time(function, params, unit):
    start = time.perf_counter()
    native(function, unit * (2_000_000 // len(unit)), **params)
    assert time.perf_counter() - start < 1.0


def test_rows_whose_macros_make_them_too_long_are_set_aside_alone():
    names = [f"\\m{chr(ord('a') + i)}" for i in range(20)]
    doubling = "".join(f"\\newcommand{{{name}}}{{{after} {after} }}\n" for name, after in itertools.pairwise(names))
    texts = ["\\def\\x{y}\n\\x ", doubling + "\\ma ", "\\def\\x{" + "y" * 4000 + "}\n" + "\\x " * 4000]
    [op] = djfast.load_ops(["expand_macro_mapper"])
    dataset = djfast.Dataset.from_list([{"text": text} for text in texts]).process(op)
    assert dataset.to_list() == [{"text": "\\defy{y}\ny "}]
    assert [(bad.line, bad.reason) for bad in dataset.rejected] == [
        (2, "its macros make the text too long or take too long to expand"),
        (3, "its macros make the text too long or take too long to expand"),
    ]


def test_a_document_of_many_macros_is_expanded_in_reasonable_time():
    text = "".join(f"\\newcommand{{\\m{i}}}{{v{i}}}\n" for i in range(300)) + "\\m7 and \\m200.\n" * 3000
    start = time.perf_counter()
    assert native("expand_macros", text).endswith("v7 and v200.\n")
    assert time.perf_counter() - start < 1.0


def test_a_text_with_too_many_macros_is_given_up_soon():
    text = "".join(f"\\def\\m{i}{{v{i}}}\n" for i in range(60_000))
    [op] = djfast.load_ops(["expand_macro_mapper"])
    start = time.perf_counter()
    assert djfast.Dataset.from_list([{"text": text}]).process(op).to_list() == []
    assert time.perf_counter() - start < 10.0
