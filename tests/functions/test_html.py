"""The text of HTML."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import djfast
from djfast.functions.html import Nesting, bind_html_text, nesting_of

lexbor = pytest.importorskip("selectolax.lexbor")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("  \n a ", "a "),
        ("a\0b\r\nc\rd", "ab\nc\nd"),
        ("1 < 2 &amp; 3&lt;4", "1 < 2 & 3<4"),
        ("<title>t</title><p>a<br>b</p>", "tab"),
        ("<style>s</style><script>x < 1</script>", "sx < 1"),
        ("<!-- c -->a<template>b</template>", "a"),
        ("x<li>a</li><LI>b</LI><li class=c>d", "x\n*abd"),
        ("x<ol>a</ol><ul>b</ul>", "x\n*ab"),
        ("<li>a", "*a"),
        ("<p", ""),
        ("<b>中&#x4e2d;</b>", "中中"),
    ],
)
def test_text_nodes_follow_each_other(text, expected):
    assert bind_html_text()(text) == expected


ODD = st.sampled_from("\t\n\f\v\x1c\x85\u00a0\ufeff >;<&")


@given(st.lists(st.one_of(ODD, ODD, st.characters(exclude_categories=["Cs"]))).map("".join))
def test_texts_without_markup_are_answered_as_the_parser_does(text):
    assert bind_html_text()(text) == lexbor.LexborHTMLParser(text).text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain 1 < 2", Nesting(0, 0, 0)),
        ("<div><p>a<p>b</div><br><br/>", Nesting(6, 1, 0)),
        ("<DIV><div></div></div></i></i><span>", Nesting(7, 2, 0)),
        ("<b><i></b><a>", Nesting(4, 2, 2)),
    ],
)
def test_nesting_is_read_from_the_tags(text, expected):
    assert nesting_of(text) == expected


@pytest.mark.parametrize(
    "text",
    ["<div>" * 200_000, "<p>" + "<b id=1>" * 3_000 + "<p>x" * 3_000, "<span>" * 20_000 + "</i>" * 20_000],
)
def test_rows_that_would_take_the_parser_minutes_or_gigabytes_are_set_aside_alone(text):
    [op] = djfast.load_ops(["clean_html_mapper"])
    start = time.perf_counter()
    dataset = djfast.Dataset.from_list([{"text": text}, {"text": "<i>a</i>"}]).process(op)
    assert dataset.to_list() == [{"text": "a"}]
    assert [bad.line for bad in dataset.rejected] == [1]
    assert "too many HTML elements are open at once" in dataset.rejected[0].reason
    assert time.perf_counter() - start < 5.0


def test_long_flat_pages_are_kept():
    text = "<table>" + "<tr><td>cell<br><td><b>x</b>" * 30_000 + "</table>"
    assert bind_html_text()(text) == "cellx" * 30_000
