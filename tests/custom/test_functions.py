"""Decorated functions are OPs: over rows and over batches, with parameters, errors and stats like the others."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import djfast
from djfast import catalog
from djfast.errors import RecipeError


def _run(name: str, rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{name: params}]))


def test_a_function_of_rows_is_a_mapper_with_parameters_and_docs() -> None:
    @djfast.mapper("shout_mapper")
    def shout(row: dict[str, Any], mark: str = "!", times: int | None = None, words: list[str] | None = None) -> Any:
        """Makes the text loud.

        More of it.

        Parameters
        ----------
        mark : str
            Ends the text,
            as often as it should.
        times : int
            How often.

        Returns
        -------
        dict
        """
        row["text"] = row["text"].upper() + mark * (times or 1)
        return row

    assert _run("shout_mapper", [{"text": "a"}], times=2).to_list() == [{"text": "A!!"}]
    spec = catalog.find("shout_mapper")
    assert (spec.summary, spec.description) == ("Makes the text loud.", "More of it.")
    assert [(p.name, p.type, p.doc, p.default) for p in spec.own_params] == [
        ("mark", "str", "Ends the text, as often as it should.", "!"),
        ("times", "int | None", "How often.", None),
        ("words", "list[str] | None", "Not described.", None),
    ]
    with pytest.raises(RecipeError, match="times must be a whole number or null, got 'many'"):
        djfast.load_ops([{"shout_mapper": {"times": "many"}}])


def test_rows_can_become_several_or_none_and_bad_ones_are_set_aside_alone() -> None:
    @djfast.mapper("split_mapper")
    def split(row: dict[str, Any]) -> Any:
        return [{**row, "text": part, "n": 1 / len(part)} for part in row["text"].split("|")] if row["text"] else None

    data = _run("split_mapper", [{"id": i, "text": text} for i, text in enumerate(["a|b", "", "c||d", "e"])])
    assert [(row["id"], row["text"]) for row in data.to_list()] == [(0, "a"), (0, "b"), (3, "e")]
    [bad] = data.rejected
    assert (bad.op, bad.line, bad.row["id"]) == ("split_mapper", 3, 2)
    assert "ZeroDivisionError" in bad.reason


def test_a_function_of_rows_is_a_filter_with_stats() -> None:
    @djfast.filter("vowels_filter")
    def vowels(row: dict[str, Any], min_num: int = 1) -> Any:
        count = sum(row["text"].count(vowel) for vowel in "aeiou")
        return {"num_vowels": count}, count >= min_num

    rows = [{"text": "aei"}, {"text": "xyz"}]
    assert _run("vowels_filter", rows).to_list(stats=True) == [{"text": "aei", "__dj__stats__": {"num_vowels": 3}}]
    stats = djfast.Dataset.from_list(rows).compute_stats(djfast.load_ops(["vowels_filter"])).to_list(stats=True)
    assert [row["__dj__stats__"] for row in stats] == [{"num_vowels": 3}, {"num_vowels": 0}]


def test_functions_of_batches_get_record_batches_and_bad_rows_are_found() -> None:
    @djfast.mapper("length_mapper", over="batches")
    def length(batch: pa.RecordBatch) -> Any:
        return batch.append_column("size", pc.divide(12, pc.utf8_length(batch.column("text"))))

    @djfast.filter("short_filter", over="batches")
    def short(batch: pa.RecordBatch, most: int = 3) -> Any:
        return pc.less_equal(pc.utf8_length(batch.column("text")), most)

    data = _run("length_mapper", [{"text": "abc"}, {"text": ""}, {"text": "abcd"}])
    assert data.to_list() == [{"text": "abc", "size": 4}, {"text": "abcd", "size": 3}]
    assert len(data.rejected) == 1
    assert _run("short_filter", [{"text": "abc"}, {"text": "abcd"}]).to_list() == [{"text": "abc"}]


def test_names_of_djfast_and_unknown_types_are_refused() -> None:
    with pytest.raises(RecipeError, match="must not have the name of one of djfast, got 'text_length_filter'"):
        djfast.filter("text_length_filter")(lambda row: True)

    def strange(row: Any, size: complex = 1j) -> Any:
        return row

    with pytest.raises(RecipeError, match="size must be annotated with"):
        djfast.mapper("strange_mapper")(strange)
    with pytest.raises(RecipeError, match="over must be one of rows, batches, got 'columns'"):
        djfast.mapper("strange_mapper", over="columns")
