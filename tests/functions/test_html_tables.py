"""Tables of HTML texts."""

from __future__ import annotations

import json
from typing import Any

import pytest

import djfast
from djfast.functions import html_tables
from djfast.functions.html_tables import bind_html_table_sources, bind_html_tables

pytest.importorskip("bs4")


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("<table><tr><td>a<td>b<tr><td>c</table>", [[["abc"], ["c"]]]),
        ("<table><tr><td>o<table><tr><td>i</td></tr></table></td></tr></table>", [[["oi"], ["i"]], [["i"]]]),
        ("<table></table><table><tr></tr></table>", []),
        ("<table><tr><td></td></tr></table>", [[[""]]]),
        ("<TaBlE><tr><td> 数据 😀 <b> x </b>&lt;&nbsp;</td></tr>", [[["数据 😀x<"]]]),
        ('<?xml version="1.0"?><table><tr><td>a</td></tr></table>', [[["a"]]]),
        ("&lt;table>no</table>", []),
        ("<!-- <table><tr><td>a</td></tr></table> -->", []),
        ("<script><table><tr><td>a</td></tr></table></script>", []),
    ],
)
def test_tables_are_rows_of_cells(text: str, tables: list[Any]) -> None:
    assert json.loads(bind_html_tables(include_header=True)(text)) == tables


def test_rows_with_a_header_cell_can_be_left_out() -> None:
    text = "<table><tr><th>h</th><td>1</td></tr><tr><td>2<b><th>not direct</th></b></td></tr></table><table><tr><th>x</table>"
    assert json.loads(bind_html_tables(include_header=False)(text)) == [[["2not direct"]]]


def test_what_is_no_html_has_no_tables() -> None:
    for text in ("a < b <table", "<tablex><tr><td>a</td></tr></tablex>", "\0", "<table"):
        assert json.loads(bind_html_table_sources()(text)) == []


@pytest.mark.parametrize("bound", [bind_html_tables(include_header=True), bind_html_table_sources()])
def test_tables_that_repeat_each_other_are_refused(bound: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_tables, "_ALWAYS_ALLOWED", 0)
    with pytest.raises(ValueError, match="10 times as long as their text"):
        bound("<table><tr><td>x" * 60)


def test_a_tag_that_is_there_stays() -> None:
    [op] = djfast.load_ops(["extract_tables_from_html_mapper"])
    rows = [{"text": "<table><tr><td>a</table>", "__dj__meta__": {"html_tables": []}}, {"text": None}]
    dataset = djfast.Dataset.from_list(rows).process(op)
    assert dataset.to_list(stats=True) == rows[:1]
    assert [bad.reason for bad in dataset.rejected] == ["field 'text' is null"]
