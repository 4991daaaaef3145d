"""Mappers that leave a field of some rows as it is: what comes behind them finds what the field holds."""

from __future__ import annotations

from typing import Any

import pytest

import djfast
from djfast.declare import Mapper, Op, param
from djfast.expr import Expr, call, field


class _Renewed(Mapper, name="renewed_mapper", is_listed=False):
    """Puts a member of the field `new` in the place of another field, where there is one."""

    target: str = param("Field.", default="text")
    source: str = param("Member.", default="text")

    def assign(self) -> dict[str, Expr]:
        """The member, or nothing."""
        return {self.target: call("member", field("new"), name=self.source)}


class _Wrapped(Mapper, name="wrapped_mapper", is_listed=False):
    """Copies the JSON of a field."""

    target: str = param("Field.", default="copy")
    source: str = param("Field.", default="text")

    def assign(self) -> dict[str, Expr]:
        """The JSON of the field now."""
        return {self.target: field(self.source)}


ROWS: list[dict[str, Any]] = [
    {"text": "ONE <b>x</b>", "new": {}},
    {"text": "TWO", "new": {"text": "NEW <i>t</i>"}},
    {"text": "THREE", "new": {"later": "LATER"}, "query": [1, 2]},
    {"text": "FOUR", "new": {"text": "NEW", "later": "LAST"}, "query": {"a": 1}},
]


def texts(*ops: Op, key: str = "text") -> list[Any]:
    dataset = djfast.Dataset.from_list(ROWS).process(*ops)
    rows = dataset.to_list()
    assert dataset.rejected == []
    return [row.get(key) for row in rows]


def test_the_next_op_reads_the_field_that_stayed() -> None:
    html = djfast.load_ops("clean_html_mapper")
    assert texts(_Renewed(), *html) == ["ONE x", "NEW t", "THREE", "NEW"]
    assert texts(*html, _Renewed(), *html) == ["ONE x", "NEW t", "THREE", "NEW"]


def test_what_an_earlier_op_wrote_stays() -> None:
    assert texts(_Renewed(), _Renewed(source="later")) == ["ONE <b>x</b>", "NEW <i>t</i>", "LATER", "LAST"]
    [lower] = djfast.load_ops([{"replace_content_mapper": {"pattern": "[A-Z]", "repl": "z"}}])
    assert texts(lower, _Renewed(source="later")) == ["zzz <b>x</b>", "zzz", "LATER", "LAST"]


@pytest.mark.parametrize("source", ["text", "query", "new.text", "missing"])
def test_its_json_is_read_as_it_is(source: str) -> None:
    expected = [row.get(source) if "." not in source else row["new"].get("text") for row in ROWS]
    assert texts(_Renewed(target=source, source="none"), _Wrapped(source=source), key="copy") == expected
    assert texts(_Renewed(target=source, source="none"), key="query") == [row.get("query") for row in ROWS]


def test_filters_see_it() -> None:
    [length] = djfast.load_ops([{"text_length_filter": {"min_len": 5}}])
    dataset = djfast.Dataset.from_list(ROWS).process(_Renewed(), length)
    assert [row["text"] for row in dataset.to_list()] == ["ONE <b>x</b>", "NEW <i>t</i>", "THREE"]
